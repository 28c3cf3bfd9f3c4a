"""What fills a form from elsewhere on the page: settings, an example, a picture to go on with, a dropped file."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from ..api.catalog import MAX_PICTURES
from ..api.requests import asked
from ..axes import grid_of, literal
from ..i18n import listed, translate
from ..inpaint import Region
from ..library import Entry
from ..lineage import steps
from ..order import Order
from ..recipe import BadRecipe, Recipe
from ..service import Service
from ..strokes import EVERYWHERE, MAX_REGIONS
from .compare import Several, of_order
from .events import Updates, language_of, refusal, visitor
from .files import uploaded
from .form import Form

Given = Mapping[str, Any]
Filled = tuple[Updates, str]
_NAMED = ("prompt", "negative_prompt", "model", "size", "n", "seed")
"""What of a recipe is told when it fills a form."""


class Filling:
    """Fills forms, and says with what. What the browser asks for is looked up, not trusted.

    Args:
        service: has the pictures and the orders.
        forms: the page's, one for each kind of order: the fusion's last, the edit's before it.
        tabs: the page's.
    """

    def __init__(self, service: Service, forms: Sequence[Form], tabs: gr.Tabs) -> None:
        self._service = service
        self._forms: dict[str, Form] = {form.request_type.kind: form for form in forms}
        _, self._edit, self._fusion = forms
        self._tabs = tabs
        self._acts: dict[str, Callable[[Mapping[str, Any], Given, gr.Request], Filled]] = {
            "settings": self._use_settings,
            "order": self._use_order,
            "prompt": self._use_prompt,
            "example": self._use_example,
            "edit": self._edit_picture,
            "repaint": self._repaint,
            "all_at_once": self._ask_all_at_once,
            "fuse": self._fuse_pictures,
        }

    async def fill(self, wanted: object, given: Given, http: gr.Request) -> Filled:
        """Do what a part of the board asks for.

        Args:
            wanted: `act`, one of those above or `drop`, and what it is about.
            given: what the fusion's form holds.
            http: who asks.

        Raises:
            gr.Error: it can't be done; in words.
        """
        if not isinstance(wanted, Mapping):
            raise refusal("picture_gone", http)
        if wanted.get("act") == "drop":
            return await self._take_file(wanted, given, http)
        act = self._acts.get(str(wanted.get("act")))
        if act is None:
            raise refusal("picture_gone", http)
        return await asyncio.to_thread(act, wanted, given, http)  # pictures are published

    def _use_settings(self, wanted: Mapping[str, Any], _: Given, http: gr.Request) -> Filled:
        recipe = self._find(wanted.get("id"), http).recipe
        if recipe is None or recipe.kind not in self._forms:
            raise refusal("recipe_missing", http)
        return self._restore(recipe, http, seed=wanted.get("seed") is True)

    def _use_order(self, wanted: Mapping[str, Any], _: Given, http: gr.Request) -> Filled:
        order = self._service.orders.find(str(wanted.get("order")), visitor(http).name)
        if order is None:
            raise refusal("picture_gone", http)
        fields = {**asked(order.request), "references": order.terms.references, "sources": order.terms.sources}
        regions = order.terms.regions
        fields["n"] = order.n // len(regions) if regions else grid_of(order).each
        recipe = Recipe(kind=order.request.kind, **fields)
        return self._restore(recipe, http, seed=False, regions=regions, order=order)

    def _use_prompt(self, wanted: Mapping[str, Any], _: Given, http: gr.Request) -> Filled:
        """The words of an order of that kind, or of that picture."""
        recipe = self._find(wanted["id"], http).recipe if "id" in wanted else None
        form, text = self._forms.get(recipe.kind if recipe else str(wanted.get("kind"))), wanted.get("text")
        if form is None or not isinstance(text, str):
            raise refusal("picture_gone", http)
        return {form.prompt: literal(text), **self._open(form, http)}, self._said(http, ["prompt"])

    def _use_example(self, wanted: Mapping[str, Any], _: Given, http: gr.Request) -> Filled:
        for form in self._forms.values():
            for example in form.examples:
                if example.key == wanted.get("key"):
                    return {**form.fill_example(example, language_of(http)), **self._open(form, http)}, ""
        raise refusal("picture_gone", http)

    def _edit_picture(self, wanted: Mapping[str, Any], _: Given, http: gr.Request) -> Filled:
        entry = self._find(wanted.get("id"), http)
        updates = {**self._edit.slots[0].fill(entry), **self._open(self._edit, http)}
        return updates, translate(language_of(http), "board_editing")

    def _repaint(self, wanted: Mapping[str, Any], _: Given, http: gr.Request) -> Filled:
        """The paint of a picture, to be applied again to the answer that it has."""
        entry = self._find(wanted.get("id"), http)
        region = entry.recipe.region if entry.recipe else None
        if entry.recipe is None or region is None or region.box is None:
            raise refusal("recipe_missing", http)
        unit = 1000 / max(entry.size)
        adjusted = {"of": entry.id, "box": [round(edge * unit, 1) for edge in region.box]}
        updates, _said = self._restore(entry.recipe, http, seed=False, adjusted=adjusted)
        return updates, translate(language_of(http), "repaint_hint")

    def _ask_all_at_once(self, wanted: Mapping[str, Any], _: Given, http: gr.Request) -> Filled:
        """The words of all steps to a picture, for the original of the first: edit after edit loses quality."""
        entry = self._find(wanted.get("id"), http)
        chain = [step.recipe for step in steps(self._service.library(visitor(http).name), entry) if step.recipe]
        if not chain:
            raise refusal("all_gone", http)
        plain = numbered([recipe.prompt for recipe in chain if not recipe.region])
        parts = [replace(recipe.region.wished, words=recipe.prompt) for recipe in chain if recipe.region]
        # What is not painted is one region more, the whole photo: it is changed first, and the parts in it then.
        regions = [Region(strokes=EVERYWHERE, words=plain), *parts] if plain and parts else parts
        if len(regions) > MAX_REGIONS:
            raise refusal("all_too_many", http, count=MAX_REGIONS - bool(plain))
        first, last = chain[0], chain[-1]
        words = "" if parts else plain
        whole = replace(last, prompt=words, references=first.references, sources=first.sources, n=1, size=first.size)
        updates, _said = self._restore(whole, http, seed=False, regions=regions)
        key = "all_at_once_parts" if parts else "all_at_once"
        return updates, translate(language_of(http), key, count=len(chain))

    def _fuse_pictures(self, wanted: Mapping[str, Any], given: Given, http: gr.Request) -> Filled:
        ids = wanted.get("ids")
        entries = [self._find(id, http) for id in ids[: len(self._fusion.slots)]] if isinstance(ids, list) else []
        free = [at for at, held in enumerate(self._fusion.given(given).held) if not any(held)]
        updates = self._open(self._fusion, http)
        if len(entries) > max(1, len(free)):  # several that don't fit beside what is there are a fusion of their own
            free = list(range(len(self._fusion.given(given).held)))
            updates |= {part: value for slot in self._fusion.slots for part, value in slot.fill(None).items()}
        if not entries or not free:
            raise self._full(http) if entries else refusal("picture_gone", http)
        for at, entry in zip(free, entries, strict=False):
            updates |= self._fusion.slots[at].fill(entry)
        language = language_of(http)
        names = listed((translate(language, "name", number=at + 1) for at in free[: len(entries)]), language)
        return updates, translate(language, "board_fused", names=names)

    async def _take_file(self, wanted: Mapping[str, Any], given: Given, http: gr.Request) -> Filled:
        """A file that was dropped: a picture of ours restores its settings, another one goes into the tab's slot."""
        path = uploaded(wanted)
        try:
            recipe = await asyncio.to_thread(self._service.restore, path)
        except BadRecipe as error:
            if error.problem != "missing":
                raise refusal(f"recipe_{error.problem}", http) from error
            return await self._take_picture(path, str(wanted.get("tab")), given, http)
        return await asyncio.to_thread(partial(self._restore, recipe, http, seed=True))

    async def _take_picture(self, path: Path, tab: str, given: Given, http: gr.Request) -> Filled:
        if tab != self._fusion.tab:
            slot, form = self._edit.slots[0], self._edit
        elif free := self._fusion.free_slot(given):
            slot, form = free, self._fusion
        else:
            raise self._full(http)
        return {**await slot.take(self._service, path, given["background"], http), **self._open(form, http)}, ""

    def _full(self, http: gr.Request) -> gr.Error:
        return refusal("fusion_full" if len(self._fusion.slots) == 3 else "fusion_full_many", http)

    def _restore(
        self,
        recipe: Recipe,
        http: gr.Request,
        *,
        seed: bool,
        regions: Sequence[Region] | None = None,
        adjusted: Mapping[str, Any] | None = None,
        order: Order | None = None,
    ) -> Filled:
        """Fill a recipe's form, with its region, or with these; `adjusted` says of which picture, and in what part.

        What its `order` asked in several ways is asked so again.
        """
        form = self._forms[recipe.kind]
        pictures = self._service.pictures_of(recipe.references, recipe.sources, visitor(http).name)[: len(form.slots)]
        known = form.catalog.find(recipe.model, recipe.kind)
        left = {"" if seed else "seed", "" if known else "model"}
        names = [name for name in _NAMED if getattr(recipe, name) is not None and name not in left]
        labels = [f"image_{at + 1}" if len(form.slots) > 1 else "image" for at in range(len(pictures))]
        names = [label for label, picture in zip(labels, pictures, strict=True) if picture] + names
        gone = sum(picture is None for picture in pictures)
        if regions is None:
            regions = [recipe.region] if recipe.region else []
        names += ["mask"] * bool(regions)
        painted = {**_painted(regions), **(adjusted or {})}
        words = (order and order.terms.words) or literal(recipe.prompt)
        several, given = (of_order(order), order.terms.photos) if order else (None, ())
        photos = [photo for photo in given if not photo.is_address]
        names += ["photos"] * bool(photos) + ["several"] * (several not in (None, Several()))
        shown = replace(recipe, prompt=words, n=min(recipe.n, MAX_PICTURES))
        updates = form.fill(shown, pictures, seed=seed, painted=painted, several=several, photos=photos)
        updates |= self._open(form, http)
        without = {
            "board_filled_without": gone,
            "board_filled_addresses": len(given) - len(photos),
            "board_filled_fewer": recipe.n if recipe.n > shown.n else 0,
        }
        language = language_of(http)
        told = [translate(language, key, count=count, most=shown.n) for key, count in without.items() if count]
        return updates, "".join([self._said(http, names), *told])

    def _said(self, http: gr.Request, names: Sequence[str]) -> str:
        language = language_of(http)
        labels = listed((translate(language, f"field_{name}") for name in names), language)
        return translate(language, "board_filled", names=labels)

    def _open(self, form: Form, http: gr.Request) -> Updates:
        """Raises gr.Error where no model can do what the form is for."""
        if not form.able:
            raise refusal(f"no_model_{form.request_type.kind}", http)
        return {self._tabs: gr.update(selected=form.tab)}

    def _find(self, id: object, http: gr.Request) -> Entry:
        if entry := self._service.library(visitor(http).name).find(str(id)):
            return entry
        raise refusal("picture_gone", http)


def numbered(words: Sequence[str]) -> str:
    """Several instructions as one; a single one as it is."""
    return "\n".join(f"{number}. {text}" for number, text in enumerate(words, 1)) if len(words) > 1 else "".join(words)


def _painted(regions: Sequence[Region]) -> dict[str, Any]:
    """Regions as the painter shows them. One alone has the form's words; a mask that was brought has no strokes."""
    told = [
        {"strokes": [list(stroke) for stroke in region.strokes], "words": region.words if len(regions) > 1 else ""}
        for region in regions
    ]
    first = next(iter(regions), Region())
    return {"regions": told, "sees": "whole" if first.everything else "part", "edge": first.edge, "of": "", "box": None}
