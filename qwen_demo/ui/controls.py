"""The controls that the tabs share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from ..api import catalog
from ..api.catalog import Model, Task
from ..i18n import translate
from .events import language_of, on
from .messages import t

AUTO = "auto"
"""The size radio's value for "none chosen": Gradio can't tell a choice of None from no choice."""


STYLES = ("oil", "watercolour", "photo", "ink", "render", "pixel")
NEGATIVES = ("quality", "anatomy", "text")


@dataclass(frozen=True)
class Beside:
    """What stands beside the controls: the colour behind what is transparent, and the prompts used lately."""

    background: gr.ColorPicker | None
    recent: gr.Dropdown


@dataclass(frozen=True)
class Controls:
    """The controls every tab has."""

    prompt: gr.Textbox
    negative: gr.Textbox
    model: gr.Dropdown
    size: gr.Radio
    count: gr.Slider
    seed: gr.Slider
    random_seed: gr.Checkbox
    watermark: gr.Checkbox
    optimize: gr.Checkbox
    format: gr.Radio


def common_controls(
    prefix: str, task: Task, hint: str, chips: Callable[[], None], *, auto_info: str | None = None
) -> tuple[Controls, Beside]:
    """The controls of one tab, top to bottom, with example chips under the prompt.

    `auto_info` is for tabs with pictures: it adds the size "Auto" and says what it means, and the colour behind what is
    transparent.
    """
    models = catalog.models_for(task)
    prompt = _counted(
        catalog.MAX_PROMPT,
        label=t("field_prompt"),
        placeholder=t(hint),
        lines=4,
        max_lines=12,
        elem_id=f"{prefix}-prompt",
        elem_classes="prompt",
    )
    chips()
    negative = _counted(
        catalog.MAX_NEGATIVE_PROMPT,
        label=t("field_negative_prompt"),
        placeholder=t("negative_hint"),
        lines=1,
        max_lines=4,
        elem_id=f"{prefix}-negative",
    )
    with gr.Accordion(t("ideas"), open=False, elem_id=f"{prefix}-ideas", elem_classes="accordion"):
        recent = gr.Dropdown([], label=t("recent"), elem_id=f"{prefix}-recent")
        _adding(prompt, t("style_presets"), [f"style_{name}" for name in STYLES])
        _adding(negative, t("negative_presets"), [f"negative_{name}" for name in NEGATIVES])
    size = gr.Radio(
        **sizes_of(models[0], auto=bool(auto_info)),
        label=t("field_size"),
        info=t(auto_info) if auto_info else None,
        elem_id=f"{prefix}-size",
        elem_classes="shapes",
    )
    # The names of models begin alike: cut short they could not be told apart.
    model = gr.Dropdown(
        [model.name for model in models], value=models[0].name, label=t("field_model"), elem_id=f"{prefix}-model"
    )
    with gr.Row():
        count = gr.Slider(
            1,
            catalog.MAX_PICTURES,
            value=1,
            step=1,
            label=t("field_n"),
            min_width=0,
            buttons=[],
            elem_classes="pictures",
            elem_id=f"{prefix}-count",
        )
        with gr.Column(elem_classes="switches", min_width=0):
            optimize = gr.Checkbox(value=True, label=t("field_optimize_prompt"), elem_id=f"{prefix}-optimize")
            watermark = gr.Checkbox(value=False, label=t("field_watermark"), elem_id=f"{prefix}-watermark")
    seed = gr.Slider(0, catalog.MAX_SEED, value=0, step=1, label=t("field_seed"), buttons=[], elem_id=f"{prefix}-seed")
    with gr.Row(elem_classes="seed-row"):
        random_seed = gr.Checkbox(value=True, label=t("random_seed"), min_width=0, elem_id=f"{prefix}-random-seed")
        one_more = gr.Button(t("next_seed"), size="sm", min_width=0, elem_id=f"{prefix}-next-seed")
    with gr.Accordion(t("advanced"), open=False, elem_classes="accordion"):
        format = gr.Radio(
            [(t(f"response_format_{name}"), name) for name in catalog.RESPONSE_FORMATS],
            value=catalog.RESPONSE_FORMATS[0],
            label=t("field_response_format"),
            elem_id=f"{prefix}-format",
        )
        background = None
        if auto_info:
            background = gr.ColorPicker(
                value="#ffffff", label=t("background"), info=t("background_info"), elem_id=f"{prefix}-background"
            )

    def follow_model(name: str, before: str) -> tuple[Any, Any]:
        chosen = catalog.find_model(name, task) or models[0]
        kept = before if before in chosen.size_names else None
        sizes = sizes_of(chosen, kept, auto=bool(auto_info))
        return gr.update(**sizes), gr.update(interactive=chosen.rewrites)

    # Only where a visitor chooses: what fills the form sets these too. Gradio may not know yet that there is this size.
    on(model.input, follow_model, inputs=[model, size], outputs=[size, optimize], preprocess=False)
    on(recent.input, None, inputs=recent, outputs=prompt, js="page.same")
    on(one_more.click, None, inputs=seed, outputs=[seed, random_seed], js=f"page.nextSeed({catalog.MAX_SEED})")
    # Whoever moves the slider wants this seed.
    on(seed.input, None, outputs=random_seed, js="page.off")
    controls = Controls(prompt, negative, model, size, count, seed, random_seed, watermark, optimize, format)
    return controls, Beside(background, recent)


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


def _counted(limit: int, **options: Any) -> gr.Textbox:
    """A text with a live count beside its label, the way Python and the API count: an emoji is one."""
    counter = gr.HTML(f"<span>0/{limit}</span>", elem_classes="counter")
    text = gr.Textbox(**options)
    on(text.change, None, inputs=text, outputs=counter, js=f"page.counted({limit})")
    return text


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
