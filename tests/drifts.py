"""Answers of a model that knows no mask: about the same picture, a little moved, zoomed, tinted and softened."""

import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from qwen_demo.registration import Place


@dataclass(frozen=True)
class Drift:
    """What an answer differs by from what was sent.

    Attributes:
        place: move and zoom along x, then y, in half-sides.
        gain: of each channel.
        offset: of each channel, of 255.
        soft: px of the answer by which it is blurred.
        noise: of 255.
        quality: of the JPEG it went through; 0 for none.
    """

    place: Place = (0, 0, 0, 0)
    gain: tuple[float, float, float] = (1, 1, 1)
    offset: tuple[float, float, float] = (0, 0, 0)
    soft: float = 0
    noise: float = 0
    quality: int = 0


def some_drift(seed: int) -> Drift:
    """One as models are seen to have: moves and zooms of up to 2 % of a side, tints, all that makes a picture soft."""
    dice = np.random.default_rng(seed)
    x, zoom_x, y, zoom_y = dice.uniform((-0.04, -0.02, -0.04, -0.02), (0.04, 0.02, 0.04, 0.02)).tolist()
    gain, offset = dice.uniform(0.9, 1.1, 3).tolist(), dice.uniform(-20, 20, 3).tolist()
    return Drift((x, zoom_x, y, zoom_y), tuple(gain), tuple(offset), dice.uniform(0.5, 1.2), 2, 85)


def answer_to(sent: Image.Image, drift: Drift, size: tuple[int, int] | None = None, seed: int = 0) -> Image.Image:
    """What was sent, redrawn with a drift: about 1 MP with sides of 16, if no size is given."""
    size = size or one_megapixel(sent.size)
    beyond = max(sent.size) // 8
    around = ((beyond, beyond), (beyond, beyond), (0, 0))
    mirrored = Image.fromarray(np.pad(np.asarray(sent.convert("RGB")), around, "reflect"))

    def here(x: float, axis: int) -> float:
        move, zoom = drift.place[2 * axis : 2 * axis + 2]
        return beyond + (1 + (x - move) / (1 + zoom)) / 2 * sent.size[axis]

    area = here(-1, 0), here(-1, 1), here(1, 0), here(1, 1)
    moved = mirrored.resize(size, Image.Resampling.BICUBIC, area).filter(ImageFilter.GaussianBlur(drift.soft))
    values = np.asarray(moved, np.float32) * drift.gain + drift.offset
    values += np.random.default_rng(seed).normal(0, drift.noise, values.shape)
    answer = Image.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8))
    if drift.quality:
        answer.save(file := io.BytesIO(), "JPEG", quality=drift.quality)
        answer = Image.open(file).convert("RGB")
    return answer


def one_megapixel(size: Iterable[int]) -> tuple[int, int]:
    """About 1 MP in that shape, with sides of 16."""
    width, height = size
    scale = 1024 / (width * height) ** 0.5 / 16
    return round(width * scale) * 16, round(height * scale) * 16


def left_over(found: Place, drift: Drift, size: tuple[int, int]) -> float:
    """How far what is found is from where it is, at most, in px of an answer of that size."""
    x, zoom_x, y, zoom_y = (abs(a - b) for a, b in zip(found, drift.place, strict=True))
    return float(np.hypot((x + zoom_x) * size[0] / 2, (y + zoom_y) * size[1] / 2))
