"""One order of many requests: photos, going on, and what it costs."""

import asyncio
import base64
import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageColor

from qwen_demo.api.catalog import Catalog
from qwen_demo.api.errors import InvalidRequest
from qwen_demo.api.requests import STAND_IN, ImageEdit
from qwen_demo.archive import of_order
from qwen_demo.axes import Axes, expand
from qwen_demo.call import Photo, Picture
from qwen_demo.images import Reference
from qwen_demo.library import Entry, Library
from qwen_demo.order import Order, Terms
from qwen_demo.orders import Orders, ShuttingDown, TooManyOrders
from qwen_demo.quota import Charge, OverQuota, Quota
from qwen_demo.recipe import read
from qwen_demo.service import OtherPayer, Service
from qwen_demo.snippets import as_json
from qwen_demo.usage import Prices
from qwen_demo.visitors import Visitor
from tests.test_journal import ANN, again, answer, dropped, make, pictures, png

COLOURS = ("red", "green", "blue", "white")
REFUSED = httpx.Response(400, json={"error": {"code": "2001", "message": "DataInspectionFailed"}})


def sent(request: httpx.Request) -> str:
    """The SHA-256 of the picture in a call."""
    (image,) = json.loads(request.content)["image"]
    return hashlib.sha256(base64.b64decode(image.partition(",")[2])).hexdigest()


