"""From the run button to the result panel, the same in every tab."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import Dependency

from ..api import catalog
from ..api.errors import InvalidRequest
from ..api.requests import whole
from ..i18n import translate
from ..orders import Order, Picture
from ..service import Service, draw_seed
from .code import CodePanel
from .events import Updates, language_of, on, visitor
from .files import placeholder, publish
from .form import Form
from .messages import cancelled_html, outcome_html, problem_html, progress_html, status_html, t, usage_html
from .pictures import Gallery, Tile
from .slot import colour
from .tools import Tools


class Results:
    """A tab's way from the run button to its results."""

    def __init__(self, service: Service, form: Form) -> None:
        """Draw the results at this place of the page.

        Args:
            service: takes the orders.
            form: what is ordered.
        """
        self._service = service
        self.form = form
        gr.HTML(t(f"empty_{form.tab}"), elem_classes="empty-note")
        self.gallery = Gallery(
            label=t("results"),
            show_label=False,
            columns=1,
            object_fit="contain",
            interactive=False,
            visible=False,  # not loaded before it is needed: it brings a video player along
            buttons=["fullscreen"] if service.public else ["download", "fullscreen"],
            elem_id=f"{form.tab}-gallery",
            elem_classes="gallery-card",
        )
        self.tools = Tools(form.tab, service)
        self._usage = gr.HTML("", elem_id=f"{form.tab}-usage", elem_classes="usage")
        self._code = CodePanel(form.tab)
        self._order = gr.State("")
        self.ordered = gr.State("")
        """The file of the order's first reference picture; "" where there was none, or an address."""
        self._last = gr.Textbox(visible=False)
        """The names of the last results, a line each. The browser keeps them; gr.BrowserState would bring a cipher."""

    def wire(self, demo: gr.Blocks) -> None:
        """Bind the buttons, and take up again what was ordered before the page was loaded."""
        form, tab = self.form, self.form.tab
        form.wire(self._service)
        followed = [
            *(form.run, form.cancel, form.status, self._usage, self._order, self._last),
            *(self.gallery, *self.tools.outputs(), *self._code.outputs()),
        ]
        event = on(
            form.run.click,
            self._run,
            inputs_kwargs=form.inputs(),
            outputs=[form.seed, self.ordered, *followed],
            # Gradio's own checks would open uploads with every parser it has, and refuse in its words. Ours do both.
            preprocess=False,
            concurrency_limit=None,
        )
        recalled = on(demo.load, self._recall, inputs=self._last, outputs=followed, js=f"page.keptResults('{tab}')")
        for end in (event.then, recalled.then):
            on(end, None, inputs=self._last, js=f"page.keepResults('{tab}')")
        asked = [demo.load, form.run.click]
        on(asked, None, inputs=form.prompt, outputs=form.recent, js=f"page.keepPrompt('{tab}')")
        # Whoever follows the order tells the end. Gradio's own cancelling can be overtaken by what was told before.
        on(form.cancel.click, self._cancel, inputs=self._order)
        if self._service.ledger.prices.by_model:
            costs, changes = [form.model, form.n], [demo.load, form.model.change, form.n.change]
            on(changes, self._estimate, inputs=costs, outputs=form.estimate, trigger_mode="always_last")
        if self._service.quota:
            for moment in (demo.load, event.then):
                on(moment, self._left, outputs=form.left)
        # Gradio moves a number that was typed beyond a slider's end to that end; at least say so.
        self._watch_range(form.n, "n", 1, catalog.MAX_PICTURES)
        self._watch_range(form.seed, "seed", 0, catalog.MAX_SEED)
        self.ran, self._followed = event, followed

    def take_up_after(self, ordered: Dependency) -> None:
        """Follow what was ordered elsewhere on the page."""
        on(ordered.then, self._recall, inputs=self._last, outputs=self._followed)

    async def _run(self, http: gr.Request, **given: Any) -> AsyncIterator[Updates]:
        form, language = self.form, language_of(http)
        given["seed"] = draw_seed() if given["random_seed"] else given["seed"]
        # The first update says this too: each one takes Gradio some 10 ms, before the order is sent or after.
        begun: Updates = {form.seed: given["seed"], self._usage: ""}
        try:
            kind, sources, background = form.request_type.kind, form.sources(given), colour(given["background"])
            order = await self._service.order_from(
                kind, sources, given["n"], visitor(http), background, **form.fields(given)
            )
            first = next(iter(sources), "")
            begun[self.ordered] = str(first) if isinstance(first, Path) else ""
            async for updates in self._follow(order, language):
                yield begun | updates
                begun = {}
        except Exception as error:  # noqa: BLE001 - the last door: whatever it was, say so and let one run again
            yield begun | self._idle(problem_html(error, language))

    async def _follow(self, order: Order, language: str) -> AsyncIterator[Updates]:
        """How the order goes, to its end."""
        form = self.form
        tiles: dict[Picture, Tile | None] = {}  # each is published once, or browsers would load it again
        frame = placeholder(await self._service.shape(order.request))
        requests = [call.request for call in order.calls]
        shown: int | None = None
        async for _ in order.watch():
            finished, pictures = order.finished, order.pictures  # more may come while these are shown
            # While the page is being built, Gradio may swap two updates that come close together. So each says all.
            updates: Updates = {
                self._order: order.id,
                form.run: gr.update(interactive=False),
                form.cancel: gr.update(interactive=True),
                form.status: progress_html(order, self._service.ledger.usual_seconds(order.request.model), language),
            }
            if shown is None:
                updates |= self._code.show(self._service.base_url, requests)
            over = finished or order.cancelled
            if len(pictures) != shown or over:
                shown = len(pictures)
                for picture in pictures:
                    if picture not in tiles:
                        tiles[picture] = await self._tile(picture, order, language)
                there = [tile for picture in pictures if (tile := tiles[picture])]
                # What is still to come has its place already, in the shape that it will have.
                waiting = [] if over else [Tile("", frame)] * (order.n - shown)
                updates |= await asyncio.to_thread(self._show, there, waiting, order.n, order.visitor)
            if order.cancelled:
                yield updates | self._idle(cancelled_html(order.on_their_way, language))
                return
            if finished:
                updates |= self._idle(outcome_html(order, language))
                ledger = self._service.ledger
                updates[self._usage] = usage_html(order, ledger.of(order.visitor), ledger.prices, language)
            yield updates

    async def _tile(self, picture: Picture, order: Order, language: str) -> Tile | None:
        """The picture published; None for one that was deleted meanwhile."""
        entry = self._service.library(order.visitor).entry_of(picture.path)
        told = order.n > 1 and picture.seed is not None and all(call.request.n == 1 for call in order.calls)
        caption = translate(language, "caption_seed", seed=picture.seed) if told else None  # else it is several ones'
        try:
            path = await self._service.shown(entry, order.visitor) if entry else picture.path
            return Tile(entry.name if entry else "", await asyncio.to_thread(publish, path), caption)
        except FileNotFoundError:
            return None

    async def _recall(self, kept: object, http: gr.Request) -> AsyncIterator[Updates]:
        """What this browser has ordered, running or done; else the last results that it remembers itself.

        What it stored is its own to change: names are looked up, not trusted.
        """
        owner = visitor(http).name
        if order := self._service.orders.latest(owner, self.form.request_type.kind):
            async for updates in self._follow(order, language_of(http)):
                yield updates
            return
        names = kept.splitlines()[: catalog.MAX_PICTURES] if isinstance(kept, str) else []
        tiles = await self.tools.tiles(names, owner)
        yield await asyncio.to_thread(self._show, tiles, [], len(tiles), owner) if tiles else {self._last: ""}

    def _show(self, there: Sequence[Tile], waiting: Sequence[Tile], n: int, owner: str) -> Updates:
        columns = {0: 1, 1: 1, 2: 2, 4: 2}.get(n, 3)
        names = [tile.name for tile in there]
        return {
            self.gallery: gr.update(value=[*there, *waiting], columns=columns, selected_index=None, visible=True),
            self._last: "\n".join(filter(None, names)),
            **self.tools.show(names, owner),
        }

    def _idle(self, status: str) -> Updates:
        form = self.form
        return {form.run: gr.update(interactive=True), form.cancel: gr.update(interactive=False), form.status: status}

    async def _cancel(self, order_id: str, http: gr.Request) -> None:
        if order := self._service.orders.find(order_id, visitor(http).name):
            order.cancel()

    def _estimate(self, model: str, count: int) -> str:
        prices = self._service.ledger.prices
        cost = prices.cost(model, count)
        return "" if cost is None else f"<p>≈ {escape(prices.written(cost))}</p>"

    async def _left(self, http: gr.Request) -> str:
        left = await self._service.left(visitor(http))
        if left is None:
            return ""
        return "<p>" + escape(translate(language_of(http), "quota_left", count=left)) + "</p>"

    def _watch_range(self, slider: gr.Slider, field: str, low: int, high: int) -> None:
        def check(value: object, said: object, http: gr.Request) -> Any:
            if value is None:  # the field is being emptied
                return gr.skip()
            try:
                whole(field, value, low, high)
            except InvalidRequest as error:
                return problem_html(error, language_of(http))
            return status_html("") if "problem" in str(said) else gr.skip()

        status = self.form.status
        on(slider.input, check, inputs=[slider, status], outputs=status, preprocess=False)
