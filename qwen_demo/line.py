"""The line before the API: not too many calls at once, and everyone in their turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Line:
    """At most `limit` calls under way at once; who comes later waits in the order of arrival."""

    def __init__(self, limit: int) -> None:
        self._free = asyncio.Semaphore(limit)
        self._waiting: list[object] = []

    @asynccontextmanager
    async def turn(self, who: object) -> AsyncIterator[None]:
        """Wait for a turn and hold it."""
        self._waiting.append(who)
        try:
            await self._free.acquire()
        finally:
            self._waiting.remove(who)
        try:
            yield
        finally:
            self._free.release()

    def place(self, who: object) -> int:
        """The place in line, 1 is next, 0 for who doesn't wait."""
        return self._waiting.index(who) + 1 if who in self._waiting else 0
