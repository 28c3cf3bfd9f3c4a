"""The client against the offline backend over a real socket, and against answers made by hand."""

import asyncio
import gzip
import io
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import httpx
import pytest
from PIL import Image

from qwen_demo.api import resending
from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import APIError, BadResponse, ConnectionFailed, RequestTimedOut, Unauthorized
from qwen_demo.api.requests import ImageEdit, TextToImage
from qwen_demo.api.responses import ResultImage

KEY = "sk-test-4f1c"
Handler = Callable[[httpx.Request], Coroutine[Any, Any, httpx.Response]]


async def somewhere(host: str, port: int) -> list[str]:
    return ["198.51.100.7"]


def client_of(handler: Callable[[httpx.Request], httpx.Response]) -> QwenClient:
    return QwenClient(KEY, "https://api.example/v1", transport=httpx.MockTransport(handler), resolve=somewhere)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the client would have waited between its tries."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(resending, "pause", sleep)
    return waited


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
async def test_a_picture_travels_both_ways(offline_server: str, response_format: str) -> None:
    async with QwenClient(KEY, offline_server) as client:
        response = await client.send(TextToImage(prompt="海边的灯塔", seed=0, response_format=response_format))
        (result,) = response.images
        picture = Image.open(io.BytesIO(await client.fetch(result)))
    assert picture.size == (1328, 1328)
    assert (result.b64 is None) == (response_format == "url")
    assert response.request_id


async def test_the_clock_stands_while_the_app_itself_is_what_is_waited_for() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [{"b64_json": "aGk="}]})

    async with client_of(answer) as client, client.open(TextToImage(prompt="a")) as opened:
        left = opened.seconds_left
        assert 0 < left < 300
        await asyncio.sleep(0.01)
        assert opened.seconds_left == left
        assert b"aGk=" in await opened.content()
        assert opened.seconds_left < left


async def test_six_pictures_come_from_one_edit_request(offline_server: str) -> None:
    request = ImageEdit(prompt="black and white", image="https://pictures.example/cat.png", n=6, seed=1)
    async with QwenClient(KEY, offline_server) as client:
        response = await client.send(request)
        pictures = [await client.fetch(image) for image in response.images]
    assert response.usage["total_tokens"] == 6
    assert len(set(pictures)) == 6


async def test_the_key_goes_to_the_api_and_not_to_the_results() -> None:
    seen: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(netloc=request.headers["host"].encode())
        seen.append((str(url), request.headers.get("authorization")))
        if request.method == "POST":
            return httpx.Response(200, json={"data": [{"url": "https://results.example/a.png?Signature=x%3D"}]})
        return httpx.Response(200, content=b"bytes")

    async with client_of(answer) as client:
        response = await client.send(TextToImage(prompt="a"))
        assert await client.fetch(response.images[0]) == b"bytes"
    assert seen == [
        ("https://api.example/v1/images/generations", f"Bearer {KEY}"),
        ("https://results.example/a.png?Signature=x%3D", None),
    ]


async def test_a_redirected_post_is_not_followed() -> None:
    hosts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(307, headers={"location": "https://elsewhere.example/v1/images/generations"})

    async with client_of(answer) as client:
        with pytest.raises(APIError) as caught:
            await client.send(TextToImage(prompt="a"))
    assert caught.value.status == 307
    assert hosts == ["api.example"]


async def test_an_error_answer_is_raised_with_its_request_id() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"error": {"code": "2101", "message": "no"}}, headers={"x-request-id": "req-9"})

    async with client_of(answer) as client:
        with pytest.raises(Unauthorized) as caught:
            await client.send(TextToImage(prompt="a"))
    assert caught.value.request_id == "req-9"


