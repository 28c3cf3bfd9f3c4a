"""What the page says: errors in words, what they cost, and lines of text."""

import math
from html import escape

from gradio.i18n import I18nData

from ..api.engine import HIDDEN_URL, Engine
from ..api.errors import APIError, BadResponse, InvalidRequest, QwenDemoError
from ..call import State
from ..i18n import texts, translate
from ..images import Reference
from ..inpaint import Region
from ..logs import InternalError
from ..order import NotSaved, Order
from ..quota import OverLimit, OverQuota
from ..retouching import NotPutIn
from ..visitors import BadKey

SHORT, LONG = 120, 48 * 3600  # seconds up to which they are told as such, and from which on in days

MUCH = 0.25
"""Of what is not painted, or of that beside the paint: where a model drew more of it anew, more paint does better."""


def t(key: str) -> I18nData:
    """A text of the page that the browser translates by itself."""
    return I18nData(key)


def unbroken(text: str) -> str:
    """The same in one line, wherever others end."""
    return text.replace(" ", "\u00a0")


def describe(error: Exception, language: str) -> str:
    """The error in that language, as plain text. It may hold words from outside: escape it where HTML is shown.

    Its text is `error_` and the name of its class; one without a text speaks as its parent. What is no error of ours is
    written to the log, and told by the id that it has there.
    """
    if not isinstance(error, QwenDemoError):
        error = InternalError(error)
    if isinstance(error, InvalidRequest):
        return _describe_invalid(error, language)
    if isinstance(error, NotSaved | NotPutIn | BadKey):  # the picture is there, or nothing was asked for yet
        return said(error, language)
    if error.may_be_billed is None:  # nobody pays
        return said(error, language)
    billed = translate(language, "billed_maybe" if error.may_be_billed else "billed_no")
    return f"{said(error, language)} {billed}"


def said(error: QwenDemoError, language: str) -> str:
    """What happened and what to do, without a word of money."""
    names = (f"error_{kind.__name__}" for kind in type(error).__mro__)
    key = next(name for name in names if name in texts(language))
    facts = {"message": str(error), **vars(error)}
    facts["message"] = facts["message"].rstrip(". 。")  # the words have stops of their own
    if isinstance(error, OverQuota) and not error.left:
        key += f"_{error.whose}"
    if isinstance(error, OverLimit):
        facts["time"] = wait(error.seconds, language)
    if isinstance(error, BadResponse):
        facts["message"] = translate(language, f"failing_{error.problem}", **error.facts)
    if error.may_be_billed is None and f"{key}_own" in texts(language):  # on an engine that its owner can look after
        key += "_own"
    if key == "error_APIError" and facts["status"] == 200:  # of a task, or of a gateway that is always polite
        key = "error_refused_politely"
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


def reference_html(reference: Reference, language: str) -> str:
    """The line under an upload: what was done to it."""
    came, went = ("{}×{}".format(*size) for size in (reference.came_with, reference.size))
    kind = {"HEIF": "HEIC"}.get(reference.came_as, reference.came_as)
    text = f"{came} {kind}" + (f" → {went}" if came != went else "")
    if reference.located:
        text += translate(language, "location_removed")
    return status_html(text)


def billed(order: Order, language: str) -> str:
    """For how many pictures the account pays, surely or perhaps."""
    counts = {"unbilled_count": sum(call.unbilled for call in order.calls), "billed_count": 0, "maybe_count": 0}
    for call in order.calls:
        surely = call.state in (State.ANSWERED, State.DONE)
        counts["billed_count" if surely else "maybe_count"] += call.request.n - call.unbilled
    keys = ("billed_count", "unbilled_count", "maybe_count")
    told = " · ".join(translate(language, key, count=counts[key]) for key in keys if counts[key])
    return translate(language, "billed_counts", counts=told)


def paint_more(region: Region, language: str) -> str:
    """What to do where the model drew much more anew than was painted; else ""."""
    much = max(region.changed or 0, region.cut or 0) > MUCH
    return translate(language, "proof_hint") if much else ""


def lost(region: Region, language: str) -> list[str]:
    """What of its photo's colours a picture can't have."""
    return [translate(language, f"proof_lost_{region.lost}")] if region.lost in ("depth", "colours") else []


def engine_html(engine: Engine) -> str:
    """The page's foot: what answers its orders."""
    host = "" if engine.base_url == HIDDEN_URL else engine.host
    parts = filter(None, (engine.title, host, engine.dialect.name))
    return f"<p>{escape(' · '.join(parts))}</p>"


def problem_html(error: Exception, language: str) -> str:
    """The line for an error."""
    return status_html(describe(error, language), problem=True)


def status_html(text: str, *, problem: bool = False) -> str:
    """A line of text under the run button."""
    # An alert is read out at once by a screen reader, a status when it is quiet.
    attributes = 'role="alert" class="problem"' if problem else 'role="status"'
    return f"<p {attributes}>{escape(text)}</p>"
