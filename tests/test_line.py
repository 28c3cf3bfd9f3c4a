"""The line: visitors take turns, keys have a pace, and who is turned away comes again later."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from qwen_demo.inflight import GO, Shared, Wait
from qwen_demo.line import PATIENCE, Line, Turn

ANN, BOB, CID = ("cookie ann", "address 1"), ("cookie bob", "address 2"), ("cookie cid", "address 3")


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self._alarms: list[tuple[float, asyncio.Handle]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.Handle:
        alarm = asyncio.Handle(callback, (), asyncio.get_running_loop())
        self._alarms.append((self.now + delay, alarm))
        return alarm

    async def pass_by(self, seconds: float) -> None:
        self.now += seconds
        for at, alarm in self._alarms:
            if at <= self.now and not alarm.cancelled():
                alarm._run()
        self._alarms = [(at, alarm) for at, alarm in self._alarms if at > self.now]
        await settled()


class Crowd:
    """Those who stand in a line, each until told to go on. `begun` are they in the order of their turns."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.begun: list[str] = []
        self.turns: dict[str, Turn] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Future[bool]] = {}

    async def come(
        self, *names: str, visitor: tuple[str, ...] = (), account: str = "", after: Turn | None = None
    ) -> None:
        for name in names:
            self._ends[name] = asyncio.get_running_loop().create_future()
            self._tasks[name] = asyncio.create_task(self._stand(name, visitor, account, after))
        await settled()

    async def _stand(self, name: str, visitor: tuple[str, ...], account: str, after: Turn | None) -> None:
        async with self.line.turn(name, visitor, account, after) as turn:
            self.begun.append(name)
            self.turns[name] = turn
            await self._ends[name]

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set_result(True)
        await settled()

    async def turned_away(self, *names: str, seconds: float | None = None) -> list[bool]:
        """All of them at once: their calls end without a picture."""
        outcomes = [self.line.put_off(self.turns[name], seconds) for name in names]
        await self.end(*names)
        return outcomes

    async def give_up(self, *names: str) -> None:
        for name in names:
            self._tasks[name].cancel()
        await settled()


