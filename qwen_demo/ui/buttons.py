"""A button as the page has many."""

from typing import Any

import gradio as gr
from gradio.i18n import I18nData


def small_button(label: I18nData | str, elem_id: str | None = None, **options: Any) -> gr.Button:
    """A button that is as wide as its words."""
    return gr.Button(label, size="sm", min_width=0, elem_id=elem_id, **options)
