"""Calls under way in several processes at once: their places and their pace, counted together in Redis."""

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

LEASE = 30.0  # seconds until the places of a process that was killed are free
POLL = 0.2  # seconds until a process asks again that found none
FORGET = 1.0  # seconds after which a process that doesn't ask again is out of the line
PATIENCE = 1.0  # seconds for Redis to answer
AWAY = 5.0  # seconds until it is asked again after it didn't
KEY = "qwen-image-demo/in-flight"

_NOW = "local t = redis.call('TIME')  local now = t[1] * 1000 + t[2] / 1000\n"
_BEGIN = f"""{_NOW}
local token, process = ARGV[1], ARGV[2]
local lease, limit, each, interval, poll, forget = unpack(ARGV, 3)
local places, waiting, heard, account = unpack(KEYS)

local function free(key, most)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  return most - redis.call('ZCARD', key)
end

for i = 5, #KEYS do
  if free(KEYS[i], each) < 1 then return {{tonumber(poll), 0}} end
end
local opens = tonumber(redis.call('GET', account) or 0)
if opens > now then return {{math.ceil(opens - now), 0}} end

-- Processes that found no place come first, in the order in which they first asked.
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', heard, '-inf', now)) do
  redis.call('ZREM', waiting, gone)
  redis.call('ZREM', heard, gone)
end
local ahead = redis.call('ZRANK', waiting, process) or redis.call('ZCARD', waiting)
if free(places, limit) <= ahead then
  redis.call('ZADD', waiting, 'NX', now, process)
  redis.call('ZADD', heard, now + forget, process)
  return {{tonumber(poll), 1}}
end
redis.call('ZREM', waiting, process)
redis.call('ZREM', heard, process)

redis.call('ZADD', places, now + lease, token)
for i = 5, #KEYS do redis.call('ZADD', KEYS[i], now + lease, token) end
if tonumber(interval) > 0 then redis.call('SET', account, now + interval, 'PX', interval) end
return {{0, 0}}
"""
_END = "for _, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[1]) end"
_RENEW = f"{_NOW} for _, key in ipairs(KEYS) do redis.call('ZADD', key, now + ARGV[2], ARGV[1]) end"


class Wait(NamedTuple):
    """How many seconds a call has to wait until it asks again, and whether everybody else has to."""

    seconds: float
    everyone: bool = False


GO = Wait(0)


class Shared:
    """The limits of a line, held by all processes together. While Redis is away they hold in each by itself.

    A place whose end Redis did not hear of is free when its `lease` is over. How slowly an account goes after it was
    turned away, each process finds out by itself.

    Args:
        url: of Redis.
        limit, each: calls under way, of all together and of one visitor; 0 for no limit of each.
        rate: calls of an account that begin in a second; None for no limit.
        lease: seconds for which a place is held unless that is said again.
    """

    def __init__(self, url: str, limit: int, each: int = 0, rate: float | None = None, *, lease: float = LEASE) -> None:
        from redis.asyncio import Redis
        from redis.exceptions import RedisError

        self._redis = Redis.from_url(url)
        self._begin, self._renew, self._end = map(self._redis.register_script, (_BEGIN, _RENEW, _END))
        self._errors = (RedisError, OSError, asyncio.TimeoutError)
        self._each, self._lease = each, lease
        interval = 1 / rate if rate else 0.0
        lasting, between, poll, forget = (round(1000 * seconds) for seconds in (lease, interval, POLL, FORGET))
        self._limits = [lasting, limit, each, between, poll, forget]
        self._process = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._held: dict[object, tuple[str, list[str]]] = {}
        self._ending: set[asyncio.Task[object]] = set()
        self._renewing: asyncio.Task[None] | None = None
        self._renewal = asyncio.Lock()  # while one is under way
        self._away_until = 0.0
        self._told = False

    async def begin(self, who: object, visitor: Sequence[str], account: str) -> Wait:
        """Let a call begin, or say how long it has to wait. It holds its places until `end`."""
        token = f"{self._process}/{next(self._numbers)}"
        own = [f"{KEY}/of/{name}" for name in visitor if self._each]
        keys = [f"{KEY}/places", f"{KEY}/waiting", f"{KEY}/heard", f"{KEY}/account/{account}", *own]
        answer = await self._asked(partial(self._begin, keys, [token, self._process, *self._limits]))
        if answer and answer[0]:
            return Wait(answer[0] / 1000, bool(answer[1]))
        self._held[who] = token, [keys[0], *own]
        if not self._renewing or self._renewing.done():
            self._renewing = asyncio.create_task(self._keep())
        return GO

    def end(self, who: object) -> None:
        """Its places are free."""
        task = asyncio.create_task(self._let_go(*self._held.pop(who)))
        self._ending.add(task)  # the loop alone would forget it
        task.add_done_callback(self._ending.discard)

    async def _let_go(self, token: str, keys: list[str]) -> None:
        async with self._renewal:  # or its own could come after its end
            pass
        await self._asked(partial(self._end, keys, [token]))

    async def _keep(self) -> None:
        """Say again and again what is held, also to a Redis that has been away."""
        while self._held:
            await asyncio.sleep(self._lease / 3)
            for who, held in [*self._held.items()]:
                async with self._renewal:
                    if self._held.get(who) is held:
                        token, keys = held
                        await self._asked(partial(self._renew, keys, [token, self._limits[0]]))

    async def aclose(self) -> None:
        """Say what has ended, and close the connections. What is still held is free after the lease."""
        if self._renewing:
            self._renewing.cancel()
        await asyncio.gather(*self._ending)
        await self._redis.aclose()

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """What Redis answers; None while it is away."""
        if time.monotonic() < self._away_until:
            return None
        try:
            answer = await asyncio.wait_for(ask(), PATIENCE)
        except self._errors as error:
            self._away_until = time.monotonic() + AWAY
            if not self._told:
                log.warning("Redis is away: each process keeps to the limits by itself (%s)", type(error).__name__)
            self._told = True
            return None
        self._told = False
        return answer
