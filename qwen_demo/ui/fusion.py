"""The third tab: two or three pictures become one."""

import gradio as gr

from ..api import catalog
from ..api.requests import ImageFusion
from ..service import Service
from .actions import actions
from .bench import Bench
from .controls import common_controls
from .examples import FUSION, Chips
from .form import Form, picture_slot
from .order import Order


def fusion_tab(demo: gr.Blocks, service: Service) -> tuple[Form, Order]:
    """Build the tab, inside the caller's `gr.Tab`."""
    chips = Chips(FUSION)

    def below_prompt() -> None:
        bench.draw_check()
        chips.draw()

    with gr.Row(elem_classes="studio"):
        with gr.Column(elem_classes="controls", min_width=0):
            with gr.Row(elem_classes="slots"):
                numbers = range(1, catalog.MAX_REFERENCES + 1)
                slots = [picture_slot(f"fusion-image-{n}", f"field_image_{n}", height=120) for n in numbers]
            bench = Bench(slots)
            controls, beside = common_controls(
                "fusion", "edits", "prompt_fusion_hint", below_prompt, auto_info="size_auto_info_fusion"
            )
            acting = actions("fusion", "run_fusion")
        form = Form("fusion", ImageFusion, controls, slots, beside.background)
        with gr.Column(elem_classes="results", min_width=0):
            order = Order(service, form, acting)
    form.wire(service)
    bench.wire(controls)
    chips.wire(form)
    order.wire(demo, beside.recent)
    return form, order
