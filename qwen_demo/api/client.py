"""The client: sends a request, fetches its results."""

import asyncio
import itertools
import json
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import httpx

from .addresses import public_address
from .errors import APIError, BadResponse, ConnectionFailed, ModelUnavailable, RateLimited, RequestTimedOut
from .requests import ImageRequest
from .responses import ImagesResponse, ResultImage, decode, parse, parse_error

MAX_ANSWER_BYTES = 100_000_000  # six pictures in base64
MAX_PICTURE_BYTES = 40_000_000
MAX_REDIRECTS = 3
RESENDS = 2  # of a request that surely never began
LONGEST_WAIT = 30.0  # seconds that are waited when the API asks for it
FETCHES = 3  # of a result
pause = asyncio.sleep  # between tries
FETCH_TIMEOUT = 120.0  # seconds for one try
DEFAULT_BASE_URL = "https://model-api.skyengine.com.cn/v1"
_MISSING_MODEL = re.compile(
    r"model.{0,80}(not (found|exist|support|available)|does ?n.t exist)|no such model|模型.{0,20}不存在"
)
_NEVER_BEGAN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class QwenClient:
    """The API over one keep-alive connection pool, and results over another one that never carries the key.

        async with QwenClient(api_key=key) as client:
            response = await client.send(TextToImage(prompt="a cat"))
            png = await client.fetch(response.images[0])

    Args:
        api_key: sent as `Authorization: Bearer` to the host of `base_url`, and nowhere else.
        base_url: up to and with the version, without the endpoint.
        timeout: seconds until a whole answer must be there; connecting may take 5 of them.
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
        self._timeout = timeout
        self._resolve = resolve
        # The line before the calls is the service's; here nobody waits for a connection.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=60)
        timeouts = httpx.Timeout(timeout, connect=5.0)
        headers = {"Authorization": f"Bearer {api_key}"}
        self._api = httpx.AsyncClient(
            base_url=base_url, headers=headers, timeout=timeouts, limits=limits, transport=transport
        )
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

    async def send(self, request: ImageRequest) -> ImagesResponse:
        """Send a request and read its answer; send it again only where `should_resend` says so.

        Raises:
            ConnectionFailed: the API was not reached, or not heard to the end.
            RequestTimedOut: it did not answer in time, or its answer dripped beyond that.
            APIError: it said no.
            BadResponse: its answer can't be understood.
        """
        for attempt in itertools.count(1):
            try:
                return await self._send_once(request)
            except (ConnectionFailed, APIError) as error:
                if not should_resend(error, attempt):
                    raise
                await pause(wait_before(error, attempt))
        raise AssertionError("the last attempt returns or raises")

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
            except ConnectionFailed:
                if attempt == FETCHES:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _send_once(self, request: ImageRequest) -> ImagesResponse:
        with _told(after_sending=False):
            status, headers, content = await asyncio.wait_for(self._post(request), self._timeout)
        # Six pictures in base64 are 30 MB of JSON: too long a stop for all who share this loop.
        body = await asyncio.to_thread(_json, content)
        if status != 200:
            raise parse_error(status, body, headers)
        return parse(body, headers)

    async def _post(self, request: ImageRequest) -> tuple[int, httpx.Headers, bytes]:
        async with self._api.stream("POST", request.path, json=request.payload()) as answer:
            return answer.status_code, answer.headers, await _read(answer, MAX_ANSWER_BYTES, "the answer")

    async def _download(self, address: str) -> bytes:
        url = httpx.URL(address)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._results.stream("GET", **await self._target(url)) as answer:
                if answer.has_redirect_location:
                    target = url.join(answer.headers["location"])
                    if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
                        raise BadResponse("the picture's address leads to another host")
                    url = target
                    continue
                if answer.status_code in (403, 404, 410):
                    raise BadResponse(f"the picture's address has expired or is gone (HTTP {answer.status_code})")
                if answer.status_code != 200:
                    raise BadResponse(f"the picture's address answers with HTTP {answer.status_code}")
                return await _read(answer, MAX_PICTURE_BYTES, "the picture")
        raise BadResponse("the picture's address leads in circles")

    async def _target(self, url: httpx.URL) -> dict[str, Any]:
        """Where to connect for a result. The operator's own host is trusted; any other is https and public."""
        if url.scheme in ("http", "https") and url.host == self._api.base_url.host:
            return {"url": url}
        if url.scheme != "https":
            raise BadResponse(f"the picture's address is {url.scheme or 'no address'}, not https")
        address = await self._resolve(url.host, url.port or 443)
        # The name stays in the Host header and in the certificate's check; only the address is fixed.
        return {
            "url": url.copy_with(host=address),
            "headers": {"Host": url.netloc.decode("ascii")},
            "extensions": {"sni_hostname": url.host},
        }


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
    words = f"{error.code} {error.message}".lower()
    if isinstance(error, RateLimited):
        return error.status == 429 and "quota" not in words
    return isinstance(error, ModelUnavailable) and error.status == 503 and not _MISSING_MODEL.search(words)


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
        raise BadResponse("what came can't be decoded, or leads nowhere") from error


async def _read(answer: httpx.Response, limit: int, what: str) -> bytes:
    """The body, decompressed, up to a limit: a compressed bomb stops there too."""
    chunks = bytearray()
    async for chunk in answer.aiter_bytes():
        chunks += chunk
        if len(chunks) > limit:
            raise BadResponse(f"{what} is larger than {limit // 1_000_000} MB")
    return bytes(chunks)


def _json(content: bytes) -> object:
    try:
        return json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _name(error: Exception) -> str:
    return str(error) or type(error).__name__
