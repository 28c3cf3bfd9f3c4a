"""The second tab: one picture, changed by words, step after step."""

from pathlib import Path

import gradio as gr

from ..api.requests import ImageEdit
from ..i18n import translate
from ..service import Service
from .controls import small_button
from .events import Updates, language_of, nothing, on, visitor
from .examples import EDIT
from .files import address_name, publish
from .form import Form
from .messages import t
from .results import Results
from .slot import Slot


def edit_tab(demo: gr.Blocks, service: Service) -> Results:
    """Build the tab, inside the caller's `gr.Tab`."""
    with gr.Row(elem_classes="studio"):
        with gr.Column(elem_classes="controls", min_width=0):
            slot = Slot("edit-image", "field_image", height=200)
            form = Form("edit", ImageEdit, EDIT, "prompt_edit_hint", "run_edit", "size_auto_info", slots=[slot])
        with gr.Column(elem_classes="results", min_width=0):
            results = Results(service, form)
            steps = Steps(service, slot)
    results.wire(demo)
    steps.wire(results)
    return results


class Steps:
    """The way from the first picture to the last result: compare any step with the last, go back to any."""

    def __init__(self, service: Service, slot: Slot) -> None:
        self._service = service
        self._slot = slot
        self._files = gr.State([])
        self._siblings = gr.State([])
        """What the last order's other results are called in their addresses."""
        with gr.Accordion(t("compare"), elem_id="edit-steps", elem_classes="accordion"):
            self._slider = gr.ImageSlider(
                type="filepath",
                label="",
                show_label=False,
                interactive=False,
                visible=False,  # not loaded before it is needed
                buttons=["fullscreen"],
                max_height=640,
                elem_id="edit-compare",
            )
            with gr.Row(elem_classes="chips"):
                self._step = gr.Radio([], label=t("compare_with"), min_width=0, elem_id="edit-step", elem_classes="bar")
                self._back = small_button(t("compare_back"), "edit-back")

    def wire(self, results: Results) -> None:
        """Add a step after each run that brought a picture."""
        outputs = [self._files, self._siblings, self._slider, self._step]
        inputs = [self._files, self._siblings, results.tools.names, results.ordered]
        on(results.ran.then, self._add, inputs=inputs, outputs=outputs)
        on(self._step.input, self._compare, inputs=[self._step, self._files], outputs=self._slider)
        back = on(self._back.click, self._go_back, inputs=[self._step, self._files], outputs=self._slot.outputs())
        on(back.then, None, js="page.showUp('edit-image')")

    def _add(self, files: list[str], siblings: list[str], names: list[str], before: str, http: gr.Request) -> Updates:
        library = self._service.library(visitor(http).name)
        entry = library.find(names[0]) if names else None
        if entry is None or not before:  # nothing came, or there is no picture here to compare it with
            return {self._slider: None, self._files: [], self._siblings: []}
        begun_with = Path(before).name
        if begun_with in siblings:  # edited on from another of the last results
            files = [*files[:-1], publish(Path(before))]
        elif not any(Path(file).name == begun_with for file in files):  # a new row of steps
            files = [publish(Path(before))]
        files = [*files, publish(entry.path)]  # the original: one can go back to it
        first = translate(language_of(http), "compare_original")
        choices = [(str(number) if number else first, number) for number in range(len(files) - 1)]
        latest = len(files) - 2
        return {
            self._files: files,
            self._siblings: [address_name(library.root / name) for name in names[1:]],
            self._slider: gr.update(value=(files[latest], files[-1]), visible=True),
            self._step: gr.update(choices=choices, value=latest),
        }

    def _compare(self, step: int, files: list[str]) -> tuple[str, str] | None:
        return (files[step], files[-1]) if files else None

    def _go_back(self, step: int, files: list[str]) -> Updates:
        return self._slot.fill(Path(files[step])) if files else nothing()
