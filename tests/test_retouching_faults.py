"""Change only here where things go wrong or are gone: nothing paid is lost, nothing is put where it doesn't belong."""

import asyncio
import io
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from qwen_demo import inpaint, preparing
from qwen_demo.api.catalog import PROVIDER, AnySize, Catalog
from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import InvalidRequest
from qwen_demo.call import State
from qwen_demo.colour import is_plain
from qwen_demo.inpaint import regions_of
from qwen_demo.journal import Journal
from qwen_demo.library import Entry, Library
from qwen_demo.order import Order
from qwen_demo.orders import Orders
from qwen_demo.quota import TooManyAttempts, TooMuchKept
from qwen_demo.recipe import read
from qwen_demo.region import SHAPES
from qwen_demo.retouching import NotPutIn
from qwen_demo.service import Service
from qwen_demo.strokes import mask_of
from qwen_demo.visitors import Visitor
from tests.conftest import KEY, with_models
from tests.test_retouching import (
    ANN,
    DOT,
    ELSEWHERE,
    Choosy,
    deep,
    made,
    ordered,
    painted,
    photo_of,
    pixels,
    saved,
    swapped,
    translucent,
)
from tests.test_retouching import backend as backend
from tests.test_retouching import service as service


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return saved(photo_of((1200, 900)), tmp_path / "a.png")


def entry_of(service: Service, order: Order, place: int = -1) -> Entry:
    entry = service.library("ann").entry_of(order.pictures[place].path)
    assert entry is not None
    return entry


async def begun(service: Service, photo: Path, *regions: tuple[Any, str], n: int = 1) -> Order:
    told = regions_of(painted(*regions))
    return await service.order_from("edit", [photo], n, ANN, regions=told, prompt="-", seed=7)


def before_put_in(service: Service, monkeypatch: pytest.MonkeyPatch, number: int, then: Any) -> None:
    """Have something happen just before the answer of that call is put in."""
    put_in, seen = service.retouching.put_in, iter(range(9))

    async def watched(order: Order, call: Any, answer: Any) -> Any:
        if next(seen) == number:
            then(order)
        return await put_in(order, call, answer)

    monkeypatch.setattr(service.retouching, "put_in", watched)


