"""The first tab: a picture from words."""

import gradio as gr

from ..api.requests import TextToImage
from ..service import Service
from .actions import actions
from .controls import common_controls
from .examples import TEXT_TO_IMAGE, Chips
from .form import Form
from .results import Results


def text_to_image_tab(demo: gr.Blocks, service: Service) -> tuple[Form, Results]:
    """Build the tab, inside the caller's `gr.Tab`."""
    chips = Chips(TEXT_TO_IMAGE)
    with gr.Row(elem_classes="studio"):
        with gr.Column(elem_classes="controls", min_width=0):
            controls, beside = common_controls("text", "generations", "prompt_text_hint", chips.draw)
            acting = actions("text", "run")
        form = Form("text", TextToImage, controls)
        with gr.Column(elem_classes="results", min_width=0):
            results = Results(service, form, acting)
    chips.wire(form)
    results.wire(demo, beside.recent)
    return form, results
