"""Answers and refusals as people met them: no picture that was paid for goes unread, no reason is lost."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import (
    APIError,
    BadResponse,
    NoAccess,
    NotTheAPI,
    Overdue,
    RateLimited,
    Refused,
    Unauthorized,
)
from qwen_demo.api.refusals import parse_error
from qwen_demo.api.requests import ImageEdit, ImageFusion, TextToImage
from qwen_demo.api.responses import ResultImage, decode, parse
from qwen_demo.i18n import LANGUAGES
from qwen_demo.library import Library
from qwen_demo.offline import create_app
from qwen_demo.orders import Orders
from qwen_demo.recipe import read
from qwen_demo.service import Service
from qwen_demo.ui.messages import describe
from qwen_demo.visitors import OwnKeys, Visitor
from tests.conftest import ask_for, images_of, payload

ADDRESS = "https://results.example/a.png?Signature=x"
ANN = Visitor("ann", ("cookie ann",))


def png() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((40, 30), 90).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


PNG = png()
B64 = base64.b64encode(PNG).decode()
JPEG_B64 = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsL"


@pytest.mark.parametrize(
    "text",
    [
        B64,
        base64.encodebytes(PNG).decode(),  # lines of 76
        base64.encodebytes(PNG).decode().replace("\n", "\r\n"),
        base64.urlsafe_b64encode(PNG).decode(),
        B64.rstrip("="),
        base64.urlsafe_b64encode(PNG).decode().rstrip("="),
        f"data:image/png;base64,{B64}",
        f"data:image/png;charset=utf-8;base64,\n{base64.encodebytes(PNG).decode()}",
        f"  {B64}\n",
    ],
)
def test_base64_is_read_in_every_form(text: str) -> None:
    assert decode(text) == PNG


@pytest.mark.parametrize("text", ["", "data:image/png;base64,", "<svg/>", "A", "not base64!", "QUJD%3D"])
def test_what_is_no_base64_is_told(text: str) -> None:
    with pytest.raises(BadResponse):
        decode(text)


BODIES: list[tuple[Any, list[ResultImage]]] = [
    ({"images": [{"url": ADDRESS}]}, [ResultImage(ADDRESS)]),
    ({"images": [ADDRESS, B64]}, [ResultImage(ADDRESS), ResultImage(b64=B64)]),
    ({"data": [ADDRESS, ADDRESS + "2"]}, [ResultImage(ADDRESS), ResultImage(ADDRESS + "2")]),
    ({"data": {"url": ADDRESS}}, [ResultImage(ADDRESS)]),
    ({"data": {"images": [{"b64_json": B64}]}}, [ResultImage(b64=B64)]),
    ({"data": [{"b64_json": B64, "url": "https://nobody.example/"}]}, [ResultImage("https://nobody.example/", B64)]),
    ({"data": [{"url": f"data:image/png;base64,{B64}"}]}, [ResultImage(b64=f"data:image/png;base64,{B64}")]),
    ({"data": [{"b64_json": JPEG_B64}]}, [ResultImage(b64=JPEG_B64)]),
    ({"images": [JPEG_B64]}, [ResultImage(b64=JPEG_B64)]),
    ({"data": [{"url": "/v1/images/1/content?variant=0"}]}, [ResultImage("/v1/images/1/content?variant=0")]),
    ({"output": {"results": [{"url": ADDRESS, "actual_prompt": "finer"}]}}, [ResultImage(ADDRESS, prompt="finer")]),
    ({"output_images": [ADDRESS]}, [ResultImage(ADDRESS)]),
    ({"output": [ADDRESS]}, [ResultImage(ADDRESS)]),
    ({"output": {"image_url": ADDRESS}}, [ResultImage(ADDRESS)]),
    ({"artifacts": [{"base64": B64, "finishReason": "SUCCESS"}]}, [ResultImage(b64=B64)]),
    ([ADDRESS], [ResultImage(ADDRESS)]),
    ({"data": [{"url": ADDRESS, "revised_prompt": "finer"}]}, [ResultImage(ADDRESS, prompt="finer")]),
    (
        {"output": {"choices": [{"message": {"content": [{"image": ADDRESS}, {"text": "finer"}]}}]}},
        [ResultImage(ADDRESS, prompt="finer")],
    ),
    (
        {"choices": [{"message": {"content": "Here.", "images": [{"image_url": {"url": ADDRESS}}]}}]},
        [ResultImage(ADDRESS)],
    ),
]


@pytest.mark.parametrize(("body", "images"), BODIES)
def test_a_picture_is_found_wherever_it_stands(body: Any, images: list[ResultImage]) -> None:
    assert list(images_of(body)) == images


@pytest.mark.parametrize(
    "body",
    [{"data": [{"text": "no"}]}, {"message": "fine", "data": []}, {"input": {"image": ADDRESS}}, {"choices": ["x"]}],
)
def test_words_are_no_pictures(body: Any) -> None:
    with pytest.raises(BadResponse):
        parse(body, {})


REFUSALS: list[tuple[int, Any, type[APIError]]] = [
    (429, {"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded, try again later."}, RateLimited),
    (429, {"code": "Throttling.AllocationQuota", "message": "Allocated quota exceeded."}, RateLimited),
    (429, {"code": "Throttling", "message": "Too many requests in route."}, RateLimited),
    (429, {"error": {"code": "rate_limit_exceeded", "message": "quota of requests per minute"}}, RateLimited),
    (400, {"code": "Throttling.BurstRate", "message": "x"}, RateLimited),
    (429, {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}, Overdue),
    (403, {"error": {"message": "user quota is not enough", "code": "insufficient_user_quota"}}, Overdue),
    (403, {"error": {"message": "token quota is not enough", "code": "pre_consume_token_quota_failed"}}, Overdue),
    (403, {"code": "AllocationQuota.FreeTierOnly", "message": "The free tier has been exhausted."}, Overdue),
    (400, {"code": "Arrearage", "message": "Access denied, your account must be in good standing."}, Overdue),
    (402, {"message": "Payment Required"}, Overdue),
    (403, {"message": "账户余额不足"}, Overdue),
    (400, {"error": {"code": "data_inspection_failed", "message": "x"}}, Refused),
    (400, {"code": "DataInspectionFailed", "message": "Input data may contain inappropriate content."}, Refused),
    (400, {"code": "IPInfringementSuspect", "message": "x"}, Refused),
    (400, {"error": {"code": "content_policy_violation", "message": "x"}}, Refused),
    (400, {"error": {"type": "image_generation_user_error", "code": "moderation_blocked", "message": "x"}}, Refused),
    (400, {"error": {"code": 2001, "message": "内容违规"}}, Refused),
    (200, {"output": {"task_status": "FAILED", "code": "DataInspectionFailed", "message": "x"}}, Refused),
    (400, {"code": "InvalidApiKey", "message": "Invalid API-key provided."}, Unauthorized),
    (401, {"error": "Unauthorized"}, Unauthorized),
    (403, {"code": "AccessDenied", "message": "x"}, NoAccess),
    (404, {"error": {"message": "The model 'nope' does not exist", "code": "model_not_found"}}, NoAccess),
    (404, {"detail": "Not Found"}, NotTheAPI),
    (404, "<html><h1>404</h1></html>", NotTheAPI),
    (405, None, NotTheAPI),
    (301, None, NotTheAPI),
]


@pytest.mark.parametrize(("status", "body", "kind"), REFUSALS)
def test_a_refusal_means_what_its_maker_means(status: int, body: Any, kind: type[APIError]) -> None:
    error = parse_error(status, body, {}) if status != 200 else refused(body)
    assert type(error) is kind
    assert all(describe(error, language) for language in LANGUAGES)


def refused(body: Any) -> APIError:
    with pytest.raises(APIError) as caught:
        parse(body, {})
    return caught.value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"detail": [{"loc": ["body", "size"], "msg": "bad size"}]}, "size: bad size"),
        (
            {"detail": [{"loc": ["body", "n"], "msg": "one"}, {"loc": ["body", "size"], "msg": "two"}]},
            "n: one; size: two",
        ),
        ({"detail": "plain"}, "plain"),
        ({"errors": {"message": "relay"}}, "relay"),
        ({"error": "text"}, "text"),
        ({"error": {"message": {"message": "nested"}}}, "nested"),
        ({"msg": "short"}, "short"),
        ({"error_msg": "old style"}, "old style"),
        ("just text", "just text"),
        ("<html>no reason</html>", "Unprocessable Entity"),
        ({}, "Unprocessable Entity"),
    ],
)
def test_a_reason_is_shown_wherever_it_stands(body: Any, reason: str) -> None:
    assert parse_error(422, body, {}).message == reason


def service_of(folder: Path, answer: Any, **options: Any) -> tuple[Service, list[httpx.Request]]:
    sent: list[httpx.Request] = []

    def api(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        found: httpx.Response = answer(request) if callable(answer) else answer
        return found

    client = QwenClient("sk-0123456789abcdef", "https://api.example/v1", transport=httpx.MockTransport(api))
    return Service(client, Orders(8), Library(folder), **options), sent


async def words_of(folder: Path, answer: httpx.Response, language: str = "en") -> list[str]:
    service, _ = service_of(folder, answer)
    order = await (await ask_for(service, TextToImage(prompt="a", seed=1), 1, ANN)).finish()
    return [describe(problem, language) for problem in order.problems]


@pytest.mark.parametrize("text", [r"broken \ud83d emoji", r"\udc00", r"pair \ud83d\ude00 and half \ud83d"])
async def test_half_a_character_of_an_answer_becomes_a_whole_one(tmp_path: Path, text: str) -> None:
    body = f'{{"error": {{"message": "{text}"}}, "request_id": "{text}"}}'
    (words,) = await words_of(tmp_path, httpx.Response(400, content=body.encode()))
    assert "\ufffd" in words
    words.encode()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<!doctype html><title>Console</title>"),
        httpx.Response(200, text="\n  <html>"),
        httpx.Response(404, text="<html><h1>404 Not Found</h1>nginx</html>"),
        httpx.Response(404, json={"detail": "Not Found"}),
        httpx.Response(405, text=""),
        httpx.Response(302, headers={"location": "https://login.example/"}),
    ],
)
async def test_something_else_than_the_api_is_told_as_such(tmp_path: Path, answer: httpx.Response) -> None:
    (words,) = await words_of(tmp_path, answer)
    assert words.startswith("Nothing like the API answers at api.example. Check QWEN_BASE_URL")
    assert words.endswith("Nothing was billed.")


async def test_the_rewritten_prompt_is_in_the_picture_and_beside_it(tmp_path: Path) -> None:
    body = {"data": [{"b64_json": B64, "revised_prompt": "a finer hill"}]}
    service, _ = service_of(tmp_path, httpx.Response(200, json=body))
    order = await (await ask_for(service, TextToImage(prompt="a hill", seed=1), 1, ANN)).finish()
    (picture,) = order.pictures
    assert (picture.revised_prompt, read(picture.path).revised_prompt) == ("a finer hill", "a finer hill")


async def test_a_picture_inside_beside_an_address_that_nobody_reaches_comes(tmp_path: Path) -> None:
    body = {"data": [{"b64_json": B64, "url": "https://nobody.invalid/a.png"}]}
    service, sent = service_of(tmp_path, httpx.Response(200, json=body))
    order = await (await ask_for(service, TextToImage(prompt="a", seed=1), 1, ANN)).finish()
    assert (len(order.pictures), order.problems, len(sent)) == (1, [], 1)


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
async def test_an_own_keys_picture_is_fetched_from_where_it_was_ordered(tmp_path: Path, response_format: str) -> None:
    """In an app without a key the owner's client is the offline backend, and each has a way of its own."""

    def api(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, content=PNG)
        body = {"url": "https://api.example/r/1.png"} if response_format == "url" else {"b64_json": B64}
        return httpx.Response(200, json={"data": [body]})

    offline = QwenClient("offline", "http://offline/v1", transport=httpx.ASGITransport(create_app(seconds=0)))
    keyed = QwenClient("", "https://api.example/v1", transport=httpx.MockTransport(api))
    service = Service(offline, Orders(8), Library(tmp_path), keyed=keyed)
    assert isinstance(service.own_keys, OwnKeys)
    own = Visitor("ann", ("cookie ann",), key="sk-own-0123456789")
    asked = TextToImage(prompt="a", seed=1, response_format=response_format)
    order = await (await ask_for(service, asked, 1, own)).finish()
    assert (len(order.pictures), order.problems) == (1, [])
    drawn = await (await ask_for(service, asked, 1, ANN)).finish()
    assert (len(drawn.pictures), drawn.problems) == (1, [])
    await service.aclose()


LAX = [
    f"data:image/png;base64,{B64.rstrip('=')}",
    f"data:image/png;base64,{B64}\n",
    f"data:image/png;base64,{base64.encodebytes(PNG).decode()}",
    f"data:application/octet-stream;base64,{B64}",
    f"DATA:image/jpg;base64,{base64.urlsafe_b64encode(PNG).decode()}",
]


@pytest.mark.parametrize("text", LAX)
async def test_a_lax_data_text_is_made_ready_before_anything_is_sent(tmp_path: Path, text: str) -> None:
    service, sent = service_of(tmp_path, httpx.Response(200, json={"data": [{"b64_json": B64}]}))
    reference = await service.uploads.reference(text, ANN)
    order = await (await ask_for(service, ImageEdit(prompt="a", image=reference, seed=1), 1, ANN)).finish()
    (image,) = json.loads(sent[0].content)["image"]
    head, _, data = image.partition(";base64,")
    assert head == "data:image/png"
    with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as picture:
        assert min(picture.size) >= 384
    assert (len(order.pictures), len(read(order.pictures[0].path).references[0])) == (1, 64)


@pytest.mark.parametrize(
    "text", ["data:text/html,<b>", "data:image/png;base64,", "data:image/png;base64,QUJD", "data:,"]
)
async def test_a_data_text_without_a_picture_is_refused_and_nothing_is_sent(tmp_path: Path, text: str) -> None:
    service, sent = service_of(tmp_path, httpx.Response(500))
    with pytest.raises(ValueError, match="is not a picture that can be read"):
        await service.uploads.reference(text, ANN)
    assert sent == []


