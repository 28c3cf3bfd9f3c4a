"""What the page says while an order runs and after it: progress, outcome, usage, and errors in words."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from gradio.i18n import I18nData

from ..api.errors import (
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
from ..i18n import texts, translate
from ..images import Reference
from ..job import InternalError, Job, NotSaved, Progress
from ..jobs import ShuttingDown, TooManyOrders
from ..quota import OverQuota, QuotaUnknown
from ..recipe import Recipe
from ..usage import Prices, Usage, total_cost
from ..visitors import BadKey, NoOwnKeys


def t(key: str) -> I18nData:
    """A text of the page that the browser translates by itself."""
    return I18nData(key)


_KEYS: dict[type[QwenDemoError], str] = {
    RequestTimedOut: "error_timed_out",
    ConnectionFailed: "error_connection_failed",
    Unauthorized: "error_unauthorized",
    NoAccess: "error_no_access",
    Overdue: "error_overdue",
    RateLimited: "error_rate_limited",
    Refused: "error_refused",
    ModelUnavailable: "error_model_unavailable",
    APIError: "error_api",
    BadResponse: "error_bad_response",
    InternalError: "error_internal",
    NotSaved: "error_not_saved",
    ShuttingDown: "error_shutting_down",
    TooManyOrders: "error_too_many_orders",
    OverQuota: "error_over_quota",
    QuotaUnknown: "error_quota_unknown",
    NoOwnKeys: "error_no_own_keys",
    BadKey: "error_bad_key",
}


def describe(error: QwenDemoError, language: str) -> str:
    """The error in that language, as plain text. It may hold words from outside: escape it where HTML is shown."""
    if isinstance(error, InvalidRequest):
        return _describe_invalid(error, language)
    key = next(key for kind, key in _KEYS.items() if isinstance(error, kind))
    facts = {"message": str(error), **vars(error)}
    if isinstance(error, OverQuota):
        if not error.left:
            key = {"visitor": "error_over_quota_visitor", "total": "error_over_quota_total"}[error.whose]
        minutes = error.minutes
        facts["time"] = f"{minutes // 60}:{minutes % 60:02d} h" if minutes >= 60 else f"{minutes} min"
    if isinstance(error, BadResponse):
        facts["message"] = translate(language, f"failing_{error.problem}", **error.facts)
    if isinstance(error, APIError) and error.retry_after:
        key, facts["seconds"] = "error_wait", math.ceil(error.retry_after)
    if isinstance(error, NotSaved | BadKey):  # the picture is there, or nothing was asked for yet
        return translate(language, key, **facts)
    billed = translate(language, "billed_maybe" if error.may_be_billed else "billed_no")
    return f"{translate(language, key, **facts)} {billed}"


def _describe_invalid(error: InvalidRequest, language: str) -> str:
    # "image 2" is the field of a fusion's second picture; its label is `field_image_2`.
    field = translate(language, f"field_{error.field.replace(' ', '_')}")
    facts: dict[str, object] = {"value": error.value, **error.facts}
    if error.problem == "too_long":
        facts["over"] = int(str(facts["count"])) - int(str(facts["limit"]))
    return translate(language, f"invalid_{error.problem}", field=field, **facts)


def usage_html(job: Job, progress: Progress, used: Sequence[Usage], prices: Prices, language: str) -> str:
    """What the API reported and what this visitor has used so far, as a list of facts."""
    cost = prices.cost(job.request.model, len(progress.pictures))
    seeds = sorted({picture.seed for picture in progress.pictures if picture.seed is not None})
    sizes = dict.fromkeys(f"{picture.width}×{picture.height}" for picture in progress.pictures)
    facts = {
        "usage_pictures": str(len(progress.pictures)),
        "usage_size": ", ".join(sizes),
        "usage_seed": ", ".join(map(str, seeds)),
        "usage_model": job.request.model,
        "usage_seconds": _seconds(progress.seconds, language),
        "usage_cost": "" if cost is None else prices.written(cost),
    }
    rows = [(translate(language, key), value) for key, value in facts.items() if value]
    rows += [(_usage_label(name, language), value) for name, value in _flat(progress.usage)]
    listed = _listed(rows)
    if ids := "<br>".join(escape(request_id) for request_id in progress.request_ids):
        listed += f'<div><dt>{escape(translate(language, "usage_request_id"))}</dt><dd class="ids">{ids}</dd></div>'
    session = translate(
        language,
        "session",
        pictures=sum(row.pictures for row in used),
        orders=len(used),
        tokens=sum(row.tokens for row in used),
        seconds=f"{sum(row.seconds for row in used):.1f}",
    )
    spent = total_cost(used)
    session += "" if spent is None else f" · {prices.written(spent)}"
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in _differences(job, progress, language))
    return f'{notes}<dl>{listed}</dl><p class="session">{escape(session)}</p>'


def _differences(job: Job, progress: Progress, language: str) -> Iterable[str]:
    """Where what came is not what was asked for."""
    asked = (job.request.size or "").replace("x", "×")
    came = dict.fromkeys(f"{picture.width}×{picture.height}" for picture in progress.pictures)
    others = [size for size in came if asked and size != asked]
    if others:
        yield translate(language, "other_size", asked=asked, came=", ".join(others))
    if 0 < len(progress.pictures) < job.n:
        yield translate(language, "fewer_pictures", asked=job.n, came=len(progress.pictures))


def reference_html(reference: Reference, language: str) -> str:
    """The line under an upload: what was done to it."""
    came, went = ("{}×{}".format(*size) for size in (reference.came_with, reference.size))
    kind = {"HEIF": "HEIC"}.get(reference.came_as, reference.came_as)
    text = f"{came} {kind}" + (f" → {went}" if came != went else "")
    if reference.located:
        text += translate(language, "location_removed")
    return status_html(text)


def recipe_html(recipe: Recipe | None, language: str) -> str:
    """What a picture was asked with, as a list of facts."""
    if recipe is None:
        return status_html(translate(language, "recipe_missing"))
    facts = {
        "field_prompt": recipe.prompt,
        "field_negative_prompt": recipe.negative_prompt,
        "kind": translate(language, f"kind_{recipe.kind}") if f"kind_{recipe.kind}" in texts(language) else recipe.kind,
        "field_model": recipe.model,
        "field_size": recipe.size,
        "field_seed": recipe.seed,
        "usage_request_id": recipe.request_id,
        "created": recipe.created.replace("T", " "),
    }
    rows = [(translate(language, key), str(value)) for key, value in facts.items() if value not in (None, "")]
    return f"<dl>{_listed(rows)}</dl>"


def _listed(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)


def _flat(usage: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, value in usage.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        elif value is not None:
            rows.append((prefix + name, str(value)))
    return rows


def _usage_label(name: str, language: str) -> str:
    known = ("total_tokens", "output_tokens", "input_tokens", "image_count", "width", "height")
    return translate(language, f"usage_{name}") if name in known else name


def _seconds(seconds: float, language: str) -> str:
    return translate(language, "usage_seconds_value", seconds=f"{seconds:.1f}")


def progress_html(progress: Progress, usual: float | None, language: str) -> str:
    """The line while it runs: the place in line, or the seconds, how many of n have come, and the usual seconds."""
    seconds = int(progress.seconds)
    if progress.place and not progress.pictures:
        return status_html(translate(language, "status_waiting", place=progress.place, seconds=seconds))
    count = len(progress.pictures)
    line = translate(language, "status_drawing", seconds=seconds, count=count, n=progress.n)
    if usual is not None:
        line += translate(language, "status_usual", seconds=max(1, round(usual)))
    return status_html(line)


def outcome_html(progress: Progress, language: str) -> str:
    """The line at the end: done, or what came and what went wrong."""
    seconds = f"{progress.seconds:.1f}"
    problems = list(dict.fromkeys(describe(problem, language) for problem in progress.problems))
    if not problems and len(progress.pictures) >= progress.n:
        return status_html(translate(language, "status_done", seconds=seconds))
    came = translate(language, "status_partly", count=len(progress.pictures), n=progress.n, seconds=seconds)
    lines = [came, *problems] if progress.pictures else problems
    return status_html(" ".join(lines), problem=bool(problems))


def cancelled_html(on_their_way: int, language: str) -> str:
    """The line after Cancel: nothing more comes, or so many pictures do."""
    key = "status_cancelled_ordered" if on_their_way else "status_cancelled"
    return status_html(translate(language, key, count=on_their_way))


def status_html(text: str, *, problem: bool = False) -> str:
    """A line of text under the run button."""
    # An alert is read out at once by a screen reader, a status when it is quiet.
    attributes = 'role="alert" class="problem"' if problem else 'role="status"'
    return f"<p {attributes}>{escape(text)}</p>"
