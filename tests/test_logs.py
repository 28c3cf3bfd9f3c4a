"""The log: a line a request, for people or machines, without secrets at any level."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from qwen_demo import logs
from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import Unauthorized
from qwen_demo.api.requests import TextToImage
from tests.conftest import KEY


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger without handlers of others, put back afterwards; and the server's as before it ever ran."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    logging.getLogger("uvicorn").handlers.clear()
    logging.getLogger("uvicorn").propagate = True
    yield root
    root.handlers[:] = before
    root.setLevel(level)


async def lines(root: logging.Logger, *, as_json: bool) -> list[str]:
    """What is written while a request fails, and something else goes wrong, at the lowest level."""
    logs.set_up(as_json=as_json, key=KEY)
    root.setLevel(logging.DEBUG)
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    handler.setStream(written)

    def answer(request: httpx.Request) -> httpx.Response:
        text = f"no: {request.headers['authorization']}"
        return httpx.Response(401, json={"code": 2101, "message": text, "request_id": "req-1"})

    async with QwenClient(KEY, "https://api.example/v1", transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(Unauthorized, match="no: Bearer …"):
            await client.send(TextToImage(prompt="a secret wish", size="1664x928"))
    try:
        raise ValueError(f"https://results.example/a.png?Expires=1&Signature=abc {KEY}")
    except ValueError:
        logging.getLogger("elsewhere").exception("it broke")
    return written.getvalue().splitlines()


async def test_a_line_a_request_with_its_facts_and_without_its_words(root: logging.Logger) -> None:
    request, *_ = await lines(root, as_json=False)
    _, _, level, logger, message, own, *facts = request.split()
    assert (level, logger, message) == ("INFO", "qwen_demo.api.answer:", "request")
    assert own.startswith("id=")
    values = dict(fact.split("=") for fact in facts)
    assert float(values.pop("seconds")) >= 0
    assert int(values.pop("bytes")) > 0
    assert values == {
        "upstream_id": "req-1",
        "kind": "text_to_image",
        "model": "qwen-image-plus",
        "size": "1664x928",
        "n": "1",
        "status": "401",
        "error": "Unauthorized",
        "attempts": "1",
    }


async def test_for_machines_every_line_is_json(root: logging.Logger) -> None:
    request, broken = map(json.loads, await lines(root, as_json=True))
    assert (request["level"], request["message"], request["status"]) == ("INFO", "request", 401)
    assert request["upstream_id"] == "req-1"
    assert "ValueError" in broken["error"]


@pytest.mark.parametrize("as_json", [False, True])
async def test_no_key_no_prompt_and_no_query_is_written(root: logging.Logger, as_json: bool) -> None:
    text = "\n".join(await lines(root, as_json=as_json))
    assert "https://results.example/a.png?…" in text
    assert [word for word in (KEY, "secret wish", "Signature", "Expires") if word in text] == []


def test_the_same_fault_is_written_once_a_second() -> None:
    once = logs.OnceASecond()

    def record(second: float, fault: type[Exception] | None = None, level: int = logging.ERROR) -> logging.LogRecord:
        trace = None
        if fault:
            try:
                raise fault
            except fault:
                trace = sys.exc_info()
        made = logging.LogRecord("uvicorn.error", level, "", 0, "an event failed", (), trace)
        made.created = second
        return made

    assert [once.filter(record(10 + tenth / 10, ValueError)) for tenth in range(10)] == [True] + [False] * 9
    assert once.filter(record(10.5, KeyError))
    assert once.filter(record(10.5))
    assert [once.filter(record(10.5, level=logging.INFO)) for _ in range(3)] == [True] * 3
    later = record(11, ValueError)
    assert once.filter(later)
    assert getattr(later, logs.FACTS) == {"left_out": 9}
    for number in range(3 * logs.MOST_FAULTS):
        once.filter(logging.LogRecord("a", logging.ERROR, "", number + 1, "a fault", (), None))
    assert len(once._seen) <= logs.MOST_FAULTS + 1


def test_the_servers_own_lines_go_the_same_way(root: logging.Logger) -> None:
    logs.set_up(as_json=True, key=KEY)
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    handler.setStream(written)
    uvicorn.Config(app=lambda: None, log_level="warning")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received. %s", KEY)
    assert json.loads(written.getvalue())["message"] == "Invalid HTTP request received. …"


def test_strangers_words_neither_begin_a_line_nor_fill_the_log(root: logging.Logger) -> None:
    logs.set_up(as_json=False, key=KEY)
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    handler.setStream(written)
    logging.getLogger("a").warning("first\nsecond\r%s", "x" * 1_000_000)
    assert written.getvalue().count("\n") == 1
    assert "first\\nsecond\\r" in written.getvalue()
    assert len(written.getvalue()) < 3000
    told = logging.LogRecord("root", logging.WARNING, "/lib/mcp/shared/session.py", 1, "a prompt", (), None)
    root.handle(told)
    assert "a prompt" not in written.getvalue()
