"""Pictures on the page, which are saved under the names that they have in the library, not those of their addresses."""

from abc import ABCMeta
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.component_meta import ComponentMeta
from gradio.components.gallery import GalleryData, GalleryImage
from gradio.data_classes import FileData, ImageData

F = TypeVar("F", FileData, ImageData)


@dataclass(frozen=True, slots=True)
class Tile:
    """A place in the gallery: the picture's name in the library, or "", its published file, and the words on it."""

    name: str
    file: str
    caption: str | None = None


class _Plain(ComponentMeta):
    """Makes a component's class without a file of its types beside this one, which Gradio would write."""

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> "_Plain":
        return ABCMeta.__new__(cls, name, bases, attrs)


class Gallery(gr.Gallery, metaclass=_Plain):
    """Gradio's, of tiles."""

    is_template = True  # to the browser it is its parent

    def postprocess(self, value: Iterable[Tile] | None) -> GalleryData:  # type: ignore[override]
        return GalleryData(
            root=[GalleryImage(image=_file(ImageData, tile), caption=tile.caption) for tile in value or ()]
        )


class DownloadButton(gr.DownloadButton, metaclass=_Plain):
    """Gradio's, for the picture of a tile."""

    is_template = True

    def postprocess(self, value: Tile | None) -> FileData | None:  # type: ignore[override]
        return _file(FileData, value) if value else None


def _file(kind: type[F], tile: Tile) -> F:
    return kind(path=tile.file, orig_name=Path(tile.name or tile.file).name)
