"""What was used: a row an order, their sums, and the same as CSV. Prices are the operator's."""

import csv
import io
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from statistics import median

from .call import Call
from .order import Order

MOST_ORDERS = 1_000  # of a visitor
MOST_VISITORS = 10_000  # whose usage is remembered


@dataclass(frozen=True, slots=True)
class Usage:
    """What one order has used.

    Attributes:
        at: when it came to its end, local time.
        kind: `text_to_image`, `edit` or `fusion`.
        model: as the API spells it; of several, with commas between them.
        asked: pictures ordered.
        pictures: pictures delivered; only these are billed.
        tokens: as the API counts them.
        seconds: from the order to its end.
        cost: in the operator's currency; None where no price is known.
        request_ids: the provider's, apart by spaces.
    """

    at: datetime
    kind: str
    model: str
    asked: int
    pictures: int
    tokens: int
    seconds: float
    cost: float | None
    request_ids: str


@dataclass(frozen=True)
class Prices:
    """What a delivered picture costs, by model, in one currency such as `¥` or `USD`."""

    by_model: Mapping[str, float]
    currency: str = ""

    def cost(self, model: str, pictures: int) -> float | None:
        """Of so many pictures; None where the model has no price."""
        price = self.by_model.get(model)
        return None if price is None else price * pictures

    def sum(self, counts: Iterable[tuple[str, int]]) -> float | None:
        """Of so many pictures of each model; None where one of them has no price."""
        costs = [self.cost(model, pictures) for model, pictures in counts]
        return None if None in costs else math.fsum(filter(None, costs))

    def written(self, cost: float) -> str:
        """An amount with its currency, two digits or as many as a small price needs."""
        amount = f"{cost:.2f}" if round(cost, 2) == round(cost, 4) else f"{cost:.4f}"
        return f"{amount} {self.currency}".strip()


class Ledger:
    """What each visitor has used since the app was started, and how long calls take. In memory alone.

    Attributes:
        prices: what pictures cost.
    """

    def __init__(self, prices: Prices | None = None) -> None:
        self.prices = prices or Prices({})
        self._rows: dict[str, dict[str, Usage]] = {}
        self._lately: dict[str, deque[float]] = {}

    def enter(self, order: Order, calls: Sequence[Call]) -> None:
        """Count an order when nothing more comes of it, and how long these calls of it took.

        One that went on is counted once, as it stands now.
        """
        tokens, pictures = order.usage.get("total_tokens"), len(order.pictures)
        row = Usage(
            at=datetime.now(),
            kind=order.request.kind,
            model=", ".join(order.models),
            asked=order.n,
            pictures=pictures,
            tokens=tokens if isinstance(tokens, int) else 0,
            seconds=round(order.seconds, 3),
            cost=self.cost(order),
            request_ids=" ".join(order.request_ids),
        )
        rows = self._rows.pop(order.visitor, {})
        self._rows[order.visitor] = rows  # last again: who was not seen for longest is first
        rows[order.id] = row
        if len(rows) > MOST_ORDERS:
            del rows[next(iter(rows))]
        if len(self._rows) > MOST_VISITORS:
            del self._rows[next(iter(self._rows))]
        for call in calls:
            if call.seconds is not None and not order.reasons.keys() & call.places:
                self._lately.setdefault(call.request.model, deque(maxlen=20)).append(call.seconds)

    def cost(self, order: Order) -> float | None:
        """What its pictures cost; None where one of its models has no price."""
        came = [(call.request.model, sum(place in order.numbered for place in call.places)) for call in order.calls]
        return self.prices.sum(came)

    def of(self, visitor: str) -> tuple[Usage, ...]:
        """A visitor's last thousand orders, the oldest first."""
        return tuple(self._rows.get(visitor, {}).values())

    def usual_seconds(self, model: str) -> float | None:
        """The median time of the model's last calls that went well; None before the first."""
        return median(self._lately[model]) if model in self._lately else None


def total_cost(rows: Iterable[Usage]) -> float | None:
    """The sum of all that has a price; None where nothing has."""
    costs = [row.cost for row in rows if row.cost is not None]
    return sum(costs) if costs else None


def as_csv(rows: Iterable[Usage]) -> str:
    """A table with a head, for spreadsheets."""
    text = io.StringIO()
    table = csv.writer(text)
    names = [field.name for field in fields(Usage)]
    table.writerow(names)
    for row in rows:
        table.writerow(["" if (value := getattr(row, name)) is None else value for name in names])
    return text.getvalue()
