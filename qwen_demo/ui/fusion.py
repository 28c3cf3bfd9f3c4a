"""The third tab: several pictures become one. They change places, and what doesn't fit together is told."""

import re
from functools import cache, partial
from itertools import pairwise
from typing import Any

import gradio as gr

from .. import i18n
from ..api.requests import ImageFusion
from ..i18n import listed, texts, translate
from ..service import Service
from .buttons import small_button
from .controls import controls, takes_addresses
from .events import Updates, language_of, on
from .examples import FUSION
from .files import uploaded
from .form import Form
from .messages import status_html, t
from .plan import told_below
from .run import wire_run
from .sizes import AUTO
from .slot import Slot, Upload


def fusion_tab(demo: gr.Blocks, service: Service) -> Form:
    """Build the tab, inside the caller's `gr.Tab`."""
    # What doesn't fit. It stands below the prompt, or that would move while one types.
    check = gr.HTML("", render=False, elem_id="fusion-check", elem_classes="slot-note")
    catalog = service.engine.catalog
    numbers = range(1, catalog.most_references + 1)
    first = next(iter(catalog.doing(ImageFusion.kind)), None)
    shown = first.references if first else len(numbers)
    with controls(service, ImageFusion):
        many = ["many"] * (len(numbers) > 3)
        with gr.Row(elem_classes=["slots", *many]):
            look = partial(Slot, height=176, addresses=takes_addresses(service, ImageFusion))
            slots = [look(f"fusion-image-{n}", f"field_image_{n}", shown=n <= shown) for n in numbers]
        with gr.Row(elem_classes=["swaps", *many]):
            swaps = [small_button(t(f"swap_{n}"), f"fusion-swap-{n}", visible=n < shown) for n in numbers[:-1]]
        gr.HTML(t("fusion_note_many" if many else "fusion_note"), elem_classes="note")
        with gr.Row(elem_classes="chips"):
            names = [
                small_button(t(f"name_{n}"), f"fusion-name-{n}", elem_classes="insert", visible=n <= shown)
                for n in numbers
            ]
        for slot, name, swap in zip(slots[1:], names[1:], swaps, strict=True):
            slot.companions += [name, swap]
        form = Form(
            "fusion",
            ImageFusion,
            catalog,
            FUSION,
            "prompt_fusion_hint",
            "run_fusion",
            "size_auto_info_fusion",
            slots=slots,
            note=check,
            below=told_below(service),
        )
    for number, button, (one, other) in zip(numbers, swaps, pairwise(slots), strict=False):
        _wire_swap(button, number, one, other, form.prompt)
    _wire_check(check, form)
    wire_run(demo, service, form)
    return form


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


def _wire_swap(button: gr.Button, number: int, one: Slot, other: Slot, prompt: gr.Textbox) -> None:
    """Let a button have two neighbours change places, in the prompt too."""
    parts = [*one.outputs(), *other.outputs()]

    def swap(words: str, *held: Any) -> Updates:
        mine, others = held[: len(parts) // 2], held[len(parts) // 2 :]
        return {prompt: renumbered(words, number, number + 1), **_put(one, *others), **_put(other, *mine)}

    on(button.click, swap, inputs=[prompt, *parts], outputs=[prompt, *parts], preprocess=False)


def _put(slot: Slot, image: Upload, address: str, note: str, original: str) -> Updates:
    return slot.put(str(uploaded(image)) if image else None, address, note, original)


def _wire_check(check: gr.HTML, form: Form) -> None:
    """Look again whenever the prompt, a picture or the size changes."""

    def look(http: gr.Request, **given: Any) -> str:
        language = language_of(http)
        there = {number for number, held in enumerate(form.given(given).held, start=1) if any(held)}
        prompt = given["prompt"] or ""  # before its tab was ever open there is none
        names = named(prompt)

        def said(key: str, numbers: set[int]) -> str:
            told = listed((translate(language, "name", number=n) for n in sorted(numbers)), language)
            return status_html(translate(language, key, names=told), problem=key != "sets_shape") if numbers else ""

        shaping = {max(there)} if there and given["size"] == AUTO else set()
        forgotten = there - names if prompt.strip() and len(there) > 1 else set()
        gap = set(range(1, max(there, default=1))) - there
        absent = names - there - gap
        return said("sets_shape", shaping) + said("gap", gap) + said("not_there", absent) + said("not_named", forgotten)

    places = [part for slot in form.slots for part in (slot.image, slot.address)]
    changes = [part.change for part in (form.prompt, form.size, *places)]
    on(changes, look, inputs_kwargs=form.inputs(), outputs=check, preprocess=False, trigger_mode="always_last")
