"""Several processes with one folder: each order is one process's, and nothing goes twice or keeps the others up."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwen_demo.life import Life
from qwen_demo.order import Order
from qwen_demo.orders import TooManyOrders
from qwen_demo.quota import Quota
from qwen_demo.service import Service
from tests.conftest import ask_for
from tests.test_journal import ANN, HILL, answer, make, never, stands


async def stopped(service: Service, sent: asyncio.Event, go: asyncio.Event) -> Order:
    """An order of four at rest, of which one picture came and the others were not sent."""
    order = await ask_for(service, HILL, 4, ANN)
    await asyncio.wait_for(sent.wait(), 30)
    order.cancel()
    go.set()
    return await order.finish()


class Gate:
    """An API that answers when it may, and knows what it was asked for."""

    def __init__(self) -> None:
        self.sent, self.go = asyncio.Event(), asyncio.Event()
        self.seeds: list[int] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seeds.append(json.loads(request.content)["seed"])
        self.sent.set()
        await self.go.wait()
        return answer()


async def test_what_went_on_in_another_process_is_not_found_here_and_not_sent_twice(tmp_path: Path) -> None:
    here, there = Gate(), Gate()
    service, other = make(tmp_path, here, 1), make(tmp_path, there)
    order = await stopped(service, here.sent, here.go)
    await other.running.resume("ann")
    (same,) = other.orders.of("ann")
    await other.go_on(same, ANN)
    await asyncio.wait_for(there.sent.wait(), 30)
    await service.running.resume("ann")
    assert service.orders.find(order.id, "ann") is None
    there.go.set()
    await same.finish()
    await service.running.resume("ann")  # it is at rest, and so back
    (back,) = service.orders.of("ann")
    assert (back.id, len(back.pictures), here.seeds, sorted(there.seeds)) == (order.id, 4, [10], [11, 12, 13])


async def test_of_two_processes_that_know_an_order_one_goes_on_with_it(tmp_path: Path) -> None:
    here, there = Gate(), Gate()
    quota = Quota("9/day", "")
    service, other = make(tmp_path, here, 1, quota), make(tmp_path, there, quota=quota)
    order = await stopped(service, here.sent, here.go)
    await other.running.resume("ann")
    (same,) = other.orders.of("ann")
    there.go.set()
    outcomes = await asyncio.gather(service.go_on(order, ANN), other.go_on(same, ANN), return_exceptions=True)
    await same.finish()
    assert [type(outcome) for outcome in outcomes] == [TooManyOrders, type(None)]
    assert (here.seeds, sorted(there.seeds), await quota.left(ANN)) == ([10], [11, 12, 13], 5)
    assert service.orders.of("ann") == []


async def test_what_goes_on_here_is_taken_over_by_nobody_from_the_first_moment(tmp_path: Path) -> None:
    service, other = make(tmp_path, lambda _: answer()), make(tmp_path, never)
    order = await (await ask_for(service, HILL, 1, ANN)).finish()
    assert service.journal.claim(order)
    assert other.journal.take_over("ann") == ([], [order.id])


async def test_what_another_process_has_is_not_written_or_dropped_here(tmp_path: Path) -> None:
    service, other = make(tmp_path, lambda _: answer()), make(tmp_path, never)
    order = await (await ask_for(service, HILL, 1, ANN)).finish()
    await other.running.resume("ann")
    (file,) = stands(tmp_path)
    before = file.read_bytes()
    service.journal.write(order)
    await service.running.forget(order)
    assert file.read_bytes() == before
    (same,) = other.orders.of("ann")
    await other.running.forget(same)
    assert stands(tmp_path) == []


async def test_own_orders_are_not_read_again_and_one_that_others_had_meanwhile_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, other = make(tmp_path, lambda _: answer()), make(tmp_path, never)
    orders = [await (await ask_for(service, HILL, 1, ANN)).finish() for _ in range(3)]
    read: list[str] = []
    read_bytes = Path.read_bytes

    def noted(path: Path) -> bytes:
        read.append(path.stem)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", noted)
    await service.running.resume("ann")
    assert (service.orders.of("ann"), read) == (orders, [])
    await other.running.resume("ann")
    read.clear()
    await other.running.resume("ann")
    assert read == []
    await service.running.resume("ann")
    assert read == [order.id for order in orders]


async def test_pictures_that_come_while_an_order_is_written_down_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make(tmp_path, lambda _: answer())
    order = await (await ask_for(service, HILL, 2, ANN)).finish()

    def slow(told: Any) -> dict[str, Any]:
        order.numbered[len(order.numbered)] = order.pictures[0]
        return asdict(told)

    monkeypatch.setattr("qwen_demo.entries.asdict", slow)
    service.journal.write(order)
    (file,) = stands(tmp_path)
    assert sorted(json.loads(file.read_bytes())["pictures"]) == ["0", "1"]


async def test_a_folder_that_cant_be_read_for_a_while_keeps_nothing_from_starting_or_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service, other = make(tmp_path, lambda _: answer()), make(tmp_path, never)
    order = await (await ask_for(service, HILL, 1, ANN)).finish()
    service.journal.life.end()
    faults = iter([True, True, False])
    ended = Life.ended

    def away(life: Life) -> list[Path]:
        if life is other.journal.life and next(faults, False):
            raise OSError(5, "Input/output error")
        return ended(life)

    monkeypatch.setattr(Life, "ended", away)
    await other.running.resume()  # as when the app starts
    watching = asyncio.create_task(other.running.watch(every=0.01))
    async for orders in other.orders.follow("ann", every=0.01):
        if orders:
            break
    watching.cancel()
    assert [found.id for found in orders] == [order.id]
    assert [record.message for record in caplog.records] == [
        "what other processes left can't be looked at: [Errno 5] Input/output error",
        "what another process left is not taken over yet",
    ]
