"""Where finished pictures live: a folder a day, a file a picture, the recipe inside. There is no database to lose."""

import filecmp
import hashlib
import os
import re
import secrets
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain, count, islice
from pathlib import Path

from . import images
from .images import Reference, Verified
from .recipe import BadRecipe, Recipe, embed, read

REFERENCES = ".references"
PREVIEWS = ".previews"
_PART = "visitor-"
_DAY = r"\d{4}-\d\d-\d\d"
GRID_SIDE, FULL_SIDE = 512, 3072
"""Sides in px of the two kinds of preview: for History's grid, and to judge a picture full-screen."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture of the library; its recipe is None where the file has none that can be read."""

    name: str
    path: Path
    recipe: Recipe | None


class Library:
    """The folder of finished pictures, such as `outputs/2026-11-22/153012-a-cute-cat-qwen-image-plus-12345-1.png`.

    Args:
        root: made when the first picture is saved.
        embed_recipe: whether a picture carries its recipe.
    """

    def __init__(self, root: Path, *, embed_recipe: bool = True) -> None:
        self.root = root.expanduser().absolute()
        self._embed_recipe = embed_recipe
        # Pictures never change, so what was read once stays true; the largest recipe of a name is some 2 KB.
        self._recipe = lru_cache(maxsize=20_000)(_recipe)

    def of(self, owner: str) -> "Library":
        """The part that belongs to one owner, who finds nothing outside of it. It shares what was read before."""
        part = copy(self)
        part.root = self.root / f"{_PART}{hashlib.sha256(owner.encode()).hexdigest()[:32]}"
        return part

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
        words = (f"{at:%H%M%S}", slug(recipe.prompt), recipe.model, recipe.seed, number)
        stem = "-".join(str(word) for word in words if word not in ("", None))
        folder = self.root / f"{at:%Y-%m-%d}"
        with _written(data, folder) as half:
            names = (f"{stem}{suffix}.png" for suffix in chain([""], (f"-{again}" for again in count(2))))
            return next(folder / name for name in names if _claim(half, folder / name, again))

    def keep_reference(self, reference: Reference) -> Path:
        """Keep a reference picture under the hash of its bytes, so that a recipe can find it again.

        Raises:
            OSError: as for `save`.
        """
        path = _made_once(
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

    def known_reference(self, path: Path) -> Path | None:
        """The kept reference picture that has the same bytes as this file."""
        return self.find_reference(hashlib.sha256(path.read_bytes()).hexdigest())

    def search(
        self, words: str = "", kind: str = "", model: str = "", *, skip: int = 0, limit: int = 24
    ) -> list[Entry]:
        """A page of the library, newest first. Reads no more of the folder than it needs.

        Args:
            words: all of them stand in the prompt, in any order and case.
            kind: only this kind; "" for all.
            model: only this model; "" for all.
            skip: how many come before the page.
            limit: how many fit on the page.
        """
        wanted = words.casefold().split()
        if not (wanted or kind or model):  # the pages before this one need not be opened
            return [self._entry(path) for path in islice(self._newest_first(), skip, skip + limit)]

        def fits(entry: Entry) -> bool:
            recipe = entry.recipe
            if recipe is None or kind not in ("", recipe.kind) or model not in ("", recipe.model):
                return False
            return all(word in recipe.prompt.casefold() for word in wanted)

        return list(islice(filter(fits, map(self._entry, self._newest_first())), skip, skip + limit))

    def entry_of(self, path: Path) -> Entry | None:
        """The picture in that file, if it is in the library."""
        return self._entry(path) if path.is_relative_to(self.root) else None

    def _entry(self, path: Path) -> Entry:
        return Entry(path.relative_to(self.root).as_posix(), path, self._recipe(path))

    def find(self, name: str) -> Entry | None:
        """The picture of that name, such as `2026-11-22/153012-a-cute-cat.png`; None for any other path."""
        if not re.fullmatch(rf"{_DAY}/[^/\\.][^/\\]*\.png", name):
            return None
        path = self.root / name
        return self._entry(path) if path.is_file() else None

    def preview(self, entry: Entry, side: int) -> Path:
        """A light picture of at most `side` px, made when it is first asked for.

        Raises:
            OSError: the file is gone, or is no picture.
        """
        return _made_once(self._preview_path(entry, side), lambda: images.preview(entry.path, side))

    def files(self, entry: Entry) -> list[Path]:
        """A picture and its previews, whether they are there or not."""
        return [entry.path, *(self._preview_path(entry, side) for side in (GRID_SIDE, FULL_SIDE))]

    def delete(self, entry: Entry) -> None:
        """Remove a picture and its previews. One that is gone already is no error."""
        for path in self.files(entry):
            path.unlink(missing_ok=True)

    def _reference_path(self, sha256: str, kind: str) -> Path:
        return self.root / REFERENCES / f"{sha256}.{kind}"

    def _preview_path(self, entry: Entry, side: int) -> Path:
        return self.root / PREVIEWS / str(side) / Path(entry.name).with_suffix(".webp")

    def _newest_first(self) -> Iterator[Path]:
        days = (day for day in self.root.glob("*-*-*") if re.fullmatch(_DAY, day.name) and day.is_dir())
        for day in sorted(days, reverse=True):
            names = (name for name in os.listdir(day) if name.endswith(".png") and name[0] != ".")
            yield from (day / name for name in sorted(names, reverse=True))


def elsewhere() -> Library:
    """A library for what the real one can't take, for a day."""
    return Library(Path(tempfile.mkdtemp(prefix="qwen-image-demo-")))


def slug(text: str, limit: int = 40, size: int = 72) -> str:
    """Words for a file name, safe on every file system: letters and digits of any script, the rest as single dashes.

    At most `limit` characters and `size` bytes: in an encrypted folder a whole name may have no more than 143.
    """
    plain = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFKC", text).lower())[:limit]
    return plain.encode()[:size].decode(errors="ignore").strip("-")


def _recipe(path: Path) -> Recipe | None:
    try:
        return read(path)
    except (BadRecipe, OSError):
        return None


def _made_once(path: Path, make: Callable[[], bytes]) -> Path:
    if not path.exists():
        with _written(make(), path.parent) as half:
            half.replace(path)
    return path


@contextmanager
def _written(data: bytes, folder: Path) -> Iterator[Path]:
    """A finished file under a temporary name in that folder, still to be given its own."""
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f".{secrets.token_hex(8)}.part"
    try:
        half.write_bytes(data)
        yield half
    finally:
        with suppress(OSError):  # a scanner that holds it makes no picture unsaved
            half.unlink(missing_ok=True)


def _claim(half: Path, path: Path, again: bool) -> bool:
    """Give a finished file its name, unless that is taken: by another one, if the same may be there already."""
    for pause in (0.1, 0.5, 2.0, None):
        try:
            os.link(half, path)  # unlike a rename, a link never replaces what is there
        except FileExistsError:
            return again and filecmp.cmp(half, path, shallow=False)
        except OSError:  # a file system without links, or a scanner that holds the new file for a moment
            if path.exists():
                return again and filecmp.cmp(half, path, shallow=False)
            try:
                half.rename(path)
            except PermissionError:
                if pause is None:
                    raise
                time.sleep(pause)
                continue
        return True
    raise AssertionError("the last try returns or raises")