async def settled() -> None:
    """Until nothing is left that could go on by itself: no one here waits for a machine."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def crowd(line: Line) -> AsyncIterator[Crowd]:
    there = Crowd(line)
    yield there
    await there.give_up(*there._tasks)


def named(visitor: str, number: int) -> list[str]:
    return [f"{visitor} {at}" for at in range(1, number + 1)]


async def test_those_of_one_visitor_are_served_in_order_of_arrival() -> None:
    async with crowd(Line(1)) as here:
        await here.come(*named("ann", 4), visitor=ANN)
        for name in named("ann", 4):
            await here.end(name)
        assert here.begun == named("ann", 4)


@pytest.mark.parametrize("limit", [1, 4])
async def test_a_single_picture_beside_a_batch_of_fifty_waits_one_call_at_most(limit: int) -> None:
    async with crowd(Line(limit)) as here:
        await here.come(*named("ann", 50), visitor=ANN)
        await here.come("bob", visitor=BOB)
        assert here.line.place("bob") == 1
        await here.end("ann 1")
        assert here.begun == [*named("ann", limit), "bob"]


@pytest.mark.parametrize("limit", [1, 2])
async def test_who_comes_under_fifty_cookies_has_one_turn_in_the_round(limit: int) -> None:
    async with crowd(Line(limit, each=2)) as here:
        for number in range(50):
            await here.come(f"ann {number}", visitor=(f"cookie {number}", "address 1"))
        await here.come("bob 1", "bob 2", visitor=BOB)
        assert [here.line.place(name) for name in ("bob 1", f"ann {limit}", "bob 2")] == [1, 2, 3]
        for name in ("ann 0", "bob 1", f"ann {limit}"):
            await here.end(name)
        assert here.begun[limit:] == ["bob 1", f"ann {limit}", "bob 2"]


async def test_those_at_one_address_take_turns_in_its_turns() -> None:
    dora = ("cookie dora", "address 1")
    async with crowd(Line(1)) as here:
        await here.come(*named("ann", 4), visitor=ANN)
        await here.come(*named("bob", 4), visitor=BOB)
        await here.end("ann 1")
        await here.come(*named("dora", 2), visitor=dora)
        waiting = ["ann 2", "ann 3", "ann 4", "bob 2", "bob 3", "bob 4", *named("dora", 2)]
        told = sorted(waiting, key=here.line.place)
        for name in ["bob 1", *told]:
            await here.end(name)
        assert here.begun == ["ann 1", "bob 1", *told]
        assert told == ["dora 1", "bob 2", "ann 2", "bob 3", "dora 2", "bob 4", "ann 3", "ann 4"]


@pytest.mark.parametrize("limit", [1, 4])
async def test_two_batches_take_turns_and_who_comes_again_and_again_gets_no_more_than_they(limit: int) -> None:
    async with crowd(Line(limit)) as here:
        await here.come(*named("ann", 20), visitor=ANN)
        await here.come(*named("bob", 20), visitor=BOB)
        for number in range(1, 7):  # a page that orders its next picture as soon as it has one
            await here.come(f"cid {number}", visitor=CID)
            while f"cid {number}" not in here.begun:
                await here.end(next(name for name in here.begun if not here._ends[name].done()))
            await here.end(f"cid {number}")
        since = here.begun[limit:]
        counts = [sum(name.startswith(visitor) for name in since) for visitor in ("ann", "bob", "cid")]
        assert counts[2] == 6
        assert min(counts[:2]) >= 5


async def test_who_waits_is_told_the_place_in_the_true_order() -> None:
    async with crowd(Line(1)) as here:
        await here.come("first", visitor=ANN)
        await here.come(*named("ann", 3), visitor=ANN)
        await here.come(*named("bob", 2), visitor=BOB)
        await here.come("cid", visitor=CID)
        waiting = [*named("ann", 3), *named("bob", 2), "cid"]
        told = sorted(waiting, key=here.line.place)
        assert [here.line.place(name) for name in told] == [1, 2, 3, 4, 5, 6]
        assert (here.line.place("first"), here.line.place("nobody")) == (0, 0)
        for name in ["first", *told]:
            await here.end(name)
        assert here.begun == ["first", *told]
        assert told == ["bob 1", "cid", "ann 1", "bob 2", "ann 2", "ann 3"]


async def test_whose_own_share_is_full_keeps_nobody_up() -> None:
    again = ("cookie ann-2", "address 1")
    async with crowd(Line(4, each=2)) as here:
        await here.come(*named("ann", 5), visitor=ANN)
        await here.come("ann again", visitor=again)  # another cookie, and the same address
        await here.come(*named("bob", 1), visitor=BOB)
        assert here.begun == ["ann 1", "ann 2", "bob 1"]
        await here.end("ann 1")
        assert here.begun[3:] == ["ann again"]


async def test_who_gives_up_holds_nothing_and_leaves_no_gap() -> None:
    async with crowd(Line(1)) as here:
        await here.come("ann 1", "ann 2", visitor=ANN)
        await here.come("bob", visitor=BOB)
        await here.give_up("bob", "ann 1")
        assert here.begun == ["ann 1", "ann 2"]
        assert [here.line.place(name) for name in ("bob", "ann 1", "ann 2")] == [0, 0, 0]


async def test_who_gives_up_in_the_moment_of_the_turn_passes_it_on() -> None:
    line = Line(1)
    async with crowd(line) as here:
        await here.come("first", "second", "third")
        here._ends["first"].set_result(True)
        for _ in range(20):
            if line.place("second"):
                await asyncio.sleep(0)
        assert (line.place("second"), here.begun) == (0, ["first"])  # it may begin, and doesn't know yet
        await here.give_up("second")
        assert here.begun == ["first", "third"]


async def test_no_more_calls_of_a_key_begin_than_its_rate_allows() -> None:
    clock = Clock()
    async with crowd(Line(8, rate=0.5, timer=clock)) as here:
        await here.come(*named("ann", 3), visitor=ANN)
        begun = []
        for _ in range(5):
            begun.append(len(here.begun))
            await clock.pass_by(1)
        assert begun == [1, 1, 2, 2, 3]


async def test_who_waits_for_the_rate_holds_no_place_that_another_key_could_use() -> None:
    clock = Clock()
    async with crowd(Line(2, rate=0.01, timer=clock)) as here:
        await here.come(*named("ann", 3), visitor=ANN)
        await here.come("own", visitor=BOB, account="bob's")
        assert here.begun == ["ann 1", "own"]
        await here.end("ann 1", "own")
        await clock.pass_by(100)
        assert here.begun == ["ann 1", "own", "ann 2"]


async def test_a_key_whose_calls_are_turned_away_makes_a_pause_that_doubles_and_its_calls_come_first_then() -> None:
    clock = Clock()
    pauses = []
    async with crowd(Line(1, timer=clock)) as here:
        await here.come("0", "other", visitor=ANN)
        for number in range(8):
            assert await here.turned_away(str(number)) == [True]
            await here.come(str(number + 1), visitor=ANN, after=here.turns[str(number)])
            paused = 0
            while str(number + 1) not in here.begun:
                await clock.pass_by(1)
                paused += 1
            pauses.append(paused)
        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
        assert "other" not in here.begun
        await here.end("8")
        assert here.begun[-1] == "other"
        assert await here.turned_away("other") == [True]
        await here.come("next", visitor=ANN)
        await clock.pass_by(1)  # what went well in between began it anew
        assert here.begun[-1] == "next"


async def test_those_that_went_together_slow_their_key_down_once_for_everybody() -> None:
    clock = Clock()
    async with crowd(Line(20, timer=clock)) as here:
        await here.come(*named("ann", 8), visitor=ANN)
        await here.come("own", visitor=CID, account="cid's")
        assert await here.turned_away(*named("ann", 8)) == [True] * 8
        await here.come(*named("bob", 20), visitor=BOB)
        await here.come("own 2", visitor=CID, account="cid's")
        assert here.begun[8:] == ["own", "own 2"]
        await clock.pass_by(1)
        assert here.begun[10:] == named("bob", 4)  # half as many
        await here.end("bob 1")
        assert here.begun[10:] == named("bob", 6)  # one more with each that goes well
        await here.end("bob 2")
        assert here.begun[10:] == named("bob", 8)


async def test_the_pause_is_as_long_as_the_api_asks_for() -> None:
    clock = Clock()
    async with crowd(Line(8, timer=clock)) as here:
        await here.come("ann", visitor=ANN)
        assert await here.turned_away("ann", seconds=30) == [True]
        await here.come("bob", visitor=BOB)
        await clock.pass_by(29)
        assert here.begun == ["ann"]
        await clock.pass_by(1)
        assert here.begun == ["ann", "bob"]


async def test_a_long_wait_is_that_call_s_own_and_everybody_else_goes_on_after_a_minute() -> None:
    clock = Clock()
    async with crowd(Line(8, timer=clock)) as here:
        await here.come(*named("ann", 2), visitor=ANN)
        assert await here.turned_away("ann 1", "ann 2", seconds=599) == [True, True]
        for number in (1, 2):
            await here.come(f"ann {number} again", visitor=ANN, after=here.turns[f"ann {number}"])
        await here.come("ann 3", visitor=ANN)
        await here.come("bob", visitor=BOB)
        await clock.pass_by(59)
        assert here.begun == named("ann", 2)
        await clock.pass_by(1)
        assert here.begun[2:] == ["bob"]
        await here.end("bob")
        assert here.begun[3:] == ["ann 3"]
        await here.end("ann 3")
        await clock.pass_by(538)
        assert here.begun[4:] == []
        await clock.pass_by(1)
        assert sorted(here.begun[4:]) == ["ann 1 again", "ann 2 again"]


async def test_a_wait_of_more_than_ten_minutes_is_none_and_keeps_nobody_up() -> None:
    async with crowd(Line(8, timer=Clock())) as here:
        await here.come("ann", visitor=ANN)
        assert await here.turned_away("ann", seconds=PATIENCE + 1) == [False]
        await here.come("bob", visitor=BOB)
        assert here.begun == ["ann", "bob"]


async def test_after_ten_minutes_in_all_a_call_is_not_put_off_any_more() -> None:
    clock = Clock()
    async with crowd(Line(8, timer=clock)) as here:
        await here.come("0")
        outcomes = []
        for number in range(5):
            outcomes += await here.turned_away(str(number), seconds=200)
            await here.come(str(number + 1), after=here.turns[str(number)])
            await clock.pass_by(200)
        assert outcomes == [True, True, True, False, False]


class Slow:
    """Places in several processes, and a Redis that takes its time to give one."""

    def __init__(self) -> None:
        self.gives = asyncio.Event()
        self.ended: list[object] = []

    async def begin(self, turn: Turn, *_: object) -> Wait:
        await self.gives.wait()
        return GO

    def end(self, turn: Turn) -> None:
        self.ended.append(turn.who)


async def test_who_is_given_a_place_while_the_key_is_put_off_gives_it_back_and_waits() -> None:
    clock, slow = Clock(), Slow()
    line = Line(2, rate=10, timer=clock, shared=cast(Shared, slow))
    crowd = Crowd(line)
    slow.gives.set()
    await crowd.come("a")
    await clock.pass_by(0.1)
    slow.gives.clear()
    await crowd.come("b")
    assert await crowd.turned_away("a", seconds=30) == [True]
    slow.gives.set()
    await settled()
    assert (crowd.begun, slow.ended) == (["a"], ["a", "b"])
    await clock.pass_by(29)
    assert crowd.begun == ["a"]
    await clock.pass_by(1)
    assert crowd.begun == ["a", "b"]
    await crowd.end("b")
