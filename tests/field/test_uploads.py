"""Uploads and results as people really meet them: metadata full of nonsense, phones' formats, long screenshots."""

import io
import random
import re
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageFile

from qwen_demo import preparing
from qwen_demo.api.errors import BadResponse, InvalidRequest
from qwen_demo.containers import PNG
from qwen_demo.images import as_png, verify
from qwen_demo.preparing import crop, prepare

pillow_heif.register_heif_opener()
RED, BLUE = (255, 0, 0), (0, 0, 255)


def flag(width: int = 800, height: int = 500) -> Image.Image:
    """The upper half is red, the lower is blue; lying on its side, red comes to stand on the right."""
    image = Image.new("RGB", (width, height), BLUE)
    image.paste(RED, (0, 0, width, height // 2))
    return image


def saved(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def exif(orientation: int, *entries: tuple[int, int, int, bytes], order: str = "<", more: bytes = b"") -> bytes:
    """An EXIF of an orientation and of what else is said: tag, kind, count, four bytes of value."""
    rows = [(0x0112, 3, 1, struct.pack(f"{order}HH", orientation, 0)), *entries]
    body = b"".join(struct.pack(f"{order}HHI", *row[:3]) + row[3] for row in rows)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return b"Exif\0\0" + head + struct.pack(f"{order}H", len(rows)) + body + bytes(4) + more


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def chunk(name: bytes, body: bytes, damage: int = 0) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body) ^ damage)


def jpeg(*segments: bytes, image: Image.Image | None = None) -> bytes:
    data = saved(image or flag(), "JPEG", quality=95, subsampling=0)
    return data[:2] + b"".join(segments) + data[2:]


def png(*chunks: bytes, behind: bytes = b"") -> bytes:
    data = saved(flag())
    return data[:33] + b"".join(chunks) + data[33:-12] + behind + data[-12:]


def webp(name: bytes, body: bytes, length: int | None = None) -> bytes:
    data = saved(flag(), "WEBP", lossless=True, icc_profile=SRGB)
    data += name + struct.pack("<I", len(body) if length is None else length) + body
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:20] + bytes([data[20] | 0b1100]) + data[21:]


def tiff(tag: int, kind: int, count: int, value: int, **options: Any) -> bytes:
    """With its entry of the software that made it replaced."""
    data = saved(flag(), "TIFF", software="x" * 20, **options)
    at = data.index(struct.pack("<HHI", 305, 2, 21))
    return data[:at] + struct.pack("<HHII", tag, kind, count, value) + data[at + 12 :]


def rational(tag: int) -> tuple[int, int, int, bytes]:
    """Points at -1/0."""
    return tag, 10, 1, struct.pack("<I", 38)


def mime_item(data: bytes) -> bytes:
    """A HEIF or AVIF whose EXIF begins with nonsense."""
    return re.sub(rb"(II\*\0|MM\0\*)", b"\xff\xff\xff\xff", data)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
BROKEN = exif(6, rational(0x9204), more=struct.pack("<ii", -1, 0))
BEYOND = exif(6, (0x010E, 2, 99_999_999, b"\xff\xff\xff\xff"))

