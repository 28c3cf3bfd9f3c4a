"""What the tabs' controls are made of."""

from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from ..api.catalog import Model
from ..i18n import translate
from .events import language_of, on
from .messages import t

AUTO = "auto"
"""The size radio's value for "none chosen": Gradio can't tell a choice of None from no choice."""


STYLES = ("oil", "watercolour", "photo", "ink", "render", "pixel")
NEGATIVES = ("quality", "anatomy", "text")


def small_button(label: I18nData | str, elem_id: str | None = None, **options: Any) -> gr.Button:
    """A button that is as wide as its words."""
    return gr.Button(label, size="sm", min_width=0, elem_id=elem_id, **options)


def sizes_of(model: Model, chosen: str | None = None, *, auto: bool) -> dict[str, Any]:
    """The size radio with that model, as its options: what it offers, and the chosen one, else Auto or the default.

    "Auto" is offered where `auto` says so, and where there is nothing else.
    """
    choices: list[tuple[Any, str]] = [(size.ratio, size.name) for size in model.sizes]
    if auto or not choices:
        choices.insert(0, (t("size_auto"), AUTO))
    default = AUTO if auto else model.default_size or AUTO
    value = chosen if chosen and model.sizes else default
    return {"choices": choices, "value": value, "interactive": len(choices) > 1}


def counted(limit: int, **options: Any) -> gr.Textbox:
    """A text with a live count beside its label, the way Python and the API count: an emoji is one."""
    text = gr.Textbox(**options)
    on(text.change, None, inputs=text, js=f"page.count('{text.elem_id}', {limit})")
    return text


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
