"""The door before Gradio: which browser asks, in which language, and whether the app is well."""

import gzip
import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VISITOR, ADDRESS = "visitor", "address"
"""Where in a request's scope the visitor's name and network address stand."""
_COOKIE = "qwen-image-demo"
_YEAR = 365 * 24 * 3600

FileResponse.chunk_size = 1_000_000  # of pictures, each piece of which goes through a thread and all of Gradio's layers


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


class Page:
    """ASGI middleware: puts a script first into every page, before Gradio's own, and says what a page may do.

    Scripts run that stand in the page itself: each of them carries a word that is new for every page, so that one
    smuggled in doesn't run. Gradio makes functions out of texts, hence `unsafe-eval`. Nothing is loaded from elsewhere.

    Args:
        app: what comes after it.
        script: JavaScript.
        frames: which sites may show the page in a frame, as the policy spells it.
    """

    def __init__(self, app: ASGIApp, script: str, frames: str = "'self'") -> None:
        self._app = app
        self._script = f"<script>{script}</script>".encode()
        self._policy = (
            "default-src 'self'; script-src 'self' 'unsafe-eval' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
            "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
            f"form-action 'self'; frame-ancestors {frames}"
        )

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
                    nonce = secrets.token_urlsafe(16)
                    whole = bytes(page).replace(b"<head>", b"<head>" + self._script, 1)
                    whole = re.sub(rb"<script(?=[\s>])", f'<script nonce="{nonce}"'.encode(), whole)
                    headers = MutableHeaders(scope=start[0])
                    if "gzip" in Headers(scope=scope).get("accept-encoding", ""):
                        whole = gzip.compress(whole, 6)
                        headers["content-encoding"] = "gzip"
                    headers.add_vary_header("accept-encoding")
                    headers["content-length"] = str(len(whole))
                    headers["content-security-policy"] = self._policy.format(nonce=nonce)
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
