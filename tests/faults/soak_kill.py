"""A hundred orders, and `kill -9` again and again: whatever was answered is a picture in the end, or is told.

Slow, and so beside the other tests: `python -m pytest tests/faults/soak_kill.py`.
"""

import asyncio
import base64
import io
import json
import random
import socket
import time
from contextlib import suppress
from pathlib import Path

import httpx
from PIL import Image

from qwen_demo.journal import FOLDER
from qwen_demo.recipe import read
from tests.faults.server import Exchange, faulty_server
from tests.faults.server import http as answering
from tests.test_app import start

ORDERS, LIVES = 100, 5
PATIENCE = 120.0  # seconds for the app to be there, or to come to its end
KEY = "sk-soak-0123456789abcdef"


def picture(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (seed % 256, seed // 256 % 256, 77)).save(buffer, "PNG")
    return buffer.getvalue()


class Api:
    """Answers after a while, as an address or with the picture inside, and knows for which seeds it did so whole."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.came: set[int] = set()
        self.answered: set[int] = set()

    async def post(self, exchange: Exchange) -> None:
        seed = exchange.order["seed"]
        self.came.add(seed)
        await asyncio.sleep(self.chance.uniform(0, 0.6))
        if exchange.order["response_format"] == "url":
            datum = {"url": f"{exchange.server.url}/{seed}.png"}
        else:
            datum = {"b64_json": base64.b64encode(picture(seed)).decode()}
        body = json.dumps({"data": [datum], "request_id": f"r-{seed}"}).encode()
        await answering(200, body)(exchange)
        self.answered.add(seed)

    async def get(self, exchange: Exchange) -> None:
        if exchange.path == "/v1/models":  # it is taken for a gateway
            return await answering(404, b"{}")(exchange)
        await asyncio.sleep(self.chance.uniform(0, 0.3))
        await answering(200, picture(int(exchange.path.strip("/").partition(".")[0])), "image/png")(exchange)


async def until_there(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    async with httpx.AsyncClient() as http:
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if (await http.get(f"{url}/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
    raise AssertionError("the app did not start")


async def place(http: httpx.AsyncClient, seed: int) -> None:
    """Order a picture, and don't wait for it. An app that is not there any more takes none."""
    asked = {"prompt": f"wish {seed}", "seed": seed, "response_format": "url" if seed % 2 else "b64_json"}
    with suppress(httpx.TransportError):
        await http.post("/gradio_api/call/v2/text_to_image", json=asked)


async def test_what_was_answered_is_on_disk_or_told_whenever_the_app_is_killed(tmp_path: Path) -> None:
    chance = random.Random(11)  # noqa: S311 - no secret
    api = Api(chance)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, seeds = f"http://127.0.0.1:{port}", iter(range(1, ORDERS + 1))
    async with faulty_server(api.post, api.get) as server, httpx.AsyncClient(base_url=url, timeout=30) as http:
        environ = {
            "QWEN_API_KEY": KEY,
            "QWEN_BASE_URL": f"{server.url}/v1",
            "GRADIO_SERVER_PORT": str(port),
            "QWEN_DEMO_MCP": "0",
        }
        for life in range(LIVES + 1):
            process = start(tmp_path, **environ)
            await until_there(url)
            await http.get("/readyz")  # the first answer brings the cookie
            if life < LIVES:
                for _ in range(ORDERS // LIVES):
                    await place(http, next(seeds))
                await asyncio.sleep(chance.uniform(0, 1.2))
                process.kill()
                process.communicate()
                continue
            deadline = time.monotonic() + PATIENCE
            while list((tmp_path / "outputs" / FOLDER).glob("*.answer")):
                assert time.monotonic() < deadline, "answers are still unread"
                await asyncio.sleep(0.1)
            process.terminate()
            output, _ = process.communicate(timeout=PATIENCE)
    check(api, tmp_path, output)


def check(api: Api, folder: Path, output: str) -> None:
    """Nothing is lost, nothing is twice, nothing is secret."""
    found = [json.loads(file.read_bytes()) for file in (folder / "outputs" / FOLDER).glob("*.json")]
    states = {call["asked"]["seed"]: call["state"] for entry in found for call in entry["calls"]}
    saved = [read(path).seed for path in (folder / "outputs").glob("20*/*.png")]
    assert len(saved) == len(set(saved)), "a picture was saved twice"
    told = {seed for seed, state in states.items() if state == "sent"}
    assert set(saved) | told >= api.came, "something was sent, and nobody knows of it"
    assert not set(saved) & told
    # What the app had heard whole is never lost. Some answers are on the line at the moment of a kill: they are told.
    lost = api.answered - set(saved)
    assert lost <= told
    assert len(saved) > ORDERS / 3
    assert {entry["visitor"] for entry in found} == {found[0]["visitor"]}, "the visitor was not known again"
    print(  # noqa: T201 - a soak says what it saw
        f"sent {len(api.came)}, saved {len(saved)}, told {len(told)}, answered and on the line at a kill {len(lost)}"
    )
    assert KEY not in output
    assert [path for path in folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []
