"""Answers as values: both documented shapes, and what is missing from them."""

from typing import Any

import pytest

from qwen_demo.api.errors import (
    APIError,
    BadResponse,
    ModelUnavailable,
    NoAccess,
    Overdue,
    RateLimited,
    Refused,
    Unauthorized,
)
from qwen_demo.api.refusals import parse_error
from qwen_demo.api.responses import ImagesResponse, ResultImage, add_usage, decode, parse
from tests.conftest import images_of

URL = "https://dashscope-result-sh.oss-cn-shanghai.aliyuncs.com/a-1.png?Expires=1&Signature=x%3D"


def test_the_pages_own_shape() -> None:
    body = {
        "created": 1764820175,
        "data": [{"url": URL}],
        "usage": {"total_tokens": 1, "output_tokens": 1, "input_tokens_details": {}},
    }
    assert parse(body, {"x-request-id": "req-1"}) == ImagesResponse(
        images=(ResultImage(url=URL),),
        usage={"total_tokens": 1, "output_tokens": 1, "input_tokens_details": {}},
        request_id="req-1",
        created=1764820175,
    )


def test_the_shape_that_the_pages_python_reads() -> None:
    body = {
        "request_id": "req-2",
        "usage": {"image_count": 1, "width": 1328, "height": 1328},
        "output": {"choices": [{"message": {"content": [{"image": URL}]}}]},
    }
    assert parse(body, {"x-request-id": "other"}) == ImagesResponse(
        images=(ResultImage(url=URL),),
        usage={"image_count": 1, "width": 1328, "height": 1328},
        request_id="req-2",
        created=None,
    )


@pytest.mark.parametrize("text", ["iVBORw0KGgo=", "data:image/png;base64,iVBORw0KGgo="])
def test_base64_with_and_without_a_prefix(text: str) -> None:
    (image,) = images_of({"data": [{"b64_json": text}]})
    assert image == ResultImage(b64=text)
    assert decode(text) == b"\x89PNG\r\n\x1a\n"


def test_null_and_missing_fields_are_no_error() -> None:
    body: dict[str, Any] = {
        "created": None,
        "usage": None,
        "request_id": None,
        "output": None,
        "data": [None, {}, {"url": None, "b64_json": "QUJD"}, {"url": ""}],
    }
    assert parse(body, {}) == ImagesResponse(images=(ResultImage(b64="QUJD"),), usage={}, request_id=None, created=None)


def test_the_order_of_pictures_is_kept() -> None:
    body = {"data": [{"url": f"https://host/{number}.png"} for number in range(6)]}
    assert [image.url for image in images_of(body)] == [f"https://host/{number}.png" for number in range(6)]


@pytest.mark.parametrize("body", [None, [], "words", {}, {"data": []}, {"data": "x"}, {"output": {"choices": [1]}}])
def test_an_answer_without_a_picture_is_a_bad_response(body: object) -> None:
    with pytest.raises(BadResponse) as caught:
        parse(body, {"x-request-id": "req-3"})
    assert caught.value.request_id == "req-3"
    assert caught.value.may_be_billed


def test_an_error_inside_a_200_is_that_error() -> None:
    with pytest.raises(Overdue):
        parse({"error": {"code": 2103, "message": "overdue"}}, {})


@pytest.mark.parametrize("text", ["not base64!", "data:image/png;base64,???"])
def test_what_is_not_base64_is_a_bad_response(text: str) -> None:
    with pytest.raises(BadResponse):
        decode(text)


ERRORS: list[tuple[int, object, type[APIError], str | None, str]] = [
    (401, {"error": {"code": "2101", "message": "bad key"}}, Unauthorized, "2101", "bad key"),
    (403, {"error": {"code": "2102", "message": "no"}}, NoAccess, "2102", "no"),
    (403, {"error": {"code": 2103, "message": "pay"}}, Overdue, "2103", "pay"),
    (429, {"code": 2007, "message": "slow down", "request_id": "r"}, RateLimited, "2007", "slow down"),
    (200, {"code": "2008", "msg": "tokens"}, RateLimited, "2008", "tokens"),
    (424, {"error": {"code": "2003", "message": "late"}}, ModelUnavailable, "2003", "late"),
    (
        400,
        {"error": {"code": 2001, "message": "DataInspectionFailed: no"}},
        Refused,
        "2001",
        "DataInspectionFailed: no",
    ),
    (400, {"error": {"code": 2004, "message": "size"}}, APIError, "2004", "size"),
    (400, {"error": "plain words"}, APIError, None, "plain words"),
    (502, None, APIError, None, "Bad Gateway"),
    (503, "<html>", ModelUnavailable, None, "Service Unavailable"),
]


@pytest.mark.parametrize(("status", "body", "kind", "code", "message"), ERRORS)
def test_an_error_answer_is_told_by_code_and_then_by_status(
    status: int, body: object, kind: type[APIError], code: str | None, message: str
) -> None:
    error = parse_error(status, body, {})
    assert (type(error), error.status, error.code, error.message) == (kind, status, code, message)


def test_words_from_outside_are_cut_at_300_characters() -> None:
    assert parse_error(400, {"message": "x" * 1000}, {}).message == "x" * 299 + "…"


def test_usage_of_several_answers_adds_up_but_for_sizes() -> None:
    first = {"total_tokens": 1, "width": 1328, "input_tokens_details": {}}
    second = {"total_tokens": 2, "width": 1328, "image_count": 1, "input_tokens_details": {}}
    assert add_usage([first, second]) == {
        "total_tokens": 3,
        "width": 1328,
        "image_count": 1,
        "input_tokens_details": {},
    }
