"""One address can't have all of the machine."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from qwen_demo.web import crowd
from qwen_demo.web.cookie import ADDRESS
from qwen_demo.web.crowd import Allowance, Crowd


class FromHeader:
    """The address of a test's visitor."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope[ADDRESS] = dict(scope["headers"])[b"from"].decode()
        await self._app(scope, receive, send)


class Hall:
    """An app behind the middleware, that counts who is inside, and keeps them until it is opened."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.open = asyncio.Event()
        routes = [
            Route("/", self._stay),
            Route("/stream", self._stream),
            Route("/upload", self._take, methods=["POST"]),
            Route("/file", lambda _: PlainTextResponse("file")),
        ]
        doors = [
            Middleware(FromHeader),
            Middleware(Crowd, dear=["GET /"], uploads=["POST /upload"]),
        ]
        transport = httpx.ASGITransport(Starlette(routes=routes, middleware=doors))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://app")

    async def get(self, path: str, address: str) -> int:
        return (await self.http.get(path, headers={"From": address})).status_code

    async def _stay(self, request: Request) -> PlainTextResponse:
        self.inside.append(request.headers["from"])
        await self.open.wait()
        return PlainTextResponse("well")

    async def _stream(self, _: Request) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun"
            await self.open.wait()

        return StreamingResponse(parts())

    async def _take(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))


async def settled(hall: Hall) -> list[str]:
    """Who is inside once nobody moves any more."""
    for _ in range(50):
        await asyncio.sleep(0)
    return sorted(hall.inside)


async def test_two_of_an_address_are_worked_on_and_others_go_past_them() -> None:
    hall = Hall()
    asked = [asyncio.create_task(hall.get("/", "attacker")) for _ in range(8)]
    assert await settled(hall) == ["attacker"] * 2
    asked += [asyncio.create_task(hall.get("/", "visitor"))]
    assert await settled(hall) == ["attacker"] * 2 + ["visitor"]
    hall.open.set()
    assert await asyncio.gather(*asked) == [200] * 9


async def test_streams_that_have_begun_hold_no_turn() -> None:
    hall = Hall()
    streams = [asyncio.create_task(hall.get("/stream", "visitor")) for _ in range(10)]
    assert await hall.get("/file", "visitor") == 200
    hall.open.set()
    assert await asyncio.gather(*streams) == [200] * 10


async def test_who_asks_far_too_much_is_refused_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "PATIENCE", 0.0)
    monkeypatch.setattr(crowd, "PAUSE", 0.0)
    hall = Hall()
    hall.open.set()
    burst = round(crowd.DEAR_BURST)
    dear = [await hall.get("/", "attacker") for _ in range(burst + 10)]
    assert dear[:burst] == [200] * burst
    assert 429 in dear[burst:]
    assert await hall.get("/", "visitor") == 200


async def test_uploads_of_an_address_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "UPLOAD_BURST", 3_000_000.0)
    hall = Hall()

    async def upload(address: str) -> int:
        return (await hall.http.post("/upload", headers={"From": address}, content=bytes(1_000_000))).status_code

    assert [await upload("attacker") for _ in range(5)].count(429) >= 1
    assert await upload("visitor") == 200


def test_an_allowance_comes_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("qwen_demo.web.crowd.clock", lambda: now)
    allowance = Allowance(rate=10, burst=20)
    assert [allowance.spend(10, patience=0.5) for _ in range(4)] == [0, 0, 1, 1]  # the last two were not spent
    now += 1
    assert allowance.spend(10) == 0
    assert allowance.spend(5, patience=1) == 0.5
    now += 100
    assert [allowance.spend(10) for _ in range(3)] == [0, 0, 1]


async def test_addresses_without_end_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "MOST_ADDRESSES", 5)
    known = Crowd(Starlette(), dear=["GET /"], uploads=["POST /upload"])
    for number in range(20):
        known._address(str(number))
    assert list(known._addresses) == ["15", "16", "17", "18", "19"]
