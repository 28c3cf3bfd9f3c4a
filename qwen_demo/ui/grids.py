"""How the pictures of an order are told that differ in more than their seeds: by headings, or by names below them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..api.catalog import SIZES, pixels
from ..axes import Grid, differences
from ..i18n import translate

Told = dict[str, Any]


class Spelled(NamedTuple):
    """A value on an axis, as short as it can be told from the others, and the whole of it."""

    short: str
    whole: str


def table(grid: Grid, language: str) -> Told | None:
    """Rows and columns with their headings, and where each place stands; None where there is one axis, or none."""
    if len(grid.axes) < 2 or not grid.apart:
        return None
    spelled = _spelled(grid, language)
    down = [name for name in grid.axes if name not in grid.across]
    keys = [dict(zip(grid.axes, key, strict=True)) for key in grid.keys]
    rows, columns = (_combined(keys, names) for names in (down, grid.across))
    told: Told = {"cells": [[rows.index(_part(key, down)), columns.index(_part(key, grid.across))] for key in keys]}
    for side, names, values in (("rows", down, rows), ("columns", grid.across, columns)):
        headings = [_joined(spelled, names, value) for value in values]
        told |= {
            side: [heading.short for heading in headings],
            f"whole_{side}": [heading.whole for heading in headings],
        }
    return told


def captions(grid: Grid, language: str) -> Mapping[int, Told]:
    """What is told of each place besides its picture: `name`, `title`, `label`, and its `shape` where that varies."""
    if not grid.apart:
        return {}
    spelled, told = _spelled(grid, language), dict[int, Told]()
    for place, key in enumerate(grid.keys):
        one, at = _joined(spelled, list(grid.axes), key), dict(zip(grid.axes, key, strict=True))
        told[place] = {"label": one.whole} | ({"name": one.short, "title": one.whole} if len(key) == 1 else {})
        if shape := pixels(at["size"]) if at.get("size") else at["photo"].shape if "photo" in at else None:
            told[place]["shape"] = shape
    return told


def _spelled(grid: Grid, language: str) -> Mapping[str, Mapping[Any, Spelled]]:
    """The values of each axis as people call them."""
    said = {}
    for axis, values in grid.axes.items():
        wholes = [_value(axis, value, language) for value in values]
        shorts = differences(wholes) if axis == "prompt" else wholes
        said[axis] = {value: Spelled(*both) for value, *both in zip(values, shorts, wholes, strict=True)}
    return said


def _value(axis: str, value: Any, language: str) -> str:
    match axis:
        case "photo":
            return str(value.name)
        case "size":
            return _size(value) if value else translate(language, "size_auto")
        case "optimize_prompt":
            key = {True: "rewriting_on", False: "rewriting_off", None: "rewriting_none"}[value]
            return translate(language, key)
        case "seed":
            return translate(language, "caption_seed", seed=value)
        case "number":
            return translate(language, "nth_seed", number=value + 1)
    return str(value)


def _size(name: str) -> str:
    """A size by the name that the form has for it, and in pixels."""
    ratio = next((f"{size.ratio} · " for size in SIZES if size.name == name), "")
    return ratio + name.replace("x", "×")


def _part(key: Mapping[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(key[name] for name in names)


def _combined(keys: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """The values that there are of these axes together, each once and in their order."""
    return list(dict.fromkeys(_part(key, names) for key in keys))


def _joined(spelled: Mapping[str, Mapping[Any, Spelled]], names: Sequence[str], values: Sequence[Any]) -> Spelled:
    parts = [spelled[name][value] for name, value in zip(names, values, strict=True)]
    return Spelled(*(" · ".join(texts) for texts in zip(*parts, strict=True)))
