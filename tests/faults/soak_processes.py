"""Three processes, Redis and nginx; three hundred visitors order. One process is killed, one is told to end.

Slow, and so beside the other tests: `python -m pytest -s tests/faults/soak_processes.py`.
"""

import asyncio
import base64
import json
import random
import re
import shutil
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import redis

from deploy.two_processes import Hosted, hosted
from qwen_demo.journal import FOLDER
from qwen_demo.recipe import read
from tests.faults.server import Exchange, faulty_server, refusal
from tests.faults.server import http as answering
from tests.faults.soak_kill import KEY, PATIENCE, picture

PROCESSES, VISITORS, AT_ONCE = 3, 300, 16
REFUSED, BROKEN = 0.08, 0.04  # of all calls: refused for what was asked; failed so that nobody knows whether it costs
Told = dict[str, Any]
T = TypeVar("T")


def fate(seed: int) -> float:
    return random.Random(seed).random()  # noqa: S311 - no secret


class Api:
    """Answers after a while, and knows what it is to be paid for.

    Attributes:
        calm: while it is not set, no order comes to an end of which something cost nothing.
        billed: the seeds of pictures, as often as they were made.
        most: calls under way at once.
    """

    def __init__(self) -> None:
        self.calm = asyncio.Event()
        self.calm.set()
        self.calls = self.most = self._under_way = 0
        self.billed: Counter[int] = Counter()
        self.broken: set[int] = set()

    async def post(self, exchange: Exchange) -> None:
        self.calls += 1
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        try:
            await asyncio.sleep(random.uniform(0.2, 0.8))  # noqa: S311
            await self._answer(exchange, exchange.order["seed"])
        finally:
            self._under_way -= 1

    async def _answer(self, exchange: Exchange, seed: int) -> None:
        first = seed - seed % 2
        if min(fate(first), fate(first + 1)) < REFUSED:
            await self.calm.wait()
        if fate(seed) < REFUSED:
            return await refusal(400, "2001", "DataInspectionFailed")(exchange)
        if fate(seed) < REFUSED + BROKEN:
            self.broken.add(seed)
            return await refusal(500, "5000")(exchange)
        self.billed[seed] += 1
        inside, outside = base64.b64encode(picture(seed)).decode(), f"{exchange.server.url}/{seed}"
        datum = {"b64_json": inside} if seed % 2 else {"url": outside}
        await answering(200, json.dumps({"data": [datum]}).encode())(exchange)

    async def get(self, exchange: Exchange) -> None:
        if exchange.path == "/v1/models":  # it is taken for a gateway
            return await answering(404, b"{}")(exchange)
        await answering(200, picture(int(exchange.path.strip("/"))), "image/png")(exchange)


class Visitors:
    """All of them, through nginx. Each has an address and a cookie of its own."""

    def __init__(self, url: str, calm: asyncio.Event) -> None:
        self._calm = calm
        self._door = asyncio.Semaphore(16)
        self.accepted = 0
        self.all = [self._one(url, f"198.51.{number // 200}.{number % 200}") for number in range(VISITORS)]

    @staticmethod
    def _one(url: str, address: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=url, headers={"X-Forwarded-For": address}, timeout=PATIENCE)

    async def come(self, number: int, orders: int = 1) -> None:
        """Order two pictures, again where a process that ends takes none, until there are so many orders."""
        while len(await self.cards(number)) < orders:
            asked = {"prompt": "a hill", "seed": 8 * number + 2 * orders, "n": 2}
            with suppress(httpx.TransportError):  # the process is gone, and the order is at another one
                async with self._door:
                    await self._calm.wait()
                    begun = await self.all[number].post("/gradio_api/call/v2/text_to_image", json=asked)
                    self.accepted += begun.is_success
                if begun.is_success:
                    await self.all[number].get(f"/gradio_api/call/text_to_image/{begun.json()['event_id']}")

    async def cards(self, number: int) -> list[Told]:
        """The visitor's orders, as that process tells them which nginx chooses now."""

        async def told() -> list[Told] | None:
            with suppress(httpx.TransportError):
                answer = await self.all[number].get("/board/orders?once")
                if answer.is_success:
                    return [{**card, "id": id} for id, card in answer.json()["cards"].items()]
            return None

        return await until(told)

    async def at_rest(self, number: int) -> list[Told]:
        """The same, once none is under way."""

        async def rest() -> list[Told] | None:
            cards = await self.cards(number)
            return None if any(card["state"] == "running" for card in cards) else cards

        return await until(rest, every=1.0)

    async def each(self, what: Callable[[int], Awaitable[Any]]) -> list[Any]:
        return await asyncio.gather(*(what(number) for number in range(VISITORS)))


async def until(found: Callable[[], Awaitable[T | None]], every: float = 0.1) -> T:
    """What is found, as soon as it is not None."""
    deadline = time.monotonic() + PATIENCE
    while (there := await found()) is None:
        assert time.monotonic() < deadline, found.__qualname__
        await asyncio.sleep(every)
    return there


