"""All orders of the app: whose they are, which still run, and how a visitor's browser follows them."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from weakref import WeakValueDictionary

from .api.errors import QwenDemoError
from .api.requests import ImageRequest
from .inflight import Shared
from .line import Line, Timer
from .order import TOGETHER, Bell, Order, Terms
from .visitors import Visitor

MOST_KEPT = 50  # orders of one visitor, which the feed shows
MOST_CALLS = 100  # of one visitor, under way or waiting, where visitors have a limit: two orders of fifty


class ShuttingDown(QwenDemoError):
    """The app is about to end and takes no new orders."""


class TooManyOrders(QwenDemoError):
    """The visitor has enough orders under way."""


class Orders:
    """All orders of the app, each for the visitor who placed it. They share one line of `max_in_flight` calls.

    Args:
        max_in_flight: calls under way at once.
        each: calls under way at once of one visitor, 0 for as many as there may be at all.
        rate: calls that one key pays for and that begin in a second; None for no limit.
        storage: where these three are counted: `memory://`, or `redis://host:port` for several processes together.
        keep: seconds until a finished order is forgotten: a day, as in the journal. Its pictures stay.
        timer: tells the line the time; None for the running loop.
    """

    def __init__(
        self,
        max_in_flight: int,
        *,
        each: int = 0,
        rate: float | None = None,
        storage: str = "memory://",
        keep: float = 24 * 3600.0,
        timer: Timer | None = None,
    ) -> None:
        shared = None if storage.startswith("memory") else Shared(storage, max_in_flight, each, rate)
        self._line = Line(max_in_flight, each, rate, timer, shared)
        self._each = each
        self._keep = keep
        self._orders: dict[str, Order] = {}
        self._forgetting: dict[str, asyncio.TimerHandle] = {}
        self._bells: WeakValueDictionary[str, Bell] = WeakValueDictionary()
        self._ended = -math.inf  # when the last order came to its end
        self.draining = False
        """Set it to take no new orders, and call `hold` then."""

    @property
    def running(self) -> int:
        """How many orders have not come to their end."""
        return sum(not order.finished for order in [*self._orders.values()])  # another thread asks too

    @property
    def on_their_way(self) -> int:
        """How many pictures of all orders are sent for, and not there yet."""
        return sum(order.on_their_way for order in [*self._orders.values()] if not order.finished)  # as above

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
        terms: Terms | None = None,
    ) -> Order:
        """Take an order of so many calls.

        Raises:
            ShuttingDown: the app takes no new orders.
            TooManyOrders: of this visitor.
        """
        self.check(visitor, len(requests))
        bell = self._bell(visitor.name)
        order = Order(requests, visitor, terms, line=self._line, bell=bell)
        for call in order.calls:
            call.charged = True
        self._orders[order.id] = order
        self._forget_most(visitor.name)
        order.tell()
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

    def hold(self) -> None:
        """Send no more of the orders of several calls: some would be on their way when the app ends, paid for and lost.

        Another thread may ask.
        """
        for order in [*self._orders.values()]:
            if order.task and not order.finished:
                order.task.get_loop().call_soon_threadsafe(self.hold_one, order)

    def hold_one(self, order: Order) -> None:
        """Send no more of this one, if it has several calls and the app is about to end."""
        if self.draining and len(order.calls) > 1 and not order.finished:
            order.hold()

    def take_back(self, order: Order) -> None:
        """Have an order of before the app was started anew."""
        order.line, order.bell = self._line, self._bell(order.visitor)
        self._orders[order.id] = order
        self._forget_most(order.visitor)
        self._forget_later(order)

    def end(self, order: Order) -> None:
        """Nothing more comes of it. It can be found for a while, or as long as something of it is unread."""
        order.end()
        self._ended = time.monotonic()
        if self._orders.get(order.id) is order:  # and is not forgotten yet
            self._forget_later(order)

    def unread(self, visitor: str) -> list[Order]:
        """The visitor's orders of which something that was paid for, or may be, is not here."""
        return [order for order in self._orders.values() if order.visitor == visitor and (order.unread or order.lost)]

    def of(self, visitor: str) -> list[Order]:
        """The visitor's orders that are not forgotten, the oldest first."""
        return [order for order in self._orders.values() if order.visitor == visitor]

    async def follow(self, visitor: str, every: float = 10.0) -> AsyncIterator[list[Order]]:
        """The visitor's orders, now and whenever one of them changes, and at least every so many seconds."""
        bell = self._bell(visitor)
        while True:
            await asyncio.sleep(TOGETHER)
            sound = bell.sound
            yield self.of(visitor)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(sound.wait(), every)

    def find(self, id: str, visitor: str) -> Order | None:
        """The visitor's order of that id; nobody finds another's."""
        order = self._orders.get(id)
        return order if order and order.visitor == visitor else None

    def forget(self, order: Order) -> None:
        """It is not found any more."""
        self._orders.pop(order.id, None)
        if timer := self._forgetting.pop(order.id, None):
            timer.cancel()
        self._bell(order.visitor).ring()

    def leave(self, ids: Iterable[str]) -> None:
        """These are another process's now: what is known of them here has had its time."""
        for order in filter(None, map(self._orders.get, ids)):
            if order.finished:
                self.forget(order)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._line.aclose()

    def _forget_most(self, visitor: str) -> None:
        """Of a visitor's finished orders the oldest go, unless something of them is unread."""
        finished = [order for order in self.of(visitor) if order.finished and not (order.unread or order.lost)]
        for order in finished[: max(0, len(self.of(visitor)) - MOST_KEPT)]:
            self.forget(order)

    def _bell(self, visitor: str) -> Bell:
        return self._bells.setdefault(visitor, Bell())

    def _forget_later(self, order: Order) -> None:
        def forget() -> None:
            if self._orders.get(order.id) is order and order.finished and not (order.unread or order.lost):
                self.forget(order)

        if timer := self._forgetting.get(order.id):  # it has gone on since
            timer.cancel()
        self._forgetting[order.id] = asyncio.get_running_loop().call_later(self._keep, forget)

    def _under_way(self, visitor: Visitor) -> int:
        """The calls of all orders that count under one of the visitor's names, but for those that nobody sends now."""
        running = (order for order in self._orders.values() if not order.finished)
        orders = (order for order in running if not set(order.counted).isdisjoint(visitor.counted))
        calls = (call for order in orders for call in order.calls if call.charged)
        return sum(not (call.task and call.task.done()) for call in calls)
