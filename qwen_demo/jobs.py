"""A paid call belongs to a job, not to a browser tab: what is ordered is fetched and kept, whoever still watches."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from .api.errors import QwenDemoError
from .api.requests import ImageRequest
from .job import Call, Job, Progress
from .line import Line
from .usage import Prices, Usage
from .visitors import Visitor

MOST_VISITORS = 10_000  # whose usage is remembered
MOST_CALLS = 12  # of one visitor, under way or waiting, where visitors have a limit: two orders of six


class ShuttingDown(QwenDemoError):
    """The app is about to end and takes no new orders."""


class TooManyOrders(QwenDemoError):
    """The visitor has enough orders under way."""


Work = Callable[[Job, Call], Coroutine[Any, Any, None]]
Settle = Callable[[Job], Coroutine[Any, Any, None]]


class Jobs:
    """All jobs of the app, each for the visitor who ordered it. They share one line of `max_in_flight` calls.

    Args:
        max_in_flight: calls under way at once.
        each: calls under way at once of one visitor, 0 for as many as there may be at all.
        prices: what pictures cost.
        keep: seconds until a finished job is forgotten. Its pictures stay.
    """

    def __init__(
        self, max_in_flight: int, *, each: int = 0, prices: Prices | None = None, keep: float = 3600.0
    ) -> None:
        self._line = Line(max_in_flight, each)
        self._each = each
        self.prices = prices or Prices({})
        self._keep = keep
        self._jobs: dict[str, Job] = {}
        self._used: dict[str, deque[Usage]] = {}
        self._lately: dict[str, deque[float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references
        self._ended = -math.inf  # when the last job came to its end
        self.draining = False
        """Set it to take no new orders."""

    @property
    def running(self) -> int:
        """How many jobs have not come to their end."""
        return len(self._tasks)

    async def idle(self, seconds: float) -> None:
        """Wait until no job has been running for so long."""
        while self._tasks or time.monotonic() < self._ended + seconds:
            if self._tasks:
                await asyncio.wait(self._tasks)
            else:
                await asyncio.sleep(self._ended + seconds - time.monotonic())

    def start(
        self, requests: Sequence[ImageRequest], visitor: Visitor, work: Work, at_end: Settle | None = None
    ) -> Job:
        """Begin a job that does `work` for each of its requests, and `at_end` before its watchers are told the end.

        Raises:
            ShuttingDown: the app takes no new orders.
            TooManyOrders: of this visitor.
        """
        if self.draining:
            raise ShuttingDown
        if self._each and self._under_way(visitor) + len(requests) > MOST_CALLS:
            raise TooManyOrders
        job = Job(requests, visitor, self._line)
        self._jobs[job.id] = job
        task = asyncio.create_task(self._see_through(job, work, at_end))
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

    def _under_way(self, visitor: Visitor) -> int:
        """The calls of all jobs that count under one of the visitor's names."""
        jobs = (job for job in self._jobs.values() if not set(job.counted).isdisjoint(visitor.counted))
        return sum(1 for job in jobs for call in job.calls if not (call.task and call.task.done()))

    async def _see_through(self, job: Job, work: Work, at_end: Settle | None) -> None:
        await job.run(lambda call: work(job, call))
        if at_end:
            await at_end(job)
        self._count(job, job.progress())
        job.end()
        self._ended = time.monotonic()
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
