"""A connection on which nothing is said, or nothing is heard, ends; and one address has not all of them."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
import uvicorn.config

from qwen_demo.web import bound_connections, connections
from tests.conftest import serve

PATIENCE = 20  # seconds for what happens at once
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # by itself each client would read all certificates first


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of which each address may hold eight connections. It says "well", at /long after 100 MB."""
    for name, value in (("EACH", 8), ("HEADERS_WITHIN", 0.3), ("TAKEN_WITHIN", 0.3)):
        monkeypatch.setattr(connections, name, value)
    monkeypatch.setitem(uvicorn.config.HTTP_PROTOCOLS, "auto", uvicorn.config.HTTP_PROTOCOLS["auto"])
    monkeypatch.setattr(connections, "_limits", dict(connections._limits))
    bound_connections(proxies=0)

    async def app(scope: dict[str, str], receive: object, send: object) -> None:
        assert callable(send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        long = scope["path"] == "/long"
        for _ in range(1000 if long else 0):
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
        await send({"type": "http.response.body", "body": b"well"})

    with serve(app) as url:
        yield url


def opened(url: str, said: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0), timeout=PATIENCE)
    line.sendall(said)
    return line


def wait_until_nobody_is_held() -> None:
    until = time.monotonic() + PATIENCE
    while connections._held and time.monotonic() < until:
        time.sleep(0.01)
    assert not connections._held


def is_ended(line: socket.socket) -> bool:
    """Waits for the other side's end."""
    try:
        while line.recv(1_000_000):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: "])
def test_who_does_not_say_what_is_wanted_is_let_go(bounded: str, said: bytes) -> None:
    with opened(bounded, said) as line:
        assert is_ended(line)


def test_nor_at_the_second_request(bounded: str) -> None:
    with opened(bounded, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") as line:
        assert line.recv(1000)
        line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        assert is_ended(line)


def test_who_does_not_take_what_was_asked_for_is_let_go(bounded: str) -> None:
    with opened(bounded, b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n") as line:
        assert line.recv(1)
        wait_until_nobody_is_held()  # nothing more is read meanwhile
        assert is_ended(line)


def test_half_sent_requests_leave_room_for_whole_ones(bounded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_WITHIN", 60.0)
    with ExitStack() as stack:
        half = [stack.enter_context(opened(bounded, b"GET / HTTP/1.1\r\n")) for _ in range(50)]
        for _ in range(5):
            assert httpx.get(bounded, timeout=PATIENCE).text == "well"
        assert is_ended(half[0])  # the oldest went
        assert len(connections._held["127.0.0.1"]) <= 8


def test_who_has_gone_is_not_counted(bounded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_WITHIN", 60.0)
    for _ in range(50):
        assert httpx.get(bounded, timeout=PATIENCE, verify=NO_TLS).text == "well"
    wait_until_nobody_is_held()
