"""What an order will be, told before it is placed: its wordings, how many pictures, what they cost and what is left."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr

from ..api.errors import InvalidRequest, shorten
from ..api.requests import NEEDED, STAND_IN, ImageRequest
from ..axes import differences, expand
from ..i18n import translate
from ..service import Service
from .compare import label
from .events import Updates, language_of, on
from .form import Form
from .given import Given
from .messages import problem_html, unbroken
from .painter import regions_in
from .photos import photos_in

MANY = 12
"""Pictures beyond which an order has to be confirmed: another press costs nothing, a slip much."""
_TOLD = 6  # wordings that are shown
_SHORT = 60  # characters of each


def told_below(service: Service) -> list[str]:
    """What stands below a run button: what the order will be and cost, and how many pictures may be ordered."""
    return ["estimate"] + ["left"] * bool(service.quota)


def planned(form: Form, given: Given) -> Sequence[ImageRequest]:
    """The requests of an order without paint, with stand-ins for what is not there yet.

    Raises:
        InvalidRequest: they are too many, or something of them can't be asked for.
    """
    kind, fields = form.request_type.kind, {**given.fields, "catalog": form.catalog}
    if not given.words.strip():
        fields["prompt"] = "…"
    photos = len(photos_in(given.values.get("photos")))
    return expand(kind, [STAND_IN] * NEEDED[kind], given.values["n"], given.axes, fields, max(1, photos))


def question(service: Service, requests: Sequence[ImageRequest], language: str) -> str:
    """What the run button asks before an order of that many is placed: "Press again: 40 pictures · ≈ 8.00 ¥"."""
    parts = _parts(service, [(request.model, request.n) for request in requests], language)
    return translate(language, "confirm_many", order=" · ".join(parts))


def asking(form: Form, question: str = "") -> Updates:
    """The run button with this question, which tells all that the line below it does, or with its own text."""
    button = gr.update(value=question, size="md") if question else gr.update(value=form.run.value, size="lg")
    return {form.run: button, form.below["estimate"]: gr.update(visible=not question)}


def wire_plan(demo: gr.Blocks, service: Service, form: Form) -> None:
    """Keep true what is told of the order beside what it is made of, and take back what was asked of another one."""

    def tell(http: gr.Request, **values: Any) -> Updates:
        language, given = language_of(http), form.given(values)
        line = wordings = ""
        try:
            many = given.wordings if len(given.wordings) > 1 else ()
            wordings = _wordings_html(many, language) if many else ""
            if given.painted and not values.get("photos"):
                ordered = [(given.model.name, values["n"] * regions_in(values["painted"]))]
            else:
                ordered = [(request.model, request.n) for request in planned(form, given)]
            plain = not given.axes.named and not values.get("photos")
            parts = _parts(service, ordered, language)[plain:]
            line = f"<p>{escape(' · '.join(parts))}</p>" if parts else ""
        except InvalidRequest as error:
            if error.problem in ("too_many_wordings", "too_many_pictures"):
                wordings = problem_html(error, language)
        told: Updates = {form.below["estimate"]: gr.update(value=line, visible=True), form.wordings: wordings}
        return {**asking(form), **told, form.compare.fold: gr.update(label=label(given, language))}

    changes = [demo.load, form.several.change, form.model.change, form.n.change, form.size.change]
    changes += [*(part.change for part in form.compare.parts().values()), *(part.input for part in form.drawn.values())]
    outputs = [form.run, form.below["estimate"], form.wordings, form.compare.fold]
    latest = {"preprocess": False, "trigger_mode": "always_last"}
    on(changes, tell, inputs_kwargs=form.inputs(), outputs=outputs, **latest)
    # While a prompt stands for itself alone, nobody is asked at each letter.
    words = [form.prompt, form.compare.lines]
    on([form.prompt.change, form.compare.lines.input], None, inputs=words, outputs=form.several, js="page.several")


def _parts(service: Service, ordered: Sequence[tuple[str, int]], language: str) -> list[str]:
    """How many pictures, and what they cost as far as that is known."""
    prices = service.ledger.prices
    costs = [(pictures, prices.cost(model, pictures)) for model, pictures in ordered]
    known = [cost for _, cost in costs if cost is not None]
    unknown = sum(pictures for pictures, cost in costs if cost is None)
    parts = [unbroken(translate(language, "many_pictures", count=sum(pictures for pictures, _ in costs)))]
    if known:
        cost = unbroken(f"≈ {prices.written(math.fsum(known))}")
        parts.append(translate(language, "partly_priced", cost=cost, count=unknown) if unknown else cost)
    return parts


def _wordings_html(wordings: Sequence[str], language: str) -> str:
    """What a prompt stands for: how many, and how the first few differ."""
    shorts = [escape(shorten(text, _SHORT)) for text in differences(wordings)]
    told = [f'<span title="{escape(whole)}">{short}</span>' for whole, short in zip(wordings, shorts, strict=True)]
    names = " · ".join(told[:_TOLD] + ["…"] * (len(wordings) > _TOLD))
    return f'<p role="status">{translate(language, "many_prompts", count=len(wordings), names=names)}</p>'
