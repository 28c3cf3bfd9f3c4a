"""What the page says while an order runs and after it: how it stands, its outcome, usage, and errors in words."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from gradio.i18n import I18nData

from ..api.errors import APIError, BadResponse, InvalidRequest, QwenDemoError
from ..i18n import texts, translate
from ..images import Reference
from ..logs import InternalError
from ..orders import NotSaved, Order, State
from ..quota import OverLimit, OverQuota
from ..recipe import Recipe
from ..usage import Prices, Usage, total_cost
from ..visitors import BadKey

SHORT, LONG = 120, 48 * 3600  # seconds up to which they are told as such, and from which on in days


def t(key: str) -> I18nData:
    """A text of the page that the browser translates by itself."""
    return I18nData(key)


def describe(error: Exception, language: str) -> str:
    """The error in that language, as plain text. It may hold words from outside: escape it where HTML is shown.

    Its text is `error_` and the name of its class; one without a text speaks as its parent. What is no error of ours is
    written to the log, and told by the id that it has there.
    """
    if not isinstance(error, QwenDemoError):
        error = InternalError(error)
    if isinstance(error, InvalidRequest):
        return _describe_invalid(error, language)
    if isinstance(error, NotSaved | BadKey):  # the picture is there, or nothing was asked for yet
        return _said(error, language)
    billed = translate(language, "billed_maybe" if error.may_be_billed else "billed_no")
    return f"{_said(error, language)} {billed}"


def _said(error: QwenDemoError, language: str) -> str:
    """What happened and what to do, without a word of money."""
    names = (f"error_{kind.__name__}" for kind in type(error).__mro__)
    key = next(name for name in names if name in texts(language))
    facts = {"message": str(error), **vars(error)}
    if isinstance(error, OverQuota) and not error.left:
        key += f"_{error.whose}"
    if isinstance(error, OverLimit):
        facts["time"] = wait(error.seconds, language)
    if isinstance(error, BadResponse):
        facts["message"] = translate(language, f"failing_{error.problem}", **error.facts)
    if isinstance(error, APIError) and error.retry_after:
        key, facts["time"] = "error_wait", wait(error.retry_after, language)
    return translate(language, key, **facts)


def wait(seconds: float, language: str) -> str:
    """A wait as people say it: `40 s`, `5 min`, `2 h`, `1 h 30 min`, `3 days`; never shorter than it is."""
    if seconds <= SHORT:
        return translate(language, "wait_seconds", count=math.ceil(seconds))
    if seconds > LONG:
        return translate(language, "wait_days", count=math.ceil(seconds / 86400))
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    counts = {"wait_hours": hours, "wait_minutes": minutes}
    return " ".join(translate(language, key, count=count) for key, count in counts.items() if count)


def _describe_invalid(error: InvalidRequest, language: str) -> str:
    # "image 2" is the field of a fusion's second picture; its label is `field_image_2`.
    field = translate(language, f"field_{error.field.replace(' ', '_')}")
    facts: dict[str, object] = {"value": error.value, **error.facts}
    if error.problem == "too_long":
        facts["over"] = int(str(facts["count"])) - int(str(facts["limit"]))
    return translate(language, f"invalid_{error.problem}", field=field, **facts)


def usage_html(order: Order, used: Sequence[Usage], prices: Prices, language: str) -> str:
    """What the API reported and what this visitor has used so far, as a list of facts."""
    cost = prices.cost(order.request.model, len(order.pictures))
    seeds = sorted({picture.seed for picture in order.pictures if picture.seed is not None})
    sizes = dict.fromkeys(f"{picture.width}×{picture.height}" for picture in order.pictures)
    facts = {
        "usage_pictures": str(len(order.pictures)),
        "usage_size": ", ".join(sizes),
        "usage_seed": ", ".join(map(str, seeds)),
        "usage_model": order.request.model,
        "usage_seconds": translate(language, "usage_seconds_value", seconds=f"{order.seconds:.1f}"),
        "usage_cost": "" if cost is None else prices.written(cost),
    }
    rows = [(translate(language, key), value) for key, value in facts.items() if value]
    rows += [(_usage_label(name, language), value) for name, value in _flat(order.usage)]
    listed = _listed(rows)
    if ids := "<br>".join(escape(request_id) for request_id in order.request_ids):
        listed += f'<div><dt>{escape(translate(language, "usage_request_id"))}</dt><dd class="ids">{ids}</dd></div>'
    for revised in dict.fromkeys(picture.revised_prompt for picture in order.pictures if picture.revised_prompt):
        take = f'<button type="button" class="take">{escape(translate(language, "revised_use"))}</button>'
        label = escape(translate(language, "revised_prompt"))
        listed += f"<div><dt>{label}</dt><dd><span>{escape(revised)}</span> {take}</dd></div>"
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
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in _differences(order, language))
    return f'{notes}<dl>{listed}</dl><p class="session">{escape(session)}</p>'


def _differences(order: Order, language: str) -> Iterable[str]:
    """Where what came is not what was asked for."""
    asked = (order.request.size or "").replace("x", "×")
    came = dict.fromkeys(f"{picture.width}×{picture.height}" for picture in order.pictures)
    others = [size for size in came if asked and size != asked]
    if others:
        yield translate(language, "other_size", asked=asked, came=", ".join(others))
    if 0 < len(order.pictures) < order.n:
        yield translate(language, "fewer_pictures", asked=order.n, came=len(order.pictures))


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
        "revised_prompt": recipe.revised_prompt,
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


def progress_html(order: Order, usual: float | None, language: str) -> str:
    """The line while it runs: the place in line, or the seconds, how many of n have come, and the usual seconds."""
    seconds = int(order.seconds)
    if order.place and not order.pictures:
        return status_html(
            translate(language, "status_waiting", place=order.place, seconds=seconds), come=f"0/{order.n}"
        )
    count = len(order.pictures)
    line = translate(language, "status_drawing", seconds=seconds, count=count, n=order.n)
    if usual is not None:
        line += translate(language, "status_usual", seconds=max(1, round(usual)))
    return status_html(line, come=f"{count}/{order.n}")


def outcome_html(order: Order, language: str) -> str:
    """The line at the end: done, or what came and what went wrong."""
    seconds = f"{order.seconds:.1f}"
    if not order.problems and len(order.pictures) >= order.n:
        return status_html(translate(language, "status_done", seconds=seconds))
    if order.pictures:  # then some were billed, and each problem is about others
        came = translate(language, "status_partly", count=len(order.pictures), n=order.n, seconds=seconds)
        lines = [came, *dict.fromkeys(_said(problem, language) for problem in order.problems), _billed(order, language)]
    else:
        lines = list(dict.fromkeys(describe(problem, language) for problem in order.problems))
    return status_html(" ".join(filter(None, lines)), problem=bool(order.problems))


def _billed(order: Order, language: str) -> str:
    """For how many pictures the account pays, surely or perhaps."""
    counts = {"unbilled_count": sum(call.unbilled for call in order.calls), "billed_count": 0, "maybe_count": 0}
    for call in order.calls:
        surely = call.state in (State.ANSWERED, State.DONE)
        counts["billed_count" if surely else "maybe_count"] += call.request.n - call.unbilled
    keys = ("billed_count", "unbilled_count", "maybe_count")
    return " · ".join(translate(language, key, count=counts[key]) for key in keys if counts[key]) + "."


def cancelled_html(on_their_way: int, language: str) -> str:
    """The line after Cancel: nothing more comes, or so many pictures do."""
    key = "status_cancelled_ordered" if on_their_way else "status_cancelled"
    return status_html(translate(language, key, count=on_their_way))


def problem_html(error: Exception, language: str) -> str:
    """The line for an error."""
    return status_html(describe(error, language), problem=True)


def status_html(text: str, *, problem: bool = False, come: str = "") -> str:
    """A line of text under the run button; with `come`, such as `1/4`, the window's title says it too."""
    # An alert is read out at once by a screen reader, a status when it is quiet.
    attributes = 'role="alert" class="problem"' if problem else 'role="status"'
    attributes += f' data-come="{come}"' if come else ""
    return f"<p {attributes}>{escape(text)}</p>"
