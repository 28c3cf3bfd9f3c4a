"""Change only here, from an upload to the picture in the library: what was not painted is the photo's, bit for bit."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pillow_heif
import pytest
import pytest_asyncio
from PIL import Image, ImageCms, ImageOps

from qwen_demo import images
from qwen_demo.api.catalog import PROVIDER, AnySize, Catalog
from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import InvalidRequest
from qwen_demo.call import State
from qwen_demo.inpaint import MAP_COLOURS, Region, mask_in, regions_of
from qwen_demo.library import Entry, Library
from qwen_demo.order import Order
from qwen_demo.orders import Orders
from qwen_demo.recipe import BadRecipe, check_foreign, parse, read
from qwen_demo.region import touched
from qwen_demo.retouching import NotPutIn
from qwen_demo.service import Service
from qwen_demo.visitors import Visitor
from tests.conftest import KEY, Backend, with_models

pillow_heif.register_heif_opener()
ASTRONAUT = Path(images.__file__).parent / "ui" / "photos" / "astronaut.png"
ANN = Visitor("ann")
DOT: list[list[float]] = [[60, 0, 500, 400]]
ELSEWHERE: list[list[float]] = [[40, 0, 150, 650, 250, 650]]


def painted(*regions: tuple[Any, str], **how: Any) -> dict[str, Any]:
    """What the browser says."""
    return {"regions": [{"strokes": strokes, "words": words} for strokes, words in regions], "sees": "part", **how}


def photo_of(size: tuple[int, int]) -> Image.Image:
    with Image.open(ASTRONAUT) as picture:
        return picture.convert("RGB").resize(size)


def pixels(picture: Path | Image.Image) -> Any:
    if isinstance(picture, Image.Image):
        return np.asarray(picture)
    with Image.open(picture) as opened:
        return np.asarray(opened)


class Choosy(Backend):
    """Refuses prompts with a word in them."""

    forbidden = "forbidden"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        said = self.forbidden and self.forbidden in str(json.loads(request.content or b"{}"))
        self.refusal = _refuse if said else None
        return await super().handle_async_request(request)


def _refuse(_: httpx.Request) -> httpx.Response:
    return httpx.Response(400, json={"error": {"message": "no", "code": "400", "type": "invalid_request_error"}})


@pytest.fixture
def backend() -> Choosy:
    return Choosy()


def made(folder: Path, backend: Backend, **more: Any) -> Service:
    return Service(QwenClient(KEY, "http://offline/v1", transport=backend), Orders(8), Library(folder), **more)


@pytest_asyncio.fixture
async def service(tmp_path: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    service = made(tmp_path / "outputs", backend)
    yield service
    await service.aclose()


async def ordered(service: Service, photo: Path | str, *regions: tuple[Any, str], n: int = 1, **more: Any) -> Order:
    told = regions_of(painted(*(regions or [(DOT, "")])))
    more = {"prompt": "a red hat", "seed": 7, **more}
    order = await service.order_from("edit", [photo], n, ANN, regions=told, **more)
    return await order.finish()


def saved(picture: Image.Image, path: Path, **options: Any) -> Path:
    picture.save(path, **options)
    return path


def turned(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def translucent(size: tuple[int, int]) -> Image.Image:
    picture = photo_of(size)
    picture.putalpha(Image.linear_gradient("L").resize(size))
    return picture


def swapped() -> bytes:
    """A profile in which red means green."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data.replace(b"rXYZ", b"----").replace(b"gXYZ", b"rXYZ").replace(b"----", b"gXYZ")


def deep(size: tuple[int, int]) -> Image.Image:
    grey = np.asarray(photo_of(size).convert("L"), np.uint16)
    return Image.fromarray(grey * 257)


KINDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "jpeg": ("a.jpg", lambda path: photo_of((1600, 1200)).save(path, quality=90)),
    "png": ("a.png", lambda path: photo_of((1203, 1601)).save(path)),
    "webp": ("a.webp", lambda path: photo_of((900, 1200)).save(path, lossless=True)),
    "heic": ("a.heic", lambda path: photo_of((1600, 1200)).save(path, quality=80)),
    "jpeg on its side": ("a.jpg", lambda path: photo_of((1600, 1200)).save(path, exif=turned(6))),
    "jpeg upside down": ("a.jpg", lambda path: photo_of((1600, 1200)).save(path, exif=turned(3))),
    "jpeg mirrored": ("a.jpg", lambda path: photo_of((1600, 1200)).save(path, exif=turned(5))),
    "with transparency": ("a.png", lambda path: translucent((1200, 900)).save(path)),
    "palette": ("a.png", lambda path: photo_of((1200, 900)).quantize(64).save(path)),
    "palette with a hole": ("a.png", lambda path: photo_of((1200, 900)).quantize(64).save(path, transparency=3)),
    "grey": ("a.jpg", lambda path: photo_of((1200, 900)).convert("L").save(path)),
    "profile": ("a.jpg", lambda path: photo_of((1600, 1200)).save(path, icc_profile=swapped())),
    "broken profile": ("a.jpg", lambda path: photo_of((1600, 1200)).save(path, icc_profile=b"nonsense")),
    "smaller than what is sent": ("a.png", lambda path: photo_of((420, 300)).save(path)),
    "very wide": ("a.png", lambda path: photo_of((2400, 400)).save(path)),
    "40 MP": ("a.jpg", lambda path: photo_of((7300, 5480)).save(path, quality=80)),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_not_painted_is_the_photos_bit_for_bit(service: Service, tmp_path: Path, kind: str) -> None:
    name, make = KINDS[kind]
    make(photo := tmp_path / name)
    strokes = [[20, 0, 500, 80]] if kind == "very wide" else DOT
    order = await ordered(service, photo, (strokes, ""))
    assert order.problems == []
    (picture,) = order.pictures
    with Image.open(photo) as opened:
        before = ImageOps.exif_transpose(opened)
        before = before.convert("RGBA" if before.has_transparency_data else "RGB")
    with Image.open(picture.path) as after:
        after.load()
        profile = after.info.get("icc_profile")
    assert (after.mode, after.size, (picture.width, picture.height)) == (before.mode, before.size, before.size)
    assert profile == (None if kind == "broken profile" else before.info.get("icc_profile"))
    differs = np.any(pixels(before) != pixels(after), axis=2)
    region = picture.region
    assert region is not None
    assert region.lost == ""
    assert region.box is not None
    box = touched(mask_in(region, before.size, None), before.size, region.box, region.edge)
    assert box is not None
    left, top, right, bottom = box
    inside = differs[top:bottom, left:right].copy()
    differs[top:bottom, left:right] = False
    assert not differs.any()
    assert inside.mean() > 0.3
    assert region.identical == before.width * before.height - int(inside.sum())


@pytest.mark.parametrize(("number", "lost"), [(16, "depth"), (0, "colours")])
async def test_what_eight_bits_of_rgb_cannot_hold_is_said(
    service: Service, tmp_path: Path, number: int, lost: str
) -> None:
    photo = tmp_path / ("a.png" if number else "a.jpg")
    (deep((900, 700)) if number else photo_of((900, 700)).convert("CMYK")).save(photo)
    (picture,) = (await ordered(service, photo)).pictures
    assert picture.region is not None
    assert (picture.region.lost, picture.width, picture.height) == (lost, 900, 700)


async def test_an_answer_is_put_in_in_the_photos_own_colours(service: Service, tmp_path: Path) -> None:
    """A model sees the colours of the screen, and answers in them: its grey is grey in any profile."""
    photo = saved(photo_of((1200, 900)), tmp_path / "a.png", icc_profile=swapped())
    (picture,) = (await ordered(service, photo, prompt="black and white")).pictures
    with Image.open(picture.path) as opened:
        part = pixels(opened.crop((560, 430, 640, 480))).astype(int)
    assert abs(part[..., 0] - part[..., 1]).mean() < 6  # grey is grey in both


