"""The journal: orders on disk, so that nothing that was paid for is lost with the process.

One small JSON file an order, replaced whole, in `.orders/` of the outputs folder: what was asked, whose it is (never a
key), and how far each call is. An answer is written down as it came, in a file beside, before anyone tries to
understand it; it goes when its pictures are saved.
"""

import json
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from .api.catalog import PROVIDER, Catalog, widest
from .api.errors import BadResponse, InvalidRequest, QwenDemoError
from .api.requests import asked, make
from .inpaint import region_of
from .order import Call, Order, Picture, State, Terms
from .visitors import Visitor

log = logging.getLogger(__name__)

FOLDER = ".orders"
DAY = 24 * 3600.0
UNREAD = 30 * DAY  # as long as something of an order is unread, its file stays


class Failed(QwenDemoError):
    """What a call came to before the app was started anew, in the words of that time."""

    def __init__(self, message: str, may_be_billed: bool | None) -> None:
        self.may_be_billed = may_be_billed
        super().__init__(message)


class NotSent(QwenDemoError):
    """The app was ended before the call was sent."""


class Unanswered(QwenDemoError):
    """The app was ended while the call was on its way: what came of it is lost, and may be billed."""

    may_be_billed = True

    def __init__(self, seed: int | None) -> None:
        self.seed = "–" if seed is None else seed
        super().__init__(f"the app was ended while the call with seed {self.seed} was on its way")


class Journal:
    """The folder of orders below `root`, the library's. Its methods block: not for the event loop.

    Args:
        root: the library's folder.
        catalog: the models there are now. Orders of others are known all the same.
    """

    def __init__(self, root: Path, catalog: Catalog = PROVIDER) -> None:
        self._folder = root.expanduser().absolute() / FOLDER
        self._catalog = catalog

    def write(self, order: Order) -> None:
        """Put down how an order stands. A full disk stops no order: what it then lacks is told in the log."""
        try:
            self._replace(self._file(order), json.dumps(_entry(order), ensure_ascii=False).encode())
        except OSError as error:
            log.error("order %s is not in the journal: %s", order.id, error.strerror)

    def keep_answer(self, order: Order, call: Call, content: bytes) -> None:
        """Put down an answer as it came, and how the order stands then."""
        try:
            self._replace(self.answer_file(order, call), content)
        except OSError as error:
            log.error("an answer to order %s is not in the journal: %s", order.id, error.strerror)
        self.write(order)

    def answer_file(self, order: Order, call: Call) -> Path:
        """Where an answer is, as long as its pictures are not all saved."""
        return self._folder / f"{order.id}.{call.first}.answer"

    def drop_answer(self, order: Order, call: Call) -> None:
        """Put down how the order stands now that this answer's pictures are saved, or can't be had; and let it go."""
        self.write(order)
        self.answer_file(order, call).unlink(missing_ok=True)

    def answer(self, order: Order, call: Call) -> bytes:
        """An answer as it came.

        Raises:
            BadResponse: it is not here any more.
        """
        try:
            return self.answer_file(order, call).read_bytes()
        except OSError as error:
            raise BadResponse("answer_gone") from error

    def drop(self, order: Order) -> None:
        """Nobody wants to know of this order any more."""
        for path in self._folder.glob(f"{order.id}.*"):
            path.unlink(missing_ok=True)

    def orders(self) -> Iterator[Order]:
        """All that are here, the oldest first. Those that were under way have ended with what is known of them."""
        with suppress(FileNotFoundError):
            for path in sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime):
                try:
                    entry = json.loads(path.read_bytes())
                    if not _is_alive(entry["process"]):
                        yield self._order(entry)
                except (ValueError, TypeError, LookupError):
                    log.error("the journal's file %s can't be read", path.name)

    def sweep(self) -> None:
        """Delete what is older than a day, or than 30 where something is unread."""
        now = time.time()
        with suppress(FileNotFoundError):  # no order yet
            for path in self._folder.iterdir():
                unread = any(self._folder.glob(f"{path.name.partition('.')[0]}.*.answer"))
                with suppress(OSError):  # someone else sweeps too, or holds it
                    if path.stat().st_mtime < now - (UNREAD if unread else DAY):
                        path.unlink()

    def _order(self, entry: Mapping[str, Any]) -> Order:
        try:
            return _order(entry, self._catalog)
        except InvalidRequest:  # its model is gone, or takes other things now: what was ordered is known all the same
            return _order(entry, widest(entry["asked"]["model"]))

    def _file(self, order: Order) -> Path:
        return self._folder / f"{order.id}.json"

    def _replace(self, path: Path, content: bytes) -> None:
        half = path.with_name(f"{path.name}.part")
        try:
            half.write_bytes(content)
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            half.write_bytes(content)
        os.replace(half, path)