async def test_a_lax_reference_is_refused_and_nothing_is_sent(tmp_path: Path) -> None:
    service, sent = service_of(tmp_path, httpx.Response(500))
    lax = ImageFusion(prompt="a", images=("https://a.example/a.png", f"data:image/png;base64,{B64}x"), seed=1)
    with pytest.raises(ValueError, match="is not a picture that can be read"):
        await ask_for(service, lax, 1, ANN)
    assert sent == []


BLANK = [
    "\u200b\u200d",
    "\0",
    "\ufeff",
    "\u2060\n",
    "\u3164",
    "\u2800 ",
    "\u00ad",
    "\u202e",
    "\ufe0f",
    "\u0301",
    " \t\r\n",
]


@pytest.mark.parametrize("prompt", BLANK)
def test_a_prompt_that_nobody_sees_is_empty(prompt: str) -> None:
    with pytest.raises(ValueError, match="prompt must not be empty"):
        TextToImage(prompt=prompt)


@pytest.mark.parametrize("prompt", ["a", "图", "🐱", "👨‍👩‍👧", "?", "\u200bx", "é", "\u0915\u093f"])
def test_a_prompt_that_is_seen_is_taken_as_it_is(prompt: str) -> None:
    assert TextToImage(prompt=prompt).prompt == prompt


def test_nul_is_taken_out() -> None:
    request = TextToImage(prompt="a\0 hill", negative_prompt="\0blurry")
    assert (request.prompt, request.negative_prompt) == ("a hill", "blurry")


def test_whole_numbers_may_be_written_with_a_point() -> None:
    body = payload(TextToImage(prompt="a", n=1.0, seed=7.0))  # type: ignore[arg-type]
    assert json.dumps([body["n"], body["seed"]]) == "[1, 7]"
    for wrong in (1.5, float("inf"), "1", True):
        with pytest.raises(ValueError, match="must be a whole number"):
            TextToImage(prompt="a", seed=wrong)  # type: ignore[arg-type]
