"""A canvas with smooth edges and soft light, from Pillow's means alone."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from random import Random
from typing import TypeAlias

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFont, ImageOps

Point: TypeAlias = tuple[float, float]
Place: TypeAlias = tuple[float, float, float]  # x and y where a figure stands, and px of a step in it: right and up
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
    return Image.frombytes("L", cells, rng.randbytes(cells[0] * cells[1])).resize(size)


def glow(image: Image.Image, x: float, y: float, radius: float, colour: str, strength: float) -> None:
    """Light around a point of the image; strength from 0 to 1."""
    # Pillow's gradient is 0 in the middle, 180 where it meets an edge, and more in the corners.
    fading = Image.radial_gradient("L").point(lambda v: max(0, 1 - v / 178) ** 2 * 255 * strength)
    mask = fading.resize((round(2 * radius),) * 2, Image.Resampling.BILINEAR)
    # Far faster than pasting the colour itself.
    image.paste(Image.new("RGB", mask.size, colour), (round(x - radius), round(y - radius)), mask)


def clouds(image: Image.Image, rng: Random, lowest: int, colour: str, strength: float) -> None:
    """Long soft clouds that thin out down to the height `lowest` (px); strength from 0 to 1."""
    coarse = (image.width // 4, lowest // 4)
    spots = Image.blend(noise(rng, (5, 9), coarse), noise(rng, (14, 26), coarse), 0.35)
    dense = spots.point(lambda v: (v - 118) / 137 * 255 * strength)
    thinning = Image.linear_gradient("L").point(lambda v: 255 - 255 * (v / 255) ** 3).resize(coarse)
    mask = ImageChops.multiply(dense, thinning).resize((image.width, lowest))
    image.paste(Image.new("RGB", mask.size, colour), (0, 0), mask)


def sign(image: Image.Image, text: str) -> None:
    """Writes a mark into the lower right corner, white in a dark outline: legible on anything."""
    unit = min(image.size) / 100
    font, corner = ImageFont.load_default(size=3 * unit), (image.width - 2.5 * unit, image.height - 2.5 * unit)
    ImageDraw.Draw(image).text(corner, text, "#ffffff", font, "rs", stroke_width=round(unit / 3), stroke_fill="#303030")


class Canvas:
    """A picture in the making, from its sky to what is near, with colours (`#rrggbb`) that go together.

    Pillow's edges are jagged: the sheet is of twice the size, in px of `width` and `height`, to be reduced at the end.
    """

    def __init__(self, size: tuple[int, int], colours: Sequence[str], rng: Random) -> None:
        self.width, self.height = 2 * size[0], 2 * size[1]
        self.unit, self.rng = min(self.width, self.height) / 100, rng
        self.zenith, middle, self.horizon, self.far, self.near, self.light, *self.accents = colours
        sky = ImageOps.colorize(Image.linear_gradient("L").resize(size), self.zenith, self.horizon, mid=middle)
        x, y = size[0] * rng.choice((0.3, 0.7)), size[1] * rng.uniform(0.2, 0.42)
        glow(sky, x, y, 31 * self.unit, mix(self.horizon, self.light, 0.6), 0.65)
        clouds(sky, rng, size[1] // 2, mix(self.horizon, self.light, 0.4), 0.5)
        glow(sky, x, y, 11 * self.unit, self.light, 0.45)
        self.sheet = sky.resize((self.width, self.height), NEAREST)
        self.draw = ImageDraw.Draw(self.sheet)
        self.oval((2 * x, 2 * y, self.unit * rng.uniform(5, 8)), 0, 0, 1, 1, self.light)

    def shape(self, place: Place, points: Sequence[Point], colour: str) -> None:
        self.draw.polygon(_placed(place, points), fill=colour)

    def line(self, place: Place, points: Sequence[Point], thickness: float, colour: str) -> None:
        width = max(1, round(thickness * place[2]))
        self.draw.line(_placed(place, points), fill=colour, width=width, joint="curve")

    def oval(self, place: Place, x: float, y: float, rx: float, ry: float, colour: str) -> None:
        self.draw.ellipse(_placed(place, [(x - rx, y + ry), (x + rx, y - ry)]), fill=colour)

    def land(self, line: Sequence[Point], colour: str) -> None:
        """Fills what lies under a skyline."""
        self.draw.polygon([(0, self.height), *line, (self.width, self.height)], fill=colour)

    def skyline(self, base: float, swell: float, roughness: float) -> list[Point]:
        """Hills around the height `base`: each half bends by up to `swell`, its own halves by `roughness` as much."""
        heights = [base + self.rng.uniform(-swell, swell) for _ in range(3)]
        while len(heights) < 257:
            middles = [(a + b) / 2 + self.rng.uniform(-swell, swell) for a, b in pairwise(heights)]
            heights = [h for pair in zip(heights, middles, strict=False) for h in pair] + heights[-1:]
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
        above = ImageOps.flip(self.sheet.crop((0, first - 2 * depth, self.width, first)))
        below = above.resize((self.width, depth), NEAREST).point(lambda v: v * 0.88)
        self.sheet.paste(below, (0, first))
        for y in range(0, depth, 6):  # ripples grow towards the shore on which one stands
            strip = below.crop((0, y, self.width, min(depth, y + 6)))
            self.sheet.paste(strip, (round(self.rng.gauss(0, 0.06 + 0.3 * y / depth) * self.unit), first + y))


def _placed(place: Place, points: Sequence[Point]) -> list[Point]:
    x, y, step = place
    return [(x + dx * step, y - dy * step) for dx, dy in points]
