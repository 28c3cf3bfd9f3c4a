"""Where finished pictures live: a folder a day, a file a picture, the recipe inside. There is no database to lose."""

import hashlib
import os
import re
import struct
import tempfile
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain, count
from pathlib import Path

from . import images
from .containers import PNG
from .disk import claim, made_once, written
from .images import Reference, Verified
from .recipe import BadRecipe, Recipe, embed, read

REFERENCES = ".references"
PREVIEWS = ".previews"
MAPS = "map"
DELETED = ".deleted"
STARS = ".stars"
UNDO = 12.0
"""Seconds until what was deleted is gone for good; the page says ten."""
_PART = "visitor-"
_REFERENCE = "reference-"
_DAY = r"\d{4}-\d\d-\d\d"
GRID_SIDE, FULL_SIDE = 512, 3072
"""Sides in px of the two kinds of preview: for History's grid, and to judge a picture full-screen."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture of the library, finished or a reference.

    Attributes:
        name: its day and file, such as `2026-11-22/153012-a-cute-cat.png`; of a reference `reference-…`.
        path: where it is.
        size: width and height in px; (0, 0) where the file is no PNG.
        recipe: None where the file has none that can be read.
    """

    name: str
    path: Path
    size: tuple[int, int]
    recipe: Recipe | None

    @property
    def id(self) -> str:
        """What it is called in addresses, where words of a prompt would be seen on the way, and be logged."""
        return _id(self.name) if "/" in self.name else self.name

    @property
    def day(self) -> str:
        """When it was saved, as `2026-11-22`."""
        return self.name.partition("/")[0]


