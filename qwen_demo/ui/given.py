"""What a form's controls hold when an order is placed: as the browser says it, read in a request's terms."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..api.catalog import Model
from ..axes import Axes, wordings
from .files import uploaded
from .painter import Painted, original_in, painted_in
from .sizes import size_in
from .slot import Upload

CONTROLS = (
    *("prompt", "negative_prompt", "model", "size", "n"),
    *("seed", "random_seed", "watermark", "optimize_prompt", "response_format"),
    *("free_size", "steps", "guidance"),
)
"""The controls of a form: what a request has, by its names, whether its seed is drawn, and a size by hand. The last
three are there if any of its models takes them."""
COMPARED = ("lines", "also_models", "also_sizes", "both_rewritings")
"""The controls for what is asked in several ways."""
ABILITIES = {
    "watermark": "watermark",
    "negative_prompt": "negative",
    "optimize_prompt": "rewrites",
    "steps": "tunable",
    "guidance": "tunable",
    "seed": "seeded",
    "random_seed": "seeded",
}
"""The controls that not every model has, and what having them is called in its row."""
SENT = tuple(name for name in CONTROLS if name not in ("n", "random_seed", "free_size"))
"""Those that every request of an order has as they are; how many pictures, the order says."""


@dataclass(frozen=True)
class Given:
    """The values of a form's controls, by their names. What is wrong with them, the request finds.

    Attributes:
        values: as Gradio hands them over; pictures and paint as the browser says them.
        model: the chosen one.
        slots: how many pictures the form has places for.
    """

    values: Mapping[str, Any]
    model: Model
    slots: int

    @property
    def held(self) -> list[tuple[Upload, str]]:
        """The picture and the address of each slot that the chosen model takes a picture from."""
        places = range(min(self.slots, self.model.references))
        return [(self.values[f"image_{at}"], self.values[f"address_{at}"]) for at in places]

    @property
    def sources(self) -> list[Path | str]:
        """The reference pictures: an upload, an address, or "" for an empty slot.

        Raises:
            InvalidRequest: an upload is not there any more.
        """
        sources = [_source(*held) for held in self.held]
        while sources and not sources[-1]:  # an empty slot in between stays: it would renumber those after it
            sources.pop()
        return sources

    @property
    def painted(self) -> Painted | None:
        """What of the picture is to change, as the browser says it; None for all of it."""
        return painted_in(self.values.get("painted"))

    @property
    def original(self) -> Path | None:
        """The file of the picture, as it was uploaded; None where there is an address, or nothing.

        Raises:
            InvalidRequest: it is not there any more.
        """
        (source, *_) = self.sources or [""]
        return (original_in(self.values.get("painted")) or source) if isinstance(source, Path) else None

    @property
    def fields(self) -> dict[str, Any]:
        """What the request has besides, by its names. Of several wordings or sizes it has the first."""
        able = [name for name in SENT if name not in ABILITIES or getattr(self.model, ABILITIES[name])]
        sent = {name: self.values.get(name) if name in able else None for name in SENT}
        sent["size"] = None if self.painted else size_in(self.values)  # then the result has the picture's
        sent |= {name: _number(sent[name]) for name in ("steps", "guidance")}
        sent["prompt"] = next(iter(self.wordings), self.values["prompt"])
        return sent | {"negative_prompt": sent["negative_prompt"] or None}

    @cached_property
    def wordings(self) -> tuple[str, ...]:
        """What its prompt stands for.

        Raises:
            InvalidRequest: for too much.
        """
        return wordings(self.words, lines=self.lines) if isinstance(self.values["prompt"], str) else ()

    @property
    def words(self) -> str:
        """Its prompt as it is written."""
        return str(self.values["prompt"])

    @property
    def lines(self) -> bool:
        """Whether each line of its prompt is one by itself."""
        return self.values.get("lines") is True

    @property
    def axes(self) -> Axes:
        """What is asked in several ways. Raises as `wordings`."""
        both = (True, False) if self.rewritten_or_not else ()
        return Axes(prompt=_several(self.wordings), model=self.models, size=self.sizes, optimize_prompt=both)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of all that are chosen, where they are several."""
        return _several([self.model.name, *_texts(self.values.get("also_models"))])

    @property
    def sizes(self) -> tuple[str | None, ...]:
        """All that are chosen, where they are several."""
        return _several([size_in(self.values), *_texts(self.values.get("also_sizes"))])

    @property
    def rewritten_or_not(self) -> bool:
        """Whether it is asked both with rewriting and without."""
        return self.values.get("both_rewritings") is True and self.model.rewrites


def _several(values: Any) -> tuple[Any, ...]:
    """Each once; none where there is only one: it is no axis."""
    found: list[Any] = []
    for value in values:  # which may be anything, and need not have a hash
        if value not in found:
            found.append(value)
    return tuple(found) if len(found) > 1 else ()


def _texts(chosen: object) -> list[str]:
    return [str(value) for value in chosen] if isinstance(chosen, list) else []


def _number(text: object) -> object:
    """What a field for a number holds: None where it is empty, and its text where that is no number."""
    written = text.strip().replace("，", ".").replace(",", ".") if isinstance(text, str) else text
    with suppress(ValueError, OverflowError):
        number = float(written) if isinstance(written, str) and written else written or None
        return int(number) if isinstance(number, float) and number.is_integer() else number
    return written


def _source(image: Upload, address: object) -> Path | str:
    typed = address.strip() if isinstance(address, str) else ""
    return typed or (uploaded(image) if image else "")
