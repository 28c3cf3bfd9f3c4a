"""Which of the processes that share a folder still live: each holds a lock there, and the kernel lets go at any end."""

import os
import secrets
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_LIFE = ".life-"


class Life:
    """A process as the others that share a folder know it: by a file there that it holds a lock on.

    Where there are no such locks, as on Windows and some disks of others, all but itself count as dead. Its methods
    block: not for the event loop. Its files are hidden ones.

    Attributes:
        name: nobody else's, before or after.
    """

    def __init__(self, folder: Path) -> None:
        self.name = secrets.token_hex(8)
        self._folder = folder
        self._hold: weakref.finalize[[int], Life] | None = None

    def begin(self) -> None:
        """Be alive from now on, if it is not yet.

        Raises:
            OSError: the folder can't be written.
        """
        if self._hold:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.alone():  # nobody takes the new file for a dead one's, and of two threads one is first
            if not self._hold:
                file = _opened(self._file(self.name))
                _lock(file)
                self._hold = weakref.finalize(self, os.close, file)

    def end(self) -> None:
        """Be dead to the others."""
        if self._hold:
            self._hold()

    def lives(self, name: str) -> bool:
        """Whether one of that name, this or another, has begun and not ended. One that just begins may seem not to."""
        try:
            file = os.open(self._file(name), os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError:  # it is there, and can't be asked
            return True
        try:
            return not _lock(file, shared=True)  # many may look at once
        finally:
            os.close(file)

    def ended(self) -> list[Path]:
        """The files of those who have ended. Whoever has taken over what they left removes them.

        Raises:
            OSError: the folder can't be read.
        """
        if not self._folder.is_dir():  # nobody was here
            return []
        with self.alone():  # one that begins has its file before it has its lock
            files = [file for file in self._folder.glob(f"{_LIFE}*") if file.is_file()]
            names = ((file, file.name.removeprefix(_LIFE)) for file in files)
            return [file for file, name in names if name != self.name and not self.lives(name)]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Of all processes and threads that share the folder only one is within such a block."""
        file = _opened(self._folder / ".lock")
        try:
            _lock(file)
            yield
        finally:
            os.close(file)

    def _file(self, name: str) -> Path:
        return self._folder / f"{_LIFE}{name}"


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except PermissionError:  # a bucket that is mounted, where no file is opened to be changed
        return os.open(path, os.O_RDONLY)


def _lock(file: int, *, shared: bool = False) -> bool:
    """Lock a file until it is closed, as soon as nobody else does. Whether it is; for a `shared` lock nobody waits."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB if shared else fcntl.LOCK_EX)
    except BlockingIOError:
        return False
    except OSError:  # this disk has none
        pass
    return True
