"""An answer over the wire: read whole, within its time and size, without the key, and logged."""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from anyio import fail_after

from .errors import BadResponse, ConnectionFailed, RequestTimedOut
from .masking import hidden, hidden_text
from .refusals import request_id
from .requests import ImageRequest

MAX_ANSWER_BYTES = 100_000_000  # six pictures in base64
SMALL = 100_000  # bytes of an answer without pictures inside: quickly understood
log = logging.getLogger(__name__)
_NEVER_BEGAN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass
class Answer:
    """What comes back for a request, to be read once; and what the log says of it: neither its prompt nor pictures."""

    request: ImageRequest
    key: str = field(repr=False)
    seconds_left: float
    http: httpx.Response = field(init=False)
    status: int | None = None  # while nothing came
    attempts: int = 0
    size: int = 0
    upstream_id: str | None = None
    error: Exception | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    started: float = field(default_factory=time.monotonic)

    async def content(self) -> bytes:
        """Its body as it came, but for the key: some gateways repeat it, and from here on people would see it.

        Raises:
            ConnectionFailed: it was not heard to the end.
            RequestTimedOut: not in time, or it drips.
            BadResponse: it is too large, or can't be decompressed.
        """
        with self.clock():
            content = await read_whole(self.http, MAX_ANSWER_BYTES)
        self.size = len(content)
        content = await asyncio.to_thread(hidden, content, self.key)
        if len(content) < SMALL:
            self.upstream_id = request_id(as_json(content), self.headers)
        return content

    @property
    def headers(self) -> dict[str, str]:
        """Those of them that say something about the request, without the key."""
        told = ("content-type", "retry-after", "x-request-id", "x-litellm-call-id", "location")
        return {name: hidden_text(self.http.headers[name], self.key) for name in told if name in self.http.headers}

    @contextmanager
    def clock(self) -> Iterator[None]:
        """The API is waited for: let the time run that it has for a whole answer. Raises `RequestTimedOut` and such."""
        began = time.monotonic()
        with network_errors(after_sending=False), fail_after(self.seconds_left):
            yield
        self.seconds_left -= time.monotonic() - began

    async def close(self) -> None:
        """Let go of the connection, and write the log's line."""
        if self.status:
            await self.http.aclose()
        asked = self.request
        facts = {
            "id": self.id,
            "upstream_id": self.upstream_id,
            "kind": asked.kind,
            "model": asked.model,
            "size": asked.size,
            "n": asked.n,
            "status": self.status,
            "error": type(self.error).__name__ if self.error else None,
            "seconds": round(time.monotonic() - self.started, 3),
            "attempts": self.attempts,
            "bytes": self.size,
        }
        log.info("request", extra={"facts": facts})


def as_json(content: bytes) -> object:
    """What an answer holds: its JSON, else its text. No half of a character survives: it could not be sent on."""
    text = content.decode("utf-8-sig", "replace")
    try:
        body = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text
    return _whole(body) if r"\ud" in text.lower() else body


@contextmanager
def network_errors(*, after_sending: bool) -> Iterator[None]:
    """Turn what the network does into this app's errors. After sending, whatever fails may be billed."""
    try:
        yield
    except TimeoutError as error:
        raise RequestTimedOut("no whole answer in time", may_be_billed=True) from error
    except httpx.TimeoutException as error:
        may_be_billed = after_sending or not isinstance(error, _NEVER_BEGAN)
        raise RequestTimedOut(_name(error), may_be_billed=may_be_billed) from error
    except httpx.TransportError as error:
        may_be_billed = after_sending or not isinstance(error, _NEVER_BEGAN)
        raise ConnectionFailed(_name(error), may_be_billed=may_be_billed) from error
    except (httpx.DecodingError, httpx.InvalidURL) as error:
        raise BadResponse("undecodable") from error


async def read_whole(answer: httpx.Response, limit: int) -> bytes:
    """The body, decompressed, up to a limit: a compressed bomb stops there too."""
    chunks, size = [], 0
    async for chunk in answer.aiter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise BadResponse("too_large", mb=limit // 1_000_000)
    return b"".join(chunks)


def _whole(node: object) -> object:
    """The same with U+FFFD in place of lone surrogates, which JSON can spell and UTF-8 can't."""
    if isinstance(node, str):
        return node.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(node, list):
        return [_whole(entry) for entry in node]
    return {_whole(name): _whole(value) for name, value in node.items()} if isinstance(node, dict) else node


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _name(error: Exception) -> str:
    return str(error) or type(error).__name__
