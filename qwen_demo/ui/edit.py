"""The second tab: one picture, changed by words, step after step."""

import asyncio
import secrets

import gradio as gr

from ..api.errors import InvalidRequest
from ..api.requests import ImageEdit
from ..i18n import translate
from ..service import Service
from .controls import controls, takes_addresses
from .events import Updates, language_of, on, visitor
from .examples import EDIT
from .form import Form
from .messages import problem_html, status_html
from .painter import Painter, painted_in
from .photos import Photos
from .plan import told_below
from .run import wire_run
from .slot import Slot
from .words import quick_edits

_VALUES = ("photo", "original", "size", "address", "regions", "sees", "edge", "of", "box")
"""What a painter's value is made of."""


def edit_tab(demo: gr.Blocks, service: Service) -> Form:
    """Build the tab, inside the caller's `gr.Tab`."""
    with controls(service, ImageEdit):
        slot = Slot("edit-image", "field_image", height=232, addresses=takes_addresses(service, ImageEdit))
        models = service.engine.catalog.doing(ImageEdit.kind)
        photos = Photos()
        slot.photos = photos.part
        slot.painter = Painter(max((model.max_prompt for model in models), default=0))
        words = "prompt_edit_hint", "run_edit", "size_auto_info"
        form = Form(
            "edit",
            ImageEdit,
            service.engine.catalog,
            EDIT,
            *words,
            slots=[slot],
            note=quick_edits(),
            below=told_below(service),
        )
    photos.wire(form.background)
    slot.painter.wire(service)
    wire_run(demo, service, form)
    _wire_apply(service, form, slot.painter)
    return form


def _wire_apply(service: Service, form: Form, painter: Painter) -> None:
    """Bind the painter's button that applies other paint to an answer that is here already."""

    async def apply(value: object, http: gr.Request) -> Updates:
        who, language = visitor(http), language_of(http)
        # The turn ends the painter's waiting, whatever came of it; nothing else of what the browser sent goes back.
        told = {name: value[name] for name in _VALUES if name in value} if isinstance(value, dict) else {}
        told["turn"] = secrets.token_hex(4)
        entry = await asyncio.to_thread(service.library(who.name).find, str(told.get("of")))
        try:
            if entry is None:
                raise InvalidRequest("image", "picture_gone", "")
            made = await service.apply_again(entry, painted_in(told) or {}, who)
        except Exception as error:  # noqa: BLE001 - the last door: whatever it was, it is said where one looks
            return {form.status: problem_html(error, language), painter.part: told}
        said = status_html(translate(language, "applied_again"))
        return {form.status: said, painter.part: {**told, "of": made.id}}

    on(painter.part.apply, apply, inputs=painter.part, outputs=[form.status, painter.part])
