"""Jobs: calls side by side, a line with places, and failures that stay alone."""

import asyncio
import weakref
from pathlib import Path

import pytest

from qwen_demo.api.errors import BadResponse
from qwen_demo.api.requests import ImageEdit, TextToImage, split
from qwen_demo.api.responses import ImagesResponse
from qwen_demo.job import Call, InternalError, Job, Picture
from qwen_demo.jobs import Jobs, ShuttingDown
from qwen_demo.line import Line
from qwen_demo.usage import Prices
from qwen_demo.visitors import Visitor

FOUR = split(TextToImage(prompt="a", seed=10), 4)


def picture(seed: int | None) -> Picture:
    return Picture(Path(f"{seed}.png"), 1, 1, seed, None)


async def test_pictures_arrive_one_by_one_and_stand_in_the_order_of_their_seeds() -> None:
    gates = {request.seed: asyncio.Event() for request in FOUR}

    async def work(job: Job, call: Call) -> None:
        async with job.turn(call):
            await gates[call.request.seed].wait()
            job.add(call.first, picture(call.request.seed))

    job = Jobs(max_in_flight=8).start(FOUR, Visitor("visitor"), work)
    seen: list[list[int | None]] = []
    for seed in (12, 10, 13, 11):
        gates[seed].set()
        async for progress in job.watch():
            if len(progress.pictures) > len(seen):
                break
        seen.append([shown.seed for shown in progress.pictures])
    assert seen == [[12], [10, 12], [10, 12, 13], [10, 11, 12, 13]]
    assert (await job.finish()).finished


async def test_one_failed_call_takes_no_other_along() -> None:
    async def work(job: Job, call: Call) -> None:
        async with job.turn(call):
            if call.request.seed == 11:
                raise BadResponse("no_picture")
            job.add(call.first, picture(call.request.seed))

    progress = await Jobs(8).start(FOUR, Visitor("visitor"), work).finish()
    assert [shown.seed for shown in progress.pictures] == [10, 12, 13]
    assert [str(problem) for problem in progress.problems] == ["the answer holds no picture"]


async def test_what_no_one_foresaw_is_an_internal_error_with_an_id_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(job: Job, call: Call) -> None:
        raise ZeroDivisionError

    (problem,) = (await Jobs(8).start(FOUR[:1], Visitor("visitor"), work).finish()).problems
    assert isinstance(problem, InternalError)
    assert problem.id in caplog.text


async def test_no_more_calls_than_the_limit_are_under_way_and_who_waits_has_a_place() -> None:
    under_way, most = 0, 0
    go = asyncio.Event()

    async def work(job: Job, call: Call) -> None:
        nonlocal under_way, most
        async with job.turn(call):
            under_way += 1
            most = max(most, under_way)
            await go.wait()
            under_way -= 1

    jobs = Jobs(max_in_flight=3)
    first = jobs.start(FOUR, Visitor("first"), work)
    second = jobs.start(FOUR, Visitor("second"), work)
    async for progress in second.watch():
        if progress.place:
            break
    assert (first.progress().place, second.progress().place) == (1, 2)
    go.set()
    await asyncio.gather(first.finish(), second.finish())
    assert most == 3


async def test_the_line_is_served_in_order_of_arrival() -> None:
    line, served = Line(1), []

    async def stand(who: int) -> None:
        async with line.turn(who):
            served.append(who)
            await asyncio.sleep(0)

    await asyncio.gather(*(stand(who) for who in range(5)))
    assert served == [0, 1, 2, 3, 4]


async def test_cancel_drops_what_was_not_sent_and_counts_what_was() -> None:
    sent, go = [], asyncio.Event()

    async def work(job: Job, call: Call) -> None:
        async with job.turn(call):
            sent.append(call.request.seed)
            await go.wait()
            job.add(call.first, picture(call.request.seed))

    job = Jobs(max_in_flight=1).start(FOUR, Visitor("visitor"), work)
    async for _ in job.watch():
        if sent:
            break
    assert job.cancel() == 1
    go.set()
    progress = await job.finish()
    assert sent == [10]
    assert [shown.seed for shown in progress.pictures] == [10]
    assert progress.problems == ()


