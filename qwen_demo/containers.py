"""Picture files without what stands beside their pixels: cameras, phones and editors write nonsense there.

Pillow reads such parts with the picture, and one that is broken costs it the whole. So they are taken out before it
looks, whatever they say. Only two facts of them matter here, and are read by hand: which way up, and whether a place is
told.
"""

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"
ORIENTATION, LOCATION = 0x0112, 0x8825  # of EXIF
ICC = 34675  # of TIFF
TIFF_PIXELS = frozenset((254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 301, 317, 320, 322, 323,
    324, 325, 332, 338, 339, 347, 512, 513, 514, 519, 520, 521, 529, 530, 532, ICC))  # fmt: skip
"""The tags of a TIFF without which its pixels can't be read, or look different."""


class Bare(NamedTuple):
    """A file without metadata, how its pixels lie as EXIF numbers it (1 to 8), and whether it told a place."""

    data: bytes
    orientation: int = 1
    located: bool = False


def bare(data: bytes) -> Bare:
    """A picture's file without its metadata. What is not known here, or has none, comes back as it is.

    How a picture lies is told by EXIF alone, as browsers see it. That of a HEIF or AVIF has no say in it: their
    containers tell their decoders.

    Raises:
        ValueError, struct.error: there is no whole picture in it.
    """
    for begins, strip in _KINDS:
        if begins.match(data):
            return strip(data)
    return Bare(data)


def mended(data: bytes, keep: Callable[[bytes], bool] = lambda name: True) -> bytes:
    """A PNG without the chunks beside its pixels that are damaged; and without others, if they are not to be kept.

    One that has nothing to mend comes back as it is.

    Raises:
        ValueError, struct.error: what is damaged, or missing, is a part of the pixels.
    """
    chunks = []
    for name, chunk, whole in _png_chunks(data):
        if whole:
            chunks.append((name, chunk))
        elif not _beside(name):
            raise ValueError(f"a damaged {name!r}")
    names = [name for name, _ in chunks]
    if names[:1] != [b"IHDR"] or b"IDAT" not in names or names[-1] != b"IEND":
        raise ValueError("a part is missing")
    kept = _understood([(name, chunk) for name, chunk in chunks if not _beside(name) or keep(name)])
    left = sum(len(chunk) for _, chunk in kept)
    return data if len(PNG) + left == len(data) else PNG + b"".join(chunk for _, chunk in kept)


Chunks = list[tuple[bytes, bytes]]
"""Of a PNG: names, and chunks whole with length and checksum."""


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Names, chunks, and whether they are as they were written; up to the end, behind which anything may lie."""
    at, name, view = len(PNG), b"", memoryview(data)
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at)
        chunk = data[at : at + length + 12]
        checksum = zlib.crc32(view[at + 4 : at + length + 8])  # of a view: pixels need not be copied once more
        yield name, chunk, len(chunk) == length + 12 and checksum == int.from_bytes(chunk[-4:], "big")
        at += length + 12


def _beside(name: bytes) -> bool:
    """Whether a chunk of that name is none without which a PNG can't be shown: its name begins with a small letter."""
    return name[:1].islower()


def _understood(chunks: Chunks) -> Chunks:
    """Without the chunks that Pillow stumbles over. All are tried at once first, for mostly there are none."""
    head = [(name, chunk) for name, chunk in chunks if name in (b"IHDR", b"PLTE")]
    aside = [(name, chunk) for name, chunk in chunks if _beside(name)]
    if _opens(head, aside):
        return chunks
    # A file of more has been made to waste time.
    good = [one for one in aside if _opens(head, [one])] if len(aside) <= 100 else []
    if not _opens(head, good):
        good = []
    return [one for one in chunks if not _beside(one[0]) or one in good]


def _opens(head: Chunks, aside: Chunks) -> bool:
    """Whether a picture of one pixel opens that has these chunks."""
    if not aside:
        return True
    header = struct.pack(">II", 1, 1) + head[0][1][16:21]
    pixel = _png_chunk(b"IDAT", zlib.compress(bytes(9)))
    parts = [_png_chunk(b"IHDR", header), *(chunk for _, chunk in (*head[1:], *aside)), pixel, _png_chunk(b"IEND", b"")]
    try:
        with Image.open(io.BytesIO(PNG + b"".join(parts)), formats=["PNG"]) as image:
            image.load()
            image.getexif()
    except Exception:  # noqa: BLE001  # whatever it stumbles over
        return False
    return True


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _bare_png(data: bytes) -> Bare:
    exif = next((chunk[8:-4] for name, chunk, whole in _png_chunks(data) if name == b"eXIf" and whole), b"")
    return Bare(mended(data, (b"tRNS", b"iCCP").__contains__), *told(exif))


