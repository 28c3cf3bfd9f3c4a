"""Who is next: names take turns, and within each of them the narrower names do."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Generic, TypeVar

T = TypeVar("T")


class Round(Generic[T]):
    """Those who wait, each under names. The widest of these take turns, and within each of them the narrower ones do.

    So who comes under many names has no more turns than others: a new cookie is new, and its address is not. Iterating
    gives all in the order of their turns; another thread may do it, too.
    """

    def __init__(self) -> None:
        self._nameless: list[T] = []
        self._within: dict[str, Round[T]] = {}  # by name, in the order in which these are served
        self._last = ""  # which was served last

    def __bool__(self) -> bool:
        return bool(self._nameless or self._within)

    def __iter__(self) -> Iterator[T]:
        rounds = [[*self._nameless], *map(list, [*self._within.values()])]
        return (one for ones in zip_longest(*rounds) for one in ones if one is not None)

    def join(self, one: T, names: Sequence[str], *, ahead: bool = False) -> None:
        """Wait under these names, the widest last; `ahead` of all others that have the same."""
        if not names:
            self._nameless.insert(0 if ahead else len(self._nameless), one)
            return
        *narrower, name = names
        if name not in self._within:
            self._within[name] = Round()
            self._move_to_end(self._last)  # all others have waited for longer
        self._within[name].join(one, narrower, ahead=ahead)

    def leave(self, one: T, names: Sequence[str], *, served: bool = False) -> None:
        """Wait no longer. If it was `served`, the others of its names come in the next round."""
        if not names:
            self._nameless.remove(one)
            return
        *narrower, name = names
        self._within[name].leave(one, narrower, served=served)
        if served:
            self._last = name
            self._move_to_end(name)
        if not self._within[name]:
            del self._within[name]

    def _move_to_end(self, name: str) -> None:
        if name in self._within:
            self._within[name] = self._within.pop(name)
