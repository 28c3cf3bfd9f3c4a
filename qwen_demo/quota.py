"""Who may still spend how much of the owner's money. The unit is a picture."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Iterator
from typing import cast

from limits import RateLimitItem, parse
from limits.aio.storage import Storage
from limits.errors import StorageError
from limits.storage import storage_from_string

from .api.errors import QwenDemoError
from .visitors import Visitor

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds for the storage to answer
Counter = tuple[str, RateLimitItem]
"""Where it is counted, and up to what."""


class OverQuota(QwenDemoError):
    """There is not enough left.

    Attributes:
        whose: `visitor` or `total`.
        left: pictures that may still be made.
        minutes: until the count begins again.
    """

    def __init__(self, whose: str, left: int, minutes: int) -> None:
        self.whose, self.left, self.minutes = whose, left, minutes
        super().__init__(f"{left} left for the {whose}, more in {minutes} minutes")


class QuotaUnknown(QwenDemoError):
    """The storage that counts doesn't answer. Then nobody may spend anything."""


class Quota:
    """Counts pictures in windows of time that begin at the same moment for everyone, such as days at 0:00 UTC.

    Args:
        per_visitor: such as `20/day`; "" for no limit.
        total: of the whole app, such as `300/day`; "" for no limit.
        storage: `memory://`, or `redis://host:port` so that several processes share one count.

    Raises:
        ValueError: a text can't be understood.
        limits.errors.ConfigurationError: the storage's package is not installed.
    """

    def __init__(self, per_visitor: str, total: str, storage: str = "memory://") -> None:
        self._per_visitor = parse(per_visitor) if per_visitor else None
        self._total = parse(total) if total else None
        options = {} if storage.startswith("memory") else {"implementation": "redispy"}
        # "async+" makes it one of these.
        self._storage = cast(Storage, storage_from_string(f"async+{storage}", wrap_exceptions=True, **options))

    async def charge(self, visitor: Visitor, pictures: int) -> "Charge":
        """Count pictures before they are ordered: all of them, or none.

        Raises:
            OverQuota: there are fewer left.
            QuotaUnknown: the storage is away.
        """
        charge = Charge(self)
        try:
            for whose, (key, rule) in self._counters(visitor):
                # Only the storage adds up: two who ask at once, even in two processes, see different sums.
                used = await self.add((key, rule), pictures)
                charge.counters.append((key, rule))
                if used > rule.amount:
                    minutes = math.ceil((rule.get_expiry() - time.time() % rule.get_expiry()) / 60)
                    raise OverQuota(whose, max(0, rule.amount - used + pictures), minutes)
        except (OverQuota, QuotaUnknown):
            await charge.give_back(pictures)
            raise
        return charge

    async def left(self, visitor: Visitor) -> int | None:
        """How many pictures the visitor may still make; None where nothing limits them.

        Raises:
            QuotaUnknown: the storage is away.
        """
        left = [rule.amount - await _answered(self._storage.get(key)) for _, (key, rule) in self._counters(visitor)]
        return max(0, min(left)) if left else None

    async def add(self, counter: Counter, pictures: int) -> int:
        """Add to a count, or take off with a negative number. Returns the sum.

        Raises:
            QuotaUnknown: the storage is away.
        """
        key, rule = counter
        return await _answered(self._storage.incr(key, rule.get_expiry(), pictures))

    def _counters(self, visitor: Visitor) -> Iterator[tuple[str, Counter]]:
        # The narrow ones first: who is over an own limit doesn't touch the count that all share.
        limits = [("visitor", name, self._per_visitor) for name in visitor.counted]
        for whose, name, rule in [*limits, ("total", "total", self._total)]:
            if rule:
                # The window's number is in the key: what is given back late doesn't count for the next one.
                window = int(time.time() // rule.get_expiry())
                yield whose, (f"qwen-image-demo/{name}/{rule}/{window}", rule)


class Charge:
    """Pictures that were counted before they were ordered. Without a quota it holds none."""

    def __init__(self, quota: Quota | None = None) -> None:
        self._quota = quota
        self.counters: list[Counter] = []

    async def give_back(self, pictures: int) -> None:
        """So many of them were surely not billed. While the storage is away they stay counted."""
        if self._quota is None or not pictures:
            return
        for counter in self.counters:
            try:
                await self._quota.add(counter, -pictures)
            except QuotaUnknown:
                log.warning("the quota's storage is away: %d unbilled pictures stay counted", pictures)


async def _answered(answer: Awaitable[int]) -> int:
    try:
        return await asyncio.wait_for(answer, PATIENCE)
    except (StorageError, OSError, asyncio.TimeoutError) as error:
        log.error("the quota's storage is away: %s", type(error).__name__)
        raise QuotaUnknown from error
