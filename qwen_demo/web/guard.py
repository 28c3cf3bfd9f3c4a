"""What the door refuses, and what it tells browsers to refuse: foreign pages, bodies without end."""

import ipaddress
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from anyio import fail_after
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..i18n import preferred, translate
from .routes import asked, pattern

STALLED = 30.0  # seconds in which a body has to come, and of one with files something more
MOST_PARTS = 10_000  # of JSON: pictures in it have none, and a million would stop everyone for a second
clock = time.monotonic
_NAMES = re.compile(r"\s*(([\w.-]+|\[[\w:.]+\])(:\d+)?\s*(,\s*|$))+", re.ASCII)
_JSON_PARTS = (b",", b"[", b"{")
_LOCAL_NAMES = (".local", ".localhost", ".lan", ".internal", ".home.arpa")


class Guard:
    """ASGI middleware: refuses what no page of this app sends, and adds headers that browsers obey.

    No other web page may drive the app, nor read what is a visitor's: whatever a browser says comes from elsewhere is
    refused, but for links to the app and its pictures in foreign pages. Programs say nothing about it and are let in.

    Args:
        app: what comes after it.
        local: the app is for whoever sits at this machine or in this network. Then no name that someone far away has
            pointed here leads in (the `Host` check).
        max_upload_mb: the largest file. Four of them fit into one body on the routes that take files; any other has at
            most 2 MB.
        uploads: those routes.
        names: hosts, or suffixes such as `.example.com`, that are the app's own besides the one that is asked.
        proxies: how many in front are trusted to say under which name the app was asked.
    """

    def __init__(
        self,
        app: ASGIApp,
        local: bool,
        max_upload_mb: int,
        uploads: Iterable[str] = (),
        names: Sequence[str] = (),
        proxies: int = 0,
    ) -> None:
        self._app = app
        self._local = local
        self._names = tuple(names)
        self._proxies = proxies
        self._largest = 4 * max_upload_mb * 1_000_000
        self._uploads = pattern(uploads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        takes_files = self._uploads.fullmatch(asked(scope)) is not None
        limit = self._largest if takes_files else 2_000_000
        is_json = "json" in Headers(scope=scope).get("content-type", "")
        came, parts, more, until = 0, 0, True, clock() + STALLED

        async def receive_limited() -> Message:
            nonlocal came, parts, more
            if not more:  # waits for nothing but the visitor's leaving
                return await receive()
            try:
                with fail_after(STALLED if takes_files else max(0, until - clock())):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408) from error
            body, more = message.get("body", b""), message.get("more_body", False)
            came += len(body)
            parts += sum(map(body.count, _JSON_PARTS)) if is_json else 0
            if came > limit or parts > MOST_PARTS:
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
        headers = Headers(scope=scope)
        if refusal := self._foreign(scope, headers):
            return refusal
        if any(not _NAMES.fullmatch(told) for told in headers.getlist("x-forwarded-host")):
            return PlainTextResponse("no name", 400)
        if int(headers.get("content-length", 0)) > limit:
            return PlainTextResponse("too large", 413)
        return None

    def _foreign(self, scope: Scope, headers: Headers) -> Response | None:
        """What is said to a name that isn't this app's, or to a page that isn't."""
        here, origin = _split(f"//{headers.get('host', '')}"), headers.get("origin")
        if self._local and not (_is_local(here.hostname or "") or self._is_own(here)):
            return _refused(scope, "door_host", here)
        site = headers.get("sec-fetch-site")
        if site == "same-origin":  # no page can say so itself
            return None
        if origin is not None:
            page = _split(origin)
            # A browser that says "from elsewhere" knows better than a name, which http and https may share.
            own = self._is_own(page) or (site is None and self._is_here(page, headers))
            return None if own else _refused(scope, "door_origin", page)
        shown = "navigate" in headers.get("sec-fetch-mode", "") or headers.get("sec-fetch-dest") == "image"
        if site in ("cross-site", "same-site") and not (shown and scope["method"] in ("GET", "HEAD")):
            return _refused(scope, "door_origin", _split(headers.get("referer", "")))
        return None

    def _is_here(self, page: SplitResult, headers: Headers) -> bool:
        """Whether a page is the app's own, by the name under which its visitor knows it."""
        told = headers.get("x-forwarded-host", "").split(",")[-self._proxies :] if self._proxies else []
        asked_as = (_split(f"//{name.strip()}") for name in (headers.get("host", ""), *told))
        places = [_place(name, page.scheme) for name in asked_as if name.hostname]
        return bool(page.hostname) and _place(page, page.scheme) in places

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
