"""Orders, as the service runs them: calls side by side, a line with places, and failures that stay alone."""

import asyncio
import base64
import io
import json
import os
import weakref
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from qwen_demo.api.client import QwenClient
from qwen_demo.api.requests import ImageEdit, ImageRequest, TextToImage
from qwen_demo.call import State
from qwen_demo.library import Library
from qwen_demo.logs import InternalError
from qwen_demo.order import Order
from qwen_demo.orders import MOST_CALLS, MOST_KEPT, Orders, ShuttingDown, TooManyOrders
from qwen_demo.service import Service
from qwen_demo.usage import Prices
from qwen_demo.visitors import Visitor
from tests.conftest import ask_for

ANN = Visitor("ann", ("cookie ann", "address 1"))
ANN_AGAIN = Visitor("ann-2", ("cookie ann-2", "address 1"))
BOB = Visitor("bob", ("cookie bob", "address 2"))
FOUR = TextToImage(prompt="a", seed=10)
"""Ordered four times, its seeds are 10 to 13."""


def picture() -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


class Api(httpx.AsyncBaseTransport):
    """Answers an order once its seed's gate is open; all are open, unless `shut` is set."""

    def __init__(self) -> None:
        self.shut = False
        self.sent: list[int] = []
        self.bodies: list[dict[str, object]] = []
        self.under_way = self.most = 0
        self.failing: set[int] = set()
        self._gates: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self._came = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        self.sent.append(body["seed"])
        self.bodies.append(body)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self._came.set()
        if self.shut:
            await self._gates[body["seed"]].wait()
        self.under_way -= 1
        if body["seed"] in self.failing:
            return httpx.Response(200, json={"data": []})
        return httpx.Response(200, json={"data": [{"b64_json": picture()}], "usage": {"total_tokens": 2}})

    def let_through(self, *seeds: int) -> None:
        """Open the gates of these seeds; with none given, of all."""
        self.shut = self.shut and bool(seeds)
        for seed in seeds or self.sent:
            self._gates[seed].set()

    async def has(self, number: int) -> None:
        """Wait until so many orders have come."""
        while len(self.sent) < number:
            self._came.clear()
            await asyncio.wait_for(self._came.wait(), 30)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def service_of(api: Api, tmp_path: Path) -> Callable[..., Service]:
    def make(orders: Orders, **options: object) -> Service:
        client = QwenClient("sk-test", "https://api.example/v1", transport=api)
        return Service(client, orders, Library(tmp_path), **options)  # type: ignore[arg-type]

    return make


async def seeds_of(order: Order) -> list[int | None]:
    return [picture.seed for picture in (await order.finish()).pictures]


async def test_pictures_arrive_one_by_one_and_stand_in_the_order_of_their_seeds(
    api: Api, service_of: Callable[..., Service]
) -> None:
    api.shut = True
    order = await ask_for(service_of(Orders(8)), FOUR, 4, ANN)
    await api.has(4)
    seen: list[list[int | None]] = []
    for seed in (12, 10, 13, 11):
        api.let_through(seed)
        async for _ in order.watch():
            if len(order.pictures) > len(seen):
                break
        seen.append([shown.seed for shown in order.pictures])
    assert seen == [[12], [10, 12], [10, 12, 13], [10, 11, 12, 13]]
    assert (await order.finish()).finished


async def test_one_failed_call_takes_no_other_along(api: Api, service_of: Callable[..., Service]) -> None:
    api.failing = {11}
    order = await (await ask_for(service_of(Orders(8)), FOUR, 4, ANN)).finish()
    assert [shown.seed for shown in order.pictures] == [10, 12, 13]
    assert [str(problem) for problem in order.problems] == ["the answer holds no picture"]


