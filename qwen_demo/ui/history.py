"""The fourth tab: what was made, newest first, and settings restored from any picture of ours."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ..api import catalog
from ..api.requests import ImageEdit, ImageFusion, TextToImage
from ..i18n import translate
from ..library import GRID_SIDE
from ..recipe import BadRecipe
from ..service import Service
from ..usage import as_csv
from .controls import small_button
from .events import Updates, language_of, nothing, offer_file, on, visitor
from .files import fresh_folder, publish, uploaded
from .form import Form
from .messages import recipe_html, status_html, t
from .slot import Upload
from .tools import Tools

PAGE = 24
At = tuple[tuple[str, ...], int]


class History:
    """The tab's parts and what they do. Built inside the caller's `gr.Tab`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        with gr.Row(elem_classes="studio"):
            with gr.Column(elem_classes="controls history", min_width=0):
                self._words = gr.Textbox(
                    label=t("search"), placeholder=t("search_hint"), max_lines=1, elem_id="history-search"
                )

                def choice(name: str, label: str, choices: list[Any]) -> gr.Dropdown:
                    any_of = [(t("any"), ""), *choices]
                    return gr.Dropdown(any_of, value="", label=t(label), min_width=0, elem_id=f"history-{name}")

                with gr.Row():
                    kinds = [(t(f"kind_{kind.kind}"), kind.kind) for kind in (TextToImage, ImageEdit, ImageFusion)]
                    self._kind = choice("kind", "kind", kinds)
                    self._model = choice("model", "field_model", [model.name for model in catalog.MODELS])
                self._picture = gr.Image(
                    type="filepath",
                    show_label=False,
                    label=t("results"),
                    alt_text=t("results"),  # type: ignore[arg-type]  # is translated all the same
                    interactive=False,
                    buttons=["fullscreen"],
                    elem_id="history-picture",
                )
                self._tools = Tools("history", service)
                self._recipe = gr.HTML("", elem_id="history-recipe", elem_classes="usage")
                self._file = gr.File(
                    label=t("restore"), file_count="single", type="filepath", height=110, elem_id="history-restore"
                )
                self._status = gr.HTML("", elem_id="history-status", elem_classes="status")
                with gr.Row(elem_classes="chips"):
                    self._csv = small_button(t("usage_csv"), "history-csv")
                    self._csv_file = gr.DownloadButton(visible="hidden", elem_id="history-csv-file")
            with gr.Column(elem_classes="results", min_width=0):
                self._empty = gr.HTML(t("empty_history"), elem_classes="empty-note")
                self._gallery = gr.Gallery(
                    label=t("tab_history"),
                    show_label=False,
                    columns=4,
                    object_fit="cover",
                    allow_preview=False,
                    interactive=False,
                    visible=False,  # as in the other tabs
                    buttons=[],
                    elem_id="history-gallery",
                    elem_classes="gallery-card grid",
                )
                with gr.Row(elem_classes="chips"):
                    self._newer = small_button(t("newer"), "history-newer", interactive=False)
                    self._older = small_button(t("older"), "history-older", interactive=False)
        self._at = gr.State(((), 0))
        """What was looked for last, and how many pictures come before the page."""

    def wire(self, tab: gr.Tab, forms: Sequence[Form], tabs: gr.Tabs) -> None:
        """Load the first page when the tab is opened, and bind what is in it."""
        asked = {
            "inputs": [self._words, self._kind, self._model, self._at],
            "outputs": [self._empty, self._gallery, *self._tools.outputs(), self._at, self._newer, self._older],
        }

        def looking(step: int = 0) -> Callable[[str, str, str, At, gr.Request], Awaitable[Updates]]:
            async def look(words: str, kind: str, model: str, at: At, http: gr.Request) -> Updates:
                looked_for, skip = at
                skip = max(0, skip + step) if looked_for == (words, kind, model) else 0
                return await self._page(words, kind, model, skip, http)

            return look

        # One listener for all of them, of which only the last counts: a slow first page can't replace what was found.
        changes = [tab.select, self._words.change, self._kind.input, self._model.input]
        on(changes, looking(), **asked, trigger_mode="always_last")
        on(self._newer.click, looking(-PAGE), **asked)
        on(self._older.click, looking(PAGE), **asked)
        self._tools.wire(self._gallery, forms, tabs, looks_again=True)
        on(self._tools.deleted.then, looking(), **asked)
        on(self._tools.chosen.change, self._detail, inputs=self._tools.chosen, outputs=[self._picture, self._recipe])

        def usage(http: gr.Request) -> str:
            path = fresh_folder() / "qwen-usage.csv"
            path.write_text(as_csv(self._service.ledger.of(visitor(http).name)), encoding="utf-8-sig")  # for Excel
            return str(path)

        def restore(file: Upload, http: gr.Request) -> Updates:
            language = language_of(http)
            if file is None:
                return nothing()
            try:
                recipe = self._service.restore(uploaded(file))
            except BadRecipe as error:
                problem = translate(language, f"recipe_{error.problem}")
                return {self._file: None, self._status: status_html(problem, problem=True)}
            form = next(form for form in forms if form.request_type.kind == recipe.kind)
            pictures = self._service.references(recipe.references, visitor(http).name)
            gone = sum(picture is None for picture in pictures)
            said = translate(language, "recipe_restored_without" if gone else "recipe_restored", count=gone)
            filled = {**form.fill(recipe, pictures), tabs: gr.update(selected=form.tab)}
            return {**filled, self._file: None, self._status: "", form.status: status_html(said)}

        offer_file(self._csv, usage, None, self._csv_file)
        filled = [part for form in forms for part in (form.status, *form.outputs())]
        on(
            self._file.upload,
            restore,
            inputs=self._file,
            outputs=[tabs, self._file, self._status, *filled],
            preprocess=False,
        )

    async def _page(self, words: str, kind: str, model: str, skip: int, http: gr.Request) -> Updates:
        library = self._service.library(visitor(http).name)
        found = await asyncio.to_thread(library.search, words, kind, model, skip=skip, limit=PAGE + 1)
        if not found and skip:  # the last picture of this page was deleted
            return await self._page(words, kind, model, max(0, skip - PAGE), http)
        entries = found[:PAGE]
        previews = await asyncio.gather(
            *(asyncio.to_thread(library.preview, entry, GRID_SIDE) for entry in entries), return_exceptions=True
        )
        # A file that someone deleted meanwhile, or that is no picture, has no preview and no place in the grid.
        pairs = [(entry, made) for entry, made in zip(entries, previews, strict=True) if isinstance(made, Path)]
        published = await asyncio.gather(*(asyncio.to_thread(publish, preview) for _, preview in pairs))
        return {
            self._empty: t("nothing_found" if words.strip() or kind or model else "empty_history"),
            # The tools act on the first.
            self._gallery: gr.update(value=published, selected_index=0 if pairs else None, visible=True),
            **await asyncio.to_thread(self._tools.show, [entry.name for entry, _ in pairs], visitor(http).name),
            self._at: ((words, kind, model), skip),
            self._newer: gr.update(interactive=skip > 0),
            self._older: gr.update(interactive=len(found) > PAGE),
        }

    async def _detail(self, name: str, http: gr.Request) -> tuple[str | None, str]:
        owner = visitor(http).name
        entry = self._service.library(owner).find(name)
        if entry is None:
            return None, ""
        shown = await self._service.shown(entry, owner)
        return await asyncio.to_thread(publish, shown), recipe_html(entry.recipe, language_of(http))
