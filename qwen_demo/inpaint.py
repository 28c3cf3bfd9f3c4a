"""A region of a photo: what was painted, what of the photo is sent, and what comes back into it.

Files in, files out; `region.py` finds where an answer belongs. Nothing here is for the event loop.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image, ImageFilter
from pydantic import Field, TypeAdapter

from .api.errors import InvalidRequest
from .colour import into, srgb
from .images import Reference, given_back, saved
from .region import Box, Match, Size, levelled, match, part_to_send, paste, straightened, touched
from .registration import Flags
from .strokes import MAX_REGIONS, mask_of

WORK = threading.Lock()
"""Held while a photo is worked on: a large one takes hundreds of MB. Other pictures are read meanwhile."""
MAX_EDGE = 3
MAP_COLOURS = (0x17, 0x17, 0x1B, 0xA7, 0x8B, 0xFA)
"""RGB of what is the same, and of what differs: the page's colours by night."""
_ROWS = 512  # that are compared at once

Stroke = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where a photo may change, and what is known of it by now.

    Attributes:
        strokes: the paint, as `strokes.py` has it; none where a program brought a mask.
        mask: the SHA-256 of that mask, as it is kept.
        words: what shall change there; "" for the order's prompt.
        everything: whether the model sees the whole photo, and not only what is around the paint.
        edge: how soft the edge of what is pasted is, 0 (hard) to 3.
        background: the colour that the model sees behind what is transparent.
        lost: what of the photo's colours is lost, as for `images.Reference`.
        onto: the id of the picture of the library that it is put into; "" for the photo itself.
        box: what was sent of that: left, top, right, bottom in its px.
        size: width and height in which it was sent.
        sent: the SHA-256 of what was sent, as it is kept.
        answer: the SHA-256 of what came, as it is kept.
        moved: how far the model moved what is not painted, in px of the photo.
        changed: the share of that which it drew anew; None where too little is unpainted to tell.
        cut: the same of what is beside the paint.
        identical: how many pixels of the picture are the same, bit for bit, as before this was put into it; None until
            then, and where it could not be put in.
    """

    strokes: tuple[Stroke, ...] = ()
    mask: str = ""
    words: str = ""
    everything: bool = False
    edge: Annotated[float, Field(ge=0, le=MAX_EDGE)] = 1.0
    background: str = "white"
    lost: str = ""
    onto: str = ""
    box: Box | None = None
    size: Size | None = None
    sent: str = ""
    answer: str = ""
    moved: float = 0.0
    changed: float | None = None
    cut: float | None = None
    identical: int | None = None

    @property
    def wished(self) -> "Region":
        """What somebody wants of it, without what came of that."""
        wishes = "strokes", "mask", "words", "everything", "edge", "background", "lost"
        return Region(**{name: getattr(self, name) for name in wishes})


_REGION = TypeAdapter(Region)


def region_of(told: Mapping[str, Any] | None) -> Region | None:
    """A region out of what `dataclasses.asdict` made of it, maybe by way of JSON.

    Raises:
        ValueError: it is none.
    """
    return _REGION.validate_python(told) if told else None


def regions_of(painted: Mapping[str, Any]) -> list[Region]:
    """What a browser says was painted: `regions`, each with `strokes` and `words`, and `sees` and `edge` of all.

    Raises:
        InvalidRequest: nothing is painted, it can't be read, or there are words for what is not painted.
    """
    told, edge = painted.get("regions"), painted.get("edge", 1)
    if not isinstance(told, list) or len(told) > MAX_REGIONS or not all(isinstance(one, dict) for one in told):
        raise InvalidRequest("mask", "mask_strokes", told)
    if isinstance(edge, bool) or not isinstance(edge, int | float) or not 0 <= edge <= MAX_EDGE:
        raise InvalidRequest("mask", "mask_strokes", edge)
    everything, regions = painted.get("sees") == "whole", []
    for number, one in enumerate(told, 1):
        strokes, words = one.get("strokes"), one.get("words", "")
        try:
            shown = mask_of(strokes, (1, 1), side=100).getbbox()
        except ValueError as error:
            raise InvalidRequest("mask", "mask_strokes", strokes) from error
        words = words.strip() if isinstance(words, str) else ""
        if shown and isinstance(strokes, list):
            lines = tuple(tuple(round(float(value), 1) for value in stroke) for stroke in strokes)
            regions.append(Region(strokes=lines, words=words, everything=everything, edge=float(edge)))
        elif words:
            raise InvalidRequest("mask", "part_paint", words, number=number)
    if not regions:
        raise InvalidRequest("mask", "mask_empty", "")
    return regions


def mask_in(region: Region, whole: Size, brought: Path | None) -> Image.Image:
    """A region's mask, "L", in the shape of the photo.

    Args:
        region: painted, or with a mask that was brought.
        whole: the photo's width and height.
        brought: that mask's file.

    Raises:
        InvalidRequest: nothing is white in it, or it has another shape.
    """
    if region.strokes:
        mask = mask_of([list(stroke) for stroke in region.strokes], whole)
    elif brought:
        with Image.open(brought) as grey:
            mask = grey.convert("L")
    else:
        raise InvalidRequest("mask", "picture_gone" if region.mask else "mask_empty", region.mask)
    if not mask.getbbox():
        raise InvalidRequest("mask", "mask_empty", "")
    (width, height), (wide, high) = mask.size, whole
    # Both sides may be rounded: that matters in a small mask more than in a large one.
    if abs(width * high / (height * wide) - 1) > 0.01 + 1 / min(width, height):
        raise InvalidRequest("mask", "mask_shape", "", width=width, height=height, wide=wide, high=high)
    return mask


def part_of(photo: Path, mask: Image.Image, region: Region) -> tuple[Region, Reference]:
    """The part of a photo that is sent, in the region it now belongs to, and as a picture.

    Raises:
        ValueError: nothing of the mask is white.
        OSError: the photo is gone.
    """
    with WORK, Image.open(photo) as whole:
        box, size = part_to_send(mask, whole.size, everything=region.everything)
        part = _loaded(whole).resize(size, Image.Resampling.LANCZOS, box, reducing_gap=3)
        part.info = {"icc_profile": whole.info.get("icc_profile")}
    seen = _seen(part, region.background)
    sent = Reference.png(saved(seen, "PNG", compress_level=1), size)
    return replace(region, box=box, size=size, sent=sent.sha256), sent


@given_back
def put_in(photo: Path, mask: Image.Image, region: Region, sent: Path, answer: Path) -> tuple[bytes, Region]:
    """The photo with the painted part of an answer in it, a PNG, and what that tells of the region.

    Raises:
        InvalidRequest: nothing is painted within what was sent.
        OSError: the photo, what was sent, or what came is gone.
    """
    with WORK:
        with Image.open(photo) as whole, Image.open(sent) as asked, Image.open(answer) as came:
            source, ours, theirs = _loaded(whole), asked.convert("RGB"), _seen(_loaded(came))
        box = region.box or (0, 0, *source.size)
        if not touched(mask, source.size, box, region.edge):
            raise InvalidRequest("mask", "mask_outside", "")
        found = match(ours, mask, source.size, box, theirs)
        ready = into(levelled(theirs, found), source.info.get("icc_profile"))
        before = source.crop(box)
        paste(source, mask, box, ready, found.place, region.edge)
        others = sum(int(rows.sum()) for rows in _differences(before, source.crop(box)))
        data = saved(source, "PNG", compress_level=1)
    identical, moved = source.width * source.height - others, round(found.moved(box), 1)
    return data, replace(region, moved=moved, changed=found.changed, cut=found.cut, identical=identical)


def differing(photo: Path, picture: Path) -> bytes:
    """A map of the pixels in which two pictures of one size differ, bit for bit: a PNG of two colours.

    Raises:
        OSError: one of them is gone.
    """
    with WORK, Image.open(photo) as one, Image.open(picture) as other:
        found = np.concatenate([*_differences(_loaded(one), _loaded(other))])
    shown = Image.fromarray(found.astype(np.uint8), "P")
    shown.putpalette(MAP_COLOURS)
    return saved(shown, "PNG", bits=1)


def counted(differing: Path) -> tuple[int, int]:
    """How many pixels of such a map are the same, and how many there are. Raises OSError where it is gone."""
    with WORK, Image.open(differing) as shown:
        return shown.histogram()[0], shown.width * shown.height


def drift(photo: Path, picture: Path) -> tuple[Match, float]:
    """How a plain edit of a photo shows its scene, and how far that moved at most, in px of the photo.

    Raises:
        OSError: one of them is gone.
    """
    with WORK, Image.open(photo) as before, Image.open(picture) as after:
        box = (0, 0, *before.size)
        found = match(_seen(_loaded(before)), Image.new("L", (64, 64)), before.size, box, _seen(_loaded(after)))
        return found, found.moved(box)


@given_back
def aligned(photo: Path, picture: Path, found: Match) -> bytes:
    """An edit with its drift undone, at the size of its photo, a PNG.

    What of the scene the edit doesn't show, at the sides that moved out, is the photo's, in the edit's colours.

    Raises:
        OSError: one of them is gone.
    """
    with WORK, Image.open(photo) as before, Image.open(picture) as after:
        size, rim = before.size, _tinted(_seen(_loaded(before)), found)
        shown = straightened(_seen(_loaded(after)), size, found.place)
        soft = max(1, max(size) // 256)
        inner = [
            (max(0, round(low * side) + 2 * soft * (low > 0)), min(side, round(high * side) - 2 * soft * (high < 1)))
            for side, (low, high) in zip(size, found.shows, strict=True)
        ]
        opacity = Image.new("L", size)
        opacity.paste(255, (inner[0][0], inner[1][0], inner[0][1], inner[1][1]))
        rim.paste(shown, mask=opacity.filter(ImageFilter.BoxBlur(soft)))
        return saved(rim, "PNG", compress_level=1)


def _tinted(photo: Image.Image, found: Match) -> Image.Image:
    """A photo in the colours that an edit of it has."""
    tables = [np.clip(np.rint((np.arange(256) - offset) / gain), 0, 255).astype(int) for gain, offset in found.levels]
    return photo.point(np.concatenate(tables).tolist())


def _seen(picture: Image.Image, background: str = "white") -> Image.Image:
    """A picture as a model sees it: RGB, in a screen's colours, on that background."""
    seen = srgb(picture)
    if seen.mode == "RGBA":
        seen = Image.alpha_composite(Image.new("RGBA", seen.size, background), seen).convert("RGB")
    seen.info.clear()
    return seen


def _differences(one: Image.Image, other: Image.Image) -> Iterator[Flags]:
    """Which pixels differ in anything: some rows after the others."""
    mode = "RGBA" if "RGBA" in (one.mode, other.mode) else "RGB"
    for top in range(0, one.height, _ROWS):
        rows = (0, top, one.width, min(top + _ROWS, one.height))
        ours, theirs = (np.asarray(picture.crop(rows).convert(mode)) for picture in (one, other))
        yield np.any(ours != theirs, axis=2)


def _loaded(picture: Image.Image) -> Image.Image:
    """Its pixels, in a mode that has all of them and can be changed."""
    picture.load()
    if picture.mode in ("RGB", "RGBA"):
        return picture
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