async def test_the_part_with_what_is_around_it_is_sent_at_its_own_size(
    service: Service, backend: Choosy, tmp_path: Path
) -> None:
    photo = saved(photo_of((4000, 3000)), tmp_path / "a.jpg", quality=90)
    (picture,) = (await ordered(service, photo)).pictures
    (sent,) = backend.orders
    with Image.open(io.BytesIO(base64.b64decode(sent["image"][0].partition(",")[2]))) as part:
        assert part.size == (1024, 1024)
    assert "size" not in sent
    assert picture.region is not None
    assert (picture.region.box, picture.region.size) == ((1516, 1117, 2484, 2086), (1024, 1024))
    assert picture.region.moved > 1


async def test_a_model_that_does_not_keep_the_shape_by_itself_is_told_it(tmp_path: Path) -> None:
    row = replace(PROVIDER.doing("edit")[0], name="free", sizes=(), any_size=AnySize(), keeps_shape=False)
    transport = Choosy(Catalog((*PROVIDER.models, row)))
    client = QwenClient(KEY, "http://offline/v1", transport=transport)
    service = Service(client, Orders(8), Library(tmp_path / "outputs"), engine=with_models(row))
    photo = saved(photo_of((3000, 2000)), tmp_path / "a.png")
    wide: list[list[float]] = [[60, 0, 300, 300, 600, 300]]
    order = await ordered(service, photo, (wide, ""), model="free")
    assert order.problems == []
    (sent,) = transport.orders
    (picture,) = order.pictures
    assert picture.region is not None
    assert sent["size"] == "{}x{}".format(*picture.region.size or (0, 0))
    assert picture.region.size != (1024, 1024)
    await service.aclose()


async def test_the_model_may_see_the_whole_photo(service: Service, backend: Choosy, tmp_path: Path) -> None:
    photo = saved(photo_of((2000, 1500)), tmp_path / "a.jpg")
    regions = regions_of({**painted((DOT, "")), "sees": "whole"})
    order = await service.order_from("edit", [photo], 1, ANN, regions=regions, prompt="a red hat", seed=1)
    await order.finish()
    (picture,) = order.pictures
    assert picture.region is not None
    assert (picture.region.box, picture.width, picture.height) == ((0, 0, 2000, 1500), 2000, 1500)


async def test_each_of_several_pictures_of_one_call_is_put_in(service: Service, tmp_path: Path) -> None:
    photo = saved(photo_of((1200, 900)), tmp_path / "a.png")
    order = await ordered(service, photo, n=3)
    assert [picture.seed for picture in order.pictures] == [7, 7, 7]
    assert {picture.region.box for picture in order.pictures if picture.region} == {order.calls[0].region.box}  # type: ignore[union-attr]
    assert len({pixels(picture.path).tobytes() for picture in order.pictures}) == 3


async def test_a_second_region_is_asked_on_the_picture_that_holds_the_first(
    service: Service, backend: Choosy, tmp_path: Path
) -> None:
    photo = saved(photo_of((1600, 1200)), tmp_path / "a.png")
    order = await ordered(service, photo, (DOT, "a red hat"), (ELSEWHERE, "no lamp"), n=2)
    assert [sent["prompt"] for sent in backend.orders] == ["a red hat", "a red hat", "no lamp", "no lamp"]
    assert [(picture.seed, read(picture.path).prompt) for picture in order.pictures] == [
        (7, "a red hat"), (7, "no lamp"), (8, "a red hat"), (8, "no lamp"),
    ]  # fmt: skip
    library = service.library("ann")
    ids = [entry.id for picture in order.pictures if (entry := library.entry_of(picture.path))]
    assert [read(picture.path).sources for picture in order.pictures] == [("",), (ids[0],), ("",), (ids[2],)]
    first, both = (pixels(picture.path) for picture in order.pictures[:2])
    changed, more = (np.any(one != pixels(photo_of((1600, 1200))), axis=2) for one in (first, both))
    assert (more[changed.nonzero()].all(), more.sum() > changed.sum()) == (True, True)


