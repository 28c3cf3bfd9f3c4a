"""What the board asks the app: orders as they go, the library, a picture's story, and to do something."""

import asyncio
import io
import json
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, Literal

from gradio.utils import get_upload_folder
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ..api.errors import InvalidRequest, QwenDemoError
from ..archive import UnderWay, of_order
from ..axes import grid_of
from ..i18n import translate
from ..library import UNDO, Entry, Library
from ..order import Order
from ..quota import QuotaUnknown
from ..search import Search
from ..service import Service
from ..snippets import all_forms, as_json
from ..upkeep import purge
from ..usage import as_csv
from ..visitors import Visitor
from ..web import VISITOR, Addresses
from .cards import Cards, Told, changed, library_rows
from .events import asker, language_of
from .messages import describe
from .photos import ROW, made_ready
from .proof import drift_told, proof_told
from .slot import colour

EVERY = 3.0  # seconds: so often a place in line is looked at, and whether the browser still listens
MOST = 9000  # pictures that one action is about
_LONGEST = 500  # characters of what is looked for


class Refusal(Exception):
    """Something can't be done: the key of the words that say why, and the HTTP status."""

    def __init__(self, key: str = "picture_gone", status: int = 404) -> None:
        self.key, self.status = key, status
        super().__init__(key)


@checked
class Action:
    """What the board's buttons can ask for. Of the pictures and the order only the visitor's own are found."""

    act: Literal["delete", "restore", "star", "zip", "align", "stop", "fetch", "again", "go_on", "forget"]
    ids: list[str] = Field(default_factory=list, max_length=MOST)
    order: str = ""
    place: int | None = None
    on: bool = True


_ACTION = TypeAdapter(Action)


@dataclass(frozen=True)
class Asked:
    """A request of the board's, and who asks."""

    request: Request
    visitor: Visitor
    language: str
    library: Library
    cards: Cards

    def param(self, name: str) -> str:
        return self.request.query_params.get(name, "")[:_LONGEST]


