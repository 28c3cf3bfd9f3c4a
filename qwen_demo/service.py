"""The thin middle: an order becomes calls, answers become pictures that are kept."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import images
from .api import catalog
from .api.client import QwenClient
from .api.engine import PROVIDER_ENGINE, Engine
from .api.errors import InvalidRequest, QwenDemoError
from .api.requests import STAND_IN, ImageEdit, ImageRequest, asked, make
from .archive import Archives
from .axes import Axes, expand, grid_of
from .call import Call, Photo, State
from .delivery import Delivery
from .disk import DiskFull, Room
from .inpaint import Region
from .journal import Journal
from .library import Entry, Library
from .lineage import ids_of, references_of
from .order import Order, Terms
from .orders import Orders, TooManyOrders
from .quota import Quota
from .recipe import Recipe, check_foreign, names_of, read
from .retouching import Retouching, requests_for
from .running import Running
from .upkeep import Upkeep
from .uploads import Uploads, stand_in
from .usage import Ledger, Prices
from .visitors import NoOwnKeys, OwnKeys, Visitor, check_key

ONE_WAY = Axes()


class OtherPayer(QwenDemoError):
    """Something was ordered with another key than the one that would pay for the rest of it now."""


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
        self.own_keys = OwnKeys(self._other_hosts) if keyed else None
        self.public = public
        self.uploads = Uploads(self.library, public=public)
        self.retouching = Retouching(self.library, self.uploads, public=public)
        self._room = Room(library.root)
        self.delivery = Delivery(
            client,
            keyed,
            self._other_hosts,
            orders=orders,
            library_of=self.library,
            journal=self.journal,
            retouching=self.retouching,
            upkeep=self.upkeep,
            own_keys=self.own_keys,
            room=self._room,
        )
        self._going_again: set[Call] = set()
        self.running = Running(
            orders,
            self.delivery,
            self.journal,
            self.ledger,
            quota=quota,
            attempts=attempts,
            own_keys=self.own_keys,
        )

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
        axes: Axes = ONE_WAY,
        photos: Sequence[Photo] = (),
        words: str = "",
        lines: bool = False,
        **fields: Any,
    ) -> Order:
        """Make the reference pictures ready, and order. What can be refused without a look at them is refused first.

        What is asked in several ways is asked so of each of the photos, where there are some. Where regions or a mask
        are given, only there the one picture of an edit changes; it is sent in parts, and the results have its size.
        Several regions are changed one after the other, in a call each, with words of their own.

        Args:
            kind: of the request, as `make` takes it.
            sources: its reference pictures in their order: uploads, `data:` texts, addresses; "" for a missing one.
            n: pictures, 1 to 6.
            visitor: who asks.
            background: the colour behind what is transparent.
            regions: where alone the picture may change, 1 to 4.
            mask: the same as a picture, as `Uploads.mask` takes it.
            axes: what is asked in several ways.
            photos: what is edited, each by itself, in place of the sources.
            words, lines: how the wordings were written, as `Terms` has it.
            fields: of the request.

        Raises:
            InvalidRequest: a field breaks its rule, or a picture can't be used.
            NoOwnKeys: the visitor brings a key, and none is taken.
            BadKey: the key that the visitor brings can't be one.
            UnknownHost: that key may not go where the visitor says.
            QwenDemoError: as for `Running.begin`.
        """
        fields["catalog"] = self.engine.catalog
        with self._unpaid():
            if regions or mask is not None:
                if axes.named or photos:
                    raise InvalidRequest("mask", "axes_mask", "")
                regions = [replace(region, background=background) for region in regions or [Region()]]
                return await self._order_regions(kind, sources, n, visitor, regions, mask, fields)
            held = [STAND_IN] if photos else list(map(stand_in, sources))
            requests = expand(kind, held, n, axes, fields, max(1, len(photos)))
            for photo in photos:
                if photo.is_address:
                    requests[0].holding([photo.reference])  # which not every model takes
            await self.admit(requests, visitor)
            terms = Terms(words=words, lines=lines)
            if photos:
                known = await asyncio.to_thread(_shaped, self.library(visitor.name), photos)
                shape = catalog.pixels(requests[0].size) if requests[0].size else known[0].shape
                terms = replace(terms, photos=tuple(known), shape=shape)
                return await self._place(requests, visitor, terms)
            references = [await self.uploads.reference(source, visitor, background) for source in sources]
            ids = await self.delivery.aside(ids_of, self.library(visitor.name), sources) if sources else ()
            terms = replace(terms, sources=tuple(ids))
            return await self._order([request.holding(references) for request in requests], visitor, terms)

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
        requests = requests_for(regions, n, stand_in(sources[0]), fields)
        await self.admit(requests, visitor)
        terms = await self.retouching.take_in(sources[0], regions, mask, visitor)
        ids = await self.delivery.aside(ids_of, self.library(visitor.name), sources)
        return await self._place(requests, visitor, replace(terms, sources=tuple(ids)))

    async def admit(self, requests: Sequence[ImageRequest], visitor: Visitor) -> None:
        """Whether these could be ordered now, as far as it can be known without counting. Raises as `order_from`."""
        with self._unpaid():
            await self.running.check(requests, visitor, *self._paid_by(visitor))

    async def _order(self, requests: Sequence[ImageRequest], visitor: Visitor, terms: Terms) -> Order:
        """Order these requests, which hold the same pictures. Raises as `order_from`."""
        first = requests[0]
        shape = await _shape(first)
        if first.references:
            requests = [request.shaped(shape) for request in requests]
        references = await self.delivery.aside(names_of, first.references) if first.references else ()
        library = self.library(visitor.name)
        if await self.delivery.aside(lambda: all(map(library.find_reference, references))):
            requests = [request.light() for request in requests]  # read at their turns: many may wait in line
        return await self._place(requests, visitor, replace(terms, references=references, shape=shape))

    async def _place(self, requests: Sequence[ImageRequest], visitor: Visitor, terms: Terms) -> Order:
        key, host = self._paid_by(visitor)
        terms = replace(terms, own_key=bool(key), host=host, billed=self.engine.billed or bool(key))
        return await self.running.begin(requests, visitor, terms, key)

    async def go_on(self, order: Order, visitor: Visitor, place: int | None = None, *, lost: bool = False) -> None:
        """Order what of it is `open`, or the one call of that place, as it is and in the same order.

        What is `lost` in its place: it may be paid for twice.

        Raises:
            QwenDemoError: as for `order_from`.
        """
        calls = [call for call in (order.lost if lost else order.open) if place is None or place in call.places]
        if not calls:
            return
        with self._unpaid():
            requests = [self._renewed(call.request) for call in calls]
            key, host = self._paid_by(visitor)
            if (bool(key), host) != (order.terms.own_key, order.terms.host):
                raise OtherPayer
            await self.running.go_on(order, calls, requests, visitor, key)

    def _renewed(self, request: ImageRequest) -> ImageRequest:
        """A request as the models of now take it: what was ordered may be from before they changed.

        Raises:
            InvalidRequest: they don't.
        """
        return make(request.kind, request.references, **asked(request), catalog=self.engine.catalog)

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

    def engine_of(self, order: Order) -> Engine:
        """What an order goes to, as people shall know it: the engine, at the host of the key that pays."""
        if order.terms.host not in self._other_hosts:
            return self.engine
        return replace(self.engine, base_url=self._other_hosts[order.terms.host].base_url)

    async def order_again(self, order: Order, visitor: Visitor, place: int | None = None) -> list[Order]:
        """Order anew what was sent and is lost, or the one picture of that place: with the same words and seeds.

        Where each place has words, a model or a photo of its own, it goes on in the same order.

        Raises:
            InvalidRequest: a reference picture is not here any more.
            QwenDemoError: as for `order_from`.
        """
        if (order.terms.photos or grid_of(order).apart) and not order.terms.regions:
            await self.go_on(order, visitor, place, lost=place is None)
            return []
        found = self.pictures_of(order.terms.references, order.terms.sources, order.visitor)
        sources = [picture.path if isinstance(picture, Entry) else picture or "" for picture in found]
        wanted = order.lost if place is None else [call for call in order.calls if place in call.places]
        calls = [call for call in wanted if call not in self._going_again]
        lost = {call for call in calls if call.state is State.SENT}
        placed = []
        self._going_again |= lost  # before anything is awaited: another press is to find nothing lost
        try:
            if lost and not await self.running.claim(order):
                raise TooManyOrders
            for chain in {order.chain(call)[0].first: order.chain(call) for call in calls}.values():
                again = [call for call in chain if call in calls]
                placed.append(await self._anew(order, again, sources, visitor, alone=place is not None))
                for call in lost.intersection(again):
                    call.state = State.FAILED
                order.tell()
                await self.delivery.note(order)
        finally:
            self._going_again -= lost
            if self.orders.find(order.id, order.visitor) is order:  # what another process has is that one's to write
                await self.delivery.note(order)
        return placed

    async def _anew(
        self, order: Order, calls: Sequence[Call], sources: Sequence[Path | str], visitor: Visitor, *, alone: bool
    ) -> Order:
        """Order calls of one photo once more, or one picture alone of what they asked for."""
        fields = asked(calls[0].request)
        n = fields.pop("n")
        if regions := [replace(call.region.wished, words=call.request.prompt) for call in calls if call.region]:
            fields |= {"regions": regions, "background": regions[0].background}
            sources = [latest.path] if (latest := order.latest(calls[0])) else sources
        return await self.order_from(order.request.kind, sources, 1 if alone else n, visitor, **fields)

    async def apply_again(self, entry: Entry, painted: Mapping[str, Any], visitor: Visitor) -> Entry:
        """A picture made anew with other paint, which takes its place in the visitor's orders.

        Raises as `Retouching.apply_again`; TooManyAttempts: it takes as much work here as a call.
        """
        await self.running.attempts.charge(visitor, 1)
        return await self._replaced(entry, await self.retouching.apply_again(entry, painted, visitor), visitor)

    async def align(self, entry: Entry, visitor: Visitor) -> Entry:
        """A picture aligned to its photo, which takes its place in the visitor's orders. Raises as `apply_again`."""
        await self.running.attempts.charge(visitor, 1)
        return await self._replaced(entry, await self.retouching.align(entry, visitor), visitor)

    async def _replaced(self, entry: Entry, path: Path, visitor: Visitor) -> Entry:
        made = await self.delivery.aside(self.library(visitor.name).entry_of, path)
        for order in self.orders.of(visitor.name):
            for number, picture in order.numbered.items():
                if made and picture.path == entry.path:
                    region = made.recipe.region if made.recipe else None
                    width, height = made.size
                    order.add(number, replace(picture, path=path, width=width, height=height, region=region))
                    await self.delivery.note(order)
                    break
        return made or entry

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
        self.journal.life.end()
        self.upkeep.stop()
        self.retouching.close()
        self.delivery.close()
        await self.orders.aclose()
        for client in (self._client, self._keyed, *self._other_hosts.values()):
            if client:
                await client.aclose()


async def _shape(request: ImageRequest) -> tuple[int, int]:
    """The width and height that its pictures will have, as far as that is known; else a square."""
    if request.size:
        return catalog.pixels(request.size)
    found = [await asyncio.to_thread(images.shape, last) for last in request.references[-1:]]
    return next(filter(None, found), (1, 1))


def _shaped(library: Library, photos: Sequence[Photo]) -> list[Photo]:
    """The same photos with their shapes.

    Raises:
        InvalidRequest: one is not here any more.
    """

    def shaped(photo: Photo) -> Photo:
        if photo.is_address:
            return photo
        if file := library.find_reference(photo.reference):
            return replace(photo, shape=images.size_of(file))
        raise InvalidRequest("image", "photo_gone", photo.name)

    return list(map(shaped, photos))


def draw_seed() -> int:
    """A random seed, 0 to 2147483647. Drawn here and sent, so that every picture can be made again."""
    return secrets.randbelow(catalog.MAX_SEED + 1)
