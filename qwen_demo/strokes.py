"""What was painted over a photo, as strokes: small, exact at any size, and they can be undone.

A stroke is `[radius, erases, x, y, x, y, …]`: lengths in thousandths of the photo's longer side, from its upper left
corner, upright; `erases` is 1 where it takes paint away, else 0.
"""

from collections.abc import Sequence

from PIL import Image, ImageDraw

MAX_REGIONS = 4  # of an order, each with strokes of its own
MAX_STROKES, MAX_POINTS = 500, 5000  # of a region, together
MAX_RADIUS = 200
MAX_INK = 100_000_000  # square thousandths that are drawn for a region: as many as cover the photo a hundred times
SIDE = 1024  # px of a mask's longer side
EVERYWHERE = tuple((200.0, 0.0, 0.0, y, 1000.0, y) for y in (150.0, 500.0, 850.0))
"""Strokes that leave nothing of a photo out."""


def mask_of(strokes: object, shape: tuple[int, int], side: int = SIDE) -> Image.Image:
    """The strokes drawn one after another, white where there is paint in the end: "L".

    Args:
        strokes: they come from a browser, so nothing about them is believed.
        shape: width and height of the photo, in any unit.
        side: px of the mask's longer side.

    Raises:
        ValueError: these are no strokes, or more than are drawn.
    """
    unit, scale = side / 1000, side / max(shape)
    mask = Image.new("L", (max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))))
    draw = ImageDraw.Draw(mask)
    for radius, erases, *at in _checked(strokes):
        r, ink = max(0.5, radius * unit), 0 if erases else 255
        points = [(x * unit, y * unit) for x, y in zip(at[::2], at[1::2], strict=True)]
        draw.line(points, ink, round(2 * r))
        for x, y in points:
            draw.ellipse((x - r, y - r, x + r, y + r), ink)
    return mask


def _checked(strokes: object) -> Sequence[Sequence[float]]:
    if not isinstance(strokes, Sequence) or len(strokes) > MAX_STROKES or not all(map(_is_stroke, strokes)):
        raise ValueError("not made of strokes")
    if sum(len(stroke) - 2 for stroke in strokes) > 2 * MAX_POINTS or sum(map(_ink, strokes)) > MAX_INK:
        raise ValueError("too many strokes")
    return strokes


def _is_stroke(stroke: object) -> bool:
    if not isinstance(stroke, list | tuple) or len(stroke) < 4 or len(stroke) % 2 or len(stroke) > 2 * MAX_POINTS + 2:
        return False
    if not all(type(value) in (int, float) for value in stroke):  # a bool is an int
        return False
    radius, erases, *at = stroke
    return 0 < radius <= MAX_RADIUS and erases in (0, 1) and all(-1000 <= value <= 2000 for value in at)


def _ink(stroke: Sequence[float]) -> float:
    """How much a stroke takes to draw: a square for each of its points, and what lies between them."""
    radius, _, *at = stroke
    points = [complex(x, y) for x, y in zip(at[::2], at[1::2], strict=True)]
    length = sum(abs(one - other) for one, other in zip(points[1:], points, strict=False))
    return 2 * radius * (2 * radius * len(points) + length)
