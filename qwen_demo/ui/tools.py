"""What can be done with a finished picture: use its settings, edit it, fuse it, download it, delete it."""

import asyncio
from collections.abc import Sequence
from itertools import zip_longest

import gradio as gr
from gradio.components import Component

from ..i18n import translate
from ..library import Entry
from ..service import Service
from .events import Updates, language_of, nothing, offer_file, on, refusal, visitor
from .files import fresh_folder, publish
from .form import Form, Upload
from .link import write
from .messages import t


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
            return gr.Button(t(f"tool_{key}"), size="sm", min_width=0, elem_id=f"{prefix}-{key}")

        # Shown by the style sheet while there are pictures: Gradio, told to hide and show in quick succession, at times
        # ends up with the first.
        with gr.Row(elem_classes="chips tools"):
            self._use, self._edit, self._fuse = button("use"), button("edit-this"), button("add-to-fusion")
            self._download = gr.DownloadButton(
                t("tool_download"),  # type: ignore[arg-type]  # is translated all the same
                size="sm",
                min_width=0,
                elem_id=f"{prefix}-download",
            )
            self._zip, self._copy, self._delete = button("zip"), button("link"), button("delete")
        with gr.Row(visible=False, elem_classes="chips") as self._asking:
            gr.HTML(t("delete_question"))
            self._yes, self._no = button("delete-yes"), button("delete-no")
        self._link = gr.Textbox(visible=False)
        self._archive = gr.DownloadButton(visible="hidden", elem_id=f"{prefix}-archive")

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
            self._download: gr.update(value=publish(entry.path) if entry else None),
            self._asking: gr.update(visible=False),
        }

    def wire(self, gallery: gr.Gallery, forms: Sequence[Form], tabs: gr.Tabs) -> None:
        """Bind the buttons to the gallery and to the forms that they fill."""
        service = self._service
        of_kind = {form.request_type.kind: form for form in forms}
        _, edit, fusion = forms

        def choose(names: list[str], event: gr.SelectData, http: gr.Request) -> Updates:
            at = event.index if isinstance(event.index, int) else -1
            return self._choose(names[at] if 0 <= at < len(names) else "", visitor(http).name)

        def use(name: str, http: gr.Request) -> Updates:
            entry = _found(service, name, http)
            if entry.recipe is None or entry.recipe.kind not in of_kind:
                raise refusal("recipe_missing", http)
            form = of_kind[entry.recipe.kind]
            return {
                **form.fill(entry.recipe, service.references(entry.recipe, visitor(http).name)),
                tabs: gr.update(selected=form.tab),
            }

        def edit_this(name: str, http: gr.Request) -> Updates:
            entry = _found(service, name, http)
            return {**edit.slots[0].fill(entry.path), tabs: gr.update(selected=edit.tab)}

        def add_to_fusion(
            name: str,
            image_1: Upload,
            address_1: str,
            image_2: Upload,
            address_2: str,
            image_3: Upload,
            address_3: str,
            http: gr.Request,
        ) -> Updates:
            entry = _found(service, name, http)
            held = (image_1 or address_1, image_2 or address_2, image_3 or address_3)
            free = next((slot for slot, taken in zip_longest(fusion.slots, held) if not taken), None)
            if free is None:
                language = language_of(http)
                gr.Warning(translate(language, "fusion_full"), title=translate(language, "title_warning"))
                return nothing()
            return {**free.fill(entry.path), tabs: gr.update(selected=fusion.tab)}

        def link(name: str, http: gr.Request) -> str:
            recipe = _found(service, name, http).recipe
            if recipe is None or recipe.kind not in of_kind:
                raise refusal("recipe_missing", http)
            language = language_of(http)
            gr.Info(translate(language, "link_copied"), title=translate(language, "title_info"), duration=3)
            return write(recipe, of_kind[recipe.kind].tab)

        def archive(names: list[str], http: gr.Request) -> str:
            library = service.library(visitor(http).name)
            entries = [entry for name in names if (entry := library.find(name))]
            return str(library.zip(entries, fresh_folder() / "qwen-images.zip"))

        async def delete(name: str, names: list[str], http: gr.Request) -> Updates:
            owner = visitor(http).name
            library = service.library(owner)
            if entry := library.find(name):
                library.delete(entry)
            left = [other for other in names if other != name]
            entries = [entry for other in left if (entry := library.find(other))]
            shown = [await service.shown(entry, owner) for entry in entries]
            files = [
                (await asyncio.to_thread(publish, path), caption(entry, http))
                for path, entry in zip(shown, entries, strict=True)
            ]
            # None chosen in the gallery, or it would show another picture than the one the tools act on.
            return {
                gallery: gr.update(value=files, selected_index=None),
                **await asyncio.to_thread(self.show, left, owner),
            }

        def caption(entry: Entry, http: gr.Request) -> str | None:
            seed = entry.recipe.seed if entry.recipe else None
            return None if seed is None else translate(language_of(http), "caption_seed", seed=seed)

        fusion_slots = {name: part for name, part in fusion.inputs().items() if name.startswith(("image_", "address_"))}
        on(gallery.select, choose, inputs=self.names, outputs=[self.chosen, self._download, self._asking])
        everywhere = [tabs, *(part for form in forms for part in form.outputs())]
        on(self._use.click, use, inputs=self.chosen, outputs=everywhere)
        on(self._edit.click, edit_this, inputs=self.chosen, outputs=[tabs, *edit.outputs()])
        on(
            self._fuse.click,
            add_to_fusion,
            inputs_kwargs={"name": self.chosen, **fusion_slots},
            outputs=[tabs, *fusion.outputs()],
            preprocess=False,
        )
        offer_file(self._zip, archive, self.names, self._archive)
        linked = on(self._copy.click, link, inputs=self.chosen, outputs=self._link)
        on(linked.then, None, inputs=self._link, js="page.copyLink")
        asked = on(self._delete.click, lambda: gr.update(visible=True), outputs=self._asking)
        on(asked.then, None, js=f"page.focus('{self._no.elem_id}')")
        on(self._no.click, lambda: gr.update(visible=False), outputs=self._asking)
        self.deleted = on(self._yes.click, delete, inputs=[self.chosen, self.names], outputs=[gallery, *self.outputs()])


def _found(service: Service, name: str, http: gr.Request) -> Entry:
    if entry := service.library(visitor(http).name).find(name):
        return entry
    raise refusal("picture_gone", http)
