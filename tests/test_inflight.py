"""Several processes and one Redis: they hold their limits together, and each by itself while it is away."""

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio
from redis import Redis

from qwen_demo.api.client import QwenClient
from qwen_demo.inflight import GO, KEY, Shared, Wait
from qwen_demo.library import Library
from qwen_demo.line import Line, Turn
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.visitors import Visitor
from tests.conftest import ask_for
from tests.test_journal import HILL, answer
from tests.test_line import ANN, BOB, CID, Crowd, crowd, named

ROOT = Path(__file__).parents[1]
NOBODY: tuple[str, ...] = ()
FULL = Wait(0.2, everyone=True)
NEEDED = pytest.mark.skipif(
    not shutil.which("redis-server"), reason="NOT TRIED: limits in Redis. It needs: apt-get install redis-server"
)
HOLDER = """
import asyncio, sys
from qwen_demo.inflight import Shared
from tests.conftest import ask_for

async def hold() -> None:
    shared = Shared(sys.argv[1], 1, lease=2)
    print(await shared.begin("call", (), ""), flush=True)
    await asyncio.Event().wait()

asyncio.run(hold())
"""


@contextmanager
def running_redis() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_redis() as url:
        yield url


@pytest.fixture
def url(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for patience in ("PATIENCE", "FORGET"):  # whatever else the machine does meanwhile
        monkeypatch.setattr(f"qwen_demo.inflight.{patience}", 60.0)
    with Redis.from_url(server) as redis:
        redis.flushall()
    return server


@pytest_asyncio.fixture
async def process(url: str) -> AsyncIterator[Callable[..., Shared]]:
    """Makes what a process has, of these limits."""
    made: list[Shared] = []

    def make(*limits: int, **more: Any) -> Shared:
        made.append(Shared(url, *limits, **more))
        return made[-1]

    yield make
    for shared in made:
        await shared._redis.aclose()


async def until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def begun(shared: Shared, who: str, visitor: tuple[str, ...] = NOBODY, account: str = "") -> None:
    """Ask until it begins."""
    deadline = time.monotonic() + 60
    while await shared.begin(who, visitor, account) != GO:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@NEEDED
async def test_processes_share_their_places(process: Callable[..., Shared]) -> None:
    one, other = process(2), process(2)
    assert await one.begin("a", NOBODY, "") == GO
    assert await other.begin("b", NOBODY, "") == GO
    assert await one.begin("c", NOBODY, "") == await other.begin("d", NOBODY, "") == FULL
    other.end("b")
    await begun(one, "c")
    assert await other.begin("d", NOBODY, "") == FULL


@NEEDED
async def test_a_process_that_found_no_place_comes_before_one_that_just_had_one(
    process: Callable[..., Shared], url: str
) -> None:
    one, other = process(1), process(1)
    await begun(one, "a")
    assert await other.begin("b", NOBODY, "") == FULL
    one.end("a")
    with Redis.from_url(url) as redis:
        await until(lambda: not redis.zcard(f"{KEY}/places"))
    assert await one.begin("c", NOBODY, "") == FULL
    assert await other.begin("b", NOBODY, "") == GO


@NEEDED
async def test_processes_share_what_each_visitor_may_have_under_each_name(process: Callable[..., Shared]) -> None:
    again = ("cookie ann-2", "address 1")
    one, other = process(9, each=1), process(9, each=1)
    assert await one.begin("a", ANN, "") == GO
    assert await other.begin("b", again, "") == Wait(0.2)
    assert await other.begin("c", BOB, "") == GO
    one.end("a")
    await begun(other, "b", again)


@NEEDED
async def test_processes_share_the_pace_of_a_key(process: Callable[..., Shared]) -> None:
    one, other = process(9, rate=0.01), process(9, rate=0.01)
    assert await one.begin("a", NOBODY, "") == GO
    wait = await other.begin("b", NOBODY, "")
    assert 0 < wait.seconds <= 100
    assert not wait.everyone
    assert await other.begin("c", NOBODY, "bob's own") == GO


@NEEDED
async def test_the_places_of_a_process_that_is_killed_are_free_after_a_while(
    process: Callable[..., Shared], url: str
) -> None:
    command = [sys.executable, "-c", HOLDER, url]
    holder = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout
    told = (await holder.stdout.readline()).decode().strip()
    mine = process(1)
    assert (told, await mine.begin("call", NOBODY, "")) == (repr(GO), FULL)
    holder.kill()
    await holder.wait()
    await begun(mine, "call")


@NEEDED
async def test_who_lives_keeps_its_places_for_as_long_as_its_call_runs(
    process: Callable[..., Shared], url: str
) -> None:
    mine = process(1, lease=1)
    await begun(mine, "call")
    with Redis.from_url(url) as redis:
        ((_, first),) = redis.zrange(f"{KEY}/places", 0, -1, withscores=True)
        await until(lambda: redis.zrange(f"{KEY}/places", 0, -1, withscores=True)[0][1] > first)


@NEEDED
async def test_two_lines_at_one_redis_have_no_more_under_way_than_one_and_both_come_to_their_ends(
    process: Callable[..., Shared],
) -> None:
    most = 0
    async with crowd(Line(2, shared=process(2))) as one, crowd(Line(2, shared=process(2))) as other:

        def under_way() -> list[tuple[Crowd, str]]:
            return [(here, name) for here in (one, other) for name in here.begun if not here._ends[name].done()]

        await one.come(*named("ann", 8), visitor=ANN)
        await other.come(*named("bob", 8), visitor=BOB)
        for _ in range(16):
            await until(lambda: bool(under_way()))
            most = max(most, len(under_way()))
            here, name = under_way()[0]
            await here.end(name)
        assert (one.begun, other.begun, under_way()) == (named("ann", 8), named("bob", 8), [])
    assert most <= 2


@NEEDED
async def test_who_gives_up_while_redis_is_asked_holds_nothing(process: Callable[..., Shared]) -> None:
    async with crowd(Line(1, shared=process(1))) as here:
        await here.come("gone")
        await here.give_up("gone")
        await here.come("next")
        await until(lambda: here.begun == ["next"])


@NEEDED
async def test_what_ends_while_it_is_renewed_holds_nothing(
    process: Callable[..., Shared], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = process(9, lease=1)
    renewing, go = asyncio.Event(), asyncio.Event()
    renew = shared._renew

    async def slow(*args: Any) -> Any:
        renewing.set()
        await go.wait()
        return await renew(*args)

    monkeypatch.setattr(shared, "_renew", slow)
    for who in ("a", "b"):
        await begun(shared, who)
    await asyncio.wait_for(renewing.wait(), 60)
    for who in ("a", "b"):
        shared.end(who)
    await asyncio.wait(shared._ending, timeout=0)  # they have begun to wait, or are said by now
    go.set()
    await until(lambda: not shared._ending and shared._renewing is not None and shared._renewing.done())
    with Redis.from_url(url) as redis:
        assert redis.zcard(f"{KEY}/places") == 0


@NEEDED
async def test_when_the_app_closes_nothing_is_held_and_nothing_connected(tmp_path: Path, url: str) -> None:
    client = QwenClient("sk-1", "https://api.example/v1", transport=httpx.MockTransport(lambda _: answer()))
    service = Service(client, Orders(8, storage=url), Library(tmp_path))
    await (await ask_for(service, HILL, 2, Visitor("ann"))).finish()
    await service.aclose()
    with Redis.from_url(url) as redis:
        assert redis.zcard(f"{KEY}/places") == 0
        await until(lambda: redis.info("clients")["connected_clients"] == 1)  # this one


class Asked:
    """Stands for what all processes share, and asks for each turn."""

    def __init__(self, ask: Callable[[str], Awaitable[Wait]]) -> None:
        self._ask = ask

    async def begin(self, turn: Turn, *_: object) -> Wait:
        return await self._ask(str(turn.who))

    def end(self, _: Turn) -> None:
        pass


async def test_who_gives_up_while_another_is_asked_for_keeps_nobody_up() -> None:
    bob_is_there, asked, go = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def ask(who: str) -> Wait:
        if who != "ann":
            return GO
        if bob_is_there.is_set():
            asked.set()
            await go.wait()
        return Wait(60)

    async with crowd(Line(4, shared=cast(Shared, Asked(ask)))) as here:
        await here.come("ann", visitor=ANN)
        bob_is_there.set()
        await here.come("bob", visitor=BOB, account="bob's own")
        await asyncio.wait_for(asked.wait(), 60)
        await here.give_up("bob")
        await here.come("cid", visitor=CID, account="cid's own")  # now bob's key is known no more
        go.set()
        await until(lambda: here.begun == ["cid"])


async def test_a_fault_at_one_turn_keeps_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    async def ask(who: str) -> Wait:
        if who == "ann":
            raise ValueError("unforeseen")
        return GO

    async with crowd(Line(4, shared=cast(Shared, Asked(ask)))) as here:
        await here.come("ann", visitor=ANN)
        await here.come("bob", visitor=BOB)
        await until(lambda: here.begun == ["bob"])
    assert "a turn in the line can't begin yet" in caplog.text


@NEEDED
async def test_without_redis_each_keeps_to_the_limits_by_itself_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with running_redis() as url:
        shared = Shared(url, 2)
        line = Line(2, shared=shared)
        async with crowd(line) as here:
            await here.come("before")
            await until(lambda: here.begun == ["before"])
    async with crowd(line) as here:
        await here.come(*named("ann", 3))
        await until(lambda: len(here.begun) == 2)
        await here.end("ann 1")
        await until(lambda: len(here.begun) == 3)
    await shared._redis.aclose()
    assert [record.message for record in caplog.records if "Redis" in record.message] == [
        "Redis is away: each process keeps to the limits by itself (ConnectionError)"
    ]
