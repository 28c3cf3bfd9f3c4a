"""The door: cookies that tell visitors apart and can't be made up."""

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from qwen_demo.ui.web import VISITOR, Visitors, health_routes


def client(secret: bytes = b"one", scheme: str = "http") -> httpx.AsyncClient:
    """An app that answers with the visitor's name."""

    def who(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.scope[VISITOR])

    app = Starlette(routes=[Route("/", who)], middleware=[Middleware(Visitors, secret=secret)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{scheme}://app")


async def test_a_browser_keeps_its_name_and_another_has_another() -> None:
    async with client() as one, client() as other:
        first, second = await one.get("/"), await one.get("/")
        assert first.text == second.text
        assert "set-cookie" in first.headers
        assert "set-cookie" not in second.headers
        assert (await other.get("/")).text != first.text


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


async def test_readiness_ends_when_draining_begins() -> None:
    state = {"draining": False}
    app = Starlette(routes=[*health_routes(lambda: state["draining"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as watcher:
        assert [(await watcher.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 200]
        state["draining"] = True
        assert [(await watcher.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 503]
