"""What the door refuses, and what it tells browsers to refuse: foreign pages, bodies without end."""

import ipaddress
import re
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..i18n import preferred, translate

_LOCAL_NAMES = (".local", ".localhost", ".lan", ".internal", ".home.arpa")


class Guard:
    """ASGI middleware: refuses what no page of this app sends, and adds headers that browsers obey.

    Args:
        app: what comes after it.
        local: the app is for whoever sits at this machine or in this network. Then no other web page may drive it, be
            it by a request of its own (the `Origin` check) or under a name that leads here (the `Host` check).
        max_upload_mb: the largest file. Four of them fit into one body; anything else has at most 2 MB.
        names: what a local app answers to besides local names: hosts, or suffixes such as `.example.com`.
    """

    def __init__(self, app: ASGIApp, local: bool, max_upload_mb: int, names: Sequence[str] = ()) -> None:
        self._app = app
        self._local = local
        self._names = tuple(names)
        self._largest = 4 * max_upload_mb * 1_000_000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        carries_files = scope["path"].endswith("/upload") or "/gradio_api/mcp" in scope["path"]
        limit = self._largest if carries_files else 2_000_000
        came = 0

        async def receive_limited() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > limit:
                raise HTTPException(413)
            return message

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"})
                # A page has its own policy; whatever else is opened in a tab of its own may do nothing at all.
                headers.setdefault("Content-Security-Policy", "default-src 'none'; sandbox")
            await send(message)

        await (self._refusal(scope, limit) or self._app)(scope, receive_limited, send_with_headers)

    def _refusal(self, scope: Scope, limit: int) -> Response | None:
        path, headers = scope["path"], Headers(scope=scope)
        if "/proxy=" in path or ("/file=" in path and ":/" in path):
            return PlainTextResponse("not served here", 404)  # Gradio would fetch it, from inside the owner's network
        if self._local and (refusal := self._foreign(scope, headers)):
            return refusal
        if int(headers.get("content-length", 0)) > limit:
            return PlainTextResponse("too large", 413)
        return None

    def _foreign(self, scope: Scope, headers: Headers) -> Response | None:
        """What is said to a name that isn't this app's, or to a page that isn't."""
        here, origin = _split(f"//{headers.get('host', '')}"), headers.get("origin")
        if not (_is_local(here.hostname or "") or self._is_own(here)):
            return _refused(scope, "door_host", here)
        if origin is None or scope["method"] in ("GET", "HEAD", "OPTIONS"):  # programs send no origin
            return None
        page = _split(origin)
        if page.hostname and (_place(page, page.scheme) == _place(here, page.scheme) or self._is_own(page)):
            return None
        return _refused(scope, "door_origin", page)

    def _is_own(self, address: SplitResult) -> bool:
        host = (address.hostname or "").rstrip(".")
        return any(host == name.lstrip(".") or (name[:1] == "." and host.endswith(name)) for name in self._names)


def _is_local(name: str) -> bool:
    """Whether a name can't be one that someone far away has pointed to this machine."""
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return "." not in name or name.endswith(_LOCAL_NAMES)


def _split(address: str) -> SplitResult:
    """An address in its parts; in place of one that is none, the one of nobody."""
    with suppress(ValueError):
        parts = urlsplit(address)
        _ = parts.port  # looked at only when it is asked for
        return parts
    return urlsplit("//.")


def _place(address: SplitResult, scheme: str) -> tuple[str | None, int | None]:
    """Host and port; some proxies write out the port that goes without saying."""
    return address.hostname, address.port or {"http": 80, "https": 443}.get(scheme)


def _refused(scope: Scope, reason: str, address: SplitResult) -> Response:
    """A refusal that says how to be let in: as text for a person, as JSON for the page's script."""
    request = Request(scope)
    language = preferred(request.headers.get("accept-language", ""), request.cookies.get("language", ""))
    name = address.hostname or ""
    text = translate(language, reason, name=name if re.fullmatch(r"\w[\w.:-]{0,252}", name, re.ASCII) else "…")
    return PlainTextResponse(text, 403) if request.method == "GET" else JSONResponse({"detail": text}, 403)
