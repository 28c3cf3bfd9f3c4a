"""What a page may do, and what it does first."""

import gzip
import logging
import re
import secrets
from collections import OrderedDict

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .routes import asked

log = logging.getLogger(__name__)
MOST_PAGES = 8  # that are kept: who makes up names makes them for nobody else

_SCRIPT = re.compile(rb"<script(?=[\s/>])", re.IGNORECASE)  # as browsers read it: `<SCRIPT/x>` is one too


def count_scripts(document: bytes) -> int:
    """How many scripts begin in a page or its template."""
    return len(_SCRIPT.findall(document))


class Page:
    """ASGI middleware: puts a script first into every page, before Gradio's own, and says what a page may do.

    Scripts run that stand in the page itself: each of them carries a word that is new for every page. Where their
    number is not the template's, one was smuggled in, or it is no page of ours: then none runs. Gradio makes functions
    out of texts, hence `unsafe-eval`. Nothing is loaded from elsewhere but pictures, which a visitor's address names.

    Args:
        app: what comes after it.
        script: JavaScript.
        scripts: how many the page's template holds, by `count_scripts`.
        frames: which sites may show the page in a frame, as the policy spells it.
        same: whether the front page is the same for everyone who asks for it under the same name. Then it is made once:
            that takes Gradio longer than all else on it.
    """

    def __init__(self, app: ASGIApp, script: str, scripts: int, frames: str = "'self'", same: bool = False) -> None:
        self._app = app
        self._same = same
        self._kept: OrderedDict[tuple[str | None, ...], tuple[Message, bytes]] = OrderedDict()
        self._script = f"<script>{script}</script>".encode()
        self._scripts = scripts
        self._policy = (
            "default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob: https:; media-src 'self' data: blob:; font-src 'self' data:; "
            "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
            f"form-action 'self'; frame-ancestors {frames}"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = self._name(scope)
        if name in self._kept:
            self._kept.move_to_end(name)
            await self._send(*self._kept[name], scope, send)
            return
        start: list[Message] = []
        document = bytearray()

        async def send_page(message: Message) -> None:
            starts = message["type"] == "http.response.start"
            if starts and "text/html" in Headers(scope=message).get("content-type", ""):
                start.append(message)  # its length is known only with the whole page
            elif not start:
                await send(message)
            elif message["type"] == "http.response.body":
                document.extend(message.get("body", b""))
                if not message.get("more_body"):
                    if name and start[0]["status"] == 200:
                        self._keep(name, start[0], bytes(document))
                    await self._send(start[0], bytes(document), scope, send)

        await self._app(scope, receive, send_page)

    def _name(self, scope: Scope) -> tuple[str | None, ...]:
        """All by which the front page differs from visitor to visitor: under which name it is asked; () for others."""
        if not self._same or scope["query_string"] or asked(scope) != "GET /" or scope["method"] == "HEAD":
            return ()
        headers = Headers(scope=scope)
        names = ("host", "x-forwarded-host", "x-forwarded-proto", "x-gradio-server")
        return (scope["scheme"], scope.get("root_path"), *map(headers.get, names))

    def _keep(self, name: tuple[str | None, ...], start: Message, document: bytes) -> None:
        self._kept[name] = start, document
        if len(self._kept) > MOST_PAGES:
            self._kept.popitem(last=False)

    async def _send(self, start: Message, document: bytes, scope: Scope, send: Send) -> None:
        whole, scripts = self._finished(document)
        start = {**start, "headers": [*start["headers"]]}
        headers = MutableHeaders(scope=start)
        if "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            whole = gzip.compress(whole, 6)
            headers["content-encoding"] = "gzip"
        headers.add_vary_header("accept-encoding")
        headers["content-length"] = str(len(whole))
        headers["content-security-policy"] = self._policy.format(scripts=scripts)
        await send(start)
        await send({"type": "http.response.body", "body": whole})

    def _finished(self, document: bytes) -> tuple[bytes, str]:
        """The page as it is sent, and which scripts run in it, as the policy spells it."""
        found = count_scripts(document)
        if found != self._scripts:
            if found:
                log.warning("a page with %d scripts instead of %d: none of them may run", found, self._scripts)
            return document, "'none'"
        nonce = secrets.token_urlsafe(16)
        document = document.replace(b"<head>", b"<head>" + self._script, 1)
        return _SCRIPT.sub(rb'\g<0> nonce="' + nonce.encode() + b'"', document), f"'self' 'unsafe-eval' 'nonce-{nonce}'"
