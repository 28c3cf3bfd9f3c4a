"""The client: sends a request, fetches its results."""

import asyncio
import itertools
import json
import logging
import random
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import httpx

from .addresses import public_address
from .errors import APIError, BadResponse, ConnectionFailed, ModelUnavailable, RateLimited, RequestTimedOut
from .requests import ImageRequest
from .responses import ImagesResponse, ResultImage, decode, parse, parse_error, request_id

MAX_ANSWER_BYTES = 100_000_000  # six pictures in base64
MAX_PICTURE_BYTES = 40_000_000
MAX_REDIRECTS = 3
SHORTEST_SECRET = 16  # characters of a key that is worth hiding
RESENDS = 2  # of a request that surely never began
LONGEST_WAIT = 30.0  # seconds that are waited when the API asks for it
FETCHES = 3  # of a result
pause = asyncio.sleep  # between tries
FETCH_TIMEOUT = 120.0  # seconds for one try
DEFAULT_BASE_URL = "https://model-api.skyengine.com.cn/v1"
_MISSING_MODEL = re.compile(
    r"model.{0,80}(not[ _](found|exist|support|available)|does ?n.t exist)|no such model|模型.{0,20}不存在"
)
log = logging.getLogger(__name__)
_NEVER_BEGAN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class QwenClient:
    """The API over one keep-alive connection pool, and results over another one that never carries the key.

        async with QwenClient(api_key=key) as client:
            response = await client.send(TextToImage(prompt="a cat"))
            png = await client.fetch(response.images[0])

    Args:
        api_key: sent as `Authorization: Bearer` to the host of `base_url`, and nowhere else.
        base_url: up to and with the version, without the endpoint.
        timeout: seconds until a whole answer must be there; connecting may take half of them, at most 5.
        transport: what carries the calls in place of the network, such as `httpx.ASGITransport`.
        resolve: host and port of a result's URL → the public IP address to connect to.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT_BASE_URL,
        *,
        timeout: float = 300.0,
        transport: httpx.AsyncBaseTransport | None = None,
        resolve: Callable[[str, int], Awaitable[str]] = public_address,
    ) -> None:
        self._key = api_key
        self._timeout = timeout
        self._resolve = resolve
        # The line before the calls is the service's; here nobody waits for a connection.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=60)
        timeouts = httpx.Timeout(timeout, connect=min(5.0, timeout / 2))
        self._api = httpx.AsyncClient(base_url=base_url, timeout=timeouts, limits=limits, transport=transport)
        self._results = httpx.AsyncClient(timeout=httpx.Timeout(60.0, connect=5.0), limits=limits, transport=transport)

    async def __aenter__(self) -> "QwenClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._api.aclose()
        await self._results.aclose()

    async def send(
        self, request: ImageRequest, key: str = "", room: Callable[[], Awaitable[None]] | None = None
    ) -> ImagesResponse:
        """Send a request and read its answer; send it again only where `should_resend` says so.

        Args:
            request: what is asked for.
            key: goes in place of the client's own, for this request alone.
            room: awaited before pictures that came inside the answer are read: some 20 MB each, until they are saved.

        Raises:
            ConnectionFailed: the API was not reached, or not heard to the end.
            RequestTimedOut: it did not answer in time, or its answer dripped beyond that.
            APIError: it said no.
            BadResponse: its answer can't be understood.
        """
        call = _Call(request, key or self._key, room)
        try:
            for call.attempts in itertools.count(1):
                try:
                    return await self._send_once(call)
                except (ConnectionFailed, APIError) as error:
                    if not should_resend(error, call.attempts):
                        raise
                    await pause(wait_before(error, call.attempts))
            raise AssertionError("the last attempt returns or raises")
        except (ConnectionFailed, APIError, BadResponse) as error:
            call.error = error
            raise
        finally:
            call.log()

    async def fetch(self, image: ResultImage) -> bytes:
        """The bytes of a result, decoded or fetched, in three tries. Not yet known to be a picture.

        Raises:
            ConnectionFailed: its host was not reached, or not heard to the end.
            BadResponse: there is no picture at that address, it is larger than 40 MB, or it is nowhere public.
        """
        if image.b64 is not None:
            return await asyncio.to_thread(decode, image.b64)
        for attempt in itertools.count(1):
            try:
                with _told(after_sending=True):
                    return await asyncio.wait_for(self._download(image.url or ""), FETCH_TIMEOUT)
            except ConnectionFailed as error:
                if attempt == FETCHES:
                    raise
                await pause(wait_before(error, attempt))
        raise AssertionError("the last attempt returns or raises")

    async def _send_once(self, call: "_Call") -> ImagesResponse:
        with _told(after_sending=False):
            answer, content = await asyncio.wait_for(self._post(call), self._timeout)
        call.status, call.bytes = answer.status_code, len(content)
        headers = {name: call.without_key(text) for name, text in answer.headers.items()}
        # Six pictures in base64 are 30 MB of JSON: too long a stop for all who share this loop.
        body = await asyncio.to_thread(lambda: _json(call.without_key(content.decode("utf-8-sig", "replace"))))
        call.upstream_id = request_id(body, headers)
        if answer.status_code != 200:
            raise parse_error(answer.status_code, body, headers)
        return parse(body, headers)

    async def _post(self, call: "_Call") -> tuple[httpx.Response, bytes]:
        headers = {"Authorization": f"Bearer {call.key}"}
        async with self._api.stream("POST", call.request.path, json=call.request.payload(), headers=headers) as answer:
            if call.room and call.request.response_format == "b64_json" and answer.status_code == 200:
                await call.room()
            return answer, await _read(answer, MAX_ANSWER_BYTES)

    async def _download(self, address: str) -> bytes:
        url = httpx.URL(address)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._results.stream("GET", **await self._target(url)) as answer:
                if answer.has_redirect_location:
                    target = url.join(answer.headers["location"])
                    if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
                        raise BadResponse("other_host")
                    url = target
                    continue
                if answer.status_code in (403, 404, 410):
                    raise BadResponse("expired", status=answer.status_code)
                if answer.status_code == 429 or answer.status_code >= 500:  # another try may find it well
                    raise ConnectionFailed(f"HTTP {answer.status_code}", may_be_billed=True)
                if answer.status_code != 200:
                    raise BadResponse("no_file", status=answer.status_code)
                return await _read(answer, MAX_PICTURE_BYTES)
        raise BadResponse("circles")

    async def _target(self, url: httpx.URL) -> dict[str, Any]:
        """Where to connect for a result. The operator's own host is trusted; any other is https and public."""
        if url.scheme in ("http", "https") and url.host == self._api.base_url.host:
            return {"url": url}
        if url.scheme != "https":
            raise BadResponse("not_https", scheme=url.scheme or "no address")
        address = await self._resolve(url.host, url.port or 443)
        # The name stays in the Host header and in the certificate's check; only the address is fixed.
        return {
            "url": url.copy_with(host=address),
            "headers": {"Host": url.netloc.decode("ascii")},
            "extensions": {"sni_hostname": url.host},
        }


