"""The second tab: one picture, changed by words, step after step."""

import gradio as gr

from ..api.requests import ImageEdit
from ..service import Service
from .examples import EDIT
from .form import Form, controls, takes_addresses
from .run import told_below, wire_run
from .slot import Slot


def edit_tab(demo: gr.Blocks, service: Service) -> Form:
    """Build the tab, inside the caller's `gr.Tab`."""
    with controls(service, ImageEdit):
        slot = Slot("edit-image", "field_image", height=232, addresses=takes_addresses(service, ImageEdit))
        words = "prompt_edit_hint", "run_edit", "size_auto_info"
        form = Form("edit", ImageEdit, service.engine.catalog, EDIT, *words, slots=[slot], below=told_below(service))
    wire_run(demo, service, form)
    return form
