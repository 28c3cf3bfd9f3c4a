"""Pictures made to waste time and memory: counted before they are decoded, and decoded where they can be stopped."""

import asyncio
import io
import os
import struct
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from qwen_demo import decoding
from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import BadResponse, InvalidRequest
from qwen_demo.api.requests import TextToImage
from qwen_demo.containers import MOST_PARTS, bare
from qwen_demo.images import Reference, verify
from qwen_demo.library import Library
from qwen_demo.orders import MOST_CALLS, Orders, ShuttingDown, TooManyOrders
from qwen_demo.preparing import crop, prepare
from qwen_demo.quota import OverQuota, Quota
from qwen_demo.recipe import BadRecipe, Recipe, embed, read
from qwen_demo.service import Service
from qwen_demo.visitors import BadKey, NoOwnKeys, Visitor
from tests.conftest import KEY, Backend

SIDES = (400, 500)
PLAIN = Image.new("RGB", SIDES, (200, 100, 50))
ANN, BOB, CAROL = (Visitor(name, (f"cookie {name}", f"address {name}")) for name in ("ann", "bob", "carol"))
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes and limits")


def saved(format: str, image: Image.Image = PLAIN, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


PNG, JPEG, GIF, WEBP = saved("PNG"), saved("JPEG"), saved("GIF"), saved("WEBP")
TOO_MANY = MOST_PARTS + 1


def scanned(scans: int, size: tuple[int, int] = SIDES) -> bytes:
    """A progressive JPEG that goes over its pixels so often, the later times to say nothing new."""
    data = saved("JPEG", Image.new("L", size, 99), progressive=True)
    end, last = data.rindex(b"\xff\xd9"), data.rindex(b"\xff\xda")
    return data[:end] + data[last:end] * (scans - data.count(b"\xff\xda")) + data[end:]


def gif(before: bytes) -> bytes:
    """With this before its picture."""
    at = 13 + (6 << (GIF[10] & 7))
    return GIF[:at] + before + GIF[at:]


def tiff(*entries: tuple[int, int, int, int]) -> bytes:
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4)


def big_tiff(entries: int) -> bytes:
    return b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, entries) + struct.pack("<HHQQ", 320, 4, 1, 8) * entries


def in_runs(side: int, data: bytes) -> bytes:
    """A BMP whose rows are packed."""
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(data), 0, 0, 1078) + head + bytes(1024) + data


