"""Rows about pictures and files: saving, uploads, History."""

import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from qwen_demo import images, preparing
from qwen_demo.library import Library
from qwen_demo.recipe import Recipe
from qwen_demo.search import Search

from .upstream import noise_png

FIRST = 200  # pictures that the page asks for first, as in `board/library.js`
RECIPE = Recipe(kind="text_to_image", prompt="a hill", model="qwen-image-plus", seed=7)


def processor_ms(work: Callable[[], Any], rounds: int = 9) -> float:
    """The median of processor time, in ms."""
    took = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        took.append((time.process_time() - began) * 1000)
    return statistics.median(took)


def save() -> tuple[float, float, bool]:
    """ms to verify and save a 4 MB PNG; ms to read and write the file; whether the picture's data stayed as it came."""
    data = noise_png()
    with tempfile.TemporaryDirectory() as folder:
        library, source, copy = Library(Path(folder) / "out"), Path(folder, "a.png"), Path(folder, "b.png")
        source.write_bytes(data)
        now = datetime.now().astimezone()
        ours = processor_ms(lambda: library.save(images.verify(source.read_bytes()), RECIPE, 1, now))
        theirs = processor_ms(lambda: copy.write_bytes(source.read_bytes()))
        kept = next(library.newest_first()).path.read_bytes()
    pixels = data[data.index(b"IDAT") : data.rindex(b"IEND") - 4]  # the recipe stands between them and the end
    return ours, theirs, pixels in kept


def photo() -> tuple[float, float]:
    """ms to make a 12-megapixel phone photo ready, and ms for Pillow to open it and make it as small."""
    rough = Image.effect_noise((1000, 750), 60).convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6  # lying on its side, as phones write
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "phone.jpg")
        rough.save(path, quality=90, exif=exif)

        def simple() -> None:
            with Image.open(path) as image:
                image.thumbnail((3072, 3072))
                image.save(io.BytesIO(), "JPEG", quality=90)

        return processor_ms(lambda: preparing.prepare(path), 5), processor_ms(simple, 5)


def fill(folder: Path, number: int) -> None:
    """Put so many pictures into a library, a hundred a day, of five shapes."""
    library, day = Library(folder), datetime(2026, 1, 1, 12).astimezone()
    first = []
    for shape in ((64, 36), (64, 50), (64, 64), (50, 64), (36, 64)):
        Image.new("RGB", shape, (shape[0] * 3, shape[1] * 3, 120)).save(buffer := io.BytesIO(), "PNG")
        first.append(library.save(images.verify(buffer.getvalue()), RECIPE, 1, day))
    for count in range(number - len(first)):
        at = day + timedelta(days=1 + count // 100, seconds=count % 100)
        path = folder / f"{at:%Y-%m-%d}" / f"{at:%H%M%S}-a-hill-qwen-image-plus-7-{count}.png"
        path.parent.mkdir(exist_ok=True)
        os.link(first[count % len(first)], path)


def history(number: int = 10_000) -> float:
    """Seconds for what the page asks first of so many pictures, in an app that was just started."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), number)
        took = []
        for _ in range(5):
            began = time.perf_counter()
            library = Library(Path(folder))
            list(Search().find(library, FIRST))
            library.count()
            took.append(time.perf_counter() - began)
    return statistics.median(took)
