"""What is done at leisure: previews for History, and the end of what is old."""

import asyncio
import os
import stat
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .journal import DAY, Journal
from .library import GRID_SIDE, Entry, Library
from .orders import Orders

LEISURE = 2.0  # seconds without an order before previews are made: the last pictures are on their way to the page


class Upkeep:
    """Keeps the outputs in order while nobody waits for it.

    Args:
        orders: while some are under way, previews wait.
        journal: whose old files go.
        library: of everybody.
        public: strangers' pictures go after a day.
    """

    def __init__(self, orders: Orders, journal: Journal, library: Library, *, public: bool) -> None:
        self._orders = orders
        self._journal = journal
        self._library = library
        self._public = public
        self._tasks: set[asyncio.Task[Path]] = set()  # the loop itself keeps only weak references
        self._one_at_a_time = asyncio.Lock()

    def preview_later(self, library: Library, path: Path) -> None:
        """Make a picture's preview for History's grid. Who opens History before makes it then."""

        async def at_leisure(entry: Entry) -> Path:
            async with self._one_at_a_time:
                await self._orders.idle(LEISURE)
                return await asyncio.to_thread(library.preview, entry, GRID_SIDE)

        if entry := library.entry_of(path):
            task = asyncio.create_task(at_leisure(entry))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def sweep(self, uploads: Path) -> None:
        """Delete what is old, hour after hour. Runs until it is cancelled.

        Args:
            uploads: the folder of all that is written for a day: uploads, second names of pictures, temporary files.
        """
        while True:
            await asyncio.to_thread(self._journal.sweep)
            for part in ("", *(part.name for part in self._library.parts())):
                await asyncio.to_thread(purge, self._library.within(part), uploads)
            for folder in self._library.parts() if self._public else ():
                await asyncio.to_thread(sweep, folder)
            # In public a second name goes with its picture.
            await asyncio.to_thread(sweep, uploads, second_names=not self._public)
            await asyncio.sleep(DAY / 24)

    def stop(self) -> None:
        """Leave the previews that are still to be made to whoever opens History."""
        for task in self._tasks:
            task.cancel()


def second_name(id: str) -> str:
    """What a picture of that id is called in the folder of uploads."""
    return f"{id}.png"


def purge(library: Library, uploads: Path) -> None:
    """Remove for good what was deleted from a library, whoever gave it second names. Not for the event loop."""
    withdraw(uploads, library.purge())


def withdraw(uploads: Path, ids: Iterable[str]) -> None:
    """Take back the second names of these pictures. It looks at all that lie there."""
    names = list(map(second_name, ids))
    for folder in uploads.glob("*") if names else ():
        for name in names:
            with suppress(FileNotFoundError, NotADirectoryError):
                (folder / name).unlink()


def sweep(root: Path, *, second_names: bool = False) -> None:
    """Delete what was not changed for a day in a folder, whatever wrote it: files, and then folders that are empty.

    Args:
        root: the folder. Links that lead out of it are not followed.
        second_names: files of several names, which are as old as the pictures that they are, stay for a day after
            their folder was changed.
    """
    before = time.time() - DAY
    for path, folders, names in os.walk(root, topdown=False):
        folder = Path(path)
        with suppress(OSError):  # someone else sweeps too, or has put something in
            changed = folder.stat().st_mtime
            for file in (folder / name for name in (*names, *folders)):
                with suppress(OSError):
                    found = file.lstat()
                    since = changed if second_names and found.st_nlink > 1 else found.st_mtime
                    if since < before and not stat.S_ISDIR(found.st_mode):
                        file.unlink()
            if changed < before and folder != Path(tempfile.gettempdir()):
                folder.rmdir()