async def test_a_region_after_a_refused_one_is_asked_on_the_photo_and_that_one_can_be_ordered_again(
    service: Service, backend: Choosy, tmp_path: Path
) -> None:
    photo = saved(photo_of((1200, 900)), tmp_path / "a.png")
    order = await ordered(service, photo, (DOT, "forbidden"), (ELSEWHERE, "no lamp"))
    assert [call.state for call in order.calls] == [State.FAILED, State.DONE]
    assert [*order.numbered] == [1]
    backend.forbidden = ""
    (again,) = await service.order_again(order, ANN, 0)
    await again.finish()
    (both,) = again.pictures
    library = service.library("ann")
    one = library.entry_of(order.pictures[0].path)
    assert one is not None
    assert (read(both.path).prompt, read(both.path).sources) == ("forbidden", (one.id,))
    changed = np.any(pixels(both.path) != pixels(photo_of((1200, 900))), axis=2)
    assert changed[750:800, 180:300].any(), "what came first is in it"
    assert changed[430:510, 550:650].any(), "and so is what came now"


async def test_a_stop_ends_the_regions_that_were_not_sent_yet(
    service: Service, backend: Choosy, tmp_path: Path
) -> None:
    photo = saved(photo_of((1200, 900)), tmp_path / "a.png")
    backend.open.clear()
    told = regions_of(painted((DOT, "a red hat"), (ELSEWHERE, "no lamp")))
    order = await service.order_from("edit", [photo], 1, ANN, regions=told, prompt="-", seed=1)
    assert await asyncio.to_thread(backend.wait_for_orders, 1)
    assert order.cancel() == 1
    backend.open.set()
    await order.finish()
    assert [call.state for call in order.calls] == [State.DONE, State.WAITING]
    assert (len(backend.orders), [*order.numbered]) == (1, [0])


async def test_a_lost_photo_fails_the_call_before_it_is_sent(service: Service, backend: Choosy, tmp_path: Path) -> None:
    photo = saved(photo_of((1200, 900)), tmp_path / "a.png")
    told = regions_of(painted((DOT, "a red hat")))
    order = await service.order_from("edit", [photo], 1, ANN, regions=told, prompt="-", seed=1)
    for path in (tmp_path / "outputs" / ".references").iterdir():
        path.unlink()
    await order.finish()
    assert [type(problem) for problem in order.problems] == [InvalidRequest]
    assert (backend.orders, order.calls[0].unbilled) == ([], 1)


async def test_an_answer_whose_photo_is_gone_is_shown_as_it_came(
    service: Service, backend: Choosy, tmp_path: Path
) -> None:
    photo = saved(photo_of((2000, 1500)), tmp_path / "a.png")
    backend.open.clear()
    told = regions_of(painted((DOT, "a red hat")))
    order = await service.order_from("edit", [photo], 1, ANN, regions=told, prompt="-", seed=1)
    assert await asyncio.to_thread(backend.wait_for_orders, 1)
    for path in (tmp_path / "outputs" / ".references").iterdir():
        path.unlink()
    backend.open.set()
    await order.finish()
    assert [type(problem) for problem in order.problems] == [NotPutIn]
    (picture,) = order.pictures
    assert picture.region is not None
    assert (picture.width, picture.height, picture.region.identical) == (1024, 1024, None)


async def test_paint_is_applied_again_without_a_new_call(service: Service, backend: Choosy, tmp_path: Path) -> None:
    photo = saved(photo_of((1600, 1200)), tmp_path / "a.png")
    order = await ordered(service, photo)
    entry = service.library("ann").entry_of(order.pictures[0].path)
    assert entry is not None
    path = await service.retouching.apply_again(entry, painted(([[100, 0, 520, 400]], ""), edge=0), ANN)
    assert len(backend.orders) == 1
    before, after = read(entry.path).region, read(path).region
    assert before is not None
    assert after is not None
    assert (after.answer, after.sent, after.box) == (before.answer, before.sent, before.box)
    assert (after.strokes, after.edge) == (((100, 0, 520, 400),), 0)
    changed = np.any(pixels(path) != pixels(photo_of((1600, 1200))), axis=2)
    mask = mask_in(after, (1600, 1200), None).resize((1600, 1200))
    assert not changed[pixels(mask) == 0].any()
    assert changed.sum() == 1600 * 1200 - (after.identical or 0)
    assert entry.path.is_file()


