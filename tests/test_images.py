"""Uploads of every kind and of bad intent, and results that are looked at before they are kept."""

import io
import random
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageCms, ImageFile

from qwen_demo import images, preparing
from qwen_demo.api.errors import BadResponse, InvalidRequest
from qwen_demo.images import Verified, as_png, preview, verify
from qwen_demo.preparing import prepare

pillow_heif.register_heif_opener()
BROWN, WHITE, GREY = (200, 100, 50), (255, 255, 255), (128, 128, 128)
SIDES = (400, 500)
ASTRONAUT = Path(images.__file__).parent / "ui" / "photos" / "astronaut.png"


def plain(mode: str = "RGB", colour: Any = BROWN, size: tuple[int, int] = SIDES) -> Image.Image:
    return Image.new(mode, size, colour)


def saved(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def promise(width: int, height: int) -> bytes:
    """A PNG that promises so many pixels and brings none."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def palette() -> Image.Image:
    image = plain("P", 0)
    image.putpalette([*BROWN, 0, 0, 255])
    return image


def animated(format: str, frames: int) -> bytes:
    """The first frame is brown, no other is."""
    first, *later = (plain("P", min(number, 1), (40, 50)) for number in range(frames))
    for number, frame in enumerate([first, *later]):
        frame.putpalette([*BROWN, 0, number % 256, 99])
    return saved(first.convert("RGB"), format, save_all=True, append_images=[frame.convert("RGB") for frame in later])


def profile(space: Any) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()


def swapped() -> bytes:
    """A profile in which red means green: sRGB's own with two colorants, and its name, exchanged."""
    data = profile("sRGB").replace(b"rXYZ", b"----").replace(b"gXYZ", b"rXYZ").replace(b"----", b"gXYZ")
    return data.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


def whereabouts() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "home sweet home"  # orientation: lies on its side; description
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (39.0, 54.0, 26.0)})
    return exif.tobytes()


PNG, JPEG = saved(plain()), saved(plain(), "JPEG")
BOMB = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000)))

