"""An order's way to its pictures: its calls are sent in their turns, and what is answered is written down and kept."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from . import images
from .api.answer import SMALL
from .api.client import QwenClient
from .api.errors import APIError, InvalidRequest, QwenDemoError, Refused, Unauthorized
from .api.requests import ImageRequest
from .api.resending import turned_away
from .api.responses import Begun, ImagesResponse
from .call import Call, Picture, State
from .disk import Room
from .images import Verified
from .journal import Journal
from .library import Library, elsewhere
from .order import NotSaved, Order
from .orders import Orders
from .recipe import Recipe
from .retouching import NotPutIn, Retouching
from .upkeep import Upkeep
from .visitors import OwnKeys

PICTURES_IN_MEMORY = 16  # of all orders, while they are fetched and saved: some 12 MB each
ANSWERS_IN_MEMORY = 6  # with pictures inside, until those are saved

T = TypeVar("T")


class Delivery:
    """Sees calls through, for whoever ordered them.

    Args:
        client: the API.
        keyed: the API for visitors with a key of their own; None where they may not bring one.
        other_hosts: the same at the other hosts that they may choose, by their names.
        orders: all that are under way.
        library_of: the name of a visitor → where that one's pictures go.
        journal: where orders and answers are written down.
        retouching: puts answers into photos of which only a part changes.
        upkeep: makes previews, later.
        own_keys: what visitors brought; None where they may not.
        room: on the disk.
    """

    def __init__(
        self,
        client: QwenClient,
        keyed: QwenClient | None,
        other_hosts: Mapping[str, QwenClient],
        *,
        orders: Orders,
        library_of: Callable[[str], Library],
        journal: Journal,
        retouching: Retouching,
        upkeep: Upkeep,
        own_keys: OwnKeys | None,
        room: Room,
    ) -> None:
        self._client, self._keyed, self._other_hosts = client, keyed, other_hosts
        self._orders = orders
        self._library_of = library_of
        self._journal = journal
        self._retouching = retouching
        self._upkeep = upkeep
        self._own_keys = own_keys
        self._room = room
        self._pictures = asyncio.Semaphore(PICTURES_IN_MEMORY)
        self._answers = asyncio.Semaphore(ANSWERS_IN_MEMORY)
        self._desk = ThreadPoolExecutor(4, "journal")

    async def see_through(self, order: Order, call: Call, key: str) -> None:
        """A call's way: sent, answered, its pictures fetched and kept."""
        try:
            async with AsyncExitStack() as held:
                content = await self._send(order, call, key, held)
                await self._take_in(order, call, content, key)
            call.seconds = time.monotonic() - call.began
        except Exception as error:
            if isinstance(error, Unauthorized) and self._own_keys and key:
                self._own_keys.refuse((order.visitor, *order.counted), key, order.terms.host)
            await self._failed(order, call, error)
            raise

    async def take_up(self, order: Order, call: Call, key: str) -> None:
        """The same from where it stood: its answer is here."""
        try:
            await order.ended_before(call)
            content = await self.aside(self._journal.answer, order, call)
            async with self._answers if len(content) > SMALL else nullcontext():  # a task may take long
                await self._take_in(order, call, content, key, again=True)
        except Exception as error:
            await self._failed(order, call, error)
            raise

    async def _failed(self, order: Order, call: Call, error: Exception) -> None:
        """Tell it, and write it down: what cost nothing is given back even if this process ends now."""
        call.refused = type(error) in (APIError, Refused)
        order.fail(error, call.places)
        await self.note(order)

    async def _send(self, order: Order, call: Call, key: str, held: AsyncExitStack) -> bytes:
        """The answer to a call in its turn, written down as it came. Memory for pictures inside of it is `held`."""
        try:
            if call.region:
                await order.ended_before(call)
                await self._retouching.cut_out(order, call)
            content = await self._answered(order, call, key, held)
        except QwenDemoError as error:
            lost = error.may_be_billed and order.terms.billed
            call.unbilled = 0 if lost else call.request.n
            if isinstance(error, APIError) or not lost:
                call.state, call.reason = State.FAILED, str(error)
            raise
        call.state, call.answered = State.ANSWERED, datetime.now()
        await self.note(order, self._journal.keep_answer, call, content)
        return content

    async def _answered(self, order: Order, call: Call, key: str, held: AsyncExitStack) -> bytes:
        """The answer to a call in its turn. What the API has no time for comes into the line again."""
        turn = None
        while True:
            async with order.turn(call, turn) as turn:
                try:
                    return await self._posted(order, call, key, held)
                except APIError as error:
                    if not (turned_away(error) and order.put_off(call, turn, error.retry_after)):
                        raise
            await self.note(order)

    async def _posted(self, order: Order, call: Call, key: str, held: AsyncExitStack) -> bytes:
        async with order.noting:  # one after the other: they reach the API in their order
            await self.check((order.visitor, *order.counted), key, order.terms.host)
            request = await self._whole(order, call)
            await self.aside(self._journal.write, order)  # that it is sent is known before it is
        async with self._client_for(order).open(request, key, once=True) as answer:
            if call.request.response_format == "b64_json" or not call.request.row.formats:
                await held.enter_async_context(self._answers)
            call.headers = answer.headers
            return await answer.content()

    async def _whole(self, order: Order, call: Call) -> ImageRequest:
        """The request as it is sent. The pictures that it doesn't hold are read now: of many, few are in memory.

        Raises:
            InvalidRequest: one is not here any more.
        """
        request, library = call.sent, self._library_of(order.visitor)
        if not request.is_light:
            return request

        def read(name: str) -> str:
            if name.startswith("https://"):
                return name
            try:
                if file := library.find_reference(name):
                    return images.data_url(file)
            except OSError as error:
                raise InvalidRequest("image", "picture_gone", name) from error
            raise InvalidRequest("image", "picture_gone", name)

        return request.holding(await asyncio.to_thread(lambda: list(map(read, order.references(call)))))

    async def _take_in(self, order: Order, call: Call, content: bytes, key: str, *, again: bool = False) -> None:
        """An answer is understood, and those of its pictures that are not here yet are fetched and kept.

        Where that is tried `again`, one may have been saved before.
        """
        library = self._library_of(order.visitor)
        response = await self._understood(order, call, content, key)
        order.understood(call, response)
        numbers = call.places[: len(response.images)]

        def missing() -> list[int]:
            there = {number for number, picture in order.numbered.items() if library.entry_of(picture.path)}
            return [number for number in numbers if number not in there]

        fetched = missing()
        keeping = (self._keep(order, call, response, number, again) for number in fetched)
        outcomes = await asyncio.gather(*keeping, return_exceptions=True)
        for number, outcome in zip(fetched, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                order.fail(outcome, [number])
        if not missing():
            call.state = State.DONE
            await self.note(order, self._journal.drop_answer, call)

    async def _understood(self, order: Order, call: Call, content: bytes, key: str) -> ImagesResponse:
        """What an answer says. A task that was begun in place of it is followed, by its id in the journal."""
        client = self._client_for(order)
        while True:
            try:
                understood = await asyncio.to_thread(client.understand, content, call.headers)
            except APIError as error:
                call.state, call.reason, call.unbilled = State.FAILED, str(error), call.request.n
                await self.note(order, self._journal.drop_answer, call)
                raise
            if not isinstance(understood, Begun):
                return understood
            content = await client.follow(understood, key)
            await self.note(order, self._journal.keep_answer, call, content)

    async def _keep(self, order: Order, call: Call, response: ImagesResponse, number: int, again: bool) -> None:
        """One picture of an answer, the order's `number`th, fetched, looked at, and saved."""
        image, at = response.images[number - call.first], call.answered or datetime.now()
        if image.prompt == call.request.prompt:  # SGLang repeats it: nothing was rewritten
            image = replace(image, prompt=None)
        library, region = self._library_of(order.visitor), None
        problems: list[QwenDemoError] = []
        async with self._pictures:
            data = await self._client_for(order).fetch(image)
            picture = await asyncio.to_thread(images.verify, data)
            if call.region:
                try:
                    picture, region = await self._retouching.put_in(order, call, picture)
                except NotPutIn as error:
                    problems.append(error)
                    region = error.region
            sources = (region.onto,) if region and region.onto else order.sources(call)
            recipe = Recipe.of(call.request, order.references(call), sources, response, image, at, region)
            path, problem = await asyncio.to_thread(_save, library, picture, recipe, number, at, again)
        for found in (*problems, problem):
            if found:
                order.fail(found, [number])
        size, seed = (picture.width, picture.height), call.request.seed
        order.add(number, Picture(path, *size, seed, response.request_id, image.prompt, region))
        self._upkeep.preview_later(library, path)

    async def check(self, names: Iterable[str], key: str, host: str, pictures: int = 0) -> None:
        """Before something is sent: is the own key worth a try, and is there room for what is on its way and more?

        Raises:
            Unauthorized: the key was refused before.
            DiskFull: there is no room.
        """
        if self._own_keys:
            self._own_keys.check(names, key, host)
        if self._room.stale:
            await self.aside(self._room.look)
        self._room.check(self._orders.on_their_way + pictures)

    async def note(self, order: Order, how: Callable[..., bool] | None = None, *more: object) -> bool:
        """Put down how an order stands, or so as the journal does it otherwise. Returns whether it is put down.

        It is done to its end even where who asked for it is stopped: a thread writes on, and the next one waits for it.
        """

        async def noted() -> bool:
            async with order.noting:  # or an older state could be the last that is written
                return await self.aside(how or self._journal.write, order, *more)

        return await asyncio.shield(noted())

    async def aside(self, work: Callable[..., T], *args: object) -> T:
        """Do short work in threads of its own: what goes to the journal never waits behind pictures."""
        return await asyncio.get_running_loop().run_in_executor(self._desk, partial(work, *args))

    def _client_for(self, order: Order) -> QwenClient:
        if not order.terms.own_key or not self._keyed:
            return self._client
        return self._other_hosts.get(order.terms.host, self._keyed)

    def close(self) -> None:
        """Take nothing on any more."""
        self._desk.shutdown(wait=False)


def _save(
    library: Library, picture: Verified, recipe: Recipe, number: int, at: datetime, again: bool
) -> tuple[Path, NotSaved | None]:
    try:
        return library.save(picture, recipe, number + 1, at, again=again), None
    except OSError as error:
        # It was paid for: show it from elsewhere, and say that it is not kept.
        return elsewhere().save(picture, recipe, number + 1, at), NotSaved(error.strerror or str(error))
