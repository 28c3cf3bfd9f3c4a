"""The page while the engine is away: it says so, and becomes the app's own by itself once the engine answers."""

import asyncio
import secrets
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..api.engine import EngineAway
from ..i18n import preferred, texts, translate
from .health import health_routes

AGAIN = 3.0  # seconds before the engine is asked again
T = TypeVar("T")

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark; font: 16px/1.6 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif; }}
  body {{ max-width: 34rem; margin: 18vh auto 0; padding: 0 24px; overflow-wrap: anywhere; }}
  h1 {{ font-size: 20px; }}
  p {{ opacity: .8; }}
</style>
<noscript><meta http-equiv="refresh" content="5"></noscript></head>
<body><h1>{title}</h1><p role="status">{words}</p>
<script nonce="{nonce}">
  setInterval(() => fetch("readyz").then((answer) => answer.text())
    .then((now) => {{ if (now !== "{state}") location.reload(); }}).catch(() => {{}}), 2000);
</script></body></html>
"""


class _Server(uvicorn.Server):
    """Ends at SIGINT and SIGTERM as the app does: without an error."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # only there signals are heard
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        yield
        for number, handler in before.items():
            signal.signal(number, handler)


async def serve_until(found: Callable[[], Awaitable[T]], listening: socket.socket, *, told: bool) -> T:
    """Serve that page until the engine is found.

    Args:
        found: looks for it; raises EngineAway.
        listening: where the page is served.
        told: whether whoever looks may know where the engine is.
    """
    state: list[EngineAway] = []
    server = _Server(uvicorn.Config(_app(state, told=told), log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve([listening]))
    while not serving.done():
        try:
            engine = await found()
        except EngineAway as away:
            state[:] = [away]
            await asyncio.wait([serving], timeout=AGAIN)
        else:
            server.should_exit = True
            await serving
            return engine
    raise SystemExit(0)  # told to end, with nothing under way


def _app(state: list[EngineAway], *, told: bool) -> Starlette:
    def reason() -> str:
        return "the engine refuses the key" if state and state[0].locked else "the engine is away"

    def page(request: Request) -> Response:
        language = preferred(request.headers.get("accept-language", ""), request.cookies.get("language", ""))
        asked_here = request.url.hostname in ("localhost", "127.0.0.1", "::1")  # by no foreign page under its own name
        host = state[0].host if state and told and asked_here else ""
        keys = ("engine_away_hidden", "engine_away")
        if state and state[0].locked:
            keys = ("engine_locked_hidden", "engine_locked")
        nonce = secrets.token_urlsafe(16)
        html = _PAGE.format(
            language=language,
            title=escape(texts(language)["title"]),
            words=escape(translate(language, keys[bool(host)], host=host)),
            state=reason(),
            nonce=nonce,
        )
        policy = f"default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'"
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "Retry-After": "5"}
        return HTMLResponse(html, 503, headers)

    def nothing(_: Request) -> Response:
        return PlainTextResponse(reason(), 503, {"Retry-After": "5"})

    return Starlette(routes=[*health_routes(reason), Route("/", page), Route("/{path:path}", nothing)])
