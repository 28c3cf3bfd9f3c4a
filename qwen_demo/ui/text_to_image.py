"""The first tab: a picture from words."""

import gradio as gr

from ..api.requests import TextToImage
from ..service import Service
from .examples import TEXT_TO_IMAGE
from .form import Form
from .results import Results


def text_to_image_tab(demo: gr.Blocks, service: Service) -> Results:
    """Build the tab, inside the caller's `gr.Tab`."""
    with gr.Row(elem_classes="studio"):
        with gr.Column(elem_classes="controls", min_width=0):
            form = Form("text", TextToImage, TEXT_TO_IMAGE, "prompt_text_hint", "run")
        with gr.Column(elem_classes="results", min_width=0):
            results = Results(service, form)
    results.wire(demo)
    return results
