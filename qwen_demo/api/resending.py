"""When a request goes again by itself, and when that is."""

import asyncio
import random
import re

from .errors import APIError, ConnectionFailed, ModelUnavailable, RateLimited, RequestTimedOut

RESENDS = 2  # of a request that surely never began
pause = asyncio.sleep  # between tries
LONGEST_WAIT = 30.0  # seconds that are waited when the API asks for it
_MISSING_MODEL = re.compile(
    r"model.{0,80}(not[ _](found|exist|support|available)|does ?n.t exist)|no such model|模型.{0,20}不存在"
)


def turned_away(error: APIError) -> bool:
    """Whether the API has no time at the moment, and surely did not begin."""
    if isinstance(error, RateLimited):
        return error.status == 429
    overloaded = isinstance(error, ModelUnavailable) and error.status == 503
    return overloaded and not _MISSING_MODEL.search(f"{error.code} {error.message}".lower())


def should_resend(error: Exception, attempt: int, *, billed: bool = True) -> bool:
    """Whether a request that bills goes again after its `attempt`th try: only when it surely never began.

    That is: it never reached the API, or was turned away with 429, or with a 503 that isn't about a missing model.
    Never after a read timeout, a reset or any other 5xx. A wait of more than 30 s is told to the user instead.
    Where nobody is paid, a reset is worth another try too; a timeout would only double the engine's work.
    """
    if attempt > RESENDS:
        return False
    if isinstance(error, ConnectionFailed):
        return not error.may_be_billed or (not billed and not isinstance(error, RequestTimedOut))
    return isinstance(error, APIError) and (error.retry_after or 0) <= LONGEST_WAIT and turned_away(error)


def wait_before(error: Exception, attempt: int) -> float:
    """Seconds before the next try: what the API asks for, else anything up to 0.5 s, then 1 s (full jitter)."""
    if isinstance(error, APIError) and error.retry_after is not None:
        return error.retry_after
    return random.uniform(0, 0.5 * 2 ** (attempt - 1))  # noqa: S311 - no secret
