"""The first tab: a picture from words."""

import gradio as gr

from ..api.requests import TextToImage
from ..service import Service
from .controls import controls
from .examples import TEXT_TO_IMAGE
from .form import Form
from .plan import told_below
from .run import wire_run


def text_to_image_tab(demo: gr.Blocks, service: Service) -> Form:
    """Build the tab, inside the caller's `gr.Tab`."""
    catalog = service.engine.catalog
    with controls(service, TextToImage):
        form = Form("text", TextToImage, catalog, TEXT_TO_IMAGE, "prompt_text_hint", "run", below=told_below(service))
    wire_run(demo, service, form)
    return form
