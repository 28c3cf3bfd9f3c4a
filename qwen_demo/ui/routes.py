"""What the board asks the app: orders as they go, the library, a picture's story."""

import asyncio
import io
import json
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ..api.errors import InvalidRequest, QwenDemoError
from ..axes import grid_of
from ..i18n import translate
from ..quota import QuotaUnknown
from ..search import Search
from ..service import Service
from ..snippets import all_forms, as_json
from ..usage import as_csv
from ..web import VISITOR, Addresses
from .acts import Acts
from .asked import Asked, Refusal
from .cards import Cards, changed
from .events import asker, language_of
from .messages import describe
from .photos import ROW, made_ready
from .pictures import Told, library_rows
from .proof import drift_told, proof_told
from .slot import colour

EVERY = 3.0  # seconds: so often a place in line is looked at, and whether the browser still listens


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
            Route("/board/act", self._answering(Acts(self._service).act), methods=["POST"]),
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
        order = asked.order(self._service, asked.param("order"))
        engine, requests = self._service.engine_of(order), [call.sent for call in order.calls]
        if not order.terms.regions[1:] and not grid_of(order).apart:
            return dict(all_forms(engine, requests))
        # Where calls have words, models or pictures of their own, the other forms would name one for all.
        photos = order.terms.photos
        return {"JSON": as_json(engine, requests, [photos.index(call.photo) + 1 for call in order.calls if call.photo])}

    def _raw_answers(self, asked: Asked) -> Response:
        """The answers of an order that could not be read, as they came."""
        order, file = asked.order(self._service, asked.param("order")), io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for call in order.unread:
                archive.writestr(f"answer-{call.first + 1}.json", self._service.journal.answer(order, call))
        return _file(file.getvalue(), "application/zip", "qwen-answers.zip")

    def _usage(self, asked: Asked) -> Response:
        table = as_csv(self._service.ledger.of(asked.visitor.name)).encode("utf-8-sig")  # for Excel
        return _file(table, "text/csv; charset=utf-8", "qwen-usage.csv")

    async def _photo(self, asked: Asked) -> Told:
        """One of several photos made ready, as a picture; or the words for why it is `refused`, which name it."""
        row = ROW.validate_json(await asked.request.body())
        try:
            entry = await made_ready(self._service, row, asked.visitor, colour(row.background))
        except InvalidRequest as error:
            return {"refused": describe(error, asked.language)}
        return asked.cards.picture(entry)


def _file(content: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=media_type, headers=headers)