def photos(service: Service, names: tuple[str, ...] = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")) -> list[Photo]:
    """Photos that were made ready, each of another colour."""
    library = service.library("ann")

    def kept(colour: str) -> str:
        return library.keep_reference(Reference(png(colour), "image/png", (16, 16), "PNG", (16, 16), False)).stem

    return [Photo(name, kept(colour)) for name, colour in zip(names, COLOURS, strict=False)]


async def edited(service: Service, found: list[Photo], **more: Any) -> Order:
    order = await service.order_from("edit", [], 1, ANN, photos=found, prompt="warmer", seed=7, **more)
    return await order.finish()


async def test_each_photo_is_read_when_its_turn_comes_and_its_picture_says_which_it_was(tmp_path: Path) -> None:
    came: list[str] = []

    def api(request: httpx.Request) -> httpx.Response:
        came.append(sent(request))
        return answer()

    service = make(tmp_path, api, at_once=1)
    found = photos(service)
    order = await edited(service, found)
    assert came == [photo.reference for photo in found]
    assert {call.request.references for call in order.calls} == {("data:image/png;base64,…",)}
    recipes = [read(picture.path) for picture in order.pictures]
    assert [recipe.references for recipe in recipes] == [(photo.reference,) for photo in found]
    assert [(recipe.prompt, recipe.seed) for recipe in recipes] == [("warmer", 7)] * 4
    assert [call.photo.shape for call in order.calls if call.photo] == [(16, 16)] * 4


async def test_what_the_api_returns_beyond_what_was_asked_takes_no_other_photos_place(tmp_path: Path) -> None:
    def two(request: httpx.Request) -> httpx.Response:
        picture = base64.b64encode(png(COLOURS[names.index(sent(request))])).decode()
        return httpx.Response(200, json={"data": [{"b64_json": picture}] * 2})

    service = make(tmp_path, two)
    found = photos(service)
    names = [photo.reference for photo in found]
    order = await edited(service, found)
    assert (sorted(order.numbered), order.problems) == ([0, 1, 2, 3], [])
    assert [Image.open(picture.path).getpixel((0, 0)) for picture in order.pictures] == [
        ImageColor.getrgb(colour) for colour in COLOURS
    ]


async def test_a_photo_that_is_gone_is_told_and_the_others_come(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def api(_: httpx.Request) -> httpx.Response:
        await gate.wait()
        return answer()

    service = make(tmp_path, api, at_once=1)
    found = photos(service)
    order = await service.order_from("edit", [], 1, ANN, photos=found, prompt="warmer")
    file = service.library("ann").find_reference(found[2].reference)
    assert file
    file.unlink()
    gate.set()
    await order.finish()
    assert sorted(order.numbered) == [0, 1, 3]
    assert [(type(reason), reason.may_be_billed) for reason in order.reasons.values()] == [(InvalidRequest, False)]
    with pytest.raises(InvalidRequest):  # and next time before anything is sent
        await edited(service, found)


async def test_each_photo_is_asked_in_every_way(tmp_path: Path) -> None:
    service = make(tmp_path, lambda _: answer())
    models = ("qwen-image-edit-plus", "qwen-image-edit")
    order = await edited(service, photos(service, ("a.jpg", "b.jpg")), axes=Axes(model=models))
    assert [(call.photo and call.photo.name, call.request.model) for call in order.calls] == [
        ("a.jpg", models[0]),
        ("a.jpg", models[1]),
        ("b.jpg", models[0]),
        ("b.jpg", models[1]),
    ]


async def test_as_code_each_photo_has_a_number_and_an_address_stays_one(tmp_path: Path) -> None:
    service = make(tmp_path, lambda _: answer())
    found = [*photos(service, ("a.jpg", "b.jpg")), Photo("c.png", "https://pictures.example/c.png")]
    order = await edited(service, found, axes=Axes(prompt=("warmer", "colder")))
    first = [found.index(replace(call.photo, shape=(1, 1))) + 1 for call in order.calls if call.photo]
    bodies = json.loads(as_json(service.engine, [call.sent for call in order.calls], first))
    assert [body["image"] for body in bodies] == [
        ["data:image/png;base64,…(image-1.png)"],
        ["data:image/png;base64,…(image-1.png)"],
        ["data:image/png;base64,…(image-2.png)"],
        ["data:image/png;base64,…(image-2.png)"],
        ["https://pictures.example/c.png"],
        ["https://pictures.example/c.png"],
    ]


async def test_paint_and_several_ways_are_refused_together(tmp_path: Path) -> None:
    service = make(tmp_path, lambda _: answer())
    with pytest.raises(InvalidRequest) as refused:
        await service.order_from("edit", ["data:"], 1, ANN, mask="data:", axes=Axes(prompt=("a", "b")), prompt="a")
    assert refused.value.problem == "axes_mask"


class Api:
    """Lets a number of calls through; those of some seeds or prompts it refuses."""

    def __init__(self) -> None:
        self.through = asyncio.Semaphore(0)
        self.came: Counter[str] = Counter()
        self.refused: set[str] = set()
        self._arrived = asyncio.Condition()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        prompt = json.loads(request.content)["prompt"]
        async with self._arrived:
            self.came[prompt] += 1
            self._arrived.notify_all()
        await self.through.acquire()
        return REFUSED if prompt in self.refused else answer()

    async def has(self, count: int) -> None:
        """Wait until so many calls have come."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: self.came.total() >= count)

    def let(self, count: int) -> None:
        for _ in range(count):
            self.through.release()


WORDS = ("one", "two", "three", "four", "five")


async def begun(service: Service, words: tuple[str, ...] = WORDS) -> Order:
    fields: dict[str, Any] = {"prompt": words[0], "seed": 7, "response_format": "b64_json"}
    return await service.order_from("text_to_image", [], 1, ANN, axes=Axes(prompt=words), words="{…}", **fields)


async def test_after_a_restart_it_goes_on_where_it_stood_once_it_is_told_to(tmp_path: Path) -> None:
    api, quota = Api(), Quota("20/day", "")
    service = make(tmp_path, api, at_once=1, quota=quota)
    await begun(service)
    api.let(2)
    await asyncio.wait_for(api.has(3), 30)
    await dropped(service)

    later = Api()
    anew, (known,) = await again(service, later)
    assert (known.paused, known.terms.words, [call.request.prompt for call in known.calls]) == (True, "{…}", [*WORDS])
    assert [call.request.prompt for call in known.open] == ["four", "five"]
    assert known.lost == [known.calls[2]]  # it may be billed: not by itself
    await asyncio.sleep(0)
    assert later.came == {}
    later.let(9)
    await anew.go_on(known, ANN)
    await known.finish()
    assert later.came == {"four": 1, "five": 1}
    assert (sorted(known.numbered), known.paused, known.open) == ([0, 1, 3, 4], False, [])
    assert len(pictures(tmp_path)) == 4
    await anew.go_on(known, ANN)  # nothing is open
    assert later.came == {"four": 1, "five": 1}
    assert await anew.order_again(known, ANN) == []  # what is lost takes a click of its own
    await known.finish()
    assert later.came == {"three": 1, "four": 1, "five": 1}
    assert (sorted(known.numbered), known.lost) == ([0, 1, 2, 3, 4], [])


async def test_photos_go_on_after_a_restart_each_with_its_own(tmp_path: Path) -> None:
    first: list[str] = []
    second, gate = asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        first.append(sent(request))
        if len(first) > 1:
            second.set()
            await gate.wait()
        return answer()

    service = make(tmp_path, slow, at_once=1)
    found = photos(service)
    order = await service.order_from("edit", [], 1, ANN, photos=found, prompt="warmer")
    await asyncio.wait_for(second.wait(), 30)
    await dropped(service)
    came: list[str] = []

    def api(request: httpx.Request) -> httpx.Response:
        came.append(sent(request))
        return answer()

    anew, (known,) = await again(service, api)
    await anew.go_on(known, ANN)
    await known.finish()
    assert came == [photo.reference for photo in found[2:]]
    assert [call.photo for call in known.calls] == [call.photo for call in order.calls]


async def test_what_failed_at_no_cost_is_ordered_again_in_its_place_and_counted_again(tmp_path: Path) -> None:
    api, quota = Api(), Quota("7/day", "")
    api.refused = {"two", "four"}
    api.let(99)
    service = make(tmp_path, api, quota=quota)
    order = await (await begun(service)).finish()
    assert (sorted(order.numbered), [call.request.prompt for call in order.open]) == ([0, 2, 4], ["two", "four"])
    api.refused = {"four"}
    await service.go_on(order, ANN, place=1)
    await order.finish()
    assert (sorted(order.numbered), sorted(order.reasons)) == ([0, 1, 2, 4], [3])
    assert api.came == {"one": 1, "two": 2, "three": 1, "four": 1, "five": 1}
    api.refused = set()
    await service.go_on(order, ANN)
    await order.finish()
    assert (sorted(order.numbered), order.problems) == ([0, 1, 2, 3, 4], [])
    assert await quota.left(ANN) == 2
    (row,) = service.ledger.of("ann")
    assert (row.asked, row.pictures) == (5, 5)


async def test_going_on_is_refused_where_an_order_would_be(tmp_path: Path) -> None:
    api, quota = Api(), Quota("5/day", "")
    api.let(99)
    service = make(tmp_path, api, quota=quota)
    order = await begun(service, ("one", "two", "three", "four"))
    order.cancel()
    await order.finish()
    assert len(order.open) == 4
    await quota.charge(ANN, 2)
    with pytest.raises(OverQuota):
        await service.go_on(order, ANN)
    assert (await quota.left(ANN), order.finished, len(order.open)) == (3, True, 4)
    service.orders.draining = True
    with pytest.raises(ShuttingDown):
        await service.go_on(order, ANN)


async def test_two_presses_go_on_once(tmp_path: Path) -> None:
    api, quota = Api(), Quota("9/day", "")
    service = make(tmp_path, api, quota=quota)
    order = await begun(service, ("one", "two"))
    order.cancel()
    await order.finish()
    api.let(99)
    outcomes = await asyncio.gather(*(service.go_on(order, ANN) for _ in range(3)), return_exceptions=True)
    await order.finish()
    assert {type(outcome) for outcome in outcomes} <= {type(None), TooManyOrders}
    assert (api.came, await quota.left(ANN)) == ({"one": 1, "two": 1}, 7)


class Slow(Quota):
    """Counts once only when it may."""

    def __init__(self) -> None:
        super().__init__("9/day", "")
        self.slow, self.asked, self.may = False, asyncio.Event(), asyncio.Event()

    async def charge(self, visitor: Visitor, pictures: int) -> Charge:
        if self.slow:
            self.slow = False
            self.asked.set()
            await self.may.wait()
        return await super().charge(visitor, pictures)


async def test_a_press_that_was_overtaken_orders_nothing(tmp_path: Path) -> None:
    api, quota = Api(), Slow()
    api.let(99)
    service = make(tmp_path, api, quota=quota)
    order = await begun(service, ("one", "two"))
    order.cancel()
    await order.finish()
    quota.slow = True
    late = asyncio.create_task(service.go_on(order, ANN))
    await asyncio.wait_for(quota.asked.wait(), 30)
    await service.go_on(order, ANN)
    await order.finish()
    quota.may.set()
    with pytest.raises(TooManyOrders):
        await late
    assert (api.came, await quota.left(ANN)) == ({"one": 1, "two": 1}, 7)


async def test_of_a_stopped_order_one_place_goes_on_and_the_others_stay_dropped(tmp_path: Path) -> None:
    api = Api()
    service = make(tmp_path, api)
    order = await begun(service, ("one", "two", "three"))
    order.cancel()
    await order.finish()
    api.let(99)
    await service.go_on(order, ANN, place=1)
    assert [call.dropped for call in order.calls] == [True, False, True]
    await order.finish()
    assert (api.came, order.stopped, order.paused) == ({"two": 1}, True, False)
    assert order.seconds < 60


async def test_one_photo_alone_is_ordered_again_in_its_place(tmp_path: Path) -> None:
    answers = [REFUSED, answer()]
    service = make(tmp_path, lambda _: answers.pop(0))
    order = await edited(service, photos(service)[:1])
    assert (order.may_go_again(0), order.reasons[0].may_be_billed) == (True, False)
    assert await service.order_again(order, ANN, 0) == []
    await order.finish()
    assert sorted(order.numbered) == [0]


async def test_where_nobody_pays_what_is_lost_is_ordered_again_too(tmp_path: Path) -> None:
    api = Api()
    service = make(tmp_path, api, at_once=1)
    service.engine = replace(service.engine, billed=False)
    await begun(service, ("one", "two"))
    await asyncio.wait_for(api.has(1), 30)
    await dropped(service)
    later = Api()
    anew, (known,) = await again(service, later)
    assert [known.may_go_again(place) for place in (0, 1)] == [True, True]
    later.let(99)
    await anew.go_on(known, ANN, 0)
    await known.finish()
    assert (later.came, sorted(known.numbered)) == ({"one": 1}, [0])


async def test_an_order_goes_on_with_the_models_of_now(tmp_path: Path) -> None:
    service = make(tmp_path, Api())
    order = await begun(service, ("one", "two"))
    order.cancel()
    await order.finish()
    others = tuple(row for row in service.engine.catalog.models if row.name != order.request.model)
    service.engine = replace(service.engine, catalog=Catalog(others))
    with pytest.raises(InvalidRequest) as refused:
        await service.go_on(order, ANN)
    assert (refused.value.field, order.finished, len(order.open)) == ("model", True, 2)


async def test_what_was_ordered_with_another_key_does_not_go_on_with_the_owners(tmp_path: Path) -> None:
    service = make(tmp_path, Api())
    order = await begun(service, ("one", "two"))
    order.cancel()
    await order.finish()
    order.terms = replace(order.terms, own_key=True, host="")
    with pytest.raises(OtherPayer):
        await service.go_on(order, ANN)
    assert (order.finished, len(order.open)) == (True, 2)


async def test_who_goes_away_while_it_is_counted_is_not_charged(tmp_path: Path) -> None:
    api, quota = Api(), Quota("9/day", "")
    service = make(tmp_path, api, quota=quota)
    begun_counting = asyncio.Event()

    async def charge(visitor: Visitor, amount: int) -> None:
        begun_counting.set()
        await asyncio.Event().wait()

    service.running.attempts.charge = charge  # type: ignore[method-assign]
    ordering = asyncio.create_task(begun(service))
    await asyncio.wait_for(begun_counting.wait(), 30)
    assert await quota.left(ANN) == 4
    ordering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ordering
    assert await quota.left(ANN) == 9


async def test_what_may_be_billed_never_goes_again_by_itself(tmp_path: Path) -> None:
    def api(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["prompt"] == "two":
            raise httpx.ReadError("reset")
        return answer()

    service = make(tmp_path, api)
    order = await (await begun(service, ("one", "two"))).finish()
    assert (sorted(order.numbered), order.open) == ([0], [])


def test_a_zip_keeps_the_names_of_the_photos(tmp_path: Path) -> None:
    library = Library(tmp_path)
    names = [
        "beach.jpg",
        "BEACH.png",
        "beach.jpg",
        "../../etc/passwd",
        "a<b>:c?.heic",
        "猫.jpg",
        ".jpg",
        "C:\\x\\y.png",
        "",
        "照片（1）.jpg",
        "हिन्दी น้ำ it’s.jpg",
        "🐱 cat.jpg",
        "v1.2 final",
        f"{'长' * 90}.jpg",
        "a\u202egpj.exe\n.png",
    ]
    order = an_order_of(tmp_path, names)
    assert list(of_order(order, library)) == [
        "beach-edited.png",
        "BEACH-edited-2.png",
        "beach-edited-3.png",
        "passwd-edited.png",
        "a_b__c_-edited.png",
        "猫-edited.png",
        "picture-edited.png",
        "y-edited.png",
        "picture-edited-2.png",
        "照片（1）-edited.png",
        "हिन्दी น้ำ it’s-edited.png",
        "🐱 cat-edited.png",
        "v1.2 final-edited.png",
        f"{'长' * 38}-edited.png",
        "a_gpj.exe_-edited.png",
    ]
    del order.numbered[0]
    assert next(iter(of_order(order, library))) == "BEACH-edited.png"
    assert all(isinstance(entry, Entry) for entry in of_order(order, library).values())


def test_no_picture_is_missing_in_a_zip_where_names_and_numbers_meet(tmp_path: Path) -> None:
    axes = Axes(prompt=("grey", "grey 2"))
    requests = expand("edit", [STAND_IN], 2, axes, {"prompt": "a", "seed": 1}, 2)
    order = Order(requests, ANN, Terms(photos=(Photo("a.jpg", "1" * 64), Photo("a.png", "2" * 64))))
    for place in range(order.n):
        order.add(place, Picture(tmp_path / f"{place}.png", 16, 16, 7, None))
    assert list(of_order(order, Library(tmp_path))) == [
        "a-edited.png",
        "a-edited-2.png",
        "a-edited-2-2.png",
        "a-edited-2-3.png",
        "a-edited-3.png",
        "a-edited-4.png",
        "a-edited-2-4.png",
        "a-edited-2-5.png",
    ]


def test_a_zip_of_photos_in_several_ways_says_which_is_which(tmp_path: Path) -> None:
    models = ("qwen-image-edit-plus", "qwen-image-edit")
    axes = Axes(prompt=("make it night", "make it snowy"), model=models)
    photo = Photo("beach.jpg", "1" * 64)
    requests = expand("edit", [STAND_IN], 1, axes, {"prompt": "a", "seed": 1})
    order = Order(requests, ANN, Terms(photos=(photo,)))
    for place in range(4):
        order.add(place, Picture(tmp_path / f"{place}.png", 16, 16, 7, None))
    assert list(of_order(order, Library(tmp_path))) == [
        "beach-edited-night-qwen-image-edit-plus.png",
        "beach-edited-night-qwen-image-edit.png",
        "beach-edited-snowy-qwen-image-edit-plus.png",
        "beach-edited-snowy-qwen-image-edit.png",
    ]


def an_order_of(folder: Path, names: list[str]) -> Order:
    found = tuple(Photo(name, f"{number:064}") for number, name in enumerate(names))
    order = Order([ImageEdit(prompt="a", image=STAND_IN)] * len(names), ANN, Terms(photos=found))
    for place in range(len(names)):
        order.add(place, Picture(folder / "2026-11-26" / f"{place}.png", 16, 16, 7, None))
    return order


async def test_pictures_of_several_models_cost_what_each_costs(tmp_path: Path) -> None:
    service = make(tmp_path, lambda _: answer())
    fields: dict[str, Any] = {"prompt": "a", "seed": 7}
    axes = Axes(model=("qwen-image", "qwen-image-plus"), seed=(1, 2))
    order = await (await service.order_from("text_to_image", [], 1, ANN, axes=axes, **fields)).finish()
    service.ledger.prices = Prices({"qwen-image": 0.25, "qwen-image-plus": 0.2})
    assert service.ledger.cost(order) == pytest.approx(0.9)
    service.ledger.prices = Prices({"qwen-image": 0.25})
    assert service.ledger.cost(order) is None
    assert [row.model for row in service.ledger.of("ann")] == ["qwen-image, qwen-image-plus"]


async def test_a_visitors_line_is_long_enough_for_two_large_orders(tmp_path: Path) -> None:
    client_orders = Orders(1, each=1)
    client_orders.check(Visitor("ann", ("a",)), 100)
    with pytest.raises(TooManyOrders):
        client_orders.check(Visitor("ann", ("a",)), 101)
