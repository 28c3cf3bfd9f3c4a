"""What the tabs' controls are made of."""

from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from ..i18n import translate
from .events import language_of, on
from .messages import t

STYLES = ("oil", "watercolour", "photo", "ink", "render", "pixel")
NEGATIVES = ("quality", "anatomy", "text")


def small_button(label: I18nData | str, elem_id: str | None = None, **options: Any) -> gr.Button:
    """A button that is as wide as its words."""
    return gr.Button(label, size="sm", min_width=0, elem_id=elem_id, **options)


def adding(text: gr.Textbox, label: I18nData, keys: list[str]) -> None:
    """A row of choices, each adds its words to a text, unless they are there."""
    choices: list[tuple[Any, str]] = [(t(key), f"{key}_words") for key in keys]
    chosen = gr.Radio(choices, value=None, label=label, elem_classes="adding")

    def add(key: str, before: str, http: gr.Request) -> tuple[str, None]:
        language = language_of(http)
        words = translate(language, key)
        if words in before:
            return before, None
        return before.rstrip() + translate(language, "comma") + words if before.strip() else words, None

    on(chosen.input, add, inputs=[chosen, text], outputs=[text, chosen])
