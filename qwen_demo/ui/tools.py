"""What can be done with a finished picture: use its settings, edit it, fuse it, download it, delete it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from ..archive import UnderWay
from ..i18n import translate
from ..library import Entry
from ..recipe import Recipe
from ..service import Service
from .controls import small_button
from .events import Updates, language_of, nothing, on, refusal, visitor
from .files import publish, withdraw
from .form import Form
from .link import write
from .messages import t
from .pictures import DownloadButton, Tile


class Tools:
    """A row of buttons for a gallery. They act on the picture that was chosen there, at first the first.

    Drawn at this place of the page; hidden while the gallery is empty.
    """

    def __init__(self, prefix: str, service: Service) -> None:
        self._service = service
        self.names = gr.State([])
        """The names of the gallery's pictures in the library; "" for one that is not in it."""
        self.chosen = gr.State("")

        def button(key: str) -> gr.Button:
            return small_button(t(f"tool_{key}"), f"{prefix}-{key}")

        # Shown by the style sheet while there are pictures: Gradio, told to hide and show in quick succession, at times
        # ends up with the first.
        with gr.Row(elem_classes="chips tools"):
            self._use, self._edit, self._fuse = button("use"), button("edit-this"), button("add-to-fusion")
            self._download = DownloadButton(
                t("tool_download"),  # type: ignore[arg-type]  # is translated all the same
                size="sm",
                min_width=0,
                elem_id=f"{prefix}-download",
            )
            self._zip, self._copy, self._delete = button("zip"), button("link"), button("delete")
        with gr.Row(visible=False, elem_classes="chips") as self._asking:
            gr.HTML(t("delete_question"))
            self._yes, self._no = button("delete-yes"), button("delete-no")
        self._link, self._ticket = gr.Textbox(visible=False), gr.Textbox(visible=False)

    def outputs(self) -> list[Component]:
        """What `show` changes."""
        return [self.names, self.chosen, self._download, self._asking]

    def show(self, names: list[str], owner: str) -> Updates:
        """Take these pictures of that visitor's, and choose the first. Not for the event loop."""
        return {self.names: names, **self._choose(next(iter(names), ""), owner)}

    def _choose(self, name: str, owner: str) -> Updates:
        entry = self._service.library(owner).find(name)
        # A question that is still open was about another picture.
        return {
            self.chosen: name,
            self._download: gr.update(value=Tile(name, publish(entry.path)) if entry else None),
            self._asking: gr.update(visible=False),
        }

    async def tiles(self, names: Sequence[str], owner: str, language: str = "") -> list[Tile]:
        """Those of a visitor's pictures that are there; where a language is given, with seeds that are one's alone."""
        library = self._service.library(owner)
        entries = list(filter(None, map(library.find, names)))
        seeds = Counter(entry.recipe.seed for entry in entries if entry.recipe and language)
        tiles = []
        for entry in entries:
            seed = entry.recipe.seed if entry.recipe else None
            own = seed is not None and seeds[seed] == 1
            caption = translate(language, "caption_seed", seed=seed) if own else None
            path = await self._service.shown(entry, owner)
            tiles.append(Tile(entry.name, await asyncio.to_thread(publish, path), caption))
        return tiles

    def wire(self, gallery: gr.Gallery, forms: Sequence[Form], tabs: gr.Tabs, *, looks_again: bool = False) -> None:
        """Bind the buttons to the gallery and to the forms that they fill.

        `looks_again` is for a gallery that is filled anew after a deletion by whoever holds it.
        """
        service = self._service
        of_kind = {form.request_type.kind: form for form in forms}
        _, edit, fusion = forms

        def found(name: str, http: gr.Request) -> Entry:
            if entry := service.library(visitor(http).name).find(name):
                return entry
            raise refusal("picture_gone", http)

        def recipe_of(name: str, http: gr.Request) -> tuple[Recipe, Form]:
            recipe = found(name, http).recipe
            if recipe is None or recipe.kind not in of_kind:
                raise refusal("recipe_missing", http)
            return recipe, of_kind[recipe.kind]

        def choose(names: list[str], event: gr.SelectData, http: gr.Request) -> Updates:
            at = event.index if isinstance(event.index, int) else -1
            return self._choose(names[at] if 0 <= at < len(names) else "", visitor(http).name)

        def use(name: str, http: gr.Request) -> Updates:
            recipe, form = recipe_of(name, http)
            pictures = service.references(recipe.references, visitor(http).name)
            return {**form.fill(recipe, pictures), tabs: gr.update(selected=form.tab)}

        def edit_this(name: str, http: gr.Request) -> Updates:
            return {**edit.slots[0].fill(found(name, http).path), tabs: gr.update(selected=edit.tab)}

        def add_to_fusion(http: gr.Request, name: str, **given: Any) -> Updates:
            entry = found(name, http)
            free = [slot for slot, held in zip(fusion.slots, fusion.held(given), strict=True) if not any(held)]
            if not free:
                language = language_of(http)
                gr.Warning(translate(language, "fusion_full"), title=translate(language, "title_warning"))
                return nothing()
            return {**free[0].fill(entry.path), tabs: gr.update(selected=fusion.tab)}

        def link(name: str, http: gr.Request) -> str:
            recipe, form = recipe_of(name, http)
            language = language_of(http)
            gr.Info(translate(language, "link_copied"), title=translate(language, "title_info"), duration=3)
            return write(recipe, form.tab)

        async def archive(names: list[str], http: gr.Request) -> str:
            owner = visitor(http).name
            entries = await asyncio.to_thread(lambda: list(filter(None, map(service.library(owner).find, names))))
            if not entries:
                raise refusal("picture_gone", http)
            try:
                return service.archives.offer(owner, entries)
            except UnderWay:
                raise refusal("zip_under_way", http) from None

        async def delete(name: str, names: list[str], http: gr.Request) -> Updates:
            owner = visitor(http).name
            library = service.library(owner)
            if entry := library.find(name):
                await asyncio.to_thread(library.delete, entry)
                await asyncio.to_thread(withdraw, library.files(entry))
            names = [other for other in names if other != name]
            if looks_again:  # and shows previews: the originals of a whole page would be loaded for nothing
                return await asyncio.to_thread(self.show, names, owner)
            left = await self.tiles(names, owner, language_of(http))
            # None chosen in the gallery, or it would show another picture than the one the tools act on.
            return {
                gallery: gr.update(value=left, selected_index=None),
                **await asyncio.to_thread(self.show, [tile.name for tile in left], owner),
            }

        on(gallery.select, choose, inputs=self.names, outputs=[self.chosen, self._download, self._asking])
        on(
            self._use.click,
            use,
            inputs=self.chosen,
            outputs=[tabs, *(part for form in forms for part in form.outputs())],
        )
        on(self._edit.click, edit_this, inputs=self.chosen, outputs=[tabs, *edit.outputs()])
        places, added = {"name": self.chosen, **fusion.inputs()}, [tabs, *fusion.outputs()]
        on(self._fuse.click, add_to_fusion, inputs_kwargs=places, outputs=added, preprocess=False)
        offered = on(self._zip.click, archive, inputs=self.names, outputs=self._ticket)
        on(offered.success, None, inputs=self._ticket, js="page.fetchArchive")
        linked = on(self._copy.click, link, inputs=self.chosen, outputs=self._link)
        on(linked.then, None, inputs=self._link, js="page.copyLink")
        asked = on(self._delete.click, lambda: gr.update(visible=True), outputs=self._asking)
        on(asked.then, None, js=f"page.focus('{self._no.elem_id}')")
        on(self._no.click, lambda: gr.update(visible=False), outputs=self._asking)
        self.deleted = on(self._yes.click, delete, inputs=[self.chosen, self.names], outputs=[gallery, *self.outputs()])
