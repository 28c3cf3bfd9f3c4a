"""The size of a result in a form: a shape by name, "Auto", or width × height by hand."""

import re
from collections.abc import Mapping
from typing import Any

from ..api.catalog import Model
from ..api.checks import checked_size
from ..api.errors import InvalidRequest
from ..i18n import translate
from .messages import describe, t

AUTO = "auto"
"""The size radio's value for "none chosen": Gradio can't tell a choice of None from no choice."""
FREE = "free"
"""Its value for a size that is written by hand."""


def sizes_of(model: Model, chosen: str | None = None, *, auto: bool, exact: bool = True) -> dict[str, Any]:
    """The size radio with that model, as its options: what it offers, and the chosen one, else Auto or the default.

    "Auto" is offered where `auto` says so, where the model chooses, and where there is nothing else. A chosen size
    that has no name there is one by hand, where that can be; if it needn't be `exact`, rather the name of its shape.
    """
    choices: list[tuple[Any, str]] = [(size.ratio, size.name) for size in model.sizes]
    if auto or model.chooses or not choices:
        choices.insert(0, (t("size_auto"), AUTO))
    if model.any_size:
        choices.append((t("size_free"), FREE))
    value = AUTO if auto else model.default_size or AUTO
    if chosen in model.size_names:
        value = str(chosen)
    elif chosen:
        alike = None if exact and model.sized(chosen) else model.like(chosen)
        value = alike or (FREE if model.sized(chosen) else value)
    return {"choices": choices, "value": value, "interactive": len(choices) > 1}


def size_in(given: Mapping[str, Any]) -> str | None:
    """The size that a form holds, as a request takes it; None for Auto."""
    if given["size"] == FREE:
        return given.get("free_size") or ""
    return None if given["size"] in (AUTO, None) else given["size"]


def told_size(model: Model, written: str, language: str) -> str:
    """What comes of a size that is written by hand, or why nothing does."""
    if not written.strip():
        return translate(language, "size_free_hint")
    try:
        size = checked_size(model, written)
    except InvalidRequest as error:
        return describe(error, language)
    multiple = model.any_size.multiple if model.any_size else 1
    rounded = re.findall(r"\d+", written) != size.split("x")
    return translate(
        language, "size_rounded" if rounded else "size_made", size=size.replace("x", "×"), multiple=multiple
    )
