"""A tab's form: its controls, what an order reads of them, and what an example, a recipe or another picture fills."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.components import Component

from ..api import catalog
from ..api.requests import ImageRequest
from ..i18n import translate
from ..library import Entry
from ..recipe import Recipe
from .controls import AUTO, NEGATIVES, STYLES, adding, counted, sizes_of, small_button
from .events import Updates, language_of, on
from .examples import Example
from .files import uploaded
from .messages import t
from .slot import Slot, Upload

Part = TypeVar("Part", bound=Component)

CONTROLS = (
    *("prompt", "negative_prompt", "model", "size", "n"),
    *("seed", "random_seed", "watermark", "optimize_prompt", "response_format"),
)
"""The controls of every form: what a request has, by the API's names, and whether its seed is drawn."""
SENT = tuple(name for name in CONTROLS if name not in ("n", "random_seed"))
"""Those that every request of an order has as they are; how many pictures, the order says."""


class Form:
    """The left side of a tab, drawn at this place: the controls, and the way to run, which is always in view.

    Args:
        tab: the tab's id, and the prefix of its elements' ids.
        request_type: the request it makes.
        examples: each becomes a button that fills the form.
        hint: the text that says what to write.
        run: the text of the run button.
        auto_info: the text that says what the size "Auto" means.
        slots: its picture slots, drawn above. With them there is that size, and the colour behind what is transparent.
        note: a line that is placed below the prompt.
        below: what is told below the run button besides, by the ids.
    """

    def __init__(
        self,
        tab: str,
        request_type: type[ImageRequest],
        examples: Sequence[Example],
        hint: str,
        run: str,
        auto_info: str = "",
        *,
        slots: Sequence[Slot] = (),
        note: gr.HTML | None = None,
        below: Sequence[str] = (),
    ) -> None:
        self.tab, self.request_type, self.slots, self.examples = tab, request_type, slots, examples
        self._models = catalog.models_for(request_type.task)

        def part(kind: Callable[..., Part], name: str, label: str, *args: Any, **options: Any) -> Part:
            return kind(*args, label=t(label), elem_id=f"{tab}-{name}", **options)

        words = partial(part, counted, placeholder=t(hint), lines=4, max_lines=12, elem_classes="prompt")
        self.prompt = words("prompt", "field_prompt", catalog.MAX_PROMPT)
        if note:
            note.render()  # type: ignore[no-untyped-call]
        with gr.Row(elem_classes="chips"):
            chips = [small_button(t(f"example_{example.key}")) for example in examples]
        words = partial(part, counted, placeholder=t("negative_hint"), lines=1, max_lines=4)
        self.negative_prompt = words("negative", "field_negative_prompt", catalog.MAX_NEGATIVE_PROMPT)
        with gr.Accordion(t("ideas"), open=False, elem_id=f"{tab}-ideas", elem_classes="accordion"):
            self.recent = part(gr.Dropdown, "recent", "recent", [])
            adding(self.prompt, t("style_presets"), [f"style_{name}" for name in STYLES])
            adding(self.negative_prompt, t("negative_presets"), [f"negative_{name}" for name in NEGATIVES])
        sizes = sizes_of(self._models[0], auto=bool(slots))
        info = t(auto_info) if auto_info else None
        self.size = part(gr.Radio, "size", "field_size", info=info, elem_classes="shapes", **sizes)
        # The names of models begin alike: cut short they could not be told apart.
        names = [model.name for model in self._models]
        self.model = part(gr.Dropdown, "model", "field_model", names, value=names[0], elem_classes="model")
        whole = partial(part, gr.Slider, step=1, buttons=[])
        self.n = whole("count", "field_n", 1, catalog.MAX_PICTURES, min_width=0, elem_classes="pictures")
        switch = partial(part, gr.Checkbox, min_width=0, elem_classes="switch")
        self.optimize_prompt = switch("optimize", "field_optimize_prompt", value=True)
        self.watermark = switch("watermark", "field_watermark")
        self.seed = whole("seed", "field_seed", 0, catalog.MAX_SEED, elem_classes="seed")
        self.random_seed = switch("random-seed", "random_seed", value=True)
        one_more = small_button(t("next_seed"), f"{tab}-next-seed", elem_classes="next-seed")
        with gr.Accordion(t("advanced"), open=False, elem_classes="accordion"):
            formats = [(t(f"response_format_{name}"), name) for name in catalog.RESPONSE_FORMATS]
            self.response_format = part(gr.Radio, "format", "field_response_format", formats, value=formats[0][1])
            info = t("background_info")
            self.background = part(
                gr.ColorPicker, "background", "background", value="#ffffff", info=info, visible=bool(slots)
            )
        self._draw_actions(run, below)

        # Only where a visitor chooses: what fills the form sets these too.
        on(
            self.model.input,
            self._follow_model,
            inputs=[self.model, self.size],
            outputs=[self.size, self.optimize_prompt],
            preprocess=False,  # Gradio may not know yet that there is this size
        )
        on(self.recent.input, None, inputs=self.recent, outputs=self.prompt, js="page.same")
        seeds = [self.seed, self.random_seed]
        on(one_more.click, None, inputs=self.seed, outputs=seeds, js=f"page.nextSeed({catalog.MAX_SEED})")
        # Whoever moves the slider wants this seed.
        on(self.seed.input, None, outputs=self.random_seed, js="page.off")
        for button, example in zip(chips, examples, strict=True):
            on(button.click, self._filler(example), outputs=self.outputs())

    def _draw_actions(self, run: str, below: Sequence[str]) -> None:
        def line(name: str, kind: str) -> gr.HTML:
            return gr.HTML("", elem_id=f"{self.tab}-{name}", elem_classes=kind)

        with gr.Column(elem_classes="actions", min_width=0):
            self.run = gr.Button(t(run), variant="primary", size="lg", elem_id=f"{self.tab}-run", elem_classes="run")
            self.status = line("status", "status")
            self.below = {name: line(name, "estimate") for name in below}

    def controls(self) -> dict[str, Component]:
        return {name: getattr(self, name) for name in CONTROLS}

    def inputs(self) -> dict[str, Component]:
        """All that an order reads, by the names of what a handler is `given`."""
        places = {
            f"{name}_{at}": getattr(slot, name) for at, slot in enumerate(self.slots) for name in ("image", "address")
        }
        return {**self.controls(), **places, "background": self.background}

    def outputs(self) -> list[Component]:
        """All that `fill` may change."""
        return [*self.controls().values(), *(part for slot in self.slots for part in slot.outputs())]

    def held(self, given: Mapping[str, Any]) -> list[tuple[Upload, str]]:
        """The picture and the address of each slot."""
        return [(given[f"image_{at}"], given[f"address_{at}"]) for at in range(len(self.slots))]

    def sources(self, given: Mapping[str, Any]) -> list[Path | str]:
        """The reference pictures: an upload, an address, or "" for an empty slot.

        Raises:
            InvalidRequest: an upload is not there any more.
        """
        sources = [_source(*held) for held in self.held(given)]
        while sources and not sources[-1]:  # an empty slot in between stays: it would renumber those after it
            sources.pop()
        return sources

    def fields(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the request has besides, by its names."""
        sent = {name: given[name] for name in SENT}
        sent["size"] = None if given["size"] == AUTO else given["size"]
        sent["negative_prompt"] = given["negative_prompt"] or None
        return sent

    def fill(self, recipe: Recipe, pictures: Sequence[Entry | Path | str | None] = (), *, seed: bool = True) -> Updates:
        """Every control to the recipe's value, the slots to these pictures. What the catalog doesn't know stays.

        Without `seed` the form's own stays, drawn or chosen.
        """
        model = catalog.find_model(recipe.model, self.request_type.task)
        sizes = sizes_of(model or self._models[0], recipe.size, auto=bool(self.slots))
        optimize = recipe.optimize_prompt is not False
        updates: Updates = {
            self.prompt: recipe.prompt,
            self.negative_prompt: recipe.negative_prompt or "",
            self.model: model.name if model else gr.skip(),
            self.size: gr.update(**sizes) if model else sizes["value"],
            self.n: recipe.n,
            self.seed: recipe.seed if seed and recipe.seed is not None else gr.skip(),
            self.random_seed: recipe.seed is None if seed else gr.skip(),
            self.watermark: bool(recipe.watermark),
            self.optimize_prompt: gr.update(value=optimize, interactive=model.rewrites) if model else optimize,
            self.response_format: recipe.response_format,
        }
        for slot, picture in zip_longest(self.slots, pictures[: len(self.slots)]):
            updates |= slot.fill(picture)
        return updates

    def fill_example(self, example: Example, language: str) -> Updates:
        """Every control as the example has it."""
        key = f"example_{example.key}"
        recipe = Recipe(
            kind=self.request_type.kind,
            prompt=translate(language, f"{key}_prompt"),
            negative_prompt=translate(language, f"{key}_negative") if example.negative else None,
            model=self._models[0].name,
            size=example.size,
            seed=example.seed,
            watermark=example.watermark,
        )
        return self.fill(recipe, example.pictures)

    def _filler(self, example: Example) -> Callable[[gr.Request], Updates]:
        def fill(http: gr.Request) -> Updates:
            return self.fill_example(example, language_of(http))

        return fill

    def _follow_model(self, name: str, before: str) -> tuple[Any, Any]:
        chosen = catalog.find_model(name, self.request_type.task) or self._models[0]
        kept = before if before in chosen.size_names else None
        sizes = sizes_of(chosen, kept, auto=bool(self.slots))
        return gr.update(**sizes), gr.update(interactive=chosen.rewrites)

    def free_slot(self, given: Mapping[str, Any]) -> Slot | None:
        """The first slot with nothing in it."""
        return next((slot for slot, held in zip(self.slots, self.held(given), strict=True) if not any(held)), None)


def _source(image: Upload, address: object) -> Path | str:
    typed = address.strip() if isinstance(address, str) else ""
    return typed or (uploaded(image) if image else "")
