"""Where a picture comes from, and what was made of it: recipes name their sources."""

from itertools import takewhile

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


def _source(library: Library, recipe: Recipe, at: int) -> Entry | None:
    known = library.find(recipe.sources[at]) if at < len(recipe.sources) else None
    return known or library.reference(recipe.references[at])


def _names(recipe: Recipe, entry: Entry) -> bool:
    return entry.id in recipe.sources or entry.id in (f"reference-{name}" for name in recipe.references)
