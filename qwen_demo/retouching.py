"""Change only here, as an order goes: the photo is kept, its region sent, the answer put in; and what comes after."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from . import images, inpaint
from .api.errors import InvalidRequest, QwenDemoError
from .api.requests import ImageEdit
from .images import Reference, Verified
from .inpaint import Region, mask_in, regions_of
from .library import Entry, Library
from .line import Line
from .order import Call, Order, Picture
from .region import Match, Size
from .uploads import Uploads
from .visitors import Visitor

AT_ONCE = 2  # pictures that are worked on, and where strangers come one of each
SAME_PLACE = 1.0  # px: what moved by less, if it has the photo's size, is aligned

T = TypeVar("T")


class NotPutIn(QwenDemoError):
    """An answer came and is shown as it came: it could not be put into its photo."""

    may_be_billed = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be changed only in parts: the photo's name and size, as it is kept, and those parts."""

    photo: str
    size: Size
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What the files of a picture say of it and its photo.

    Attributes:
        region: where alone the photo was to change.
        identical: how many pixels are the photo's, bit for bit.
        pixels: how many there are.
        photo, sent, answered: those pictures, as far as they are still here.
        map: which pixels are not the photo's.
    """

    region: Region
    identical: int
    pixels: int
    photo: Entry
    map: Entry | None
    sent: Entry | None
    answered: Entry | None


@dataclass(frozen=True, slots=True)
class Drift:
    """How an edit shows the scene of its photo, and how far that moved at most, in px of the photo."""

    match: Match
    photo: Entry
    moved: float

    @property
    def aligned(self) -> bool:
        """Whether there is nothing to undo."""
        return self.moved < SAME_PLACE


class Retouching:
    """Changes only parts of photos, for whoever they belong to.

    Args:
        library_of: the name of a visitor → where that one's pictures are.
        uploads: takes photos and masks in.
        public: strangers come. Then each has a share of the line.
    """

    def __init__(self, library_of: Callable[[str], Library], uploads: Uploads, *, public: bool = False) -> None:
        self._library_of = library_of
        self._uploads = uploads
        self._line = Line(AT_ONCE, each=1 if public else 0)
        self._compared = lru_cache(maxsize=200)(inpaint.compared)
        self._drift = lru_cache(maxsize=200)(inpaint.drift)

    async def take_in(
        self, photo: Path | str, regions: Sequence[Region], mask: Path | str | None, visitor: Visitor
    ) -> Wanted:
        """The photo and where it is to change, checked and kept.

        Args:
            photo: as `Uploads.original` takes it.
            regions: of it.
            mask: what a program brings for the only one of them, as `Uploads.mask` takes it.
            visitor: whose they are.

        Raises:
            InvalidRequest: one of them can't be used; the error says why.
            TooMuchKept: the visitor had enough of them kept.
        """
        if mask is not None:
            name, _ = await self._uploads.mask(mask, visitor)
            regions = [replace(region, mask=name) for region in regions]
        name, size, lost = await self._uploads.original(photo, visitor)
        library = self._library_of(visitor.name)
        for region in regions:
            await asyncio.to_thread(mask_in, region, size, library.find_reference(region.mask))
        return Wanted(name, size, tuple(replace(region, lost=lost) for region in regions))

    async def cut_out(self, order: Order, call: Call) -> None:
        """Give a call its request: the region as the calls before it have left it.

        Raises:
            InvalidRequest: the photo is not here any more.
        """
        library, region = self._library_of(order.visitor), call.region or Region()

        def cut() -> tuple[Region, str]:
            photo = _photo(library, order, order.ground(call))
            mask = mask_in(region, images.size_of(photo), library.find_reference(region.mask))
            known, sent = inpaint.cut_out(photo, mask, region)
            library.keep_reference(sent)
            return known, sent.url

        known, image = await self._in_turn(cut, order.counted)
        call.region = known
        if isinstance(call.request, ImageEdit) and known.size:
            row = call.request.row
            size = None if row.keeps_shape else row.at_a_megapixel(*known.size)
            call.request = replace(call.request, image=image, size=size)

    async def put_in(self, order: Order, call: Call, answer: Verified) -> tuple[Verified, Region]:
        """The photo with what was painted of an answer in it, and what is known of the region then.

        Raises:
            NotPutIn: the photo is gone, or there is no room.
        """
        library = self._library_of(order.visitor)

        def put() -> tuple[bytes, Region]:
            ground = order.ground(call)
            entry = library.entry_of(ground.path) if ground else None
            region = replace(call.region or Region(), answer=_keep(library, answer), onto=entry.id if entry else "")
            return _put_in(library, _photo(library, order, ground), region)

        try:
            data, region = await self._in_turn(put, order.counted)
        except (OSError, InvalidRequest) as error:
            raise NotPutIn(str(error)) from error
        return await asyncio.to_thread(images.verify, data), region

    async def apply_again(self, entry: Entry, painted: Mapping[str, Any], visitor: Visitor) -> Path:
        """A picture made anew from the answer that it has, with other paint or another edge. Nothing is sent for it.

        Raises:
            InvalidRequest: nothing is painted, or nothing where there is an answer; or the photo or that is gone.
            TooMuchKept: the visitor has made enough of them.
            OSError: it can't be saved.
        """
        library, recipe, now = self._library_of(visitor.name), entry.recipe, datetime.now()
        if recipe is None or recipe.region is None:
            raise InvalidRequest("image", "picture_missing", entry.id)
        known, (new, *_) = recipe.region, regions_of(painted)
        region = replace(known, strokes=new.strokes, mask="", edge=new.edge)
        await self._uploads.kept.check(visitor, entry.path.stat().st_size)

        def again() -> Path:
            photo = library.find(known.onto) if known.onto else library.reference(recipe.references[0])
            if photo is None:
                raise InvalidRequest("image", "picture_missing", entry.id)
            data, made = _put_in(library, photo.path, region)
            return library.save(images.verify(data), replace(recipe, region=made), 1, now)

        path = await self._in_turn(again, visitor.counted)
        await self._uploads.kept.charge(visitor, path.stat().st_size)
        return path

    async def proof(self, entry: Entry, visitor: Visitor) -> Proof | None:
        """What the files say of a picture of which only a part was to change; None where the photo is gone.

        Raises:
            OSError: a file is gone meanwhile.
        """
        library, recipe = self._library_of(visitor.name), entry.recipe
        if recipe is None or recipe.region is None or not recipe.references:
            return None
        region = recipe.region

        def prove() -> Proof | None:
            photo = library.reference(recipe.references[0])
            if photo is None or photo.size != entry.size:
                return None
            identical, shown = self._compared(photo.path, entry.path)
            found = _keep(library, Verified(shown, "PNG", *entry.size))
            sent, answered = library.reference(region.sent), library.reference(region.answer)
            pixels = entry.size[0] * entry.size[1]
            return Proof(region, identical, pixels, photo, library.reference(found), sent, answered)

        return await self._in_turn(prove, visitor.counted)

    async def drift(self, entry: Entry, visitor: Visitor) -> Drift | None:
        """How an edit without paint shows its photo; None where that is gone, or another scene is seen.

        Raises:
            OSError: a file is gone meanwhile.
        """
        library, recipe = self._library_of(visitor.name), entry.recipe
        if recipe is None or recipe.region or recipe.kind != ImageEdit.kind or not recipe.references:
            return None

        def look() -> Drift | None:
            photo = library.reference(recipe.references[0])
            if photo is None:
                return None
            found, size, moved = self._drift(photo.path, entry.path)
            return (
                Drift(found, photo, moved if size == entry.size else max(moved, SAME_PLACE))
                if found.same_scene
                else None
            )

        return await self._in_turn(look, visitor.counted)

    async def align(self, entry: Entry, visitor: Visitor) -> Path:
        """An edit with its shift and zoom undone, at the size of its photo.

        Raises:
            InvalidRequest: the photo is gone, or another scene is seen.
            TooMuchKept: the visitor has made enough of them.
            OSError: it can't be saved.
        """
        drift, library, recipe, now = (
            await self.drift(entry, visitor),
            self._library_of(visitor.name),
            entry.recipe,
            datetime.now(),
        )
        if drift is None or recipe is None:
            raise InvalidRequest("image", "picture_missing", entry.id)
        await self._uploads.kept.check(visitor, entry.path.stat().st_size)

        def save() -> Path:
            data = inpaint.aligned(entry.path, drift.photo.size, drift.match.place)
            return library.save(images.verify(data), recipe, 1, now)

        path = await self._in_turn(save, visitor.counted)
        await self._uploads.kept.charge(visitor, path.stat().st_size)
        return path

    async def _in_turn(self, work: Callable[[], T], counted: Sequence[str]) -> T:
        async with self._line.turn(work, counted):
            return await asyncio.to_thread(work)


def _photo(library: Library, order: Order, ground: Picture | None) -> Path:
    """What a call's picture is put into.

    Raises:
        InvalidRequest: it is not here any more.
    """
    photo = ground.path if ground else library.find_reference(order.terms.references[0])
    if photo is None:
        raise InvalidRequest("image", "picture_missing", order.terms.references[0])
    return photo


def _put_in(library: Library, photo: Path, region: Region) -> tuple[bytes, Region]:
    """Raises as `Retouching.put_in` and `Retouching.apply_again`."""
    mask = mask_in(region, images.size_of(photo), library.find_reference(region.mask))
    sent, answer = library.find_reference(region.sent), library.find_reference(region.answer)
    if sent is None or answer is None:
        raise InvalidRequest("image", "picture_missing", region.answer)
    return inpaint.put_in(photo, mask, region, sent, answer)


def _keep(library: Library, picture: Verified) -> str:
    data = picture.data if picture.format == "PNG" else images.as_png(picture.data)
    size = picture.width, picture.height
    reference = Reference(data, "image/png", size, "PNG", size, located=False)
    library.keep_reference(reference)
    return reference.sha256