UPRIGHT = {  # whatever else is broken: the picture, and whether it is turned
    "-1/0 in a JPEG": (jpeg(segment(0xE1, BROKEN)), True),
    "an EXIF entry beyond the file": (jpeg(segment(0xE1, BEYOND)), True),
    "an EXIF that ends in its directory": (jpeg(segment(0xE1, exif(6)[:-4])), True),
    "an EXIF directory of 65535 entries": (jpeg(segment(0xE1, exif(6).replace(b"\x01\0\x12", b"\xff\xff\x12"))), True),
    "an EXIF of big numbers": (jpeg(segment(0xE1, exif(6, order=">"))), True),
    "orientation 9": (jpeg(segment(0xE1, exif(9))), False),
    "EXIF of nonsense": (jpeg(segment(0xE1, b"Exif\0\0nonsense")), False),
    "JFIF cut short": (jpeg(segment(0xE0, b"JFIF\0\1")), False),
    "XMP of nonsense": (jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta \xff\xfe")), False),
    "a profile cut short": (jpeg(segment(0xE2, b"ICC_PROFILE\0")), False),
    "a profile of nonsense": (jpeg(segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(200))), False),
    "an MPO index of nonsense": (jpeg(segment(0xE2, b"MPF\0II*\0\xff\xff\xff\xff")), False),
    "Photoshop of nonsense": (jpeg(segment(0xED, b"Photoshop 3.0\x008BIM\4\4\xff\0\0\0\xff")), False),
    "rubbish between segments": (jpeg(segment(0xFE, b"\xff\xfe home"), b"rubbish"), False),
    "-1/0 in a PNG": (png(chunk(b"eXIf", BROKEN[6:])), True),
    "a PNG's EXIF with a wrong checksum": (png(chunk(b"eXIf", exif(6)[6:], damage=1)), False),
    "a PNG's text with a wrong checksum": (png(chunk(b"tEXt", b"Title\0x", damage=1)), False),
    "a PNG's time of nonsense": (png(chunk(b"tIME", b"x")), False),
    "a PNG's text of nonsense": (png(chunk(b"zTXt", b"Title\0\0x"), chunk(b"iTXt", b"x")), False),
    "a PNG's profile of nonsense": (png(chunk(b"iCCP", b"x\0\7x")), False),
    "a PNG's density cut short": (png(chunk(b"pHYs", b"x"), chunk(b"cHRM", b"x")), False),
    "a PNG's frames of nonsense": (png(chunk(b"acTL", b"x"), chunk(b"fcTL", b"x")), False),
    "nonsense behind a PNG's pixels": (png(behind=chunk(b"zTXt", b"x", damage=1) + chunk(b"eXIf", b"x")), False),
    "a WebP's EXIF of nonsense": (webp(b"EXIF", b"nonsense"), False),
    "-1/0 in a WebP": (webp(b"EXIF", BROKEN), True),
    "a WebP's XMP longer than the file": (webp(b"XMP ", b"<", length=9999), False),
    "a TIFF's tag beyond the file": (tiff(305, 2, 21, 0xFFFFFF00), False),
    "a TIFF's EXIF beyond the file": (tiff(0x8769, 4, 1, 0xFFFFFF00), False),
    "a TIFF's density of -1/0": (tiff(282, 10, 1, 0xFFFFFF00), False),
    "a TIFF's profile that is a number": (tiff(34675, 4, 1, 9), False),
    "a turned BigTIFF": (saved(flag(), "TIFF", big_tiff=True, tiffinfo={274: 6}), True),
    "a turned TIFF with a broken tag": (tiff(305, 2, 21, 0xFFFFFF00, tiffinfo={274: 6}), True),
    "a HEIC's EXIF of nonsense": (mime_item(saved(flag(), "HEIF", quality=95, exif=exif(6))), True),
    "-1/0 in a HEIC": (saved(flag(), "HEIF", quality=95, exif=exif(1)), False),
    "an AVIF's EXIF of nonsense": (mime_item(saved(flag(), "AVIF", quality=95, exif=exif(6))), True),
}


def xmp(orientation: int) -> bytes:
    return f'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{orientation}"/>'.encode()


XMP_ALONE = {
    "JPEG": jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(6))),
    "PNG": png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(6))),
    "WEBP": webp(b"XMP ", xmp(6)),
    "TIFF": saved(flag(), "TIFF", tiffinfo={700: xmp(6)}),
}


def is_turned(sent: Image.Image) -> bool:
    """Whether red stands on the right, not above."""
    right, above = (int(sent.width * 0.9), int(sent.height * 0.6)), (int(sent.width * 0.1), int(sent.height * 0.1))
    pixels: Any = sent.getpixel(right), sent.getpixel(above)
    red, blue = pytest.approx(RED, abs=40), pytest.approx(BLUE, abs=40)
    turned = bool(pixels[0] == red)
    assert pixels == ((red, blue) if turned else (blue, red))
    return turned


@pytest.mark.parametrize("kind", UPRIGHT)
def test_whatever_is_broken_beside_the_pixels_the_picture_is_read_and_upright(kind: str, tmp_path: Path) -> None:
    data, turned = UPRIGHT[kind]
    (tmp_path / "a").write_bytes(data)
    reference = prepare(tmp_path / "a")
    assert reference.size == ((500, 800) if turned else (800, 500))
    assert is_turned(opened(reference.data)) == turned


