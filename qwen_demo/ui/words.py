"""Words at hand: what stands below "Ideas" in every tab, and the edits that take one click."""

from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from ..i18n import translate
from .events import language_of, on
from .messages import t
from .parts import part

STYLES = ("oil", "watercolour", "photo", "ink", "render", "pixel")
NEGATIVES = ("quality", "anatomy", "text")
QUICK = ("background", "restore", "season", "left", "right", "close", "above", "text")


def draw_ideas(tab: str, prompt: gr.Textbox, negative: gr.Textbox | None) -> gr.Dropdown:
    """What folds out below a prompt, drawn at this place: recent and saved prompts, styles, what is mostly unwanted.

    Returns:
        The recent prompts, which the page fills.
    """
    with gr.Accordion(t("ideas"), open=False, elem_id=f"{tab}-ideas", elem_classes="accordion"):
        recent = gr.Dropdown([], label=t("recent"), elem_id=f"{tab}-recent")
        part("saved", elem_id=f"{tab}-saved", elem_classes="saved")
        _adding(prompt, t("style_presets"), [f"style_{name}" for name in STYLES])
        if negative:
            _adding(negative, t("negative_presets"), [f"negative_{name}" for name in NEGATIVES])
    on(recent.input, None, inputs=recent, outputs=prompt, js="page.same")
    return recent


def quick_edits() -> gr.HTML:
    """A row of edits that take one click, to be rendered below a prompt."""
    return part("quick", elem_classes="quick", edits=QUICK, render=False)


def _adding(text: gr.Textbox, label: I18nData, keys: list[str]) -> None:
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
