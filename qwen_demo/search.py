"""What somebody looks for in the library."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from .library import Entry, Library

_NAMED = re.compile(r"\b(model|seed|before):(\S*)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Search:
    """Pictures that all of this is true of.

    Attributes:
        words: all of them stand in the prompt, in any order and case.
        kind: only this kind; "" for all.
        model: only this model; "" for all.
        models: all of these stand in the model's name.
        seeds: its seed is each of these, as text.
        before: days, such as `2026-11-22`, or their beginnings: older than each of these.
        starred: only those with a star.
    """

    words: tuple[str, ...] = ()
    kind: str = ""
    model: str = ""
    models: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    starred: bool = False

    @classmethod
    def parse(cls, text: str, kind: str = "", model: str = "", starred: bool = False) -> "Search":
        """What is chosen, and what is typed: words, and `model:`, `seed:` or `before:` with what follows it."""
        named: dict[str, list[str]] = {"model": [], "seed": [], "before": []}
        for name, value in _NAMED.findall(text):
            named[name.casefold()].append(value.casefold())
        models, seeds, before = (tuple(filter(None, values)) for values in named.values())
        words = tuple(_NAMED.sub(" ", text).casefold().split())
        return cls(words=words, kind=kind, model=model, models=models, seeds=seeds, before=before, starred=starred)

    def find(self, library: Library, limit: int | None = None) -> Iterator[Entry]:
        """The newest first, at most so many."""
        stars = library.starred() if self.starred else frozenset()
        found = (entry for entry in library.newest_first() if self._fits(entry, stars))
        return islice(found, limit)

    def _fits(self, entry: Entry, stars: frozenset[str]) -> bool:
        if self.starred and entry.name not in stars:
            return False
        if not all(entry.day < day for day in self.before):
            return False
        if not (self.words or self.kind or self.model or self.models or self.seeds):
            return True
        recipe = entry.recipe
        if recipe is None or self.kind not in ("", recipe.kind) or self.model not in ("", recipe.model):
            return False
        prompt, model = recipe.prompt.casefold(), recipe.model.casefold()
        return (
            all(word in prompt for word in self.words)
            and all(name in model for name in self.models)
            and all(seed == str(recipe.seed) for seed in self.seeds)
        )