async def test_nobody_finds_anothers_job() -> None:
    async def work(job: Job, call: Call) -> None:
        return None

    jobs = Jobs(8)
    job = jobs.start(FOUR, Visitor("owner"), work)
    assert jobs.find(job.id, "owner") is job
    assert jobs.find(job.id, "other") is None
    assert jobs.find("nonsense", "owner") is None
    await job.finish()


async def nothing(job: Job, call: Call) -> None:
    return None


async def test_a_finished_job_is_found_again_and_leaves_memory_in_the_end() -> None:
    gone = asyncio.Event()
    jobs = Jobs(8, keep=0.2)
    job = jobs.start(FOUR, Visitor("owner"), nothing)
    weakref.finalize(job, gone.set)
    identity = job.id
    await job.finish()
    assert jobs.find(identity, "owner") is job
    del job
    await asyncio.wait_for(gone.wait(), 30)
    assert jobs.find(identity, "owner") is None


async def test_a_finished_job_holds_no_pictures_that_were_sent() -> None:
    sent: list[str] = []

    async def work(job: Job, call: Call) -> None:
        sent.extend(call.request.references)

    edit = ImageEdit(prompt="a", image="data:image/png;base64," + "A" * 1000)
    job = Jobs(8).start([edit], Visitor("owner"), work)
    await job.finish()
    assert [len(reference) for reference in sent] == [1022]
    assert [len(reference) for reference in job.request.references] == [64]


async def test_the_latest_job_of_a_kind_is_the_visitors_own_and_not_a_cancelled_one() -> None:
    jobs = Jobs(8)
    first, second = (jobs.start(FOUR, Visitor("owner"), nothing) for _ in range(2))
    other = jobs.start(FOUR, Visitor("other"), nothing)
    assert jobs.latest("owner", "text_to_image") is second
    assert jobs.latest("owner", "edit") is None
    second.cancel()
    assert jobs.latest("owner", "text_to_image") is first
    for job in (first, second, other):
        await job.finish()


async def test_what_arrives_is_counted_for_its_visitor_whoever_watches() -> None:
    async def work(job: Job, call: Call) -> None:
        job.answered(call, ImagesResponse(images=(), usage={"total_tokens": 2}, request_id=None, created=None))
        job.add(call.first, picture(call.request.seed))

    jobs = Jobs(8, prices=Prices({"qwen-image-plus": 0.2}))
    for job in [jobs.start(FOUR[:2], Visitor("owner"), work), jobs.start(FOUR[:1], Visitor("owner"), work)]:
        await job.finish()
    rows = jobs.used("owner")
    assert [(row.asked, row.pictures, row.tokens) for row in rows] == [(2, 2, 4), (1, 1, 2)]
    assert [row.cost for row in rows] == [0.4, 0.2]
    assert jobs.used("other") == ()


async def test_the_usual_time_is_the_median_of_what_went_well() -> None:
    async def work(job: Job, call: Call) -> None:
        if call.request.seed == 12:
            raise BadResponse("no_picture")
        job.add(call.first, picture(call.request.seed))

    jobs = Jobs(8)
    assert jobs.usual_seconds("qwen-image-plus") is None
    failed = await jobs.start(FOUR, Visitor("owner"), work).finish()
    assert failed.problems
    assert jobs.usual_seconds("qwen-image-plus") is None
    times = [(await jobs.start(FOUR[:2], Visitor("owner"), work).finish()).seconds for _ in range(3)]
    assert jobs.usual_seconds("qwen-image-plus") == pytest.approx(sorted(times)[1], abs=0.05)


async def test_while_draining_what_runs_goes_on_and_nothing_new_begins() -> None:
    go = asyncio.Event()

    async def work(job: Job, call: Call) -> None:
        await go.wait()
        job.add(call.first, picture(call.request.seed))

    jobs = Jobs(8)
    job = jobs.start(FOUR, Visitor("owner"), work)
    jobs.draining = True
    with pytest.raises(ShuttingDown):
        jobs.start(FOUR, Visitor("owner"), work)
    assert jobs.running == 1
    go.set()
    assert len((await job.finish()).pictures) == 4
