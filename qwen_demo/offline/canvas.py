"""A canvas with smooth edges and soft light, from Pillow's means alone."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import chain, pairwise
from random import Random
from typing import NamedTuple, TypeAlias

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFont

Point: TypeAlias = tuple[float, float]
BICUBIC = Image.Resampling.BICUBIC
NEAREST = Image.Resampling.NEAREST


def dice(*parts: object) -> Random:
    """Randomness that is the same for the same parts, on any machine."""
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return Random(sha256(text).digest())  # noqa: S311 - pictures, not secrets


def mix(one: str, other: str, share: float) -> str:
    """The colour (`#rrggbb`) on the way from one (share 0) to the other (share 1)."""
    pairs = zip(ImageColor.getrgb(one), ImageColor.getrgb(other), strict=True)
    return "#{:02x}{:02x}{:02x}".format(*(round(a + (b - a) * share) for a, b in pairs))


def noise(rng: Random, cells: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    """Soft grey spots, one to a cell."""
    return Image.frombytes("L", cells, rng.randbytes(cells[0] * cells[1])).resize(size, BICUBIC)


def glow(image: Image.Image, centre: Point, radius: float, colour: str, strength: float) -> None:
    """Light around a point of the image; strength from 0 to 1."""
    # Pillow's gradient is 0 in the middle, 180 where it meets an edge, and more in the corners.
    fading = [round(max(0, 1 - v / 178) ** 2 * 255 * strength) for v in range(256)]
    mask = Image.radial_gradient("L").point(fading).resize((round(2 * radius),) * 2, Image.Resampling.BILINEAR)
    corner = (round(centre[0] - radius), round(centre[1] - radius))
    image.paste(Image.new("RGB", mask.size, colour), corner, mask)  # far faster than pasting the colour itself


def clouds(image: Image.Image, rng: Random, lowest: int, colour: str, strength: float) -> None:
    """Long soft clouds that thin out down to the height `lowest` (px); strength from 0 to 1."""
    coarse = (image.width // 4, lowest // 4)
    spots = Image.blend(noise(rng, (5, 9), coarse), noise(rng, (14, 26), coarse), 0.35)
    dense = spots.point([round(max(0, v - 118) / 137 * 255 * strength) for v in range(256)])
    thinning = Image.linear_gradient("L").point([round(255 - 255 * (v / 255) ** 3) for v in range(256)])
    mask = ImageChops.multiply(dense, thinning.resize(coarse)).resize((image.width, lowest), BICUBIC)
    image.paste(Image.new("RGB", mask.size, colour), (0, 0), mask)


def sign(image: Image.Image, text: str) -> None:
    """Writes a mark into the lower right corner, white in a dark outline: legible on anything."""
    unit = min(image.size) / 100
    font, corner = ImageFont.load_default(size=3 * unit), (image.width - 2.5 * unit, image.height - 2.5 * unit)
    pen, outline = ImageDraw.Draw(image), max(1, round(unit / 3))
    pen.text(corner, text, "#ffffff", font, anchor="rs", stroke_width=outline, stroke_fill="#303030")


class Pen(NamedTuple):
    """Draws a figure that stands at a point, in steps of `scale` px from there to the right and up."""

    draw: ImageDraw.ImageDraw
    x: float
    y: float
    scale: float

    def shape(self, points: Sequence[Point], colour: str) -> None:
        self.draw.polygon(self._placed(points), fill=colour)

    def line(self, points: Sequence[Point], thickness: float, colour: str) -> None:
        self.draw.line(self._placed(points), fill=colour, width=max(1, round(thickness * self.scale)), joint="curve")

    def oval(self, x: float, y: float, rx: float, ry: float, colour: str) -> None:
        self.draw.ellipse(self._placed([(x - rx, y + ry), (x + rx, y - ry)]), fill=colour)

    def _placed(self, points: Sequence[Point]) -> list[Point]:
        return [(self.x + dx * self.scale, self.y - dy * self.scale) for dx, dy in points]


class Canvas:
    """A picture in the making, painted over its sky from far to near with colours (`#rrggbb`) that go together.

    Pillow's edges are jagged: the sheet is of twice the size, in px of `width` and `height`, to be reduced at the end.
    """

    def __init__(self, sky: Image.Image, colours: Sequence[str], rng: Random) -> None:
        self.width, self.height = 2 * sky.width, 2 * sky.height
        self.unit, self.rng = min(self.width, self.height) / 100, rng
        self.zenith, _, self.horizon, self.far, self.near, self.light, *self.accents = colours
        self.sheet = sky.resize((self.width, self.height), NEAREST)
        self.draw = ImageDraw.Draw(self.sheet)

    def land(self, line: Sequence[Point], colour: str) -> None:
        """Fills what lies under a skyline."""
        self.draw.polygon([(0, self.height), *line, (self.width, self.height)], fill=colour)

    def skyline(self, base: float, swell: float, roughness: float) -> list[Point]:
        """Hills around the height `base`: each half bends by up to `swell`, its own halves by `roughness` as much."""
        heights = [base + self.rng.uniform(-swell, swell) for _ in range(3)]
        while len(heights) < 257:
            middles = [(a + b) / 2 + self.rng.uniform(-swell, swell) for a, b in pairwise(heights)]
            heights = [*chain.from_iterable(zip(heights, middles, strict=False)), heights[-1]]
            swell *= roughness
        return [(self.width * i / 256, height) for i, height in enumerate(heights)]

    def mist(self, top: float, bottom: float, colour: str, strength: float) -> None:
        """Mist that thickens from top to bottom (px), up to a strength of 0 to 1."""
        veil, rgb = ImageDraw.Draw(self.sheet, "RGBA"), ImageColor.getrgb(colour)[:3]
        for y in range(round(top), round(bottom)):
            veil.line((0, y, self.width, y), fill=(*rgb, max(0, round(255 * strength * (y - top) / (bottom - top)))))

    def water(self, shore: float) -> None:
        """Fills all below the height `shore` (px) with a darker mirror of what is above it, in ripples."""
        first, depth = round(shore), self.height - round(shore)
        above = self.sheet.crop((0, first - 2 * depth, self.width, first)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        below = above.resize((self.width, depth), NEAREST).point([round(v * 0.88) for v in range(256)] * 3)
        self.sheet.paste(below, (0, first))
        for y in range(0, depth, 6):  # ripples grow towards the shore on which one stands
            strip = below.crop((0, y, self.width, min(depth, y + 6)))
            self.sheet.paste(strip, (round(self.rng.gauss(0, 0.06 + 0.3 * y / depth) * self.unit), first + y))