@pytest.mark.parametrize(
    ("cause", "kind", "may_be_billed"),
    [
        (httpx.ConnectError("refused"), ConnectionFailed, False),
        (httpx.ConnectTimeout("slow"), RequestTimedOut, False),
        (httpx.ReadTimeout("slow"), RequestTimedOut, True),
        (httpx.ReadError("reset"), ConnectionFailed, True),
        (httpx.RemoteProtocolError("cut"), ConnectionFailed, True),
    ],
)
async def test_a_broken_line_says_whether_it_may_be_billed(
    cause: httpx.TransportError, kind: type[ConnectionFailed], may_be_billed: bool
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise cause

    async with client_of(answer) as client:
        with pytest.raises(kind) as caught:
            await client.send(TextToImage(prompt="a"))
    assert caught.value.may_be_billed is may_be_billed


async def fetch(url: str, answer: Callable[[httpx.Request], httpx.Response]) -> bytes:
    async with client_of(answer) as client:
        return await client.fetch(ResultImage(url=url))


async def test_a_redirect_on_the_same_host_is_followed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/a.png":
            return httpx.Response(302, headers={"location": "/b.png?x=1"})
        return httpx.Response(200, content=f"{request.headers['host']} {request.url}".encode())

    assert await fetch("https://results.example/a.png", answer) == b"results.example https://198.51.100.7/b.png?x=1"


@pytest.mark.parametrize(
    ("url", "answer", "message"),
    [
        ("https://r.example/a", httpx.Response(302, headers={"location": "https://b.example/"}), "another host"),
        ("https://r.example/a", httpx.Response(302, headers={"location": "http://r.example/"}), "another host"),
        ("https://r.example/a", httpx.Response(302, headers={"location": "/a"}), "in circles"),
        ("https://r.example/a", httpx.Response(403), "has expired or is gone .HTTP 403."),
        ("https://r.example/a", httpx.Response(418), "answers with HTTP 418"),
        ("file:///etc/passwd", httpx.Response(200), "file, not https"),
        ("ftp://r.example/a", httpx.Response(200), "ftp, not https"),
        ("https://[::1", httpx.Response(200), "leads nowhere"),
        ("", httpx.Response(200), "no address, not https"),
    ],
)
async def test_a_result_that_cant_be_had_is_a_bad_response(url: str, answer: httpx.Response, message: str) -> None:
    with pytest.raises(BadResponse, match=message):
        await fetch(url, lambda _: answer)


async def test_a_result_is_read_up_to_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwen_demo.api.results.MAX_PICTURE_BYTES", 1000)
    assert await fetch("https://r.example/a", lambda _: httpx.Response(200, content=b"x" * 1000)) == b"x" * 1000
    with pytest.raises(BadResponse, match="larger than"):
        await fetch("https://r.example/a", lambda _: httpx.Response(200, content=b"x" * 1001))


RATE = {"error": {"code": "2007", "message": "slow down"}}
RESENT: list[tuple[httpx.Response, int]] = [
    (httpx.Response(429, json=RATE), 3),
    (httpx.Response(429, json=RATE, headers={"retry-after": "1"}), 3),
    (httpx.Response(429, json=RATE, headers={"retry-after": "rubbish"}), 3),
    (httpx.Response(429, json=RATE, headers={"retry-after": "9999"}), 1),
    (httpx.Response(429, json={"error": {"code": "insufficient_quota", "message": "quota used up"}}), 1),
    (httpx.Response(503, text="<html>"), 3),
    (httpx.Response(503, json={"code": 1, "message": "Model qwen-x not found"}), 1),
    (httpx.Response(500), 1),
    (httpx.Response(502, text="<html>"), 1),
    (httpx.Response(504), 1),
    (httpx.Response(424, json={"error": {"code": "2003"}}), 1),
    (httpx.Response(401), 1),
    (httpx.Response(400, json={"error": {"code": "2004"}}), 1),
    (httpx.Response(200, text="<html>"), 1),
    (httpx.Response(200, text='{"data": [{"url": "https://r.example"}], "created": NaN}'), 1),
    (httpx.Response(200, text="[" * 100_000), 1),
]


@pytest.mark.parametrize(("answer", "posts"), RESENT, ids=[f"{a.status_code} {a.text[:24]}" for a, _ in RESENT])
async def test_a_post_goes_again_only_where_it_surely_never_began(answer: httpx.Response, posts: int) -> None:
    sent = []

    def count(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    async with client_of(count) as client:
        with pytest.raises((APIError, BadResponse)):
            await client.send(TextToImage(prompt="a"))
    assert len(sent) == posts


@pytest.mark.parametrize(("cause", "posts"), [(httpx.ConnectError("x"), 3), (httpx.ReadTimeout("x"), 1)])
async def test_a_line_that_breaks_after_sending_is_not_tried_again(cause: Exception, posts: int) -> None:
    sent = []

    def fail(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        raise cause

    async with client_of(fail) as client:
        with pytest.raises(ConnectionFailed):
            await client.send(TextToImage(prompt="a"))
    assert len(sent) == posts


def _same(answer: httpx.Response, _: httpx.Request) -> httpx.Response:
    return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


async def test_the_wait_is_what_the_api_asks_for_else_up_to_half_a_second_and_a_second(
    no_waiting: list[float],
) -> None:
    for answer in (httpx.Response(429, headers={"retry-after": "7"}), httpx.Response(429)):
        async with client_of(partial(_same, answer)) as client:
            with pytest.raises(APIError):
                await client.send(TextToImage(prompt="a"))
    asked, (first, second) = no_waiting[:2], no_waiting[2:]
    assert asked == [7.0, 7.0]
    assert 0 <= first <= 0.5
    assert 0 <= second <= 1


async def test_a_result_is_fetched_three_times_before_it_is_given_up() -> None:
    tries = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        if len(tries) == 1:
            raise httpx.ReadError("reset")
        return httpx.Response(503 if len(tries) == 2 else 200, content=b"bytes")

    assert await fetch("https://r.example/a", answer) == b"bytes"


async def test_an_answer_is_read_up_to_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwen_demo.api.answer.MAX_ANSWER_BYTES", 10_000)
    bomb = gzip.compress(b" " * 1_000_000)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=bomb, headers={"content-encoding": "gzip"})

    async with client_of(answer) as client:
        with pytest.raises(BadResponse, match="larger than"):
            await client.send(TextToImage(prompt="a"))


async def test_a_broken_gzip_is_a_bad_response() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(b"no gzip"), headers={"content-encoding": "gzip"})

    async with client_of(answer) as client:
        with pytest.raises(BadResponse):
            await client.send(TextToImage(prompt="a"))
