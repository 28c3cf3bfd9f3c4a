"""The second tab: one picture, changed by words, step after step."""

import gradio as gr

from ..api.requests import ImageEdit
from ..service import Service
from .examples import EDIT
from .form import Form, controls, takes_addresses
from .painter import Painter
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
    return form