@pytest.mark.parametrize("format", XMP_ALONE)
def test_an_orientation_that_only_xmp_tells_turns_nothing_as_in_browsers(format: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(XMP_ALONE[format])
    assert not is_turned(opened(prepare(tmp_path / "a").data))


@pytest.mark.parametrize("cut", ["IHDR", "PLTE", "IDAT", "IEND"])
def test_damage_in_the_pixels_is_still_refused(cut: str, tmp_path: Path) -> None:
    data = saved(flag().quantize(4))
    end = data.index(cut.encode()) + 4 + struct.unpack_from(">I", data, data.index(cut.encode()) - 4)[0]
    damaged = data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :]
    (tmp_path / "a").write_bytes(damaged)
    with pytest.raises(InvalidRequest):
        prepare(tmp_path / "a")
    with pytest.raises(BadResponse):
        verify(damaged)


@pytest.mark.parametrize("name", ["a.avif", "a.jpg", "a.heic", "a"])
def test_an_avif_is_read_whatever_it_is_called_and_told_what_it_is(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(saved(flag(), "AVIF"))
    assert prepare(tmp_path / name).came_as == "AVIF"


@pytest.mark.parametrize("size", [(8064, 6048), (16382, 3628), (6048, 8064), (12000, 8300)])
def test_a_large_photo_is_scaled_down_and_never_decoded_whole(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(saved(Image.new("L", size, 77), "JPEG"))
    decoded: list[tuple[int, int]] = []
    load = ImageFile.ImageFile.load

    def watched(image: ImageFile.ImageFile) -> Any:
        decoded.append(image.size)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", watched)
    reference = prepare(tmp_path / "a.jpg")
    assert (reference.came_with, max(reference.size)) == (size, 3072)
    assert max(side for sides in decoded for side in sides) <= max(size) / 2


@pytest.mark.parametrize("format", ["JPEG", "PNG", "AVIF"])
def test_what_is_larger_than_memory_allows_is_refused_from_its_header(format: str, tmp_path: Path) -> None:
    small = saved(Image.new("L", (1000, 1000)), format)
    width = {"JPEG": 10_000, "PNG": 8_000, "AVIF": 8_000}[format]
    sides = {
        "JPEG": (b"\x03\xe8\x03\xe8", struct.pack(">HH", 10_001, width)),
        "PNG": (small[16:29], struct.pack(">II", width, 6_251) + small[24:29]),
        "AVIF": (b"\0\0\x03\xe8\0\0\x03\xe8", struct.pack(">II", width, 6_251)),
    }[format]
    data = small.replace(*sides)
    if format == "PNG":
        data = data[:8] + chunk(b"IHDR", data[16:29]) + data[33:]
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(InvalidRequest) as refused:
        prepare(tmp_path / "a")
    assert refused.value.facts == {"limit": 100 if format == "JPEG" else 50}


def test_no_more_than_two_pictures_are_in_memory_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    inside, most, lock, plain = 0, 0, threading.Lock(), preparing._plain

    def counted(image: Image.Image) -> Image.Image:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        done = plain(image)
        with lock:
            inside -= 1
        return done

    monkeypatch.setattr(preparing, "_plain", counted)
    with ThreadPoolExecutor(20) as pool:
        assert len({reference.sha256 for reference in pool.map(prepare, [tmp_path / "a.jpg"] * 20)}) == 1
    assert most <= 2


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_noise_is_made_smaller_until_it_may_be_sent(format: str, tmp_path: Path) -> None:
    side = 2600
    noise = Image.frombytes("RGB", (side, side), random.Random(2).randbytes(3 * side * side))  # noqa: S311
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"quality": 90, "method": 0}}.get(format, {})
    (tmp_path / "a").write_bytes(saved(noise, format, **options))
    reference = prepare(tmp_path / "a")
    assert len(reference.data) < 10_000_000
    assert opened(reference.data).size == reference.size


def profile_of(gamma: float, name: str) -> bytes:
    """sRGB's own profile with another curve and another name."""
    data = bytearray(SRGB)
    tags = {
        data[at : at + 4].decode(): struct.unpack_from(">II", data, at + 4)
        for at in range(132, 132 + 12 * data[131], 12)
    }
    at, length = tags["rTRC"]
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    data[at : at + length] = curve.ljust(length, b"\0")
    renamed = bytes(data).replace("sRGB".encode("utf-16-be"), name.encode("utf-16-be"))
    assert name in ImageCms.getProfileDescription(io.BytesIO(renamed))
    return renamed


