"""What the browser is told of orders: plain data, whose changes are small."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..api.catalog import MAX_PICTURES
from ..axes import Grid, grid_of
from ..call import State
from ..i18n import listed, texts
from ..order import Order
from ..usage import total_cost
from .files import publish
from .grids import captions, table
from .messages import billed, describe, lost, paint_more, said
from .pictures import Pictures, Told


class Cards(Pictures):
    """Tells of one visitor's orders, too."""

    def card(self, order: Order) -> Told:
        """How an order stands."""
        ledger, request = self._service.ledger, order.request
        open, grid = [(call.request.model, call.request.n) for call in order.open], grid_of(order)
        names = captions(grid, self._language)
        return {
            "at": order.placed.timestamp(),
            "kind": request.kind,
            "prompt": "\n".join(_words(order)),
            "model": ", ".join(order.models),
            "shape": _shape(order),
            "billed": order.terms.billed,
            "n": order.n,
            "state": _state(order),
            "place": order.place if all(call.state is State.WAITING for call in order.calls) else 0,
            "way": order.on_their_way if order.cancelled else 0,
            "seconds": round(order.seconds, 1) if order.finished else None,
            "usual": ledger.usual_seconds(request.model) if order.n <= MAX_PICTURES else None,
            "cost": self._written(ledger.cost(order)) if order.finished else "",
            "unsent": sum(call.request.n for call in order.open if call.state is State.WAITING),
            "open": sum(pictures for _, pictures in open),
            "open_cost": self._written(ledger.prices.sum(open)) if open else "",
            "zip": order.n > 1 and len(order.pictures) > 1,
            "said": self._outcome(order) if order.finished else "",
            "unread": bool(order.unread),
            "lost": bool(order.lost),
            "grid": table(grid, self._language),
            "slots": {str(place): self._slot(order, place) | names.get(place, {}) for place in range(order.n)},
            "notes": list(self._differences(order)) if order.finished else [],
            "meta": self._meta(order),
            "usage": list(self._usage(order)) if order.finished else [],
            "settings": list(self._settings(order, grid)) if order.finished and order.n > 1 else [],
            "revised": _revised(order) if order.finished else [],
            "painted": self._painted(order) if order.finished else "",
        }

    def _written(self, cost: float | None) -> str:
        return "" if cost is None else self._service.ledger.prices.written(cost)

    def _settings(self, order: Order, grid: Grid) -> Iterable[tuple[str, str]]:
        """What all pictures of an order were asked with besides their prompt, as labels and values."""
        request = order.request
        seeds = list(dict.fromkeys(call.request.seed for call in order.calls if call.request.seed is not None))
        rewriting = {True: "switch_on", False: "switch_off"}.get(request.optimize_prompt)  # type: ignore[arg-type]
        facts = {
            "field_negative_prompt": request.negative_prompt or "",
            "field_model": ", ".join(order.models),
            "field_size": "" if "size" in grid.axes else ", ".join(_sizes(order)),
            "field_seed": ", ".join(map(str, seeds)),
            "field_optimize_prompt": self._say(rewriting) if rewriting and "optimize_prompt" not in grid.axes else "",
            "created": f"{order.placed:%Y-%m-%d %H:%M}",
        }
        yield from ((self._say(key), value) for key, value in facts.items() if value)

    def session(self) -> str:
        """What the visitor has used so far; "" before the first order."""
        ledger = self._service.ledger
        used = ledger.of(self._visitor)
        if not used:
            return ""
        facts = {
            "pictures": sum(row.pictures for row in used),
            "orders": len(used),
            "tokens": sum(row.tokens for row in used),
            "seconds": f"{sum(row.seconds for row in used):.1f}",
        }
        spent = total_cost(used)
        told = self._say("session" if facts["tokens"] else "session_plain", **facts)
        return told + ("" if spent is None else f" · {ledger.prices.written(spent)}")

    def _slot(self, order: Order, place: int) -> Told:
        """A place of the order: a picture, why there is none, or nothing while it is waited for."""
        if place in order.numbered:
            return self._shown(order, place)
        call = next(call for call in order.calls if place in call.places)
        if call.state is State.WAITING and (call.dropped or order.paused):
            return {"dropped": True}
        if reason := order.reasons.get(place):
            return {"failed": describe(reason, self._language), "again": order.may_go_again(place)}
        return {"failed": self._say("board_not_come"), "again": False} if order.finished else {}

    def _shown(self, order: Order, place: int) -> Told:
        picture = order.numbered[place]
        if not picture.path.is_file():
            return {"gone": True}
        seeded = order.n > 1 and all(call.request.n == 1 for call in order.calls)  # else it is several ones'
        told: Told = {"w": picture.width, "h": picture.height, "seed": picture.seed if seeded else None}
        if len(order.terms.regions) > 1:
            told["parts"] = self._parts(place % len(order.terms.regions) + 1)
        entry = self._library.entry_of(picture.path)
        if entry is None:  # it could not be saved, and is elsewhere for a day
            return told | {"id": f"{order.id}-{place}", "url": f"gradio_api/file={_second_name(picture.path)}"}
        return told | {"id": entry.id} | self._token(entry.id)

    def _parts(self, count: int) -> str:
        """Which of several regions a picture has: the first so many."""
        numbers = listed(map(str, range(1, count + 1)), self._language)
        return self._say("parts_caption" if count > 1 else "part_caption", parts=numbers)

    def _painted(self, order: Order) -> str:
        """The id of the last picture of it whose paint can be adjusted, or ""."""
        painted = [picture.path for picture in order.pictures if picture.region and picture.path.is_file()]
        entry = self._library.entry_of(painted[-1]) if painted else None
        return entry.id if entry else ""

    def _outcome(self, order: Order) -> str:
        """What is not as it should be, and what that costs. Beside pictures, an empty place says itself why."""
        if not order.pictures:
            return " ".join(dict.fromkeys(describe(problem, self._language) for problem in order.problems))
        kept = [reason for place, reason in order.reasons.items() if place in order.numbered]
        words = list(dict.fromkeys(said(reason, self._language) for reason in kept))
        if len(order.pictures) < order.n and not order.stopped:
            count = len(order.pictures)
            words.insert(0, self._say("status_partly", count=count, n=order.n, seconds=f"{order.seconds:.1f}"))
            words.append(billed(order, self._language))
        return " ".join(words)

    def _differences(self, order: Order) -> Iterable[str]:
        """Where what came is not what was asked for."""
        sizes = dict.fromkeys(call.request.size or "" for call in order.calls)
        asked, came = [size.replace("x", "×") for size in sizes if size], _sizes(order)
        others = [size for size in came if asked and size not in asked and not order.terms.regions]
        if others:
            yield self._say("other_size", asked=", ".join(asked), came=", ".join(others))
        regions = [picture.region for picture in order.pictures if picture.region]
        if any(region.identical is None for region in regions):
            yield self._say("error_NotPutIn")
        told = (text for one in regions for text in (paint_more(one, self._language), *lost(one, self._language)))
        yield from dict.fromkeys(filter(None, told))

    def _meta(self, order: Order) -> str:
        """An order in a line: sizes, model, seed."""
        sizes = ", ".join(_sizes(order)) or (order.request.size or "").replace("x", "×")
        seeds = [call.request.seed for call in order.calls if call.request.seed is not None]
        seed = self._say("caption_seed", seed=seeds[0]) if len(seeds) == 1 else ""
        return " · ".join(filter(None, [sizes, ", ".join(order.models), seed]))

    def _usage(self, order: Order) -> Iterable[tuple[str, str]]:
        """What the API reported, as labels and values."""
        seeds = sorted({picture.seed for picture in order.pictures if picture.seed is not None})
        facts = {
            "usage_pictures": str(len(order.pictures)),
            "usage_size": ", ".join(_sizes(order)),
            "usage_seed": ", ".join(map(str, seeds)),
            "usage_model": ", ".join(order.models),
            "usage_seconds": self._say("usage_seconds_value", seconds=f"{order.seconds:.1f}"),
            "usage_cost": self._written(self._service.ledger.cost(order)),
        }
        yield from ((self._say(key), value) for key, value in facts.items() if value)
        for name, value in _flat(order.usage):
            yield texts(self._language).get(f"usage_{name}", name), value
        if order.request_ids:
            yield self._say("usage_request_id"), " ".join(order.request_ids)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Told:
    """What of it is not as it was before. Keys only come; a place that was told whole is told whole again."""
    return {
        key: changed(before[key], value) if key == "slots" and key in before else value
        for key, value in after.items()
        if key not in before or before[key] != value
    }


