"""An order under way: its calls, and what has come of them."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .api.errors import QwenDemoError
from .api.requests import ImageRequest
from .api.responses import ImagesResponse, add_usage
from .line import Line
from .visitors import Visitor

log = logging.getLogger(__name__)

TOGETHER = 0.005  # seconds: what happens within them, such as the last picture and the end, is told at once


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture: its file, its size in pixels, and how it was asked for."""

    path: Path
    width: int
    height: int
    seed: int | None
    request_id: str | None


class InternalError(QwenDemoError):
    """A fault of this app. `id` stands in the log beside its cause."""

    may_be_billed = True

    def __init__(self, cause: BaseException) -> None:
        self.id = secrets.token_hex(4)
        super().__init__(f"internal error {self.id}")
        log.error("internal error %s", self.id, exc_info=cause)


class NotSaved(QwenDemoError):
    """A picture came and is shown, but is not in the library: the disk is full, or the folder can't be written."""

    may_be_billed = True


@dataclass(frozen=True, slots=True)
class Progress:
    """How a job stands at one moment.

    Attributes:
        n: pictures ordered.
        pictures: those that are there, in the order of their seeds.
        problems: what went wrong, a row a failed call or picture.
        place: how many calls are to be sent before this job's next one, itself included; 0 when it waits for none.
        seconds: since the order, up to its end.
        usage: what the API reported, all calls together.
        request_ids: as far as the API gave any.
    """

    n: int
    pictures: tuple[Picture, ...]
    problems: tuple[QwenDemoError, ...]
    place: int
    seconds: float
    finished: bool
    usage: dict[str, Any]
    request_ids: tuple[str, ...]


@dataclass(eq=False)
class Call:
    """One request of a job on its way; its pictures are the order's `first`th (from 0) and those after it.

    `unbilled` is how many of them surely cost nothing, as far as that is known.
    """

    request: ImageRequest
    first: int
    unbilled: int
    sent: bool = False
    task: asyncio.Task[None] | None = None


class Job:
    """An order: the calls it takes, and what has come of them. Made by `Jobs.start`."""

    def __init__(self, requests: Sequence[ImageRequest], visitor: Visitor, line: Line) -> None:
        self.id = secrets.token_urlsafe(16)
        self.visitor = visitor.name
        self.counted = visitor.counted
        self.n = sum(request.n for request in requests)
        self.calls: list[Call] = []
        for request in requests:
            self.calls.append(Call(request, sum(call.request.n for call in self.calls), unbilled=request.n))
        self.cancelled = False
        self._line = line
        self._started = time.monotonic()
        self._seconds: float | None = None
        self._pictures: dict[int, Picture] = {}
        self._problems: list[QwenDemoError] = []
        self._usages: list[Mapping[str, Any]] = []
        self._request_ids: list[str] = []
        self._changed = asyncio.Event()

    @property
    def request(self) -> ImageRequest:
        """The first request; the others differ in seed and n."""
        return self.calls[0].request

    @asynccontextmanager
    async def turn(self, call: Call) -> AsyncIterator[None]:
        """The call's turn to be sent. From here on it can't be dropped."""
        async with self._line.turn(call, self.counted):
            call.sent, call.unbilled = True, 0
            self._tell()
            yield

    def answered(self, call: Call, response: ImagesResponse) -> None:
        """An answer came; its pictures are still to be fetched. Only these are billed."""
        call.unbilled = max(0, call.request.n - len(response.images))
        self._usages.append(response.usage)
        if response.request_id:
            self._request_ids.append(response.request_id)

    def add(self, index: int, picture: Picture) -> None:
        """A picture is there, the `index`th of the order, from 0."""
        self._pictures[index] = picture
        self._tell()

    def fail(self, problem: BaseException) -> None:
        """A call or a picture failed; the others go on. What no one foresaw goes to the log."""
        if not isinstance(problem, QwenDemoError):
            problem = InternalError(problem)
        self._problems.append(problem)
        self._tell()

    def cancel(self) -> int:
        """Drop the calls that were not sent yet. Returns how many pictures are ordered and still on their way."""
        self.cancelled = True
        self._tell()
        for call in self.calls:
            if not call.sent and call.task:
                call.task.cancel()
        return self.on_their_way

    @property
    def on_their_way(self) -> int:
        """How many pictures are ordered, and not there yet."""
        return sum(call.request.n for call in self.calls if call.sent and call.task and not call.task.done())

    def progress(self) -> Progress:
        """How it stands now."""
        places = [place for call in self.calls if (place := self._line.place(call))]
        return Progress(
            n=self.n,
            pictures=tuple(picture for _, picture in sorted(self._pictures.items())),
            problems=tuple(self._problems),
            place=min(places, default=0),
            seconds=time.monotonic() - self._started if self._seconds is None else self._seconds,
            finished=self._seconds is not None,
            usage=add_usage(self._usages),
            request_ids=tuple(self._request_ids),
        )

    async def watch(self, every: float = 1.0) -> AsyncIterator[Progress]:
        """How it stands, at each change and at least every so many seconds, until the end. Many may watch."""
        while True:
            await asyncio.sleep(TOGETHER)
            changed = self._changed
            progress = self.progress()
            yield progress
            if progress.finished:
                return
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(changed.wait(), every)

    async def finish(self) -> Progress:
        """How it stands in the end."""
        async for progress in self.watch(every=60.0):
            last = progress
        return last

    async def run(self, work: Callable[[Call], Coroutine[Any, Any, None]]) -> None:
        """Do the work of all calls side by side; a failed one becomes a problem and stops none of the others."""
        for call in self.calls if not self.cancelled else ():
            call.task = asyncio.create_task(work(call))
        outcomes = await asyncio.gather(*(call.task for call in self.calls if call.task), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):  # a dropped call's CancelledError is none
                self.fail(outcome)

    def end(self) -> None:
        """Tell the watchers that this was all, and let go of the reference pictures: the job is kept for a while."""
        for call in self.calls:
            call.request = call.request.light()
        self._seconds = time.monotonic() - self._started
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