class Board:
    """Answers the board in the browser.

    Args:
        service: has the orders and the pictures.
        addresses: gives tokens to browsers that keep no cookies.
    """

    def __init__(self, service: Service, addresses: Addresses) -> None:
        self._service = service
        self._addresses = addresses

    def routes(self) -> list[Route]:
        """All but the orders are asked once and answered at once."""
        return [
            Route("/board/orders", self._orders),
            *(Route(f"/board/{name}", self._answering(answer)) for name, answer in self._answers().items()),
            Route("/board/act", self._answering(self._act), methods=["POST"]),
            Route("/board/photo", self._answering(self._photo), methods=["POST"]),
        ]

    def _answers(self) -> dict[str, Callable[[Asked], Any]]:
        return {
            "library": self._library,
            "picture": self._picture,
            "proof": self._proof,
            "map": self._map,
            "code": self._code,
            "answers.zip": self._raw_answers,
            "usage.csv": self._usage,
        }

    def _ask(self, request: Request) -> Asked:
        who, language = asker(request), language_of(request)
        cards = Cards(self._service, self._addresses, who.name, request.scope[VISITOR].known, language)
        return Asked(request, who, language, self._service.library(who.name), cards)

    def _answering(self, answer: Callable[[Asked], Any]) -> Callable[[Request], Any]:
        """An endpoint: what goes wrong is told in the visitor's words."""

        @wraps(answer)
        async def answered(request: Request) -> Response:
            asked = self._ask(request)
            try:
                told = await answer(asked) if iscoroutinefunction(answer) else await run_in_threadpool(answer, asked)
            except Refusal as refused:
                return JSONResponse({"detail": translate(asked.language, refused.key)}, refused.status)
            except ValidationError:
                return JSONResponse({"detail": "Unprocessable Content"}, 422)
            except (QwenDemoError, OSError) as error:
                return JSONResponse({"detail": describe(error, asked.language)}, 400)
            return told if isinstance(told, Response) else JSONResponse(told, headers={"Cache-Control": "no-store"})

        return answered

    async def _orders(self, request: Request) -> Response:
        """The visitor's cards as they change, as server-sent events; with `?once` as they are now."""
        asked = self._ask(request)
        messages = self._messages(asked)
        if "once" in request.query_params:
            return JSONResponse(json.loads(await anext(messages)), headers={"Cache-Control": "no-store"})

        async def events() -> AsyncIterator[str]:
            async for message in messages:
                yield f"data: {message}\n\n" if message else ":\n\n"

        # A proxy that collects what comes would show everything at the end.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events(), media_type="text/event-stream", headers=headers)

    async def _messages(self, asked: Asked) -> AsyncIterator[str]:
        """First all cards, then what has changed of them; "" where nothing has."""
        told: dict[str, Told] = {}
        seen: dict[str, int] = {}
        whole = True
        await self._service.running.resume(asked.visitor.name)  # another process may have had them until now
        async for orders in self._service.orders.follow(asked.visitor.name, EVERY):
            new = [order for order in orders if not order.finished or seen.get(order.id) != order.changes]
            seen = {order.id: order.changes for order in orders}
            cards = await asyncio.to_thread(lambda: {order.id: asked.cards.card(order) for order in new})  # noqa: B023
            changes = {id: more for id, card in cards.items() if (more := changed(told.get(id, {}), card))}
            forgotten = told.keys() - seen.keys()
            told = {id: card for id, card in {**told, **cards}.items() if id in seen}
            if changes or forgotten or whole:
                message = {"now": time.time(), "cards": changes, "forgotten": [*forgotten], "whole": whole}
                used = {"session": asked.cards.session(), "left": await self._left(asked)}
                yield json.dumps({**message, **used}, ensure_ascii=False)
            else:
                yield ""
            whole = False

    async def _left(self, asked: Asked) -> str:
        """How many pictures the visitor may still order; "" where nothing limits them, or nobody knows."""
        with suppress(QuotaUnknown):
            if (count := await self._service.left(asked.visitor)) is not None:
                return translate(asked.language, "quota_left", count=count)
        return ""

    def _library(self, asked: Asked) -> Told:
        """Pictures, the newest first: those that fit, at most `limit`, and how many there are."""
        search = Search.parse(
            asked.param("q"), asked.param("kind"), asked.param("model"), asked.param("starred") == "1"
        )
        limit = int(asked.param("limit")) if asked.param("limit").isdecimal() else None
        everything = search == Search()  # then the pictures behind the limit need no look
        found = list(search.find(asked.library, limit if everything else None))
        total = asked.library.count() if everything and limit is not None else len(found)
        return {"pictures": library_rows(asked.cards, asked.library, found[:limit]), "total": total}

    def _picture(self, asked: Asked) -> Told:
        entry = asked.library.find(asked.param("id"))
        if entry is None:
            raise Refusal
        return asked.cards.detail(entry)

    async def _proof(self, asked: Asked) -> Told:
        """What the files of a picture say of it and its photo; nothing where they say nothing."""
        entry = await asyncio.to_thread(asked.library.find, asked.param("id"))
        if entry is None:
            raise Refusal
        retouching = self._service.retouching
        if proof := await retouching.proof(entry, asked.visitor):
            return proof_told(proof, entry, asked.cards, asked.language)
        drift = await retouching.drift(entry, asked.visitor)
        return drift_told(drift, entry, asked.cards, asked.language) if drift else {}

    def _map(self, asked: Asked) -> Response:
        """The map of what differs in a picture from its photo, once the proof has made it."""
        entry = asked.library.find(asked.param("id"))
        if entry is None or not (path := asked.library.map_path(entry)).is_file():
            raise Refusal
        return FileResponse(path, media_type="image/png", headers={"Cache-Control": "no-store"})

    def _code(self, asked: Asked) -> Told:
        """An order as code that makes the same pictures again."""
        order = self._order(asked, asked.param("order"))
        engine, requests = self._service.engine_of(order), [call.sent for call in order.calls]
        if not order.terms.regions[1:] and not grid_of(order).apart:
            return dict(all_forms(engine, requests))
        # Where calls have words, models or pictures of their own, the other forms would name one for all.
        photos = order.terms.photos
        return {"JSON": as_json(engine, requests, [photos.index(call.photo) + 1 for call in order.calls if call.photo])}

    def _raw_answers(self, asked: Asked) -> Response:
        """The answers of an order that could not be read, as they came."""
        order, file = self._order(asked, asked.param("order")), io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for call in order.unread:
                archive.writestr(f"answer-{call.request.seed}.json", self._service.journal.answer(order, call))
        return _file(file.getvalue(), "application/zip", "qwen-answers.zip")

    def _usage(self, asked: Asked) -> Response:
        table = as_csv(self._service.ledger.of(asked.visitor.name)).encode("utf-8-sig")  # for Excel
        return _file(table, "text/csv; charset=utf-8", "qwen-usage.csv")

    async def _act(self, asked: Asked) -> Told:
        action = _ACTION.validate_json(await asked.request.body())
        if action.act == "zip" and action.order:
            order = self._order(asked, action.order)
            return self._offer(asked, await asyncio.to_thread(of_order, order, asked.library))
        if action.act in ("delete", "restore", "star", "zip", "align"):
            return await self._act_on_pictures(asked, action)
        await self._service.running.resume(asked.visitor.name)  # another process may have changed it since
        order = self._order(asked, action.order)
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

    async def _photo(self, asked: Asked) -> Told:
        """One of several photos made ready, as a picture; or the words for why it is `refused`, which name it."""
        row = ROW.validate_json(await asked.request.body())
        try:
            entry = await made_ready(self._service, row, asked.visitor, colour(row.background))
        except InvalidRequest as error:
            return {"refused": describe(error, asked.language)}
        return asked.cards.picture(entry)

    async def _act_on_pictures(self, asked: Asked, action: Action) -> Told:
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

    def _order(self, asked: Asked, id: str) -> Order:
        if order := self._service.orders.find(id, asked.visitor.name):
            return order
        raise Refusal


def _delete(library: Library, entries: Iterable[Entry]) -> None:
    for entry in entries:
        library.delete(entry)


def _file(content: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=media_type, headers=headers)
