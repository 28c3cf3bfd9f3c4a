"""Which browser asks, and from where."""

import hmac
import ipaddress
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..visitors import Visitor

VISITOR, ADDRESS = "visitor", "address"
"""Where in a request's scope the `Visitor` and the network address stand."""
_COOKIE = "qwen-image-demo"
_YEAR = 365 * 24 * 3600
_EVERYONES = re.compile(r"/(assets|static|svelte|board/[0-9a-f]{12})/|(/gradio_api)?/theme\.css")
"""What is the same for everyone, and may be kept by whoever passes it on."""


class VisitorCookie:
    """ASGI middleware: a name nobody can guess for each browser, in a signed cookie that no script can read.

    Args:
        app: what comes after it; finds who asks in `scope[VISITOR]`, the address in `scope[ADDRESS]`.
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
        known = self._known(Request(scope).cookies.get(_COOKIE, ""))
        name = known or secrets.token_urlsafe(16)
        key, host = (Headers(scope=scope).get(header, "") for header in ("x-qwen-api-key", "x-qwen-host"))
        scope[ADDRESS] = address_of(scope, self._proxies)
        counted = (f"cookie {name}", f"address {scope[ADDRESS]}")
        scope[VISITOR] = Visitor(name, counted, key, known is not None, host)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and not _EVERYONES.match(scope["path"]):
                headers = MutableHeaders(scope=message)
                headers.setdefault("cache-control", "private")  # or a proxy might hand one visitor's cookie to others
                if not known:
                    headers.append("set-cookie", self._cookie(name, scope))
            await send(message)

        await self._app(scope, receive, send_with_cookie)

    def _known(self, cookie: str) -> str | None:
        name, _, signature = cookie.partition(".")
        return name if name and hmac.compare_digest(signature.encode(), self._sign(name).encode()) else None

    def _sign(self, name: str) -> str:
        return hmac.digest(self._secret, name.encode(), "sha256").hex()

    def _cookie(self, name: str, scope: Scope) -> str:
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
    text = _without_port(text.strip('"'))
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return text


def _without_port(text: str) -> str:
    """Some proxies write out the port, and brackets around IPv6."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
