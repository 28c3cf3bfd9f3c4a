"""Which files the browser gets, and which uploads a handler may read."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder
from PIL import Image

from ..api.errors import InvalidRequest


def uploaded(file: Mapping[str, Any]) -> Path:
    """The path of an upload, out of the dict in which Gradio hands it over.

    Raises:
        InvalidRequest: it is not there any more, or leads elsewhere. Whoever sends the dict can write any path into it.
    """
    path = Path(str(file.get("path")).replace("\0", "")).resolve()
    if not _is_published(path) or not path.is_file():
        raise InvalidRequest("image", "picture_missing", path.name)
    return path


def publish(path: Path) -> str:
    """A second name for a finished picture, in the folder that Gradio serves from, at an address nobody can guess.

    Gradio takes what lies there as it is: elsewhere it would hash and copy every picture before showing it. Not for the
    event loop: from another disk, such as a volume, the picture is copied.
    """
    target = fresh_folder() / address_name(path)
    try:
        os.link(path, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(path, target)
        if not path.exists():  # it was deleted meanwhile
            target.unlink(missing_ok=True)
    return str(target)


def withdraw(paths: Iterable[Path]) -> None:
    """Take back the second names of these pictures, whoever published them. Not for the event loop: it looks at all."""
    names = {address_name(path) for path in paths}
    for folder in Path(get_upload_folder()).glob("*"):
        for name in names:
            with suppress(FileNotFoundError, NotADirectoryError):
                (folder / name).unlink()


def address_name(path: Path) -> str:
    """What a picture's file is called in its address: words of a prompt would be seen on the way, and be logged.

    What is published already keeps its name, and an upload its owner's.
    """
    if _is_published(path):
        return path.name
    return hashlib.sha256(bytes(path)).hexdigest()[:24] + path.suffix


def placeholder(shape: tuple[int, int]) -> str:
    """A faint frame of that shape, to stand where a picture will be. The style sheet knows it by its name."""
    width, height = shape
    path = fresh_folder() / "waiting.png"
    scale = 1200 / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey = Image.new("P", size)  # one bit a pixel: a frame is drawn before each order is sent
    grey.putpalette((128, 128, 128))
    grey.save(path, transparency=bytes([40]), bits=1)
    return str(path)


def fresh_folder() -> Path:
    """A new folder that Gradio serves from, under a name nobody can guess."""
    folder = Path(get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return folder


def _is_published(path: Path) -> bool:
    return path.resolve().is_relative_to(Path(get_upload_folder()).resolve())