@pytest.mark.parametrize(
    ("profile", "shown"),
    [
        (profile_of(1.0, "sRGB"), 188),  # linear 128 is that bright
        (profile_of(1.8, "sRGB"), 145),
        (profile_of(1.0, "mine"), 188),
        (SRGB, 128),
        (SRGB.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be")), 128),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_profile_is_judged_by_what_it_does_and_not_by_its_name(
    profile: bytes, shown: int, mode: str, tmp_path: Path
) -> None:
    grey = Image.new("L", (400, 400), 128).convert(mode)
    (tmp_path / "a").write_bytes(saved(grey, "WEBP" if mode == "RGBA" else "TIFF", icc_profile=profile))
    assert opened(prepare(tmp_path / "a").data).getpixel((9, 9)) == pytest.approx((shown,) * 3, abs=3)


TALL, WIDE = ("top", "middle", "bottom"), ("left", "middle", "right")


def striped(width: int, height: int) -> Image.Image:
    """From red at its begin to blue at its end, along its longer side."""
    ramp = Image.linear_gradient("L").resize((width, height)) if height > width else None
    ramp = ramp or Image.linear_gradient("L").rotate(90).resize((width, height))
    return Image.merge("RGB", (ramp.point(lambda value: 255 - value), ramp.point(lambda _: 0), ramp))


@pytest.mark.parametrize("lies", range(1, 9))
@pytest.mark.parametrize(("size", "places"), [((236, 2400), TALL), ((2400, 200), WIDE), ((100, 3000), TALL)])
def test_a_part_of_a_long_screenshot_can_be_used(
    size: tuple[int, int], places: tuple[str, str, str], lies: int, tmp_path: Path
) -> None:
    undo = {
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
        **{k: v for k, v in preparing._TURNS.items() if k not in (6, 8)},
    }
    shown = striped(*size)
    lying = shown.transpose(undo[lies]) if lies in undo else shown
    (tmp_path / "a").write_bytes(saved(lying, exif=exif(lies)))
    with pytest.raises(InvalidRequest) as refused:
        prepare(tmp_path / "a")
    assert (refused.value.problem, refused.value.facts["width"]) == ("picture_ratio", size[0])
    blues = []
    for place in places:
        part = crop(tmp_path / "a", place)
        (tmp_path / "part").write_bytes(part)
        reference = prepare(tmp_path / "part")
        assert reference.size == ((384, 3072) if size[1] > size[0] else (3072, 384))
        sent = opened(reference.data)
        blues.append([sent.getpixel(spot)[2] for spot in ((1, 1), (sent.width - 2, sent.height - 2))])  # type: ignore[index]
    (first, _), (before, after), (_, last) = blues
    assert first < 5
    assert last > 250
    assert before == pytest.approx(255 - after, abs=3)


def test_a_part_keeps_what_is_transparent_and_no_place_is_made_up(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(saved(Image.new("RGBA", (100, 2000), (9, 9, 9, 0))))
    assert opened(crop(tmp_path / "a.png", "top")).mode == "RGBA"
    with pytest.raises(InvalidRequest):
        crop(tmp_path / "a.png", "../etc")


@pytest.mark.parametrize("format", ["AVIF", "WEBP", "HEIF", "TIFF"])
def test_a_result_of_another_format_becomes_a_png(format: str) -> None:
    picture = verify(saved(flag(), format))
    assert (picture.format, picture.width, picture.height) == (format, 800, 500)
    kept = opened(as_png(picture.data))
    assert (kept.format, kept.size, is_turned(kept)) == ("PNG", (800, 500), False)


GOOD = chunk(b"tEXt", b"Software\0good")
MENDED = {
    "a wrong checksum": png(GOOD, chunk(b"tEXt", b"Comment\0bad", damage=1)),
    "a wrong checksum behind the pixels": png(GOOD, behind=chunk(b"tIME", bytes(7), damage=1)),
    "an EXIF of nonsense": png(GOOD, chunk(b"eXIf", b"nonsense")),
    "a density cut short": png(GOOD, chunk(b"pHYs", b"x")),
    "a bomb": png(GOOD, behind=chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000)))),
    "a profile of nonsense": png(GOOD, chunk(b"iCCP", b"x\0\7x", damage=1)),
    "something behind its end": png(GOOD) + b"IEND and more",
}


@pytest.mark.parametrize("kind", MENDED)
def test_a_result_that_is_damaged_beside_its_pixels_is_kept_without_the_damage(kind: str) -> None:
    assert verify(MENDED[kind]).data == png(GOOD)


@pytest.mark.parametrize(
    "data", [png(GOOD), png(), saved(flag().quantize(4), transparency=1, dpi=(72, 72), exif=exif(1))]
)
def test_a_result_with_nothing_to_mend_stays_as_it_came(data: bytes) -> None:
    assert verify(data).data is data
    assert data.startswith(PNG)
