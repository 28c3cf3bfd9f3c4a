"""A paid call belongs to a job, not to a browser tab: what is ordered is fetched and kept, whoever still watches."""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from .api.errors import QwenDemoError
from .api.requests import ImageRequest
from .api.responses import ImagesResponse, add_usage
from .line import Line
from .usage import Prices, Usage

log = logging.getLogger(__name__)

MOST_VISITORS = 10_000  # whose usage is remembered


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


class ShuttingDown(QwenDemoError):
    """The app is about to end and takes no new orders."""


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
    """One request of a job on its way; its pictures are the order's `first`th (from 0) and those after it."""

    request: ImageRequest
    first: int
    sent: bool = False
    task: asyncio.Task[None] | None = None


class Job:
    """An order: the calls it takes, and what has come of them. Made by `Jobs.start`."""

    def __init__(self, requests: Sequence[ImageRequest], visitor: str, line: Line) -> None:
        self.id = secrets.token_urlsafe(16)
        self.visitor = visitor
        self.n = sum(request.n for request in requests)
        self.calls: list[Call] = []
        for request in requests:
            self.calls.append(Call(request, first=sum(call.request.n for call in self.calls)))
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
        async with self._line.turn(call):
            call.sent = True
            self._tell()
            yield

    def answered(self, response: ImagesResponse) -> None:
        """An answer came; its pictures are still to be fetched."""
        self._usages.append(response.usage)
        if response.request_id:
            self._request_ids.append(response.request_id)
        self._tell()

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
        for call in self.calls:
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


class Jobs:
    """All jobs of the app, each for the visitor who ordered it. They share one line of `max_in_flight` calls.

    Args:
        max_in_flight: calls under way at once.
        prices: what pictures cost.
        keep: seconds until a finished job is forgotten. Its pictures stay.
    """

    def __init__(self, max_in_flight: int, *, prices: Prices | None = None, keep: float = 3600.0) -> None:
        self._line = Line(max_in_flight)
        self.prices = prices or Prices({})
        self._keep = keep
        self._jobs: dict[str, Job] = {}
        self._used: dict[str, deque[Usage]] = {}
        self._lately: dict[str, deque[float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references
        self.draining = False
        """Set it to take no new orders."""

    @property
    def running(self) -> int:
        """How many jobs have not come to their end."""
        return len(self._tasks)

    def start(
        self, requests: Sequence[ImageRequest], visitor: str, work: Callable[[Job, Call], Coroutine[Any, Any, None]]
    ) -> Job:
        """Begin a job that does `work` for each of its requests.

        Raises:
            ShuttingDown: the app takes no new orders.
        """
        if self.draining:
            raise ShuttingDown
        job = Job(requests, visitor, self._line)
        self._jobs[job.id] = job
        task = asyncio.create_task(self._see_through(job, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def find(self, id: str, visitor: str) -> Job | None:
        """The visitor's job of that id, running or finished within the hour; nobody finds another's."""
        job = self._jobs.get(id)
        return job if job and job.visitor == visitor else None

    def latest(self, visitor: str, kind: str) -> Job | None:
        """The visitor's last job of that kind that was not cancelled."""
        own = (job for job in reversed(self._jobs.values()) if job.visitor == visitor and job.request.kind == kind)
        return next((job for job in own if not job.cancelled), None)

    def used(self, visitor: str) -> tuple[Usage, ...]:
        """What the visitor has used since the app was started: the last thousand orders."""
        return tuple(self._used.get(visitor, ()))

    def usual_seconds(self, model: str) -> float | None:
        """The median time of the model's last orders that went well; None before the first."""
        return median(self._lately[model]) if model in self._lately else None

    async def _see_through(self, job: Job, work: Callable[[Job, Call], Coroutine[Any, Any, None]]) -> None:
        await job.run(lambda call: work(job, call))
        self._count(job, job.progress())
        job.end()
        asyncio.get_running_loop().call_later(self._keep, self._jobs.pop, job.id, None)

    def _count(self, job: Job, progress: Progress) -> None:
        model, pictures = job.request.model, len(progress.pictures)
        tokens = progress.usage.get("total_tokens")
        usage = Usage(
            at=datetime.now(),
            kind=job.request.kind,
            model=model,
            asked=job.n,
            pictures=pictures,
            tokens=tokens if isinstance(tokens, int) else 0,
            seconds=round(progress.seconds, 3),
            cost=self.prices.cost(model, pictures),
            request_ids=" ".join(progress.request_ids),
        )
        rows = self._used.pop(job.visitor, deque(maxlen=1000))
        self._used[job.visitor] = rows  # last again: who was not seen for longest is first
        rows.append(usage)
        if len(self._used) > MOST_VISITORS:
            del self._used[next(iter(self._used))]
        if pictures and not progress.problems:
            self._lately.setdefault(model, deque(maxlen=20)).append(progress.seconds)
