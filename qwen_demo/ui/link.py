"""A link that carries the settings of a tab: written from a picture's recipe, read when the page is loaded."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import gradio as gr

from ..api import catalog
from ..api.checks import whole
from ..api.errors import InvalidRequest
from ..api.requests import NEEDED, STAND_IN, make
from ..axes import literal
from ..i18n import listed, translate
from ..recipe import Recipe
from .compare import of_draft
from .events import Updates, language_of, nothing, on
from .files import uploaded
from .form import Form
from .painter import kept_paint
from .photos import kept_photos
from .sizes import AUTO, FREE

_SWITCH = {"1": True, "true": True, "0": False, "false": False}
_READ: dict[str, Callable[[str], Any]] = {
    "prompt": str,
    "model": str,
    "size": lambda text: None if text == AUTO else text,
    "n": int,
    "seed": int,
    "negative_prompt": str,
    "watermark": _SWITCH.__getitem__,
    "optimize_prompt": _SWITCH.__getitem__,
    "steps": int,
    "guidance": float,
}
"""What a link may carry, by the API's names. Never a key, and never a picture."""
_KEPT = [*_READ, "random_seed", "free_size"]
_IMAGE, _ADDRESS, _PAINTED, _PHOTOS = "image_{}", "address_{}", "painted", "photos"
"""What this browser keeps of a form, of each of its slots, of its painter and its photos. A link has no pictures."""


def write(recipe: Recipe, tab: str) -> str:
    """The link's query, from its question mark on."""
    values = {name: getattr(recipe, name) for name in _READ if getattr(recipe, name) is not None}
    values["prompt"] = literal(recipe.prompt)
    texts = {name: str(int(value)) if isinstance(value, bool) else str(value) for name, value in values.items()}
    return "?" + urlencode({"tab": tab, **texts})


def read(query: Mapping[str, str], forms: Sequence[Form]) -> tuple[Form, Recipe, list[str]]:
    """The tab and the settings that a link carries, and the names of those whose values are wrong and left out."""
    form = next((form for form in forms if form.tab == query.get("tab")), forms[0])
    ignored = [] if form.tab == query.get("tab", form.tab) else ["tab"]
    fields: dict[str, Any] = {"model": form.model_names[0] if form.model_names else ""}
    if query.get("size") == FREE:
        query = {**query, "size": query.get("free_size", "")}
    for name in (name for name in _READ if name in query):  # the model before its size
        try:
            value = _READ[name](query[name])
            _check(form, name, value, fields["model"])
        except (ValueError, KeyError):
            ignored.append(name)
        else:
            fields[name] = value
    return form, Recipe(kind=form.request_type.kind, prompt=fields.pop("prompt", ""), **fields), sorted(ignored)


def follow_links(demo: gr.Blocks, forms: Sequence[Form], tabs: gr.Tabs) -> None:
    """Fill the form that the page's address names, and the others as they were left in this browser. Nothing is run."""

    queries = gr.Textbox(visible=False)

    def follow(queries: str, http: gr.Request) -> Updates:
        link, *drafts = (
            dict(parse_qsl(line.removeprefix("?"), keep_blank_values=True)) for line in queries.split("\n")
        )
        updates: Updates = {}
        for draft in drafts[: len(forms)]:
            form, recipe, _ = read(draft, forms)
            pictures = [_kept_picture(draft, at) for at in range(len(form.slots))]
            paint = kept_paint(draft.get(_PAINTED, ""))
            updates |= form.fill(recipe, pictures, painted=paint, several=of_draft(draft))
            updates |= {part: kept_photos(draft.get(_PHOTOS, "")) for part in _photos(form)}
        named = next((form for form in forms if form.tab == link.get("tab")), forms[0])
        if not named.able and link:
            updates[tabs] = gr.update(selected=named.tab)  # which says why it can't be filled
        elif link.keys() == {"tab"} and link["tab"] in {"history", *(form.tab for form in forms)}:
            updates[tabs] = gr.update(selected=link["tab"])
        elif link.keys() & {"tab", *_READ}:
            form, recipe, ignored = read(link, forms)
            if ignored:
                language = language_of(http)
                labels = (translate(language, f"field_{name}") for name in ignored)
                names = listed(labels, language)
                gr.Warning(translate(language, "link_ignored", names=names), title=translate(language, "title_warning"))
            updates |= {**form.fill(recipe), tabs: gr.update(selected=form.tab)}
        return updates or nothing()

    filled = [tabs, *(part for form in forms for part in form.outputs())]
    followed = on(
        demo.load, follow, inputs=queries, outputs=filled, js=f"page.keptQueries({[form.tab for form in forms]})"
    )
    on(followed.then, None, js="page.forgetQuery")
    for form in forms:
        kept = {name: part for name, part in form.controls().items() if name in _KEPT} | {**form.compare.parts()}
        controls = list(kept.values())
        places = [part for slot in form.slots for part in (slot.image, slot.address)]
        # What else fills a form sets its prompt too; a seed that is drawn while an order begins shall cost nothing.
        # Fields that aren't there at first, in what is folded or hidden, tell of their changes alone.
        later = (form.free_size, form.steps, form.guidance)
        texts = [part for part in (form.prompt, form.negative_prompt, *later) if part]
        told = [part.change for part in (*texts, *places)]
        changes = [*told, *(part.input for part in controls[1:])]  # type: ignore[attr-defined]  # all of these have it
        names = [*kept, *(name.format(at) for at in range(len(form.slots)) for name in (_IMAGE, _ADDRESS))]
        painted = [form.painter.part] if form.painter else []
        photos = _photos(form)
        changes += [part.input for part in (*painted, *photos)]
        names += [_PAINTED] * len(painted) + [_PHOTOS] * len(photos)
        on(changes, None, inputs=[*controls, *places, *painted, *photos], js=f"page.keepDraft('{form.tab}', {names})")


def choose_language(button: gr.Button, language: str) -> None:
    """Load the page in that language when the button is pressed. What was typed and set is kept as always."""
    on(button.click, None, js=f"page.chooseLanguage('{language}')")


def _photos(form: Form) -> list[gr.HTML]:
    return [slot.photos for slot in form.slots if slot.photos]


def _kept_picture(draft: Mapping[str, str], at: int) -> Path | str | None:
    """What a draft has in a slot: an address, or an upload as long as it is here."""
    if address := draft.get(_ADDRESS.format(at)):
        return address
    try:
        return uploaded({"path": draft.get(_IMAGE.format(at), "")})
    except InvalidRequest:
        return None


def _check(form: Form, name: str, value: object, model: str) -> None:
    """Whether a request of that tab could have that value with that model.

    Raises:
        InvalidRequest: it could not.
    """
    if name == "n":
        whole(name, value, 1, catalog.MAX_PICTURES)
    else:
        fields: dict[str, Any] = {"prompt": "x", "model": model, "size": None, name: value}
        kind = form.request_type.kind
        make(kind, [STAND_IN] * NEEDED[kind], **fields, catalog=form.catalog)
