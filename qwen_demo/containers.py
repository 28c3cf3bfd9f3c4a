"""Picture files without what stands beside their pixels: cameras, phones and editors write nonsense there.

Pillow reads such parts with the picture, and one that is broken costs it the whole. So they are taken out before it
looks, whatever they say. Only two facts of them matter here, and are read by hand: which way up, and whether a place is
told. And they are counted: a few kilobytes of nothing, said a million times, keep a reader busy for minutes.
"""

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple, TypeVar

from PIL import Image

Part = TypeVar("Part")

PNG = b"\x89PNG\r\n\x1a\n"
ORIENTATION, LOCATION = 0x0112, 0x8825  # of EXIF
ICC = 34675  # of TIFF
TIFF_PIXELS = frozenset((254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 301, 317, 320, 322, 323,
    324, 325, 332, 338, 339, 347, 512, 513, 514, 519, 520, 521, 529, 530, 532, ICC))  # fmt: skip
"""The tags of a TIFF without which its pixels can't be read, or look different."""

MOST_PARTS = 100_000  # of a file: chunks, blocks, strips. 30 MB of PNG in libpng's own pieces have 4,000
MOST_SEGMENTS = 2_000  # of a JPEG, and items of a HEIF
MOST_SCANS, FEW_SCANS = 100, 20  # of a JPEG: encoders write 10, and 18 of CMYK. So few are always read
MOST_SCANNED = 2_000_000_000  # pixels of a JPEG that has more, times its scans
MOST_RUNS = 4_000_000  # pixels, and bytes, of a BMP that is packed in runs: Pillow unpacks each in Python


class Costly(ValueError):
    """A file of so many parts, or scans, that only someone who wants to waste time has made it."""


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
        Costly: it has too many parts.
        ValueError, struct.error, IndexError: there is no whole picture in it.
    """
    for begins, strip in _KINDS:
        if begins.match(data):
            return strip(data)
    return Bare(data)


def mended(data: bytes, keep: Callable[[bytes], bool] = lambda name: True) -> bytes:
    """A PNG without the chunks beside its pixels that are damaged; and without others, if they are not to be kept.

    One that has nothing to mend comes back as it is.

    Raises:
        Costly: it has too many chunks.
        ValueError, struct.error: what is damaged, or missing, is a part of the pixels.
    """
    chunks, profiles = [], 0
    for name, chunk, whole in _limited(_png_chunks(data)):
        profiles += name == b"iCCP"
        if whole and (name != b"iCCP" or profiles == 1):  # each would be unpacked
            chunks.append((name, chunk))
        elif not _beside(name):
            raise ValueError(f"a damaged {name!r}")
    names = [name for name, _ in chunks]
    if names[:1] != [b"IHDR"] or b"IDAT" not in names or names[-1] != b"IEND":
        raise ValueError("a part is missing")
    kept = _understood([(name, chunk) for name, chunk in chunks if not _beside(name) or keep(name)])
    left = sum(len(chunk) for _, chunk in kept)
    return data if len(PNG) + left == len(data) else PNG + b"".join(chunk for _, chunk in kept)


def _limited(parts: Iterable[Part], most: int = MOST_PARTS) -> Iterator[Part]:
    for count, part in enumerate(parts):
        if count == most:
            raise Costly(f"more than {most} parts")
        yield part


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
    bare = mended(data, (b"tRNS", b"iCCP").__contains__)  # first, for it counts
    exif = next((chunk[8:-4] for name, chunk, whole in _png_chunks(data) if name == b"eXIf" and whole), b"")
    return Bare(bare, *told(exif))


def _bare_jpeg(data: bytes) -> Bare:
    kept, exif, scans, pixels = [data[:2]], b"", list[int](), 1
    for marker, at, body in _limited(_jpeg_segments(data), MOST_SEGMENTS):
        if marker == b"\xda":
            scans.append(at)
        elif scans:  # tables for the next scan: they stand among the pixels, and stay there
            continue
        elif marker == b"\xe1" and body.startswith(b"Exif\0"):
            exif = exif or body
        elif not _JPEG_ASIDE.match(marker) or _JPEG_COLOURS.match(marker + body):
            kept.append(b"\xff" + marker + (len(body) + 2).to_bytes(2, "big") + body)
            if _JPEG_FRAME.match(marker):
                height, width = struct.unpack_from(">HH", body, 1)
                pixels = max(1, height * width)
    if not scans:
        raise ValueError("no pixels")
    # Each scan goes through all pixels, however little it says of them.
    if len(scans) > max(FEW_SCANS, min(MOST_SCANS, MOST_SCANNED // pixels)):
        raise Costly(f"{len(scans)} scans")
    return Bare(b"".join((*kept, b"\xff\xda", memoryview(data)[scans[0] :])), *told(exif))


def _jpeg_segments(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Markers, where their segments begin, and what those say; up to the end, behind which phones put films.

    As decoders do, anything between two segments is passed over: pixels, and rubbish.
    """
    at = 2
    while (marker := _JPEG_MARKER.search(data, at)) and marker[1] != b"\xd9":
        begins = marker.end()
        at = begins + max(2, int.from_bytes(data[begins : begins + 2], "big"))
        yield marker[1], begins, data[begins + 2 : at]


