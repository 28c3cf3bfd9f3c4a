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
