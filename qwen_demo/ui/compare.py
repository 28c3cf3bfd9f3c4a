"""What a form asks in several ways at once: models, sizes, with rewriting and without, a prompt in each line."""

import json
from collections.abc import Mapping, Sequence

import gradio as gr
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass as checked

from ..api.catalog import Model
from ..axes import grid_of
from ..i18n import translate
from ..order import Order
from .events import Updates
from .given import COMPARED, Given
from .messages import t, unbroken


@checked(frozen=True)
class Several:
    """What is chosen there, by the names of the controls."""

    lines: bool = False
    also_models: tuple[str, ...] = ()
    also_sizes: tuple[str, ...] = ()
    both_rewritings: bool = False


_SEVERAL = TypeAdapter(Several)


class Compare:
    """The controls for it, folded away and drawn at this place. The names of its parts are those of `given.COMPARED`.

    Args:
        tab: the prefix of its elements' ids.
        models: those of the form.
        size: the chosen one.
    """

    def __init__(self, tab: str, models: Sequence[Model], size: str) -> None:
        sizes = _sizes(models[0], size) if models else []
        self._models = [model.name for model in models]
        self.fold = gr.Accordion(t("field_several"), open=False, elem_id=f"{tab}-compare", elem_classes="accordion")
        with self.fold:
            gr.HTML(t("compare_hint"), elem_classes="note")
            self.lines = gr.Checkbox(label=t("lines"), elem_id=f"{tab}-lines", elem_classes="switch", min_width=0)
            self.also_models = gr.CheckboxGroup(
                self._models[1:],
                label=t("also_models"),
                elem_id=f"{tab}-also-models",
                elem_classes=["adding", "also"],
                visible=len(models) > 1,
            )
            self.also_sizes = gr.CheckboxGroup(
                sizes, label=t("also_sizes"), elem_id=f"{tab}-also-sizes", elem_classes=["adding", "also"]
            )
            self.both_rewritings = gr.Checkbox(
                label=t("both_rewritings"),
                elem_id=f"{tab}-both-rewritings",
                elem_classes="switch",
                min_width=0,
                visible=any(model.rewrites for model in models),
            )

    def parts(self) -> Mapping[str, gr.Checkbox | gr.CheckboxGroup]:
        """By the names of what a handler is given."""
        return {name: getattr(self, name) for name in COMPARED}

    def suited(self, model: Model, size: str, sizes: object = ()) -> Updates:
        """What depends on the chosen model and size: the other models and sizes, and whether it rewrites.

        Of the other sizes these are chosen, as far as it has them.
        """
        others = [name for name in self._models if name != model.name]
        offered = _sizes(model, size)
        chosen = [name for _, name in offered if isinstance(sizes, list | tuple) and name in sizes]
        return {
            self.also_models: gr.update(choices=others, visible=bool(others)),
            self.also_sizes: gr.update(choices=offered, value=chosen, visible=bool(offered)),
            self.both_rewritings: gr.update(interactive=model.rewrites),
        }

    def fill(self, model: Model, size: str, told: Several | None = None) -> Updates:
        """Choose that with this model and size, as far as it can be chosen, or nothing."""
        told = told or Several()
        suited = self.suited(model, size, told.also_sizes)
        chosen = [name for name in told.also_models if name in self._models and name != model.name]
        return {
            **suited,
            self.lines: told.lines,
            self.also_models: {**suited[self.also_models], "value": chosen},
            self.both_rewritings: gr.update(value=told.both_rewritings and model.rewrites, interactive=model.rewrites),
        }


def label(given: Given, language: str) -> str:
    """What stands on the fold: "Several at once · 2 models · 3 sizes"."""
    counts = {"compare_models": len(given.models), "compare_sizes": len(given.sizes)}
    parts = {"field_several": True, "lines": given.lines, **counts, "both_rewritings": given.rewritten_or_not}
    return " · ".join(unbroken(translate(language, key, count=counts.get(key))) for key, told in parts.items() if told)


def of_order(order: Order) -> Several:
    """What an order asked in several ways."""
    axes = grid_of(order).axes
    models, sizes = axes.get("model", ()), axes.get("size", ())
    both = {True, False} <= set(axes.get("optimize_prompt", ()))
    return Several(order.terms.lines, tuple(models), tuple(filter(None, sizes)), both)


def of_draft(draft: Mapping[str, str]) -> Several | None:
    """What this browser kept of it; None where that can't be read."""
    try:
        return _SEVERAL.validate_python({name: json.loads(draft[name]) for name in COMPARED if draft.get(name)})
    except (ValueError, RecursionError):
        return None


def _sizes(model: Model, size: str) -> list[tuple[str, str]]:
    """Those that the model has beside that one."""
    return [(other.ratio, other.name) for other in model.sizes if other.name != size]