def _words(order: Order) -> list[str]:
    """What an order asks for: a prompt, or one for each region, by their numbers."""
    steps = [call.request.prompt for call in order.calls[: len(order.terms.regions)]]
    if steps[1:]:
        return [f"{number}: {words}" for number, words in enumerate(steps, 1)]
    return [order.terms.words or order.request.prompt]


def _shape(order: Order) -> tuple[int, int]:
    known, came = order.terms.shape, order.pictures
    return (came[0].width, came[0].height) if known == (1, 1) and came else known


def _state(order: Order) -> str:
    if not order.finished:
        return "running"
    if order.unread:
        return "unread"
    if order.paused:
        return "paused"
    if order.lost:
        return "lost"
    if len(order.pictures) >= order.n:
        return "done"
    if order.stopped and not order.problems:
        return "stopped"
    return "partly" if order.pictures else "failed"


def _sizes(order: Order) -> list[str]:
    return list(dict.fromkeys(f"{picture.width}×{picture.height}" for picture in order.pictures))


def _revised(order: Order) -> list[str]:
    """What the API made of the prompt. Each picture may bring an own one, as long as the prompt."""
    return list(dict.fromkeys(picture.revised_prompt for picture in order.pictures if picture.revised_prompt))


def _flat(usage: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in usage.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield prefix + name, str(value)


@lru_cache(maxsize=1000)
def _second_name(path: Path) -> str:
    return publish(path)
