"""What a front is: how one kind of API is spoken by the side that answers."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from starlette.requests import Request

from ..api.requests import ImageRequest

Refusal = Callable[[int, str, str | None], tuple[int, Mapping[str, Any]]]
"""The status, and the reason in words, of which field; "" for the body as a whole, None for none of it. With what that
is told, and under which status: those differ."""


class WrongModel(ValueError):
    """There is no such model here."""


class Drawn(NamedTuple):
    """A picture that was made: its size in pixels, and where it is, or the base64 of it."""

    size: tuple[int, int]
    url: str | None = None
    b64: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """How an API is spoken by the side that answers.

    Attributes:
        read: the request in a call with that body. Raises InvalidRequest, WrongModel, or ValueError for its form.
        answer: what its pictures are told in.
        refusal: what a refusal is told in.
        locked: whether a key is asked for.
        missing_picture: the status where a picture is missing.
    """

    read: Callable[[Request, bytes], Awaitable[ImageRequest]]
    answer: Callable[[ImageRequest, list[Drawn]], Mapping[str, Any]]
    refusal: Refusal
    locked: bool = True
    missing_picture: int = 400


def as_object(value: object, name: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a JSON object")
    return value


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises ValueError where there is none."""
    return as_object(json.loads(body), "the body")


def there(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that aren't null, where null is absent."""
    return {name: value for name, value in fields.items() if value is not None}