async def test_what_no_one_foresaw_is_an_internal_error_with_an_id_in_the_log(
    service_of: Callable[..., Service], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(_: bytes) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("qwen_demo.images.verify", fault)
    (problem,) = (await (await ask_for(service_of(Orders(8)), FOUR, 1, ANN)).finish()).problems
    assert isinstance(problem, InternalError)
    assert problem.id in caplog.text
    assert problem.may_be_billed


async def test_no_more_calls_than_the_limit_are_under_way_and_who_waits_has_a_place(
    api: Api, service_of: Callable[..., Service]
) -> None:
    api.shut = True
    service = service_of(Orders(3))
    first, second = await ask_for(service, FOUR, 4, ANN), await ask_for(service, FOUR, 4, BOB)
    await api.has(3)
    async for _ in second.watch():
        if second.place:
            break
    assert (first.place, second.place) == (2, 1)  # one has had a turn, and the other none
    api.let_through()
    assert [await seeds_of(order) for order in (first, second)] == [[10, 11, 12, 13]] * 2
    assert api.most == 3


async def test_a_visitors_calls_wait_for_each_other_and_not_for_more_than_a_hundred(
    api: Api, service_of: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_demo.orders.MOST_CALLS", 12)
    assert MOST_CALLS == 100
    api.shut = True
    service = service_of(Orders(32, each=2))
    orders = [
        await ask_for(service, TextToImage(prompt=visitor.name, seed=seed), 6, visitor)
        for visitor, seed in ((ANN, 10), (ANN, 20), (BOB, 30))
    ]
    await api.has(4)
    await asyncio.sleep(0)
    assert sorted(str(body["prompt"]) for body in api.bodies) == ["ann", "ann", "bob", "bob"]
    with pytest.raises(TooManyOrders):
        await ask_for(service, FOUR, 1, ANN_AGAIN)
    api.let_through()
    for order in orders:
        assert len((await order.finish()).pictures) == 6
    assert await seeds_of(await ask_for(service, FOUR, 1, ANN_AGAIN)) == [10]


async def test_cancel_drops_what_was_not_sent_and_counts_what_was(api: Api, service_of: Callable[..., Service]) -> None:
    api.shut = True
    order = await ask_for(service_of(Orders(1)), FOUR, 4, ANN)
    await api.has(1)
    assert order.cancel() == 1
    api.let_through()
    await order.finish()
    assert api.sent == [10]
    assert [shown.seed for shown in order.pictures] == [10]
    assert order.problems == []


async def test_nobody_finds_anothers_order(service_of: Callable[..., Service]) -> None:
    service = service_of(Orders(8))
    order = await ask_for(service, FOUR, 4, ANN)
    assert service.orders.find(order.id, "ann") is order
    assert service.orders.find(order.id, "bob") is None
    assert service.orders.find("nonsense", "ann") is None
    await order.finish()


async def test_a_finished_order_is_found_again_and_leaves_memory_in_the_end(
    service_of: Callable[..., Service],
) -> None:
    gone = asyncio.Event()
    service = service_of(Orders(8, keep=0.2))
    order = await ask_for(service, FOUR, 1, ANN)
    weakref.finalize(order, gone.set)
    identity = order.id
    await order.finish()
    assert service.orders.find(identity, "ann") is order
    del order
    await asyncio.wait_for(gone.wait(), 30)
    assert service.orders.find(identity, "ann") is None


async def test_an_order_that_goes_on_is_kept_while_it_runs_and_for_a_while_after_its_last_end() -> None:
    keep, passed = 0.05, asyncio.Event()
    orders = Orders(8, keep=keep)
    order = orders.place([FOUR, FOUR], ANN)
    orders.end(order)
    order.go_on(order.calls, [FOUR, FOUR])
    asyncio.get_running_loop().call_later(keep, passed.set)
    await passed.wait()
    assert (orders.find(order.id, "ann"), orders.running) == (order, 1)
    orders.end(order)
    async for found in orders.follow("ann"):
        if not found:
            break


async def test_each_end_of_an_order_renews_the_time_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, timers = asyncio.get_running_loop(), []
    call_later = loop.call_later

    def noted(*args: Any) -> asyncio.TimerHandle:
        timers.append(call_later(*args))
        return timers[-1]

    monkeypatch.setattr(loop, "call_later", noted)
    orders = Orders(8)
    order = orders.place([FOUR, FOUR], ANN)
    for _ in range(3):
        orders.end(order)
        order.go_on(order.calls, [FOUR, FOUR])
    assert [timer.cancelled() for timer in timers] == [True, True, False]
    orders.forget(order)
    assert timers[-1].cancelled()


async def test_only_what_runs_counts_for_the_visitors_line() -> None:
    orders = Orders(8, each=4)
    order = orders.place([FOUR] * 50, ANN)
    orders.place([FOUR] * 50, ANN)
    with pytest.raises(TooManyOrders):
        orders.check(ANN_AGAIN, 1)
    orders.end(order)
    orders.check(ANN_AGAIN, 50)
    for call in order.calls:
        call.charged = False
    order.go_on(order.calls[:1], [FOUR])
    orders.check(ANN_AGAIN, 49)
    with pytest.raises(TooManyOrders):
        orders.check(ANN_AGAIN, 50)


async def test_a_finished_order_holds_no_pictures_that_were_sent(api: Api, service_of: Callable[..., Service]) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (400, 400), "red").save(buffer, "PNG")
    picture = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    edit = ImageEdit(prompt="a", image=picture, seed=1)
    order = await ask_for(service_of(Orders(8)), edit, 1, ANN)
    await order.finish()
    assert [len(str(body["image"])) > 500 for body in api.bodies] == [True]
    assert [len(reference) for reference in order.request.references] == [64]


async def test_each_place_has_its_own_reason_and_the_others_go_on(api: Api, service_of: Callable[..., Service]) -> None:
    api.shut = True
    api.failing = {11, 13}
    order = await ask_for(service_of(Orders(8)), FOUR, 4, ANN)
    await api.has(4)
    api.let_through(11)
    async for _ in order.watch():
        if order.reasons:
            break
    assert (sorted(order.reasons), order.finished, order.pictures) == ([1], False, ())
    api.let_through()
    await order.finish()
    assert {place: str(reason) for place, reason in order.reasons.items()} == {
        1: "the answer holds no picture",
        3: "the answer holds no picture",
    }
    assert (sorted(order.numbered), [call.places for call in order.calls]) == (
        [0, 2],
        [range(at, at + 1) for at in range(4)],
    )


async def test_a_call_of_several_pictures_has_one_reason_for_all_its_places(
    api: Api, service_of: Callable[..., Service]
) -> None:
    api.failing = {1}
    edit = ImageEdit(prompt="a", image="https://pictures.example/a.png", seed=1)
    order = await (await ask_for(service_of(Orders(8)), edit, 3, ANN)).finish()
    assert [(call.places, call.request.n) for call in order.calls] == [(range(3), 3)]
    assert sorted(order.reasons) == [0, 1, 2]
    assert len(set(map(id, order.reasons.values()))) == len(order.problems) == 1


class Follower:
    """Follows a visitor's orders. `heard` is what it was told, one entry each time: the orders' names."""

    def __init__(self, orders: Orders, visitor: str) -> None:
        self._told = orders.follow(visitor, every=3600)

    async def hears(self) -> list[str]:
        return [order.id for order in await asyncio.wait_for(anext(self._told), 30)]


async def test_who_follows_hears_at_once_and_of_each_change_of_the_own_orders_alone(
    api: Api, service_of: Callable[..., Service]
) -> None:
    api.shut = True
    service = service_of(Orders(8))
    ann, bob = (Follower(service.orders, name) for name in ("ann", "bob"))
    assert await ann.hears() == await bob.hears() == []
    bob_waits = asyncio.ensure_future(bob.hears())
    first = await ask_for(service, FOUR, 1, ANN)
    assert await ann.hears() == [first.id]
    await api.has(1)
    second = await ask_for(service, FOUR, 1, ANN)
    await api.has(2)
    heard = await ann.hears()
    while len(heard) < 2:
        heard = await ann.hears()
    assert heard == [first.id, second.id]  # the oldest first
    changes = first.changes
    api.let_through()
    for order in (first, second):
        await order.finish()
    while not (first.finished and second.finished):
        await ann.hears()
    assert await ann.hears() == [first.id, second.id]
    assert first.changes > changes
    service.orders.forget(first)
    assert await ann.hears() == [second.id]
    assert not bob_waits.done()
    own = await ask_for(service, FOUR, 1, BOB)
    assert await bob_waits == [own.id]
    await own.finish()


async def test_who_begins_to_follow_in_the_middle_hears_of_all_and_many_may_follow(
    service_of: Callable[..., Service],
) -> None:
    service = service_of(Orders(8))
    order = await (await ask_for(service, FOUR, 2, ANN)).finish()
    followers = [Follower(service.orders, "ann") for _ in range(3)]
    assert [await follower.hears() for follower in followers] == [[order.id]] * 3
    order.tell()
    assert [await follower.hears() for follower in followers] == [[order.id]] * 3


async def test_an_order_of_before_is_followed_like_any_other(
    tmp_path: Path, service_of: Callable[..., Service]
) -> None:
    before = service_of(Orders(8))
    await (await ask_for(before, FOUR, 1, ANN)).finish()
    before.journal.life.end()
    service = service_of(Orders(8))
    ann = Follower(service.orders, "ann")
    assert await ann.hears() == []
    await service.running.resume()
    (order,) = service.orders.of("ann")
    order.tell()
    assert await ann.hears() == [order.id]


async def test_of_each_visitors_finished_orders_the_last_fifty_are_kept(
    service_of: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_demo.orders.MOST_KEPT", 3)
    assert MOST_KEPT == 50
    service = service_of(Orders(8))
    other = await (await ask_for(service, FOUR, 1, BOB)).finish()
    placed = [await (await ask_for(service, FOUR, 1, ANN)).finish() for _ in range(5)]
    assert service.orders.of("ann") == placed[2:]
    assert service.orders.of("bob") == [other]
    for number, order in enumerate(placed):  # whatever the clock of the disk can tell apart
        os.utime(tmp_path / ".orders" / f"{order.id}.json", (number, number))
    service.journal.life.end()
    anew = service_of(Orders(8))
    await anew.running.resume()  # all of them stand in the journal
    assert [order.id for order in anew.orders.of("ann")] == [order.id for order in placed[2:]]
    assert [order.id for order in anew.orders.of("bob")] == [other.id]


async def test_what_is_unread_or_under_way_stays_however_many_come_after(
    api: Api, service_of: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_demo.orders.MOST_KEPT", 2)
    service = service_of(Orders(8))
    api.failing = {77}
    unread = await (await ask_for(service, TextToImage(prompt="a", seed=77), 1, ANN)).finish()
    assert unread.unread
    api.shut = True
    running = await ask_for(service, TextToImage(prompt="a", seed=5), 1, ANN)
    await api.has(2)
    api.shut = False
    placed = [await (await ask_for(service, FOUR, 1, ANN)).finish() for _ in range(3)]
    assert service.orders.of("ann") == [unread, running, placed[2]]
    api.let_through()
    await running.finish()


async def test_what_arrives_is_counted_for_its_visitor_whoever_watches(service_of: Callable[..., Service]) -> None:
    service = service_of(Orders(8), prices=Prices({"qwen-image-plus": 0.2}))
    for n in (2, 1):
        await (await ask_for(service, FOUR, n, ANN)).finish()
    rows = service.ledger.of("ann")
    assert [(row.asked, row.pictures, row.tokens) for row in rows] == [(2, 2, 4), (1, 1, 2)]
    assert [row.cost for row in rows] == [0.4, 0.2]
    assert service.ledger.of("bob") == ()


async def test_the_usual_time_is_the_median_of_the_calls_that_went_well(
    api: Api, service_of: Callable[..., Service]
) -> None:
    service = service_of(Orders(8))
    usual = service.ledger.usual_seconds

    async def ordered(request: ImageRequest, n: int) -> list[float | None]:
        return [call.seconds for call in (await (await ask_for(service, request, n, ANN)).finish()).calls]

    api.failing = {10, 11, 12, 13}
    assert usual("qwen-image-plus") is None
    assert await ordered(FOUR, 4) == [None] * 4
    assert usual("qwen-image-plus") is None  # a refusal comes at once, and says nothing of a picture
    api.failing = {12}
    found = [seconds for seconds in await ordered(FOUR, 4) if seconds]
    assert (len(found), usual("qwen-image-plus")) == (3, sorted(found)[1])
    assert usual("qwen-image") is None


async def test_while_draining_what_runs_goes_on_and_nothing_new_begins(
    api: Api, service_of: Callable[..., Service]
) -> None:
    api.shut = True
    service = service_of(Orders(8))
    order = await ask_for(service, FOUR, 4, ANN)
    await api.has(4)
    service.orders.draining = True
    service.orders.hold()
    with pytest.raises(ShuttingDown):
        await ask_for(service, FOUR, 4, ANN)
    assert service.orders.running == 1
    api.let_through()
    assert len((await order.finish()).pictures) == 4
    assert service.orders.running == 0


async def test_while_draining_no_more_is_sent_of_several_calls_and_they_go_on_when_the_visitor_says_so(
    api: Api, service_of: Callable[..., Service]
) -> None:
    api.shut = True
    service = service_of(Orders(2))
    several = await ask_for(service, FOUR, 4, ANN)
    alone = await ask_for(service, replace(FOUR, seed=20), 1, ANN)
    await api.has(2)
    service.orders.draining = True
    service.orders.hold()
    api.let_through()
    await asyncio.gather(several.finish(), alone.finish())
    assert api.sent == [10, 11, 20]
    assert [call.state for call in several.calls] == [State.DONE] * 2 + [State.WAITING] * 2
    assert (several.paused, [*several.reasons], len(alone.pictures)) == (True, [2, 3], 1)
    with pytest.raises(ShuttingDown):
        await service.go_on(several, ANN)
    service.orders.draining = False
    await service.go_on(several, ANN)
    await several.finish()
    assert ([*several.numbered], several.reasons, api.sent) == ([0, 1, 2, 3], {}, [10, 11, 20, 12, 13])
