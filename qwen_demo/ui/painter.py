"""Where a visitor paints what of a photo shall change. `board/painter.js` draws it."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
import numpy as np
from PIL import Image

from ..api.errors import InvalidRequest
from ..inpaint import regions_of
from ..region import part_to_send, sharpness
from ..service import Service
from ..strokes import mask_of
from .events import on, visitor
from .files import uploaded
from .parts import part

Painted = dict[str, Any]
"""What `inpaint.regions_of` takes: `regions`, each with its `strokes` and `words` ("" where those are the prompt);
whether the model `sees` a "part" or the "whole" photo; how soft the `edge` is, 0 to 2. Nothing of it is checked yet."""
NEARLY_ALL = 0.98  # of the photo: who paints more of it means all of it
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

    def wire(self, service: Service) -> None:
        """Say how sharp what is painted will be, before it is ordered; and begin with the photo as it was uploaded."""

        async def tell(value: object, http: gr.Request) -> Any:
            told = await asyncio.to_thread(sharpnesses, value)
            with suppress(InvalidRequest, OSError):  # whoever orders hears of it
                if told and (upload := original_in(value)):
                    service.uploads.begin_original(upload, visitor(http))
            return gr.update(told=told)

        on(self.part.input, tell, inputs=self.part, outputs=self.part, trigger_mode="always_last")


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


def kept_paint(text: str) -> dict[str, Any] | None:
    """What `repainted` takes, out of a painter's value as this browser kept it, in JSON.

    None where it can't be read, or the upload is gone.
    """
    try:
        value = json.loads(text)
        told = {name: value[name] for name in ("regions", "sees", "edge") if name in value}
        told |= {"original": str(value["original"]), "size": _size(value)} if original_in(value) else {}
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    try:
        regions_of(told)
    except InvalidRequest:
        told["regions"] = []
    return told


def painted_in(value: object) -> Painted | None:
    """What a painter's value says of the part that is to change; None while the switch is off, or there is no photo."""
    if not isinstance(value, Mapping) or not value.get("photo") or not value.get("regions"):
        return None
    return {name: value[name] for name in ("regions", "sees", "edge") if name in value}


def regions_in(value: object) -> int:
    """How many regions have paint, at least one: an order of one picture makes as many calls."""
    regions = (painted_in(value) or {}).get("regions")
    told = regions if isinstance(regions, list) else []
    return max(1, sum(bool(region.get("strokes")) for region in told if isinstance(region, Mapping)))


def original_in(value: object) -> Path | None:
    """The upload from which a painter's photo was made.

    Raises:
        InvalidRequest: it is not there any more.
    """
    path = value.get("original") if isinstance(value, Mapping) else None
    return uploaded({"path": path}) if path else None


def sharpnesses(value: object) -> dict[str, float]:
    """Of the photo's own sharpness, the share that what is painted will have at least: as a "part", as the "whole".

    Besides, whether it covers `all` of the photo, and whether two lumps `apart` would each be sharper as a region.
    """
    painted = painted_in(value)
    if not painted or not isinstance(value, Mapping):
        return {}
    try:
        size = _size(value)
        masks = [mask_of(region.strokes, size) for region in regions_of(painted)]
        part, whole = (
            [sharpness(*part_to_send(mask, size, everything=everything)) for mask in masks]
            for everything in (False, True)
        )
    except ValueError:  # nothing is painted yet, or it can't be read
        return {}
    covered = np.any([np.asarray(mask) > 0 for mask in masks], 0)
    apart = any(share < 0.5 and _apart(mask) for share, mask in zip(part, masks, strict=True))
    return {"part": min(part), "whole": min(whole), "all": bool(covered.mean() > NEARLY_ALL), "apart": apart}


def _apart(mask: Image.Image) -> bool:
    """Whether the paint is in two lumps, with as much nothing between them as half of what they span."""
    painted = np.asarray(mask) > 0
    columns, rows = (np.flatnonzero(painted.any(axis)) for axis in (0, 1))
    span = max(columns[-1] - columns[0], rows[-1] - rows[0])
    return any(np.diff(places, prepend=places[0]).max() > span / 2 for places in (columns, rows))


def _size(value: Mapping[str, Any]) -> tuple[int, int]:
    """Raises ValueError where it has none."""
    match value.get("size"):
        case [int(width), int(height)] if 0 < width <= _LARGEST and 0 < height <= _LARGEST:
            return width, height
    raise ValueError("no size")