COSTLY = {  # each would take a decoder from seconds to hours
    "a JPEG of 101 scans": scanned(101),
    "a JPEG of 25 megapixels and 81 scans": scanned(81, (5000, 5000)),
    "a JPEG of many segments": JPEG[:2] + b"\xff\xe0\0\2" * 2001 + JPEG[2:],
    "a PNG of many empty texts": PNG[:33] + chunk(b"tEXt") * TOO_MANY + PNG[33:],
    "a PNG of many empty pixels": PNG[:-12] + chunk(b"IDAT") * TOO_MANY + PNG[-12:],
    "a WebP of many chunks": WEBP + b"XXXX\0\0\0\0" * TOO_MANY,
    "a GIF of a comment in many parts": gif(b"!\xfe" + b"\1x" * TOO_MANY + b"\0"),
    "a GIF of many comments": gif(b"!\xfe\0" * TOO_MANY),
    "a TIFF of many strips": tiff((256, 4, 1, 9), (273, 4, TOO_MANY, 0)),
    "a BigTIFF of many tags": big_tiff(TOO_MANY),
    "a BMP of large rows in runs": in_runs(2001, b"\1\5\0\0" * 2001),
    "a BMP of many runs": in_runs(200, b"\0\0" * 2_000_000),
}
READ = {  # they look alike, and what is left of them is as light as any
    "a JPEG of 100 scans": scanned(100),
    "a JPEG with 10 MB of filling": JPEG[:2] + b"\xff" * 10_000_000 + b"\0" + JPEG[2:],
    "a JPEG with a film behind it": JPEG + b"\xff\xda\0\2" * 3000,
    "a PNG of 3000 profiles": PNG[:33] + chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(1_000_000))) * 3000 + PNG[33:],
    "a GIF of a long comment": gif(b"!\xfe" + (b"\xff" + b"x" * 255) * 50_000 + b"\0"),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_what_costs_too_much_is_refused_before_it_is_decoded(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(COSTLY[kind])
    with pytest.raises(InvalidRequest) as refused:
        prepare(tmp_path / "a")
    assert (refused.value.problem, refused.value.value) == ("picture_costly", "'a'")
    with pytest.raises(BadResponse):
        verify(COSTLY[kind])


@pytest.mark.parametrize("kind", READ)
def test_what_only_looks_as_if_is_read_at_the_cost_of_a_plain_picture(kind: str, tmp_path: Path) -> None:
    data = READ[kind]
    left = bare(data).data
    assert b"iCCP" not in left[1000:]
    assert len(left) < 20_000
    (tmp_path / "a").write_bytes(data)
    assert prepare(tmp_path / "a").came_with == SIDES


def test_a_recipe_is_not_looked_for_behind_more_chunks_than_a_picture_has(tmp_path: Path) -> None:
    drawn = Recipe(kind="text_to_image", prompt="a cat", model="qwen-image-plus")
    within, beyond = (PNG[:33] + chunk(b"tEXt") * many + PNG[33:] for many in (MOST_PARTS // 2, TOO_MANY))
    (tmp_path / "within.png").write_bytes(embed(within, drawn))
    assert read(tmp_path / "within.png") == drawn
    (tmp_path / "beyond.png").write_bytes(embed(beyond, drawn))
    with pytest.raises(BadRecipe, match="missing"):
        read(tmp_path / "beyond.png")


LOCATED = b"Exif\0\0II*\0\x08\0\0\0\1\0\x25\x88" + bytes(12)
MADE = {
    "a large photo": saved("JPEG", Image.new("RGB", (2200, 2000), "red"), exif=LOCATED),
    "transparent": saved("PNG", Image.new("RGBA", SIDES, (0, 0, 0, 0))),
}
REFUSED = {
    "too long": saved("PNG", Image.new("RGB", (900, 100))),
    "too many pixels": PNG[:8] + chunk(b"IHDR", struct.pack(">II", 8001, 6250) + PNG[24:29]) + PNG[33:],
    "no picture": b"<svg/>",
    "costly": scanned(400),
}


@pytest.mark.parametrize("kind", MADE)
async def test_a_process_apart_makes_the_same_of_a_picture(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "图 of a.png"
    path.write_bytes(MADE[kind])
    assert await decoding.reference("prepare", path, "#102030") == prepare(path, "#102030")


@pytest.mark.parametrize("kind", REFUSED)
async def test_a_process_apart_refuses_the_same_with_the_same_facts(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "图 of a.png"
    path.write_bytes(REFUSED[kind])
    with pytest.raises(InvalidRequest) as here:
        prepare(path)
    with pytest.raises(InvalidRequest) as apart:
        await decoding.reference("prepare", path)
    assert vars(apart.value) == vars(here.value)


async def test_a_part_is_cut_in_a_process_apart(tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    path.write_bytes(saved("PNG", Image.linear_gradient("L").resize((100, 3000))))
    assert await decoding.crop(path, "middle") == crop(path, "middle")
    with pytest.raises(InvalidRequest):
        await decoding.crop(path, "nowhere")


@posix
async def test_it_ends_at_once_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.png")
    reading = asyncio.create_task(decoding.reference("prepare", tmp_path / "endless.png"))
    pipe = await asyncio.to_thread(os.open, tmp_path / "endless.png", os.O_WRONLY)  # once the process reads
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    with pytest.raises(BrokenPipeError):
        os.write(pipe, b"x")
    os.close(pipe)


@posix
async def test_it_ends_when_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "SECONDS", 0.01)
    os.mkfifo(tmp_path / "endless.png")
    with pytest.raises(InvalidRequest, match="takes too long"):
        await decoding.reference("prepare", tmp_path / "endless.png")
    with pytest.raises(OSError, match="No such device"):  # nobody reads
        os.open(tmp_path / "endless.png", os.O_WRONLY | os.O_NONBLOCK)


def with_decoder(code: str, folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """An upload, and in the processes that read it this in the decoder's place."""
    lines = ["import os", "from qwen_demo import preparing", "from qwen_demo.api.errors import InvalidRequest"]
    lines += ["def decode(*args):", f"    {code}", "preparing._upload = decode"]
    (folder / "sitecustomize.py").write_text("\n".join(lines))
    patch.syspath_prepend(folder)
    (folder / "a.png").write_bytes(PNG)
    return folder / "a.png"


@posix
@pytest.mark.parametrize("code", ["bytes(4_000_000_000)", "os.abort()", "os.kill(os.getpid(), 24)  # SIGXCPU"])
async def test_what_breaks_a_limit_or_its_decoder_is_refused(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidRequest, match="takes too long or too much memory"):
        await decoding.reference("prepare", with_decoder(code, tmp_path, monkeypatch))


@posix
async def test_the_process_has_limits_and_knows_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_API_KEY", KEY)
    limit = "resource.getrlimit(resource.RLIMIT_CPU)[0]"
    code = f"import resource; raise InvalidRequest('image', 'not_a_picture', '', limit={limit}, names=[*os.environ])"
    with pytest.raises(InvalidRequest) as told:
        await decoding.reference("prepare", with_decoder(code, tmp_path, monkeypatch))
    names: Any = told.value.facts["names"]
    assert {*names} <= {*decoding.KEPT, "PYTHONPATH", "MALLOC_ARENA_MAX", "LC_CTYPE"}
    assert told.value.facts["limit"] == decoding.PROCESSOR_SECONDS


async def test_an_error_of_ours_is_no_word_about_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="ended with 1"):
        await decoding.reference("prepare", with_decoder("raise NameError", tmp_path, monkeypatch))


@pytest_asyncio.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Strangers come, and visitors may bring keys."""
    backend, quota = Backend(), Quota("20/day", "")
    client, keyed = (QwenClient(key, "http://offline/v1", transport=backend) for key in (KEY, ""))
    service = Service(client, Orders(8, each=2), Library(tmp_path / "out"), quota=quota, keyed=keyed, public=True)
    yield service
    await service.aclose()


async def test_whatever_costs_nothing_to_refuse_is_refused_before_a_picture_is_decoded(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def decoded(*_: object) -> None:
        pytest.fail("decoded")

    monkeypatch.setattr(decoding, "reference", decoded)
    upload = tmp_path / "a.png"
    upload.write_bytes(PNG)
    text = "data:image/png;base64,AAAA"

    async def refused(
        error: type[Exception],
        *sources: Path | str,
        n: int = 1,
        visitor: Visitor = ANN,
        kind: str = "edit",
        **more: Any,
    ) -> str:
        fields = {"prompt": "warmer", "model": "qwen-image-edit-plus", **more}
        with pytest.raises(error) as told:
            await service.order_from(kind, sources or (upload,), n, visitor, **fields)
        return str(told.value)

    for source in (upload, text):
        assert (await refused(InvalidRequest, source, model="dall-e")).startswith("model must be one of")
    assert await refused(InvalidRequest, prompt=" ") == "prompt must not be empty; got ' '"
    assert (await refused(InvalidRequest, n=7)).startswith("n must be a whole number")
    assert await refused(InvalidRequest, "") == "image needs a picture; got ''"
    assert (await refused(InvalidRequest, upload, "", kind="fusion")).startswith("image 2 needs a picture")
    assert (await refused(InvalidRequest, text, kind="fusion")).startswith("images takes 2 to 3 pictures, not 1")
    assert (await refused(InvalidRequest, *[text] * 4, kind="fusion")).startswith("images takes 2 to 3 pictures, not 4")
    assert (await refused(InvalidRequest, upload, "http://a.example", kind="fusion")).startswith("image 2 must be an")
    await refused(BadKey, visitor=Visitor("ann", (), key="“curly”"))
    assert service.quota
    await service.quota.charge(ANN, 18)
    assert await service.left(ANN) == 2
    await refused(OverQuota, n=3)
    await service.quota.charge(BOB, 20)
    await refused(OverQuota, visitor=BOB)
    for _ in range(2):
        service.orders.place([TextToImage(prompt="a")] * (MOST_CALLS // 2), CAROL)
    await refused(TooManyOrders, visitor=CAROL)
    service.own_keys = None
    await refused(NoOwnKeys, visitor=Visitor("ann", (), key="sk-own-0123456789"))
    service.orders.draining = True
    await refused(ShuttingDown)
    assert await service.left(ANN) == 2


async def test_two_pictures_are_decoded_at_once_and_one_of_each_visitor(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[str] = []
    begun, gate = asyncio.Semaphore(0), asyncio.Event()

    async def slow(_: object, upload: Path, *how: object) -> Reference:
        inside.append(upload.name)
        begun.release()
        await gate.wait()
        inside.remove(upload.name)
        return Reference(PNG, "image/png", SIDES, "PNG", SIDES, False)

    monkeypatch.setattr(decoding, "reference", slow)
    # A new cookie from the same address is the same visitor.
    again = Visitor("ann-2", ("cookie ann-2", "address ann"))
    waiting = [
        asyncio.create_task(service.uploads.prepare(tmp_path / visitor.name, visitor))
        for visitor in (ANN, ANN, again, BOB, CAROL)
    ]
    await begun.acquire()
    await begun.acquire()
    for _ in range(20):
        await asyncio.sleep(0)
    assert sorted(inside) == ["ann", "bob"]
    gate.set()
    assert len(await asyncio.gather(*waiting)) == 5
