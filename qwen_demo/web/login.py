"""Guessing passwords takes long."""

from limits.aio.storage import MemoryStorage
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .cookie import ADDRESS

GUESSES = 5
PAUSE = 60  # seconds: so many wrong passwords from one address within them bring a pause as long


class SlowLogin:
    """ASGI middleware: after five wrong passwords in a minute, an address has to wait for a minute."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._counts = MemoryStorage()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"].rstrip("/") != "/login":
            await self._app(scope, receive, send)
            return
        guesses, pause = f"guesses {scope[ADDRESS]}", f"pause {scope[ADDRESS]}"
        # Counted before it is tried: a hundred at once are a hundred.
        if await self._counts.get(pause) or await self._counts.incr(guesses, PAUSE) > GUESSES:
            refusal = JSONResponse({"detail": "Too many wrong passwords. Wait a minute."}, 429, {"Retry-After": "60"})
            await refusal(scope, receive, send)
            return

        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] < 400:
                    await self._counts.clear(guesses)
                elif await self._counts.get(guesses) >= GUESSES:
                    await self._counts.incr(pause, PAUSE)
            await send(message)

        await self._app(scope, receive, send_and_count)
