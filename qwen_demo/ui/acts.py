"""What the board's buttons do with orders and pictures."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from gradio.utils import get_upload_folder
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as checked

from ..archive import UnderWay, of_order
from ..library import UNDO, Entry, Library
from ..service import Service
from ..upkeep import purge
from .asked import Asked, Refusal
from .pictures import Told

MOST = 9000  # pictures that one action is about


@checked
class Action:
    """What the board's buttons can ask for. Of the pictures and the order only the visitor's own are found."""

    act: Literal["delete", "restore", "star", "zip", "align", "stop", "fetch", "again", "go_on", "forget"]
    ids: list[str] = Field(default_factory=list, max_length=MOST)
    order: str = ""
    place: int | None = None
    on: bool = True


_ACTION = TypeAdapter(Action)


class Acts:
    """Does it for whoever asks. `service` has the orders and the pictures."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def act(self, asked: Asked) -> Told:
        """Do what a button asks for.

        Raises:
            Refusal: it can't be done.
            ValidationError: nothing asks so.
            QwenDemoError: as for what is done.
        """
        action = _ACTION.validate_json(await asked.request.body())
        if action.act == "zip" and action.order:
            order = asked.order(self._service, action.order)
            return self._offer(asked, await asyncio.to_thread(of_order, order, asked.library))
        if action.act in ("delete", "restore", "star", "zip", "align"):
            return await self._on_pictures(asked, action)
        await self._service.running.resume(asked.visitor.name)  # another process may have changed it since
        order = asked.order(self._service, action.order)
        match action.act:
            case "stop":
                order.cancel()
            case "fetch":
                self._service.running.fetch_again(order)
            case "again" if order.finished:
                await self._service.order_again(order, asked.visitor, action.place)
            case "go_on":
                await self._service.go_on(order, asked.visitor, action.place)
            case "forget" if order.finished:  # what runs still counts for the visitor's limits
                await self._service.running.forget(order)
        return {}

    async def _on_pictures(self, asked: Asked, action: Action) -> Told:
        library = asked.library
        if action.act == "restore":
            count = await asyncio.to_thread(lambda: sum(map(library.restore, action.ids)))
            self._tell(asked)
            return {"count": count}
        entries = await asyncio.to_thread(lambda: [entry for id in action.ids if (entry := library.find(id))])
        entries = [entry for entry in entries if "/" in entry.name]  # references stay with what was made from them
        if not entries:
            raise Refusal
        match action.act:
            case "star":
                await asyncio.to_thread(library.star, entries, action.on)
            case "align":
                return {"picture": asked.cards.picture(await self._service.align(entries[0], asked.visitor))}
            case "zip":
                return self._offer(asked, {entry.name: entry for entry in entries})
            case "delete":
                await asyncio.to_thread(_delete, library, entries)
                # The executor holds on to its work; a task that nobody holds could be lost before it is done.
                loop, uploads = asyncio.get_running_loop(), Path(get_upload_folder())
                loop.call_later(UNDO + 1, loop.run_in_executor, None, purge, library, uploads)
                self._tell(asked)
        return {"count": len(entries)}

    def _offer(self, asked: Asked, entries: Mapping[str, Entry]) -> Told:
        if not entries:
            raise Refusal
        try:
            return {"ticket": self._service.archives.offer(asked.visitor.name, entries)}
        except UnderWay:
            raise Refusal("zip_under_way", 409) from None

    def _tell(self, asked: Asked) -> None:
        """Pictures went or came back: the visitor's other browsers are to know."""
        for order in self._service.orders.of(asked.visitor.name):
            order.tell()


def _delete(library: Library, entries: Iterable[Entry]) -> None:
    for entry in entries:
        library.delete(entry)
