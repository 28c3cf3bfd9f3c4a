"""How much a visitor may: pictures for the owner's money, and what is counted besides."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import contextmanager
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
Told = tuple[tuple[str, str], ...]
"""The same in texts, of several counters."""


class OverLimit(QwenDemoError):
    """There is not enough left of something. `seconds` until its count begins again."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"more in {seconds} seconds")


class OverQuota(OverLimit):
    """There are not enough pictures left.

    Attributes:
        whose: `visitor` or `total`.
        left: pictures that may still be made.
    """

    def __init__(self, whose: str, left: int, seconds: int) -> None:
        self.whose, self.left = whose, left
        super().__init__(seconds)


class TooManyAttempts(OverLimit):
    """The visitor sends too many calls, whoever pays for them."""


class TooMuchKept(OverLimit):
    """The visitor has this app write too much to its disk."""


class QuotaUnknown(QwenDemoError):
    """The storage that counts doesn't answer. Then nobody may spend anything."""


class Quota:
    """Counts pictures in windows of time that begin at the same moment for everyone, such as days at 0:00 UTC.

    Args:
        per_visitor: such as `20/day`; "" for no limit.
        total: of the whole app, such as `300/day`; "" for no limit.
        storage: `memory://`, or `redis://host:port` so that several processes share one count.

    Attributes:
        shared: whether they do.

    Raises:
        ValueError: a text can't be understood.
        limits.errors.ConfigurationError: the storage's package is not installed.
    """

    def __init__(self, per_visitor: str, total: str, storage: str = "memory://") -> None:
        self._per_visitor = parse(per_visitor) if per_visitor else None
        self._total = parse(total) if total else None
        options = {} if storage.startswith("memory") else {"implementation": "redispy"}
        self.shared = not storage.startswith("memory")
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
                _judge(whose, rule, used, pictures)
        except BaseException:  # whoever asked may be gone, too
            await asyncio.shield(charge.give_back(pictures))
            raise
        return charge

    def charged(self, counters: Told) -> "Charge":
        """What was counted by a process that has ended, as it had `told` it."""
        return Charge(self, [(key, parse(rule)) for key, rule in counters])

    async def check(self, visitor: Visitor, pictures: int) -> None:
        """Whether so many could be charged now. Counts nothing.

        Raises:
            OverQuota: there are fewer left.
            QuotaUnknown: the storage is away.
        """
        for whose, (key, rule) in self._counters(visitor):
            _judge(whose, rule, await _answered(self._storage.get(key)) + pictures, pictures)

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

    async def stays(self, counter: Counter, refused: int) -> int:
        """How many of so many refused pictures stay counted: those that are over the limit by themselves.

        Raises:
            QuotaUnknown: the storage is away.
        """
        key, rule = counter
        return min(refused, max(0, await self.add((f"{key}/refused", rule), refused) - rule.amount))

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

    def __init__(self, quota: Quota | None = None, counters: Iterable[Counter] = ()) -> None:
        self._quota = quota
        self.counters = [*counters]

    @property
    def told(self) -> Told:
        """Where it is counted, for another process; nothing where each has a count of its own."""
        shared = self._quota and self._quota.shared
        return tuple((key, str(rule)) for key, rule in self.counters if shared)

    async def give_back(self, pictures: int, refused: int = 0) -> None:
        """So many of them were surely not billed. While the storage is away they stay counted.

        Of those that the API `refused` for what was asked, a limit gives back as many as it allows and no more: or it
        could be asked without end.
        """
        if self._quota is None or not pictures:
            return
        try:
            if refused:
                pictures -= max([await self._quota.stays(counter, refused) for counter in self.counters], default=0)
            for counter in self.counters:
                if (left := await self._quota.add(counter, -pictures)) < 0:
                    await self._quota.add(counter, -left)  # the storage has begun anew since
        except QuotaUnknown:
            log.warning("the quota's storage is away: %d unbilled pictures stay counted", pictures)


class Limit:
    """Counts something else of each visitor's, in this process.

    Args:
        rate: such as `60/minute`; "" for no limit.
        error: what is raised when there is not enough left.
    """

    def __init__(self, rate: str, error: type[OverLimit]) -> None:
        self._quota = Quota(rate, "")
        self._error = error

    async def charge(self, visitor: Visitor, amount: int) -> None:
        """Count so much before it is done: all of it, or nothing. It is never given back.

        Raises:
            OverLimit: there is less left.
        """
        with self._in_its_words():
            await self._quota.charge(visitor, amount)

    async def check(self, visitor: Visitor, amount: int) -> None:
        """Whether so much could be charged now. Counts nothing.

        Raises:
            OverLimit: there is less left.
        """
        with self._in_its_words():
            await self._quota.check(visitor, amount)

    @contextmanager
    def _in_its_words(self) -> Iterator[None]:
        try:
            yield
        except OverQuota as error:
            raise self._error(error.seconds) from error


def _judge(whose: str, rule: RateLimitItem, used: int, pictures: int) -> None:
    """Raise `OverQuota` if so much is too much, with these pictures in it."""
    if used > rule.amount:
        seconds = math.ceil(rule.get_expiry() - time.time() % rule.get_expiry())
        raise OverQuota(whose, max(0, rule.amount - used + pictures), seconds)


async def _answered(answer: Awaitable[int]) -> int:
    try:
        return await asyncio.wait_for(answer, PATIENCE)
    except (StorageError, OSError, asyncio.TimeoutError) as error:
        log.error("the quota's storage is away: %s", type(error).__name__)
        raise QuotaUnknown from error
