"""What stands in an order's file of the journal: made of the order, and an order made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from .api.catalog import Catalog, widest
from .api.errors import InvalidRequest, QwenDemoError
from .api.requests import STAND_IN, ImageRequest, asked, make
from .call import Call, Photo, Picture, State
from .inpaint import region_of
from .order import NotSent, Order, Terms
from .visitors import Visitor


class Failed(QwenDemoError):
    """What a call came to before the app was started anew, in the words of that time."""

    def __init__(self, message: str, may_be_billed: bool | None) -> None:
        self.may_be_billed = may_be_billed
        super().__init__(message)


class Unanswered(QwenDemoError):
    """The app was ended while the call was on its way: what came of it is lost, and may be billed."""

    may_be_billed = True

    def __init__(self, seed: int | None) -> None:
        self.seed = "–" if seed is None else seed
        super().__init__(f"the app was ended while the call with seed {self.seed} was on its way")


def entry_of(order: Order) -> dict[str, Any]:
    """An order as JSON has it. It may be asked in a thread, while the order goes on."""
    calls = [_call(call) for call in order.calls]  # before the pictures: none of a call that is done is missed
    numbered = order.numbered.copy()
    pictures = {index: {**asdict(picture), "path": str(picture.path)} for index, picture in numbered.items()}
    return {
        "id": order.id,
        "visitor": order.visitor,
        "counted": order.counted,
        "rests": order.rests,
        "charge": order.charge,
        "placed": order.placed.isoformat(),
        "seconds": order.seconds,
        "kind": order.request.kind,
        "terms": asdict(order.terms),
        "cancelled": order.cancelled,
        "pictures": pictures,
        "calls": calls,
    }


def _call(call: Call) -> dict[str, Any]:
    return {
        "asked": asked(call.request),
        "region": asdict(call.region) if call.region else None,
        "state": call.state,
        "answered": call.answered.isoformat() if call.answered else None,
        "headers": dict(call.headers),
        "usage": dict(call.usage),
        "request_id": call.request_id,
        "reason": call.reason,
        "unbilled": call.unbilled,
        "charged": call.charged,
        "dropped": call.dropped,
        "refused": call.refused,
    }


def order_of(entry: Mapping[str, Any], catalog: Catalog) -> Order:
    """An order of before, as far as it is known. What was on its way then is lost, and told.

    Args:
        entry: as `entry_of` made it, perhaps in an earlier version.
        catalog: the models there are now. Requests of others are known all the same.

    Raises:
        ValueError, TypeError, LookupError: the entry is broken.
    """
    # Pictures that were sent are not kept here: what is asked again reads them from the library.
    terms = _terms(entry)
    names = terms.references or ("",) * bool(terms.photos)
    stand_ins = [name if name.startswith("https://") else STAND_IN for name in names]
    requests = [_request(entry["kind"], stand_ins, named, catalog) for named in _requests(entry)]
    visitor = Visitor(entry["visitor"], tuple(entry["counted"]))
    order = Order(requests, visitor, terms, id=entry["id"])
    order.placed = datetime.fromisoformat(entry["placed"])
    order.cancelled = entry["cancelled"]
    order.charge = tuple((key, rule) for key, rule in entry.get("charge", ()))
    for index, facts in entry["pictures"].items():
        told = {**facts, "path": Path(facts["path"]), "region": region_of(facts.get("region"))}
        order.numbered[int(index)] = Picture(**told)
    for call, facts in zip(order.calls, entry["calls"], strict=True):
        call.state, call.headers, call.reason = State(facts["state"]), facts["headers"], facts["reason"]
        call.usage, call.request_id, call.unbilled = facts["usage"], facts["request_id"], facts["unbilled"]
        call.answered = datetime.fromisoformat(facts["answered"]) if facts["answered"] else None
        call.region = region_of(facts.get("region"))
        call.charged, call.refused = facts.get("charged", False), facts.get("refused", False)
        call.dropped = facts.get("dropped", order.cancelled and call.state is State.WAITING)
        if call.state is State.WAITING and not call.dropped:
            order.fail(NotSent(), call.places)
        elif call.state is State.SENT:
            order.fail(Unanswered(call.request.seed), call.places)
        elif call.state is State.FAILED:
            order.fail(Failed(call.reason, call.unbilled < call.request.n), call.places)
    order.end(seconds=entry["seconds"])
    return order


def _terms(entry: Mapping[str, Any]) -> Terms:
    """An order's; files of earlier versions have them beside all else."""
    told = entry.get("terms", entry)
    values: dict[str, Any] = {field.name: told[field.name] for field in fields(Terms) if field.name in told}
    values |= {name: tuple(values[name]) for name in ("references", "sources", "shape") if name in values}
    values["regions"] = tuple(filter(None, map(region_of, values.get("regions", ()))))
    values["photos"] = tuple(Photo(**{**photo, "shape": tuple(photo["shape"])}) for photo in values.get("photos", ()))
    return Terms(**values)


def _requests(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was asked for, call by call; files of earlier versions have most of it once for all."""
    own = ("n", "seed", "prompt")
    return [
        call.get("asked") or {**entry["asked"], **{name: call[name] for name in own if name in call}}
        for call in entry["calls"]
    ]


def _request(kind: str, references: Sequence[str], named: Mapping[str, Any], catalog: Catalog) -> ImageRequest:
    """What was asked for in a call. Its model may be gone, or take other things now: it is known all the same."""
    try:
        return make(kind, references, **named, catalog=catalog)
    except InvalidRequest:
        return make(kind, references, **named, catalog=widest(named["model"]))
