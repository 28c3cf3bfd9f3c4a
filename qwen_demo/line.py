"""The line before what many want at once: the API, or the machine's own time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary


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
        waiting = [*self._waiting]  # another thread asks too
        return waiting.index(who) + 1 if who in waiting else 0
