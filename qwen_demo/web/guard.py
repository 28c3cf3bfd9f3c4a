"""What the door refuses, and what it tells browsers to refuse: foreign pages, bodies without end."""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOCAL_NAMES = (".local", ".localhost", ".lan", ".internal", ".home.arpa")


class Guard:
    """ASGI middleware: refuses what no page of this app sends, and adds headers that browsers obey.

    Args:
        app: what comes after it.
        local: the app is for whoever sits at this machine or in this network. Then no other web page may drive it, be
            it by a request of its own (the `Origin` check) or under a name that leads here (the `Host` check).
        max_upload_mb: the largest file. Four of them fit into one body; anything else has at most 2 MB.
    """

    def __init__(self, app: ASGIApp, local: bool, max_upload_mb: int) -> None:
        self._app = app
        self._local = local
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
        if self._local and not (_has_local_name(headers) and _comes_from_own_page(scope["method"], headers)):
            return PlainTextResponse("This app answers its own page alone. Its README says how to share it.", 403)
        if int(headers.get("content-length", 0)) > limit:
            return PlainTextResponse("too large", 413)
        return None


def _has_local_name(headers: Headers) -> bool:
    """Whether the name in the address can't be one that someone far away has pointed to this machine."""
    name = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_LOCAL_NAMES)
    return True


def _comes_from_own_page(method: str, headers: Headers) -> bool:
    """Whether it doesn't come from another site's page. Programs send no origin."""
    origin = headers.get("origin")
    return method in ("GET", "HEAD", "OPTIONS") or origin is None or urlsplit(origin).netloc == headers.get("host")
