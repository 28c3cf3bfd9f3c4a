"""From the run button to the order, the same in every tab. How it goes on, the feed tells."""

import asyncio
from typing import Any

import gradio as gr

from ..api import catalog
from ..api.checks import whole
from ..api.errors import InvalidRequest
from ..inpaint import regions_of
from ..service import Service, draw_seed
from .events import Updates, language_of, on, visitor
from .form import Form
from .messages import problem_html, status_html
from .photos import photos_of
from .plan import MANY, asking, planned, question, wire_plan
from .slot import colour


def wire_run(demo: gr.Blocks, service: Service, form: Form) -> None:
    """Bind a form's run button, and what is told of its order before and after."""
    for slot in form.slots:
        slot.wire(service, form.background)
    for chip, example in zip(form.chips, form.examples, strict=True):
        on(chip.click, form.filler(example), outputs=form.outputs())

    async def run(http: gr.Request, pressed: object, **values: Any) -> Updates:
        values["seed"] = draw_seed() if values["random_seed"] else values["seed"]
        told: Updates = {form.seed: values["seed"], form.status: status_html(""), **asking(form)}
        try:
            given, who, background = form.given(values), visitor(http), colour(values["background"])
            photos = await photos_of(service, values.get("photos"), who, background)
            painted = None if photos else given.painted
            if not painted:  # with paint an order has six at most
                requests = planned(form, given)
                asked = question(service, requests, language_of(http))
                if sum(request.n for request in requests) > MANY and pressed != asked:
                    await service.admit(requests, who)  # what can't be ordered needs no second press
                    return {**told, **asking(form, asked)}
            regions = await asyncio.to_thread(regions_of, painted) if painted else ()
            original = given.original if painted else None
            await service.order_from(
                form.request_type.kind,
                [original] if original else [] if photos else given.sources,
                values["n"],
                who,
                background,
                regions,
                axes=given.axes,
                photos=photos,
                words=given.words if given.axes.prompt else "",
                lines=given.lines,
                **given.fields,
            )
        except Exception as error:  # noqa: BLE001 - the last door: whatever it was, it is said where one looks
            told[form.status] = problem_html(error, language_of(http))
        return told

    on(
        form.run.click,
        run,
        inputs_kwargs={**form.inputs(), "pressed": form.run},  # as it was read
        outputs=[form.seed, form.status, *asking(form)],
        # Gradio's own checks would open uploads with every parser it has, and refuse in its words. Ours do both.
        preprocess=False,
        concurrency_limit=None,
        trigger_mode="multiple",  # it never locks; the page takes a double click for one
    )
    asked = [demo.load, form.run.click]
    on(asked, None, inputs=form.prompt, outputs=form.recent, js=f"page.keepPrompt('{form.tab}')")
    wire_plan(demo, service, form)
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