TAKEN = {  # file, came as, size as sent, colour
    "JPEG": (JPEG, "JPEG", SIDES, BROWN),
    "PNG": (PNG, "PNG", SIDES, BROWN),
    "WEBP": (saved(plain(), "WEBP"), "WEBP", SIDES, BROWN),
    "BMP": (saved(plain(), "BMP"), "BMP", SIDES, BROWN),
    "TIFF": (saved(plain(), "TIFF"), "TIFF", SIDES, BROWN),
    "HEIC": (saved(plain(), "HEIF"), "HEIF", SIDES, BROWN),
    "AVIF": (saved(plain(), "AVIF"), "AVIF", SIDES, BROWN),
    "GIF of 500 frames": (animated("GIF", 500), "GIF", (384, 480), BROWN),
    "APNG": (animated("PNG", 3), "PNG", (384, 480), BROWN),
    "a phone's JPEG with a second picture": (animated("MPO", 2), "JPEG", (384, 480), BROWN),
    "1×1": (saved(plain(size=(1, 1))), "PNG", (384, 384), BROWN),
    "1:8": (saved(plain(size=(800, 100))), "PNG", (3072, 384), BROWN),
    "larger than sent": (saved(plain(size=(6144, 800))), "PNG", (3072, 400), BROWN),
    "CMYK JPEG": (saved(plain("CMYK", (0, 128, 255, 0)), "JPEG"), "JPEG", SIDES, (255, 127, 0)),
    "16-bit grey": (saved(plain("I;16", 32768)), "PNG", SIDES, GREY),
    "grey in floats": (saved(plain("F", 0.5), "TIFF"), "TIFF", SIDES, GREY),
    "transparent": (saved(plain("RGBA", (9, 9, 9, 0))), "PNG", SIDES, WHITE),
    "a fifth red": (saved(plain("RGBA", (255, 0, 0, 51))), "PNG", SIDES, (255, 204, 204)),
    "palette": (saved(palette()), "PNG", SIDES, BROWN),
    "palette, transparent": (saved(palette(), transparency=0), "PNG", SIDES, WHITE),
    "GIF, transparent, with a comment": (saved(palette(), "GIF", transparency=0, comment=b"home"), "GIF", SIDES, WHITE),
    "profile": (saved(plain(), icc_profile=swapped()), "PNG", SIDES, (100, 200, 50)),
    "sRGB profile": (saved(plain(), icc_profile=profile("sRGB")), "PNG", SIDES, BROWN),
    "profile of another space": (saved(plain(), icc_profile=profile("LAB")), "PNG", SIDES, BROWN),
    "broken profile": (saved(plain(), icc_profile=b"nonsense"), "PNG", SIDES, BROWN),
}
UNREADABLE = {
    "empty": b"",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "HTML": b"<!DOCTYPE html><title>x</title>",
    "a format that isn't open": saved(plain(), "PPM"),
    "truncated JPEG": JPEG[: len(JPEG) // 2],
    "truncated PNG": PNG[:-40],
    "PNG without its end": PNG[:-12],
    "wrong CRC behind whole pixels": PNG[:-13] + bytes([PNG[-13] ^ 1]) + PNG[-12:],
}
REFUSED: dict[str, tuple[bytes, str, dict[str, int]]] = {
    **{name: (data, "not_a_picture", {}) for name, data in UNREADABLE.items()},
    "20000×20000": (promise(20000, 20000), "picture_pixels", {"limit": 50}),
    "over 50 MP": (promise(8001, 6250), "picture_pixels", {"limit": 50}),
    "9:1": (saved(plain(size=(900, 100))), "picture_ratio", {"width": 900, "height": 100, "limit": 8}),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_a_picture_becomes_what_the_api_takes(kind: str, tmp_path: Path) -> None:
    file, came_as, size, colour = TAKEN[kind]
    (tmp_path / "photo.txt").write_bytes(file)
    reference = prepare(tmp_path / "photo.txt")
    sent = opened(reference.data)
    assert (reference.came_as, reference.came_with, reference.size) == (came_as, opened(file).size, size)
    assert (reference.mime, sent.format, sent.mode, sent.size, sent.info) == ("image/png", "PNG", "RGB", size, {})
    assert sent.getpixel((size[0] // 2, size[1] // 2)) == pytest.approx(colour, abs=2)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_picture_to_send_is_refused_with_its_reason(kind: str, tmp_path: Path) -> None:
    file, problem, facts = REFUSED[kind]
    (tmp_path / "photo.png").write_bytes(file)
    tracemalloc.start()
    with pytest.raises(InvalidRequest) as refused:
        prepare(tmp_path / "photo.png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    error = refused.value
    assert (error.field, error.problem, error.facts, error.value) == ("image", problem, facts, "'photo.png'")
    assert peak < 10_000_000


def test_pixels_and_shape_are_judged_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    for size in ((20000, 20000), (8001, 6250), (900, 100)):
        (tmp_path / "photo.png").write_bytes(promise(*size))
        with pytest.raises(InvalidRequest):
            prepare(tmp_path / "photo.png")
    (tmp_path / "photo.png").write_bytes(PNG)
    with pytest.raises(pytest.fail.Exception, match="decoded"):
        prepare(tmp_path / "photo.png")


def test_a_file_over_30_mb_is_refused_without_being_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "photo.png").open("wb") as file:
        file.truncate(31_000_000)
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("opened"))
    with pytest.raises(InvalidRequest) as refused:
        prepare(tmp_path / "photo.png")
    assert (refused.value.problem, refused.value.facts) == ("picture_bytes", {"mb": 31, "limit": 30})


@pytest.mark.parametrize("name", ["no suffix", "page.html", "🐱 猫.gif", "sub/../../escape.png"])
def test_the_name_plays_no_role(name: str, tmp_path: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for path in (tmp_path / "in" / name, tmp_path / "a.jpg"):
        path.write_bytes(JPEG)
    assert prepare(tmp_path / "in" / name) == prepare(tmp_path / "a.jpg")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_a_phones_photo_is_turned_upright_and_forgets_where_it_was_taken(format: str, tmp_path: Path) -> None:
    photo = plain(colour="blue", size=(800, 500))
    photo.paste("red", (0, 0, 800, 250))  # lying: the upper half comes to stand on the right
    (tmp_path / "photo").write_bytes(saved(photo, format, exif=whereabouts()))
    reference = prepare(tmp_path / "photo")
    sent = opened(reference.data)
    assert (reference.located, reference.came_with, reference.size) == (True, (500, 800), (500, 800))
    assert (dict(sent.getexif()), sent.info) == ({}, {})
    assert [word for word in (b"home", b"Exif", b"eXIf") if word in reference.data] == []
    assert sent.getpixel((450, 50)) == sent.getpixel((450, 750)) == pytest.approx((255, 0, 0), abs=5)
    assert sent.getpixel((50, 50)) == sent.getpixel((50, 750)) == pytest.approx((0, 0, 255), abs=5)


def test_a_large_photo_goes_as_a_jpeg_without_comment_exif_and_profile(tmp_path: Path) -> None:
    personal = {"comment": b"home sweet home", "exif": whereabouts(), "icc_profile": profile("LAB")}
    (tmp_path / "a.jpg").write_bytes(saved(plain(size=(2200, 2000)), "JPEG", **personal))
    reference = prepare(tmp_path / "a.jpg")
    sent = opened(reference.data)
    assert (reference.mime, sent.format, sent.size) == ("image/jpeg", "JPEG", (2000, 2200))
    assert sorted(sent.info) == ["jfif", "jfif_density", "jfif_unit", "jfif_version"]


def test_a_large_png_stays_one_if_it_fits_in_10_mb_and_else_becomes_a_jpeg_that_does(tmp_path: Path) -> None:
    side, path = 1900, tmp_path / "a.png"
    noise = Image.frombytes("RGB", (side, side), random.Random(1).randbytes(3 * side * side))  # noqa: S311
    path.write_bytes(saved(noise, compress_level=1))
    assert path.stat().st_size > preparing.MAX_SENT_BYTES
    reference = prepare(path)
    assert (reference.mime, opened(reference.data).format, reference.size) == ("image/jpeg", "JPEG", (side, side))
    assert len(reference.data) <= preparing.MAX_SENT_BYTES
    path.write_bytes(saved(plain(size=(side, side))))
    assert prepare(path).mime == "image/png"


def test_the_colour_behind_what_is_transparent_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(saved(plain("RGBA", (0, 0, 0, 0))))
    assert opened(prepare(tmp_path / "logo.png", "#102030").data).getpixel((9, 9)) == (16, 32, 48)


def test_a_result_is_taken_with_its_format_and_size() -> None:
    assert [verify(PNG), verify(JPEG)] == [Verified(PNG, "PNG", 400, 500), Verified(JPEG, "JPEG", 400, 500)]


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_result_that_cant_be_opened_is_a_bad_response(kind: str) -> None:
    with pytest.raises(BadResponse):
        verify(UNREADABLE[kind])


@pytest.mark.parametrize("bombed", [PNG[:33] + BOMB + PNG[33:], PNG[:-12] + BOMB + PNG[-12:]])
def test_a_bomb_in_a_text_is_left_out_and_never_unpacked(bombed: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(bombed)
    tracemalloc.start()
    assert (prepare(tmp_path / "a.png").size, verify(bombed).data) == (SIDES, PNG)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_result_of_over_50_megapixels_is_a_bad_response() -> None:
    with pytest.raises(BadResponse) as refused:
        verify(promise(8001, 6250))
    assert refused.value.problem == "too_many_pixels"


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_becomes_a_png_of_the_same_pixels(mode: str) -> None:
    data = saved(Image.radial_gradient("L").convert(mode), "JPEG", quality=70)
    png, jpeg = opened(as_png(data)), opened(data)
    assert (png.format, png.mode, png.size, png.tobytes()) == ("PNG", mode, jpeg.size, jpeg.tobytes())


@pytest.mark.parametrize(("side", "size"), [(3072, (512, 512)), (128, (128, 128))])
def test_a_preview_is_a_webp_of_a_tenth_of_the_bytes(side: int, size: tuple[int, int]) -> None:
    data = preview(ASTRONAUT, side)
    assert (opened(data).format, opened(data).size) == ("WEBP", size)
    assert len(data) <= ASTRONAUT.stat().st_size / 10
