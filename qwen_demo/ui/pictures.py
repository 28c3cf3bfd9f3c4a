"""What the browser is told of pictures: plain data."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from ..api.errors import shorten
from ..i18n import texts, translate
from ..library import Entry, Library
from ..lineage import Step, fades, family, steps
from ..service import Service
from ..web import Addresses
from .link import write

Told = dict[str, Any]
"""JSON for the browser. What a key stands for is written in `board/feed.js` and `board/shared.js`, at its types."""
SHORT = 80  # characters of a prompt, where many are told


class Pictures:
    """Tells of one visitor's pictures. Looks at files: not for the event loop.

    Args:
        service: has them.
        addresses: gives tokens to a browser that keeps no cookies.
        visitor: the name of whose they are.
        known: whether the browser keeps its cookie.
        language: of the words.
    """

    def __init__(self, service: Service, addresses: Addresses, visitor: str, known: bool, language: str) -> None:
        self._service = service
        self._addresses = addresses
        self._visitor = visitor
        self._known = known
        self._language = language
        self._library = service.library(visitor)

    def picture(self, entry: Entry, starred: bool = False) -> Told:
        """A picture of the library."""
        width, height = entry.size
        told = {"id": entry.id, "w": width, "h": height, "prompt": entry.recipe.prompt if entry.recipe else ""}
        return told | {"starred": starred} | self._token(entry.id)

    def row(self, entry: Entry, starred: bool) -> list[Any]:
        """The same among thousands."""
        prompt = shorten(entry.recipe.prompt, SHORT) if entry.recipe else ""
        return [entry.id, *entry.size, int(starred), prompt, self._token(entry.id).get("token", "")]

    def detail(self, entry: Entry) -> Told:
        """All that is known of a picture, with its family."""
        stars, recipe = self._library.starred(), entry.recipe
        chain = steps(self._library, entry)
        tabs = {"text_to_image": "text", "edit": "edit", "fusion": "fusion"}
        usable = bool(recipe and recipe.kind in tabs)
        return {
            "picture": self.picture(entry, entry.name in stars),
            "name": Path(entry.name).name if "/" in entry.name else f"{entry.name}{entry.path.suffix}",
            "prompt": recipe.prompt if recipe else "",
            "revised_prompt": recipe.revised_prompt if recipe else None,
            "facts": list(self._facts(entry)),
            "usable": usable,
            "link": write(recipe, tabs[recipe.kind]) if recipe and usable else "",
            "family": [self._member(step, stars) for step in family(self._library, entry)],
            "steps": len(chain) if fades(chain) else 0,
            "provable": bool(recipe and recipe.kind == "edit"),
        }

    def _member(self, step: Step, stars: Collection[str]) -> Told:
        recipe = step.entry.recipe
        words = shorten(recipe.prompt, SHORT) if recipe else ""
        picture = self.picture(step.entry, step.entry.name in stars)
        return {"depth": step.depth, "picture": picture, "words": words, "note": self._note(step)}

    def _note(self, step: Step) -> str:
        """What tells a member of a family from the one whose words it has; "" where it needs none."""
        if not step.again or step.entry.recipe is None:
            return ""
        return self._say("member_painted" if step.entry.recipe.region else "member_aligned")

    def _say(self, key: str, **facts: object) -> str:
        return translate(self._language, key, **facts)

    def _token(self, id: str) -> Told:
        return {} if self._known else {"token": self._addresses.token(self._library, id)}

    def _facts(self, entry: Entry) -> Iterable[tuple[str, str]]:
        """What a picture was asked with, as labels and values."""
        width, height = entry.size
        yield self._say("field_size"), f"{width}×{height}"
        if recipe := entry.recipe:
            kind = f"kind_{recipe.kind}"
            facts = {
                "kind": self._say(kind) if kind in texts(self._language) else recipe.kind,
                "field_model": recipe.model,
                "field_seed": recipe.seed,
                "field_negative_prompt": recipe.negative_prompt,
                "created": recipe.created.replace("T", " "),
                "usage_request_id": recipe.request_id,
            }
            yield from ((self._say(key), str(value)) for key, value in facts.items() if value not in (None, ""))


def library_rows(pictures: Pictures, library: Library, entries: Iterable[Entry]) -> list[list[Any]]:
    """Pictures of a library as rows."""
    stars = library.starred()
    return [pictures.row(entry, entry.name in stars) for entry in entries]
