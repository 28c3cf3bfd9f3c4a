"""How the API says no: the code, the reason and the meaning of an answer, in whatever form they come."""

import http.client
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from .errors import (
    APIError,
    ModelUnavailable,
    NoAccess,
    NotTheAPI,
    OtherModel,
    OutOfMemory,
    Overdue,
    ProxyFailed,
    RateLimited,
    Refused,
    Unauthorized,
)

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
    402: Overdue,
    403: NoAccess,
    424: ModelUnavailable,
    429: RateLimited,
    451: Refused,
    503: ModelUnavailable,
}
# What names mean, letters alone, the first that fits: `Throttling.AllocationQuota` is no debt, and `insufficient_quota`
# is one whatever its status. Of codes and types: the maker's, OpenAI's, and those of gateways in between.
_BY_NAME: tuple[tuple[str, type[APIError]], ...] = (
    (r"throttl|ratelimit|toomanyrequest|ratequota|burstrate", RateLimited),
    (r"datainspection|infringement|contentpolicy|contentfilter|moderation|safety|nsfw|sensitive|prohibited", Refused),
    (
        r"arrear|overdue|insufficient.*(quota|balance|credit|fund)|quota.*(exceeded|exhausted|notenough|failed)|billing",
        Overdue,
    ),
    (r"(balance|credit|fund|payment|freetier)", Overdue),
    (r"(invalid|incorrect|missing|wrong).*(apikey|token)|authentication|unauthorized", Unauthorized),
    (r"accessdenied|permissiondenied|modelnotfound|nopermission", NoAccess),
)
# What reasons mean, where neither code nor status says more than "no".
_BY_REASON: tuple[tuple[str, type[APIError]], ...] = (
    (
        r"data.?inspection|inappropriate content|content.{0,10}(policy|filter)|safety system|moderation"
        r"|sensitive (word|content|information)|infringe|违规|敏感|审核|侵权",
        Refused,
    ),
    (
        r"(quota|balance|credits?).{0,20}(not enough|insufficient|exhausted|used up)|overdue|arrear"
        r"|insufficient.{0,10}(quota|balance|credit)|欠费|余额不足|额度不足|配额不足",
        Overdue,
    ),
    (r"rate.?limit|too many requests|请求过于频繁|限流", RateLimited),
    # Seen: vLLM-Omni 0.30.0 with another name; SGLang 0.5.23, which takes any, with another task.
    (r"model mismatch|input_reference is not supported|requires an .?image_path", OtherModel),
    (r"out of memory", OutOfMemory),  # seen: vLLM-Omni and SGLang
)
_VAGUE = (APIError, NoAccess)
_REASON_FIELDS = ("message", "msg", "detail", "error", "errors", "error_message", "error_msg", "error_description")
_CODE_FIELDS = ("code", "error_code", "errcode", "type")


def parse_error(status: int, body: object, headers: Mapping[str, str]) -> APIError:
    """The error that an answer means: by its code, else by names that makers and gateways use, its status, its words.

    Known shapes: `{"error": {"message", "code", …}}`, `{"code", "message", "request_id"}`, `{"code", "msg"}`,
    `{"detail": text or [{"loc", "msg"}]}`, `{"errors": {"message"}}`, the code a number or a text, plain text; anything
    else, HTML of a proxy for one, tells by its status alone.
    """
    facts = next(_parts(body))
    names = [str(facts[name]) for name in _CODE_FIELDS if isinstance(facts.get(name), str | int) and facts[name] != ""]
    code = next((str(facts[name]) for name in _CODE_FIELDS[:3] if str(facts.get(name, "")) in names), None)
    reason = "" if is_page(body) else _reason(body)
    kind = _BY_CODE.get(code or "") or _by_words(_BY_NAME, re.sub(r"[^a-z|]", "", "|".join(names).lower()))
    kind = kind or _BY_STATUS.get(status, APIError)
    if status >= 500 and "x-litellm-call-id" in headers:  # whatever it says: it asked up to three times
        kind = ProxyFailed
    if kind in _VAGUE:
        kind = _by_words(_BY_REASON, reason.lower()) or kind
    if kind is APIError and (300 <= status < 400 or status in (404, 405)) and "model" not in f"{code} {reason}".lower():
        kind = NotTheAPI
    return kind(
        status,
        code,
        reason or http.client.responses.get(status, "no reason given"),
        request_id=request_id(body, headers),
        retry_after=_retry_after(headers.get("retry-after", "")),
    )


def request_id(body: object, headers: Mapping[str, str]) -> str | None:
    """The provider's id of a request, from the body, else from a header, at most 128 characters."""
    found = body.get("request_id") if isinstance(body, Mapping) else None
    found = found or headers.get("x-request-id") or headers.get("x-litellm-call-id")
    return str(found)[:128] if found else None


def is_page(body: object) -> bool:
    """Whether what came is no answer but a page: of a proxy in between, or of a web site."""
    return isinstance(body, str) and body.lstrip().startswith("<")


def _parts(body: object) -> Iterator[Mapping[str, Any]]:
    """The objects in which a code may stand, the inner ones first."""
    outer = body if isinstance(body, Mapping) else {}
    for name in ("error", "errors", "detail"):
        inner = outer.get(name)
        inner = inner[0] if isinstance(inner, list) and inner else inner
        if isinstance(inner, Mapping):
            yield inner
    yield outer


def _reason(node: object, deep: int = 6) -> str:
    """Why, in the API's own words; "" where it doesn't say. A list of faults is told with the fields they are about."""
    if isinstance(node, str):
        return node.strip()
    if isinstance(node, list) and deep:
        return "; ".join(filter(None, (_reason(entry, deep - 1) for entry in node[:10])))
    if isinstance(node, Mapping) and deep:
        where = node.get("loc") or node.get("param") or ()
        field = ".".join(str(part) for part in where if part != "body") if isinstance(where, list | tuple) else ""
        reason = next(filter(None, (_reason(node.get(name), deep - 1) for name in _REASON_FIELDS)), "")
        return f"{field}: {reason}" if field and reason else reason
    return ""


def _by_words(table: tuple[tuple[str, type[APIError]], ...], text: str) -> type[APIError] | None:
    return next((kind for pattern, kind in table if re.search(pattern, text)), None)


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