def _bare_jpeg(data: bytes) -> Bare:
    kept, exif, at = [data[:2]], b"", 2
    while True:
        # As decoders do, anything between two segments is passed over.
        marker = _JPEG_MARKER.search(data, at)
        if not marker:
            raise ValueError("no pixels")
        at = marker.end()
        if marker[1] == b"\xda":  # the pixels begin, and go on to the end
            return Bare(b"".join((*kept, b"\xff\xda", memoryview(data)[at:])), *told(exif))
        body = data[at + 2 : at + int.from_bytes(data[at : at + 2], "big")]
        at += 2 + len(body)
        if marker[1] == b"\xe1" and body.startswith(b"Exif\0"):
            exif = exif or body
        elif not _JPEG_ASIDE.match(marker[1]) or _JPEG_COLOURS.match(marker[1] + body):
            kept.append(b"\xff" + marker[1] + (len(body) + 2).to_bytes(2, "big") + body)


_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xff\x01\xd0-\xd8])", re.DOTALL)
_JPEG_ASIDE = re.compile(rb"[\xe0-\xef\xfe]")
# What tells a decoder how colours are meant, where it is long enough to be read: JFIF, Adobe's transform, a profile.
_JPEG_COLOURS = re.compile(rb"\xe0JFIF\0.{9}|\xeeAdobe.{7}|\xe2ICC_PROFILE\0.{2}", re.DOTALL)


def _bare_webp(data: bytes) -> Bare:
    kept, exif, at = [], b"", 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        chunk = data[at : at + 8 + length + length % 2]
        if name == b"EXIF":
            exif = exif or chunk[8:]
        elif name == b"VP8X" and len(chunk) > 8:  # it says what is inside
            kept.append(chunk[:8] + bytes([chunk[8] & ~0b1100]) + chunk[9:])
        elif name in (b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"):
            kept.append(chunk)
        at += len(chunk)
    body = b"WEBP" + b"".join(kept)
    return Bare(b"RIFF" + struct.pack("<I", len(body)) + body, *told(exif))


def _bare_tiff(data: bytes) -> Bare:
    """With a directory of its own at the end, of the tags that are needed and no others."""
    order = ">" if data.startswith(b"MM") else "<"
    entries = [
        (tag, entry)
        for tag, kind, count, where, entry in _directory(data)
        if tag in TIFF_PIXELS and (tag != ICC or (kind in (1, 7) and where + count <= len(data)))
    ]
    padding = bytes(len(data) % 2)
    count, last = struct.pack(f"{order}H", len(entries)), bytes(4)
    start = struct.pack(f"{order}I", len(data) + len(padding))
    directory = b"".join((padding, count, *(entry for _, entry in entries), last))
    return Bare(b"".join((data[:4], start, memoryview(data)[8:], directory)), *told(data))


def _bare_isobmff(data: bytes) -> Bare:
    # Where the EXIF lies stands in a table of tables; it is as sure to be known by how it begins.
    begins = (found.start() for found in islice(_EXIF_BEGINS.finditer(data), 9))
    located = any(told(data[at : at + 65536])[1] for at in begins)
    return Bare(_ISOBMFF_ITEM.sub(rb"\1none", data), 1, located)


_ISOBMFF_ITEM = re.compile(rb"(infe(?:\x02.{3}.{2}|\x03.{3}.{4}).{2})(?:Exif|mime)", re.DOTALL)
_EXIF_BEGINS = re.compile(rb"II\*\0|MM\0\*")


def told(exif: bytes) -> tuple[int, bool]:
    """How the picture lies, and whether it tells a place, out of what can be read of an EXIF."""
    begins = _EXIF_BEGINS.search(exif[:20])
    entries = list(_directory(exif[begins.start() :])) if begins else []
    lies = (value for tag, kind, count, value, _ in entries if tag == ORIENTATION and kind in (3, 4) and count == 1)
    orientation = next(lies, 1)
    return orientation if 1 <= orientation <= 8 else 1, any(tag == LOCATION for tag, *_ in entries)


def _directory(tiff: bytes) -> Iterable[tuple[int, int, int, int, bytes]]:
    """What is left of a TIFF's first directory: tag, kind, count, value or where it lies, and all that as it stands."""
    order = ">" if tiff.startswith(b"MM") else "<"
    if len(tiff) < 8:
        return
    (at,) = struct.unpack_from(f"{order}I", tiff, 4)
    if at + 2 > len(tiff):
        return
    (length,) = struct.unpack_from(f"{order}H", tiff, at)
    for start in range(at + 2, min(at + 2 + 12 * length, len(tiff) - 11), 12):
        tag, kind, count, value = struct.unpack_from(f"{order}HHII", tiff, start)
        if kind == 3 and count == 1:  # a short number stands in the first half
            (value,) = struct.unpack_from(f"{order}H", tiff, start + 8)
        yield tag, kind, count, value, tiff[start : start + 12]


_KINDS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Bare]], ...] = (
    (re.compile(re.escape(PNG)), _bare_png),
    (re.compile(rb"\xff\xd8"), _bare_jpeg),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _bare_webp),
    (_EXIF_BEGINS, _bare_tiff),
    (re.compile(rb".{4}ftyp", re.DOTALL), _bare_isobmff),
)
