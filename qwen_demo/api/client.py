"""The client: sends a request, and follows what it began."""

import asyncio
import io
import itertools
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx
from anyio import fail_after

from . import resending
from .addresses import is_named, public_addresses
from .answer import MAX_ANSWER_BYTES, Answer, as_json, network_errors, read_whole
from .dialects import DEFAULT, Dialect, Prepared
from .errors import (
    APIError,
    BadResponse,
    ConnectionFailed,
    OtherRegion,
    RateLimited,
    RequestTimedOut,
    Unauthorized,
)
from .masking import hidden
from .refusals import parse_error
from .requests import ImageRequest
from .responses import ENDED, Begun, ImagesResponse, ResultImage, decode, holds_pictures, parse, task_status
from .results import Results

TASK_PAUSE = 2.0  # seconds before a task is asked after again
ASKING = 5.0  # seconds for an answer to what costs nothing


class QwenClient:
    """The API over one keep-alive connection pool, and results over another one that never carries the key.

        async with QwenClient(api_key=key) as client:
            response = await client.send(TextToImage(prompt="a cat"))
            png = await client.fetch(response.images[0])

    Args:
        api_key: sent as `Authorization: Bearer` to the host of `base_url`, and nowhere else.
        base_url: up to and with the version, without the endpoint.
        dialect: how the API is spoken to.
        billed: whether somebody is paid for what it does; if not, a request that was lost may go again.
        timeout: seconds until a whole answer must be there; connecting may take half of them, at most 5.
        transport: what carries the calls in place of the network, such as `httpx.ASGITransport`.
        resolve: host and port of a result's URL → the public IP addresses to connect to, in turn.
        shown_as: what errors call the API's host; "" for its name.
        trusted_hosts: names, or suffixes such as `.aliyuncs.com`, of hosts whose addresses are not checked.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT.base_url,
        dialect: Dialect = DEFAULT,
        *,
        billed: bool = True,
        timeout: float = 300.0,
        transport: httpx.AsyncBaseTransport | None = None,
        resolve: Callable[[str, int], Awaitable[list[str]]] = public_addresses,
        trusted_hosts: Iterable[str] = (),
        shown_as: str = "",
    ) -> None:
        self._key = api_key
        self._dialect = dialect
        self._billed = billed
        self._shown_as = shown_as
        self._timeout = timeout
        # The line before the calls is the service's; here nobody waits for a connection.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=60)
        timeouts = httpx.Timeout(timeout, connect=min(5.0, timeout / 2))
        self._api = httpx.AsyncClient(base_url=base_url, timeout=timeouts, limits=limits, transport=transport)
        self._results = Results(self._api.base_url, transport, resolve, trusted_hosts, limits)

    @property
    def host(self) -> str:
        """The API's."""
        return self._api.base_url.host

    @property
    def base_url(self) -> str:
        """The API's, without a slash at its end."""
        return str(self._api.base_url).rstrip("/")

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

    async def send(self, request: ImageRequest, key: str = "") -> ImagesResponse:
        """`open`, `Answer.content`, `understand` and, of a task, `follow` in one; raises what they raise."""
        async with self.open(request, key) as answer:
            content = await answer.content()
        understood = await asyncio.to_thread(self.understand, content, answer.headers)
        while isinstance(understood, Begun):
            content = await self.follow(understood, key)
            understood = await asyncio.to_thread(self.understand, content, answer.headers)
        return understood

    def understand(self, content: bytes, headers: Mapping[str, str]) -> ImagesResponse | Begun:
        """What an answer says: pictures, or that a task was begun in place of them.

        Not for the event loop: six pictures in base64 are 30 MB of JSON.

        Raises:
            BadResponse: there is no picture in it.
            APIError: it is a refusal in spite of its status, or no answer of the API at all.
        """
        try:
            understood = parse(as_json(content), headers)
        except APIError as error:
            error.host = self._shown_as or self.host
            raise
        if isinstance(understood, Begun) and not self._dialect.task_path:
            raise BadResponse("task", request_id=understood.request_id, task=understood.id)
        return understood

    async def follow(self, task: Begun, key: str = "") -> bytes:
        """Ask after a task until it has come to an end. Returns the answer that says so, as it came.

        Only pictures, or a word that there will be none, are an end: whatever else is answered in between, by a proxy
        or a busy server, the task goes on, and is paid for.

        Raises:
            RequestTimedOut: it did not end in as much time as a request has. It may be followed further.
            APIError: it may not be asked after.
            BadResponse: the API doesn't know it any more.
        """
        path = self._dialect.task_path.format(task=quote(task.id, safe=""))
        with network_errors(after_sending=True), fail_after(self._timeout):
            for _ in range(math.ceil(self._timeout / TASK_PAUSE)):
                await resending.pause(TASK_PAUSE)
                try:
                    content = await self.get(path, key)
                except (ConnectionFailed, BadResponse):
                    continue
                except APIError as error:
                    if isinstance(error, RateLimited) or error.status >= 500:
                        continue
                    error.may_be_billed = True
                    raise
                body = await asyncio.to_thread(as_json, content)
                if task_status(body) == "UNKNOWN":
                    raise BadResponse("task_unknown", task=task.id)
                if task_status(body) in ENDED or holds_pictures(body):
                    return content
        raise RequestTimedOut(f"task {task.id} is not done", may_be_billed=True)

    async def get(self, path: str, key: str = "") -> bytes:
        """What the API answers to GET at a path below the base URL; the key is cut out of it.

        Raises:
            ConnectionFailed: it was not reached, or not heard to the end.
            APIError: it said no.
            BadResponse: its answer is too large.
        """
        key = key or self._key
        with network_errors(after_sending=True), fail_after(ASKING):
            request = self._api.build_request("GET", path, headers=_authorization(key))
            answer = await self._api.send(request, stream=True)
            try:
                content = await read_whole(answer, MAX_ANSWER_BYTES)
            finally:
                await answer.aclose()
        content = await asyncio.to_thread(hidden, content, key)
        if answer.status_code != 200:
            raise self._refusal(answer.status_code, as_json(content), {})
        return content

    @asynccontextmanager
    async def open(self, request: ImageRequest, key: str = "", *, once: bool = False) -> AsyncIterator[Answer]:
        """Send a request, and again only where `should_resend` says so. Yields its answer, a 200 still to be read.

        Whoever reads it may wait before, for memory: the clock runs only while the API is waited for.

        Args:
            request: what is asked for.
            key: goes in place of the client's own, for this request alone.
            once: what the API has no time for is not sent again here: the caller waits for that.

        Raises:
            ConnectionFailed: the API was not reached, or not heard to the end.
            RequestTimedOut: it did not answer in time.
            APIError: it said no.
            BadResponse: its answer can't be understood.
        """
        answer = Answer(request, key or self._key, self._timeout)
        try:
            for answer.attempts in itertools.count(1):
                try:
                    await self._post(answer)
                    break
                except (ConnectionFailed, APIError) as error:
                    if not resending.should_resend(error, answer.attempts, billed=self._billed):
                        raise
                    if once and isinstance(error, APIError):
                        raise
                    await resending.pause(resending.wait_before(error, answer.attempts))
            yield answer
        except (ConnectionFailed, APIError, BadResponse) as error:
            answer.error = error
            raise
        finally:
            await answer.close()

    async def fetch(self, image: ResultImage) -> bytes:
        """The bytes of a result, as `Results.fetch` has it; raises what that raises."""
        return await self._results.fetch(image)

    async def _post(self, answer: Answer) -> None:
        prepared = self._dialect.prepare(answer.request)
        carried: dict[str, Any] = {"json": prepared.json}
        if prepared.json is None:
            carried = await asyncio.to_thread(_form, prepared)
        headers = {**_authorization(answer.key), **prepared.headers}
        request = self._api.build_request("POST", prepared.path, headers=headers, **carried)
        answer.seconds_left = self._timeout
        with answer.clock():
            answer.http = await self._api.send(request, stream=True)
        answer.status = answer.http.status_code
        if answer.status != 200:
            try:
                body = as_json(await answer.content())
            finally:
                await answer.http.aclose()
            raise self._refusal(answer.status, body, answer.headers)

    def _refusal(self, status: int, body: object, headers: Mapping[str, str]) -> APIError:
        error = parse_error(status, body, headers)
        known = is_named(self.host, self._dialect.hosts)
        if known and self._dialect.regional and type(error) is Unauthorized:
            error = OtherRegion(error.status, error.code, error.message, request_id=error.request_id)
        error.host = self._shown_as or self.host
        return error


def _authorization(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _form(prepared: Prepared) -> dict[str, Any]:
    """The form's texts and files as httpx takes them. Files are read in pieces while they are sent."""
    texts: dict[str, list[str | int | float]] = {}
    for name, text in prepared.form:
        texts.setdefault(name, []).append(text)
    files = []
    for number, (name, reference) in enumerate(prepared.files, start=1):
        kind = re.match(r"data:image/([a-z]+);base64,", reference)
        mime = kind[1] if kind else "png"
        files.append((name, (f"image-{number}.{mime}", io.BytesIO(decode(reference)), f"image/{mime}")))
    return {"data": texts, "files": files} if files else {"data": texts}
