"""What is done at leisure: previews for History, and the end of what is old."""

import asyncio
import ctypes
import shutil
import sys
import time
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
                preview = await asyncio.to_thread(library.preview, entry, GRID_SIDE)
                await asyncio.to_thread(_trim_memory)
                return preview

        if entry := library.entry_of(path):
            task = asyncio.create_task(at_leisure(entry))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def sweep(self, published: Path) -> None:
        """Delete what is old, hour after hour. Runs until it is cancelled.

        Args:
            published: where uploads and second names of pictures lie, a folder each: they are for a day.
        """
        while True:
            await asyncio.to_thread(self._journal.sweep)
            await asyncio.to_thread(sweep_folders, published)
            if self._public:
                await asyncio.to_thread(self._library.sweep, DAY)
            await asyncio.sleep(DAY / 24)

    def stop(self) -> None:
        """Leave the previews that are still to be made to whoever opens History."""
        for task in self._tasks:
            task.cancel()


def sweep_folders(folder: Path) -> None:
    """Delete the folders in this one that are older than a day. A second name itself is as old as its picture."""
    with suppress(FileNotFoundError):  # nothing was published yet, or someone else sweeps too
        for inner in folder.iterdir():
            if inner.is_dir() and inner.stat().st_mtime < time.time() - DAY:
                shutil.rmtree(inner, ignore_errors=True)


def _trim_memory() -> None:
    """Give freed memory back to the system. glibc keeps hundreds of MB after many pictures; others need no telling."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim:
        trim(0)
