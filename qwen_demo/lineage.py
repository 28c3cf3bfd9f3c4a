"""Where a picture comes from, and what was made of it: recipes name their sources."""

from collections.abc import Iterable, Sequence
from itertools import takewhile, zip_longest
from pathlib import Path

from .library import Entry, Library
from .recipe import Recipe

MOST = 50  # steps back


def before(library: Library, recipe: Recipe | None) -> list[Entry]:
    """What a picture with that recipe was made from, as far as it is still there, the oldest first.

    A single source leads on to its own. What somebody brought along is an entry without a recipe.
    """
    steps: list[Entry] = []
    while recipe and recipe.references and len(steps) < MOST:
        found = [entry for at in range(len(recipe.references)) if (entry := _source(library, recipe, at))]
        found = [entry for entry in found if entry not in steps]
        steps = found + steps
        recipe = found[0].recipe if len(found) == len(recipe.references) == 1 else None
    return steps


def after(library: Library, entry: Entry) -> list[Entry]:
    """What was made from a picture, the oldest first."""
    newer = (
        takewhile(lambda other: other.day >= entry.day, library.newest_first())
        if entry.recipe
        else (library.newest_first())
    )
    return [other for other in newer if other.recipe and _names(other.recipe, entry)][::-1]


def ids_of(library: Library, sources: Iterable[Path | str]) -> list[str]:
    """Which pictures of the library these are; "" for one that is none. Files bear their ids, or are its own."""
    found = [
        library.entry_of(source) or library.find(source.stem) if isinstance(source, Path) else None
        for source in sources
    ]
    return [entry.id if entry and entry.recipe else "" for entry in found]


def references_of(library: Library, references: Sequence[str], sources: Sequence[str]) -> list[Entry | str | None]:
    """The reference pictures of these names and ids: an entry, an address, or None for one that is gone."""
    pairs = zip_longest(references, sources[: len(references)], fillvalue="")
    return [name if name.startswith("https://") else library.find(id) or library.reference(name) for name, id in pairs]


def _source(library: Library, recipe: Recipe, at: int) -> Entry | None:
    known = library.find(recipe.sources[at]) if at < len(recipe.sources) else None
    return known or library.reference(recipe.references[at])


def _names(recipe: Recipe, entry: Entry) -> bool:
    return entry.id in recipe.sources or entry.id in (f"reference-{name}" for name in recipe.references)
