"""A tab's controls: drawn, and what of them depends on the chosen model."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.components import Component

from ..api import catalog
from ..api.catalog import Catalog, Model
from ..api.requests import ImageRequest
from ..i18n import LANGUAGES, translate
from ..service import Service
from .buttons import small_button
from .compare import Compare
from .events import Updates, language_of, on
from .examples import Example
from .given import ABILITIES, CONTROLS
from .messages import t
from .painter import Painter
from .sizes import FREE, sizes_of, told_size
from .slot import Slot
from .words import draw_ideas

Part = TypeVar("Part", bound=Component)


@contextmanager
def controls(service: Service, request_type: type[ImageRequest]) -> Iterator[None]:
    """The left side of a tab, to be drawn in; where no model can do what it is for, words in its place."""
    able = bool(service.engine.catalog.doing(request_type.kind))
    if not able:
        key = f"no_model_{request_type.kind}" if service.engine.catalog.models else "no_models"
        gr.HTML(t(key), elem_classes=["note", "no-model"])
    with gr.Column(elem_classes="controls", min_width=0, visible=able):
        yield


def takes_addresses(service: Service, request_type: type[ImageRequest]) -> bool:
    """Whether any model for such requests takes addresses of reference pictures."""
    return any(model.addresses for model in service.engine.catalog.doing(request_type.kind))


class Controls:
    """The left side of a tab, drawn at this place: the controls, and the way to run, which is always in view.

    What can't be asked of the chosen model can't be chosen.

    Args:
        tab: the tab's id, and the prefix of its elements' ids.
        request_type: the request it makes.
        models: all there are.
        examples: each becomes a button that fills the form.
        hint: the text that says what to write.
        run: the text of the run button.
        auto_info: the text that says what the size "Auto" means.
        slots: its picture slots, drawn above. With them there is that size, and the colour behind what is transparent.
        note: a line that is placed below the prompt.
        below: what is told below the run button besides, by the ids.

    Attributes:
        models: those that can do what it is for, the default first.
        first: the default; where there is none, one that can do anything.
        chips: a button for each of the examples.
    """

    def __init__(
        self,
        tab: str,
        request_type: type[ImageRequest],
        models: Catalog,
        examples: Sequence[Example],
        hint: str,
        run: str,
        auto_info: str = "",
        *,
        slots: Sequence[Slot] = (),
        note: gr.HTML | None = None,
        below: Sequence[str] = (),
    ) -> None:
        self.tab, self.request_type, self.slots = tab, request_type, slots
        self.catalog = models
        self.models = models.doing(request_type.kind)
        # An address in an example would be of no use where none is taken.
        examples = [one for one in examples if self._any("addresses") or all(isinstance(p, Path) for p in one.pictures)]
        self.examples = examples
        first = self.first = (self.models or catalog.widest("").models)[0]

        def part(kind: Callable[..., Part], name: str, label: str, *args: Any, **options: Any) -> Part:
            return kind(*args, label=t(label), elem_id=f"{tab}-{name}", **options)

        words = partial(part, gr.Textbox, placeholder=t(hint), lines=4, max_lines=12, elem_classes="prompt")
        self.prompt = words("prompt", "field_prompt")
        self.wordings = gr.HTML("", elem_id=f"{tab}-wordings", elem_classes=["slot-note", "wordings"])
        self.several = gr.Textbox(visible=False)  # the prompt, while it may stand for several
        if note:
            note.render()  # type: ignore[no-untyped-call]
        with gr.Row(elem_classes="chips"):
            if note:  # of two rows alike, one adds to the form, and one fills it
                gr.HTML(t("examples"), elem_classes="note")
            self.chips = [small_button(t(f"example_{example.key}")) for example in examples]
        words = partial(part, gr.Textbox, placeholder=t("negative_hint"), lines=1, max_lines=4)
        self.negative_prompt = words("negative", "field_negative_prompt", visible=self._any("negative"))
        self.recent = draw_ideas(tab, self.prompt, self.negative_prompt if self._any("negative") else None)
        sizes = sizes_of(first, auto=bool(slots))
        info = t(auto_info) if auto_info else None
        self.size = part(gr.Radio, "size", "field_size", info=info, elem_classes="shapes", **sizes)
        written = partial(part, gr.Textbox, placeholder="1280 × 720", max_lines=1, elem_classes="free-size")
        hint_of_size = {"info": t("size_free_hint"), "visible": False}
        self.free_size = written("free-size", "field_free_size", **hint_of_size) if self._any("any_size") else None
        # The names of models begin alike: cut short they could not be told apart.
        self.model = part(
            gr.Dropdown, "model", "field_model", self.model_names, value=first.name or None, elem_classes="model"
        )
        whole = partial(part, gr.Slider, step=1, buttons=[])
        self.n = whole("count", "field_n", 1, catalog.MAX_PICTURES, min_width=0, elem_classes="pictures")
        switch = partial(part, gr.Checkbox, min_width=0, elem_classes="switch")
        rewrites = {"visible": self._any("rewrites"), "value": first.rewrites_unasked}
        self.optimize_prompt = switch("optimize", "field_optimize_prompt", **rewrites)
        self.watermark = switch("watermark", "field_watermark", visible=self._any("watermark"))
        seeded = {"visible": self._any("seeded")}
        self.seed = whole("seed", "field_seed", 0, catalog.MAX_SEED, elem_classes="seed", **seeded)
        self.random_seed = switch("random-seed", "random_seed", value=True, **seeded)
        self._one_more = small_button(t("next_seed"), f"{tab}-next-seed", elem_classes="next-seed", **seeded)
        self.compare = Compare(tab, self.models, sizes["value"])
        self._draw_advanced(part)
        self._draw_actions(run, below)
        self._wire()

    def _any(self, ability: str) -> bool:
        """Whether any model of this form has it: a control that none has is not shown."""
        return any(getattr(model, ability) for model in self.models)

    def _draw_advanced(self, part: Callable[..., Any]) -> None:
        travels = any(len(model.formats) > 1 for model in self.models)
        shown = travels or bool(self.slots) or self._any("tunable")
        with gr.Accordion(t("advanced"), open=False, elem_classes="accordion", visible=shown):
            self.steps = self.guidance = None
            if self._any("tunable"):
                # Texts: Gradio's numbers can't be empty.
                number = partial(part, gr.Textbox, placeholder=t("by_itself"), max_lines=1, min_width=120)
                with gr.Row():
                    self.steps = number("steps", "field_steps")
                    self.guidance = number("guidance", "field_guidance")
            formats = [(t(f"response_format_{name}"), name) for name in catalog.RESPONSE_FORMATS]
            usual = {"value": formats[0][1], "visible": travels}
            self.response_format = part(gr.Radio, "format", "field_response_format", formats, **usual)
            info = t("background_info")
            self.background = part(
                gr.ColorPicker, "background", "background", value="#ffffff", info=info, visible=bool(self.slots)
            )

    def _wire(self) -> None:
        drawn = self.controls()
        limits = {model.name: [model.max_prompt, model.in_tokens] for model in self.models}
        counts = f"page.count('{self.prompt.elem_id}', {json.dumps(limits)})"
        counted, lines = [self.prompt, self.model, self.compare.lines], self.compare.lines
        on([self.prompt.change, self.model.change, lines.change], None, inputs=counted, js=counts)
        negative, limit = self.negative_prompt, json.dumps({"": [catalog.MAX_NEGATIVE_PROMPT, False]})
        on(negative.change, None, inputs=negative, js=f"page.count('{negative.elem_id}', {limit})")
        # Only where a visitor chooses: what fills the form sets these too.
        on(
            self.model.input,
            self.follow_model,
            inputs_kwargs={name: drawn[name] for name in ("model", "size", "free_size") if name in drawn},
            outputs=list(self.suited(self.first)),
            preprocess=False,  # Gradio may not know yet that there is this size
        )
        latest = {"preprocess": False, "trigger_mode": "always_last"}
        others = [self.model, self.size, self.compare.also_sizes]
        on(self.size.change, self._follow_size, inputs=others, outputs=self.compare.also_sizes, **latest)
        if self.free_size:
            on(self.size.change, None, inputs=self.size, outputs=self.free_size, js=f"page.shownFor('{FREE}')")
            told = [self.free_size.blur, self.free_size.submit, self.size.change]
            given = [self.model, self.size, self.free_size]
            on(told, self._tell_size, inputs=given, outputs=self.free_size, **latest)
        seeds = [self.seed, self.random_seed]
        on(self._one_more.click, None, inputs=self.seed, outputs=seeds, js=f"page.nextSeed({catalog.MAX_SEED})")
        # Whoever moves the slider wants this seed.
        on(self.seed.input, None, outputs=self.random_seed, js="page.off")
        if self.painter:
            texts = json.dumps({language: translate(language, "preparing") for language in LANGUAGES})
            on(self.run.click, None, outputs=self.status, js=f"page.prepare('{self.tab}', {texts})")
            on(self.status.change, None, inputs=self.status, js=f"page.prepared('{self.tab}')")

    def _draw_actions(self, run: str, below: Sequence[str]) -> None:
        def line(name: str, kind: str) -> gr.HTML:
            return gr.HTML("<p></p>", elem_id=f"{self.tab}-{name}", elem_classes=kind)

        with gr.Column(elem_classes="actions", min_width=0):
            self.run = gr.Button(t(run), variant="primary", size="lg", elem_id=f"{self.tab}-run", elem_classes="run")
            self.status = line("status", "status")
            self.below = {name: line(name, "estimate") for name in below}

    @property
    def able(self) -> bool:
        """Whether any model can do what it is for."""
        return bool(self.models)

    @property
    def model_names(self) -> list[str]:
        """What it offers, the default first."""
        return [model.name for model in self.models]

    def controls(self) -> dict[str, Component]:
        return {name: part for name in CONTROLS if (part := getattr(self, name)) is not None}

    @property
    def painter(self) -> Painter | None:
        """Where its picture can be painted on."""
        return next((slot.painter for slot in self.slots if slot.painter), None)

    @property
    def photos(self) -> gr.HTML | None:
        """Where several pictures can be put in the place of its one."""
        return next((slot.photos for slot in self.slots if slot.photos), None)

    @property
    def drawn(self) -> dict[str, gr.HTML]:
        """What the page draws by itself, by the names of what a handler is given."""
        parts = {"painted": self.painter and self.painter.part, "photos": self.photos}
        return {name: drawn for name, drawn in parts.items() if drawn}

    def chosen(self, name: object) -> Model:
        """The model of that name, else the default."""
        return self.catalog.find(name, self.request_type.kind) or self.first

    def suited(self, model: Model, size: str | None = None, *, exact: bool = True) -> Updates:
        """What of the form depends on its model: what can't be asked of it can't be chosen."""
        updates: Updates = {part: gr.update(interactive=can) for part, can in self._switches(model).items()}
        sizes = sizes_of(model, size, auto=bool(self.slots), exact=exact)
        updates[self.size] = gr.update(**sizes)
        updates |= self.compare.suited(model, sizes["value"])
        usual = model.rewrites and model.rewrites_unasked
        updates[self.optimize_prompt] = gr.update(interactive=model.rewrites, value=usual)
        if self.free_size:
            by_hand = sizes["value"] == FREE
            updates[self.free_size] = gr.update(visible=by_hand, value=size if by_hand else "")
        for at, slot in self._varying:
            parts = (slot.column, *slot.companions)
            updates |= {part: gr.update(visible=at < model.references) for part in parts}
        return updates

    def _switches(self, model: Model) -> dict[Component, bool]:
        """The controls that not every model of the form has, and whether that one has them."""
        parts = {name: part for name, part in self.controls().items() if name in self._sometimes}
        switches: dict[Component, bool] = {part: getattr(model, ABILITIES[name]) for name, part in parts.items()}
        return switches | ({self._one_more: model.seeded} if "seed" in self._sometimes else {})

    @property
    def _sometimes(self) -> list[str]:
        """The names of those controls."""
        return [name for name, has in ABILITIES.items() if not all(getattr(model, has) for model in self.models)]

    @property
    def _varying(self) -> list[tuple[int, Slot]]:
        """The slots that not every model has a picture for, by their places."""
        least = min((model.references for model in self.models), default=0)
        return [(at, slot) for at, slot in enumerate(self.slots) if at >= least]

    def follow_model(self, model: str, size: str, free_size: str = "") -> Updates:
        """What another choice of the model changes, with the size that is chosen, perhaps by hand."""
        by_hand = size == FREE
        return self.suited(self.chosen(model), free_size if by_hand else size, exact=by_hand)

    def _follow_size(self, model: str, size: str, others: object) -> Any:
        return self.compare.suited(self.chosen(model), size, others)[self.compare.also_sizes]

    def _tell_size(self, name: str, size: str, written: str, http: gr.Request) -> Any:
        if size != FREE:
            return gr.skip()
        model = self.chosen(name)
        return gr.update(info=told_size(model, written or "", language_of(http)))
