"""A tab's form: what an order reads of its controls, and what an example, a recipe or another picture fills."""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from ..call import Photo
from ..i18n import translate
from ..library import Entry
from ..recipe import Recipe
from .compare import Several
from .controls import Controls
from .events import Updates, language_of
from .examples import Example
from .given import ABILITIES, Given
from .painter import repainted
from .photos import rows_of
from .sizes import FREE, sizes_of
from .slot import Slot


class Form(Controls):
    """Controls that are read and filled."""

    def inputs(self) -> dict[str, Component]:
        """All that an order reads, by the names of what a handler is `given`."""
        places = {
            f"{name}_{at}": getattr(slot, name) for at, slot in enumerate(self.slots) for name in ("image", "address")
        }
        return {**self.controls(), **self.compare.parts(), **places, **self.drawn, "background": self.background}

    def outputs(self) -> list[Block]:
        """All that `fill` may change."""
        places = [part for slot in self.slots for part in slot.outputs()]
        drawn = [*self.controls().values(), *self.compare.parts().values()]
        depends = [part for part in self.suited(self.first) if part not in drawn]
        return [*drawn, *places, *depends]

    def given(self, values: Mapping[str, Any]) -> Given:
        """What its controls hold, by the names of `inputs`."""
        return Given(values, self.chosen(values["model"]), len(self.slots))

    def fill(
        self,
        recipe: Recipe,
        pictures: Sequence[Entry | Path | str | None] = (),
        *,
        seed: bool = True,
        painted: Mapping[str, Any] | None = None,
        several: Several | None = None,
        photos: Sequence[Photo] = (),
    ) -> Updates:
        """Every control to the recipe's value, the slots to these pictures. What the catalog doesn't know stays.

        Without `seed` the form's own stays, drawn or chosen. What was `painted` is so again, as `repainted` takes it;
        what is asked in `several` ways, and of several `photos`, is all that is.
        """
        model = self.catalog.find(recipe.model, self.request_type.kind)
        suited = model or self.first
        optimize = suited.rewrites_unasked if recipe.optimize_prompt is None else recipe.optimize_prompt
        # Of another engine, the shape counts more than the pixels.
        sizes = sizes_of(suited, recipe.size, auto=bool(self.slots), exact=model is not None)
        updates: Updates = self.suited(suited, recipe.size) if model else {self.size: sizes["value"]}
        values: Updates = {
            self.prompt: recipe.prompt,
            self.model: model.name if model else gr.skip(),
            self.n: recipe.n,
            self.seed: recipe.seed if seed and recipe.seed is not None else gr.skip(),
            self.random_seed: recipe.seed is None if seed else gr.skip(),
            self.response_format: recipe.response_format,
        }
        told: dict[str, Any] = {
            "watermark": bool(recipe.watermark),
            "negative_prompt": recipe.negative_prompt or "",
            "optimize_prompt": optimize,
            "steps": _text(recipe.steps),
            "guidance": _text(recipe.guidance),
        }
        for name, part in self.controls().items():
            if name in told:
                can = getattr(suited, ABILITIES[name])
                without = "" if isinstance(told[name], str) else False
                values[part] = gr.update(value=told[name] if can else without)
                values[part] |= {"interactive": can} if model else {}
        if self.free_size:
            by_hand = sizes["value"] == FREE
            values[self.free_size] = gr.update(value=recipe.size if by_hand else "", visible=by_hand)
        updates |= {**values, **self.compare.fill(suited, sizes["value"], several)}
        for slot, picture in zip_longest(self.slots, pictures[: len(self.slots)]):
            updates |= slot.fill(picture)
        if self.photos:
            updates[self.photos] = rows_of(photos)
        if self.painter:
            updates[self.painter.part] = repainted(updates[self.painter.part], painted)
        return updates

    def fill_example(self, example: Example, language: str) -> Updates:
        """Every control as the example has it."""
        key = f"example_{example.key}"
        recipe = Recipe(
            kind=self.request_type.kind,
            prompt=translate(language, f"{key}_prompt"),
            negative_prompt=translate(language, f"{key}_negative") if example.negative else None,
            model=self.first.name,
            size=self.first.like(example.size) or example.size if example.size else None,
            seed=example.seed,
            watermark=example.watermark,
        )
        return self.fill(recipe, example.pictures)

    def filler(self, example: Example) -> Callable[[gr.Request], Updates]:
        """A handler that does so, in the browser's language."""

        def fill(http: gr.Request) -> Updates:
            return self.fill_example(example, language_of(http))

        return fill

    def free_slot(self, values: Mapping[str, Any]) -> Slot | None:
        """The first slot with nothing in it."""
        held = self.given(values).held
        return next((slot for slot, one in zip(self.slots, held, strict=False) if not any(one)), None)


def _text(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
