"""Uploads become what the API takes: read within limits, upright, in the colours and the size that it wants."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageChops

from . import containers
from .api.errors import InvalidRequest
from .colour import is_plain, srgb
from .images import DECODES, MAX_PIXELS, UNREADABLE, Reference, opened, saved

MAX_UPLOAD_BYTES = 30_000_000  # of a file as it comes in
MAX_JPEG_PIXELS = 100_000_000  # of one that can be decoded at half its sides, or an eighth
MAX_RATIO = 8  # of the longer side to the shorter
MIN_SIDE, MAX_SIDE = 384, 3072  # px of a reference picture as the API takes it (maker)
MAX_SENT_BYTES = 10_000_000  # of a reference picture as it is sent (maker)
MAX_MASK_SIDE = 2048  # px of a mask: its edge is softened by more than a pixel of it
PLACES = {"top": 0.0, "left": 0.0, "middle": 0.5, "bottom": 1.0, "right": 1.0}
"""Where a part lies in a picture that is too long: how much of what is cut off is in front of it."""


class Upload(NamedTuple):
    """An upload within the API's sides, upright and in sRGB, perhaps still transparent; and how it came."""

    picture: Image.Image
    came_as: str
    came_with: tuple[int, int]
    located: bool


def prepare(path: Path, background: str = "white") -> Reference:
    """Make an upload ready for the API. It may take seconds, and break what it runs in: `decoding` is for strangers'.

    Args:
        path: the upload. Its name says nothing about what it is.
        background: a colour as Pillow reads it, put behind what is transparent.

    Raises:
        InvalidRequest: it is no picture that can be read, or too large, or too long for its width.
    """
    with _turn(path):
        picture, came_as, came_with, located = _upload(path)
        if picture.mode == "RGBA":
            paper = Image.new("RGBA", picture.size, background)
            picture = Image.alpha_composite(paper, picture).convert("RGB")
        picture, data, mime = _encoded(picture, lossy=came_as in ("JPEG", "WEBP", "AVIF", "HEIF"))
    return Reference(data, mime, picture.size, came_as, came_with, located)


def original(path: Path) -> Reference:
    """An upload at its full size, of which a part is to change: upright, 8 bits a channel, in its own colour profile.

    Args:
        path: the upload.

    Raises:
        InvalidRequest: as for `prepare`; of a JPEG too, every pixel is decoded.
    """
    with _turn(path):
        bare = containers.bare(path.read_bytes())
        with opened(bare.data) as image:
            came_with, lies = _looked_at(image, bare, path.name, MAX_PIXELS)
            profile, deep = image.info.get("icc_profile"), _is_deep(image)
            plain = _plain(image)
            own = plain.mode in ("RGB", "RGBA") and (not profile or is_plain(profile))
            shown = plain if own else srgb(plain)
            same = plain.mode in ("L", "LA") or (plain.mode == shown.mode and not _differ(plain, shown))
            lost = "depth" if deep else "" if same else "colours"
            picture = _turned(shown, lies)
        picture.info = {"icc_profile": profile} if own and profile else {}
        data = saved(picture, "PNG", compress_level=1)
        return Reference(data, "image/png", picture.size, image.format or "", came_with, bare.located, lost)


def mask(path: Path) -> Reference:
    """A mask that a program brings, as a grey PNG of at most 2048 px: white where a photo may change.

    What is transparent in it, if anything is, may change, as OpenAI's edits have it; else what is rather white.

    Raises:
        InvalidRequest: as for `prepare`.
    """
    with _turn(path):
        bare = containers.bare(path.read_bytes())
        with opened(bare.data) as image:
            came_with, lies = _looked_at(image, bare, path.name, MAX_PIXELS)
            plain = _plain(image)
            alpha = plain.getchannel("A") if "A" in plain.getbands() else None
            holes = alpha is not None and alpha.point(_white).histogram()[0] > 0
            grey = ImageChops.invert(alpha) if alpha and holes else plain.convert("L")
            grey.thumbnail((MAX_MASK_SIDE, MAX_MASK_SIDE), Image.Resampling.BOX)
            picture = _turned(grey.point(_white), lies)
        data = saved(picture, "PNG")
        return Reference(data, "image/png", picture.size, image.format or "", came_with, bare.located)


