"""Pictures in and out: uploads become what the API takes, results are looked at before they are kept."""

import base64
import binascii
import hashlib
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageCms, ImageOps

from .api.errors import BadResponse, InvalidRequest

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF")
"""The formats that are read, by content and never by name; no other parser is open to what comes from outside."""

MAX_UPLOAD_BYTES = 30_000_000  # of a file as it comes in
MAX_UPLOAD_PIXELS = 40_000_000
MAX_RATIO = 8  # of the longer side to the shorter
MIN_SIDE, MAX_SIDE = 384, 3072  # px of a reference picture as the API takes it (maker)
MAX_SENT_BYTES = 10_000_000  # of a reference picture as it is sent (maker)


@dataclass(frozen=True, slots=True)
class Reference:
    """An upload, made ready for the API: upright, sRGB, without transparency and without metadata.

    Attributes:
        data: the bytes that are sent, a PNG or a JPEG.
        mime: their type.
        size: width and height in pixels.
        came_as: the upload's format as Pillow names it.
        came_with: the upload's width and height, upright.
        located: whether the upload said where it was taken. What is sent doesn't.
    """

    data: bytes
    mime: str
    size: tuple[int, int]
    came_as: str
    came_with: tuple[int, int]
    located: bool

    @property
    def url(self) -> str:
        """As a request takes it."""
        return _data_url(self.data, self.mime)

    @property
    def sha256(self) -> str:
        """Of the bytes that are sent, in hex. A picture's recipe names its references by it."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Verified:
    """A result that is a picture: its bytes as they came, its format as Pillow names it, its size in pixels."""

    data: bytes
    format: str
    width: int
    height: int


def prepare(path: Path, background: str = "white") -> Reference:
    """Make an upload ready for the API. Takes up to a second: not for the event loop.

    Args:
        path: the upload. Its name says nothing about what it is.
        background: a colour as Pillow reads it, put behind what is transparent.

    Raises:
        InvalidRequest: it is no picture that can be read, or too large, or too long for its width.
    """
    try:
        if (length := path.stat().st_size) > MAX_UPLOAD_BYTES:
            raise InvalidRequest("image", "picture_bytes", path.name, mb=math.ceil(length / 1e6), limit=30)
        with _reading(path.open("rb")) as image:
            # From the header alone: a decompression bomb costs neither memory nor time.
            width, height = image.size
            if width * height > MAX_UPLOAD_PIXELS:
                raise InvalidRequest("image", "picture_pixels", path.name, limit=40)
            if max(width, height) > MAX_RATIO * min(width, height):
                raise InvalidRequest("image", "picture_ratio", path.name, width=width, height=height, limit=MAX_RATIO)
            with _reading(path.open("rb")) as whole:
                whole.verify()  # a PNG's checksums and its end, which Pillow passes over when it decodes
            # A phone's JPEG with a second picture inside is an MPO to Pillow, and a JPEG to everyone else.
            came_as, located = (image.format or "").replace("MPO", "JPEG"), ExifTags.IFD.GPSInfo in image.getexif()
            ImageOps.exif_transpose(image, in_place=True)
            upright = _plain(image)
            # Colours are converted after scaling: there are fewer of them.
            picture = _srgb(_within_limits(upright))
            if picture.mode == "RGBA":
                paper = Image.new("RGBA", picture.size, background)
                picture = Image.alpha_composite(paper, picture).convert("RGB")
    except InvalidRequest:  # a ValueError too
        raise
    except Image.DecompressionBombError as error:  # so large that Pillow doesn't even say how large
        raise InvalidRequest("image", "picture_pixels", path.name, limit=40) from error
    except _UNREADABLE as error:
        raise InvalidRequest("image", "not_a_picture", path.name) from error
    picture.info.clear()  # Pillow would write comments and profiles again
    data, mime = _encoded(picture, lossy=came_as in ("JPEG", "WEBP", "HEIF"))
    return Reference(data, mime, picture.size, came_as, upright.size, located)


def verify(data: bytes) -> Verified:
    """Look at a result, so that nothing is kept that can't be opened.

    A PNG says itself whether it is whole and as it was made: by its end and a checksum of each part. That takes a
    twentieth of the time of decoding it. Any other picture is decoded, whole.

    Raises:
        BadResponse: it is not a picture.
    """
    try:
        with _reading(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_UPLOAD_PIXELS:
                raise BadResponse("too_many_pixels", width=image.width, height=image.height)
            if image.format == "PNG":
                image.verify()
            else:
                image.load()
            return Verified(data, image.format or "", image.width, image.height)
    except _UNREADABLE as error:
        raise BadResponse("not_a_picture") from error


def data_url(path: Path) -> str:
    """A prepared reference, out of the file in which it is kept, as a request takes it."""
    return _data_url(path.read_bytes(), f"image/{path.suffix[1:]}")


def shape(reference: str) -> tuple[int, int] | None:
    """Width and height of a picture in a `data:` text; None for an address, or where it can't be read."""
    try:
        with _reading(io.BytesIO(base64.b64decode(reference.partition(",")[2]))) as image:
            return image.size
    except (*_UNREADABLE, binascii.Error):
        return None


