"""Nobody is alone: how much one address may ask of the machine, so that others don't wait for it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .cookie import ADDRESS
from .routes import asked, pattern

AT_ONCE = 2  # requests of one address that are worked on, until their answers begin
RATE, BURST = 200.0, 3000.0  # requests a second of one address, and how many may come in advance
DEAR_RATE, DEAR_BURST = 20.0, 40.0  # of those that take as long as ten others; opening a page takes fifteen
PATIENCE = 30.0  # seconds; who would have to wait for longer is told so
PAUSE = 0.2  # seconds before that is told: who doesn't listen is slowed at least
UPLOAD_RATE, UPLOAD_BURST = 200_000.0, 400_000_000.0  # bytes likewise: 720 MB an hour
SMALLEST_FILE, MOST_FILES = 50_000, 20  # bytes that one counts for at least, and how many fit into one body
MOST_ADDRESSES = 10_000  # remembered; who was not seen for longest goes first
clock = time.monotonic


class Allowance:
    """So many points a second, of which some may be spent in advance."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._paid_until = 0.0

    def spend(self, points: float, patience: float = 0.0) -> float:
        """Spend points. Returns the seconds until they are there; more than `patience`, and none are spent."""
        now = clock()
        paid_until = max(self._paid_until, now - self._burst / self._rate) + points / self._rate
        if (wait := max(0.0, paid_until - now)) <= patience:
            self._paid_until = paid_until
        return wait


@dataclass
class _Address:
    requests: Allowance = field(default_factory=lambda: Allowance(RATE, BURST))
    dear: Allowance = field(default_factory=lambda: Allowance(DEAR_RATE, DEAR_BURST))
    uploads: Allowance = field(default_factory=lambda: Allowance(UPLOAD_RATE, UPLOAD_BURST))
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


class Crowd:
    """ASGI middleware: an address that asks too much has to wait, and that asks far too much is refused with 429.

    Args:
        app: what comes after it.
        dear: routes that take much work: pages, and what begins events.
        uploads: routes that take files.
    """

    def __init__(self, app: ASGIApp, dear: Iterable[str], uploads: Iterable[str]) -> None:
        self._app = app
        self._dear, self._uploads = pattern(dear), pattern(uploads)
        self._addresses: OrderedDict[str, _Address] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = self._address(scope[ADDRESS])
        allowance = address.dear if self._dear.fullmatch(asked(scope)) else address.requests
        wait = allowance.spend(1, PATIENCE)
        if wait > PATIENCE:
            await asyncio.sleep(PAUSE)
            refusal = PlainTextResponse("too many requests", 429, {"Retry-After": str(round(wait))})
            await refusal(scope, receive, send)
            return
        await asyncio.sleep(wait)
        if self._uploads.fullmatch(asked(scope)):
            await self._app(scope, _metered(receive, address.uploads), send)
        else:
            try:
                whole = await _whole(receive)
            except HTTPException as refused:
                await PlainTextResponse(refused.detail, refused.status_code)(scope, receive, send)
            else:
                await self._in_turn(address.at_once, scope, whole, send)

    def _address(self, name: str) -> _Address:
        address = self._addresses.setdefault(name, _Address())
        self._addresses.move_to_end(name)
        if len(self._addresses) > MOST_ADDRESSES:
            self._addresses.popitem(last=False)
        return address

    async def _in_turn(self, turns: asyncio.Semaphore, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold a turn until the answer begins: streams go on for long, and cost little."""
        await turns.acquire()
        held = True

        def let_go() -> None:
            nonlocal held
            if held:
                held = False
                turns.release()

        async def send_and_let_go(message: Message) -> None:
            let_go()
            await send(message)

        try:
            await self._app(scope, receive, send_and_let_go)
        finally:
            let_go()


async def _whole(receive: Receive) -> Receive:
    """A request whose body has come: nobody holds a turn while it is on its way."""
    came = [await receive()]
    while came[-1].get("more_body"):
        came.append(await receive())

    async def receive_again() -> Message:
        return came.pop(0) if came else await receive()

    return receive_again


def _metered(receive: Receive, uploads: Allowance) -> Receive:
    files = 0

    async def receive_metered() -> Message:
        nonlocal files
        message = await receive()
        body = message.get("body", b"")
        new = body.count(b"filename=")
        files += new
        if files > MOST_FILES or uploads.spend(len(body) + new * SMALLEST_FILE):
            raise HTTPException(429, "too much was uploaded from here")
        return message

    return receive_metered
