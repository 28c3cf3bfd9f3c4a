"""A batch, and an API that has no time for it: it comes later, and nothing of it is lost or paid for twice."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from qwen_demo.api.client import QwenClient
from qwen_demo.api.requests import TextToImage
from qwen_demo.api.resending import LONGEST_WAIT
from qwen_demo.axes import Axes
from qwen_demo.call import State
from qwen_demo.journal import Journal
from qwen_demo.library import Library
from qwen_demo.line import PATIENCE, Timer
from qwen_demo.order import Order
from qwen_demo.orders import Orders
from qwen_demo.quota import Quota
from qwen_demo.service import Service
from qwen_demo.visitors import Visitor
from tests.conftest import Hurry, ask_for
from tests.faults.cases import FINE, KEY, SERVED
from tests.faults.server import Behaviour, Exchange, FaultyServer, faulty_server, http, in_turn

ANN = Visitor("ann", ("cookie ann", "address 1"))
RATE = http(429)
OVERLOADED = http(503)


class Standstill(Hurry):
    """A time that doesn't pass."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.Handle:
        return asyncio.Handle(callback, (), asyncio.get_running_loop())


def service_at(server: FaultyServer, folder: Path, timer: Timer) -> Service:
    client = QwenClient(KEY, f"{server.url}/v1")
    return Service(client, Orders(12, timer=timer), Library(folder), quota=Quota("50/day", ""))


async def batch(service: Service, number: int) -> Order:
    return await service.order_from("text_to_image", [], 1, ANN, axes=Axes(seed=tuple(range(number))), prompt="a")


async def when(order: Order, so: Callable[[], bool]) -> None:
    async for _ in order.watch():
        if so():
            return
    raise AssertionError("it ended before")


def written(journal: Path) -> list[tuple[str, int]]:
    """How far each call of an order is, and how many pictures of it cost nothing."""
    return [(call["state"], call["unbilled"]) for call in json.loads(journal.read_bytes())["calls"]]


@pytest.mark.parametrize("busy", [RATE, OVERLOADED, http(429, retry_after="20")])
async def test_a_batch_that_is_turned_away_for_a_while_ends_with_all_its_pictures(
    busy: Behaviour, tmp_path: Path
) -> None:
    async with faulty_server(in_turn(*[busy] * 20, FINE), SERVED) as server:
        service = service_at(server, tmp_path, Hurry())
        order = await (await batch(service, 12)).finish()
        await service.aclose()
    assert (len(order.pictures), order.problems, server.posts) == (12, [], 32)
    assert {call.state for call in order.calls} == {State.DONE}
    assert await service.left(ANN) == 50 - 12


async def test_while_it_waits_again_it_has_a_place_and_cost_nothing_and_stop_drops_it(tmp_path: Path) -> None:
    async with faulty_server(RATE, SERVED) as server:
        service = service_at(server, tmp_path, Standstill())
        order = await batch(service, 3)
        journal = tmp_path / ".orders" / f"{order.id}.json"
        await when(order, lambda: server.posts == 3 and written(journal) == [("waiting", 1)] * 3)
        await when(order, lambda: order.place == 1)
        assert order.cancel() == 0
        await order.finish()
        await service.aclose()
    assert (server.posts, order.problems, order.pictures) == (3, [], ())
    assert await service.left(ANN) == 50


async def test_what_is_turned_away_after_stop_is_not_sent_again(tmp_path: Path) -> None:
    come, go = asyncio.Event(), asyncio.Event()

    async def busy(exchange: Exchange) -> None:
        come.set()
        await go.wait()
        await RATE(exchange)

    async with faulty_server(busy, SERVED) as server:
        service = service_at(server, tmp_path, Hurry())
        order = await batch(service, 2)
        await when(order, lambda: server.posts == 2)
        order.cancel()
        go.set()
        await order.finish()
        await service.aclose()
    assert (server.posts, order.problems) == (2, [])
    assert [call.state for call in order.calls] == [State.WAITING, State.WAITING]


async def test_who_asks_for_more_than_ten_minutes_is_not_asked_again(tmp_path: Path) -> None:
    async with faulty_server(http(429, retry_after="601"), SERVED) as server:
        service = service_at(server, tmp_path, Standstill())
        order = await (await batch(service, 3)).finish()
        await service.aclose()
    assert (server.posts, [call.state for call in order.calls]) == (3, [State.FAILED] * 3)
    assert {type(problem).__name__ for problem in order.problems} == {"RateLimited"}


async def test_after_ten_minutes_a_batch_fails_and_cost_nothing(tmp_path: Path) -> None:
    timer = Hurry()
    async with faulty_server(RATE, SERVED) as server:
        service = service_at(server, tmp_path, timer)
        order = await (await batch(service, 2)).finish()
        await service.aclose()
    assert [call.state for call in order.calls] == [State.FAILED] * 2
    assert PATIENCE / 2 < timer.now <= 2 * PATIENCE
    assert server.posts < 40
    assert await service.left(ANN) == 50


@pytest.mark.parametrize(("busy", "posts"), [(RATE, 3), (http(429, retry_after="20"), 2), (OVERLOADED, 3)])
async def test_an_order_of_one_call_waits_in_the_line_too_but_for_half_a_minute(
    busy: Behaviour, posts: int, tmp_path: Path
) -> None:
    timer = Hurry()
    async with faulty_server(busy, SERVED) as server:
        service = service_at(server, tmp_path, timer)
        order = await (await ask_for(service, TextToImage(prompt="a"), 1, ANN)).finish()
        await service.aclose()
    assert (server.posts, [call.state for call in order.calls]) == (posts, [State.FAILED])
    assert timer.now <= LONGEST_WAIT
    assert await service.left(ANN) == 50


async def test_where_the_api_asks_for_more_who_ordered_is_told_at_once(tmp_path: Path) -> None:
    async with faulty_server(http(429, retry_after="31"), SERVED) as server:
        service = service_at(server, tmp_path, Standstill())
        order = await (await ask_for(service, TextToImage(prompt="a"), 1, ANN)).finish()
        await service.aclose()
    assert (server.posts, [call.state for call in order.calls]) == (1, [State.FAILED])


async def test_an_order_is_written_down_by_one_thread_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where Stop ends who asked for it: while it is noted that a call was turned away, the end is to be noted."""
    loop, another, writing, most = asyncio.get_running_loop(), threading.Event(), list[str](), list[int]()
    write = Journal.write

    def noted(journal: Journal, order: Order) -> bool:
        writing.append(order.id)
        most.append(len(writing))
        if len(writing) > 1:
            another.set()
        elif not order.cancelled and any(call.task and call.unbilled for call in order.calls) and server.posts == 2:
            loop.call_soon_threadsafe(order.cancel)
            another.wait(0.3)  # it comes, or has to wait
        came = write(journal, order)
        writing.pop()
        return came

    monkeypatch.setattr(Journal, "write", noted)
    async with faulty_server(RATE, SERVED) as server:
        service = service_at(server, tmp_path, Standstill())
        order = await (await batch(service, 2)).finish()
        await service.aclose()
    assert order.cancelled
    assert set(most) == {1}
    assert written(tmp_path / ".orders" / f"{order.id}.json") == [("waiting", 1)] * 2