def _data_url(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def as_png(data: bytes) -> bytes:
    """A verified picture of another format as a PNG of the same pixels."""
    with _reading(io.BytesIO(data)) as image:
        picture = image if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else image.convert("RGB")
        return _saved(picture, "PNG", compress_level=1)


def preview(path: Path, side: int) -> bytes:
    """A picture, at most `side` px wide and high, as a light WebP.

    Raises:
        OSError: the file is gone, or is no picture.
    """
    with _reading(path.open("rb")) as image:
        image.thumbnail((side, side))
        return _saved(image, "WEBP", quality=80, method=2)


# What Pillow and its decoders raise on damaged files. SyntaxError is how its PNG reader reports a wrong checksum.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, LookupError, OverflowError, Image.DecompressionBombError)


@contextmanager
def _reading(file: Any) -> Iterator[Image.Image]:
    """Open a picture's header; pixels are decoded when they are first used."""
    import pillow_heif  # here, for it takes a while and not every session meets an iPhone

    pillow_heif.register_heif_opener()
    with file, Image.open(file, formats=FORMATS) as image:
        yield image


def _plain(image: Image.Image) -> Image.Image:
    """In a mode that can be scaled: 8 bits a channel, no palette.

    Grey of more bits is scaled and not clipped: integers as of 16 bits, floats up to their highest.
    """
    if image.mode == "F":
        _, high = image.getextrema()
        scale = 255 / max(1.0, float(high)) if isinstance(high, int | float) else 1.0
        return image.point(lambda value: value * scale + 0).convert("L")
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value * (255 / 65535) + 0).convert("L")
    if image.mode in ("1", "P", "PA", "LA") or "transparency" in image.info:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _srgb(image: Image.Image) -> Image.Image:
    """In the colours that a screen shows."""
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    with suppress(ImageCms.PyCMSError, OSError):  # a profile that doesn't fit its picture is as good as none
        if profile := image.info.get("icc_profile"):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(source):
                screen = ImageCms.createProfile("sRGB")
                return ImageCms.profileToProfile(image, source, screen, outputMode=mode) or image
    return image.convert(mode)


def _within_limits(image: Image.Image) -> Image.Image:
    scale = max(min(1.0, MAX_SIDE / max(image.size)), MIN_SIDE / min(image.size))
    width, height = (min(MAX_SIDE, max(MIN_SIDE, round(side * scale))) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _encoded(image: Image.Image, *, lossy: bool) -> tuple[bytes, str]:
    """A PNG if it fits, else the JPEG of the highest quality that does.

    A large photo that was lossy before goes as a JPEG at once: as a PNG it seldom fits, and takes two seconds to know.
    """
    attempts = [("JPEG", {"quality": quality, "subsampling": 0}) for quality in (98, 95, 90, 85, 80)]
    if image.width * image.height * 3 <= MAX_SENT_BYTES or (not lossy and _png_may_fit(image)):
        attempts.insert(0, ("PNG", {"compress_level": 1}))
    for format, options in attempts:
        data = _saved(image, format, **options)
        if len(data) <= MAX_SENT_BYTES:
            break
    return data, f"image/{format.lower()}"


def _png_may_fit(image: Image.Image) -> bool:
    """A guess from a sixteenth of the rows, in bands over the whole height."""
    band, step = 8, 128
    tops = range(0, image.height - band, step)
    sample = Image.new("RGB", (image.width, band * len(tops)))
    for number, top in enumerate(tops):
        sample.paste(image.crop((0, top, image.width, top + band)), (0, band * number))
    return len(_saved(sample, "PNG", compress_level=1)) * image.height / sample.height <= MAX_SENT_BYTES


def _saved(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()