class Library:
    """The folder of finished pictures, such as `outputs/2026-11-22/153012-a-cute-cat-qwen-image-plus-12345-1.png`.

    Args:
        root: made when the first picture is saved.
        embed_recipe: whether a picture carries its recipe.
    """

    def __init__(self, root: Path, *, embed_recipe: bool = True) -> None:
        self.root = root.expanduser().absolute()
        self._embed_recipe = embed_recipe
        self._starring = threading.Lock()
        # Pictures never change, so what was read once stays true; the largest recipe of a name is some 2 KB.
        self._look = lru_cache(maxsize=20_000)(_look)

    def of(self, owner: str) -> "Library":
        """The part that belongs to one owner, who finds nothing outside of it. It shares what was read before."""
        return self.within(f"{_PART}{hashlib.sha256(owner.encode()).hexdigest()[:32]}")

    def within(self, part: str) -> "Library":
        """The part in the folder of that name; "" is all of it."""
        own = copy(self)
        own.root = self.root / part
        return own

    def parts(self) -> Iterator[Path]:
        """The folders of all owners."""
        return self.root.glob(f"{_PART}*")

    def save(self, picture: Verified, recipe: Recipe, number: int, at: datetime, *, again: bool = False) -> Path:
        """Keep a picture: the bytes as they came if it is a PNG, else a PNG of the same pixels, with its recipe inside.

        Nothing is ever overwritten, and a crash leaves no half file.

        Args:
            picture: the result.
            recipe: what it was asked with.
            number: the picture's in its order, from 1.
            at: when it came, local time.
            again: it may have been saved before, and is the file that is there then.

        Raises:
            OSError: the disk is full, or the folder can't be written.
        """
        data = picture.data if picture.format == "PNG" else images.as_png(picture.data)
        if self._embed_recipe:
            data = embed(data, recipe)
        model = slug(recipe.model.rpartition("/")[2])  # engines have names such as Qwen/Qwen-Image
        words = (f"{at:%H%M%S}", slug(recipe.prompt), model, recipe.seed, number)
        stem = "-".join(str(word) for word in words if word not in ("", None))
        folder = self.root / f"{at:%Y-%m-%d}"
        with written(data, folder) as half:
            names = (f"{stem}{suffix}.png" for suffix in chain([""], (f"-{again}" for again in count(2))))
            return next(folder / name for name in names if claim(half, folder / name, again=again))

    def keep_reference(self, reference: Reference) -> Path:
        """Keep a reference picture under the hash of its bytes, so that a recipe can find it again.

        Raises:
            OSError: as for `save`.
        """
        path = made_once(
            self._reference_path(reference.sha256, reference.mime.rpartition("/")[2]), lambda: reference.data
        )
        os.utime(path)  # where files go after a day, that begins anew
        return path

    def find_reference(self, sha256: str) -> Path | None:
        """The reference picture of that hash, if it is still there."""
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            return None
        paths = (self._reference_path(sha256, kind) for kind in ("png", "jpeg"))
        return next((path for path in paths if path.exists()), None)

    def reference(self, sha256: str) -> Entry | None:
        """The same as a picture among others."""
        path = self.find_reference(sha256)
        return Entry(f"{_REFERENCE}{sha256}", path, images.size_of(path), None) if path else None

    def known_reference(self, path: Path) -> Path | None:
        """The kept reference picture that has the same bytes as this file."""
        return self.find_reference(hashlib.sha256(path.read_bytes()).hexdigest())

    def newest_first(self) -> Iterator[Entry]:
        """All pictures. Reads no more of the folder than is asked for."""
        return (entry for entry in map(self._entry, self._newest_first()) if entry.size[0])

    def count(self) -> int:
        """How many pictures there are, without a look at any."""
        return sum(1 for _ in self._newest_first())

    def entry_of(self, path: Path) -> Entry | None:
        """The picture in that file, if it is in the library."""
        return self._entry(path) if path.is_relative_to(self.root) else None

    def _entry(self, path: Path) -> Entry:
        try:
            size, recipe = self._look(path)
        except (OSError, struct.error):  # is not remembered: it may be readable the next time
            size, recipe = (0, 0), None
        return Entry(path.relative_to(self.root).as_posix(), path, size, recipe)

    def find(self, id: str) -> Entry | None:
        """The picture of that id, such as `2026-11-22-4f1c…` or `reference-4f1c…`; None for any other text."""
        if id.startswith(_REFERENCE):
            return self.reference(id.removeprefix(_REFERENCE))
        path = _found(self.root, id)
        return self._entry(path) if path else None

    def preview(self, entry: Entry, side: int) -> Path:
        """A light picture of at most `side` px, made when it is first asked for.

        Raises:
            OSError: the file is gone, or is no picture.
        """
        return made_once(self._preview_path(entry, side), lambda: images.preview(entry.path, side))

    def map(self, entry: Entry, make: Callable[[], bytes]) -> Path:
        """The map of what differs in a picture from its photo, a PNG, made when it is first asked for.

        Raises:
            OSError: it can't be written; and what `make` raises.
        """
        return made_once(self.map_path(entry), make)

    def map_path(self, entry: Entry) -> Path:
        """Where that map is, once it was made."""
        return self.root / PREVIEWS / MAPS / entry.name

    def files(self, entry: Entry) -> list[Path]:
        """A picture and what was made of it to be looked at, whether that is there or not."""
        return [entry.path, *(self._preview_path(entry, side) for side in (GRID_SIDE, FULL_SIDE)), self.map_path(entry)]

    def delete(self, entry: Entry) -> None:
        """Put a picture aside, where it can be restored from until it is purged. One that is gone is no error."""
        aside = self.root / DELETED / entry.name
        aside.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            entry.path.replace(aside)
            os.utime(aside)

    def restore(self, id: str) -> bool:
        """Put a deleted picture back. Returns whether it could be."""
        aside = _found(self.root / DELETED, id)
        if aside is None:
            return False
        back = self.root / aside.relative_to(self.root / DELETED)
        back.parent.mkdir(parents=True, exist_ok=True)
        if not claim(aside, back, again=False):
            return False
        aside.unlink(missing_ok=True)  # a link of two names, where there are links
        return True

    def purge(self, older: float = UNDO) -> list[str]:
        """Remove for good what was deleted so many seconds ago, with its previews. Returns the ids."""
        gone, before, beside = [], time.time() - older, set[str]()
        for path in (self.root / DELETED).glob("*/*.png"):
            with suppress(OSError):  # restored this moment, or held by a scanner
                if path.stat().st_mtime <= before:
                    with suppress(BadRecipe):
                        beside |= _beside(read(path))
                    path.unlink()
                    entry = Entry(path.relative_to(self.root / DELETED).as_posix(), path, (0, 0), None)
                    gone.append(entry.id)
                    for preview in self.files(entry)[1:]:
                        preview.unlink(missing_ok=True)
        for other in self.newest_first() if beside else ():
            beside -= {*_beside(other.recipe), *(other.recipe.references if other.recipe else ())}
        dropped = map(self._drop_reference, beside)
        return gone + [reference.id for reference in dropped if reference]

    def _drop_reference(self, name: str) -> Entry | None:
        """Remove a reference picture with its previews. Returns what it was."""
        entry = self.reference(name)
        for file in self.files(entry) if entry else ():
            file.unlink(missing_ok=True)
        return entry

    def starred(self) -> frozenset[str]:
        """The names of the pictures with a star."""
        try:
            return frozenset((self.root / STARS).read_text(encoding="utf-8").splitlines())
        except OSError:
            return frozenset()

    def star(self, entries: Iterable[Entry], on: bool) -> None:
        """Give pictures a star, or take it. They stand in a small file beside the pictures, a name a line.

        Raises:
            OSError: it can't be written.
        """
        with self._starring:
            names = {entry.name for entry in entries}
            kept = self.starred() | names if on else self.starred() - names
            with written("".join(f"{name}\n" for name in sorted(kept)).encode(), self.root) as half:
                half.replace(self.root / STARS)

    def _reference_path(self, sha256: str, kind: str) -> Path:
        return self.root / REFERENCES / f"{sha256}.{kind}"

    def _preview_path(self, entry: Entry, side: int) -> Path:
        return self.root / PREVIEWS / str(side) / Path(entry.name).with_suffix(".webp")

    def _newest_first(self) -> Iterator[Path]:
        days = (day for day in self.root.glob("*-*-*") if re.fullmatch(_DAY, day.name) and day.is_dir())
        for day in sorted(days, reverse=True):
            yield from (day / name for name in sorted(filter(_is_picture, os.listdir(day)), reverse=True))


