"""Three hundred orders through the running app, with faults and disconnects by chance: nothing paid for is lost."""

import asyncio
import io
import itertools
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from qwen_demo.api import resending
from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import ConnectionFailed
from qwen_demo.api.requests import ImageRequest
from qwen_demo.library import Library
from qwen_demo.order import Order, Terms
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.ui.messages import describe
from qwen_demo.visitors import Visitor
from tests.conftest import Hurry, launched
from tests.faults.server import Exchange, FaultyServer, close, faulty_server, http, in_turn, raw, refusal, reset, told

KEY = "sk-test-soak-2b7e15"
ORDERS = 300
AT_ONCE = 24
Colour = tuple[int, ...]


def picture(number: int) -> tuple[bytes, Colour]:
    """A small picture in a colour of its own, by which it is known again."""
    colour = tuple(number.to_bytes(3, "big"))
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue(), colour


@dataclass
class Chance:
    """A server that does well, or badly, by chance; and remembers what it billed."""

    dice: random.Random = field(default_factory=lambda: random.Random(20261122))  # noqa: S311 - no secret
    numbers: Iterator[int] = field(default_factory=itertools.count)
    billed: set[Colour] = field(default_factory=set)
    served: dict[str, Any] = field(default_factory=dict)
    broken: int = 0
    """Orders whose answer was lost on its way."""

    async def post(self, exchange: Exchange) -> None:
        """Bill and deliver, or fail: in ways that cost nothing, or that lose the answer on its way."""
        refused = refusal(400, "2001", "DataInspectionFailed")
        well = [self._deliver, http(429), http(503), refused, http(500)]
        lost = [close, reset, raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")]
        (behaviour,) = self.dice.choices([*well, *lost], [60, 8, 8, 8, 6, 3, 3, 4])
        self.broken += behaviour in lost
        await behaviour(exchange)

    async def get(self, exchange: Exchange) -> None:
        await self.served[exchange.path](exchange)

    async def _deliver(self, exchange: Exchange) -> None:
        addresses = []
        for _ in range(exchange.order["n"]):
            number = next(self.numbers)
            data, colour = picture(number)
            faults = self.dice.sample([http(502), reset, raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n")], 2)
            # A result may fail twice; the third try finds it.
            failing = faults[: self.dice.choice([0, 0, 0, 1, 2])]
            self.served[f"/{number}.png"] = in_turn(*failing, http(200, data, "image/png"))
            self.billed.add(colour)
            addresses.append(f"{exchange.server.url}/{number}.png")
        usage = {"total_tokens": len(addresses)}
        await told(200, {"data": [{"url": address} for address in addresses], "usage": usage})(exchange)


async def order(visitor: httpx.AsyncClient, chance: random.Random, number: int) -> str | None:
    """Order something; watch to the end, or go away before. Returns what was heard, None for who went away."""
    common = ["qwen-image-edit-plus", None, chance.randint(1, 3), number, "", True, False, "url"]
    if chance.random() < 0.5:
        endpoint, data = "edit_image", [f"wish {number}", "https://pictures.example/a.png", *common]
    else:
        endpoint, data = "text_to_image", [f"wish {number}", "qwen-image", "1328x1328", *common[2:]]
    begun = await visitor.post(f"/gradio_api/call/{endpoint}", json={"data": data})
    begun.raise_for_status()
    if chance.random() < 0.2:
        return None
    address = f"/gradio_api/call/{endpoint}/{begun.json()['event_id']}"
    async with visitor.stream("GET", address) as answer:
        if chance.random() < 0.2:
            await answer.aclose()
            return None
        return (await answer.aread()).decode()


async def order_all(url: str) -> list[str | None]:
    chance, limit = random.Random(7), asyncio.Semaphore(AT_ONCE)  # noqa: S311 - no secret
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=httpx.Limits(max_connections=None)) as visitor:

        async def one(number: int) -> str | None:
            async with limit:
                return await order(visitor, chance, number)

        return await asyncio.gather(*map(one, range(ORDERS)))


async def test_every_picture_that_was_billed_is_on_disk_and_every_order_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resending, "pause", lambda seconds: asyncio.sleep(0))
    caplog.set_level("DEBUG", "qwen_demo")
    chance = Chance()
    async with faulty_server(chance.post, chance.get) as server:
        service = Service(QwenClient(KEY, f"{server.url}/v1"), Orders(32, timer=Hurry()), Library(tmp_path / "outputs"))
        placed: list[Order] = []
        place = service.orders.place

        def remember(requests: Sequence[ImageRequest], visitor: Visitor, terms: Terms | None = None) -> Order:
            placed.append(place(requests, visitor, terms))
            return placed[-1]

        monkeypatch.setattr(service.orders, "place", remember)
        with launched(service) as url:
            heard = await order_all(url)
            deadline = time.monotonic() + 120
            while len(placed) < ORDERS or service.orders.running:
                assert time.monotonic() < deadline, f"{len(placed)} orders came, {service.orders.running} still run"
                await asyncio.sleep(0.05)
    assert colours(tmp_path / "outputs") == chance.billed
    assert len(chance.billed) > ORDERS / 2
    check_the_ends(placed, heard, chance.broken)
    check_the_key(server, tmp_path, [caplog.text, *filter(None, heard)])


def colours(folder: Path) -> set[Colour]:
    found = set()
    for path in folder.glob("20*/*.png"):
        with Image.open(path) as image:
            found.add(tuple(image.tobytes()[:3]))
    return found


def check_the_ends(ends: list[Order], heard: list[str | None], broken: int) -> None:
    """Every order ended in pictures or in words; who stayed heard one or the other, who went away may want no more.

    Whose answer was lost on its way, which no one can help, knows that it may have been billed.
    """
    assert all(end.finished and (end.pictures or end.problems or end.stopped) for end in ends)
    assert {end.request.seed for end in ends if end.stopped} <= {at for at, words in enumerate(heard) if words is None}
    assert all(describe(problem, "en") for end in ends for problem in end.problems)
    warned = [problem for end in ends for problem in end.problems if isinstance(problem, ConnectionFailed)]
    assert [problem.may_be_billed for problem in warned] == [True] * broken
    stayed = [words for words in heard if words is not None]
    assert 0 < len(stayed) < ORDERS
    assert [words for words in stayed if "event: complete" not in words and "billed" not in words] == []


def check_the_key(server: FaultyServer, folder: Path, texts: list[str]) -> None:
    """It is in no file, no log and no answer, and went with nothing but orders."""
    assert server.keys_beside_posts == []
    assert [path for path in folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []
    assert [text for text in texts if KEY in text] == []
