"""The rules that a request's fields keep, each as a function: the value as it is sent, or InvalidRequest."""

import re
import unicodedata
from collections.abc import Iterable

from .catalog import Model
from .errors import InvalidRequest

LONGEST_ADDRESS = 4096  # characters; those that are signed have some hundreds
_INVISIBLE = ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me")
_TORN = re.compile("[\ud800-\udfff]")  # half of an emoji can come in JSON, and can't be sent on in UTF-8
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # fillers of Hangul, and Braille's empty cell


def checked_size(model: Model, size: object) -> str:
    """A size as that model takes it, rounded as its engine rounds.

    Raises:
        InvalidRequest: it takes none, or not this one.
    """
    if not model.sizes and not model.any_size:
        raise InvalidRequest("size", "no_size", size, model=model.name)
    if isinstance(size, str) and (known := model.sized(size)):
        return known
    if size == "":
        raise InvalidRequest("size", "required", size)
    if bounds := model.any_size:
        low, high = (f"{pixels / 1e6:.2g}" for pixels in bounds.pixels)
        facts = {"low": low, "high": high, "ratio": bounds.ratio}
        if bounds.sides[0] == 1:
            raise InvalidRequest("size", "size_bounds", size, **facts)
        raise InvalidRequest("size", "size_sides", size, least=bounds.sides[0], most=bounds.sides[1], **facts)
    raise InvalidRequest("size", "choice", size, allowed=", ".join(model.size_names))


def whole(name: str, value: object, low: int, high: int) -> int:
    """A whole number within its bounds, both included. Agents also write it 1.0.

    Raises:
        InvalidRequest: it is none, or out of bounds.
    """
    # bool is an int in Python, and True is no seed.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high or value % 1:
        raise InvalidRequest(name, "range", value, low=low, high=high)
    return int(value)


def checked_number(name: str, value: object, low: int, high: int) -> float:
    """A number within its bounds, both included. Raises as `whole`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidRequest(name, "number_range", value, low=low, high=high)
    return float(value)


def checked_text(name: str, value: object, limit: int) -> str:
    """A text without NULs, which some that pass it on would take for its end.

    Raises:
        InvalidRequest: it is none, or too long.
    """
    if not isinstance(value, str) or _TORN.search(value):
        raise InvalidRequest(name, "text", value)
    value = value.replace("\0", "")
    if len(value) > limit:
        raise InvalidRequest(name, "too_long", value, limit=limit, count=len(value))
    return value


def is_visible(letter: str) -> bool:
    """Not a space, a control or format mark, an accent without a letter, nor a letter that is drawn as nothing."""
    return unicodedata.category(letter) not in _INVISIBLE and letter not in _BLANK


def check_choice(name: str, value: object, allowed: Iterable[str]) -> None:
    """Raise InvalidRequest for what is not allowed."""
    allowed = tuple(allowed)
    if value not in allowed:
        raise InvalidRequest(name, "choice", value, allowed=", ".join(allowed))


def check_switch(name: str, value: object) -> None:
    """Raise InvalidRequest for what is neither on, nor off, nor absent."""
    if value is not None and not isinstance(value, bool):
        raise InvalidRequest(name, "switch", value)


def check_reference(name: str, value: object, row: Model) -> None:
    """Raise InvalidRequest for a reference picture that this model can't be sent."""
    if value is None or value == "":
        raise InvalidRequest(name, "picture_missing", value)
    if not isinstance(value, str) or not value.startswith(("https://", "data:image/")):
        raise InvalidRequest(name, "picture_form", value)
    if value.startswith("https://") and (_TORN.search(value) or len(value) > LONGEST_ADDRESS):
        raise InvalidRequest(name, "picture_form", value)
    if value.startswith("https://") and not row.addresses:
        raise InvalidRequest(name, "picture_address", value, model=row.name)
