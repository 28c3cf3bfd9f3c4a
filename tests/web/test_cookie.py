"""Cookies tell browsers apart and can't be made up; addresses can't be made up either."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from qwen_demo.visitors import Visitor
from qwen_demo.web.cookie import VISITOR, VisitorCookie, address_of


def client(secret: bytes = b"one", scheme: str = "http") -> httpx.AsyncClient:
    """An app that answers with the visitor's name."""

    def who(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.scope[VISITOR].name)

    app = Starlette(routes=[Route("/", who)], middleware=[Middleware(VisitorCookie, secret=secret)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{scheme}://app")


async def test_a_browser_keeps_its_name_and_another_has_another() -> None:
    async with client() as one, client() as other:
        first, second = await one.get("/"), await one.get("/")
        assert first.text == second.text
        assert "set-cookie" in first.headers
        assert "set-cookie" not in second.headers
        assert (await other.get("/")).text != first.text


async def test_a_visitor_counts_by_cookie_and_address_and_brings_a_key() -> None:
    seen: list[Visitor] = []

    def who(request: Request) -> PlainTextResponse:
        seen.append(request.scope[VISITOR])
        return PlainTextResponse("")

    app = Starlette(routes=[Route("/", who)], middleware=[Middleware(VisitorCookie, secret=b"one")])
    transport = httpx.ASGITransport(app, client=("203.0.113.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
        await http.get("/")
        await http.get("/", headers={"X-Qwen-Api-Key": "sk-own-0123"})
    name = seen[0].name
    counted = (f"cookie {name}", "address 203.0.113.1")
    assert seen == [Visitor(name, counted, known=False), Visitor(name, counted, "sk-own-0123")]


async def test_the_cookie_is_kept_from_scripts_and_fits_the_scheme() -> None:
    async with client() as plain, client(scheme="https") as encrypted:
        _, *attributes = (await plain.get("/")).headers["set-cookie"].split("; ")
        assert attributes == ["Path=/", "Max-Age=31536000", "HttpOnly", "SameSite=Lax"]
        _, *attributes = (await encrypted.get("/")).headers["set-cookie"].split("; ")
        assert attributes == ["Path=/", "Max-Age=31536000", "HttpOnly", "SameSite=None", "Secure", "Partitioned"]


async def test_a_forged_cookie_makes_a_new_visitor() -> None:
    async with client() as one, client(secret=b"two") as stranger:
        await one.get("/")
        (cookie,) = one.cookies.jar
        name, _, signature = (cookie.value or "").partition(".")
        forged = ["", "x", f"{name}.", f"{name}.{'0' * 64}", f"{name}x.{signature}", f"{name}.{signature}\u00e9", "."]
        for value in forged:
            header = f"{cookie.name}={value}".encode("latin-1")
            assert (await stranger.get("/", headers={b"Cookie": header})).text != name
        async with client(secret=b"two") as other:
            assert (await other.get("/", headers={"Cookie": f"{cookie.name}={cookie.value}"})).text != name


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "address"),
    [
        ("203.0.113.1", "", 0, "203.0.113.1"),
        ("203.0.113.1", "198.51.100.1", 0, "203.0.113.1"),
        ("10.0.0.1", "198.51.100.1", 1, "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", 1, "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", 2, "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1", 2, "10.0.0.1"),
        ("10.0.0.1", "nonsense", 1, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:51234", 1, "198.51.100.1"),
        ("10.0.0.1", '"198.51.100.1"', 1, "198.51.100.1"),
        ("10.0.0.1", "[2001:db8:1:2::1]:443", 1, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", "", 0, "2001:db8:1:2::/64"),
        ("10.0.0.1", "2001:db8:1:2:ffff::1", 1, "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.1", "", 0, "203.0.113.1"),
    ],
)
def test_an_address_counts_from_the_right_and_ipv6_by_its_first_half(
    peer: str, forwarded: str, proxies: int, address: str
) -> None:
    scope: dict[str, Any] = {"type": "http", "client": (peer, 1), "headers": []}
    if forwarded:
        scope["headers"] = [(b"x-forwarded-for", forwarded.encode())]
    assert address_of(scope, proxies) == address
