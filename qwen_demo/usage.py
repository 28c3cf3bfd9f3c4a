"""What was used: a row an order, their sums, and the same as CSV. Prices are the operator's."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """What one order has used.

    Attributes:
        at: when it came to its end, local time.
        kind: `text_to_image`, `edit` or `fusion`.
        model: as the API spells it.
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

    def written(self, cost: float) -> str:
        """An amount with its currency, two digits or as many as a small price needs."""
        amount = f"{cost:.2f}" if round(cost, 2) == round(cost, 4) else f"{cost:.4f}"
        return f"{amount} {self.currency}".strip()


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
