"""Whether the disk has room for what is ordered: who pays for a picture must get it."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from .api.errors import QwenDemoError

FLOOR = 50_000_000  # bytes that stay free
PICTURE = 15_000_000  # bytes that one may take: its answer in base64, itself, its previews


class DiskFull(QwenDemoError):
    """There is no room for more pictures; nothing was sent."""


def check_room(folder: Path, pictures: int) -> None:
    """Whether so many pictures have room in a folder, which need not be there yet, and in the temporary one.

    Raises:
        DiskFull: they don't.
    """
    for place in (folder, Path(tempfile.gettempdir())):
        with suppress(OSError):  # nobody knows
            there = next(parent for parent in (place, *place.parents) if parent.exists())
            if shutil.disk_usage(there).free < FLOOR + PICTURE * pictures:
                raise DiskFull
