"""Orders: what visitors asked for, the calls that it takes, and the line before the API.

An order belongs to the app and not to a browser tab: what is sent is fetched and kept, whoever still watches. The
service does the work; here stands how far it is.
"""

import asyncio
import math
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from .api.errors import QwenDemoError
from .api.requests import ImageRequest
from .api.responses import ImagesResponse, add_usage
from .logs import InternalError
from .visitors import Visitor

TOGETHER = 0.005  # seconds: what happens within them, such as the last picture and the end, is told at once
MOST_CALLS = 12  # of one visitor, under way or waiting, where visitors have a limit: two orders of six


class ShuttingDown(QwenDemoError):
    """The app is about to end and takes no new orders."""


class TooManyOrders(QwenDemoError):
    """The visitor has enough orders under way."""


class NotSaved(QwenDemoError):
    """A picture came and is shown, but is not in the library: the disk is full, or the folder can't be written."""

    may_be_billed = True


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture: its file, its size in pixels, and how it was asked for."""

    path: Path
    width: int
    height: int
    seed: int | None
    request_id: str | None
    revised_prompt: str | None = None


class State(str, Enum):
    """How far a call is. From `SENT` on it may be billed; `ANSWERED` until all its pictures are saved."""

    WAITING = "waiting"
    SENT = "sent"
    ANSWERED = "answered"
    DONE = "done"
    FAILED = "failed"


@dataclass(eq=False)
class Call:
    """One POST of an order; its pictures are the order's `first`th (from 0) and those after it.

    Attributes:
        unbilled: how many of them surely cost nothing, as far as that is known.
        answered: when its answer came, local time; its pictures bear it.
        headers: of its answer.
        usage: what the API reported for it, and its id there.
        reason: why it failed, in English.
    """

    request: ImageRequest
    first: int
    unbilled: int
    state: State = State.WAITING
    answered: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    usage: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    reason: str = ""
    task: asyncio.Task[None] | None = None


class Order:
    """What a visitor asked for: the calls it takes, and what has come of them.

    Attributes:
        visitor: the name of whose it is.
        counted: the names under which the visitor's limits count.
        references: the names of its reference pictures, in their order: an address, or the SHA-256 of its bytes.
        own_key: whether the visitor's own key pays for it.
        placed: when, local time.
        calls: side by side; they differ in seed and n.
        n: pictures ordered.
        numbered: the pictures that are there, by their places in the order, from 0.
        problems: what went wrong, a row a failed call or picture.
        cancelled: whether the visitor wants no more of it.
        finished: whether it has come to its end.
        taken_back: whether it is from before the app was started anew, or tried again.
        task: who works on it.
        noting: held by whoever writes down how it stands.
    """

    def __init__(
        self,
        requests: Sequence[ImageRequest],
        visitor: Visitor,
        references: Sequence[str] = (),
        *,
        own_key: bool = False,
        line: "Line | None" = None,
        id: str = "",
    ) -> None:
        self.id = id or secrets.token_urlsafe(16)
        self.visitor = visitor.name
        self.counted = visitor.counted
        self.references = tuple(references)
        self.own_key = own_key
        self.placed = datetime.now()
        self.n = sum(request.n for request in requests)
        self.calls: list[Call] = []
        for request in requests:
            self.calls.append(Call(request, sum(call.request.n for call in self.calls), unbilled=request.n))
        self.numbered: dict[int, Picture] = {}
        self.problems: list[QwenDemoError] = []
        self.cancelled = self.finished = self.taken_back = False
        self.task: asyncio.Task[None] | None = None
        self.noting = asyncio.Lock()
        self._line = line or Line(1)
        self._started = time.monotonic()
        self._ended: float | None = None
        self._changed = asyncio.Event()

    @property
    def request(self) -> ImageRequest:
        """The first request; the others differ in seed and n."""
        return self.calls[0].request

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
        return min((place for call in self.calls if (place := self._line.place(call))), default=0)

    @property
    def on_their_way(self) -> int:
        """How many pictures are sent for, and not there yet."""
        under_way = (call for call in self.calls if call.task and not call.task.done())
        return sum(call.request.n for call in under_way if call.state is not State.WAITING)

    @property
    def unread(self) -> list[Call]:
        """The calls that are paid for, and whose pictures are not all here."""
        return [call for call in self.calls if self.finished and call.state is State.ANSWERED]

    @property
    def lost(self) -> list[Call]:
        """The calls that were sent, and of whose answer nobody knows."""
        return [call for call in self.calls if self.finished and call.state is State.SENT]

    @asynccontextmanager
    async def turn(self, call: Call) -> AsyncIterator[None]:
        """The call's turn to be sent. From here on it can't be dropped."""
        async with self._line.turn(call, self.counted):
            call.state, call.unbilled = State.SENT, 0
            self._tell()
            yield

    def understood(self, call: Call, response: ImagesResponse) -> None:
        """An answer was read; its pictures are still to be fetched. Only these are billed."""
        call.unbilled = max(0, call.request.n - len(response.images))
        call.usage, call.request_id = response.usage, response.request_id

    def add(self, index: int, picture: Picture) -> None:
        """A picture is there, the `index`th of the order, from 0."""
        self.numbered[index] = picture
        self._tell()

    def fail(self, problem: BaseException) -> None:
        """A call or a picture failed; the others go on. What no one foresaw goes to the log."""
        self.problems.append(problem if isinstance(problem, QwenDemoError) else InternalError(problem))
        self._tell()

    def cancel(self) -> int:
        """Drop the calls that were not sent yet. Returns how many pictures are still on their way."""
        self.cancelled = True
        self._tell()
        for call in self.calls:
            if call.state is State.WAITING and call.task:
                call.task.cancel()
        return self.on_their_way

    def resume(self) -> None:
        """More may come of it after all. What went wrong is tried again, so it is not told any more."""
        self.finished, self._ended, self.problems, self.taken_back = False, None, [], True
        self._tell()

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
        self._tell()

    async def watch(self, every: float = 1.0) -> AsyncIterator["Order"]:
        """Itself, at each change and at least every so many seconds, until the end. Many may watch."""
        while True:
            await asyncio.sleep(TOGETHER)
            changed, finished = self._changed, self.finished
            yield self
            if finished:
                return
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(changed.wait(), every)

    async def finish(self) -> "Order":
        """Itself, in the end."""
        async for _ in self.watch(every=60.0):
            pass
        return self

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Orders:
    """All orders of the app, each for the visitor who placed it. They share one line of `max_in_flight` calls.

    Args:
        max_in_flight: calls under way at once.
        each: calls under way at once of one visitor, 0 for as many as there may be at all.
        keep: seconds until a finished order is forgotten. Its pictures stay.
    """

    def __init__(self, max_in_flight: int, *, each: int = 0, keep: float = 3600.0) -> None:
        self._line = Line(max_in_flight, each)
        self._each = each
        self._keep = keep
        self._orders: dict[str, Order] = {}
        self._ended = -math.inf  # when the last order came to its end
        self.draining = False
        """Set it to take no new orders."""

    @property
    def running(self) -> int:
        """How many orders have not come to their end."""
        return sum(not order.finished for order in [*self._orders.values()])  # another thread asks too

    @property
    def on_their_way(self) -> int:
        """How many pictures of all orders are sent for, and not there yet."""
        return sum(order.on_their_way for order in [*self._orders.values()])  # another thread asks too

    async def idle(self, seconds: float) -> None:
        """Wait until no order has been running for so long."""
        while True:
            running = [order for order in self._orders.values() if not order.finished]
            if not running and time.monotonic() >= self._ended + seconds:
                return
            if running:
                await asyncio.gather(*(order.finish() for order in running))
            else:
                await asyncio.sleep(self._ended + seconds - time.monotonic())

    def place(
        self,
        requests: Sequence[ImageRequest],
        visitor: Visitor,
        references: Sequence[str] = (),
        *,
        own_key: bool = False,
    ) -> Order:
        """Take an order of so many calls. `references` are the names of its reference pictures.

        Raises:
            ShuttingDown: the app takes no new orders.
            TooManyOrders: of this visitor.
        """
        self.check(visitor, len(requests))
        order = Order(requests, visitor, references, own_key=own_key, line=self._line)
        self._orders[order.id] = order
        return order

    def check(self, visitor: Visitor, calls: int) -> None:
        """Whether an order of so many calls would be taken.

        Raises:
            ShuttingDown: the app takes no new orders.
            TooManyOrders: of this visitor.
        """
        if self.draining:
            raise ShuttingDown
        if self._each and self._under_way(visitor) + calls > MOST_CALLS:
            raise TooManyOrders

    def take_back(self, order: Order) -> None:
        """Have an order of before the app was started anew."""
        self._orders[order.id] = order
        self._forget_later(order)

    def end(self, order: Order) -> None:
        """Nothing more comes of it. It can be found for a while, or as long as something of it is unread."""
        order.end()
        self._ended = time.monotonic()
        self._forget_later(order)

    def unread(self, visitor: str) -> list[Order]:
        """The visitor's orders of which something that was paid for, or may be, is not here."""
        return [order for order in self._orders.values() if order.visitor == visitor and (order.unread or order.lost)]

    def find(self, id: str, visitor: str) -> Order | None:
        """The visitor's order of that id, running or finished within the hour; nobody finds another's."""
        order = self._orders.get(id)
        return order if order and order.visitor == visitor else None

    def latest(self, visitor: str, kind: str) -> Order | None:
        """The visitor's last order of that kind that was not cancelled."""
        own = (order for order in reversed(self._orders.values()) if order.visitor == visitor)
        return next((order for order in own if order.request.kind == kind and not order.cancelled), None)

    def forget(self, order: Order) -> None:
        """It is not found any more."""
        self._orders.pop(order.id, None)

    def _forget_later(self, order: Order) -> None:
        def forget() -> None:
            if not (order.unread or order.lost):
                self.forget(order)

        asyncio.get_running_loop().call_later(self._keep, forget)

    def _under_way(self, visitor: Visitor) -> int:
        """The calls of all orders that count under one of the visitor's names."""
        orders = (order for order in self._orders.values() if not set(order.counted).isdisjoint(visitor.counted))
        return sum(not (call.task and call.task.done()) for order in orders for call in order.calls)


class Line:
    """At most `limit` calls under way at once; who comes later waits in the order of arrival.

    Args:
        limit: of all together.
        each: of one visitor; 0 for no such limit.
    """

    def __init__(self, limit: int, each: int = 0) -> None:
        self._free = asyncio.Semaphore(limit)
        self._each = each
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()  # only while one is needed
        self._waiting: list[object] = []

    @asynccontextmanager
    async def turn(self, who: object, visitor: Sequence[str] = ()) -> AsyncIterator[None]:
        """Wait for a turn and hold it. `visitor` are the names under which the visitor's own limit counts."""
        async with AsyncExitStack() as held:
            self._waiting.append(who)
            try:
                # The own limit first: nobody waits with a place that another visitor could have.
                own = [self._own.setdefault(name, asyncio.Semaphore(self._each)) for name in visitor if self._each]
                for semaphore in [*own, self._free]:
                    await held.enter_async_context(semaphore)
            finally:
                self._waiting.remove(who)
            yield

    def place(self, who: object) -> int:
        """The place in line, 1 is next, 0 for who doesn't wait."""
        return self._waiting.index(who) + 1 if who in self._waiting else 0
