"""The fusion's bench: pictures change places, their names go into the prompt, and what doesn't fit together is told."""

import re
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import gradio as gr

from ..i18n import translate
from .controls import AUTO, Controls
from .events import on
from .form import Slot, Upload
from .visit import Updates, language_of, uploaded
from .words import status_html, t

_NAME = re.compile(r"(图\s*|\bimage\s*)([1-9])(?!\d)", re.IGNORECASE)
"""What a prompt calls a picture: 图1, image 1."""


def named(prompt: str) -> set[int]:
    """The numbers of the pictures that a prompt names."""
    return {int(number) for _, number in _NAME.findall(prompt)}


def renumbered(prompt: str, one: int, other: int) -> str:
    """The prompt after two pictures have changed places."""
    swapped = {one: other, other: one}
    return _NAME.sub(lambda found: f"{found[1]}{swapped.get(int(found[2]), found[2])}", prompt)


class Bench:
    """Under the slots: buttons to swap them, and their names for the prompt. Drawn at this place."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots = slots
        with gr.Row(elem_classes="swaps"):
            self._swaps = [
                gr.Button(t(f"swap_{number}"), size="sm", min_width=0, elem_id=f"fusion-swap-{number}")
                for number in range(1, len(slots))
            ]
        gr.HTML(t("fusion_note"), elem_classes="note")
        with gr.Row(elem_classes="chips"):
            for number in range(1, len(slots) + 1):
                gr.Button(t(f"name_{number}"), size="sm", elem_classes="insert", elem_id=f"fusion-name-{number}")

    def draw_check(self) -> None:
        """The line that tells what doesn't fit, at this place: below the prompt, or that would move while one types."""
        self._check = gr.HTML("", elem_id="fusion-check", elem_classes="slot-note")

    def wire(self, controls: Controls) -> None:
        """Bind the buttons, and look again whenever the prompt, a picture or the size changes."""
        for (number, one), (_, other) in pairwise(enumerate(self._slots, start=1)):
            self._wire_swap(self._swaps[number - 1], number, one, other, controls.prompt)
        places = [part for slot in self._slots for part in (slot.image, slot.address)]
        watched = [controls.prompt, controls.size, *places]
        on(
            partial(gr.on, [part.change for part in watched]),
            self._look,
            inputs=watched,
            outputs=self._check,
            preprocess=False,
            trigger_mode="always_last",
        )

    def _wire_swap(self, button: gr.Button, number: int, one: Slot, other: Slot, prompt: gr.Textbox) -> None:
        def swap(
            words: str,
            image: Upload,
            address: str,
            note: str,
            original: str,
            other_image: Upload,
            other_address: str,
            other_note: str,
            other_original: str,
        ) -> Updates:
            return {
                prompt: renumbered(words, number, number + 1),
                **_placed(one, other_image, other_address, other_note, other_original),
                **_placed(other, image, address, note, original),
            }

        parts = [*one.outputs(), *other.outputs()]
        on(button.click, swap, inputs=[prompt, *parts], outputs=[prompt, *parts], preprocess=False)

    def _look(
        self,
        prompt: str,
        size: str,
        image_1: Upload,
        address_1: str,
        image_2: Upload,
        address_2: str,
        image_3: Upload,
        address_3: str,
        http: gr.Request,
    ) -> str:
        language = language_of(http)
        held = (image_1 or address_1, image_2 or address_2, image_3 or address_3)
        there = {number for number, picture in enumerate(held, start=1) if picture}
        names = named(prompt)

        def told(key: str, numbers: set[int]) -> str:
            listed = translate(language, "comma").join(translate(language, "name", number=n) for n in sorted(numbers))
            return status_html(translate(language, key, names=listed), problem=key != "sets_shape") if numbers else ""

        shaping = {max(there)} if there and size == AUTO else set()
        forgotten = there - names if prompt.strip() and len(there) > 1 else set()
        gap = set(range(1, max(there, default=1))) - there
        absent = names - there - gap
        return told("sets_shape", shaping) + told("gap", gap) + told("not_there", absent) + told("not_named", forgotten)


def _placed(slot: Slot, image: Upload, address: str, note: str, original: str) -> Updates:
    picture = str(uploaded(image)) if image else None
    return {slot.image: picture, slot.address: address, slot.note: note, slot.original: original}
