"""Errors in words: what happened, what to do, whether it was billed. In both languages."""

import pytest

from qwen_demo.api.errors import (
    APIError,
    BadResponse,
    ConnectionFailed,
    InvalidRequest,
    ModelUnavailable,
    NoAccess,
    Overdue,
    QwenDemoError,
    RateLimited,
    Refused,
    RequestTimedOut,
    Unauthorized,
)
from qwen_demo.i18n import LANGUAGES
from qwen_demo.logs import InternalError
from qwen_demo.order import NotSaved
from qwen_demo.ui.messages import describe, status_html, wait

WORDS: list[tuple[QwenDemoError, str]] = [
    (
        InvalidRequest("prompt", "too_long", "x", limit=800, count=803),
        "Prompt: 803 characters are too many, at most 800 are read. Take out 3.",
    ),
    (
        ConnectionFailed("refused", may_be_billed=False),
        "The API was not reached, or the line broke. Check the network and try again. Nothing was billed.",
    ),
    (
        RequestTimedOut("slow", may_be_billed=True),
        "The API did not answer in time. Try again in a while. This may have been billed.",
    ),
    (
        BadResponse("no_picture"),
        "The API's answer could not be understood: the answer holds no picture. This may have been billed.",
    ),
    (
        Unauthorized(401, "2101", "x"),
        "The key is missing or wrong. Check the one you entered, or QWEN_API_KEY. Nothing was billed.",
    ),
    (
        NoAccess(403, "2102", "x"),
        "This key has no access to this model. Choose another model, or ask for access. Nothing was billed.",
    ),
    (
        Overdue(403, "2103", "x"),
        "The account behind this key is overdue, or its quota is used up. Its owner has to see to it. "
        "Nothing was billed.",
    ),
    (
        RateLimited(429, "2007", "x"),
        "Too many requests this minute. Wait a little and try again. Nothing was billed.",
    ),
    (
        RateLimited(429, "2007", "x", retry_after=99.5),
        "The API is busy and asks to wait 100 s. Try again then. Nothing was billed.",
    ),
    (
        Refused(400, "2001", "x"),
        "The prompt or a picture was refused for its content. Change it and try again. Nothing was billed.",
    ),
    (
        ModelUnavailable(503, None, "x"),
        "The model is down or busy. Try again in a while, or choose another model. Nothing was billed.",
    ),
    (APIError(500, None, "oops"), "The API said no (HTTP 500): oops. This may have been billed."),
    (
        NotSaved("No space left on device"),
        "The picture came and is shown, but could not be saved: No space left on device. Download it now.",
    ),
]


@pytest.mark.parametrize(("error", "words"), WORDS, ids=[type(error).__name__ for error, _ in WORDS])
def test_an_error_says_what_happened_what_to_do_and_whether_it_was_billed(error: QwenDemoError, words: str) -> None:
    assert describe(error, "en") == words


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_has_words_in_every_language(language: str) -> None:
    assert all(describe(error, language) for error, _ in [*WORDS, (InternalError(ValueError()), "")])


def test_a_fault_before_anything_was_ordered_costs_nothing() -> None:
    assert describe(ValueError(), "en").endswith(" Nothing was billed.")


def test_words_from_outside_are_escaped_on_the_page() -> None:
    words = describe(APIError(400, None, "<img src=x onerror=alert(1)>"), "en")
    assert "<img" not in status_html(words, problem=True)


@pytest.mark.parametrize(
    ("seconds", "language", "words"),
    [
        (0.2, "en", "1 s"),
        (40, "zh-CN", "40 秒"),
        (119.2, "en", "120 s"),
        (150, "en", "3 min"),
        (3541, "en", "1 h"),
        (5400, "en", "1 h 30 min"),
        (86400, "en", "24 h"),
        (90001, "zh-CN", "25 小时 1 分钟"),
        (200_000, "en", "3 days"),
    ],
)
def test_a_wait_is_told_as_people_say_it(seconds: float, language: str, words: str) -> None:
    assert wait(seconds, language) == words