async def test_where_the_earlier_picture_was_deleted_the_later_region_goes_into_the_photo(
    service: Service, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_put_in(service, monkeypatch, 1, lambda order: order.numbered[0].path.unlink())
    order = await (await begun(service, photo, (DOT, "hat"), (ELSEWHERE, "lamp"))).finish()
    assert (order.problems, [call.state for call in order.calls]) == ([], [State.DONE, State.DONE])
    last = order.pictures[-1]
    assert last.region is not None
    assert (last.region.onto, last.width) == ("", 1200)


async def test_an_answer_that_could_not_be_put_in_is_no_ground_for_the_next_region(
    service: Service, backend: Choosy, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(order: Order) -> None:
        kept = service.library("ann").find_reference(order.terms.references[0])
        assert kept is not None
        kept.unlink()

    before_put_in(service, monkeypatch, 0, lose)
    order = await (await begun(service, photo, (DOT, "hat"), (ELSEWHERE, "lamp"))).finish()
    assert [type(problem) for problem in order.problems] == [NotPutIn, InvalidRequest]
    assert len(backend.orders) == 1
    assert order.calls[1].unbilled == 1


@pytest.mark.parametrize("error", [ZeroDivisionError, MemoryError, ValueError])
async def test_whatever_goes_wrong_a_paid_answer_is_shown(
    service: Service, photo: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(inpaint, "match", fail)
    order = await ordered(service, photo)
    assert [type(problem) for problem in order.problems] == [NotPutIn]
    assert [call.state for call in order.calls] == [State.DONE]
    (picture,) = order.pictures
    region = read(picture.path).region
    assert region is not None
    assert (region.identical, service.library("ann").find_reference(region.answer) is not None) == (None, True)
    monkeypatch.undo()
    again = await service.apply_again(entry_of(service, order), painted((DOT, "")), ANN)
    assert again.size == (1200, 900)


async def test_what_was_lost_is_ordered_again_on_its_own_photo_and_together(service: Service, photo: Path) -> None:
    order = await ordered(service, photo, (DOT, "hat"), (ELSEWHERE, "lamp"), n=2)
    first = entry_of(service, order, 0)
    for place in (1, 2, 3):  # as after a crash, which the first call outlived
        del order.numbered[place]
        order.calls[place].state = State.SENT
    placed = await service.order_again(order, ANN)
    for again in placed:
        await again.finish()
    assert [[call.request.prompt for call in again.calls] for again in placed] == [["lamp"], ["hat", "lamp"]]
    assert [again.terms.sources for again in placed] == [(first.id,), ("",)]
    assert order.lost == []


async def test_after_a_restart_a_region_that_was_not_sent_can_be_ordered(
    service: Service, backend: Choosy, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.open.clear()
    order = await begun(service, photo, (DOT, "hat"), (ELSEWHERE, "lamp"))
    assert await asyncio.to_thread(backend.wait_for_orders, 1)
    with monkeypatch.context() as patch:

        async def ends_here(*_: object) -> None:
            raise asyncio.CancelledError

        patch.setattr(service.delivery, "_take_in", ends_here)
        order.calls[1].task.cancel()  # type: ignore[union-attr]
        backend.open.set()
        await order.finish()
    service.journal.life.end()
    later = made(tmp_path / "outputs", backend)
    await later.running.resume()
    (back,) = later.orders.of("ann")
    await back.finish()
    assert [call.state for call in back.calls] == [State.DONE, State.WAITING]
    assert [*back.reasons] == [1]
    assert not back.reasons[1].may_be_billed
    (again,) = await later.order_again(back, ANN, 1)
    await again.finish()
    assert again.terms.sources[0] == entry_of(later, back, 0).id
    await later.aclose()


async def test_background_depth_and_words_are_kept_when_it_is_ordered_again(service: Service, tmp_path: Path) -> None:
    translucent((1200, 900)).save(tmp_path / "a.png")
    told = regions_of(painted((DOT, "hat"), (ELSEWHERE, "")))
    order = await service.order_from("edit", [tmp_path / "a.png"], 1, ANN, "#123456", told, prompt="no lamp", seed=7)
    await order.finish()
    assert [region.words for region in order.terms.regions] == ["hat", "no lamp"]
    (again,) = await service.order_again(order, ANN, 1)
    await again.finish()
    (region,) = again.terms.regions
    assert (region.background, region.words) == ("#123456", "no lamp")
    deep((901, 700)).save(tmp_path / "deep.png")
    order = await ordered(service, tmp_path / "deep.png")
    (again,) = await service.order_again(order, ANN, 0)
    await again.finish()
    assert [found.terms.regions[0].lost for found in (order, again)] == ["depth", "depth"]


@pytest.mark.parametrize("size", [(1600, 1200), (3016, 2200), (1016, 716)])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.bmp"])
def test_eight_bits_are_not_told_as_more(tmp_path: Path, size: tuple[int, int], name: str) -> None:
    assert preparing.original(saved(photo_of(size), tmp_path / name)).lost == ""


async def test_a_model_that_is_told_the_size_is_told_what_was_sent(tmp_path: Path, service: Service) -> None:
    row = replace(PROVIDER.doing("edit")[0], name="free", sizes=(), any_size=AnySize(multiple=32), keeps_shape=False)
    assert [row.sized("{}x{}".format(*shape)) for shape in SHAPES] == ["{}x{}".format(*shape) for shape in SHAPES]
    transport = Choosy(Catalog((*PROVIDER.models, row)))
    client = QwenClient(KEY, "http://offline/v1", transport=transport)
    own = Service(client, Orders(8), Library(tmp_path / "own"), engine=with_models(row))
    order = await ordered(own, saved(photo_of((3000, 2000)), tmp_path / "a.png"), model="free")
    (picture,) = order.pictures
    assert (read(picture.path).size, order.request.size, transport.orders[0]["size"]) == (None, None, "1024x1024")
    (again,) = await own.order_again(order, ANN, 0)
    assert (await again.finish()).problems == []
    await own.aclose()


async def test_what_was_sent_and_answered_goes_with_the_picture(service: Service, photo: Path) -> None:
    library = service.library("ann")
    one = entry_of(service, await ordered(service, photo))
    other = await service.apply_again(one, painted(([[50, 0, 500, 400]], "")), ANN)
    await service.retouching.proof(one, ANN)
    assert library.map_path(one).is_file()
    region = one.recipe.region if one.recipe else None
    assert region is not None
    library.delete(one)
    library.purge(older=-1)
    assert not library.map_path(one).exists()
    assert library.find_reference(region.answer) is not None, "the other one still needs it"
    library.delete(other)
    gone = library.purge(older=-1)
    assert sorted(gone) == sorted([other.id, f"reference-{region.sent}", f"reference-{region.answer}"])
    assert library.find_reference(region.answer) is None
    assert library.find_reference(one.recipe.references[0]) is not None  # type: ignore[union-attr]


async def test_pictures_that_nobody_pays_for_count_before_they_are_kept(
    tmp_path: Path, backend: Choosy, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    service = made(tmp_path / "outputs", backend, public=True)
    ann = Visitor("ann", ("ann",))
    order = await service.order_from(
        "edit", [photo], 1, ann, regions=regions_of(painted((DOT, ""))), prompt="a", seed=1
    )
    entry = entry_of(service, await order.finish())
    left = 300_000_000 - photo_bytes(tmp_path)
    await service.uploads.kept.charge(ann, left - entry.path.stat().st_size - 20_000)
    kept = sorted(service.library("ann").root.rglob("*.png"))
    for radius in (61, 62, 63, 64):
        try:
            await service.apply_again(entry, painted(([[radius, 0, 500, 400]], "")), ann)
        except TooMuchKept:
            break
        kept = sorted(service.library("ann").root.rglob("*.png"))
    else:
        raise AssertionError("nothing limits it")
    assert sorted(service.library("ann").root.rglob("*.png")) == kept, "nothing was saved for what was refused"
    await service.aclose()


def photo_bytes(folder: Path) -> int:
    """Of the photo as it was kept: all that counted so far."""
    return max(path.stat().st_size for path in folder.rglob(".references/*.png"))


async def test_apply_again_and_align_are_attempts(tmp_path: Path, backend: Choosy, photo: Path) -> None:
    service, ann = made(tmp_path / "outputs", backend, attempts="3/day"), Visitor("ann", ("ann",))
    order = await service.order_from(
        "edit", [photo], 1, ann, regions=regions_of(painted((DOT, ""))), prompt="a", seed=1
    )
    entry = entry_of(service, await order.finish())
    await service.apply_again(entry, painted(([[50, 0, 500, 400]], "")), ann)
    await service.apply_again(entry, painted(([[40, 0, 500, 400]], "")), ann)
    with pytest.raises(TooManyAttempts):
        await service.apply_again(entry, painted(([[30, 0, 500, 400]], "")), ann)
    with pytest.raises(TooManyAttempts):
        await service.align(entry, ann)
    await service.aclose()


async def test_a_stop_frees_the_turn_once_the_work_is_done(
    tmp_path: Path, backend: Choosy, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    service = made(tmp_path / "outputs", backend, public=True)
    part_of, at_once, most = inpaint.part_of, 0, 0

    def slow(*args: Any) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.2)
        at_once -= 1
        return part_of(*args)

    monkeypatch.setattr(inpaint, "part_of", slow)
    ann = Visitor("ann", ("ann",))
    for _ in range(4):
        told = regions_of(painted((DOT, "")))
        order = await service.order_from("edit", [photo], 1, ann, regions=told, prompt="a", seed=1)
        await asyncio.sleep(0.05)
        order.cancel()
    for order in service.orders.of("ann"):
        await order.finish()
    assert most == 1
    assert backend.orders == []
    await service.aclose()


def table(*names: bytes, space: bytes = b"RGB ", size: int = 600) -> bytes:
    """A profile with these parts, and nothing in them."""
    head = bytes(16) + space + bytes(108) + len(names).to_bytes(4, "big")
    return (head + b"".join(name + bytes(8) for name in names)).ljust(size, b"\0")


PLAIN = (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")


def test_only_profiles_of_three_curves_and_a_matrix_are_kept(tmp_path: Path) -> None:
    assert is_plain(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert is_plain(table(*PLAIN, b"desc"))
    for bad in (
        table(*PLAIN, b"A2B0"), table(*PLAIN, b"D2B1"), table(*PLAIN, b"B2A2"), table(*PLAIN, b"B2D0"),
        table(*PLAIN[1:]), table(*PLAIN, space=b"CMYK"), table(*PLAIN, size=70_000), b"", b"nonsense", bytes(132),
        table(*PLAIN, *[b"desc"] * 200),
    ):  # fmt: skip
        assert not is_plain(bad)
    kept = preparing.original(saved(photo_of((400, 400)), tmp_path / "a.png", icc_profile=table(*PLAIN, b"A2B0")))
    with Image.open(io.BytesIO(kept.data)) as opened:
        assert "icc_profile" not in opened.info
    assert kept.lost == "", "nothing could be done with it, so nothing changed"


async def test_a_photo_in_its_own_colours_is_aligned_in_a_screens(service: Service, tmp_path: Path) -> None:
    photo = saved(photo_of((1000, 800)), tmp_path / "a.png", icc_profile=swapped())
    order = await (await service.order_from("edit", [photo], 1, ANN, prompt="a hat", seed=4)).finish()
    entry = entry_of(service, order)
    straight = await service.align(entry, ANN)
    before, after = (pixels(found).mean((0, 1)) for found in (entry.path, straight.path))
    assert abs(before - after).max() < 6
    assert order.pictures[0].path == straight.path, "it takes its place"
    with Image.open(straight.path) as opened:
        assert opened.size == (1000, 800)


async def test_the_rim_that_an_edit_lost_is_the_photos(service: Service, tmp_path: Path) -> None:
    photo = saved(photo_of((1000, 800)), tmp_path / "a.png")
    order = await (await service.order_from("edit", [photo], 1, ANN, prompt="a hat", seed=4)).finish()
    straight = await service.align(entry_of(service, order), ANN)
    rims = [pixels(found)[:3].astype(int) for found in (photo, straight.path)]
    assert np.abs(rims[0] - rims[1]).mean() < 12, "mirrored, it would show something else"


@pytest.mark.parametrize(
    ("regions", "prompt", "problem"),
    [
        ([(DOT, "hat"), ([], "spoon")], "x", "part_paint"),
        ([(DOT, "hat"), (ELSEWHERE, "")], " ", "part_words"),
    ],
)
async def test_a_part_without_paint_or_words_is_told(
    service: Service, backend: Choosy, photo: Path, regions: Any, prompt: str, problem: str
) -> None:
    async def order() -> None:
        told = regions_of(painted(*regions))
        await service.order_from("edit", [photo], 1, ANN, regions=told, prompt=prompt, seed=1)

    with pytest.raises(InvalidRequest) as refused:
        await order()
    assert (refused.value.problem, refused.value.facts, backend.orders) == (problem, {"number": 2}, [])


async def test_the_same_paint_is_not_applied_again(service: Service, photo: Path) -> None:
    entry = entry_of(service, await ordered(service, photo))
    outside = [*DOT, [20, 0, 30, 30]]
    for strokes in (DOT, outside):
        with pytest.raises(InvalidRequest) as refused:
            await service.apply_again(entry, painted((strokes, "")), ANN)
        assert refused.value.problem == "mask_same"
    await service.apply_again(entry, painted((DOT, ""), edge=2), ANN)


def test_paint_that_takes_long_to_draw_is_refused() -> None:
    across = [value for point in range(5000) for value in ((point * 613) % 1000, (point * 7) % 1000)]
    with pytest.raises(ValueError, match="too many"):
        mask_of([[200, 0, *across]], (4, 3))
    mask_of([[30, 0, *across[:600]]], (4, 3))


async def test_a_photo_is_made_ready_once(service: Service, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qwen_demo import decoding

    reference, works = decoding.reference, []

    async def counted(work: Any, *more: Any) -> Any:
        works.append(work)
        return await reference(work, *more)

    monkeypatch.setattr(decoding, "reference", counted)
    service.uploads.begin_original(photo, ANN)
    await ordered(service, photo)
    await ordered(service, photo, (ELSEWHERE, ""))
    assert works == ["original"]
    for path in (service.library("ann").root / ".references").iterdir():
        path.unlink()
    await ordered(service, photo)
    assert works == ["original", "original"]


async def test_a_region_is_told_of_an_order_of_before(service: Service, photo: Path, tmp_path: Path) -> None:
    await ordered(service, photo, (DOT, "hat"), (ELSEWHERE, "lamp"))
    service.journal.life.end()
    (back,) = Journal(tmp_path / "outputs").take_over().orders
    assert [back.chain(call) for call in back.calls] == [back.calls, back.calls]
    assert [back.ground(call) for call in back.calls] == [None, back.pictures[0]]
