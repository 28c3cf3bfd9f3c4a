"""The door refuses what no page of this app sends."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from httpx import Response
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from qwen_demo.web import guard
from qwen_demo.web.guard import Guard


async def asked(
    method: str, headers: dict[str, str], *, local: bool = True, names: tuple[str, ...] = (), proxies: int = 0
) -> Response:
    """What the guard lets through, or says."""

    def well(_: Request) -> PlainTextResponse:
        return PlainTextResponse("well")

    doors = Middleware(Guard, local=local, max_upload_mb=1, names=names, proxies=proxies)
    app = Starlette(routes=[Route("/", well, methods=["GET", "POST"])], middleware=[doors])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as http:
        return await http.request(method, "/", headers=headers)


@pytest.mark.parametrize(
    ("local", "host", "status"),
    [
        (True, "localhost:7860", 200),
        (True, "192.168.1.5:7860", 200),
        (True, "[::1]:7860", 200),
        (True, "laptop.local", 200),
        (True, "evil.example", 403),
        (True, "127.0.0.1.evil.example", 403),
        (False, "demo.example", 200),
    ],
)
async def test_a_local_app_answers_to_local_names_alone(local: bool, host: str, status: int) -> None:
    answer = await asked("GET", {"Host": host}, local=local)
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["x-content-type-options"] == "nosniff"


NAMES = ("demo.example", ".corp.example", "10.0.0.5")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("demo.example", 200),
        ("DEMO.example:8443", 200),
        ("demo.example.", 200),
        ("a.corp.example", 200),
        ("localhost:7860", 200),
        ("a.demo.example", 403),
        ("evilcorp.example", 403),
        ("corp.example.evil.example", 403),
        ("demo.example:port", 403),
    ],
)
async def test_it_answers_to_the_names_that_are_set_too(host: str, status: int) -> None:
    assert (await asked("GET", {"Host": host}, names=NAMES)).status_code == status


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("demo.example", "https://demo.example", 200),
        ("backend:7860", "https://demo.example", 200),  # a proxy changed the name
        ("127.0.0.1:7860", "https://a.corp.example:8443", 200),
        ("localhost", "http://localhost:80", 200),
        ("localhost:443", "https://LOCALHOST", 200),
        ("localhost:7860", "http://localhost:3000", 403),
        ("localhost:7860", "https://evil.example", 403),
        ("demo.example", "https://evil.example", 403),
        ("demo.example", "null", 403),
        ("demo.example", "http://[", 403),
    ],
)
async def test_pages_under_the_names_that_are_set_are_its_own(host: str, origin: str, status: int) -> None:
    answer = await asked("POST", {"Host": host, "Origin": origin}, names=NAMES)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en-GB,en;q=0.9", "set QWEN_DEMO_ALLOWED_HOSTS=nas.fritz.box and start it again"),
        ("zh-TW,zh;q=0.9", "请设置 QWEN_DEMO_ALLOWED_HOSTS=nas.fritz.box 并重新启动"),
        ("", "set QWEN_DEMO_ALLOWED_HOSTS=nas.fritz.box and start it again"),
    ],
)
async def test_a_refusal_names_the_setting_in_the_browsers_language(language: str, words: str) -> None:
    answer = await asked("GET", {"Host": "nas.fritz.box:7860", "Accept-Language": language})
    assert (answer.status_code, answer.headers["content-type"]) == (403, "text/plain; charset=utf-8")
    assert words in answer.text
    headers = {"Host": "backend:7860", "Origin": "https://nas.fritz.box", "Accept-Language": language}
    answer = await asked("POST", headers)
    assert answer.status_code == 403
    assert words in answer.json()["detail"]  # what Gradio's script shows


async def test_a_refusal_speaks_as_chosen_on_the_page_and_repeats_no_nonsense() -> None:
    answer = await asked("GET", {"Host": "<b>.evil.example", "Cookie": "language=zh-CN", "Accept-Language": "en"})
    assert "QWEN_DEMO_ALLOWED_HOSTS=… 并重新启动" in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "https://neighbour-demo.hf.space"},
        {"Origin": "https://huggingface.co"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost:7860", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"},
    ],
)
async def test_a_page_elsewhere_gets_nothing_by_any_method(headers: dict[str, str], local: bool, method: str) -> None:
    answer = await asked(method, {"Host": "localhost:7860", **headers}, local=local)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
        ({}, 200),
    ],
)
async def test_links_frames_pictures_and_programs_reach_it(headers: dict[str, str], status: int) -> None:
    assert (await asked("GET", {"Host": "demo.hf.space", **headers}, local=False)).status_code == status


async def test_a_form_of_a_page_elsewhere_is_no_link() -> None:
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert (await asked("POST", sent, local=False)).status_code == 403


@pytest.mark.parametrize(
    ("headers", "proxies", "status"),
    [
        ({"Host": "backend:7860", "X-Forwarded-Host": "demo.example"}, 1, 200),
        ({"Host": "backend:7860", "X-Forwarded-Host": "forged.example, demo.example"}, 1, 200),
        ({"Host": "backend:7860", "X-Forwarded-Host": "demo.example, other.example"}, 1, 403),
        ({"Host": "backend:7860", "X-Forwarded-Host": "demo.example"}, 0, 403),
        ({"Host": "demo.example:443"}, 0, 200),
        ({"Host": "backend:7860", "Sec-Fetch-Site": "same-origin"}, 0, 200),  # a proxy that tells nobody's name
    ],
)
async def test_the_own_page_is_known_by_the_name_its_visitor_sees(
    headers: dict[str, str], proxies: int, status: int
) -> None:
    sent = {"Origin": "https://demo.example", **headers}
    assert (await asked("POST", sent, local=False, proxies=proxies)).status_code == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"image": "data:image/png;base64,' + b"A" * 3_000_000 + b'"}', 200),
        (b"[" + b"1," * 9_000 + b"1]", 200),
        (b"[" + b"1," * 1_000_000 + b"1]", 413),
        (b"[" * 20_000, 413),
        (b"{" * 20_000, 413),
    ],
)
async def test_json_that_carries_pictures_has_few_parts(body: bytes, status: int) -> None:
    async def well(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    doors = Middleware(Guard, local=False, max_upload_mb=1, uploads=["POST /mcp"])
    app = Starlette(routes=[Route("/mcp", well, methods=["POST"])], middleware=[doors])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as http:
        answer = await http.post("/mcp", content=body, headers={"Content-Type": "application/json; charset=utf-8"})
    assert answer.status_code == status


async def test_a_body_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STALLED", 0.05)

    async def well(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    async def stalled() -> AsyncIterator[bytes]:
        yield b"begun"
        await asyncio.Event().wait()

    app = Starlette(
        routes=[Route("/", well, methods=["POST"])], middleware=[Middleware(Guard, local=False, max_upload_mb=1)]
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as http:
        assert (await http.post("/", content=stalled())).status_code == 408
