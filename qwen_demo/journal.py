"""The journal: orders on disk, so that nothing that was paid for is lost with the process.

One small JSON file an order, replaced whole, in `.orders/` of the outputs folder: what was asked, whose it is (never a
key), and how far each call is. An answer is written down as it came, in a file beside, before anyone tries to
understand it; it goes when its pictures are saved.
"""

import json
import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

from .api.catalog import PROVIDER, Catalog
from .api.errors import BadResponse
from .call import Call
from .entries import entry_of, order_of
from .life import Life
from .order import Order, mark
from .orders import MOST_KEPT

log = logging.getLogger(__name__)

FOLDER = ".orders"
DAY = 24 * 3600.0
UNREAD = 30 * DAY  # as long as something of an order is unread, its file stays


class Taken(NamedTuple):
    """What a look at the journal has brought, the oldest first.

    Attributes:
        orders: that were another process's and are this one's from now on.
        elsewhere: the ids of those that are another's, which lives.
    """

    orders: list[Order]
    elsewhere: list[str]


class Journal:
    """The folder of orders below `root`, the library's. Its methods block: not for the event loop.

    Args:
        root: the library's folder.
        catalog: the models there are now. Orders of others are known all the same.
    """

    def __init__(self, root: Path, catalog: Catalog = PROVIDER) -> None:
        self._folder = root.expanduser().absolute() / FOLDER
        self._catalog = catalog
        self.life = Life(self._folder)
        self._own: dict[str, tuple[int, int]] = {}  # this process's files: no look into them is needed

    def write(self, order: Order) -> bool:
        """Put down how an order stands; not one that is at rest here and has another process meanwhile.

        A full disk stops no order: what it then lacks is told in the log. Returns whether it is put down.
        """
        try:
            if order.finished and not self._is_own(self._file(order)):
                return False
            self._put(self._file(order), entry_of(order))
        except OSError as error:
            log.error("order %s is not in the journal: %s", order.id, error.strerror)
            return False
        return True

    def claim(self, order: Order) -> bool:
        """Put down that an order is at rest no more: from now on no other process takes it over.

        Returns False where one has done so before, and may have gone on with it. A full disk stops nobody: then another
        process may go on with it, too.
        """
        try:
            self.life.begin()
            with self.life.alone():
                if not self._is_own(self._file(order)):
                    return False
                self._put(self._file(order), {**entry_of(order), "rests": False})
        except OSError as error:
            log.error("order %s is not in the journal: %s", order.id, error.strerror)
        return True

    def keep_answer(self, order: Order, call: Call, content: bytes) -> bool:
        """Put down an answer as it came, and how the order stands then. Returns whether that is put down."""
        try:
            os.replace(self._half(self.answer_file(order, call), content), self.answer_file(order, call))
        except OSError as error:
            log.error("an answer to order %s is not in the journal: %s", order.id, error.strerror)
        return self.write(order)

    def answer_file(self, order: Order, call: Call) -> Path:
        """Where an answer is, as long as its pictures are not all saved."""
        return self._folder / f"{order.id}.{call.first}.answer"

    def drop_answer(self, order: Order, call: Call) -> bool:
        """Put down how the order stands now that this answer's pictures are saved, or can't be had; and let it go.

        Returns whether that is put down. Where it isn't, the answer stays.
        """
        if written := self.write(order):
            self.answer_file(order, call).unlink(missing_ok=True)
        return written

    def answer(self, order: Order, call: Call) -> bytes:
        """An answer as it came.

        Raises:
            BadResponse: it is not here any more.
        """
        try:
            return self.answer_file(order, call).read_bytes()
        except OSError as error:
            raise BadResponse("answer_gone") from error

    def drop(self, order: Order) -> bool:
        """Nobody wants to know of this order any more. Returns whether it is gone: another process's is its to drop."""
        if not self._is_own(self._file(order)):
            return False
        for path in self._folder.glob(f"{order.id}.*"):
            path.unlink(missing_ok=True)
        return True

    def take_over(self, visitor: str = "") -> Taken:
        """Have from now on what was another process's, and say what is another's.

        Of everybody it has those whose process has ended. Of a `visitor`, who is here now, also those at rest in a
        process that lives. Those that were under way have ended with what is known of them. No two processes get the
        same.

        Raises:
            OSError: the folder can't be read.
        """
        ended = [] if visitor else self.life.ended()
        taken = Taken([], [])
        for path in self._others(visitor):
            try:
                if entry := self._claimed(path, visitor):
                    taken.orders.append(order_of(entry, self._catalog))
                elif path.name not in self._own:
                    taken.elsewhere.append(path.stem)
            except FileNotFoundError:  # someone dropped it just now
                pass
            except Exception as error:  # noqa: BLE001 - whatever one file is, the others and the app's start go on
                log.error("the journal's file %s can't be read (%s)", path.name, type(error).__name__)
        for life in ended:
            with suppress(OSError):
                life.unlink()
        return taken

    def someone_ended(self) -> bool:
        """Whether a process has ended whose orders nobody has taken over yet.

        Raises:
            OSError: the folder can't be read.
        """
        return bool(self.life.ended())

    def _others(self, visitor: str) -> list[Path]:
        """Everybody's orders, or the last ones of a visitor, the oldest first; without those known as this process's.

        It looks into none of them.
        """
        found, beginning = [], mark(visitor) if visitor else ""
        with suppress(FileNotFoundError):  # no order yet
            for file in os.scandir(self._folder):
                if file.name.startswith(beginning) and file.name.endswith(".json"):
                    with suppress(OSError):  # it went just now, or leads nowhere
                        found.append((file.stat().st_mtime_ns, file.name, _look(file.stat())))
        last = sorted(found)[-MOST_KEPT if visitor else 0 :]
        return [self._folder / name for _, name, look in last if self._own.get(name) != look]

    def _is_own(self, path: Path) -> bool:
        """Whether a file is no other process's: this one's, or not there, or unreadable."""
        try:
            if _look(path.stat()) != self._own.get(path.name):
                return bool(json.loads(path.read_bytes())["process"] == self.life.name)
        except (FileNotFoundError, ValueError, TypeError, LookupError):
            pass
        return True

    def _claimed(self, path: Path, visitor: str) -> dict[str, Any] | None:
        """What stands in a file, if it can be taken over. It is this process's then."""
        self.life.begin()
        with self.life.alone():
            entry: dict[str, Any] = json.loads(path.read_bytes())
            process = entry["process"]
            if entry["id"] != path.stem or not entry["calls"]:
                raise ValueError("this is no order of that name")
            left = bool(visitor) and entry["visitor"] == visitor and entry.get("rests")
            look = path.stat()
            if process == self.life.name:
                self._own[path.name] = _look(look)
            else:
                self._own.pop(path.name, None)
            if process == self.life.name or (not left and self.life.lives(str(process))):
                return None
            # As old as before, but for a nanosecond: by it the process that had it sees that it is another's.
            self._put(path, entry, changed=look.st_mtime_ns + 1)
            return entry

    def sweep(self) -> None:
        """Delete what is older than a day, or than 30 where something is unread."""
        now = time.time()
        with suppress(FileNotFoundError):  # no order yet
            for path in self._folder.glob("[!.]*"):  # processes' own files are hidden
                unread = any(self._folder.glob(f"{escape(path.stem.partition('.')[0])}.*.answer"))
                with suppress(OSError):  # someone else sweeps too, or holds it
                    if path.stat().st_mtime < now - (UNREAD if unread else DAY):
                        path.unlink()
        for name in [name for name in self._own.copy() if not (self._folder / name).exists()]:
            self._own.pop(name, None)

    def _file(self, order: Order) -> Path:
        return self._folder / f"{order.id}.json"

    def _put(self, path: Path, entry: Mapping[str, Any], changed: int | None = None) -> None:
        """Write this process's file anew, as if it had `changed` then, in nanoseconds."""
        self.life.begin()
        half = self._half(path, json.dumps({**entry, "process": self.life.name}, ensure_ascii=False).encode())
        if changed:
            os.utime(half, ns=(changed, changed))
        self._own[path.name] = _look(half.stat())
        os.replace(half, path)

    def _half(self, path: Path, content: bytes) -> Path:
        """What shall be in a file's place, beside it."""
        half = path.with_name(f"{path.name}.part")
        try:
            half.write_bytes(content)
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            half.write_bytes(content)
        return half


def _look(file: os.stat_result) -> tuple[int, int]:
    """What a file has in common with none that was in its place before."""
    return file.st_ino, file.st_mtime_ns
