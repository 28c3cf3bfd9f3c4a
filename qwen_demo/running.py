"""Orders under way: counted and begun, brought to their ends, settled; and taken up where another process left them."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from .api.errors import QwenDemoError
from .api.requests import ImageRequest
from .call import Call
from .delivery import Delivery
from .disk import PIXELS
from .journal import Journal
from .order import Order, Terms
from .orders import Orders, TooManyOrders
from .quota import Charge, Limit, Quota, TooManyAttempts
from .usage import Ledger
from .visitors import OwnKeys, Visitor

log = logging.getLogger(__name__)


class Running:
    """Sees orders through, from their counting to their settling.

    Args:
        orders: holds them meanwhile.
        delivery: sends their calls, and brings home what is answered.
        journal: what other processes left stands there.
        ledger: where they are entered in the end.
        quota: what visitors may spend; None for as much as they like.
        attempts: calls that a visitor may send, whoever pays, such as `60/minute`; "" for as many as they like.
        own_keys: what visitors brought; None where they may not.
    """

    def __init__(
        self,
        orders: Orders,
        delivery: Delivery,
        journal: Journal,
        ledger: Ledger,
        *,
        quota: Quota | None,
        attempts: str,
        own_keys: OwnKeys | None,
    ) -> None:
        self.quota = quota
        self.attempts = Limit(attempts, TooManyAttempts)
        self._orders = orders
        self._delivery = delivery
        self._journal = journal
        self._ledger = ledger
        self._own_keys = own_keys
        self._resuming = asyncio.Lock()  # a look at who has what is over before the next one

    async def check(self, requests: Sequence[ImageRequest], visitor: Visitor, key: str, host: str) -> None:
        """Whether these could be begun now, as far as it can be known without counting them. Raises as `begin`.

        Args:
            requests: of an order.
            visitor: whose it would be.
            key: the visitor's own, where that pays; "" for the owner's.
            host: where that key belongs; "" for the usual host.
        """
        n = sum(request.n for request in requests)
        self._orders.check(visitor, len(requests))
        await self._delivery.check((visitor.name, *visitor.counted), key, host, n)
        if self.quota and not key:
            await self.quota.check(visitor, n)
        await self.attempts.check(visitor, len(requests))

    async def begin(self, requests: Sequence[ImageRequest], visitor: Visitor, terms: Terms, key: str) -> Order:
        """Count an order of these requests, and begin it. It goes on whoever watches it.

        Raises:
            OverQuota: the visitor, or all together, may not spend that much.
            TooManyAttempts: the visitor may not send that much.
            DiskFull: the pictures would have no place.
            Unauthorized: the visitor's own key was refused before.
            QuotaUnknown: nobody knows what may be spent.
            TooManyOrders: of this visitor.
            ShuttingDown: the app takes no new orders.
        """
        async with self._charged(requests, visitor, terms, key) as charge:
            order = self._orders.place(requests, visitor, terms)
        order.task = asyncio.create_task(self._run(order, order.calls, key, charge))
        return order

    async def go_on(
        self, order: Order, calls: Sequence[Call], requests: Sequence[ImageRequest], visitor: Visitor, key: str
    ) -> None:
        """Count calls of an order that has ended, and begin with them, with these requests. Raises as `begin`."""
        before = [(call.state, call.unbilled) for call in calls]
        self._orders.check(visitor, len(requests))
        async with self._charged(requests, visitor, order.terms, key) as charge:
            if not await self.claim(order):  # another process may have gone on with it
                raise TooManyOrders
            try:
                self._orders.check(visitor, len(requests))
                if not order.finished or before != [(call.state, call.unbilled) for call in calls]:
                    raise TooManyOrders  # another press was first
            except QwenDemoError:
                await self._delivery.note(order)  # that it rests, if it does
                raise
            order.go_on(calls, requests)
        order.task = asyncio.create_task(self._run(order, calls, key, charge))

    @asynccontextmanager
    async def _charged(
        self, requests: Sequence[ImageRequest], visitor: Visitor, terms: Terms, key: str
    ) -> AsyncIterator[Charge]:
        """Count these requests, and begin with them while the block runs. What goes wrong there costs nothing."""
        n = sum(request.n for request in requests)
        pixels = terms.shape[0] * terms.shape[1] if terms.regions else PIXELS
        room = n * math.ceil(pixels / PIXELS)
        await self._delivery.check((visitor.name, *visitor.counted), key, terms.host, room)
        charge = Charge() if key or not self.quota else await self.quota.charge(visitor, n)
        try:
            await self.attempts.charge(visitor, len(requests))
            yield charge
        except BaseException:  # whoever asked may be gone, too
            await asyncio.shield(charge.give_back(n))
            raise

    async def _run(self, order: Order, calls: Sequence[Call], key: str, charge: Charge) -> None:
        """The way of an order's calls to their ends, side by side: a failed one stops none of the others."""
        order.charge = charge.told
        for call in calls:
            call.task = None if order.cancelled else asyncio.create_task(self._delivery.see_through(order, call, key))
        self._orders.hold_one(order)
        try:
            await self._delivery.note(order)
            await self._settle(order, charge)
            self._ledger.enter(order, calls)
        finally:
            self._orders.end(order)

    async def _settle(self, order: Order, charge: Charge) -> None:
        """Wait for the ends of an order's calls, and give back what of its charge surely cost nothing.

        That it is settled is written down first: a process that ends in between leaves too much counted, never too
        little. Where it can't be, whoever takes the order over gives back what is written there.
        """
        await asyncio.gather(*(call.task for call in order.calls if call.task), return_exceptions=True)
        calls = [call for call in order.calls if call.charged]
        for call in calls:
            call.charged = False
        if await self._delivery.note(order) or not charge.told:
            refused = sum(call.unbilled for call in calls if call.refused)
            await charge.give_back(sum(call.unbilled for call in calls), refused)

    async def resume(self, visitor: str = "") -> None:
        """Take up again what another process left, such as the app before it was started anew.

        Answers that are here are read and fetched; what was counted and surely cost nothing is given back. Of a
        `visitor`, who is here now, everything is taken over that no other process works on, and what another one has
        is not found here any more. A folder that can't be read is told in the log: it may be another time.
        """
        async with self._resuming:
            try:
                taken = await self._delivery.aside(self._journal.take_over, visitor)
            except OSError as error:
                log.error("what other processes left can't be looked at: %s", error)
                return
            self._orders.leave(taken.elsewhere)
            for order in taken.orders:
                try:
                    self._orders.take_back(order)
                    if order.unread:
                        self.fetch_again(order)
                    elif any(call.charged for call in order.calls):
                        await self._settle(order, self._charge_of(order))
                except Exception:  # it stops neither the others nor the app's start
                    log.exception("order %s is not taken up again", order.id)

    async def watch(self, every: float = 30.0) -> None:
        """Take over what a process leaves when it ends, before addresses of pictures expire. Until it is cancelled.

        What goes wrong is told in the log, and tried again at the next look.

        Args:
            every: seconds between two looks.
        """
        while True:
            await asyncio.sleep(every)
            try:
                if await self._delivery.aside(self._journal.someone_ended):
                    await self.resume()
            except Exception:
                log.exception("what another process left is not taken over yet")

    async def claim(self, order: Order) -> bool:
        """Whether an order at rest is still this process's to work on. What another one has is not found here."""
        mine = await self._delivery.note(order, self._journal.claim)
        if not mine:
            self._orders.forget(order)
        elif self._orders.find(order.id, order.visitor) is not order:  # its visitor forgot it meanwhile
            await self._delivery.note(order, self._journal.drop)
            return False
        return mine

    def _charge_of(self, order: Order) -> Charge:
        return self.quota.charged(order.charge) if self.quota else Charge()

    def fetch_again(self, order: Order) -> None:
        """Try once more to understand what came, and to fetch its pictures; nothing where all is here."""
        if not (calls := order.unread):
            return

        key = ""
        if self._own_keys and order.terms.own_key:
            held, host = self._own_keys.held(order.visitor)
            key = held if host == order.terms.host else ""  # another host's key goes nowhere else

        async def run() -> None:
            try:
                if await self.claim(order):
                    for call in calls:
                        call.task = asyncio.create_task(self._delivery.take_up(order, call, key))
                    await self._settle(order, self._charge_of(order))
            finally:
                self._orders.end(order)

        order.resume(calls)
        order.task = asyncio.create_task(run())

    async def forget(self, order: Order) -> None:
        """Nobody wants what is unread of it."""
        self._orders.forget(order)
        await self._delivery.note(order, self._journal.drop)
