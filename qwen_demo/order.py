"""An order: what a visitor asked for, the calls that it takes, and how far they are.

It belongs to the app and not to a browser tab: what is sent is fetched and kept, whoever still watches. The service
does the work.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .api import resending
from .api.errors import QwenDemoError
from .api.requests import ImageRequest
from .api.responses import ImagesResponse, add_usage
from .call import Call, Photo, Picture, State
from .inpaint import Region
from .line import Line, Turn
from .logs import InternalError
from .visitors import Visitor

TOGETHER = 0.005  # seconds: what happens within them, such as the last picture and the end, is told at once


def mark(visitor: str) -> str:
    """What the ids of a visitor's orders begin with: so their files are found by their names."""
    return hashlib.sha256(visitor.encode("utf-8", "surrogatepass")).hexdigest()[:8]


class Bell:
    """Rings when something has changed. Many may listen, each from when it asked for the `sound`."""

    def __init__(self) -> None:
        self.sound = asyncio.Event()

    def ring(self) -> None:
        self.sound.set()
        self.sound = asyncio.Event()


class NotSent(QwenDemoError):
    """The app was ended before a call's turn came: it was not sent."""


class NotSaved(QwenDemoError):
    """A picture came and is shown, but is not in the library: the disk is full, or the folder can't be written."""

    may_be_billed = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is known of an order besides its requests and whose it is.

    Attributes:
        references: the names of its reference pictures, in their order: an address, or the SHA-256 of its bytes.
        sources: which pictures of the library those are, by their ids; "" for one that is none.
        shape: the width and height that its pictures will have, as far as that is known; else (1, 1).
        own_key: whether the visitor's own key pays for it.
        host: where that key belongs; "" for the usual host.
        billed: whether anybody pays.
        regions: where alone the photo may change: a call each, one after the other, for each picture that is asked for.
        photos: those that it is about, each by itself; then `references` are none.
        words: the prompt as it was written, where that stands for several; else "".
        lines: whether each line of it was meant for one.
    """

    references: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    shape: tuple[int, int] = (1, 1)
    own_key: bool = False
    host: str = ""
    billed: bool = True
    regions: tuple[Region, ...] = ()
    photos: tuple[Photo, ...] = ()
    words: str = ""
    lines: bool = False


class Order:
    """What a visitor asked for: the calls it takes, and what has come of them.

    Attributes:
        visitor: the name of whose it is.
        counted: the names under which the visitor's limits count.
        terms: what else is known of it.
        placed: when, local time.
        calls: side by side; those of several regions one after the other.
        n: pictures ordered.
        numbered: the pictures that are there, by their places in the order, from 0.
        problems: what went wrong, a row a failed call or picture.
        reasons: the same for the places of the order that it concerns, from 0.
        cancelled: whether the visitor wants no more of it.
        finished: whether it has come to its end.
        changes: how often something of it has changed.
        task: who works on it.
        line: in which its calls wait, the one of all orders.
        bell: rings whenever one of the visitor's orders changes.
        noting: held by whoever writes down how it stands.
        charge: where its charged calls are counted, as `Charge.told`.
    """

    def __init__(
        self,
        requests: Sequence[ImageRequest],
        visitor: Visitor,
        terms: Terms | None = None,
        *,
        line: Line | None = None,
        bell: Bell | None = None,
        id: str = "",
    ) -> None:
        self.id = id or mark(visitor.name) + secrets.token_urlsafe(16)
        self.visitor = visitor.name
        self.counted = visitor.counted
        self.terms = terms or Terms()
        self.placed = datetime.now()
        self.n = sum(request.n for request in requests)
        self.calls: list[Call] = []
        for request in requests:
            self.calls.append(Call(request, sum(call.request.n for call in self.calls), unbilled=request.n))
        for number, call in enumerate(self.calls if self.terms.regions else ()):
            call.region = self.terms.regions[number % len(self.terms.regions)]
        for number, call in enumerate(self.calls if self.terms.photos else ()):
            call.photo = self.terms.photos[number * len(self.terms.photos) // len(self.calls)]
        self.numbered: dict[int, Picture] = {}
        self.problems: list[QwenDemoError] = []
        self.reasons: dict[int, QwenDemoError] = {}
        self.changes = 0
        self.cancelled = self.finished = self._held = False
        self.task: asyncio.Task[None] | None = None
        self.noting = asyncio.Lock()
        self.charge: tuple[tuple[str, str], ...] = ()
        self.line = line or Line(1)
        self._started = time.monotonic()
        self._ended: float | None = None
        self._bell, self.bell = Bell(), bell or Bell()

    @property
    def request(self) -> ImageRequest:
        """The first request; the others differ in seed and n, and in what was asked for in several ways."""
        return self.calls[0].request

    @property
    def models(self) -> list[str]:
        """Those that it asks, each once."""
        return list(dict.fromkeys(call.request.model for call in self.calls))

    def references(self, call: Call) -> tuple[str, ...]:
        """The names of a call's reference pictures, as `Terms` has them."""
        return (call.photo.reference,) if call.photo else self.terms.references

    def sources(self, call: Call) -> tuple[str, ...]:
        """Which pictures of the library those are, as `Terms` has them."""
        return (call.photo.source,) if call.photo else self.terms.sources

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Those that are there, in the order of their seeds."""
        return tuple(picture for _, picture in sorted(self.numbered.items()))

    @property
    def usage(self) -> dict[str, Any]:
        """What the API reported, all calls together."""
        return add_usage([call.usage for call in self.calls])

    @property
    def request_ids(self) -> list[str]:
        """As far as the API gave any."""
        return [call.request_id for call in self.calls if call.request_id]

    @property
    def seconds(self) -> float:
        """Since it was placed, up to its end."""
        return (self._ended or time.monotonic()) - self._started

    @property
    def place(self) -> int:
        """How many calls are to be sent before its next one, itself included; 0 when it waits for none."""
        return min((place for call in self.calls if (place := self.line.place(call))), default=0)

    @property
    def on_their_way(self) -> int:
        """How many pictures are sent for, and not there yet."""
        under_way = (call for call in self.calls if call.task and not call.task.done())
        return sum(call.request.n for call in under_way if call.state is not State.WAITING)

    @property
    def rests(self) -> bool:
        """Whether nobody works on any of its calls."""
        return all(call.task is None or call.task.done() for call in self.calls)

    @property
    def unread(self) -> list[Call]:
        """The calls that are paid for, and whose pictures are not all here."""
        return [call for call in self.calls if self.finished and call.state is State.ANSWERED]

    @property
    def lost(self) -> list[Call]:
        """The calls that were sent, and of whose answer nobody knows."""
        return [call for call in self.calls if self.finished and call.state is State.SENT]

    @property
    def open(self) -> list[Call]:
        """The calls that were not sent, or cost nothing, and can be ordered as they are. Of one call, it is that order.

        Where nobody pays, also those of whose pictures nobody knows. A region is asked for again on the picture that
        has the others; that is an order of its own.
        """
        if not self.finished or self.terms.regions or (len(self.calls) == 1 and not self.terms.photos):
            return []
        free = {State.WAITING} if self.terms.billed else {State.WAITING, State.SENT, State.ANSWERED}
        failed = [call for call in self.calls if call.state is State.FAILED and call.unbilled == call.request.n]
        return [call for call in self.calls if call.state in free or call in failed]

    def may_go_again(self, place: int) -> bool:
        """Whether what is not there of it can be ordered again without paying twice."""
        if not self.finished or place not in self.reasons:
            return False
        alone = self.terms.regions or not any(call.state is not State.DONE for call in self.open)
        return not self.reasons[place].may_be_billed if alone else any(place in call.places for call in self.open)

    @property
    def paused(self) -> bool:
        """Whether the app was ended before all was sent. It goes on when the visitor says so: that costs money."""
        return any(call.state is State.WAITING and not call.dropped for call in self.open)

    @property
    def stopped(self) -> bool:
        """Whether the visitor wanted no more of something that was not sent."""
        return any(call.dropped for call in self.calls)

    @property
    def dropped(self) -> list[int]:
        """The places of what the visitor wanted no more before it was sent, from 0."""
        return [place for call in self.calls if call.dropped for place in call.places]

    def chain(self, call: Call) -> Sequence[Call]:
        """The calls that change regions of the same photo one after the other, of which this is one."""
        steps = max(1, len(self.terms.regions))
        first = self.calls.index(call) // steps * steps
        return self.calls[first : first + steps]

    def latest(self, call: Call) -> Picture | None:
        """The picture that has all regions so far, of the photo that this call changes a region of."""
        return next(filter(None, map(self._put_in, reversed(self.chain(call)))), None)

    def before(self, call: Call) -> Sequence[Call]:
        """Those of its chain that come before it."""
        chain = self.chain(call)
        return chain[: chain.index(call)]

    async def ended_before(self, call: Call) -> None:
        """Wait until the calls before it have come to their ends."""
        if tasks := [one.task for one in self.before(call) if one.task]:
            await asyncio.wait(tasks)

    def ground(self, call: Call) -> Picture | None:
        """The picture that this call's is to be put into, as far as the calls before it have brought one."""
        return next(filter(None, map(self._put_in, reversed(self.before(call)))), None)

    def _put_in(self, call: Call) -> Picture | None:
        """The photo with a call's region in it; an answer that is shown as it came is none."""
        picture = self.numbered.get(call.first)
        whole = picture and picture.region and picture.region.identical is not None
        return picture if picture and whole and picture.path.is_file() else None

    @asynccontextmanager
    async def turn(self, call: Call, after: Turn | None = None) -> AsyncIterator[Turn]:
        """The call's turn to be sent, maybe after one in which it was put off. From here on it can't be dropped."""
        account = f"{self.visitor} at {self.terms.host}" if self.terms.own_key else ""
        async with self.line.turn(call, self.counted, account, after) as turn:
            call.state, call.unbilled, call.began = State.SENT, 0, time.monotonic()
            self.tell()
            yield turn

    def put_off(self, call: Call, turn: Turn, seconds: float | None) -> bool:
        """The API has no time for a call: it costs nothing, and slows down the others of its key.

        Args:
            call: that was sent.
            turn: the one it was sent in.
            seconds: that the API asks to wait; None where it doesn't say.

        Returns whether it waits again. In an order of one call it does so as any request does: who made it looks on.
        """
        alone = len(self.calls) == 1
        limits = {"patience": resending.LONGEST_WAIT, "times": resending.RESENDS} if alone else {}
        if not self.line.put_off(turn, seconds, **limits):
            return False
        call.state, call.unbilled = State.WAITING, call.request.n
        if self.cancelled and call.task:
            call.dropped = call.task.cancel()
        elif self._held:
            self._hold_back(call)
        self.tell()
        return True

    def understood(self, call: Call, response: ImagesResponse) -> None:
        """An answer was read; its pictures are still to be fetched. Only these are billed."""
        call.unbilled = max(0, call.request.n - len(response.images))
        call.usage, call.request_id = response.usage, response.request_id

    def add(self, index: int, picture: Picture) -> None:
        """A picture is there, the `index`th of the order, from 0."""
        self.numbered[index] = picture
        self.tell()

    def fail(self, problem: BaseException, places: Iterable[int]) -> None:
        """A call or a picture failed, of these places of the order, from 0; the others go on.

        What no one foresaw goes to the log.
        """
        told = problem if isinstance(problem, QwenDemoError) else InternalError(problem, may_be_billed=True)
        if not self.terms.billed:
            told.may_be_billed = None
        self.problems.append(told)
        self.reasons.update(dict.fromkeys(places, told))
        self.tell()

    def cancel(self) -> int:
        """Drop the calls that were not sent yet. Returns how many pictures are still on their way."""
        self.cancelled = True
        self.tell()
        for call in self.calls:
            if call.state is State.WAITING and not (call.task and call.task.done()):
                call.dropped = True
                if call.task:
                    call.task.cancel()
        return self.on_their_way

    def hold(self) -> None:
        """Send no more of it: the app ends, and what is sent shall come home before. The visitor lets it go on."""
        self._held = True
        for call in self.calls:
            if call.state is State.WAITING and call.task and not call.task.done():
                self._hold_back(call)

    def _hold_back(self, call: Call) -> None:
        if call.task:
            call.task.cancel()
        self.fail(NotSent(), call.places)

    def resume(self, calls: Sequence[Call]) -> None:
        """More may come of it after all. What went wrong with these calls is tried again: it is not told any more."""
        again = {place for call in calls for place in call.places}
        self.reasons = {place: reason for place, reason in self.reasons.items() if place not in again}
        self.problems = list(dict.fromkeys(self.reasons.values()))
        self._started = time.monotonic() - self.seconds  # what it waited for its visitor is no work
        self.finished = self.cancelled = self._held = False
        self._ended = None
        self.tell()

    def go_on(self, calls: Sequence[Call], requests: Sequence[ImageRequest]) -> None:
        """These calls wait for their turns again, with these requests, as if they had never been sent."""
        for call, request in zip(calls, requests, strict=True):
            call.request = request
            call.state, call.unbilled, call.reason, call.task = State.WAITING, call.request.n, "", None
            call.refused, call.dropped, call.charged = False, False, True
        self.resume(calls)

    def end(self, seconds: float | None = None) -> None:
        """Nothing more comes. The reference pictures go: the order is kept for a while.

        Args:
            seconds: how long it took, where that was in another life of the app.
        """
        for call in self.calls:
            call.request = call.request.light()
        self._ended, self.finished = time.monotonic(), True
        if seconds is not None:
            self._started = self._ended - seconds
        self.tell()

    async def watch(self, every: float = 1.0) -> AsyncIterator["Order"]:
        """Itself, at each change and at least every so many seconds, until the end. Many may watch."""
        while True:
            await asyncio.sleep(TOGETHER)
            sound, finished = self._bell.sound, self.finished
            yield self
            if finished:
                return
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(sound.wait(), every)

    async def finish(self) -> "Order":
        """Itself, in the end."""
        async for _ in self.watch(every=60.0):
            pass
        return self

    def tell(self) -> None:
        """To whoever follows it: something has changed, such as whether its pictures are still there."""
        self.changes += 1
        self._bell.ring()
        self.bell.ring()
