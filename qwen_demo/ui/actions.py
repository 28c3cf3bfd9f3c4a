"""The way to run, the same in every tab and always in view."""

from dataclasses import dataclass

import gradio as gr

from .messages import status_html, t


@dataclass(frozen=True)
class Actions:
    """Run and cancel, with the line that says how it goes."""

    run: gr.Button
    cancel: gr.Button
    status: gr.HTML
    estimate: gr.HTML
    """What the order will cost, where a price is known."""
    left: gr.HTML
    """How many pictures the visitor may still order, where that is limited."""


def actions(prefix: str, run_label: str) -> Actions:
    """Run, cancel and status of one tab."""
    with gr.Column(elem_classes="actions", min_width=0):
        with gr.Row():
            run = gr.Button(
                t(run_label),
                variant="primary",
                size="lg",
                scale=3,
                min_width=0,
                elem_id=f"{prefix}-run",
                elem_classes="run",
            )
            cancel = gr.Button(
                t("cancel"),
                size="lg",
                scale=1,
                min_width=0,
                interactive=False,
                elem_id=f"{prefix}-cancel",
                elem_classes="cancel",
            )
        with gr.Row():
            status = gr.HTML(status_html(""), elem_id=f"{prefix}-status", elem_classes="status")
            estimate = gr.HTML("", elem_id=f"{prefix}-estimate", elem_classes="estimate")
            left = gr.HTML("", elem_id=f"{prefix}-left", elem_classes="estimate")
    return Actions(run, cancel, status, estimate, left)
