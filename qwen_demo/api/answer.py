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
from .requests import ImageRequest
from .responses import ImagesResponse, parse, request_id

MAX_ANSWER_BYTES = 100_000_000  # six pictures in base64
SHORTEST_SECRET = 16  # characters of a key that is worth hiding
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
    bytes: int = 0
    upstream_id: str | None = None
    error: Exception | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    started: float = field(default_factory=time.monotonic)

    async def read(self) -> ImagesResponse:
        """Its pictures.

        Raises:
            ConnectionFailed: it was not heard to the end.
            RequestTimedOut: not in time, or it drips.
            BadResponse: it can't be understood.
            APIError: it is a refusal in spite of its status.
        """
        return parse(await self.body(), self.headers)

    @property
    def headers(self) -> dict[str, str]:
        """Without the key, should some gateway repeat it."""
        return {name: self._without_key(text) for name, text in self.http.headers.items()}

    async def body(self) -> object:
        """Its JSON, None where it is none."""
        with self.clock():
            content = await read_whole(self.http, MAX_ANSWER_BYTES)
        self.bytes = len(content)
        # Six pictures in base64 are 30 MB of JSON: too long a stop for all who share this loop.
        body = await asyncio.to_thread(lambda: _json(self._without_key(content.decode("utf-8-sig", "replace"))))
        self.upstream_id = request_id(body, self.headers)
        return body

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
            "bytes": self.bytes,
        }
        log.info("request", extra={"facts": facts})

    def _without_key(self, text: str) -> str:
        """Some gateways repeat the key in their refusals; from here on it would be shown to people.

        A shorter one is no secret, and could stand in the base64 of a picture by chance.
        """
        return text.replace(self.key, "…") if len(self.key) >= SHORTEST_SECRET else text


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


def _json(content: str) -> object:
    try:
        return json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _name(error: Exception) -> str:
    return str(error) or type(error).__name__
