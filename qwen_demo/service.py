"""The thin middle: an order becomes calls, answers become pictures that are kept."""

import asyncio
import math
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from . import images
from .api import catalog
from .api.answer import SMALL
from .api.client import QwenClient
from .api.engine import PROVIDER_ENGINE, Engine
from .api.errors import APIError, InvalidRequest, QwenDemoError, Refused, Unauthorized
from .api.requests import ImageEdit, ImageRequest, asked, make, next_seed, split, whole
from .api.responses import Begun, ImagesResponse
from .archive import Archives
from .disk import PIXELS, DiskFull, Room
from .images import Verified
from .inpaint import Region
from .journal import Journal
from .library import Entry, Library, elsewhere
from .lineage import ids_of, references_of
from .order import Call, NotSaved, Order, Picture, State, Terms
from .orders import Orders
from .quota import Charge, Limit, Quota, TooManyAttempts
from .recipe import Recipe, check_foreign, names_of, read
from .retouching import NotPutIn, Retouching
from .upkeep import Upkeep
from .uploads import Uploads, stand_in
from .usage import Ledger, Prices
from .visitors import NoOwnKeys, OwnKeys, Visitor, check_key

PICTURES_IN_MEMORY = 16  # of all orders, while they are fetched and saved: some 12 MB each
ANSWERS_IN_MEMORY = 6  # with pictures inside, until those are saved

T = TypeVar("T")