def elsewhere() -> Library:
    """A library for what the real one can't take, for a day."""
    return Library(Path(tempfile.mkdtemp(prefix="qwen-image-demo-")))


def _id(name: str) -> str:
    return f"{name.partition('/')[0]}-{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def _found(root: Path, id: str) -> Path | None:
    """The file of a picture by its id."""
    if not re.fullmatch(rf"{_DAY}-[0-9a-f]{{24}}", id):
        return None
    folder = root / id[:10]
    try:
        name = _names(folder, folder.stat().st_mtime_ns).get(id) or _names.__wrapped__(folder, 0).get(id)
    except OSError:
        return None
    path = folder / name if name else None
    return path if path and path.is_file() else None


@lru_cache(maxsize=64)
def _names(folder: Path, _: int) -> dict[str, str]:
    """The files of a day by their ids, as of when the folder was changed."""
    return {_id(f"{folder.name}/{name}"): name for name in os.listdir(folder) if _is_picture(name)}


def _is_picture(name: str) -> bool:
    return name.endswith(".png") and name[0] != "."


def slug(text: str, limit: int = 40, size: int = 72) -> str:
    """Words for a file name, safe on every file system: letters and digits of any script, the rest as single dashes.

    At most `limit` characters and `size` bytes: in an encrypted folder a whole name may have no more than 143.
    """
    plain = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFKC", text).lower())[:limit]
    return plain.encode()[:size].decode(errors="ignore").strip("-")


def _beside(recipe: Recipe | None) -> set[str]:
    """The SHA-256 of what was sent and answered for a picture of which only a part was to change: kept for it alone."""
    return {recipe.region.sent, recipe.region.answer} - {""} if recipe and recipe.region else set()


def _look(path: Path) -> tuple[tuple[int, int], Recipe | None]:
    """A picture's size and recipe.

    Raises:
        OSError, struct.error: it can't be read, or is cut short.
    """
    with path.open("rb") as file:
        head = file.read(24)
    if len(head) == 24 and not head.startswith(PNG):
        return (0, 0), None
    width, height = struct.unpack(">II", head[16:])
    try:
        return (width, height), read(path)
    except BadRecipe:
        return (width, height), None
