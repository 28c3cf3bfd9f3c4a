"""Change only here, as an order goes: the photo is kept, its region sent, the answer put in; and what comes after."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from PIL import ImageChops

from . import images, inpaint
from .api.catalog import MAX_PICTURES
from .api.checks import whole
from .api.errors import InvalidRequest, QwenDemoError
from .api.requests import ImageEdit, ImageRequest, make, next_seed, split
from .call import Call, Picture
from .disk import DiskFull
from .images import Reference, Verified
from .inpaint import Region, mask_in, regions_of
from .library import Entry, Library
from .line import Line
from .order import Order, Terms
from .recipe import Recipe
from .region import Match, Size
from .uploads import Uploads
from .visitors import Visitor

AT_ONCE = 2  # pictures that are worked on, and where strangers come one of each
SAME_PLACE = 1.0  # px: what moved by less, if it has the photo's size, is aligned

T = TypeVar("T")
log = logging.getLogger(__name__)


class NotPutIn(QwenDemoError):
    """An answer came and is shown as it came: it could not be put into its photo.

    Attributes:
        region: what is known of it; the answer is kept.
    """

    may_be_billed = True

    def __init__(self, message: str, region: Region) -> None:
        self.region = region
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Proof:
    """What the files of a picture say of it and its photo.

    Attributes:
        region: where alone the photo was to change.
        identical: how many pixels are the photo's, bit for bit. The library has a map of the others.
        pixels: how many there are.
        photo, sent, answered: those pictures, as far as they are still here.
    """

    region: Region
    identical: int
    pixels: int
    photo: Entry
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
        self._bench = ThreadPoolExecutor(AT_ONCE, "retouching")
        self._drift = lru_cache(maxsize=1000)(inpaint.drift)

    async def take_in(
        self, photo: Path | str, regions: Sequence[Region], mask: Path | str | None, visitor: Visitor
    ) -> Terms:
        """The photo and where it is to change, checked and kept: what is known of an order of it then.

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
            regions = [replace(regions[0], mask=await self._uploads.mask(mask, visitor))]
        original = await self._uploads.original(photo, visitor)
        library = self._library_of(visitor.name)
        for region in regions:
            await asyncio.to_thread(mask_in, region, original.size, library.find_reference(region.mask))
        known = tuple(replace(region, lost=original.lost or region.lost) for region in regions)
        return Terms(references=(original.name,), shape=original.size, regions=known)

    async def cut_out(self, order: Order, call: Call) -> None:
        """Give a call its request: the region as the calls before it have left it.

        Raises:
            InvalidRequest: the photo is not here any more.
            DiskFull: there is no room for what is sent.
        """
        library, region = self._library_of(order.visitor), call.region or Region()

        def cut() -> tuple[Region, str]:
            photo = _photo(library, order, order.ground(call))
            mask = mask_in(region, images.size_of(photo), library.find_reference(region.mask))
            known, sent = inpaint.part_of(photo, mask, region)
            library.keep_reference(sent)
            return known, sent.url

        try:
            call.region, image = await self._in_turn(cut, order.counted)
        except FileNotFoundError as error:
            raise InvalidRequest("image", "picture_gone", str(error)) from error
        except OSError as error:
            raise DiskFull from error
        if isinstance(call.request, ImageEdit):
            call.request = replace(call.request, image=image)

    async def put_in(self, order: Order, call: Call, answer: Verified) -> tuple[Verified, Region]:
        """The photo with what was painted of an answer in it, and what is known of the region then.

        Raises:
            NotPutIn: the photo is gone, or there is no room, or whatever it was: the answer is paid for.
        """
        library, asked = self._library_of(order.visitor), call.region or Region()

        def put() -> tuple[Verified, Region]:
            ground = order.ground(call)
            entry = library.entry_of(ground.path) if ground else None
            known = replace(asked, answer=_keep(library, answer), onto=entry.id if entry else "")
            data, region = _put_in(library, _photo(library, order, ground), known)
            return images.verify(data), region

        try:
            return await self._in_turn(put, order.counted)
        except Exception as error:
            log.exception("an answer to order %s could not be put into its photo", order.id)
            kept = await asyncio.to_thread(_keep_or_nothing, library, answer)
            raise NotPutIn(str(error), replace(asked, answer=kept)) from error

    async def apply_again(self, entry: Entry, painted: Mapping[str, Any], visitor: Visitor) -> Path:
        """A picture made anew from the answer that it has, with other paint or another edge. Nothing is sent for it.

        Raises:
            InvalidRequest: nothing is painted, or nothing where there is an answer; or the photo or that is gone.
            TooMuchKept: the visitor has made enough of them.
            OSError: it can't be saved.
        """
        library, recipe = self._library_of(visitor.name), entry.recipe
        if recipe is None or recipe.region is None:
            raise InvalidRequest("image", "picture_gone", entry.id)
        known = recipe.region
        await self._uploads.kept.check(visitor, entry.path.stat().st_size)

        def again() -> tuple[bytes, Region]:
            photo = library.find(known.onto) if known.onto else library.reference(recipe.references[0])
            if photo is None:
                raise InvalidRequest("image", "picture_gone", entry.id)
            new, *_ = regions_of(painted)
            region = replace(known, strokes=new.strokes, mask="", edge=new.edge)
            there = known.identical is not None and region.edge == known.edge
            if there and not _differ(library, photo.size, known, region):
                raise InvalidRequest("mask", "mask_same", "")
            return _put_in(library, photo.path, region)

        data, region = await self._in_turn(again, visitor.counted)
        return await self._save(library, data, replace(recipe, region=region), visitor)

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
            differing = library.map(entry, lambda: inpaint.differing(photo.path, entry.path))
            identical, pixels = inpaint.counted(differing)
            return Proof(
                region, identical, pixels, photo, library.reference(region.sent), library.reference(region.answer)
            )

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
            found, moved = self._drift(photo.path, entry.path)
            return Drift(found, photo, moved) if found.same_scene else None

        return await self._in_turn(look, visitor.counted)

    async def align(self, entry: Entry, visitor: Visitor) -> Path:
        """An edit with its shift and zoom undone, at the size of its photo.

        Raises:
            InvalidRequest: the photo is gone, or another scene is seen.
            TooMuchKept: the visitor has made enough of them.
            OSError: it can't be saved.
        """
        await self._uploads.kept.check(visitor, entry.path.stat().st_size)
        drift, recipe = await self.drift(entry, visitor), entry.recipe
        if drift is None or recipe is None:
            raise InvalidRequest("image", "picture_gone", entry.id)
        photo, match = drift.photo.path, drift.match
        data = await self._in_turn(lambda: inpaint.aligned(photo, entry.path, match), visitor.counted)
        return await self._save(self._library_of(visitor.name), data, recipe, visitor)

    async def _save(self, library: Library, data: bytes, recipe: Recipe, visitor: Visitor) -> Path:
        """Keep a picture that nobody paid for: it counts before it is there."""
        await self._uploads.kept.charge(visitor, len(data))
        return await asyncio.to_thread(lambda: library.save(images.verify(data), recipe, 1, datetime.now()))

    def close(self) -> None:
        """Take nothing on any more."""
        self._bench.shutdown(wait=False, cancel_futures=True)

    async def _in_turn(self, work: Callable[[], T], counted: Sequence[str]) -> T:
        """Do it in the visitor's turn, which lasts as long as the work does, whoever still waits for it."""
        async with self._line.turn(work, counted):
            done = asyncio.get_running_loop().run_in_executor(self._bench, work)
            try:
                return await asyncio.shield(done)
            except asyncio.CancelledError:
                await asyncio.wait([done])
                raise


