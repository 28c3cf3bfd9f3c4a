"""The family of a picture: what it was made from, and what was made of it. Recipes name their sources."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile, zip_longest
from pathlib import Path

from .inpaint import Region
from .library import Entry, Library
from .recipe import Recipe

MOST = 50
"""Members of a family that are told."""


@dataclass(frozen=True, slots=True)
class Step:
    """A member of a family.

    Attributes:
        depth: how many steps it is from where the family begins, which is 0.
        entry: the picture.
        again: whether it was made anew from the answer that an older one of them was made from.
    """

    depth: int
    entry: Entry
    again: bool = False


def family(library: Library, entry: Entry) -> list[Step]:
    """A picture, what it was made from, and what was made of all these: depth-first, the oldest first, at most `MOST`.

    A single source leads on to its own. Several, as a fusion's, stand above as they are. What somebody brought along is
    an entry without a recipe. What led to the picture is always among them; then come its nearest relatives.
    """
    chain = _chain(library, entry)
    above = [source for source in _sources(library, chain[0]) if source not in chain][: MOST - len(chain)]
    children = _children(library, chain)
    kept = _nearest(chain, children, MOST - len(above)) - {source.id for source in above}
    members = [Step(0, source) for source in above]
    waiting = [Step(1 if above else 0, chain[0])]
    while waiting:
        step = waiting.pop()
        if step.entry.id in kept:
            kept.remove(step.entry.id)
            members.append(step)
            made = children.get(step.entry.id, ())  # the newest first, so that the oldest is taken next
            waiting += [Step(step.depth + 1, child) for child in made]
    return _marked(members)


def steps(library: Library, entry: Entry) -> list[Entry]:
    """The edits from an original to this picture, the oldest first; none where it is no edit.

    The only source of the first one is the original, which is still there: a picture, a reference or an address.
    """
    return list(takewhile(lambda member: _can_be_repeated(library, member), reversed(_chain(library, entry))))[::-1]


def fades(chain: Sequence[Entry]) -> bool:
    """Whether edits of edits lost something on the way to the last of these steps. What is painted loses nothing."""
    return len(chain) > 1 and any(step.recipe and step.recipe.region is None for step in chain)


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


def _chain(library: Library, entry: Entry) -> list[Entry]:
    """A picture, and what it was made from as long as that is a single one; the oldest first."""
    chain = [entry]
    while len(chain) < MOST and len(_references(chain[0])) == 1:
        found = _sources(library, chain[0])
        if not found or found[0] in chain:
            break
        chain = found + chain
    return chain


def _marked(members: Sequence[Step]) -> list[Step]:
    """The same members, of which it is known whether they were made again."""
    answered = [(_second(step.entry), _as_answered(step.entry.recipe)) for step in members]
    return [
        replace(step, again=any(recipe and recipe == other and second != at for at, other in answered[:index]))
        for index, (step, (second, recipe)) in enumerate(zip(members, answered, strict=True))
    ]


def _second(entry: Entry) -> str:
    """When a picture was saved, as `2026-11-22/153012`: those that came together have one recipe, and one time."""
    return entry.name[:17]


def _as_answered(recipe: Recipe | None) -> Recipe | None:
    """A recipe as it was before the answer was put into a photo."""
    return recipe and replace(recipe, region=recipe.region and Region(answer=recipe.region.answer))


def _sources(library: Library, entry: Entry) -> list[Entry]:
    """What a picture was made from, as far as it is still there, each once and in its order."""
    recipe = entry.recipe
    found = references_of(library, recipe.references, recipe.sources) if recipe else []
    return list({source.id: source for source in found if isinstance(source, Entry)}.values())


def _children(library: Library, chain: Sequence[Entry]) -> Mapping[str, Sequence[Entry]]:
    """What was made of each picture, the newest first, by its id. Looks at no pictures from before the chain."""
    children: defaultdict[str, list[Entry]] = defaultdict(list)
    since = min(member.day for member in chain) if chain[0].recipe else ""
    for entry in takewhile(lambda entry: entry.day >= since, library.newest_first()):
        references = [f"reference-{name}" for name in _references(entry)]
        for parent in {*references, *(entry.recipe.sources if entry.recipe else ())}:
            children[parent].append(entry)
    return children


def _nearest(chain: Sequence[Entry], children: Mapping[str, Sequence[Entry]], most: int) -> set[str]:
    """The ids of a chain and of what was made of it: of its end first, and of many the newest."""
    kept = {member.id for member in chain}
    for start in reversed(chain):
        waiting = deque([start])
        while waiting:
            for child in children.get(waiting.popleft().id, ()):
                if len(kept) < most and child.id not in kept:
                    kept.add(child.id)
                    waiting.append(child)
    return kept


def _references(entry: Entry) -> Sequence[str]:
    return entry.recipe.references if entry.recipe else ()


def _can_be_repeated(library: Library, entry: Entry) -> bool:
    """Whether it is an edit whose source is still there."""
    recipe = entry.recipe
    if recipe is None or recipe.kind != "edit" or len(recipe.references) != 1:
        return False
    return references_of(library, recipe.references, recipe.sources) != [None]
