"""Where a visitor paints what of a photo shall change. `board/painter.js` draws it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from PIL import Image

from ..api.errors import InvalidRequest
from ..region import part_to_send, sharpness
from ..strokes import MAX_REGIONS, mask_of
from .events import on
from .files import uploaded
from .parts import part

Painted = dict[str, Any]
"""What is to change: `regions`, each with its `strokes` and `words` ("" where those are the prompt); whether the model
`sees` a "part" or the "whole" photo; and how soft the `edge` is, 0 to 2."""
_SEES = ("part", "whole")
_LARGEST = 100_000  # px of a photo's side


class Painter:
    """A switch and what it opens, drawn at this place. All that is set there is in the part's value:

    `photo`, the address of what is shown, and `original`, the upload it was made from, as a path; the `size` of that,
    upright; `address`, whether the slot has an address in its place; what is `Painted`, with no region while the switch
    is off; `of`, the id of the picture whose paint is adjusted; `box`, the part of the photo that its answer shows, in
    thousandths of the longer side. The part triggers `input` after each change, and `apply`.

    Args:
        longest: how long the words for a region may be.
    """

    def __init__(self, longest: int) -> None:
        self.part = part("painter", events=["input", "apply"], value=photo_value(None), longest=longest, told={})

    def wire(self) -> None:
        """Say how sharp what is painted will be, before it is ordered."""
        on(
            self.part.input,
            lambda value: gr.update(told=sharpnesses(value)),
            inputs=self.part,
            outputs=self.part,
            trigger_mode="always_last",
        )


def photo_value(
    shown: str | None, size: tuple[int, int] = (0, 0), original: str = "", *, address: bool = False
) -> dict[str, Any]:
    """The painter's value for another photo: what is painted is left to the browser, which knows it.

    Args:
        shown: the published file that the slot shows.
        size: of the photo as it came, upright.
        original: the upload, if it is one.
        address: the slot has an address.
    """
    photo = f"gradio_api/file={quote(shown)}" if shown else ""
    return {"photo": photo, "original": original, "size": list(size), "address": address, "of": "", "box": None}


def repainted(value: Mapping[str, Any], painted: Mapping[str, Any] | None) -> dict[str, Any]:
    """That value with paint as settings have it, perhaps with what else it says of the photo; or with none at all."""
    return {**value, **(painted or {"regions": []})}


def painted_in(value: object) -> Painted | None:
    """What a painter's value says is to change; None where the switch is off, or there is no photo.

    Raises:
        InvalidRequest: nothing is painted, or not in strokes. The value comes from a browser.
    """
    if not isinstance(value, Mapping) or not value.get("photo") or not value.get("regions"):
        return None
    masks = _masks(value)
    regions = [
        {"strokes": region["strokes"], "words": words if isinstance(words := region.get("words"), str) else ""}
        for region, mask in zip(value["regions"], masks, strict=True)
        if mask.getbbox()
    ]
    if not regions:
        raise InvalidRequest("mask", "mask_empty", "")
    sees, edge = value.get("sees"), value.get("edge")
    return {
        "regions": regions,
        "sees": sees if sees in _SEES else _SEES[0],
        "edge": edge if type(edge) is int and 0 <= edge <= 2 else 1,
    }


def regions_in(value: object) -> int:
    """How many calls an order of one picture makes with what is painted: one a region, and at least one."""
    regions = value.get("regions") if isinstance(value, Mapping) else None
    strokes = [region.get("strokes") for region in regions or [] if isinstance(region, Mapping)]
    return max(1, sum(map(bool, strokes)))


def original_in(value: object) -> Path | None:
    """The upload from which a painter's photo was made.

    Raises:
        InvalidRequest: it is not there any more.
    """
    path = value.get("original") if isinstance(value, Mapping) else None
    return uploaded({"path": path}) if path else None


def sharpnesses(value: object) -> dict[str, float]:
    """Of the photo's own sharpness, the share that what is painted will have at least: as a "part", as the "whole"."""
    try:
        if not painted_in(value) or not isinstance(value, Mapping):
            return {}
    except InvalidRequest:
        return {}
    size, masks = _size(value), [mask for mask in _masks(value) if mask.getbbox()]
    return {
        sees: min(sharpness(*part_to_send(mask, size, everything=sees == "whole")) for mask in masks) for sees in _SEES
    }


def _masks(value: Mapping[str, Any]) -> list[Image.Image]:
    regions, size = value["regions"], _size(value)
    try:
        if len(regions) > MAX_REGIONS:
            raise ValueError("too many regions")
        return [mask_of(region["strokes"], size) for region in regions]
    except (TypeError, LookupError, ValueError) as error:
        raise InvalidRequest("mask", "mask_strokes", regions) from error


def _size(value: Mapping[str, Any]) -> tuple[int, int]:
    match value.get("size"):
        case [int(width), int(height)] if 0 < width <= _LARGEST and 0 < height <= _LARGEST:
            return width, height
    raise InvalidRequest("mask", "mask_strokes", value.get("size"))