def requests_for(regions: Sequence[Region], n: int, photo: str, fields: Mapping[str, Any]) -> tuple[ImageRequest, ...]:
    """The requests that change these regions of `n` pictures: of several, one after the other in the same seed.

    Raises:
        InvalidRequest: that is more than an order has, or a field breaks its rule.
    """
    n = whole("n", n, 1, MAX_PICTURES // len(regions))
    each = [make(ImageEdit.kind, [photo], **{**fields, "prompt": region.words}) for region in regions]
    if len(each) == 1:
        return split(each[0], n)
    return tuple(replace(one, seed=next_seed(one.seed, number)) for number in range(n) for one in each)


def _photo(library: Library, order: Order, ground: Picture | None) -> Path:
    """What a call's picture is put into.

    Raises:
        InvalidRequest: it is not here any more.
    """
    photo = ground.path if ground else library.find_reference(order.terms.references[0])
    if photo is None or not photo.is_file():
        raise InvalidRequest("image", "picture_gone", order.terms.references[0])
    return photo


def _put_in(library: Library, photo: Path, region: Region) -> tuple[bytes, Region]:
    """Raises as `Retouching.put_in` and `Retouching.apply_again`."""
    mask = mask_in(region, images.size_of(photo), library.find_reference(region.mask))
    sent, answer = library.find_reference(region.sent), library.find_reference(region.answer)
    if sent is None or answer is None:
        raise InvalidRequest("image", "picture_gone", region.answer)
    return inpaint.put_in(photo, mask, region, sent, answer)


def _differ(library: Library, whole: Size, one: Region, other: Region) -> bool:
    """Whether two regions of a photo have other paint, within what was sent."""
    masks = [mask_in(region, whole, library.find_reference(region.mask)) for region in (one, other)]
    left, top, right, bottom = one.box or (0, 0, *whole)
    unit = masks[1].width / whole[0]
    box = int(left * unit), int(top * unit), math.ceil(right * unit), math.ceil(bottom * unit)
    first, second = (mask.resize(masks[1].size).crop(box) for mask in masks)
    return ImageChops.difference(first, second).getbbox() is not None


def _keep(library: Library, picture: Verified) -> str:
    """Keep a picture as it came. Returns its SHA-256. Raises OSError where there is no room."""
    data = picture.data if picture.format == "PNG" else images.as_png(picture.data)
    return library.keep_reference(Reference.png(data, (picture.width, picture.height))).stem


def _keep_or_nothing(library: Library, picture: Verified) -> str:
    try:
        return _keep(library, picture)
    except OSError:
        return ""
