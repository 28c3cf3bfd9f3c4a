"""Guessing takes long, wherever it comes from, and locks out nobody."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from qwen_demo.web import login
from qwen_demo.web.cookie import VisitorCookie
from qwen_demo.web.login import Login, SlowLogin


class House:
    """An app with a login behind one trusted proxy."""

    def __init__(self) -> None:
        self.tried = 0
        doors = [
            Middleware(VisitorCookie, secret=bytes(32), proxies=1),
            Middleware(SlowLogin),
            Middleware(Login, signed_in=lambda request: request.cookies.get("name"), before=["GET /"]),
        ]
        routes = [
            Route("/", lambda _: PlainTextResponse("come in")),
            Route("/stream", lambda _: PlainTextResponse("secret")),
            Route("/login", self._login, methods=["POST"]),
            Route("/login/elsewhere", lambda _: RedirectResponse("/login"), methods=["POST"]),
        ]
        transport = httpx.ASGITransport(Starlette(routes=routes, middleware=doors))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://app")

    async def _login(self, request: Request) -> Response:
        self.tried += 1
        return PlainTextResponse("", 200 if await request.body() == b"right" else 400)

    async def log_in(self, password: str, address: str) -> int:
        sent = {"X-Forwarded-For": address}
        return (await self.http.post("/login", content=password, headers=sent)).status_code


async def test_only_what_is_open_is_there_before_the_login() -> None:
    house = House()
    asked = {path: (await house.http.get(path)).status_code for path in ("/", "/stream", "/login/elsewhere", "/?a=b")}
    assert asked == {"/": 200, "/stream": 401, "/login/elsewhere": 401, "/?a=b": 200}
    assert (await house.http.get("/stream", headers={"Cookie": "name=ann"})).text == "secret"


@pytest.mark.parametrize("between", ["/login/elsewhere", "/login/", "/login//", "/", "/stream"])
async def test_only_a_login_that_went_well_clears_the_count(between: str) -> None:
    house = House()
    statuses = []
    for _ in range(20):
        statuses.append(await house.log_in("wrong", "203.0.113.5"))
        await house.http.post(between, headers={"X-Forwarded-For": "203.0.113.5"})
        await house.http.get(between, headers={"X-Forwarded-For": "203.0.113.5"})
    assert statuses == [400] * 5 + [429] * 15
    assert house.tried == 5


async def test_many_addresses_slow_each_other_and_lock_out_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("qwen_demo.web.login.pause", sleep)
    house = House()
    guesses = [await house.log_in("wrong", f"203.0.113.{number}") for number in range(60)]
    assert guesses == [400] * 60
    assert waited == [login.SLOWLY] * 40  # after the first twenty of a minute
    assert await house.log_in("right", "198.51.100.1") == 200


async def test_those_that_wait_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = asyncio.Event()

    async def sleep(_: float) -> None:
        await let_go.wait()

    monkeypatch.setattr("qwen_demo.web.login.pause", sleep)
    house = House()
    many = [asyncio.create_task(house.log_in("wrong", f"203.0.{number}.1")) for number in range(100)]
    await asyncio.wait(many, return_when=asyncio.FIRST_COMPLETED)
    let_go.set()
    statuses = await asyncio.gather(*many)
    assert (statuses.count(400), statuses.count(429)) == (50, 50)
