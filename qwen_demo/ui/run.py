"""From the run button to the order, the same in every tab. How it goes on, the feed tells."""

import asyncio
from html import escape
from typing import Any

import gradio as gr

from ..api import catalog
from ..api.errors import InvalidRequest
from ..api.requests import whole
from ..i18n import translate
from ..inpaint import regions_of
from ..service import Service, draw_seed
from .events import Updates, language_of, on, visitor
from .form import Form
from .messages import problem_html, status_html
from .painter import regions_in
from .slot import colour


def told_below(service: Service) -> list[str]:
    """What stands below a run button where it is known: the order's cost, and how many pictures may be ordered."""
    return ["estimate"] * bool(service.ledger.prices.by_model) + ["left"] * bool(service.quota)


def wire_run(demo: gr.Blocks, service: Service, form: Form) -> None:
    """Bind a form's run button, and what stands below it: what went wrong, the cost, and how many pictures are left."""
    for slot in form.slots:
        slot.wire(service, form.background)

    async def run(http: gr.Request, **given: Any) -> Updates:
        given["seed"] = draw_seed() if given["random_seed"] else given["seed"]
        told: Updates = {form.seed: given["seed"], form.status: status_html("")}
        try:
            painted = form.painted(given)
            regions = await asyncio.to_thread(regions_of, painted) if painted else ()
            original = form.original(given) if painted else None
            await service.order_from(
                form.request_type.kind,
                [original] if original else form.sources(given),
                given["n"],
                visitor(http),
                colour(given["background"]),
                regions,
                **form.fields(given),
            )
        except Exception as error:  # noqa: BLE001 - the last door: whatever it was, it is said where one looks
            told[form.status] = problem_html(error, language_of(http))
        return told

    async def left(http: gr.Request) -> str:
        count = await service.left(visitor(http))
        return "" if count is None else _line(translate(language_of(http), "quota_left", count=count))

    def estimate(model: str, n: int, painted: object = None) -> str:
        prices = service.ledger.prices
        cost = prices.cost(model, n * regions_in(painted))
        return "" if cost is None else _line(f"≈ {prices.written(cost)}")

    ran = on(
        form.run.click,
        run,
        inputs_kwargs=form.inputs(),
        outputs=[form.seed, form.status],
        # Gradio's own checks would open uploads with every parser it has, and refuse in its words. Ours do both.
        preprocess=False,
        concurrency_limit=None,
        trigger_mode="multiple",  # it never locks; the page takes a double click for one
    )
    asked = [demo.load, form.run.click]
    on(asked, None, inputs=form.prompt, outputs=form.recent, js=f"page.keepPrompt('{form.tab}')")
    if shown := form.below.get("estimate"):
        costs = {name: part for name, part in form.inputs().items() if name in ("model", "n", "painted")}
        changes = [demo.load, form.model.change, form.n.change, *([form.painter.part.input] if form.painter else [])]
        on(changes, estimate, inputs_kwargs=costs, outputs=shown, trigger_mode="always_last")
    if shown := form.below.get("left"):
        for moment in (demo.load, ran.then):
            on(moment, left, outputs=shown)
    # Gradio moves a number that was typed beyond a slider's end to that end; at least say so.
    _watch_range(form, form.n, "n", 1, catalog.MAX_PICTURES)
    _watch_range(form, form.seed, "seed", 0, catalog.MAX_SEED)


def _watch_range(form: Form, slider: gr.Slider, field: str, low: int, high: int) -> None:
    def check(value: object, told: object, http: gr.Request) -> Any:
        if value is None:  # the field is being emptied
            return gr.skip()
        try:
            whole(field, value, low, high)
        except InvalidRequest as error:
            return problem_html(error, language_of(http))
        return status_html("") if "problem" in str(told) else gr.skip()

    on(slider.input, check, inputs=[slider, form.status], outputs=form.status, preprocess=False)


def _line(text: str) -> str:
    return f"<p>{escape(text)}</p>"