_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\x01\xd0-\xd8])", re.DOTALL)
_JPEG_FRAME = re.compile(rb"[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]")
_JPEG_ASIDE = re.compile(rb"[\xe0-\xef\xfe]")
# What tells a decoder how colours are meant, where it is long enough to be read: JFIF, Adobe's transform, a profile.
_JPEG_COLOURS = re.compile(rb"\xe0JFIF\0.{9}|\xeeAdobe.{7}|\xe2ICC_PROFILE\0.{2}", re.DOTALL)


def _bare_webp(data: bytes) -> Bare:
    kept, exif = [], b""
    for name, chunk in _limited(_webp_chunks(data)):
        if name == b"EXIF":
            exif = exif or chunk[8:]
        elif name == b"VP8X" and len(chunk) > 8:  # it says what is inside
            kept.append(chunk[:8] + bytes([chunk[8] & ~0b1100]) + chunk[9:])
        elif name in (b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"):
            kept.append(chunk)
    body = b"WEBP" + b"".join(kept)
    return Bare(b"RIFF" + struct.pack("<I", len(body)) + body, *told(exif))


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        chunk = data[at : at + 8 + length + length % 2]
        at += len(chunk)
        yield name, chunk


def _bare_gif(data: bytes) -> Bare:
    """Without what stands before its first picture, but for how that is shown."""
    at = 13 + (6 << (data[10] & 7) if data[10] & 0x80 else 0)
    head, control = data[:at], b""
    for block, begins, ends in _limited(_gif_blocks(data, at)):
        if block == b"!\xf9":
            control = data[begins:ends]
        elif block == b",":
            return Bare(b"".join((head, control, memoryview(data)[begins:])))
    raise ValueError("no pixels")


def _gif_blocks(data: bytes, at: int) -> Iterator[tuple[bytes, int, int]]:
    """What a block begins with, where it lies, and as often as it has parts where it ends; a picture ends nowhere."""
    while found := _GIF_BLOCK.search(data, at):
        at = found.end()
        yield found[0], found.start(), at + 1
        while found[0] != b"," and (length := data[at]):
            at += 1 + length
            yield found[0], found.start(), at + 1


_GIF_BLOCK = re.compile(rb",|!.", re.DOTALL)


def _bare_bmp(data: bytes) -> Bare:
    width, height, packed = struct.unpack_from("<ii4xI", data, 18)
    if data[14] >= 40 and packed in (1, 2) and max(abs(width * height), len(data)) > MOST_RUNS:
        raise Costly("many runs")
    return Bare(data)


def _bare_tiff(data: bytes) -> Bare:
    """With a directory of its own at the end, of the tags that are needed and no others."""
    entries: dict[int, bytes] = {}
    for tag, kind, count, where, entry in _limited(_directory(data)):
        if tag == ICC and kind in (1, 7) and where + count <= len(data):
            entries.setdefault(tag, entry)
        elif tag in TIFF_PIXELS and tag != ICC:
            if count > MOST_PARTS:
                raise Costly(f"a tag of {count} values")
            entries.setdefault(tag, entry)
    number, place, size = _layout(data)
    padding = bytes(len(data) % 2)
    start = struct.pack(place, len(data) + len(padding))
    directory = b"".join((padding, struct.pack(number, len(entries)), *entries.values(), bytes(size)))
    return Bare(b"".join((data[:size], start, memoryview(data)[2 * size :], directory)), *told(data))


def _bare_isobmff(data: bytes) -> Bare:
    # Where the EXIF lies stands in a table of tables; it is as sure to be known by how it begins.
    begins = (found.start() for found in islice(_EXIF_BEGINS.finditer(data), 9))
    located = any(told(data[at : at + 65536])[1] for at in begins)
    return Bare(_ISOBMFF_ITEM.sub(rb"\1none", data, MOST_SEGMENTS), 1, located)


_ISOBMFF_ITEM = re.compile(rb"(infe(?:\x02.{3}.{2}|\x03.{3}.{4}).{2})(?:Exif|mime)", re.DOTALL)
_EXIF_BEGINS = re.compile(rb"II[*+]\0|MM\0\*")


def told(exif: bytes) -> tuple[int, bool]:
    """How the picture lies, and whether it tells a place, out of what can be read of an EXIF."""
    begins = _EXIF_BEGINS.search(exif[:20])
    entries = list(_directory(exif[begins.start() :])) if begins else []
    lies = (value for tag, kind, count, value, _ in entries if tag == ORIENTATION and kind in (3, 4) and count == 1)
    orientation = next(lies, 1)
    return orientation if 1 <= orientation <= 8 else 1, any(tag == LOCATION for tag, *_ in entries)


def _directory(tiff: bytes) -> Iterator[tuple[int, int, int, int, bytes]]:
    """What is left of a TIFF's first directory: tag, kind, count, value or where it lies, and all that as it stands."""
    number, place, size = _layout(tiff)
    if len(tiff) < 2 * size:
        return
    (at,) = struct.unpack_from(place, tiff, size)
    begins, step = at + struct.calcsize(number), 4 + 2 * size
    if begins > len(tiff):
        return
    (length,) = struct.unpack_from(number, tiff, at)
    for start in range(begins, min(begins + step * length, len(tiff) - step + 1), step):
        tag, kind, count, value = struct.unpack_from(f"{place[0]}HH2{place[1]}", tiff, start)
        if kind == 3 and count == 1:  # a short number stands in the first half
            (value,) = struct.unpack_from(f"{place[0]}H", tiff, start + 4 + size)
        yield tag, kind, count, value, tiff[start : start + step]


def _layout(tiff: bytes) -> tuple[str, str, int]:
    """How a TIFF writes the number of its entries, and a place in the file; and the bytes of that: 8 in a BigTIFF."""
    order = ">" if tiff.startswith(b"MM") else "<"
    return (f"{order}Q", f"{order}Q", 8) if tiff[2:3] == b"+" else (f"{order}H", f"{order}I", 4)


_KINDS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Bare]], ...] = (
    (re.compile(re.escape(PNG)), _bare_png),
    (re.compile(rb"\xff\xd8"), _bare_jpeg),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _bare_webp),
    (re.compile(rb"GIF8"), _bare_gif),
    (re.compile(rb"BM"), _bare_bmp),
    (re.compile(rb"II|MM"), _bare_tiff),
    (re.compile(rb".{4}ftyp", re.DOTALL), _bare_isobmff),
)