def _entry(order: Order) -> dict[str, Any]:
    pictures = {index: {**asdict(picture), "path": str(picture.path)} for index, picture in order.numbered.items()}
    return {
        "id": order.id,
        "process": [socket.gethostname(), os.getpid()],
        "visitor": order.visitor,
        "counted": order.counted,
        "placed": order.placed.isoformat(),
        "seconds": order.seconds,
        "kind": order.request.kind,
        "asked": asked(order.request),
        "terms": asdict(order.terms),
        "cancelled": order.cancelled,
        "pictures": pictures,
        "calls": [
            {
                "n": call.request.n,
                "seed": call.request.seed,
                "prompt": call.request.prompt,
                "region": asdict(call.region) if call.region else None,
                "state": call.state,
                "answered": call.answered.isoformat() if call.answered else None,
                "headers": dict(call.headers),
                "usage": dict(call.usage),
                "request_id": call.request_id,
                "reason": call.reason,
                "unbilled": call.unbilled,
            }
            for call in order.calls
        ],
    }


def _is_alive(process: list[Any]) -> bool:
    """Whether another process of this machine, that shares the folder, still works on it."""
    host, pid = process
    if host != socket.gethostname() or pid == os.getpid() or os.name != "posix":
        return False
    try:
        os.kill(pid, 0)  # asks, and ends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _terms(entry: Mapping[str, Any]) -> Terms:
    """An order's; files of earlier versions have them beside all else."""
    told = entry.get("terms", entry)
    values: dict[str, Any] = {field.name: told[field.name] for field in fields(Terms) if field.name in told}
    values |= {name: tuple(values[name]) for name in ("references", "sources", "shape") if name in values}
    values["regions"] = tuple(filter(None, map(region_of, values.get("regions", ()))))
    return Terms(**values)


def _order(entry: Mapping[str, Any], catalog: Catalog) -> Order:
    """An order of before, as far as it is known. What was on its way then is lost, and told.

    Raises:
        ValueError, TypeError, LookupError: the entry is broken.
    """
    # Pictures that were sent are not kept here: what is asked again reads them from the library.
    terms = _terms(entry)
    stand_ins = [name if name.startswith("https://") else "data:image/png;base64,…" for name in terms.references]
    own = ("n", "seed", "prompt")  # files of earlier versions have one prompt for all
    each = [{**entry["asked"], **{name: call[name] for name in own if name in call}} for call in entry["calls"]]
    requests = [make(entry["kind"], stand_ins, **named, catalog=catalog) for named in each]
    visitor = Visitor(entry["visitor"], tuple(entry["counted"]))
    order = Order(requests, visitor, terms, id=entry["id"])
    order.placed = datetime.fromisoformat(entry["placed"])
    order.cancelled = entry["cancelled"]
    for index, facts in entry["pictures"].items():
        told = {**facts, "path": Path(facts["path"]), "region": region_of(facts.get("region"))}
        order.numbered[int(index)] = Picture(**told)
    for call, facts in zip(order.calls, entry["calls"], strict=True):
        call.state, call.headers, call.reason = State(facts["state"]), facts["headers"], facts["reason"]
        call.usage, call.request_id, call.unbilled = facts["usage"], facts["request_id"], facts["unbilled"]
        call.answered = datetime.fromisoformat(facts["answered"]) if facts["answered"] else None
        call.region = region_of(facts.get("region"))
        if call.state is State.WAITING and not order.cancelled:
            order.fail(NotSent(), call.places)
        elif call.state is State.SENT:
            order.fail(Unanswered(call.request.seed), call.places)
        elif call.state is State.FAILED:
            order.fail(Failed(call.reason, call.unbilled < call.request.n), call.places)
    order.end(seconds=entry["seconds"])
    return order
