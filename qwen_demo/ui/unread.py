"""What was paid for and is not here yet, or was sent and never answered: told, fetched again, saved, ordered again."""

import asyncio
import zipfile
from collections.abc import Callable, Iterable
from html import escape

import gradio as gr
from gradio.events import Dependency

from ..api.errors import shorten
from ..i18n import translate
from ..orders import Call, Order
from ..service import Service
from .controls import small_button
from .events import Updates, language_of, offer_file, on, visitor
from .files import fresh_folder
from .messages import describe, t


class Unread:
    """A panel at this place of the page; hidden while there is nothing to tell.

    Attributes:
        ordered: the event after which something was ordered again.
    """

    ordered: Dependency

    def __init__(self, service: Service) -> None:
        self._service = service
        with gr.Column(visible=False, elem_id="unread") as self._panel:
            self._told = gr.HTML("")
            with gr.Row(elem_classes="chips"):
                self._fetch = small_button(t("unread_fetch"), "unread-fetch")
                self._raw = small_button(t("unread_raw"), "unread-raw")
                self._again = small_button(t("lost_again"), "lost-again")
                self._forget = small_button(t("unread_forget"), "unread-forget")
        self._file = gr.DownloadButton(
            visible="hidden", size="sm", elem_id="unread-file"
        )  # within, it would come into sight too

    def wire(self, demo: gr.Blocks, runs: Iterable[Dependency]) -> None:
        """Look when the page is loaded, and after each run."""
        service, parts = self._service, [self._panel, self._told, self._fetch, self._raw, self._again]

        def orders(http: gr.Request) -> list[Order]:
            return service.orders.unread(visitor(http).name)

        def show(http: gr.Request) -> Updates:
            found, language = orders(http), language_of(http)
            unread = [(order, call) for order in found for call in order.unread]
            lost = [(order, call) for order in found for call in order.lost]
            told = _told(unread, "unread_count", language) + _told(lost, "lost_count", language)
            return {
                self._panel: gr.update(visible=bool(found)),
                self._told: told,
                **{part: gr.update(visible=bool(unread)) for part in (self._fetch, self._raw)},
                self._again: gr.update(visible=bool(lost)),
            }

        async def fetch(http: gr.Request) -> Updates:
            found = [order for order in orders(http) if order.unread]
            for order in found:
                service.fetch_again(order)
            await asyncio.gather(*(order.finish() for order in found))
            return show(http)

        async def again(http: gr.Request) -> Updates:
            who = visitor(http)
            for order in orders(http):
                await service.order_again(order, who)
            return show(http)

        async def forget(http: gr.Request) -> Updates:
            for order in orders(http):
                await service.forget(order)
            return show(http)

        def raw(http: gr.Request) -> str:
            path = fresh_folder() / "qwen-answers.zip"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for order in orders(http):
                    for call in order.unread:
                        archive.writestr(f"answer-{call.request.seed}.json", service.journal.answer(order, call))
            return str(path)

        moments: list[Callable[..., Dependency]] = [demo.load, *(run.then for run in runs)]
        for moment in moments:
            on(moment, show, outputs=parts)
        on(self._fetch.click, fetch, outputs=parts)
        self.ordered = on(self._again.click, again, outputs=parts)
        on(self._forget.click, forget, outputs=parts)
        offer_file(self._raw, raw, None, self._file)


def _told(rows: list[tuple[Order, Call]], key: str, language: str) -> str:
    """How many pictures, and of each call the prompt, the seed and what went wrong."""
    if not rows:
        return ""
    head = translate(language, key, count=sum(call.request.n for _, call in rows))
    lines = []
    for order, call in rows:
        words = [shorten(call.request.prompt, 60), translate(language, "caption_seed", seed=call.request.seed)]
        words += dict.fromkeys(describe(problem, language) for problem in order.problems)
        lines.append(f"<li>{escape(' · '.join(words))}</li>")
    return f'<p role="status"><strong>{escape(head)}</strong></p><ul>{"".join(lines)}</ul>'
