"""Several processes with one folder: each order is one process's, and nothing goes twice or keeps the others up."""

import asyncio
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwen_demo.call import State
from qwen_demo.journal import Journal
from qwen_demo.life import Life
from qwen_demo.order import Order
from qwen_demo.orders import TooManyOrders
from qwen_demo.quota import Quota
from qwen_demo.service import Service
from qwen_demo.visitors import Visitor
from tests.conftest import ask_for
from tests.test_journal import ANN, HILL, answer, dropped, full_once, make, never, stands


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


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read from now on, by their stems."""
    stems: list[str] = []
    read_bytes = Path.read_bytes

    def noted(path: Path) -> bytes:
        stems.append(path.stem)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", noted)
    return stems


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
    tmp_path: Path, read: list[str]
) -> None:
    service, other = make(tmp_path, lambda _: answer()), make(tmp_path, never)
    orders = [await (await ask_for(service, HILL, 1, ANN)).finish() for _ in range(3)]
    read.clear()
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


async def test_an_order_of_a_process_that_lives_stays_its_own_until_the_process_ends(tmp_path: Path) -> None:
    service = make(tmp_path, lambda _: answer())
    order = await (await ask_for(service, HILL, 1, ANN)).finish()
    other = make(tmp_path, never)
    assert not other.journal.someone_ended()
    assert other.journal.take_over() == ([], [order.id])
    service.journal.life.end()
    assert other.journal.someone_ended()
    assert [found.id for found in other.journal.take_over().orders] == [order.id]
    assert not other.journal.someone_ended()


async def test_of_processes_that_start_at_once_each_order_has_one(tmp_path: Path) -> None:
    service = make(tmp_path, lambda _: answer())
    placed = [await (await ask_for(service, HILL, 1, ANN)).finish() for _ in range(30)]
    service.journal.life.end()
    others = [make(tmp_path, never) for _ in range(4)]
    await asyncio.gather(*(other.running.resume() for other in others))
    found = [order.id for other in others for order in other.orders.of("ann")]
    assert sorted(found) == sorted(order.id for order in placed)


async def test_a_visitor_finds_own_orders_wherever_the_way_leads_but_for_those_at_work(tmp_path: Path) -> None:
    sent, go = asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["seed"] == 99:
            sent.set()
            await go.wait()
        return answer()

    service = make(tmp_path, slow)
    rests = await (await ask_for(service, HILL, 1, ANN)).finish()
    await (await ask_for(service, HILL, 1, Visitor("bob"))).finish()
    runs = await ask_for(service, replace(HILL, seed=99), 1, ANN)
    await asyncio.wait_for(sent.wait(), 30)
    other = make(tmp_path, never)
    await other.running.resume("ann")
    assert [order.id for order in other.orders.of("ann")] == [rests.id]
    assert other.orders.of("bob") == []
    go.set()
    await runs.finish()
    await other.running.resume("ann")
    assert [order.id for order in other.orders.of("ann")] == [rests.id, runs.id]
    assert len(await back(service, "ann")) == 2  # as when the way leads here again


async def back(service: Service, visitor: str) -> list[Order]:
    before = service.orders.of(visitor)
    await service.running.resume(visitor)
    now = service.orders.of(visitor)
    assert [order.id for order in now] == [order.id for order in before]
    assert not set(now) & set(before), "another process may have changed them"
    return now


async def test_a_visitors_orders_are_found_without_a_look_into_those_of_others(tmp_path: Path, read: list[str]) -> None:
    service = make(tmp_path, lambda _: answer())
    ann, *_ = [await (await ask_for(service, HILL, 1, Visitor(name))).finish() for name in ("ann", "bob", "cy")]
    read.clear()
    assert [order.id for order in make(tmp_path, never).journal.take_over("ann").orders] == [ann.id]
    assert read == [ann.id]


async def test_what_a_dead_process_left_is_taken_over_while_others_run(tmp_path: Path) -> None:
    service, other = make(tmp_path, lambda _: answer()), make(tmp_path, never)
    order = await (await ask_for(service, HILL, 1, ANN)).finish()
    watching = asyncio.create_task(other.running.watch(every=0.01))
    service.journal.life.end()
    async for orders in other.orders.follow("ann", every=0.01):
        if orders:
            break
    watching.cancel()
    assert [found.id for found in orders] == [order.id]


@pytest.mark.parametrize(("shared", "left"), [(True, [2, 5, 5]), (False, [2, 2, 2])])
async def test_what_a_dead_process_did_not_send_is_given_back_once_where_the_count_is_shared(
    tmp_path: Path, shared: bool, left: list[int]
) -> None:
    sent = asyncio.Event()

    async def hang(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["seed"] == 10:
            return httpx.Response(400, json={"error": {"code": "2001", "message": "DataInspectionFailed"}})
        sent.set()
        await asyncio.Event().wait()
        return answer()

    quota = Quota("6/day", "")
    quota.shared = shared
    service = make(tmp_path, hang, 1, quota)
    await ask_for(service, HILL, 4, ANN)  # one is refused, one is sent, two wait
    await asyncio.wait_for(sent.wait(), 30)
    await dropped(service)
    found = [await quota.left(ANN)]
    for _ in range(2):
        service.journal.life.end()
        service = make(tmp_path, never, quota=quota)
        await service.running.resume()
        found.append(await quota.left(ANN))
    (order,) = service.orders.of("ann")
    assert [call.state for call in order.calls] == [State.FAILED, State.SENT, State.WAITING, State.WAITING]
    assert found == left


async def test_what_cost_nothing_is_given_back_once_even_if_that_can_t_be_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = Quota("9/day", "")
    quota.shared = True

    def refuse(request: httpx.Request) -> httpx.Response:
        return answer() if json.loads(request.content)["seed"] < 13 else httpx.Response(403, json={})

    service = make(tmp_path, refuse, quota=quota)
    await (await ask_for(service, HILL, 3, ANN)).finish()
    monkeypatch.setattr(Journal, "_put", full_once(lambda calls: not any(call["charged"] for call in calls)))
    await (await ask_for(service, replace(HILL, seed=13), 4, ANN)).finish()
    left = [await quota.left(ANN)]
    monkeypatch.undo()
    for _ in range(2):
        service.journal.life.end()
        service = make(tmp_path, never, quota=quota)
        await service.running.resume()
        left.append(await quota.left(ANN))
    assert left == [2, 6, 6]


async def test_what_the_api_refused_in_a_dead_process_is_given_back_only_up_to_the_limit(tmp_path: Path) -> None:
    sent = asyncio.Event()

    async def refuse(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["seed"] < 9 + n:
            return httpx.Response(400, json={"error": {"code": "2001", "message": "DataInspectionFailed"}})
        sent.set()
        await asyncio.Event().wait()
        return answer()

    quota = Quota("4/day", "")
    quota.shared = True
    left = []
    service = make(tmp_path, refuse, 1, quota)
    for n in (4, 3):  # of each order the last is sent, those before are refused: five in all
        sent.clear()
        await ask_for(service, HILL, n, ANN)
        await asyncio.wait_for(sent.wait(), 30)
        await dropped(service)
        service.journal.life.end()
        service = make(tmp_path, refuse, 1, quota)
        await service.running.resume()
        left.append(await quota.left(ANN))
    assert left == [3, 1]