class Service:
    """What the page and the endpoints call. One for the app.

    Args:
        client: the API.
        orders: what holds them while they are under way.
        library: where their pictures go, and where they are found again.
        prices: what pictures cost.
        engine: what the client speaks to, as people and the code that they copy shall know it.
        quota: what visitors may spend; None for as much as they like.
        attempts: calls that a visitor may send, whoever pays, such as `60/minute`; "" for as many as they like.
        keyed: the API for visitors with a key of their own; None where they may not bring one.
        other_hosts: the same at the other hosts that they may choose, by their names.
        public: strangers look at the page. Each sees only own pictures, and light previews of them; downloads stay the
            originals.
    """

    def __init__(
        self,
        client: QwenClient,
        orders: Orders,
        library: Library,
        *,
        prices: Prices | None = None,
        engine: Engine = PROVIDER_ENGINE,
        quota: Quota | None = None,
        attempts: str = "",
        keyed: QwenClient | None = None,
        other_hosts: Mapping[str, QwenClient] | None = None,
        public: bool = False,
    ) -> None:
        self._client = client
        self._keyed = keyed
        self._other_hosts = dict(other_hosts or {})
        self.orders = orders
        self.ledger = Ledger(prices)
        self.archives = Archives()
        self.everything = library
        self.journal = Journal(library.root, engine.catalog)
        self.upkeep = Upkeep(orders, self.journal, library, public=public)
        self.engine = engine
        self.quota = quota
        self.attempts = Limit(attempts, TooManyAttempts)
        self.own_keys = OwnKeys(self._other_hosts) if keyed else None
        self.public = public
        self.uploads = Uploads(self.library, public=public)
        self.retouching = Retouching(self.library, self.uploads, public=public)
        self._in_memory = asyncio.Semaphore(PICTURES_IN_MEMORY)
        self._answers = asyncio.Semaphore(ANSWERS_IN_MEMORY)
        self._room = Room(library.root)
        self._desk = ThreadPoolExecutor(4, "journal")

    def library(self, owner: str) -> Library:
        """The pictures that a visitor of that name may see: the own ones in public, else all."""
        return self.everything.of(owner) if self.public else self.everything

    @contextmanager
    def _unpaid(self) -> Iterator[None]:
        """Where nobody pays, nothing that goes wrong speaks of money."""
        try:
            yield
        except QwenDemoError as error:
            if not self.engine.billed:
                error.may_be_billed = None
            raise

    async def order_from(
        self,
        kind: str,
        sources: Sequence[Path | str],
        n: int,
        visitor: Visitor,
        background: str = "white",
        regions: Sequence[Region] = (),
        mask: Path | str | None = None,
        **fields: Any,
    ) -> Order:
        """Make the reference pictures ready, and order. What can be refused without a look at them is refused first.

        Where regions or a mask are given, only there the one picture of an edit changes; it is sent in parts, and the
        results have its size. Several regions are changed one after the other, in a call each, with words of their own.

        Args:
            kind: of the request, as `make` takes it.
            sources: its reference pictures in their order: uploads, `data:` texts, addresses; "" for a missing one.
            n: pictures, 1 to 6.
            visitor: who asks.
            background: the colour behind what is transparent.
            regions: where alone the picture may change, 1 to 4.
            mask: the same as a picture, as `Uploads.mask` takes it.
            fields: of the request.

        Raises:
            InvalidRequest: a field breaks its rule, or a picture can't be used.
            QwenDemoError: as for `order`.
        """
        fields["catalog"] = self.engine.catalog
        with self._unpaid():
            if regions or mask is not None:
                regions = [replace(region, background=background) for region in regions or [Region()]]
                return await self._order_regions(kind, sources, n, visitor, regions, mask, fields)
            await self._admit(split(make(kind, list(map(stand_in, sources)), **fields), n), visitor)
            references = [await self.uploads.reference(source, visitor, background) for source in sources]
            ids = await self._aside(ids_of, self.library(visitor.name), sources) if sources else ()
            return await self.order(make(kind, references, **fields), n, visitor, ids)

    async def _order_regions(
        self,
        kind: str,
        sources: Sequence[Path | str],
        n: int,
        visitor: Visitor,
        regions: Sequence[Region],
        mask: Path | str | None,
        fields: dict[str, Any],
    ) -> Order:
        if kind != ImageEdit.kind or len(sources) != 1:
            raise InvalidRequest("mask", "mask_words", kind)
        if fields.get("size"):
            raise InvalidRequest("size", "mask_size", fields["size"])
        shared = str(fields.get("prompt") or "")
        for number, region in enumerate(regions, 1):
            if not region.words and not shared.strip() and len(regions) > 1:
                raise InvalidRequest("mask", "part_words", "", number=number)
        regions = [replace(region, words=region.words or shared) for region in regions]
        requests = _requests_for(regions, n, stand_in(sources[0]), fields)
        await self._admit(requests, visitor)
        terms = await self.retouching.take_in(sources[0], regions, mask, visitor)
        ids = await self._aside(ids_of, self.library(visitor.name), sources)
        return await self._place(requests, visitor, replace(terms, sources=tuple(ids)))

    async def _admit(self, requests: Sequence[ImageRequest], visitor: Visitor) -> None:
        """Whether these could be ordered now, as far as it can be known without counting them. Raises as `order`."""
        self.orders.check(visitor, len(requests))
        (key, host), n = self._paid_by(visitor), sum(request.n for request in requests)
        await self._check((visitor.name, *visitor.counted), key, host, n)
        if self.quota and not key:
            await self.quota.check(visitor, n)
        await self.attempts.check(visitor, len(requests))

    async def order(self, request: ImageRequest, n: int, visitor: Visitor, sources: Sequence[str] = ()) -> Order:
        """Order `n` pictures (1 to 6) of a request, in as many calls as its model needs.

        `sources` are the ids of those of its reference pictures that the library knows, as `Terms` has them.

        The order goes on whoever watches it. Its pictures are in the library when it has them.

        Raises:
            InvalidRequest: n is not a whole number from 1 to 6.
            OverQuota: the visitor, or all together, may not spend that much.
            TooManyAttempts: the visitor may not send that much.
            DiskFull: the pictures would have no place.
            Unauthorized: the visitor's own key was refused before.
            QuotaUnknown: nobody knows what may be spent.
            NoOwnKeys: the visitor brings a key, and none is taken.
            BadKey: the key that the visitor brings can't be one.
            UnknownHost: that key may not go where the visitor says.
            TooManyOrders: of this visitor.
            ShuttingDown: the app takes no new orders.
        """
        shape = await _shape(request)
        if request.references and not request.size and not request.row.keeps_shape and shape != (1, 1):
            request = replace(request, size=request.row.at_a_megapixel(*shape))  # what Auto promises
        references = await self._aside(names_of, request.references) if request.references else ()
        terms = Terms(references=references, sources=tuple(sources), shape=shape)
        return await self._place(split(request, n), visitor, terms)

    async def _place(self, requests: Sequence[ImageRequest], visitor: Visitor, terms: Terms) -> Order:
        """Count an order of these requests, and begin it. Raises as `order`."""
        n = sum(request.n for request in requests)
        key, host = self._paid_by(visitor)
        terms = replace(terms, own_key=bool(key), host=host, billed=self.engine.billed or bool(key))
        pixels = terms.shape[0] * terms.shape[1] if terms.regions else PIXELS
        room = n * math.ceil(pixels / PIXELS)
        await self._check((visitor.name, *visitor.counted), key, host, room)
        charge = Charge() if key or not self.quota else await self.quota.charge(visitor, n)
        try:
            await self.attempts.charge(visitor, len(requests))
            order = self.orders.place(requests, visitor, terms)
        except QwenDemoError:
            await charge.give_back(n)
            raise
        order.task = asyncio.create_task(self._run(order, key, charge))
        return order

    async def _run(self, order: Order, key: str, charge: Charge) -> None:
        """An order's way to its end: its calls side by side, of which a failed one stops none of the others."""
        for call in order.calls if not order.cancelled else ():
            call.task = asyncio.create_task(self._see_through(order, call, key))
        try:
            await self._settle(order)
            await charge.give_back(sum(call.unbilled for call in order.calls), _refused(order))
            self.ledger.enter(order)
        finally:
            self.orders.end(order)

    async def _settle(self, order: Order) -> None:
        await asyncio.gather(*(call.task for call in order.calls if call.task), return_exceptions=True)
        if any(call.state is not State.DONE for call in order.calls):
            await self._note(order)

    async def _see_through(self, order: Order, call: Call, key: str) -> None:
        """A call's way: sent, answered, its pictures fetched and kept."""
        try:
            async with AsyncExitStack() as held:
                content = await self._send(order, call, key, held)
                await self._take_in(order, call, content, key)
        except Exception as error:
            if isinstance(error, Unauthorized) and self.own_keys and key:
                self.own_keys.refuse((order.visitor, *order.counted), key, order.terms.host)
            order.fail(error, call.places)
            raise

    async def _send(self, order: Order, call: Call, key: str, held: AsyncExitStack) -> bytes:
        """The answer to a call in its turn, written down as it came. Memory for pictures inside of it is `held`."""
        try:
            if call.region:
                await order.ended(call.after)
                await self.retouching.cut_out(order, call)
            async with order.turn(call):
                async with order.noting:  # one after the other: they reach the API in their order
                    await self._check((order.visitor, *order.counted), key, order.terms.host)
                    await self._aside(self.journal.write, order)  # that it is sent is known before it is
                async with self._client_for(order).open(call.sent, key) as answer:
                    if call.request.response_format == "b64_json" or not call.request.row.formats:
                        await held.enter_async_context(self._answers)
                    content = await answer.content()
        except QwenDemoError as error:
            lost = error.may_be_billed and order.terms.billed
            call.unbilled = 0 if lost else call.request.n
            if isinstance(error, APIError) or not lost:
                call.state, call.reason = State.FAILED, str(error)
            raise
        call.state, call.answered, call.headers = State.ANSWERED, datetime.now(), answer.headers
        await self._note(order, self.journal.keep_answer, call, content)
        return content

    async def _take_in(self, order: Order, call: Call, content: bytes, key: str) -> None:
        """An answer is understood, and those of its pictures that are not here yet are fetched and kept."""
        library = self.library(order.visitor)
        response = await self._understood(order, call, content, key)
        order.understood(call, response)
        numbers = [call.first + index for index in range(len(response.images))]

        def missing() -> list[int]:
            there = {number for number, picture in order.numbered.items() if library.entry_of(picture.path)}
            return [number for number in numbers if number not in there]

        fetched = missing()
        keeping = (self._keep(order, call, response, number) for number in fetched)
        outcomes = await asyncio.gather(*keeping, return_exceptions=True)
        for number, outcome in zip(fetched, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                order.fail(outcome, [number])
        if not missing():
            call.state = State.DONE
            await self._note(order, self.journal.drop_answer, call)

    async def _understood(self, order: Order, call: Call, content: bytes, key: str) -> ImagesResponse:
        """What an answer says. A task that was begun in place of it is followed, by its id in the journal."""
        client = self._client_for(order)
        while True:
            try:
                understood = await asyncio.to_thread(client.understand, content, call.headers)
            except APIError as error:
                call.state, call.reason, call.unbilled = State.FAILED, str(error), call.request.n
                await self._note(order, self.journal.drop_answer, call)
                raise
            if not isinstance(understood, Begun):
                return understood
            content = await client.follow(understood, key)
            await self._note(order, self.journal.keep_answer, call, content)

    async def _keep(self, order: Order, call: Call, response: ImagesResponse, number: int) -> None:
        """One picture of an answer, the order's `number`th, fetched, looked at, and saved."""
        image, at = response.images[number - call.first], call.answered or datetime.now()
        if image.prompt == call.request.prompt:  # SGLang repeats it: nothing was rewritten
            image = replace(image, prompt=None)
        library, region = self.library(order.visitor), None
        problems: list[QwenDemoError] = []
        async with self._in_memory:
            data = await self._client_for(order).fetch(image)
            picture = await asyncio.to_thread(images.verify, data)
            if call.region:
                try:
                    picture, region = await self.retouching.put_in(order, call, picture)
                except NotPutIn as error:
                    problems.append(error)
                    region = error.region
            sources = (region.onto,) if region and region.onto else order.terms.sources
            recipe = Recipe.of(call.request, order.terms.references, sources, response, image, at, region)
            path, problem = await asyncio.to_thread(_save, library, picture, recipe, number, at, order.taken_back)
        for found in (*problems, problem):
            if found:
                order.fail(found, [number])
        size, seed = (picture.width, picture.height), call.request.seed
        order.add(number, Picture(path, *size, seed, response.request_id, image.prompt, region))
        self.upkeep.preview_later(library, path)

    async def _check(self, names: Iterable[str], key: str, host: str, pictures: int = 0) -> None:
        """Before something is sent: is the own key worth a try, and is there room for what is on its way and more?

        Raises:
            Unauthorized: the key was refused before.
            DiskFull: there is no room.
        """
        if self.own_keys:
            self.own_keys.check(names, key, host)
        if self._room.stale:
            await self._aside(self._room.look)
        self._room.check(self.orders.on_their_way + pictures)

    def not_ready(self) -> str:
        """Why no orders are taken, or "". Not for the event loop."""
        if self.orders.draining:
            return "draining"
        try:
            if self._room.stale:
                self._room.look()
            self._room.check(self.orders.on_their_way + 1)
        except DiskFull:
            return "disk full"
        return ""

    async def _note(self, order: Order, how: Callable[..., None] | None = None, *more: object) -> None:
        async with order.noting:  # or an older state could be the last that is written
            await self._aside(how or self.journal.write, order, *more)

    async def _aside(self, work: Callable[..., T], *args: object) -> T:
        """Do short work in threads of its own: what goes to the journal never waits behind pictures."""
        return await asyncio.get_running_loop().run_in_executor(self._desk, partial(work, *args))

    def _client_for(self, order: Order) -> QwenClient:
        if not order.terms.own_key or not self._keyed:
            return self._client
        return self._other_hosts.get(order.terms.host, self._keyed)

    def engine_of(self, order: Order) -> Engine:
        """What an order goes to, as people shall know it: the engine, at the host of the key that pays."""
        if order.terms.host not in self._other_hosts:
            return self.engine
        return replace(self.engine, base_url=self._other_hosts[order.terms.host].base_url)

    async def resume(self) -> None:
        """Take up again what the app knew before it was started anew: answers that are here are read and fetched."""
        for order in await self._aside(lambda: list(self.journal.orders())):
            self.orders.take_back(order)
            if order.unread:
                self.fetch_again(order)

    def fetch_again(self, order: Order) -> None:
        """Try once more to understand what came, and to fetch its pictures; nothing where all is here."""
        if not order.unread:
            return

        key = ""
        if self.own_keys and order.terms.own_key:
            held, host = self.own_keys.held(order.visitor)
            key = held if host == order.terms.host else ""  # another host's key goes nowhere else

        async def take_up(call: Call) -> None:
            try:
                await order.ended(call.after)
                content = await self._aside(self.journal.answer, order, call)
                async with self._answers if len(content) > SMALL else nullcontext():  # a task may take long
                    await self._take_in(order, call, content, key)
            except Exception as error:
                order.fail(error, call.places)
                raise

        async def run() -> None:
            try:
                await self._settle(order)
            finally:
                self.orders.end(order)

        for call in order.unread:
            call.task = asyncio.create_task(take_up(call))
        order.resume()
        order.task = asyncio.create_task(run())

    async def order_again(self, order: Order, visitor: Visitor, place: int | None = None) -> list[Order]:
        """Order anew what was sent and is lost, or the one picture of that place: with the same words and seeds.

        Raises:
            InvalidRequest: a reference picture is not here any more.
            QwenDemoError: as for `order`.
        """
        found = self.pictures_of(order.terms.references, order.terms.sources, order.visitor)
        sources = [picture.path if isinstance(picture, Entry) else picture or "" for picture in found]
        placed = []
        calls = order.lost if place is None else [call for call in order.calls if place in call.places]
        chains = {order.chain(call)[0].first: order.chain(call) for call in calls}
        for chain in chains.values():
            again = [call for call in chain if call in calls]
            fields, onto = asked(again[0].request), sources
            n = fields.pop("n")
            regions = [replace(call.region.wished, words=call.request.prompt) for call in again if call.region]
            if regions:
                fields |= {"regions": regions, "background": regions[0].background}
                onto = [latest.path] if (latest := order.latest(again[0])) else sources
            n = n if place is None else 1
            placed.append(await self.order_from(order.request.kind, onto, n, visitor, **fields))
            for call in again:
                call.state = State.FAILED if call.state is State.SENT else call.state
            order.tell()
            await self._note(order)
        return placed

    async def apply_again(self, entry: Entry, painted: Mapping[str, Any], visitor: Visitor) -> Entry:
        """A picture made anew with other paint, which takes its place in the visitor's orders.

        Raises as `Retouching.apply_again`; TooManyAttempts: it takes as much work here as a call.
        """
        await self.attempts.charge(visitor, 1)
        return await self._replaced(entry, await self.retouching.apply_again(entry, painted, visitor), visitor)

    async def align(self, entry: Entry, visitor: Visitor) -> Entry:
        """A picture aligned to its photo, which takes its place in the visitor's orders. Raises as `apply_again`."""
        await self.attempts.charge(visitor, 1)
        return await self._replaced(entry, await self.retouching.align(entry, visitor), visitor)

    async def _replaced(self, entry: Entry, path: Path, visitor: Visitor) -> Entry:
        made = await self._aside(self.library(visitor.name).entry_of, path)
        for order in self.orders.of(visitor.name):
            for number, picture in order.numbered.items():
                if made and picture.path == entry.path:
                    region = made.recipe.region if made.recipe else None
                    width, height = made.size
                    order.add(number, replace(picture, path=path, width=width, height=height, region=region))
                    await self._note(order)
                    break
        return made or entry

    async def forget(self, order: Order) -> None:
        """Nobody wants what is unread of it."""
        self.orders.forget(order)
        await self._aside(self.journal.drop, order)

    def key_of(self, visitor: Visitor) -> str:
        """The visitor's own key: the one that came with the request, else the one that was entered; or "".

        Raises:
            NoOwnKeys: one came, and none is taken.
            BadKey: what came can't be one.
        """
        if self.own_keys is None:
            if visitor.key:
                raise NoOwnKeys
            return ""
        return check_key(visitor.key) if visitor.key else self.own_keys.find(visitor.name)

    def _paid_by(self, visitor: Visitor) -> tuple[str, str]:
        """The visitor's own key and where it belongs, "" for the usual host; two "" where there is none.

        Raises as `key_of`, and UnknownHost where the key may not go there.
        """
        key = self.key_of(visitor)
        if not key or not self.own_keys:
            return "", ""
        return key, self.own_keys.check_host(visitor.host) if visitor.key else self.own_keys.held(visitor.name)[1]

    async def left(self, visitor: Visitor) -> int | None:
        """How many pictures the visitor may still order; None where nothing limits them.

        Raises:
            QuotaUnknown: nobody knows.
        """
        return await self.quota.left(visitor) if self.quota and not self.key_of(visitor) else None

    def restore(self, file: Path) -> Recipe:
        """The recipe in a picture from anywhere.

        Raises:
            BadRecipe: there is none, or it is broken or hostile.
            OSError: the file can't be read.
        """
        recipe = read(file)
        check_foreign(recipe)
        return recipe

    def pictures_of(self, references: Sequence[str], sources: Sequence[str], owner: str) -> list[Entry | str | None]:
        """The reference pictures of a recipe or an order: the owner's, the address, or None for one that is gone."""
        return references_of(self.library(owner), references, sources)

    async def aclose(self) -> None:
        """Close the connections."""
        self.upkeep.stop()
        self.retouching.close()
        self._desk.shutdown(wait=False)
        for client in (self._client, self._keyed, *self._other_hosts.values()):
            if client:
                await client.aclose()


async def _shape(request: ImageRequest) -> tuple[int, int]:
    """The width and height that its pictures will have, as far as that is known; else a square."""
    if request.size:
        return catalog.pixels(request.size)
    found = [await asyncio.to_thread(images.shape, last) for last in request.references[-1:]]
    return next(filter(None, found), (1, 1))


def _requests_for(regions: Sequence[Region], n: int, photo: str, fields: Mapping[str, Any]) -> tuple[ImageRequest, ...]:
    """The requests that change these regions of `n` pictures: of several, one after the other in the same seed.

    Raises:
        InvalidRequest: that is more than an order has, or a field breaks its rule.
    """
    n = whole("n", n, 1, catalog.MAX_PICTURES // len(regions))
    each = [make(ImageEdit.kind, [photo], **{**fields, "prompt": region.words}) for region in regions]
    if len(each) == 1:
        return split(each[0], n)
    return tuple(replace(one, seed=next_seed(one.seed, number)) for number in range(n) for one in each)


def _refused(order: Order) -> int:
    """How many unbilled pictures of it the API refused for what was asked; not those for which it was away or busy."""
    ended = [(call, call.task) for call in order.calls if call.task and not call.task.cancelled()]
    return sum(call.unbilled for call, task in ended if type(task.exception()) in (APIError, Refused))


def _save(
    library: Library, picture: Verified, recipe: Recipe, number: int, at: datetime, again: bool
) -> tuple[Path, NotSaved | None]:
    try:
        return library.save(picture, recipe, number + 1, at, again=again), None
    except OSError as error:
        # It was paid for: show it from elsewhere, and say that it is not kept.
        return elsewhere().save(picture, recipe, number + 1, at), NotSaved(error.strerror or str(error))


def draw_seed() -> int:
    """A random seed, 0 to 2147483647. Drawn here and sent, so that every picture can be made again."""
    return secrets.randbelow(catalog.MAX_SEED + 1)
