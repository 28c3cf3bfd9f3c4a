"""A place for a reference picture, which is made ready as it comes."""

import asyncio
import re
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from ..api.errors import InvalidRequest
from ..i18n import translate
from ..images import size_of
from ..library import Entry
from ..preparing import PLACES
from ..service import Service
from .events import Updates, language_of, nothing, on, visitor
from .files import fresh_folder, publish, publish_entry, uploaded
from .messages import problem_html, reference_html, t
from .painter import Painter, photo_value

Upload = dict[str, Any] | None
"""What a slot's image is to a handler: Gradio's dict with its path, or None."""


class Slot:
    """An upload, or an address that is passed on as it is. Drawn at this place, so many pixels high.

    It is `shown`, or the form will show it; without `addresses` it takes uploads alone.
    """

    def __init__(self, elem_id: str, label: str, *, height: int, shown: bool = True, addresses: bool = True) -> None:
        with gr.Column(elem_classes="slot", min_width=0, visible=shown) as self.column:
            self.image = gr.Image(
                type="filepath",
                sources=["upload", "clipboard"],
                label=t(label),
                height=height,
                placeholder=t("drop_hint"),  # type: ignore[arg-type]  # is translated all the same
                buttons=[],
                elem_id=elem_id,
                elem_classes="image-slot",
            )
            self.address = gr.Textbox(
                show_label=False,
                label=t("image_address"),
                placeholder=t("image_address_hint"),
                max_lines=1,
                elem_id=f"{elem_id}-address",
                elem_classes="address",
                visible=addresses,
            )
            told = "page.tellPlace(element, trigger)"
            self._note = gr.HTML("", elem_id=f"{elem_id}-note", elem_classes="slot-note", js_on_load=told)
        self.companions: list[gr.Button] = []
        """What goes with it: buttons that name it, or move what is in it."""
        self.painter: Painter | None = None
        """Where its picture can be painted on."""
        self.photos: gr.HTML | None = None
        """What takes several pictures in its place, see `photos.Photos`."""
        self._original = gr.State("")
        """The upload as it came, to be made ready once more on another background."""

    def outputs(self) -> list[Component]:
        return [*self._own(), *([self.photos] if self.photos else [])]

    def _own(self) -> list[Component]:
        parts: list[Component] = [self.image, self.address, self._note, self._original]
        return [*parts, self.painter.part] if self.painter else parts

    def put(
        self,
        image: str | None,
        address: str = "",
        note: str = "",
        original: str = "",
        came_with: tuple[int, int] | None = None,
    ) -> Updates:
        """A picture, or none, with what is told of it. `came_with` is the original's size, if that is not its own."""
        values: list[Any] = [image, address, note, original]
        if self.painter:
            size = came_with or (size_of(Path(image)) if image else (0, 0))
            values.append(photo_value(image, size, original, address=bool(address)))
        return dict(zip(self._own(), values, strict=True))

    def fill(self, picture: Entry | Path | str | None) -> Updates:
        """Put a picture of the library, a file or an https:// address in, or nothing, in place of what is there."""
        alone: Updates = {self.photos: []} if self.photos else {}
        if isinstance(picture, Entry):
            return {**self.put(publish_entry(picture)), **alone}
        if isinstance(picture, Path):
            return {**self.put(publish(picture)), **alone}
        return {**self.put(None, picture or "", note=preview_html(picture or "")), **alone}

    async def take(self, service: Service, upload: Path, background: str, http: gr.Request) -> Updates:
        """Make an upload ready and put it in, or say why it can't be used."""
        try:
            reference, kept = await service.uploads.prepare(upload, visitor(http), colour(background))
        except InvalidRequest as error:
            parts = parts_html(error, language_of(http))
            note = problem_html(error, language_of(http)) + parts
            return self.put(None, note=note, original=str(upload) if parts else "")
        shown = await asyncio.to_thread(publish, kept)
        note = reference_html(reference, language_of(http))
        return self.put(shown, note=note, original=str(upload), came_with=reference.came_with)

    def wire(self, service: Service, background: gr.ColorPicker) -> None:
        """Make uploads ready, anew when the background changes, and let picture and address take turns."""

        async def prepare(source: Upload | str, background: str, http: gr.Request) -> Updates:
            if not source:
                return nothing()
            try:
                path = uploaded({"path": source} if isinstance(source, str) else source)
            except InvalidRequest as error:
                return self.put(None, note=problem_html(error, language_of(http)))
            return await self.take(service, path, background, http)

        async def cut(original: str, background: str, http: gr.Request, event: gr.EventData) -> Updates:
            upload, place = uploaded({"path": original}), str(event.place)
            if place not in PLACES:
                return nothing()
            data = await service.uploads.crop(upload, place, visitor(http))
            return await prepare(await asyncio.to_thread(_kept_part, upload, data), background, http)

        parts = self.outputs()
        on(self.image.upload, prepare, inputs=[self.image, background], outputs=parts, preprocess=False)
        on(self._note.click, cut, inputs=[self._original, background], outputs=parts)
        on(background.change, prepare, inputs=[self._original, background], outputs=parts)
        on(self.image.clear, lambda: self._but(self.image, self.put(None)), outputs=parts)
        on(self.address.input, self._turn, inputs=self.address, outputs=parts, trigger_mode="always_last")
        typed = [self.address.blur, self.address.submit]  # no host is asked for half an address
        on(typed, self._take_address, inputs=[self.address, self.image], outputs=parts, preprocess=False)

    def _but(self, own: Component, updates: Updates) -> Updates:
        """The updates of all but the part that the visitor is at."""
        return {part: value for part, value in updates.items() if part is not own}

    def _turn(self, address: str, note: str = "") -> Updates:
        """It is the address's turn, whatever that is."""
        return self._but(self.address, self.put(None, address, note))

    def _take_address(self, address: str, image: Upload) -> Updates:
        """What is pasted with the mouse comes only now."""
        return self._turn(address, preview_html(address.strip())) if address.strip() or not image else nothing()


def preview_html(address: str) -> str:
    """The picture at an https:// address, as far as the visitor's browser can load it; else nothing."""
    if not address.startswith("https://"):
        return ""
    return f'<img class="preview" src="{escape(address)}" alt="" referrerpolicy="no-referrer">'


def parts_html(error: InvalidRequest, language: str) -> str:
    """What of an upload can be used that is refused for its ratio, to be chosen with a click; else nothing."""
    if error.problem != "picture_ratio":
        return ""
    tall = {"top": "part_top", "middle": "part_middle", "bottom": "part_bottom"}
    wide = {"left": "part_left", "middle": "part_middle", "right": "part_right"}
    offered = tall if int(str(error.facts["height"])) > int(str(error.facts["width"])) else wide
    buttons = (
        f'<button type="button" data-place="{place}">{escape(translate(language, key))}</button>'
        for place, key in offered.items()
    )
    return f"<p>{escape(translate(language, 'part_offer'))} {' '.join(buttons)}</p>"


def _kept_part(upload: Path, data: bytes) -> str:
    """The file of an upload's part."""
    part = fresh_folder() / f"{upload.stem}.png"
    part.write_bytes(data)
    return str(part)


def colour(picked: str | None) -> str:
    """A colour picker's value as Pillow reads it, white where it is none; Gradio's picker also gives `rgba(…)`."""
    if picked and re.fullmatch(r"#[0-9a-fA-F]{6}", picked):
        return picked
    parts = re.findall(r"\d+(?:\.\d+)?", picked or "")[:3]
    return "#" + "".join(f"{round(min(255, float(part))):02x}" for part in parts) if len(parts) == 3 else "white"