async def test_it_is_applied_again_to_the_second_of_two_regions(
    service: Service, backend: Choosy, tmp_path: Path
) -> None:
    photo = saved(photo_of((1600, 1200)), tmp_path / "a.png")
    order = await ordered(service, photo, (DOT, "a red hat"), (ELSEWHERE, "no lamp"))
    entry = service.library("ann").entry_of(order.pictures[1].path)
    assert entry is not None
    path = await service.retouching.apply_again(entry, painted(([[20, 0, 200, 650]], "")), ANN)
    first = pixels(order.pictures[0].path)
    assert len(backend.orders) == 2
    assert np.any(pixels(path) != first, axis=2)[:700].sum() == 0, "the first region stays"
    assert np.any(first != pixels(photo_of((1600, 1200))), axis=2)[400:560].any()


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (painted(([[20, 0, 20, 20]], "")), "mask_outside"),
        (painted(([], "")), "mask_empty"),
        (painted(([[20, 1, 500, 400]], "")), "mask_empty"),
        ({}, "mask_strokes"),
    ],
)
async def test_what_cannot_be_applied_again_is_said(
    service: Service, tmp_path: Path, told: dict[str, Any], problem: str
) -> None:
    photo = saved(photo_of((2000, 1500)), tmp_path / "a.jpg")
    entry = service.library("ann").entry_of((await ordered(service, photo)).pictures[0].path)
    assert entry is not None
    with pytest.raises(InvalidRequest) as refused:
        await service.retouching.apply_again(entry, told, ANN)
    assert refused.value.problem == problem