def crop(path: Path, place: str) -> bytes:
    """The part that can be used of an upload that is too long for its width: as much as the ratio allows, as a PNG.

    Args:
        path: the upload.
        place: where the part lies, one of `PLACES`.

    Raises:
        InvalidRequest: it is no picture that can be read, or too large.
    """
    with _turn(path):
        return saved(_upload(path, PLACES[place]).picture, "PNG", compress_level=1)


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Time for an upload to be read, with what goes wrong in words. Its length needs no turn to be judged."""
    try:
        if (length := path.stat().st_size) > MAX_UPLOAD_BYTES:
            raise InvalidRequest("image", "picture_bytes", path.name, mb=math.ceil(length / 1e6), limit=30)
        with DECODES:
            yield
    except InvalidRequest:  # a ValueError too
        raise
    except (containers.Costly, MemoryError) as error:
        raise InvalidRequest("image", "picture_costly", path.name) from error
    except Image.DecompressionBombError as error:  # so large that Pillow doesn't even say how large
        raise InvalidRequest("image", "picture_pixels", path.name, limit=MAX_PIXELS // 1_000_000) from error
    except UNREADABLE as error:
        raise InvalidRequest("image", "not_a_picture", path.name) from error


def _upload(path: Path, cut: float | None = None) -> Upload:
    """Read an upload, or of one that is too long a part: `cut` of what is left over comes before it.

    As little as possible is done to many pixels: they are decoded no finer than needed, and turned and converted after
    they are scaled, when there are fewer.
    """
    bare = containers.bare(path.read_bytes())
    with opened(bare.data) as image:
        limit = MAX_JPEG_PIXELS if image.format == "JPEG" else MAX_PIXELS
        came_with, lies = _looked_at(image, bare, path.name, limit, any_ratio=cut is not None)
        width, height = image.size
        box = _part(image.size, cut or 0, lies)
        size = _within_limits((box[2] - box[0], box[3] - box[1]))
        if image.format == "JPEG":
            fineness = max(size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1]))
            image.draft(None, (math.ceil(width * fineness), math.ceil(height * fineness)))
        plain = _plain(image)
        left, right = (min(plain.width, edge * plain.width / width) for edge in box[::2])
        top, bottom = (min(plain.height, edge * plain.height / height) for edge in box[1::2])
        picture = _turned(srgb(plain.resize(size, Image.Resampling.LANCZOS, box=(left, top, right, bottom))), lies)
        picture.info.clear()  # Pillow would write comments and profiles again
        return Upload(picture, image.format or "", came_with, bare.located)


def _looked_at(
    image: Image.Image, bare: containers.Bare, name: str, limit: int, *, any_ratio: bool = False
) -> tuple[tuple[int, int], int]:
    """Width and height of an upload as people see it, upright, and how it lies in its file: EXIF's number, 1 to 8.

    From the header alone: a decompression bomb costs neither memory nor time.

    Raises:
        InvalidRequest: it has more pixels than `limit`, or is too long for its width.
    """
    if image.width * image.height > limit:
        raise InvalidRequest("image", "picture_pixels", name, limit=limit // 1_000_000)
    lies = containers.told(image.info.get("exif", b""))[0] if image.format == "AVIF" else bare.orientation
    width, height = image.size[::-1] if lies >= 5 else image.size
    if not any_ratio and max(width, height) > MAX_RATIO * min(width, height):
        raise InvalidRequest("image", "picture_ratio", name, width=width, height=height, limit=MAX_RATIO)
    return (width, height), lies


def _differ(one: Image.Image, other: Image.Image) -> bool:
    return one is not other and ImageChops.difference(one, other).getbbox(alpha_only=False) is not None


def _white(value: int) -> int:
    return 255 * (value > 127)


def _is_deep(image: Image.Image) -> bool:
    """Whether it has more than 8 bits a channel, as far as its header tells."""
    raw = (str(tile[3]) for tile in getattr(image, "tile", ()))  # of RGB, only the mode that it has in the file
    return image.mode[0] in "IF" or image.info.get("bit_depth", 8) > 8 or any("16" in mode for mode in raw)


def _turned(image: Image.Image, lies: int) -> Image.Image:
    return image.transpose(_TURNS[lies]) if lies in _TURNS else image


_TURNS = dict(enumerate((
    Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90,
), start=2))  # fmt: skip


def _part(size: tuple[int, int], cut: float, lies: int) -> tuple[int, int, int, int]:
    """The largest part of an allowed ratio, as the picture lies in its file; `cut` is as people see it, upright."""
    width, height = size
    if lies in ((2, 3, 7, 8) if width > height else (3, 4, 6, 7)):  # its begin is shown at the end
        cut = 1 - cut
    part = min(width, MAX_RATIO * height), min(height, MAX_RATIO * width)
    left, top = round((width - part[0]) * cut), round((height - part[1]) * cut)
    return left, top, left + part[0], top + part[1]


def _plain(image: Image.Image) -> Image.Image:
    """In a mode that can be scaled: 8 bits a channel, no palette.

    Grey of more bits is scaled and not clipped: integers as of 16 bits, floats up to their highest.
    """
    image.load()
    if image.mode == "F":
        _, high = image.getextrema()
        scale = 255 / max(1.0, float(high)) if isinstance(high, int | float) else 1.0
        return image.point(lambda value: value * scale + 0).convert("L")
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value * (255 / 65535) + 0).convert("L")
    if image.mode in ("1", "P", "PA") or "transparency" in image.info:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _within_limits(size: tuple[int, int]) -> tuple[int, int]:
    scale = max(min(1.0, MAX_SIDE / max(size)), MIN_SIDE / min(size))
    width, height = (min(MAX_SIDE, max(MIN_SIDE, round(side * scale))) for side in size)
    return width, height


def _encoded(image: Image.Image, *, lossy: bool) -> tuple[Image.Image, bytes, str]:
    """A PNG if it fits, else the JPEG of the highest quality that does, else a smaller picture. With what is in it.

    A large photo that was lossy before goes as a JPEG at once: as a PNG it seldom fits, and takes two seconds to know.
    """
    attempts = [("JPEG", {"quality": quality, "subsampling": 0}) for quality in (98, 95, 90, 85, 80)]
    if image.width * image.height * 3 <= MAX_SENT_BYTES or (not lossy and _png_may_fit(image)):
        attempts.insert(0, ("PNG", {"compress_level": 1}))
    for format, options in attempts:
        data = saved(image, format, **options)
        if len(data) < MAX_SENT_BYTES:
            break
    while len(data) >= MAX_SENT_BYTES:
        scale = 0.98 * math.sqrt(MAX_SENT_BYTES / len(data))
        width, height = (max(MIN_SIDE, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
        data = saved(image, format, **options)
    return image, data, f"image/{format.lower()}"


def _png_may_fit(image: Image.Image) -> bool:
    """A guess from a sixteenth of the rows, in bands over the whole height."""
    band, step = 8, 128
    tops = range(0, image.height - band, step)
    sample = Image.new("RGB", (image.width, band * len(tops)))
    for number, top in enumerate(tops):
        sample.paste(image.crop((0, top, image.width, top + band)), (0, band * number))
    return len(saved(sample, "PNG", compress_level=1)) * image.height / sample.height <= MAX_SENT_BYTES
