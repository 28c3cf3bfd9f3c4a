"""The second tab: one picture, changed by words, step after step."""

import asyncio
from typing import Any

import gradio as gr

from ..api.errors import QwenDemoError
from ..api.requests import ImageEdit
from ..i18n import translate
from ..service import Service
from .events import Updates, language_of, on, visitor
from .examples import EDIT
from .form import Form, controls, takes_addresses
from .messages import problem_html, status_html
from .painter import Painter, painted_in
from .run import told_below, wire_run
from .slot import Slot


def edit_tab(demo: gr.Blocks, service: Service) -> Form:
    """Build the tab, inside the caller's `gr.Tab`."""
    with controls(service, ImageEdit):
        slot = Slot("edit-image", "field_image", height=232, addresses=takes_addresses(service, ImageEdit))
        models = service.engine.catalog.doing(ImageEdit.kind)
        slot.painter = Painter(max((model.max_prompt for model in models), default=0))
        words = "prompt_edit_hint", "run_edit", "size_auto_info"
        form = Form("edit", ImageEdit, service.engine.catalog, EDIT, *words, slots=[slot], below=told_below(service))
    slot.painter.wire()
    wire_run(demo, service, form)
    _wire_apply(service, form, slot.painter)
    return form


def _wire_apply(service: Service, form: Form, painter: Painter) -> None:
    """Bind the painter's button that applies other paint to an answer that is here already."""

    async def apply(value: dict[str, Any], http: gr.Request) -> Updates:
        who, language = visitor(http), language_of(http)
        entry = await asyncio.to_thread(service.library(who.name).find, str(value.get("of")))
        if entry is None:
            return {form.status: status_html(translate(language, "picture_gone"), problem=True)}
        try:
            made = await service.apply_again(entry, painted_in(value) or {}, who)
        except (QwenDemoError, OSError) as error:
            return {form.status: problem_html(error, language)}
        told = status_html(translate(language, "applied_again"))
        return {form.status: told, painter.part: {**value, "of": made.id if made else entry.id}}

    on(painter.part.apply, apply, inputs=painter.part, outputs=[form.status, painter.part])