def journal(folder: Path) -> list[Told]:
    return [json.loads(file.read_bytes()) for file in (folder / "outputs" / FOLDER).glob("*.json")]


async def end_two(host: Hosted, api: Api, visitors: Visitors, folder: Path) -> None:
    """Kill a process while orders of all kinds are under way, and tell another one to end.

    Not while it counts: then the count keeps what nobody orders any more, which is the side to err on.
    """

    async def accepted(number: int) -> bool | None:
        return visitors.accepted >= number or None

    async def nothing_is_counted() -> bool | None:
        entries = await asyncio.to_thread(journal, folder)
        ended = [entry for entry in entries if all(call["state"] in ("done", "failed") for call in entry["calls"])]
        counting = any(call["charged"] for entry in ended for call in entry["calls"])
        return None if counting or len(entries) < visitors.accepted else True

    killed, drained, _ = host.apps.values()
    await until(lambda: accepted(VISITORS // 3))
    api.calm.clear()
    await until(nothing_is_counted)
    killed.kill()
    await asyncio.to_thread(killed.wait)
    api.calm.set()
    await until(lambda: accepted(VISITORS // 2))
    drained.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(drained.wait, PATIENCE) == 0


@pytest.mark.skipif(
    not (shutil.which("nginx") and shutil.which("redis-server")),
    reason="NOT TRIED: three processes behind nginx. It needs: apt-get install nginx-light redis-server",
)
async def test_what_is_paid_is_kept_and_counted_when_processes_end_in_the_middle(tmp_path: Path) -> None:
    api, began = Api(), time.monotonic()
    with ExitStack() as stack:
        async with faulty_server(api.post, api.get) as server:
            environ = {
                "QWEN_API_KEY": KEY,
                "QWEN_BASE_URL": f"{server.url}/v1",
                "QWEN_MAX_IN_FLIGHT": str(AT_ONCE),
                "QWEN_DEMO_TRUSTED_PROXIES": "2",  # nginx, and the one that visitors say they come through
                "QWEN_DEMO_TOTAL_QUOTA": f"{10 * VISITORS}/day",
                "QWEN_DEMO_MCP": "0",
            }
            host = await asyncio.to_thread(lambda: hosted(stack, tmp_path, PROCESSES, **environ))
            there = time.monotonic()
            visitors = Visitors(host.url, api.calm)
            await asyncio.gather(visitors.each(visitors.come), end_two(host, api, visitors, tmp_path))
            cards = await visitors.each(visitors.at_rest)
            paused = [(number, card) for number, told in enumerate(cards) for card in told if card["state"] == "paused"]
            assert paused, "the killed process had nothing in its line"
            for number, card in paused:
                asked = {"act": "go_on", "order": card["id"]}
                (await visitors.all[number].post("/board/act", json=asked)).raise_for_status()
            await visitors.each(lambda number: visitors.come(number, orders=2 if number % 3 == 0 else 1))
            states = Counter(card["state"] for told in await visitors.each(visitors.at_rest) for card in told)
        check(api, tmp_path, redis.Redis.from_url(host.redis))
    print(  # noqa: T201 - a soak says what it saw
        f"{there - began:.0f} s until all was there, {time.monotonic() - there:.0f} s for {api.calls} calls, "
        f"{api.most} at once; {len(paused)} orders went on; in the end {dict(states)}"
    )


def check(api: Api, folder: Path, storage: "redis.Redis") -> None:
    """The quota is what was billed or may be, to the picture; and no picture is lost or made twice."""
    calls = [call for entry in journal(folder) for call in entry["calls"]]
    assert not any(call["charged"] for call in calls), "something is not settled"
    counted = {call["asked"]["seed"] for call in calls if not call["unbilled"]}
    lost = {call["asked"]["seed"] for call in calls if call["state"] == "sent"}
    assert api.billed.keys() <= counted
    assert counted <= api.billed.keys() | api.broken | lost
    assert set(api.billed.values()) == {1}, "something was ordered twice"
    sums: Counter[str] = Counter()
    for key in storage.scan_iter("*qwen-image-demo/*"):
        name = key.decode().partition("qwen-image-demo/")[2]
        if (whose := re.match("total|cookie|address", name)) and "refused" not in name:
            sums[whose[0]] += int(storage.get(key) or 0)
    assert dict(sums) == {"total": len(counted), "cookie": len(counted), "address": len(counted)}
    saved = Counter(read(path).seed for path in (folder / "outputs").rglob("20*/*.png"))
    assert set(saved.values()) == {1}, "a picture was saved twice"
    assert api.billed.keys() - lost == saved.keys() - lost
    assert not list((folder / "outputs" / FOLDER).glob("*.answer"))
    assert api.most <= AT_ONCE
