"""The page while the engine is away."""

import asyncio
import re
import socket

import httpx
import pytest

from qwen_demo.api.engine import EngineAway
from qwen_demo.api.errors import ConnectionFailed, QwenDemoError, Unauthorized
from qwen_demo.web import waiting
from qwen_demo.web.waiting import serve_until

KEY = "sk-test-4f1c9a2b-waiting"


class Search:
    """Looks for an engine that isn't there until it is let."""

    def __init__(self, error: QwenDemoError) -> None:
        self.error = error
        self.looked = asyncio.Event()
        self.there = False

    async def __call__(self) -> str:
        self.looked.set()
        if self.there:
            return "the engine"
        raise EngineAway("my-gpu", self.error)


AWAY = ConnectionFailed("refused", may_be_billed=False)
LOCKED = Unauthorized(401, None, f"the key {KEY} is wrong")


async def looked_at(error: QwenDemoError, *, told: bool, **headers: str) -> tuple[list[httpx.Response], str]:
    """What the page, its health and another path answer while the engine is away; and what is found in the end."""
    search = Search(error)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    serving = asyncio.create_task(serve_until(search, listening, told=told))
    await asyncio.wait_for(search.looked.wait(), 30)
    async with httpx.AsyncClient(headers=headers) as http:
        answers = [await http.get(f"{url}{path}") for path in ("/", "/readyz", "/healthz", "/gradio_api/info")]
    search.there = True
    return answers, await asyncio.wait_for(serving, 30)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "AGAIN", 0.05)


async def test_it_says_so_in_words_and_ends_when_the_engine_is_there() -> None:
    (page, ready, alive, other), found = await looked_at(AWAY, told=True)
    assert found == "the engine"
    assert [answer.status_code for answer in (page, ready, alive, other)] == [503, 503, 200, 503]
    assert "The engine at my-gpu doesn&#x27;t answer yet." in page.text
    assert ready.text == other.text == "the engine is away"
    assert ready.text in page.text  # its script opens the app once /readyz says something else


async def test_it_speaks_chinese_and_tells_strangers_no_address() -> None:
    (page, *_), _ = await looked_at(AWAY, told=False, **{"accept-language": "zh-CN"})
    assert "引擎还没有响应" in page.text
    assert "my-gpu" not in page.text


async def test_a_refused_key_is_told_and_never_shown() -> None:
    (page, ready, *_), _ = await looked_at(LOCKED, told=True)
    assert "Set QWEN_API_KEY to the right one and start the app again." in page.text
    assert ready.text == "the engine refuses the key"
    assert KEY not in page.text


async def test_nothing_but_its_own_script_runs_and_nothing_is_kept() -> None:
    (page, *_), _ = await looked_at(AWAY, told=True)
    policy = page.headers["content-security-policy"]
    (nonce,) = re.findall(r'<script nonce="([\w-]+)">', page.text)
    assert policy.startswith("default-src 'none'; connect-src 'self'")
    assert f"script-src 'nonce-{nonce}'" in policy
    assert page.headers["cache-control"] == "no-store"


async def test_told_to_end_it_ends() -> None:
    search = Search(AWAY)
    serving = asyncio.create_task(serve_until(search, socket.create_server(("127.0.0.1", 0)), told=True))
    await asyncio.wait_for(search.looked.wait(), 30)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_a_page_under_another_name_learns_no_address() -> None:
    (page, *_), _ = await looked_at(AWAY, told=True, host="evil.example")
    assert "my-gpu" not in page.text
