"""One form, many requests: what is asked in several ways, and the grid that its pictures make."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product, takewhile
from typing import Any

from .api.errors import InvalidRequest
from .api.requests import ImageRequest, make, split
from .order import Order

MOST = 50
"""Pictures of one order."""
WIDEST = 6  # columns, where another axis can have them
LONGEST = 50_000  # characters that stand for prompts: fifty long ones; they are taken apart where everybody waits

_WORD = re.compile(r"[\u2e80-\ud7ff\uf900-\ufaff]|[^\W\u2e80-\ud7ff\uf900-\ufaff]+|\W", re.DOTALL)
"""A word, or a sign of Chinese, Japanese or Korean, or what stands between."""
_NUMBERED = re.compile(r"(\d{1,2}([.)．）](?!\d)|、)|[-*•·](?=\s))\s*(?=\S)")
"""What stands before a line of a list."""
_OPEN, _BAR, _CLOSE = "{｛", "|｜", "}｝"  # keyboards for Chinese write the wide ones


@dataclass(frozen=True, slots=True)
class Axes:
    """What of a request is asked for in several ways; where an axis is empty, the request has its own value.

    Attributes:
        prompt: wordings, as `wordings` gives them.
        model: names of models.
        size: such as `1664x928`, each one that every model takes; None for what the model or the picture gives.
        optimize_prompt: with rewriting, and without.
        seed: 0 to 2147483647. Where there are none, the pictures of a request count on from its seed.
    """

    prompt: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    size: tuple[str | None, ...] = ()
    optimize_prompt: tuple[bool, ...] = ()
    seed: tuple[int, ...] = ()

    @property
    def named(self) -> dict[str, tuple[Any, ...]]:
        """Those that are not empty, by the fields of a request, the outermost first."""
        return {axis.name: values for axis in fields(self) if (values := getattr(self, axis.name))}


def expand(
    kind: str, references: Sequence[str], n: int, axes: Axes, given: Mapping[str, Any], photos: int = 1
) -> tuple[ImageRequest, ...]:
    """All requests of an order: for each photo every combination of the axes, each asked for once.

    Args:
        kind: as for `make`, and so are the references and the fields that are given.
        n: pictures of each combination, 1 to 6.
        axes: what varies; the last axis varies fastest, then come the pictures of one combination.
        photos: how many pictures this is done to, one after the other.

    Raises:
        InvalidRequest: a field breaks its rule, or there would be more than 50 pictures.
    """
    named = {name: tuple({repr(value): value for value in values}.values()) for name, values in axes.named.items()}
    # Before they are made: a list from a program may be long.
    count = math.prod(map(len, named.values())) * photos
    if count > MOST:
        raise InvalidRequest("n", "too_many_pictures", count, count=count, limit=MOST)
    combinations = (dict(zip(named, values, strict=True)) for values in product(*named.values()))
    different = dict.fromkeys(make(kind, references, **{**given, **chosen}) for chosen in combinations)
    requests = [one for request in different for one in split(request, n)]
    pictures = sum(request.n for request in requests) * photos
    if pictures > MOST:
        raise InvalidRequest("n", "too_many_pictures", pictures, count=pictures, limit=MOST)
    return tuple(requests) * photos


def wordings(prompt: str, *, lines: bool = False) -> tuple[str, ...]:
    """The texts that a prompt stands for: `{red|blue|no} hat` for three, and with `lines` each line for one, or more.

    Numbers or dashes before all lines are the list's. Blanks that an empty alternative leaves go with it.

    Alternatives may be empty, and hold others. Braces without a bar between them, or without their counterpart, stay,
    and so do escaped ones: `\\{`, `\\|` and `\\}` are these signs themselves.

    Raises:
        InvalidRequest: they are more than 50, or too long.
    """
    if len(prompt) > LONGEST:
        raise InvalidRequest("prompt", "too_long", prompt, limit=LONGEST, count=len(prompt))
    rows = [row.strip() for row in prompt.splitlines() if row.strip()] if lines else []
    if len(rows) > 1 and all(map(_NUMBERED.match, rows)):
        rows = [_NUMBERED.sub("", row) for row in rows]
    texts = [text for row in rows or [prompt] for text in _texts(row)]
    found = tuple(dict.fromkeys(map(_tidy, texts) if len(texts) > 1 else texts))
    _check(len(found))
    return found


def differences(texts: Sequence[str]) -> list[str]:
    """What tells each of these texts from the others: without the words that all begin and end with.

    "–" stands for what has nothing more. A single text stays as it is.
    """
    words = [_WORD.findall(text) for text in texts]
    start = _in_common(words)
    end = _in_common([one[start:][::-1] for one in words])
    return ["".join(one[start : len(one) - end]).strip() or "–" for one in words]


def _tidy(text: str) -> str:
    return re.sub("  +", " ", text).strip()


def _in_common(words: Sequence[Sequence[str]]) -> int:
    """With how many words all of several texts begin."""
    columns = zip(*words, strict=False) if len(words) > 1 else ()
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))


def literal(text: str) -> str:
    """How a text is written so that `wordings` makes this one of it, and no other."""
    escaped = re.sub(r"(?=[{|}｛｜｝])", r"\\", text)
    try:
        return text if wordings(text) == (text,) else escaped
    except InvalidRequest:
        return escaped


def _texts(text: str) -> list[str]:
    """All that one line or prompt stands for, each once."""
    signs = re.findall(r"\\[{|}｛｜｝]|[{|}｛｜｝]|[^\\{|}｛｜｝]+|\\", text)
    splitting = _splitting(signs)
    groups: list[list[list[list[str]]]] = [[[]]]  # those that are open: alternatives, made of parts, each with choices
    for at, sign in enumerate(signs):
        if at not in splitting:
            groups[-1][-1].append([sign.removeprefix("\\") or sign])
        elif sign in _OPEN:
            groups.append([[]])
            _check(len(groups))  # so deep nobody means it
        elif sign in _BAR:
            groups[-1].append([])
        else:
            choices = dict.fromkeys(text for parts in groups.pop() for text in _joined(parts))
            groups[-1][-1].append(list(choices))
    return _joined(groups[0][0])


def _splitting(signs: Sequence[str]) -> set[int]:
    """Where the braces that hold alternatives are, and the bars between these."""
    splitting: set[int] = set()
    opened: list[list[int]] = []  # a brace, and its bars
    for at, sign in enumerate(signs):
        if sign in _OPEN:
            opened.append([at])
        elif sign in _BAR and opened:
            opened[-1].append(at)
        elif sign in _CLOSE and opened:
            places = opened.pop()
            splitting |= {*places, at} if places[1:] else set()
    return splitting


def _joined(parts: Sequence[Sequence[str]]) -> list[str]:
    """One text for each way to choose from all parts."""
    _check(math.prod(map(len, parts)))
    return ["".join(chosen) for chosen in product(*parts)]


def _check(count: int) -> None:
    if count > MOST:
        raise InvalidRequest("prompt", "too_many_wordings", "", limit=MOST)


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the pictures of an order stand by what differs between them.

    Attributes:
        axes: what differs: `photo`, `prompt`, `model`, `size`, `optimize_prompt`, and `seed`, or the `number` of a
            picture of one request, from 0, where not every picture has a seed of its own; and its values.
        keys: of each place, its value on each of these axes.
    """

    axes: Mapping[str, Sequence[Any]]
    keys: Sequence[tuple[Any, ...]]

    @property
    def apart(self) -> bool:
        """Whether more differs than the seeds."""
        return any(name not in ("seed", "number") for name in self.axes)

    @property
    def each(self) -> int:
        """How many pictures there are of what is otherwise the same."""
        return max((len(values) for name, values in self.axes.items() if name in ("seed", "number")), default=1)

    @property
    def across(self) -> tuple[str, ...]:
        """The axes that run from left to right: from the last on as many as fit, but not all; else the shortest."""
        names = list(self.axes)
        for start in range(1, len(names)):
            if math.prod(len(self.axes[name]) for name in names[start:]) <= WIDEST:
                return tuple(names[start:])
        return (min(names, key=lambda name: len(self.axes[name])),)


def grid_of(order: Order) -> Grid:
    """How the calls of an order differ. What follows from something else, such as a size from the model, is no axis."""
    told: list[dict[str, Any]] = []
    counted: Counter[tuple[Any, ...]] = Counter()
    seeded = all(call.request.n == 1 and call.request.seed is not None for call in order.calls)
    for call in order.calls:
        asked = {name: getattr(call.request, name) for name in ("prompt", "model", "size", "optimize_prompt")}
        same: dict[str, Any] = {"photo": call.photo, **asked}
        for _ in call.places:
            key = tuple(same.values())
            told.append({**same, **({"seed": call.request.seed} if seeded else {"number": counted[key]})})
            counted[key] += 1
    values = {name: list(dict.fromkeys(place[name] for place in told)) for name in told[0]}
    axes = {name: found for name, found in values.items() if len(found) > 1}
    for name in [name for name in ("optimize_prompt", "size") if name in axes]:
        others = {tuple(place[other] for other in axes if other != name): place[name] for place in told}
        if all(others[tuple(place[other] for other in axes if other != name)] == place[name] for place in told):
            del axes[name]
    return Grid(axes, [tuple(place[name] for name in axes) for place in told])
