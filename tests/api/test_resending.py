"""Whether a request that bills goes again: the decision as a table."""

import pytest

from qwen_demo.api.errors import (
    APIError,
    BadResponse,
    ConnectionFailed,
    ModelUnavailable,
    Overdue,
    RateLimited,
    Refused,
    RequestTimedOut,
    Unauthorized,
)
from qwen_demo.api.resending import should_resend, wait_before

NOT_REACHED = ConnectionFailed("refused", may_be_billed=False)
OVERLOADED = ModelUnavailable(503, None, "busy")
RATE = RateLimited(429, "2007", "slow down")


@pytest.mark.parametrize(
    ("error", "attempt", "resent"),
    [
        (NOT_REACHED, 1, True),
        (NOT_REACHED, 2, True),
        (NOT_REACHED, 3, False),
        (RequestTimedOut("while connecting", may_be_billed=False), 1, True),
        (RequestTimedOut("while reading", may_be_billed=True), 1, False),
        (ConnectionFailed("reset", may_be_billed=True), 1, False),
        (RATE, 1, True),
        (RATE, 3, False),
        (RateLimited(429, "2007", "x", retry_after=30), 1, True),
        (RateLimited(429, "2007", "x", retry_after=31), 1, False),
        (RateLimited(200, "2007", "x"), 1, False),
        (Overdue(429, None, "quota"), 1, False),
        (OVERLOADED, 1, True),
        (OVERLOADED, 3, False),
        (ModelUnavailable(503, None, "x", retry_after=9999), 1, False),
        (ModelUnavailable(503, None, "The model `qwen-x` does not exist"), 1, False),
        (ModelUnavailable(503, "model_not_found", "x"), 1, False),
        (ModelUnavailable(503, None, "模型 qwen-x 不存在"), 1, False),
        (ModelUnavailable(424, "2003", "x"), 1, False),
        (APIError(500, None, "x"), 1, False),
        (APIError(502, None, "x"), 1, False),
        (APIError(504, None, "x"), 1, False),
        (Unauthorized(401, "2101", "x"), 1, False),
        (Refused(400, "2001", "x"), 1, False),
        (BadResponse("not_json"), 1, False),
    ],
)
def test_a_request_goes_again_only_where_it_surely_never_began(error: Exception, attempt: int, resent: bool) -> None:
    assert should_resend(error, attempt) is resent


def test_the_wait_is_what_is_asked_for_else_full_jitter() -> None:
    assert wait_before(RateLimited(429, None, "x", retry_after=7), 1) == 7
    for attempt, most in ((1, 0.5), (2, 1.0)):
        waits = [wait_before(NOT_REACHED, attempt) for _ in range(200)]
        assert 0 <= min(waits) < most / 2 < max(waits) <= most
