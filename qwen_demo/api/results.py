"""Results: what an answer says is fetched from where it may lie, and never with the key."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from anyio import fail_after

from . import resending
from .addresses import check_for_proxy, is_named, is_past_proxies, proxies
from .answer import network_errors, read_whole
from .errors import BadResponse, ConnectionFailed
from .responses import ResultImage, decode

MAX_PICTURE_BYTES = 40_000_000
MAX_REDIRECTS = 3
FETCHES = 3  # of a result
FETCH_TIMEOUT = 120.0  # seconds for one try
DEFAULT_PORTS = {"http": 80, "https": 443}
_NOT_REACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
"""Of pictures; HEIF and AVIF have `ftyp` a little later."""


class Results:
    """Result pictures, over keep-alive connection pools that never carry the key.

    Args:
        base_url: the API's; what an answer says of its pictures may be relative to it.
        transport: what carries the calls in place of the network.
        resolve: host and port of a URL → the public IP addresses to connect to, in turn.
        trusted_hosts: names, or suffixes such as `.aliyuncs.com`, of hosts whose addresses are not checked.
        limits: of each pool.
    """

    def __init__(
        self,
        base_url: httpx.URL,
        transport: httpx.AsyncBaseTransport | None,
        resolve: Callable[[str, int], Awaitable[list[str]]],
        trusted_hosts: Iterable[str],
        limits: httpx.Limits,
    ) -> None:
        self._base_url = base_url
        self._resolve = resolve
        self._trusted_hosts = tuple(trusted_hosts)
        # Which way a result comes is decided here and not by httpx: a fixed address is no name that NO_PROXY knows.
        known = {} if transport else proxies()
        patience = httpx.Timeout(60.0, connect=5.0)
        ways = {scheme: httpx.AsyncHTTPTransport(proxy=url, limits=limits) for scheme, url in known.items()}
        self._proxied = {scheme: httpx.AsyncClient(timeout=patience, transport=way) for scheme, way in ways.items()}
        direct = transport or httpx.AsyncHTTPTransport(limits=limits)
        self._direct = httpx.AsyncClient(timeout=patience, transport=direct)

    async def aclose(self) -> None:
        """Close all connections."""
        for carrier in (self._direct, *self._proxied.values()):
            await carrier.aclose()

    async def fetch(self, image: ResultImage) -> bytes:
        """The bytes of a result, decoded, or fetched in three tries. Not yet known to be a picture.

        Raises:
            ConnectionFailed: its host was not reached, or not heard to the end.
            BadResponse: there is no picture at that address, it is larger than 40 MB, or it is nowhere public.
        """
        if image.b64 is not None:
            try:
                content = await asyncio.to_thread(decode, image.b64)
            except BadResponse:
                if not image.url:
                    raise
            else:
                if not image.url or content.startswith(_BEGINNINGS) or content[4:8] == b"ftyp":
                    return content
        if not image.url:
            raise BadResponse("not_https", scheme="no address")
        with network_errors(after_sending=True):
            asked = self._base_url.join(image.url)
        if asked.scheme != "http" or asked.host == self._base_url.host:
            return await self._download_in_tries(asked)
        try:  # only the operator's own host is asked in plain
            return await self._download_in_tries(asked.copy_with(scheme="https"))
        except (ConnectionFailed, BadResponse) as error:
            if isinstance(error.__cause__, _NOT_REACHED) or getattr(error, "problem", "") == "not_public":
                raise BadResponse("not_https", scheme="http") from error
            raise

    async def _download_in_tries(self, url: httpx.URL) -> bytes:
        for attempt in itertools.count(1):
            try:
                with network_errors(after_sending=True), fail_after(FETCH_TIMEOUT):
                    return await self._download(url)
            except ConnectionFailed as error:
                if attempt == FETCHES:
                    raise
                await resending.pause(resending.wait_before(error, attempt))
        raise AssertionError("the last attempt returns or raises")

    async def _download(self, url: httpx.URL) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            async with self._reach(url) as answer:
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
                return await read_whole(answer, MAX_PICTURE_BYTES)
        raise BadResponse("circles")

    @asynccontextmanager
    async def _reach(self, url: httpx.URL) -> AsyncIterator[httpx.Response]:
        """What answers there, still to be read: of a host's addresses, the first one that can be reached."""
        proxied = self._proxied.get(url.scheme)
        if proxied and is_past_proxies(url.host, url.port or DEFAULT_PORTS[url.scheme]):
            proxied = None
        carrier = proxied or self._direct
        targets = await self._targets(url, through_proxy=proxied is not None)
        for target in targets:
            request = carrier.build_request("GET", **target)
            try:
                answer = await carrier.send(request, stream=True)
                break
            except _NOT_REACHED:
                if target is targets[-1]:
                    raise
        try:
            yield answer
        finally:
            await answer.aclose()

    async def _targets(self, url: httpx.URL, *, through_proxy: bool) -> list[dict[str, Any]]:
        """Where to connect for a result. The operator's own host is trusted; any other is https and public."""
        if url.scheme in DEFAULT_PORTS and url.host == self._base_url.host:
            return [{"url": url}]
        if url.scheme != "https" or not url.host:
            raise BadResponse("not_https", scheme="no address" if url.scheme == "https" else url.scheme)
        host = url.raw_host.decode("ascii")
        if is_named(host, self._trusted_hosts):
            return [{"url": url}]
        if through_proxy:  # there the name is resolved, and the certificate is checked against what stands in the URL
            check_for_proxy(host)
            return [{"url": url}]
        # The name stays in the Host header and in the certificate's check; only the address is fixed.
        pinned = {"headers": {"Host": url.netloc.decode("ascii")}, "extensions": {"sni_hostname": host}}
        addresses = await self._resolve(host, url.port or DEFAULT_PORTS["https"])
        return [{"url": url.copy_with(host=address), **pinned} for address in addresses]
