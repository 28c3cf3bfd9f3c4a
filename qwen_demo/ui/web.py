"""The door before Gradio: which browser asks, in which language, and whether the app is well."""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VISITOR, ADDRESS = "visitor", "address"
"""Where in a request's scope the visitor's name and network address stand."""
_COOKIE = "qwen-image-demo"
_YEAR = 365 * 24 * 3600


class Visitors:
    """ASGI middleware: a name nobody can guess for each browser, in a signed cookie that no script can read.

    Args:
        app: what comes after it; finds the name in `scope[VISITOR]`, the address in `scope[ADDRESS]`.
        secret: signs the cookies. With another one, all browsers are new.
        proxies: how many proxies in front are trusted with the address.
    """

    def __init__(self, app: ASGIApp, secret: bytes, proxies: int = 0) -> None:
        self._app = app
        self._secret = secret
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = self._known(Request(scope).cookies.get(_COOKIE, ""))
        scope[VISITOR] = name or secrets.token_urlsafe(16)
        scope[ADDRESS] = address_of(scope, self._proxies)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and not name:
                MutableHeaders(scope=message).append("set-cookie", self._cookie(scope))
            await send(message)

        await self._app(scope, receive, send_with_cookie)

    def _known(self, cookie: str) -> str | None:
        name, _, signature = cookie.partition(".")
        return name if name and hmac.compare_digest(signature.encode(), self._sign(name).encode()) else None

    def _sign(self, name: str) -> str:
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()

    def _cookie(self, scope: Scope) -> str:
        name = scope[VISITOR]
        encrypted = "https" in (scope["scheme"], Headers(scope=scope).get("x-forwarded-proto"))
        # A Space shows the page in a frame of another site, where only the first form is kept.
        sites = "SameSite=None; Secure; Partitioned" if encrypted else "SameSite=Lax"
        return f"{_COOKIE}={name}.{self._sign(name)}; Path=/; Max-Age={_YEAR}; HttpOnly; {sites}"


def address_of(scope: Scope, proxies: int) -> str:
    """The visitor's network address: an IPv4 one, or the first half of an IPv6 one, which is one customer's.

    Each trusted proxy adds to the right of `X-Forwarded-For` the address that it sees; what stands further left, anyone
    can write.
    """
    peer, _ = scope.get("client") or ("", 0)
    seen = [part.strip() for line in Headers(scope=scope).getlist("x-forwarded-for") for part in line.split(",")]
    text = seen[-proxies] if 0 < proxies <= len(seen) else peer
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address):
        network = ipaddress.ip_network((address, 64), strict=False)
        return str(address.ipv4_mapped or network)
    return text


class Head:
    """ASGI middleware: puts a script first into every page, before Gradio's own.

    Args:
        app: what comes after it.
        script: JavaScript.
    """

    def __init__(self, app: ASGIApp, script: str) -> None:
        self._app = app
        self._script = f"<script>{script}</script>".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: list[Message] = []
        page = bytearray()

        async def send_with_script(message: Message) -> None:
            if message["type"] == "http.response.start" and "text/html" in Headers(raw=message["headers"]).get(
                "content-type", ""
            ):
                start.append(message)  # its length is known only with the whole page
            elif not start:
                await send(message)
            elif message["type"] == "http.response.body":
                page.extend(message.get("body", b""))
                if not message.get("more_body"):
                    whole = bytes(page).replace(b"<head>", b"<head>" + self._script, 1)
                    MutableHeaders(scope=start[0])["content-length"] = str(len(whole))
                    await send(start[0])
                    await send({"type": "http.response.body", "body": whole})

        await self._app(scope, receive, send_with_script if scope["type"] == "http" else send)


def health_routes(draining: Callable[[], bool]) -> list[Route]:
    """`/healthz` says 200 while the app lives, `/readyz` says 503 while it takes no new orders."""

    def healthy(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    def ready(_: Request) -> PlainTextResponse:
        return PlainTextResponse("draining", 503) if draining() else PlainTextResponse("ok")

    return [Route("/healthz", healthy), Route("/readyz", ready)]
