"""The third tab: two or three pictures become one. They change places, and what doesn't fit together is told."""

import re
from collections.abc import Sequence
from functools import cache, partial
from itertools import pairwise

import gradio as gr

from .. import i18n
from ..api import catalog
from ..api.requests import ImageFusion
from ..i18n import texts, translate
from ..service import Service
from .actions import actions
from .controls import AUTO, Controls, common_controls
from .events import Updates, language_of, on
from .examples import FUSION, Chips
from .files import uploaded
from .form import Form, Slot, Upload, picture_slot
from .messages import status_html, t
from .results import Results


def fusion_tab(demo: gr.Blocks, service: Service) -> tuple[Form, Results]:
    """Build the tab, inside the caller's `gr.Tab`."""
    chips = Chips(FUSION)

    def below_prompt() -> None:
        bench.draw_check()
        chips.draw()

    with gr.Row(elem_classes="studio"):
        with gr.Column(elem_classes="controls", min_width=0):
            with gr.Row(elem_classes="slots"):
                numbers = range(1, catalog.MAX_REFERENCES + 1)
                slots = [picture_slot(f"fusion-image-{n}", f"field_image_{n}", height=120) for n in numbers]
            bench = Bench(slots)
            controls, beside = common_controls(
                "fusion", "edits", "prompt_fusion_hint", below_prompt, auto_info="size_auto_info_fusion"
            )
            acting = actions("fusion", "run_fusion")
        form = Form("fusion", ImageFusion, controls, slots, beside.background)
        with gr.Column(elem_classes="results", min_width=0):
            results = Results(service, form, acting)
    form.wire(service)
    bench.wire(controls)
    chips.wire(form)
    results.wire(demo, beside.recent)
    return form, results


@cache
def _names() -> re.Pattern[str]:
    """What prompts call pictures, in any of the page's languages: 图1, image 1."""
    return re.compile("|".join(_spelled(texts(language)["name"]) for language in i18n.LANGUAGES), re.IGNORECASE)


def _spelled(name: str) -> str:
    before, after = (re.escape(part.strip()) for part in name.split("{number}"))
    apart = r"(?<!\w)" if " " in name else ""  # of a language that puts spaces between words
    return rf"{apart}{before}\s*(?<!\d)([1-9])(?!\d)" + (rf"\s*{after}" if after else "")


def named(prompt: str) -> set[int]:
    """The numbers of the pictures that a prompt names."""
    return {int(found[found.lastindex or 0]) for found in _names().finditer(prompt)}


def renumbered(prompt: str, one: int, other: int) -> str:
    """The prompt after two pictures have changed places."""
    swapped = {str(one): str(other), str(other): str(one)}
    return _names().sub(lambda found: re.sub(r"\d", lambda number: swapped.get(number[0], number[0]), found[0]), prompt)


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

        def said(key: str, numbers: set[int]) -> str:
            listed = translate(language, "comma").join(translate(language, "name", number=n) for n in sorted(numbers))
            return status_html(translate(language, key, names=listed), problem=key != "sets_shape") if numbers else ""

        shaping = {max(there)} if there and size == AUTO else set()
        forgotten = there - names if prompt.strip() and len(there) > 1 else set()
        gap = set(range(1, max(there, default=1))) - there
        absent = names - there - gap
        return said("sets_shape", shaping) + said("gap", gap) + said("not_there", absent) + said("not_named", forgotten)


def _placed(slot: Slot, image: Upload, address: str, note: str, original: str) -> Updates:
    picture = str(uploaded(image)) if image else None
    return {slot.image: picture, slot.address: address, slot.note: note, slot.original: original}