@dataclass
class _Call:
    """What the log says of one request. Neither its prompt nor its pictures."""

    request: ImageRequest
    key: str = field(repr=False)
    room: Callable[[], Awaitable[None]] | None = None
    attempts: int = 0
    status: int | None = None
    bytes: int = 0
    upstream_id: str | None = None
    error: Exception | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    started: float = field(default_factory=time.monotonic)

    def without_key(self, text: str) -> str:
        """Some gateways repeat the key in their refusals; from here on it would be shown to people.

        A shorter one is no secret, and could stand in the base64 of a picture by chance.
        """
        return text.replace(self.key, "…") if len(self.key) >= SHORTEST_SECRET else text

    def log(self) -> None:
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


def should_resend(error: Exception, attempt: int) -> bool:
    """Whether a request that bills goes again after its `attempt`th try: only when it surely never began.

    That is: it never reached the API, or was turned away with 429, or with a 503 that isn't about a missing model.
    Never after a read timeout, a reset or any other 5xx. A wait of more than 30 s is told to the user instead.
    """
    if attempt > RESENDS:
        return False
    if isinstance(error, ConnectionFailed):
        return not error.may_be_billed
    if not isinstance(error, APIError) or (error.retry_after or 0) > LONGEST_WAIT:
        return False
    if isinstance(error, RateLimited):
        return error.status == 429
    overloaded = isinstance(error, ModelUnavailable) and error.status == 503
    return overloaded and not _MISSING_MODEL.search(f"{error.code} {error.message}".lower())


def wait_before(error: Exception, attempt: int) -> float:
    """Seconds before the next try: what the API asks for, else anything up to 0.5 s, then 1 s (full jitter)."""
    if isinstance(error, APIError) and error.retry_after is not None:
        return error.retry_after
    return random.uniform(0, 0.5 * 2 ** (attempt - 1))  # noqa: S311 - no secret


@contextmanager
def _told(*, after_sending: bool) -> Iterator[None]:
    """Turn what the network does into this app's errors. After sending, whatever fails may be billed."""
    try:
        yield
    except asyncio.TimeoutError as error:
        raise RequestTimedOut("no whole answer in time", may_be_billed=True) from error
    except httpx.TimeoutException as error:
        may_be_billed = after_sending or not isinstance(error, _NEVER_BEGAN)
        raise RequestTimedOut(_name(error), may_be_billed=may_be_billed) from error
    except httpx.TransportError as error:
        may_be_billed = after_sending or not isinstance(error, _NEVER_BEGAN)
        raise ConnectionFailed(_name(error), may_be_billed=may_be_billed) from error
    except (httpx.DecodingError, httpx.InvalidURL) as error:
        raise BadResponse("undecodable") from error


async def _read(answer: httpx.Response, limit: int) -> bytes:
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
