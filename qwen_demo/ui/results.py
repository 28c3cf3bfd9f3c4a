"""From the run button to the result panel, the same in every tab."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import gradio as gr
from gradio.events import Dependency

from ..api import catalog
from ..api.errors import InvalidRequest, QwenDemoError
from ..api.requests import check_range
from ..i18n import translate
from ..logs import InternalError
from ..orders import Order, Picture
from ..service import Service, draw_seed
from .actions import Actions
from .code import CodePanel
from .controls import AUTO
from .events import Updates, language_of, on, visitor
from .files import placeholder, publish, uploaded
from .form import Form, Upload, colour
from .messages import cancelled_html, describe, outcome_html, progress_html, status_html, t, usage_html
from .tools import Tools


@dataclass(frozen=True, slots=True)
class Tile:
    """A place in the gallery: the picture's name in the library, or "", its published file, and the words on it."""

    name: str
    file: str
    caption: str | None = None


class Results:
    """A tab's way from the run button to its results."""

    def __init__(self, service: Service, form: Form, actions: Actions) -> None:
        """Draw the results at this place of the page.

        Args:
            service: takes the orders.
            form: what is ordered.
            actions: run, cancel and status.
        """
        self._service = service
        self._form = form
        self._actions = actions
        gr.HTML(t(f"empty_{form.tab}"), elem_classes="empty-note")
        self.gallery = gr.Gallery(
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

    def wire(self, demo: gr.Blocks, recent: gr.Dropdown) -> Dependency:
        """Bind the buttons, and take up again what was ordered before the page was loaded. Returns the run event."""
        act, tab = self._actions, self._form.tab
        followed = [
            *(act.run, act.cancel, act.status, self._usage, self._order, self._last),
            *(self.gallery, *self.tools.outputs(), *self._code.outputs()),
        ]
        self._code.wire()
        event = on(
            act.run.click,
            self._run,
            inputs_kwargs=self._form.inputs(),
            outputs=[self._form.controls.seed, self.ordered, *followed],
            # Gradio's own checks would open uploads with every parser it has, and refuse in its words. Ours do both.
            preprocess=False,
            concurrency_limit=None,
        )
        recalled = on(demo.load, self._recall, inputs=self._last, outputs=followed, js=f"page.keptResults('{tab}')")
        for end in (event.then, recalled.then):
            on(end, None, inputs=self._last, js=f"page.keepResults('{tab}')")
        on(
            partial(gr.on, [demo.load, act.run.click]),
            None,
            inputs=self._form.controls.prompt,
            outputs=recent,
            js=f"page.keepPrompt('{tab}')",
        )
        # Whoever follows the order tells the end. Gradio's own cancelling can be overtaken by what was told before.
        on(act.cancel.click, self._cancel, inputs=self._order)
        if self._service.ledger.prices.by_model:
            model, count = self._form.controls.model, self._form.controls.count
            changes = partial(gr.on, [demo.load, model.change, count.change])
            on(changes, self._estimate, inputs=[model, count], outputs=act.estimate, trigger_mode="always_last")
        if self._service.quota:
            for moment in (demo.load, event.then):
                on(moment, self._left, outputs=act.left)
        # Gradio moves a number that was typed beyond a slider's end to that end; at least say so.
        self._watch_range(self._form.controls.count, "n", 1, catalog.MAX_PICTURES)
        self._watch_range(self._form.controls.seed, "seed", 0, catalog.MAX_SEED)
        self.ran, self._followed = event, followed
        return event

    def take_up_after(self, ordered: Dependency) -> None:
        """Follow what was ordered elsewhere on the page."""
        on(ordered.then, self._recall, inputs=self._last, outputs=self._followed)

    async def _run(
        self,
        prompt: str,
        negative: str,
        model: str,
        size: str,
        count: int,
        seed: int,
        random_seed: bool,
        watermark: bool,
        optimize: bool,
        format: str,
        http: gr.Request,
        image_1: Upload = None,
        address_1: str = "",
        image_2: Upload = None,
        address_2: str = "",
        image_3: Upload = None,
        address_3: str = "",
        background: str = "",
    ) -> AsyncIterator[Updates]:
        language = language_of(http)
        seed = draw_seed() if random_seed else seed
        # The first update says this too: each one takes Gradio some 10 ms, before the order is sent or after.
        begun: Updates = {self._form.controls.seed: seed, self._usage: ""}
        slots = ((image_1, address_1), (image_2, address_2), (image_3, address_3))
        try:
            request = self._form.request(
                [await self._reference(image, address, background, http) for image, address in slots],
                prompt=prompt,
                model=model,
                size=None if size == AUTO else size,
                response_format=format,
                seed=seed,
                watermark=watermark,
                optimize_prompt=optimize,
                negative_prompt=negative or None,
            )
            order = await self._service.order(request, count, visitor(http))
            begun[self.ordered] = str(uploaded(image_1)) if image_1 and not address_1 else ""
            async for updates in self._follow(order, language):
                yield begun | updates
                begun = {}
        except QwenDemoError as error:
            yield begun | self._idle(status_html(describe(error, language), problem=True))
        except Exception as error:  # noqa: BLE001 - the last door: whatever it was, say so and let one run again
            yield begun | self._idle(status_html(describe(InternalError(error), language), problem=True))

    async def _follow(self, order: Order, language: str) -> AsyncIterator[Updates]:
        """How the order goes, to its end."""
        act = self._actions
        tiles: dict[Picture, Tile | None] = {}  # each is published once, or browsers would load it again
        frame = placeholder(await self._service.shape(order.request))
        requests = [call.request for call in order.calls]
        shown: int | None = None
        async for _ in order.watch():
            finished, pictures = order.finished, order.pictures  # more may come while these are shown
            # While the page is being built, Gradio may swap two updates that come close together. So each says all.
            updates: Updates = {
                self._order: order.id,
                act.run: gr.update(interactive=False),
                act.cancel: gr.update(interactive=True),
                act.status: progress_html(order, self._service.ledger.usual_seconds(order.request.model), language),
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
                names = [tile.name for tile in there]
                updates |= await asyncio.to_thread(self._show, [*there, *waiting], names, order.n, order.visitor)
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
        several = order.n > 1 and picture.seed is not None
        caption = translate(language, "caption_seed", seed=picture.seed) if several else None
        try:
            path = await self._service.shown(entry, order.visitor) if entry else picture.path
            return Tile(entry.name if entry else "", await asyncio.to_thread(publish, path), caption)
        except FileNotFoundError:
            return None

    async def _reference(self, image: Upload, address: object, background: str, http: gr.Request) -> str:
        typed = address.strip() if isinstance(address, str) else ""
        if not (typed or image):
            return ""
        return await self._service.reference(typed or uploaded(image or {}), visitor(http).name, colour(background))

    async def _recall(self, kept: object, http: gr.Request) -> AsyncIterator[Updates]:
        """What this browser has ordered, running or done; else the last results that it remembers itself.

        What it stored is its own to change: names are looked up, not trusted.
        """
        owner = visitor(http).name
        if order := self._service.orders.latest(owner, self._form.request_type.kind):
            async for updates in self._follow(order, language_of(http)):
                yield updates
            return
        names = kept.splitlines()[: catalog.MAX_PICTURES] if isinstance(kept, str) else []
        library = self._service.library(owner)
        entries = [entry for name in names if (entry := library.find(name))]
        files = [await asyncio.to_thread(publish, await self._service.shown(entry, owner)) for entry in entries]
        tiles = [Tile(entry.name, file) for entry, file in zip(entries, files, strict=True)]
        names = [entry.name for entry in entries]
        yield await asyncio.to_thread(self._show, tiles, names, len(tiles), owner) if tiles else {self._last: ""}

    def _show(self, tiles: Sequence[Tile], names: list[str], n: int, owner: str) -> Updates:
        columns = {0: 1, 1: 1, 2: 2, 4: 2}.get(n, 3)
        files = [(tile.file, tile.caption) for tile in tiles]
        return {
            self.gallery: gr.update(value=files, columns=columns, selected_index=None, visible=True),
            self._last: "\n".join(filter(None, names)),
            **self.tools.show(names, owner),
        }

    def _idle(self, status: str) -> Updates:
        act = self._actions
        return {act.run: gr.update(interactive=True), act.cancel: gr.update(interactive=False), act.status: status}

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
                check_range(field, value, low, high)
            except InvalidRequest as error:
                return status_html(describe(error, language_of(http)), problem=True)
            return status_html("") if "problem" in str(said) else gr.skip()

        on(slider.input, check, inputs=[slider, self._actions.status], outputs=self._actions.status, preprocess=False)
