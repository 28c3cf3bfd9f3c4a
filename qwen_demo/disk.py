"""The disk: whether it has room for what is ordered, and files that are there whole or not at all."""

import filecmp
import math
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .api.errors import QwenDemoError

FLOOR = 50_000_000  # bytes that stay free
EVERY = 1.0  # seconds between looks
clock = time.monotonic
PICTURE = 15_000_000  # bytes that one may take: its answer in base64, itself, its previews
PIXELS = 4_000_000  # of such a one at most; what is larger takes as much more


class DiskFull(QwenDemoError):
    """There is no room for more pictures; nothing was sent."""


class Room:
    """Whether pictures have room in a folder, which need not be there yet, and in the temporary one.

    Each call asks several times: the disk is looked at once a second at most.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free = self._looked = -math.inf

    @property
    def stale(self) -> bool:
        """Whether it is time to look again."""
        return clock() - self._looked >= EVERY

    def look(self) -> None:
        """Look at the disk. Not for the event loop."""
        free = [math.inf]
        for place in (self._folder, Path(tempfile.gettempdir())):
            with suppress(OSError):  # nobody knows
                there = next(parent for parent in (place, *place.parents) if parent.exists())
                free.append(shutil.disk_usage(there).free)
        self._free, self._looked = min(free), clock()

    def check(self, pictures: int) -> None:
        """Whether so many pictures had room when it was looked.

        Raises:
            DiskFull: they hadn't.
        """
        if self._free < FLOOR + PICTURE * pictures:
            raise DiskFull


def made_once(path: Path, make: Callable[[], bytes]) -> Path:
    """A file that is there, or is made now. Raises OSError where it can't be."""
    if not path.exists():
        with written(make(), path.parent) as half:
            half.replace(path)
    return path


@contextmanager
def written(data: bytes, folder: Path) -> Iterator[Path]:
    """A finished file under a temporary name in that folder, still to be given its own."""
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f".{secrets.token_hex(8)}.part"
    try:
        half.write_bytes(data)
        yield half
    finally:
        with suppress(OSError):  # a scanner that holds it makes no picture unsaved
            half.unlink(missing_ok=True)


def claim(half: Path, path: Path, *, again: bool) -> bool:
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
