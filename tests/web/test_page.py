"""A page runs the scripts of its template and no other."""

import logging
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.web.files import Files
from qwen_demo.web.page import Page, count_scripts
from tests.conftest import RunningApp, launched

TEMPLATE = '<html><head><script>1</script><script type="module"\nsrc="a.js"></script></head><body>%s</body></html>'


async def served(response: Response, encoding: str = "identity") -> httpx.Response:
    """What a browser gets where the app answers this."""

    def get(_: Request) -> Response:
        return response

    door = [Middleware(Page, script="first()", scripts=2, frames="'self'"), Middleware(Files)]
    transport = httpx.ASGITransport(Starlette(routes=[Route("/", get)], middleware=door))
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
        return await http.get("/", headers={"Accept-Encoding": encoding})


def nonces(answer: httpx.Response) -> list[str]:
    return re.findall(r'<script nonce="([^"]+)"', answer.text, re.IGNORECASE)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_each_script_of_the_template_runs_and_ours_first(encoding: str) -> None:
    answer = await served(HTMLResponse(TEMPLATE % "hello <scripture>"), encoding)
    (nonce,) = set(nonces(answer))
    assert answer.text == (
        f'<html><head><script nonce="{nonce}">first()</script><script nonce="{nonce}">1</script>'
        f'<script nonce="{nonce}" type="module"\nsrc="a.js"></script></head><body>hello <scripture></body></html>'
    )
    assert f"script-src 'self' 'unsafe-eval' 'nonce-{nonce}';" in answer.headers["content-security-policy"]
    assert nonces(await served(HTMLResponse(TEMPLATE % ""))) != [nonce] * 3


@pytest.mark.parametrize("smuggled", ["<script>2</script>", "<SCRIPT/x>2</SCRIPT>", "<scRipt\nsrc=b.js></script>"])
async def test_with_one_smuggled_in_no_script_runs(smuggled: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        answer = await served(HTMLResponse(TEMPLATE % smuggled))
    assert answer.text == TEMPLATE % smuggled
    assert "script-src 'none';" in answer.headers["content-security-policy"]
    assert [record.getMessage() for record in caplog.records] == [
        "a page with 3 scripts instead of 2: none of them may run"
    ]


async def test_other_html_runs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.html"
    path.write_text("<p>text", encoding="utf-8")
    for response in (HTMLResponse("<p>text"), FileResponse(path)):
        answer = await served(response)
        assert (answer.text, answer.headers["content-length"]) == ("<p>text", "7")
        assert "script-src 'none';" in answer.headers["content-security-policy"]
    assert caplog.records == []


def test_the_page_runs(app: RunningApp) -> None:
    answer = httpx.get(app.url)
    assert len(nonces(answer)) == count_scripts(answer.content) > 1


def test_the_login_page_runs_and_so_does_the_page_behind_it(tmp_path: Path) -> None:
    service = Service(QwenClient("sk-test", "http://offline/v1"), Orders(1), Library(tmp_path))
    with launched(service, QWEN_DEMO_AUTH="ann:right word") as url, httpx.Client(base_url=url) as http:
        before = http.get("/")
        assert http.post("/login", data={"username": "ann", "password": "right word"}).status_code == 200
        after = http.get("/")
    assert '"auth_required":true' in before.text
    assert '"auth_required":true' not in after.text
    for answer in (before, after):
        assert len(nonces(answer)) == count_scripts(answer.content) > 1


async def test_the_front_page_is_made_once_for_each_name_and_has_a_word_of_its_own_each_time() -> None:
    made: list[str] = []

    def front(request: Request) -> Response:
        made.append(str(request.url))
        return HTMLResponse(TEMPLATE % request.url, status_code=500 if "broken" in str(request.url) else 200)

    door = [Middleware(Page, script="first()", scripts=2, same=True)]
    app = Starlette(routes=[Route("/", front), Route("/other", front)], middleware=door)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as http:

        async def asked(path: str = "/", **headers: str) -> httpx.Response:
            return await http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

        first, second = await asked(), await asked()
        assert made == ["http://app/"]
        assert nonces(first) != nonces(second)
        assert re.sub(r' nonce="[^"]+"', "", first.text) == re.sub(r' nonce="[^"]+"', "", second.text)
        assert first.headers["content-security-policy"] != second.headers["content-security-policy"]
        assert (await asked(accept_encoding="gzip")).headers["content-encoding"] == "gzip"
        assert "http://other/" in (await asked(host="other")).text
        assert "http://app/" in (await asked()).text
        assert len(made) == 2
        for _ in range(2):
            await asked("/?deep_link=x")
            await asked("/other")
            await asked(host="broken")
            await http.head("/")
        assert len(made) == 2 + 2 * 4
        before = len(made)
        for number in range(20):  # made-up names leave room for eight pages, and no more
            await asked(host=f"{number}.example")
        await asked(host="19.example")
        await asked(host="12.example")
        assert len(made) == before + 20
        await asked(host="11.example")
        assert len(made) == before + 21


async def test_where_people_sign_in_each_page_is_their_own() -> None:
    made: list[str] = []

    def front(request: Request) -> Response:
        made.append(request.cookies.get("name", ""))
        return HTMLResponse(TEMPLATE % request.cookies.get("name", ""))

    door = [Middleware(Page, script="first()", scripts=2)]
    app = Starlette(routes=[Route("/", front)], middleware=door)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as http:
        told = [(await http.get("/", headers={"Cookie": f"name={name}"})).text for name in ("ann", "bob", "ann")]
    assert made == ["ann", "bob", "ann"]
    assert ["ann" in text for text in told] == [True, False, True]
