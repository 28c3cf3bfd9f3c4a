"""Rows about changing only a part of a photo. `python -m benchmarks.region` measures the memory, in its own process."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image, ImageDraw

from qwen_demo.region import Box, Size, levelled, match, part_to_send, paste

from .processes import ROOT

WHOLE = (4096, 2977)  # 12.2 MP


def photo() -> Image.Image:
    """12 megapixels with something to see everywhere."""
    rough = Image.effect_noise((512, 372), 90).convert("RGB")
    return rough.resize(WHOLE, Image.Resampling.BICUBIC)


def paint(share: float) -> Image.Image:
    """A mask with an ellipse over so much of each side, in the middle."""
    mask = Image.new("L", (1024, 744))
    x, y = ((1 - share) / 2 * side for side in mask.size)
    ImageDraw.Draw(mask).ellipse((x, y, mask.width - x, mask.height - y), 255)
    return mask


def drifted(picture: Image.Image, box: Box, size: Size) -> Image.Image:
    """An answer to a part: moved, zoomed and tinted."""
    x, y = (box[2] - box[0]) // 80, (box[3] - box[1]) // 80
    area = box[0] + x, box[1] + y, box[2] - x // 3, box[3] - y // 2
    return picture.resize(size, Image.Resampling.LANCZOS, area).point(lambda value: value * 15 // 16 + 5)


def change(picture: Image.Image, mask: Image.Image, answer: Image.Image) -> None:
    """Crop, match and paste."""
    box, size = part_to_send(mask, picture.size)
    found = match(picture.resize(size, Image.Resampling.LANCZOS, box), mask, picture.size, box, answer)
    paste(picture, mask, box, levelled(answer, found), found.place)


def seconds(rounds: int) -> float:
    """Processor time for a 12 MP photo that is sent whole, and nearly all of it pasted; the median."""
    picture, mask = photo(), paint(0.9)
    answer = drifted(picture, *part_to_send(mask, picture.size))
    took = []
    for _ in range(rounds):
        began = time.process_time()
        change(picture, mask, answer)
        took.append(time.process_time() - began)
    return statistics.median(took)


def memory() -> float:
    """The most that the same takes on top of the photo, in MB."""
    command = [sys.executable, "-m", "benchmarks.region"]
    return float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)  # noqa: S603


def _megabytes(field: str) -> float:
    """What this process takes: `VmRSS` now, `VmHWM` at most since that was set back."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{field}:")[2].split()[0]) / 1000


if __name__ == "__main__":
    picture, mask = photo(), paint(0.9)
    answer = drifted(picture, *part_to_send(mask, picture.size))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the most that was taken is counted from here
    before = _megabytes("VmRSS")
    change(picture, mask, answer)
    print(_megabytes("VmHWM") - before)  # noqa: T201
