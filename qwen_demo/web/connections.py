"""Connections: how many one address may hold, and how soon it has to say what it wants."""

import asyncio
import sys
from collections import defaultdict
from contextlib import suppress
from typing import Any

import uvicorn.config
from uvicorn.protocols.http.auto import AutoHTTPProtocol

EACH = 512  # connections from one address; two hundred open pages are some four hundred
HEADERS_WITHIN = 10.0  # seconds
TAKEN_WITHIN = 120.0  # seconds in which a waiting visitor has to take some of an answer
SPARE = 200  # files that are open besides connections: pictures, the journal, calls to the API

Timer = asyncio.TimerHandle | None
_held: dict[str, dict["Connection", None]] = defaultdict(dict)
_limits = {"each": EACH, "all": sys.maxsize}


def bound_connections(*, proxies: int) -> None:
    """Have this process's servers bound their connections. With proxies in front, all come from one address."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:Connection"
    _limits.update(each=sys.maxsize if proxies else EACH, all=_most_files() - SPARE)


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's. It ends where a visitor doesn't say what is wanted, or doesn't take what was asked for."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.ws_protocol_class = None  # an upgraded connection would be out of sight, and no page here needs one
        self._unheard: Timer = None
        self._untaken: Timer = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._address = (self.client or ("", 0))[0]
        _held[self._address][self] = None
        self._unheard = self.loop.call_later(HEADERS_WITHIN, self.transport.abort)
        if len(_held[self._address]) > _limits["each"]:
            self._let_go(_held[self._address])
        elif len(self.connections) > _limits["all"]:
            self._let_go(max(_held.values(), key=len))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._unheard = _stopped(self._unheard)
        elif self._unheard is None:  # the next request's headers have begun
            self._unheard = self.loop.call_later(HEADERS_WITHIN, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._untaken = self.loop.call_later(TAKEN_WITHIN, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._untaken = _stopped(self._untaken)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unheard, self._untaken = _stopped(self._unheard), _stopped(self._untaken)
        _held[self._address].pop(self, None)
        if not _held[self._address]:
            del _held[self._address]
        super().connection_lost(exc)

    def _let_go(self, held: "dict[Connection, None]") -> None:
        """End the oldest of them that has not said yet what it wants; that may be this one."""
        oldest = next((one for one in held if one._unheard), self)
        held.pop(oldest, None)  # at once: many may come before its end is seen to
        oldest.transport.abort()


def _stopped(timer: Timer) -> Timer:
    if timer:
        timer.cancel()
    return None


def _most_files() -> int:
    """How many files this process may have open, after it was given as many as it can get."""
    with suppress(ImportError, ValueError, OSError):  # Windows has no such limit
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 65_536 if most == resource.RLIM_INFINITY else most
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        return wanted
    return sys.maxsize
