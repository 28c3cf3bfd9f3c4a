"""Fifty photos as cameras make them, a slow API with faults, and a `kill -9` in the middle: every one is told rightly.

Slow, and so beside the other tests: `python -m pytest tests/faults/soak_batch.py`.
"""

import asyncio
import base64
import io
import json
import random
import socket
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from qwen_demo.recipe import read
from tests.faults.server import Exchange, faulty_server
from tests.faults.server import http as answering
from tests.faults.soak_kill import PATIENCE, until_there
from tests.test_app import start

PHOTOS = 50
SIZE = (4032, 3024)  # px, as of a phone
KEY = "sk-soak-0123456789abcdef"
SCENE = Path(__file__).parents[2] / "qwen_demo" / "ui" / "photos" / "rocket.jpg"


def photo(number: int) -> bytes:
    """A camera's JPEG of the scene, each another part of it."""
    with Image.open(SCENE) as scene:
        left = number * (scene.width // 4) // PHOTOS
        part = scene.crop((left, 0, left + scene.width * 3 // 4, scene.height)).resize(SIZE)
    buffer = io.BytesIO()
    part.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


class Api:
    """Takes its time. Every tenth call meets a fault, each time another one; `delivered` are the answers sent whole."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.posts = 0
        self.under_way = self.most = 0
        self.delivered: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.half = asyncio.Event()

    async def post(self, exchange: Exchange) -> None:
        self.posts += 1
        number, fault = self.posts, self.posts % 10 == 0
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.chance.uniform(0.2, 1.0))
            if fault:
                await self.fail(exchange, ("refused", "busy", "broken", "cut", "odd")[number // 10 % 5])
                return
            await answering(200, answer(number))(exchange)
            self.delivered[number] += 1
            if len(self.delivered) == PHOTOS // 2:
                self.half.set()
        finally:
            self.under_way -= 1

    async def fail(self, exchange: Exchange, fault: str) -> None:
        self.faults[fault] += 1
        match fault:
            case "busy":
                await answering(429, b'{"error": {"code": "2007", "message": "too many"}}')(exchange)
            case "broken":
                await answering(500, b"<html>oops</html>", "text/html")(exchange)
            case "cut":
                await exchange.reset()
            case "refused":
                body = b'{"error": {"code": "2001", "message": "DataInspectionFailed"}}'
                await answering(400, body)(exchange)
            case "odd":
                await answering(200, b'{"data": []}')(exchange)

    async def get(self, exchange: Exchange) -> None:
        await answering(404, b"{}")(exchange)  # it is taken for a gateway


def answer(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (number % 256, 99, 77)).save(buffer, "PNG")
    data = [{"b64_json": base64.b64encode(buffer.getvalue()).decode()}]
    return json.dumps({"data": data, "request_id": f"r-{number}"}).encode()


async def card_of(http: httpx.AsyncClient) -> tuple[str, dict[str, Any]]:
    """The only order there is, and how it stands."""
    told = (await http.get("/board/orders?once=1")).json()
    ((id, card),) = told["cards"].items()
    return id, card


async def until(http: httpx.AsyncClient, *, running: bool) -> tuple[str, dict[str, Any]]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (await http.get("/board/orders?once=1")).json()["cards"]:
            id, card = await card_of(http)
            if (card["state"] == "running") is running:
                return id, card
        await asyncio.sleep(0.2)
    raise AssertionError("the order did not come so far")


async def test_of_fifty_photos_each_is_told_rightly_whatever_happens(tmp_path: Path) -> None:
    chance = random.Random(20)  # noqa: S311 - no secret
    api = Api(chance)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    async with faulty_server(api.post, api.get) as server, httpx.AsyncClient(base_url=url, timeout=60) as http:
        environ = {
            "QWEN_API_KEY": KEY,
            "QWEN_BASE_URL": f"{server.url}/v1",
            "QWEN_MAX_IN_FLIGHT": "4",
            "GRADIO_SERVER_PORT": str(port),
            "QWEN_DEMO_MCP": "0",
        }
        process = start(tmp_path, **environ)
        await until_there(url)
        names = [f"photo {number:02}.jpg" for number in range(PHOTOS)]
        images = []
        for number, name in enumerate(names):
            files = {"files": (name, await asyncio.to_thread(photo, number), "image/jpeg")}
            (path,) = (await http.post("/gradio_api/upload", files=files)).json()
            images.append({"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}})
        bad = {"files": ("notes.jpg", b"not a picture", "image/jpeg")}
        (path,) = (await http.post("/gradio_api/upload", files=bad)).json()
        images[25]["path"] = path  # one of them can't be read
        asked = {"prompt": "make it night", "seed": 7, "images": images, "response_format": "b64_json"}
        assert (await http.post("/gradio_api/call/v2/batch_edit", json=asked)).status_code == 200
        await until(http, running=True)
        await asyncio.wait_for(api.half.wait(), PATIENCE)
        process.kill()
        process.communicate()

        process = start(tmp_path, **environ)
        await until_there(url)
        id, card = await until(http, running=False)
        before = api.posts
        assert (card["state"], card["n"]) in (("paused", 49), ("unread", 49))
        assert card["open"] > 0
        await asyncio.sleep(1)
        assert api.posts == before, "what costs money went on without being asked"
        for _ in range(3):  # what failed is ordered again alone
            id, card = await until(http, running=False)
            if not card["open"]:
                break
            assert (await http.post("/board/act", json={"act": "go_on", "order": id})).status_code == 200
        id, card = await until(http, running=False)

        slots = list(card["slots"].values())
        shown = [slot for slot in slots if slot.get("id")]
        told = [slot["failed"] for slot in slots if slot.get("failed")]
        assert len(slots) == len(shown) + len(told) == 49
        assert [slot["name"] for slot in slots] == [name for name in names if name != names[25]]
        assert api.most <= 4
        # Answers that were on the line at the kill are told as lost, and nothing else that was delivered is.
        lost = sum(api.delivered.values()) - len(shown)
        assert 0 <= lost <= 4
        unsure = sum(api.faults[fault] for fault in ("broken", "cut", "odd"))  # not asked again without being told to
        assert (len(told), all("billed" in reason for reason in told)) == (unsure + lost, True)
        ticket = (await http.post("/board/act", json={"act": "zip", "order": id})).json()["ticket"]
        archive = zipfile.ZipFile(io.BytesIO((await http.get(f"/pictures.zip?ticket={ticket}")).content))
        came = [slot["name"] for slot in slots if slot.get("id")]
        assert archive.namelist() == [name.replace(".jpg", "-edited.png") for name in came]
        process.terminate()
        output, _ = process.communicate(timeout=PATIENCE)
    recipes = [read(path) for path in (tmp_path / "outputs").glob("20*/*.png")]
    assert len({recipe.references for recipe in recipes}) == len(recipes) == len(shown)
    assert {(recipe.prompt, recipe.seed) for recipe in recipes} == {("make it night", 7)}
    assert KEY not in output
    faults = dict(api.faults)
    print(f"calls {api.posts}, pictures {len(shown)}, told {len(told)}, faults {faults}")  # noqa: T201 - it says what it saw
