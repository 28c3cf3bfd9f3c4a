"""What a newcomer can try with one click: the samples of the API's page, and some with photos that are shipped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from ..api import catalog
from ..i18n import translate
from ..recipe import Recipe
from .events import Updates, language_of, on
from .form import Form
from .messages import t

PHOTOS = Path(__file__).parent / "photos"
_SAMPLES = "https://help-static-aliyun-doc.aliyuncs.com/file-manage-files/zh-CN/20250925"


@dataclass(frozen=True)
class Example:
    """A click's worth of input: the words stand in the locales as `example_{key}`, `…_prompt`, `…_negative`."""

    key: str
    size: str | None = None
    seed: int | None = None
    negative: bool = False
    watermark: bool = False
    pictures: tuple[str, ...] = ()


TEXT_TO_IMAGE = (
    Example("text_cat", negative=True),
    Example("text_zoo", size="1664x928", seed=12345, negative=True),
    Example("text_garden", size="1140x1472", negative=True),
)
EDIT = (
    Example("edit_cat", pictures=("chelsea.png",)),
    Example("edit_coffee", pictures=("coffee.png",)),
    Example("edit_bicycle", size="1328x1328", negative=True, pictures=(f"{_SAMPLES}/fpakfo/image36.webp",)),
)
FUSION = (
    Example("fusion_space", pictures=("astronaut.png", "coffee.png", "rocket.jpg")),
    Example("fusion_pets", pictures=("astronaut.png", "chelsea.png")),
    Example(
        "fusion_dress",
        size="1328x1328",
        watermark=True,
        pictures=(f"{_SAMPLES}/thtclx/input1.png", f"{_SAMPLES}/iclsnx/input2.png", f"{_SAMPLES}/gborgw/input3.png"),
    ),
)


class Chips:
    """A row of buttons under the prompt, each fills the form. Drawn first, wired once the form is there."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples
        self._buttons: list[gr.Button] = []

    def draw(self) -> None:
        """Add the row at this place of the page."""
        with gr.Row(elem_classes="chips"):
            self._buttons = [gr.Button(t(f"example_{example.key}"), size="sm") for example in self._examples]

    def wire(self, form: Form) -> None:
        """Let each button fill the form."""
        for button, example in zip(self._buttons, self._examples, strict=True):
            on(button.click, _filler(example, form), outputs=form.outputs())


def _filler(example: Example, form: Form) -> Callable[[gr.Request], Updates]:
    def fill(http: gr.Request) -> Updates:
        language, key = language_of(http), f"example_{example.key}"
        recipe = Recipe(
            kind=form.request_type.kind,
            prompt=translate(language, f"{key}_prompt"),
            negative_prompt=translate(language, f"{key}_negative") if example.negative else None,
            model=catalog.models_for(form.request_type.task)[0].name,
            size=example.size,
            seed=example.seed,
            watermark=example.watermark,
        )
        pictures = [name if name.startswith("https://") else PHOTOS / name for name in example.pictures]
        return form.fill(recipe, pictures)

    return fill
