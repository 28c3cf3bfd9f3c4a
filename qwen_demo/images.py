"""Pictures that this app has or gets: what is sent, what has come, and how they are looked at."""

import base64
import binascii
import ctypes
import hashlib
import io
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from PIL import Image

from . import containers
from .api.errors import BadResponse
from .colour import srgb

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "AVIF", "HEIF")  # the last four make Pillow load what it has
"""The formats that are read, by content and never by name; no other parser is open to what comes from outside."""

MAX_PIXELS = 50_000_000  # of a picture that is decoded whole, in up to 16 bytes a pixel
DECODES = threading.Lock()
"""Held while a picture is decoded in this process: memory is the machine's. Strangers' ones are not, see `decoding`."""

# What Pillow and its decoders raise on damaged files. SyntaxError is how its PNG reader reports what it can't read.
UNREADABLE = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, ArithmeticError, TypeError, AttributeError),
    *(AssertionError, RuntimeError, MemoryError, struct.error, Image.DecompressionBombError),
)


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
        lost: what of the upload's colours could not be kept, though all its pixels were: `depth` where it had more than
            8 bits a channel, `colours` where these had to be converted; else "".
    """

    data: bytes
    mime: str
    size: tuple[int, int]
    came_as: str
    came_with: tuple[int, int]
    located: bool
    lost: str = ""

    @classmethod
    def png(cls, data: bytes, size: tuple[int, int]) -> "Reference":
        """A PNG of this app's own."""
        return cls(data, "image/png", size, "PNG", size, located=False)

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


def verify(data: bytes) -> Verified:
    """Look at a result, so that nothing is kept that can't be opened.

    A PNG says itself whether it is whole and as it was made: by its end and a checksum of each part. That takes a
    twentieth of the time of decoding it; parts that are damaged and hold no pixels are left out. Any other picture is
    decoded, whole.

    Raises:
        BadResponse: it is not a picture.
    """
    try:
        is_png = data.startswith(containers.PNG)
        data = containers.mended(data) if is_png else data
        with opened(data if is_png else containers.bare(data).data) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadResponse("too_many_pixels", width=image.width, height=image.height)
            if not is_png:
                with DECODES:
                    image.load()
            return Verified(data, image.format or "", image.width, image.height)
    except UNREADABLE as error:
        raise BadResponse("not_a_picture") from error


def data_url(path: Path) -> str:
    """A prepared reference, out of the file in which it is kept, as a request takes it."""
    return _data_url(path.read_bytes(), f"image/{path.suffix[1:]}")


def shape(reference: str) -> tuple[int, int] | None:
    """Width and height of a picture in a `data:` text; None for an address, or where it can't be read."""
    try:
        with opened(containers.bare(base64.b64decode(reference.partition(",")[2])).data) as image:
            return image.size
    except (*UNREADABLE, binascii.Error):
        return None


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a picture that this app has made; (0, 0) where it can't be read."""
    try:
        with Image.open(path) as image:
            return image.size
    except UNREADABLE:
        return 0, 0


def _data_url(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def given_back(work: Callable[Arguments, Made]) -> Callable[Arguments, Made]:
    """The same work, after which freed memory goes back to the system: glibc would keep hundreds of MB of pictures."""

    @wraps(work)
    def done(*args: Arguments.args, **named: Arguments.kwargs) -> Made:
        try:
            return work(*args, **named)
        finally:
            if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
                trim(0)

    return done


@given_back
def as_png(data: bytes) -> bytes:
    """A verified picture of another format as a PNG of the same pixels."""
    with DECODES, opened(containers.bare(data).data) as image:
        picture = image if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else image.convert("RGB")
        return saved(picture, "PNG", compress_level=1)


@given_back
def preview(path: Path, side: int) -> bytes:
    """A picture, at most `side` px wide and high, as a light WebP.

    Raises:
        OSError: the file is gone, or is no picture.
    """
    with DECODES, opened(path.read_bytes()) as picture:
        image = picture.convert("RGB") if picture.mode == "P" else picture  # it could not be scaled smoothly
        image.thumbnail((side, side))
        shown = srgb(image) if image.info.get("icc_profile") else image
        return saved(shown, "WEBP", quality=80, method=2)


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """Open a picture's header; pixels are decoded when they are first used."""
    *others, _ = FORMATS
    if is_heif := data[4:8] == b"ftyp":
        import pillow_heif  # here, for it takes a while and not every session meets an iPhone

        pillow_heif.register_heif_opener()
    with Image.open(io.BytesIO(data), formats=FORMATS if is_heif else others) as image:
        yield image


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    """A picture as a file of that format; `options` are Pillow's."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()