async def test_an_order_goes_on_after_a_restart_with_the_answer_that_came(
    service: Service, backend: Choosy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = saved(photo_of((1600, 1200)), tmp_path / "a.png")

    async def ends_here(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(service.delivery, "_take_in", ends_here)
        order = await ordered(service, photo, (DOT, "a red hat"), (ELSEWHERE, "no lamp"))
    assert [call.state for call in order.calls] == [State.ANSWERED, State.ANSWERED]
    service.journal.life.end()
    later = made(tmp_path / "outputs", backend)
    await later.running.resume()
    (back,) = later.orders.of("ann")
    await back.finish()
    assert (back.problems, [call.state for call in back.calls]) == ([], [State.DONE, State.DONE])
    assert len(backend.orders) == 2
    first, both = back.pictures
    assert first.region is not None
    assert both.region is not None
    assert read(both.path).sources[0].startswith(both.region.onto)
    differs = np.any(pixels(first.path) != pixels(both.path), axis=2)
    assert not differs[:600].any(), "what the second holds of the first is the same"
    assert differs[700:].any()
    assert np.any(pixels(first.path) != pixels(photo_of((1600, 1200))), axis=2).any()
    await later.aclose()


async def test_the_journal_knows_regions_and_their_words(service: Service, tmp_path: Path) -> None:
    photo = saved(photo_of((1600, 1200)), tmp_path / "a.png")
    order = await ordered(service, photo, (DOT, "a red hat"), (ELSEWHERE, "no lamp"))
    service.journal.life.end()
    later = made(tmp_path / "outputs", Backend())
    (back,) = later.journal.take_over().orders
    assert back.terms == order.terms
    assert [call.region for call in back.calls] == [call.region for call in order.calls]
    assert [call.request.prompt for call in back.calls] == ["a red hat", "no lamp"]
    assert back.pictures == order.pictures
    assert [back.before(call) for call in back.calls] == [[], back.calls[:1]]
    await later.aclose()


async def entry_of(service: Service, photo: Path, **more: Any) -> Entry:
    order = await ordered(service, photo, **more)
    entry = service.library("ann").entry_of(order.pictures[-1].path)
    assert entry is not None
    return entry


async def test_the_proof_is_counted_from_the_files(service: Service, tmp_path: Path) -> None:
    photo = saved(photo_of((1600, 1200)), tmp_path / "a.png")
    entry = await entry_of(service, photo)
    proof = await service.retouching.proof(entry, ANN)
    assert proof is not None
    differs = np.any(pixels(entry.path) != pixels(photo_of((1600, 1200))), axis=2)
    assert (proof.pixels, proof.identical) == (1600 * 1200, int((~differs).sum()))
    with Image.open(service.library("ann").map_path(entry)) as opened:
        shown = pixels(opened.convert("RGB"))
    assert (np.all(shown == MAP_COLOURS[3:], axis=2) == differs).all()
    assert (pixels(proof.photo.path) == pixels(photo_of((1600, 1200)))).all()
    assert [found.size for found in (proof.sent, proof.answered) if found] == [(1024, 1024)] * 2


async def test_a_picture_that_somebody_changed_afterwards_is_found_out(service: Service, tmp_path: Path) -> None:
    photo = saved(photo_of((1600, 1200)), tmp_path / "a.png")
    entry = await entry_of(service, photo)
    recipe = read(entry.path)
    with Image.open(entry.path) as opened:
        changed = opened.copy()
    changed.putpixel((3, 4), (1, 2, 3))
    data = images.verify(images.saved(changed, "PNG"))
    path = await asyncio.to_thread(service.library("ann").save, data, recipe, 1, datetime.now())
    other = service.library("ann").entry_of(path)
    assert other is not None
    before, after = await service.retouching.proof(entry, ANN), await service.retouching.proof(other, ANN)
    assert before is not None
    assert after is not None
    assert after.identical == before.identical - 1


async def plain_edit(service: Service, photo: Path, prompt: str = "a red hat") -> Entry:
    """An edit of the whole photo."""
    order = await (await service.order_from("edit", [photo], 1, ANN, prompt=prompt, seed=4)).finish()
    entry = service.library("ann").entry_of(order.pictures[0].path)
    assert entry is not None
    return entry


async def test_there_is_no_proof_without_the_photo_or_for_other_pictures(service: Service, tmp_path: Path) -> None:
    photo = saved(photo_of((1200, 900)), tmp_path / "a.png")
    assert await service.retouching.proof(await plain_edit(service, photo), ANN) is None
    retouched = await entry_of(service, photo)
    for path in (tmp_path / "outputs" / ".references").iterdir():
        path.unlink()
    assert await service.retouching.proof(retouched, ANN) is None


async def test_a_plain_edit_says_its_drift_and_is_aligned_when_that_is_wanted(
    service: Service, backend: Choosy, tmp_path: Path
) -> None:
    photo = saved(photo_of((1500, 1100)), tmp_path / "a.png")
    entry = await plain_edit(service, photo)
    drift = await service.retouching.drift(entry, ANN)
    assert drift is not None
    assert (drift.moved > 2, drift.aligned, drift.photo.size) == (True, False, (1500, 1100))
    path = await service.retouching.align(entry, ANN)
    straight = service.library("ann").entry_of(path)
    assert straight is not None
    assert straight.size == (1500, 1100)
    left = await service.retouching.drift(straight, ANN)
    assert left is not None
    assert left.aligned
    assert len(backend.orders) == 1
    assert entry.path.is_file()


async def test_another_scene_is_not_aligned(service: Service, tmp_path: Path) -> None:
    photo = saved(photo_of((900, 900)), tmp_path / "a.png")
    entry = await plain_edit(service, photo, "upside down")
    assert await service.retouching.drift(entry, ANN) is None
    with pytest.raises(InvalidRequest):
        await service.retouching.align(entry, ANN)


HOSTILE: list[Any] = [
    None, "", 3, [[]], [[60, 0, 500]], [[60, 0, float("nan"), 400]], [["60", 0, 500, 400]], [[True, 0, 500, 400]],
    [[60, 0, 10**9, 400]], [[60, 0, 500, 400]] * 1000, [[60, 0, *[500, 400] * 20_000]], [{"radius": 60}], [[[60]]],
]  # fmt: skip


@pytest.mark.parametrize("strokes", HOSTILE, ids=lambda strokes: repr(strokes)[:30])
async def test_hostile_strokes_are_refused_in_words(service: Service, strokes: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        regions_of(painted((strokes, "")))
    assert refused.value.problem in ("mask_strokes", "mask_empty")


@pytest.mark.parametrize("more", [{"edge": 99}, {"edge": "1"}, {"edge": float("nan")}, {"edge": True}, {"edge": None}])
async def test_an_edge_that_is_none_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        regions_of(painted((DOT, ""), **more))


async def test_more_regions_or_pictures_than_an_order_has_are_refused_before_anything_is_kept(
    service: Service, backend: Choosy, tmp_path: Path
) -> None:
    photo = saved(photo_of((900, 900)), tmp_path / "a.png")
    with pytest.raises(InvalidRequest):
        regions_of(painted(*[(DOT, "")] * 5))
    for n, regions in ((2, 4), (3, 3), (7, 1), (0, 1)):
        with pytest.raises(InvalidRequest) as refused:
            await ordered(service, photo, *[(DOT, "x")] * regions, n=n)
        assert refused.value.field == "n"
    assert (backend.orders, (tmp_path / "outputs").exists()) == ([], False)


@pytest.mark.parametrize(
    ("kind", "sources", "fields", "problem"),
    [
        ("fusion", ["a.png", "a.png"], {}, "mask_words"),
        ("text_to_image", [], {}, "mask_words"),
        ("edit", ["a.png"], {"size": "1328x1328"}, "mask_size"),
        ("edit", ["https://example.com/a.png"], {}, "picture_here"),
        ("edit", [""], {}, "picture_missing"),
        ("edit", ["a.png"], {"prompt": " "}, "required"),
    ],
)
async def test_what_cannot_be_changed_in_parts_is_refused_and_nothing_is_sent(
    service: Service,
    backend: Choosy,
    tmp_path: Path,
    kind: str,
    sources: Sequence[str],
    fields: dict[str, Any],
    problem: str,
) -> None:
    saved(photo_of((900, 900)), tmp_path / "a.png")
    found = [tmp_path / name if name == "a.png" else name for name in sources]
    with pytest.raises(InvalidRequest) as refused:
        await service.order_from(
            kind, found, 1, ANN, regions=regions_of(painted((DOT, ""))), **{"prompt": "a hat", "seed": 1, **fields}
        )
    assert (refused.value.problem, backend.orders) == (problem, [])


def holed(size: tuple[int, int]) -> Image.Image:
    """Transparent where the photo may change, and nothing but black."""
    mask = Image.new("RGBA", size, "#000000ff")
    mask.paste((0, 0, 0, 0), (size[0] // 2, 0, size[0], size[1] // 2))
    return mask


def white(size: tuple[int, int], mode: str = "L") -> Image.Image:
    mask = Image.new(mode, size)
    mask.paste(
        Image.new(mode, (size[0] // 2, size[1] // 2), "white" if mode in ("L", "RGB", "RGBA") else 1), (size[0] // 2, 0)
    )
    if mode == "RGBA":
        mask.putalpha(255)
    return mask


MASKS: dict[str, Callable[[Path], object]] = {
    "as large as the photo": lambda path: white((1600, 1200)).save(path, "PNG"),
    "smaller": lambda path: white((160, 120)).save(path, "PNG"),
    "larger": lambda path: white((4800, 3600)).save(path, "PNG"),
    "of one bit": lambda path: white((400, 300), "1").save(path, "PNG"),
    "JPEG": lambda path: white((400, 300), "RGB").save(path, "JPEG", quality=60),
    "opaque": lambda path: white((400, 300), "RGBA").save(path, "PNG"),
    "transparent as OpenAI's": lambda path: holed((400, 300)).save(path, "PNG"),
    "on its side": lambda path: (
        white((400, 300)).transpose(Image.Transpose.ROTATE_90).save(path, "JPEG", exif=turned(6))
    ),
}


@pytest.mark.parametrize("kind", MASKS)
async def test_a_mask_says_where_the_photo_may_change(service: Service, tmp_path: Path, kind: str) -> None:
    photo = saved(photo_of((1600, 1200)), tmp_path / "a.png")
    MASKS[kind](mask := tmp_path / "mask")
    order = await (await service.order_from("edit", [photo], 1, ANN, mask=mask, prompt="a hat", seed=1)).finish()
    assert order.problems == []
    differs = np.any(pixels(order.pictures[0].path) != pixels(photo_of((1600, 1200))), axis=2)
    assert differs[20:560, 840:1580].mean() > 0.8
    assert not differs[640:].any()
    assert not differs[:, :750].any()


@pytest.mark.parametrize(
    ("mask", "problem"),
    [
        (Image.new("L", (300, 300), 255), "mask_shape"),
        (Image.new("L", (300, 400), 255), "mask_shape"),
        (Image.new("L", (400, 300), 0), "mask_empty"),
        (Image.new("RGBA", (400, 300), (0, 0, 0, 255)), "mask_empty"),
        (None, "not_a_picture"),
    ],
)
async def test_a_mask_of_another_shape_or_without_white_is_refused_and_nothing_is_sent(
    service: Service, backend: Choosy, tmp_path: Path, mask: Image.Image | None, problem: str
) -> None:
    photo, path = saved(photo_of((1600, 1200)), tmp_path / "a.png"), tmp_path / "mask.png"
    if mask:
        mask.save(path)
    else:
        path.write_bytes(b"no picture")
    with pytest.raises(InvalidRequest) as refused:
        await service.order_from("edit", [photo], 1, ANN, mask=path, prompt="a hat", seed=1)
    assert (refused.value.field, refused.value.problem, backend.orders) == ("mask", problem, [])


async def test_a_picture_with_a_mask_is_ordered_again_with_it(
    service: Service, backend: Choosy, tmp_path: Path
) -> None:
    photo, mask = saved(photo_of((800, 600)), tmp_path / "a.png"), saved(white((400, 300)), tmp_path / "mask.png")
    backend.forbidden = "hat"
    order = await (await service.order_from("edit", [photo], 1, ANN, mask=mask, prompt="a hat", seed=1)).finish()
    backend.forbidden = ""
    (again,) = await service.order_again(order, ANN, 0)
    await again.finish()
    assert [picture.region.mask for picture in again.pictures if picture.region] == [order.terms.regions[0].mask]


@pytest.mark.parametrize(
    "region",
    [
        {"strokes": [[60, 0, 500]]},
        {"strokes": [["a", 0, 1, 2]]},
        {"strokes": [], "words": "<img src=x>"},
        {"box": [1, 2, 3]},
        {"answer": 3},
    ],
)
def test_a_recipe_from_elsewhere_with_a_bad_region_is_refused(region: dict[str, Any]) -> None:
    told = {"kind": "edit", "prompt": "x", "model": "qwen-image-edit-plus", "references": ["a" * 64], "region": region}
    with pytest.raises(BadRecipe):
        check_foreign(parse(json.dumps(told).encode()))


def test_a_recipe_brings_its_region_back() -> None:
    region = Region(strokes=((60, 0, 500.5, 400),), edge=2, box=(1, 2, 3, 4), size=(5, 6), changed=0.25)
    told = {"kind": "edit", "prompt": "x", "model": "qwen-image-edit-plus", "references": ["a" * 64]}
    text = json.dumps({**told, "region": asdict(region)})
    recipe = parse(text.encode())
    check_foreign(recipe)
    assert recipe.region == region
    assert region.wished == replace(region, box=None, size=None, changed=None)
