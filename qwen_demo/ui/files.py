"""Which files the browser gets, and which uploads a handler may read."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from ..api.errors import InvalidRequest
from ..library import Entry
from ..upkeep import second_name


def uploaded(file: Mapping[str, Any]) -> Path:
    """The path of an upload, out of the dict in which Gradio hands it over.

    Raises:
        InvalidRequest: it is not there any more, or leads elsewhere. Whoever sends the dict can write any path into it.
    """
    path = Path(str(file.get("path")).replace("\0", "")).resolve()
    if not _is_published(path) or not path.is_file():
        raise InvalidRequest("image", "picture_missing", path.name)
    return path


def publish_entry(entry: Entry) -> str:
    """A second name for a picture of the library, which is its id: an order knows by it what it is made from."""
    return publish(entry.path, second_name(entry.id))


def publish(path: Path, name: str = "") -> str:
    """A second name for a file, in the folder that Gradio serves from, at an address nobody can guess.

    By itself the name is made of the path: words of a prompt would be seen on the way, and be logged. What is published
    already keeps its name, and an upload its owner's.

    Gradio takes what lies there as it is: elsewhere it would hash and copy every picture before showing it. Not for the
    event loop: from another disk, such as a volume, the picture is copied.
    """
    own = path.name if _is_published(path) else hashlib.sha256(bytes(path)).hexdigest()[:24] + path.suffix
    target = fresh_folder() / (name or own)
    try:
        os.link(path, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(path, target)
        if not path.exists():  # it was deleted meanwhile
            target.unlink(missing_ok=True)
    return str(target)


def fresh_folder() -> Path:
    """A new folder that Gradio serves from, under a name nobody can guess."""
    folder = Path(get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return folder


def _is_published(path: Path) -> bool:
    return path.resolve().is_relative_to(Path(get_upload_folder()).resolve())
