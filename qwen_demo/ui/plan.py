"""What an order will be, told before it is placed: its wordings, how many pictures, what they cost and what is left."""

from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr

from ..api.errors import InvalidRequest, shorten
from ..api.requests import NEEDED, STAND_IN, ImageRequest
from ..axes import expand
from ..i18n import translate
from ..service import Service
from .events import Updates, language_of, on, visitor
from .form import Form
from .given import Given
from .messages import problem_html
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


async def question(service: Service, requests: Sequence[ImageRequest], http: gr.Request) -> str:
    """What is asked before an order of that many is placed: "40 pictures · 8.00 ¥ · 12 left. Press again …"."""
    language, left = language_of(http), await service.left(visitor(http))
    parts = _parts(service, [(request.model, request.n) for request in requests], language)
    parts += [] if left is None else [translate(language, "quota_left", count=left)]
    return translate(language, "confirm_many", order=" · ".join(parts))


def wire_plan(demo: gr.Blocks, service: Service, form: Form, ran: Any) -> None:
    """Keep what is told below the prompt and the run button true, which `ran` is the end of."""

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
        return {form.below["estimate"]: line, form.wordings: wordings}

    async def left(http: gr.Request) -> str:
        count = await service.left(visitor(http))
        return "" if count is None else f"<p>{escape(translate(language_of(http), 'quota_left', count=count))}</p>"

    changes = [demo.load, form.several.change, form.model.change, form.n.change, form.size.change]
    changes += [part.input for part in (*form.compare.parts().values(), *form.drawn.values())]
    outputs = [form.below["estimate"], form.wordings]
    latest = {"preprocess": False, "trigger_mode": "always_last"}
    on(changes, tell, inputs_kwargs=form.inputs(), outputs=outputs, **latest)
    # While a prompt stands for itself alone, nobody is asked at each letter.
    words = [form.prompt, form.compare.lines]
    on([form.prompt.change, form.compare.lines.input], None, inputs=words, outputs=form.several, js="page.several")
    if shown := form.below.get("left"):
        for moment in (demo.load, ran.then):
            on(moment, left, outputs=shown)


def _parts(service: Service, ordered: Sequence[tuple[str, int]], language: str) -> list[str]:
    """How many pictures, and what they cost where that is known."""
    prices = service.ledger.prices
    cost, count = prices.sum(ordered), sum(pictures for _, pictures in ordered)
    return [translate(language, "many_pictures", count=count), *([] if cost is None else [f"≈ {prices.written(cost)}"])]


def _wordings_html(wordings: Sequence[str], language: str) -> str:
    """What a prompt stands for: how many, and the first few."""
    told = [shorten(text, _SHORT) for text in wordings[:_TOLD]] + ["…"] * (len(wordings) > _TOLD)
    count = translate(language, "many_prompts", count=len(wordings))
    return f'<p role="status">{escape(count)}: {escape(" · ".join(told))}</p>'
