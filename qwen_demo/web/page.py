"""What a page may do, and what it does first."""

import gzip
import logging
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

_SCRIPT = re.compile(rb"<script(?=[\s/>])", re.IGNORECASE)  # as browsers read it: `<SCRIPT/x>` is one too


def count_scripts(document: bytes) -> int:
    """How many scripts begin in a page or its template."""
    return len(_SCRIPT.findall(document))


class Page:
    """ASGI middleware: puts a script first into every page, before Gradio's own, and says what a page may do.

    Scripts run that stand in the page itself: each of them carries a word that is new for every page. Where their
    number is not the template's, one was smuggled in, or it is no page of ours: then none runs. Gradio makes functions
    out of texts, hence `unsafe-eval`. Nothing is loaded from elsewhere.

    Args:
        app: what comes after it.
        script: JavaScript.
        scripts: how many the page's template holds, by `count_scripts`.
        frames: which sites may show the page in a frame, as the policy spells it.
    """

    def __init__(self, app: ASGIApp, script: str, scripts: int, frames: str = "'self'") -> None:
        self._app = app
        self._script = f"<script>{script}</script>".encode()
        self._scripts = scripts
        self._policy = (
            "default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
            "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
            f"form-action 'self'; frame-ancestors {frames}"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
                    whole, scripts = self._finished(bytes(document))
                    headers = MutableHeaders(scope=start[0])
                    if "gzip" in Headers(scope=scope).get("accept-encoding", ""):
                        whole = gzip.compress(whole, 6)
                        headers["content-encoding"] = "gzip"
                    headers.add_vary_header("accept-encoding")
                    headers["content-length"] = str(len(whole))
                    headers["content-security-policy"] = self._policy.format(scripts=scripts)
                    await send(start[0])
                    await send({"type": "http.response.body", "body": whole})

        await self._app(scope, receive, send_page if scope["type"] == "http" else send)

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
