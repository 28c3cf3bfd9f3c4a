"""The line before what many want at once: the API, or the machine's own time."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from .inflight import Shared, Wait
from .rounds import Round

log = logging.getLogger(__name__)

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds of an account whose calls are turned away
PATIENCE = 600.0  # seconds after which a call that is turned away again and again has failed, in a batch


class Timer(Protocol):
    """What tells the time, such as the running loop."""

    def time(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.Handle: ...


@dataclass(eq=False)
class Account:
    """One key, and how fast the API takes what it pays for.

    Attributes:
        opens: when its next call may begin.
        most: calls at once, since some were turned away.
        pause: seconds of the last one that nobody asked for.
        slowed: how often it was slowed down.
    """

    opens: float = -math.inf
    most: float = math.inf
    pause: float = SHORTEST_PAUSE / 2
    slowed: int = 0


@dataclass(eq=False)
class Turn:
    """Somebody's way through the line.

    Attributes:
        put_off_since: when the API first turned it away.
        times: how often it did so.
        opens: when it may begin, as the API asked for.
        slowed: how often its account had been slowed down when it began.
        again: whether it comes into the line again.
        left: whether it is over, or was given up.
    """

    who: object
    visitor: tuple[str, ...]
    account: str
    put_off_since: float | None = None
    times: int = 0
    opens: float = -math.inf
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    slowed: int = 0
    again: bool = False
    left: bool = False


class Line:
    """At most `limit` calls under way at once. Who comes later waits; those who wait take turns, as in a `Round`.

    Args:
        limit: of all together.
        each: of one visitor; 0 for no such limit.
        rate: calls of one account that begin in a second; None for no limit.
        timer: tells the time; None for the running loop.
        shared: the same limits for several processes; None for this one alone.
    """

    def __init__(
        self,
        limit: int,
        each: int = 0,
        rate: float | None = None,
        timer: Timer | None = None,
        shared: Shared | None = None,
    ) -> None:
        self._limit, self._each, self._shared = limit, each, shared
        self._interval = 1 / rate if rate else 0.0
        self._timer = timer
        self._accounts: dict[str, Account] = {}
        self._under_way: list[Turn] = []
        self._round: Round[Turn] = Round()
        self._serving: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._changes = 0
        self._places: tuple[int, dict[object, int]] = (0, {})  # after so many changes

    @asynccontextmanager
    async def turn(
        self, who: object, visitor: Sequence[str] = (), account: str = "", after: Turn | None = None
    ) -> AsyncIterator[Turn]:
        """Wait for a turn and hold it.

        Args:
            who: waits.
            visitor: the names under which the visitor's own limit counts, the widest last.
            account: whose rate counts; "" is the owner's.
            after: the turn in which it was put off: then it is the next one of its visitor.
        """
        turn = Turn(who, tuple(visitor), account)
        if after:
            turn.put_off_since, turn.times, turn.opens = after.put_off_since, after.times, after.opens
        self._join(turn, ahead=after is not None)
        try:
            await turn.begun.wait()
            yield turn
            self._went_well(turn)
        finally:
            self._leave(turn)

    def put_off(self, turn: Turn, seconds: float | None, patience: float = PATIENCE, times: float = math.inf) -> bool:
        """The API turned away who has this turn: the account makes a pause, and has fewer calls under way then.

        A wait that the API asks for may be meant for one model, or for as long as a quota lasts. Who was told so waits
        it out; the others of the account pause for `LONGEST_PAUSE` at most, and are told by the API themselves.

        Args:
            turn: which ends now.
            seconds: that the API asks to wait; None where it doesn't say.
            patience: how long all such waits may take together, in seconds.
            times: how often it may come again.

        Returns whether it may come into the line again: not where the wait would be longer than that.
        """
        account, now = self._accounts[turn.account], self._now()
        if seconds is not None and seconds > patience:
            return False
        if turn.slowed == account.slowed:  # those that were under way together slow it down once
            account.slowed += 1
            account.most = max(1, min(account.most, self._of_account(turn.account)) // 2)
            account.pause = min(2 * account.pause, LONGEST_PAUSE)
        wait = account.pause if seconds is None else max(seconds, SHORTEST_PAUSE)
        account.opens = max(account.opens, now + min(wait, LONGEST_PAUSE))
        turn.opens = now + wait
        turn.put_off_since = now if turn.put_off_since is None else turn.put_off_since
        turn.times += 1
        turn.again = turn.opens <= turn.put_off_since + patience and turn.times <= times
        return turn.again

    def place(self, who: object) -> int:
        """The place in line, 1 is next, 0 for who doesn't wait. Another thread may ask too."""
        changes, places = self._places
        if changes != self._changes:
            changes = self._changes
            places = {turn.who: place for place, turn in enumerate(self._round, 1)}
            self._places = changes, places
        return places.get(who, 0)

    def _join(self, turn: Turn, *, ahead: bool) -> None:
        self._account(turn.account)
        self._round.join(turn, turn.visitor, ahead=ahead)
        self._wake()
        if not self._serving or self._serving.done():
            self._serving = asyncio.create_task(self._serve())

    def _leave(self, turn: Turn) -> None:
        turn.left = True
        if turn in self._under_way:
            self._under_way.remove(turn)
            if self._shared:
                self._shared.end(turn)
        else:
            self._round.leave(turn, turn.visitor)
        self._wake()

    def _wake(self) -> None:
        self._changes += 1
        self._woken.set()

    async def _serve(self) -> None:
        """Let begin who may, until nobody waits."""
        self._woken = asyncio.Event()  # of this loop
        while self._round:
            self._woken.clear()
            if seconds := await self._begin_next():
                alarm = self._clock.call_later(seconds, self._woken.set) if seconds < math.inf else None
                await self._woken.wait()
                if alarm:
                    alarm.cancel()

    async def _begin_next(self) -> float:
        """Let the next one begin who may. Returns 0, or in how many seconds somebody may, or that an end must come."""
        soonest, seen = math.inf, set()
        waiting = (turn for turn in self._round if not turn.left)  # or leaves meanwhile
        for turn in waiting if len(self._under_way) < self._limit else ():
            alike = turn.visitor, turn.account, turn.opens
            if alike not in seen:
                seen.add(alike)
                wait = await self._wait_of(turn)
                if turn.left or (not wait.seconds and self._seconds_until(turn)):  # it gave up, or is put off meanwhile
                    if self._shared and not wait.seconds:
                        self._shared.end(turn)
                    return 0
                if not wait.seconds:
                    self._begin(turn)
                    return 0
                soonest = min(soonest, wait.seconds)
                if wait.everyone:
                    break
        return soonest

    async def _wait_of(self, turn: Turn) -> Wait:
        """How long it has to wait, here and as the other processes have it. A fault in that keeps up nobody else."""
        try:
            wait = Wait(self._seconds_until(turn))
            if self._shared and not wait.seconds:
                return await self._shared.begin(turn, turn.visitor, turn.account)
            return wait
        except Exception:
            log.exception("a turn in the line can't begin yet")
            return Wait(SHORTEST_PAUSE)

    def _seconds_until(self, turn: Turn) -> float:
        """In how many seconds it may begin, as far as it, its visitor and its account are concerned."""
        account = self._accounts[turn.account]
        if self._each and any(self._of_visitor(name) >= self._each for name in turn.visitor):
            return math.inf
        if self._of_account(turn.account) >= account.most:
            return math.inf
        return max(0.0, max(account.opens, turn.opens) - self._now())

    def _begin(self, turn: Turn) -> None:
        account = self._accounts[turn.account]
        self._round.leave(turn, turn.visitor, served=True)
        self._under_way.append(turn)
        turn.slowed = account.slowed
        account.opens = max(account.opens, self._now() + self._interval)  # it may have been put off meanwhile
        turn.begun.set()
        self._changes += 1

    def _went_well(self, turn: Turn) -> None:
        account = self._accounts[turn.account]
        if not turn.again and turn.slowed == account.slowed:
            account.most, account.pause = account.most + 1, SHORTEST_PAUSE / 2

    def _of_visitor(self, name: str) -> int:
        return sum(name in turn.visitor for turn in self._under_way)

    def _of_account(self, account: str) -> int:
        return sum(turn.account == account for turn in self._under_way)

    def _account(self, name: str) -> Account:
        if name not in self._accounts:
            needed = {turn.account for turn in [*self._under_way, *self._round]}
            now = self._now()
            for other in [other for other, one in self._accounts.items() if other not in needed and one.opens <= now]:
                del self._accounts[other]
        return self._accounts.setdefault(name, Account())

    async def aclose(self) -> None:
        """Close the connections."""
        if self._shared:
            await self._shared.aclose()

    @property
    def _clock(self) -> Timer:
        return self._timer or asyncio.get_running_loop()

    def _now(self) -> float:
        return self._clock.time()
