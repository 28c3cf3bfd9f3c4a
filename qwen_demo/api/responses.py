"""What the API answers: either of the two documented shapes becomes one `ImagesResponse`."""

import base64
import binascii
import http.client
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from .errors import (
    APIError,
    BadResponse,
    ModelUnavailable,
    NoAccess,
    Overdue,
    RateLimited,
    Refused,
    Unauthorized,
)


@dataclass(frozen=True, slots=True)
class ResultImage:
    """One picture of an answer: the address to fetch it from, or the base64 text itself. Never both."""

    url: str | None = None
    b64: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ImagesResponse:
    """An answer with at least one picture.

    Attributes:
        images: in the order in which they came.
        usage: what the API reported, as it came (tokens, `image_count`, `width`, `height`, …); empty if nothing.
        request_id: from the body, else from the header `x-request-id`, else None.
        created: Unix time in seconds, or None.
    """

    images: tuple[ResultImage, ...]
    usage: Mapping[str, Any]
    request_id: str | None
    created: int | None


def parse(body: object, headers: Mapping[str, str]) -> ImagesResponse:
    """Read the body of a 200.

    Raises:
        BadResponse: there is no picture in it.
        APIError: it is an error in spite of its status.
    """
    id = request_id(body, headers)
    if not isinstance(body, Mapping):
        raise BadResponse("not_json", request_id=id)
    images = tuple(_images(body))
    if not images:
        if "error" in body or "code" in body:
            raise parse_error(200, body, headers)
        raise BadResponse("no_picture", request_id=id)
    usage = body.get("usage")
    created = body.get("created")
    return ImagesResponse(
        images=images,
        usage=dict(usage) if isinstance(usage, Mapping) else {},
        request_id=id,
        created=created if isinstance(created, int) and not isinstance(created, bool) else None,
    )


def parse_error(status: int, body: object, headers: Mapping[str, str]) -> APIError:
    """The error that an answer means, by its code first and its HTTP status second.

    Known shapes: `{"error": {"message", "code", …}}`, `{"code", "message", "request_id"}` and `{"code", "msg"}`, the
    code a number or a text; anything else, HTML of a proxy for one, tells by its status alone.
    """
    outer = body if isinstance(body, Mapping) else {}
    inner = outer.get("error")
    if isinstance(inner, str):
        inner = {"message": inner}
    facts = inner if isinstance(inner, Mapping) else outer
    code = facts.get("code")
    code = str(code) if isinstance(code, str | int) and code != "" else None
    given = next((text for key in ("message", "msg") if isinstance(text := facts.get(key), str)), "")
    message = given or http.client.responses.get(status, "no reason given")
    kind = _BY_CODE.get(code or "") or _BY_STATUS.get(status, APIError)
    # Upstream has no code of its own for refused content: a 2001 that says so.
    if "DataInspectionFailed" in f"{code} {message} {facts.get('type')}":
        kind = Refused
    if kind is RateLimited and "quota" in f"{code} {message}".lower():  # waiting a minute would not help
        kind = Overdue
    return kind(
        status,
        code,
        message,
        request_id=request_id(body, headers),
        retry_after=_retry_after(headers.get("retry-after", "")),
    )


def decode(text: str) -> bytes:
    """The bytes of a picture in base64, with or without a `data:…;base64,` in front.

    Raises:
        BadResponse: the text is not base64.
    """
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadResponse("not_base64") from error


def add_usage(usages: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The usage of several answers as one: tokens and counts are added up, what says how big a picture is, is not."""
    total: dict[str, Any] = {}
    for usage in usages:
        for name, value in usage.items():
            if name in total and name not in ("width", "height") and _is_number(value) and _is_number(total[name]):
                total[name] += value
            else:
                total[name] = value
    return total


_BY_CODE: dict[str, type[APIError]] = {
    "2002": ModelUnavailable,
    "2003": ModelUnavailable,
    "2006": ModelUnavailable,
    "2007": RateLimited,
    "2008": RateLimited,
    "2101": Unauthorized,
    "2102": NoAccess,
    "2103": Overdue,
}
_BY_STATUS: dict[int, type[APIError]] = {
    401: Unauthorized,
    403: NoAccess,
    424: ModelUnavailable,
    429: RateLimited,
    503: ModelUnavailable,
}


def _images(body: Mapping[str, Any]) -> Iterator[ResultImage]:
    for entry in _list(body, "data"):
        if isinstance(entry, Mapping):
            yield from _image(entry.get("url") or entry.get("b64_json"))
    output = body.get("output")
    for choice in _list(output, "choices"):
        message = choice.get("message") if isinstance(choice, Mapping) else None
        for content in _list(message, "content"):
            if isinstance(content, Mapping):
                yield from _image(content.get("image"))


def _image(text: object) -> Iterator[ResultImage]:
    if isinstance(text, str) and text:
        is_address = "://" in text[:16] and not text.startswith("data:")
        yield ResultImage(url=text) if is_address else ResultImage(b64=text)


def _list(holder: object, name: str) -> list[Any]:
    value = holder.get(name) if isinstance(holder, Mapping) else None
    return value if isinstance(value, list) else []


def _retry_after(text: str) -> float | None:
    """Seconds from now, out of a number of seconds or an HTTP date; None for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            then = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (then - datetime.now(timezone.utc)).total_seconds() if then.tzinfo else math.nan
    return max(0.0, seconds) if math.isfinite(seconds) else None


def request_id(body: object, headers: Mapping[str, str]) -> str | None:
    """The provider's id of a request, from the body, else from the header `x-request-id`, at most 128 characters."""
    found = body.get("request_id") if isinstance(body, Mapping) else None
    found = found or headers.get("x-request-id")
    return str(found)[:128] if found else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
