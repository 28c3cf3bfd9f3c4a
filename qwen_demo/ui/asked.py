"""A request of the board's: who asks, in which language, and what is found of it."""

from dataclasses import dataclass

from starlette.requests import Request

from ..library import Library
from ..order import Order
from ..service import Service
from ..visitors import Visitor
from .cards import Cards

_LONGEST = 500  # characters of what is looked for


class Refusal(Exception):
    """Something can't be done: the key of the words that say why, and the HTTP status."""

    def __init__(self, key: str = "picture_gone", status: int = 404) -> None:
        self.key, self.status = key, status
        super().__init__(key)


@dataclass(frozen=True)
class Asked:
    """A request of the board's, and who asks."""

    request: Request
    visitor: Visitor
    language: str
    library: Library
    cards: Cards

    def param(self, name: str) -> str:
        return self.request.query_params.get(name, "")[:_LONGEST]

    def order(self, service: Service, id: str) -> Order:
        """The visitor's order of that id.

        Raises:
            Refusal: there is none.
        """
        if order := service.orders.find(id, self.visitor.name):
            return order
        raise Refusal
