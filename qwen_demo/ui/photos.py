"""Many photos in the place of one: each is edited with the same words. `board/photos.js` draws them."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from typing import Annotated, Any

import gradio as gr
from pydantic import AfterValidator, StringConstraints, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from ..api.errors import InvalidRequest
from ..axes import MOST
from ..call import Photo
from ..library import Entry
from ..service import Service
from ..visitors import Visitor
from .events import on
from .files import uploaded
from .parts import part
from .slot import colour

_LONGEST = 120  # characters of a name
_Short = Annotated[str, StringConstraints(max_length=4096)]  # as a path may be


def plain(name: str) -> str:
    """A file's name as it can be shown: without folders, and without what can't be seen, or turns text around."""
    own = name.replace("\\", "/").rpartition("/")[2]
    return " ".join("".join(letter if letter.isprintable() else " " for letter in own).split())[:_LONGEST]


def apart(names: Sequence[str]) -> list[str]:
    """Names of files, each as it is but for a number where one before has it: "beach.jpg", "beach (2).jpg"."""
    found: list[str] = []
    for name in names:
        stem, dot, end = name.rpartition(".") if "." in name else (name, "", "")
        numbered = (f"{stem} ({number}){dot}{end}" if number > 1 else name for number in count(1))
        found.append(next(one for one in numbered if one not in found))
    return found


@checked(frozen=True)
class Row:
    """A photo as the browser has it.

    Attributes:
        name: its file's.
        path: where the upload is; "" where there is none.
        background: the colour that it was made ready with.
        id: the reference picture that it became; "" before it is one.
    """

    name: Annotated[str, AfterValidator(plain)]
    path: _Short = ""
    background: _Short = ""
    id: _Short = ""


ROW = TypeAdapter(Row)


class Photos:
    """A button that takes several files, and the photos that came, drawn at this place below a slot.

    The part's value is a list of `Row`s, those that are ready. It triggers `input` after each change.
    """

    def __init__(self) -> None:
        self.part = part("photos", events=["input"], value=[], background="#ffffff")

    def wire(self, background: gr.ColorPicker) -> None:
        """Make all ready anew when the background changes."""
        on(background.change, lambda picked: gr.update(background=picked), inputs=background, outputs=self.part)


def photos_in(value: object) -> list[Row]:
    """What the part's value says, as far as it can be read: each photo once, and no more than one order takes."""
    rows: dict[str, Row] = {}
    for told in value[:MOST] if isinstance(value, list) else ():
        with suppress(ValidationError):
            row = ROW.validate_python(told)
            rows.setdefault(row.id or row.path, row)
    return list(rows.values())


def rows_of(photos: Iterable[Photo]) -> list[dict[str, Any]]:
    """The part's value with the photos of an order."""
    return [asdict(Row(name=photo.name, id=f"reference-{photo.reference}")) for photo in photos]


def kept_photos(text: str) -> list[dict[str, Any]]:
    """The part's value as this browser kept it, in JSON. Whether they are still here, the page asks."""
    try:
        return [asdict(row) for row in photos_in(json.loads(text))]
    except (ValueError, RecursionError):
        return []


async def photos_of(service: Service, value: object, visitor: Visitor, background: str) -> list[Photo]:
    """The photos that an order is about, ready to be sent.

    Args:
        service: has the visitor's library, in which they are.
        value: the part's.
        visitor: who orders.
        background: the colour behind what is transparent.

    Raises:
        InvalidRequest: one of them is gone, or can't be used; the error names it.
        TooMuchKept: the visitor had enough pictures made ready.
    """
    rows = photos_in(value)
    made = [(await made_ready(service, row, visitor, background)).path.stem for row in rows]
    return list(map(Photo, apart([row.name for row in rows]), made))


async def made_ready(service: Service, row: Row, visitor: Visitor, background: str) -> Entry:
    """The reference picture that a photo has become; made of its upload, where it is none on that background.

    Raises:
        InvalidRequest, TooMuchKept: as for `photos_of`.
    """
    library, sha256 = service.library(visitor.name), row.id.removeprefix("reference-")
    made = await asyncio.to_thread(library.reference, sha256)
    if made and (colour(row.background) == background or not row.path):
        return made
    try:
        upload = uploaded({"path": row.path})
    except InvalidRequest as error:
        raise InvalidRequest("image", "photo_gone", row.name) from error
    try:
        reference, _ = await service.uploads.prepare(upload, visitor, background)
    except InvalidRequest as error:
        raise InvalidRequest(error.field, error.problem, row.name, **error.facts) from error
    if made := await asyncio.to_thread(library.reference, reference.sha256):
        return made
    raise InvalidRequest("image", "photo_gone", row.name)  # the disk is full
