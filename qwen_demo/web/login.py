"""Before the login there is nothing, and guessing passwords takes long."""

import asyncio
from collections.abc import Callable, Iterable

from limits.aio.storage import MemoryStorage
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .cookie import ADDRESS
from .routes import asked, pattern

LOGIN = "POST /login"
GUESSES = 5
PAUSE = 60  # seconds: so many wrong passwords from one address within them bring a pause as long
ALL_LOGINS = 20  # from everywhere within them: from then on one after the other is looked at,
SLOWLY = 1.0  # seconds each,
MOST_WAITING = 30  # and so many at most wait for it
pause = asyncio.sleep


class Login:
    """ASGI middleware: what isn't open to everyone is for those who are signed in.

    Args:
        app: what comes after it.
        signed_in: the name of who asks; None for who has not signed in.
        before: the routes that are open to everyone, the login's own page among them.
    """

    def __init__(self, app: ASGIApp, signed_in: Callable[[Request], str | None], before: Iterable[str]) -> None:
        self._app = app
        self._signed_in = signed_in
        self._before = pattern([LOGIN, *before])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._before.fullmatch(asked(scope)) and not self._signed_in(Request(scope)):
            await JSONResponse({"detail": "Not authenticated"}, 401)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class SlowLogin:
    """ASGI middleware: after five wrong passwords in a minute, an address has to wait for a minute.

    Many addresses that guess together slow down the logins of all, and lock out nobody.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._counts = MemoryStorage()
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or asked(scope) != LOGIN:
            await self._app(scope, receive, send)
            return
        guesses, paused = f"guesses {scope[ADDRESS]}", f"paused {scope[ADDRESS]}"
        if await self._counts.get(paused):
            await _refused(scope, receive, send, PAUSE)
            return
        if await self._counts.incr("all", PAUSE) > ALL_LOGINS and not await self._slowed():
            await _refused(scope, receive, send, round(SLOWLY * MOST_WAITING))
            return
        if await self._counts.incr(guesses, PAUSE) > GUESSES:  # before it is tried: a hundred at once are a hundred
            await _refused(scope, receive, send, PAUSE)
            return

        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] == 200:
                    await self._counts.clear(guesses)
                elif await self._counts.get(guesses) >= GUESSES:
                    await self._counts.incr(paused, PAUSE)
            await send(message)

        await self._app(scope, receive, send_and_count)

    async def _slowed(self) -> bool:
        """Wait for a turn; False where too many do."""
        if self._waiting >= MOST_WAITING:
            return False
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                await pause(SLOWLY)
        finally:
            self._waiting -= 1
        return True


async def _refused(scope: Scope, receive: Receive, send: Send, seconds: int) -> None:
    words = {"detail": "Too many wrong passwords. Wait a minute."}
    await JSONResponse(words, 429, {"Retry-After": str(seconds)})(scope, receive, send)
