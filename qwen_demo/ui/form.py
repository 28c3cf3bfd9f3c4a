"""A tab's form: what an order reads, and what an example, a recipe or another picture fills."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from ..api import catalog
from ..api.errors import InvalidRequest
from ..api.requests import ImageRequest, make
from ..recipe import Recipe
from ..service import Service
from .controls import Controls, sizes_of
from .events import Updates, language_of, nothing, on, visitor
from .files import publish, uploaded
from .messages import describe, reference_html, status_html, t

Upload = dict[str, Any] | None
"""What a slot's image is to a handler: Gradio's dict with its path, or None."""


@dataclass(frozen=True)
class Slot:
    """A place for a reference picture: an upload, or an address that is passed on as it is."""

    image: gr.Image
    address: gr.Textbox
    note: gr.HTML
    original: gr.State
    """The upload as it came, to be made ready once more on another background."""

    def outputs(self) -> list[Component]:
        return [self.image, self.address, self.note, self.original]

    def fill(self, picture: Path | str | None) -> Updates:
        """Put a file or an https:// address in, or empty the slot."""
        file = publish(picture) if isinstance(picture, Path) else None
        address = picture if isinstance(picture, str) else ""
        return {self.image: file, self.address: address, self.note: "", self.original: ""}


def picture_slot(elem_id: str, label: str, *, height: int) -> Slot:
    """A slot of that height in pixels."""
    with gr.Column(elem_classes="slot", min_width=0):
        image = gr.Image(
            type="filepath",
            sources=["upload", "clipboard"],
            label=t(label),
            height=height,
            placeholder=t("drop_hint"),  # type: ignore[arg-type]  # is translated all the same
            buttons=[],
            elem_id=elem_id,
            elem_classes="image-slot",
        )
        address = gr.Textbox(
            show_label=False,
            label=t("image_address"),
            placeholder=t("image_address_hint"),
            max_lines=1,
            elem_id=f"{elem_id}-address",
            elem_classes="address",
        )
        note = gr.HTML("", elem_id=f"{elem_id}-note", elem_classes="slot-note")
    return Slot(image, address, note, gr.State(""))


@dataclass(frozen=True)
class Form:
    """The controls of a tab with its picture slots.

    Attributes:
        tab: the tab's id, and the prefix of its elements' ids.
        request_type: the request it makes.
        background: the colour behind what is transparent in an upload; only where there are slots.
    """

    tab: str
    request_type: type[ImageRequest]
    controls: Controls
    slots: Sequence[Slot] = ()
    background: gr.ColorPicker | None = None

    def inputs(self) -> dict[str, Component]:
        """By the names of the order handler's parameters."""
        named: dict[str, Component] = dict(vars(self.controls))
        for number, slot in enumerate(self.slots, start=1):
            named |= {f"image_{number}": slot.image, f"address_{number}": slot.address}
        return named | ({"background": self.background} if self.background else {})

    def outputs(self) -> list[Component]:
        """All that `fill` may change."""
        return [*vars(self.controls).values(), *(part for slot in self.slots for part in slot.outputs())]

    def fill(self, recipe: Recipe, pictures: Sequence[Path | str | None] = ()) -> Updates:
        """Every control to the recipe's value, the slots to these pictures. What the catalog doesn't know stays."""
        to = self.controls
        task = self.request_type.task
        model = catalog.find_model(recipe.model, task)
        sizes = sizes_of(model or catalog.models_for(task)[0], recipe.size, auto=bool(self.slots))
        updates: Updates = {
            to.prompt: recipe.prompt,
            to.negative: recipe.negative_prompt or "",
            to.size: sizes["value"],
            to.count: recipe.n,
            to.random_seed: recipe.seed is None,
            to.watermark: bool(recipe.watermark),
            to.optimize: recipe.optimize_prompt is not False,
            to.format: recipe.response_format,
        }
        if recipe.seed is not None:
            updates[to.seed] = recipe.seed
        if model:
            updates |= {to.model: model.name, to.size: gr.update(**sizes)}
            updates[to.optimize] = gr.update(value=recipe.optimize_prompt is not False, interactive=model.rewrites)
        for slot, picture in zip_longest(self.slots, pictures[: len(self.slots)]):
            updates |= slot.fill(picture)
        return updates

    def request(self, references: Sequence[str], **fields: Any) -> ImageRequest:
        """The request of this form. Empty texts in `references` are empty slots.

        Raises:
            InvalidRequest: a field breaks its rule.
        """
        filled = list(references)
        while filled and not filled[-1]:  # an empty slot in between stays: it would renumber those after it
            filled.pop()
        return make(self.request_type.kind, filled, **fields)

    def wire(self, service: Service) -> None:
        """Make uploads ready as they come, and let picture and address take turns."""
        for slot in self.slots:
            self._wire_slot(service, slot)

    def _wire_slot(self, service: Service, slot: Slot) -> None:
        async def prepare(upload: Upload, original: str, background: str, http: gr.Request) -> Updates:
            try:
                path = uploaded(upload or {"path": original})
                reference, kept = await service.prepare(path, visitor(http).name, colour(background))
            except InvalidRequest as error:
                problem = status_html(describe(error, language_of(http)), problem=True)
                return {**slot.fill(None), slot.note: problem}
            note = reference_html(reference, language_of(http))
            return {**await asyncio.to_thread(slot.fill, kept), slot.note: note, slot.original: str(path)}

        async def came(image: Upload, background: str, http: gr.Request) -> Updates:
            return await prepare(image, "", background, http) if image else slot.fill(None)

        async def recoloured(original: str, background: str, http: gr.Request) -> Updates:
            return await prepare(None, original, background, http) if original else nothing()

        with_background = [self.background] if self.background else []
        parts = slot.outputs()
        on(slot.image.upload, came, inputs=[slot.image, *with_background], outputs=parts, preprocess=False)
        on(slot.image.clear, lambda: ("", ""), outputs=[slot.note, slot.original])
        on(slot.address.input, lambda: (None, "", ""), outputs=[slot.image, slot.note, slot.original])
        if self.background:
            on(self.background.change, recoloured, inputs=[slot.original, self.background], outputs=parts)


def colour(picked: str | None) -> str:
    """A colour picker's value as Pillow reads it, white where it is none; Gradio's picker also gives `rgba(…)`."""
    if picked and re.fullmatch(r"#[0-9a-fA-F]{6}", picked):
        return picked
    parts = re.findall(r"\d+(?:\.\d+)?", picked or "")[:3]
    return "#" + "".join(f"{min(255, round(float(part))):02x}" for part in parts) if len(parts) == 3 else "white"
