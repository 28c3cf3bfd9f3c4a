"""A link that carries the settings of a tab: written from a picture's recipe, read when the page is loaded."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

import gradio as gr
from gradio.components import Component

from ..api import catalog
from ..api.errors import InvalidRequest
from ..api.requests import ImageEdit, TextToImage, check_range
from ..i18n import translate
from ..recipe import Recipe
from .controls import AUTO
from .events import on
from .form import Form
from .visit import Updates, language_of, nothing

_SWITCH = {"1": True, "true": True, "0": False, "false": False}
_READ: dict[str, Callable[[str], Any]] = {
    "prompt": str,
    "model": str,
    "size": str,
    "n": int,
    "seed": int,
    "negative_prompt": str,
    "watermark": _SWITCH.__getitem__,
    "optimize_prompt": _SWITCH.__getitem__,
}
"""What a link may carry, by the API's names. Never a key, and never a picture."""


# Settings that outlive a reload stay in the page: in an address, proxies would log the prompt.
KEEP = "(query) => sessionStorage.setItem('qwen-image-demo-settings', query)"
KEPT = """() => {
  const kept = sessionStorage.getItem("qwen-image-demo-settings");
  sessionStorage.removeItem("qwen-image-demo-settings");
  return kept || location.search;
}"""


def write(recipe: Recipe, tab: str) -> str:
    """The link's query, from its question mark on."""
    values = {name: getattr(recipe, name) for name in _READ if getattr(recipe, name) is not None}
    texts = {name: str(int(value)) if isinstance(value, bool) else str(value) for name, value in values.items()}
    return "?" + urlencode({"tab": tab, **texts})


def read(query: Mapping[str, str], forms: Sequence[Form]) -> tuple[Form, Recipe, list[str]]:
    """The tab and the settings that a link carries, and the names of those whose values are wrong and left out."""
    form = next((form for form in forms if form.tab == query.get("tab")), forms[0])
    ignored = [] if form.tab == query.get("tab", form.tab) else ["tab"]
    fields: dict[str, Any] = {"model": catalog.models_for(form.kind.task)[0].name}
    for name in _READ.keys() & query.keys():
        try:
            value = _READ[name](query[name])
            _check(form, name, value)
        except (ValueError, KeyError):
            ignored.append(name)
        else:
            fields[name] = value
    return form, Recipe(kind=form.kind.kind, prompt=fields.pop("prompt", ""), **fields), sorted(ignored)


def follow_links(demo: gr.Blocks, forms: Sequence[Form], tabs: gr.Tabs) -> None:
    """Fill the form that the page's address names. Nothing is run."""

    address = gr.Textbox(visible=False)

    def follow(address: str, http: gr.Request) -> Updates:
        query = dict(parse_qsl(address.removeprefix("?"), keep_blank_values=True))
        if not query.keys() & {"tab", *_READ}:
            return nothing()
        form, recipe, ignored = read(query, forms)
        if ignored:
            language = language_of(http)
            labels = (translate(language, f"field_{name}") for name in ignored)
            names = translate(language, "comma").join(labels)
            gr.Warning(translate(language, "link_ignored", names=names), title=translate(language, "title_warning"))
        return {**form.fill(recipe), tabs: gr.update(selected=form.tab)}

    filled = [tabs, *(part for form in forms for part in form.outputs())]
    followed = on(demo.load, follow, inputs=address, outputs=filled, js=KEPT)
    # Or a reload would fill the form again.
    on(followed.then, None, js="() => history.replaceState(null, '', location.pathname)")


def keep_settings(forms: Sequence[Form]) -> tuple[list[Component], str]:
    """A script that keeps the open tab's settings over the next reload, and the parts whose values it is given."""
    inputs: list[Component] = []
    for form in forms:
        to = form.controls
        inputs += [to.prompt, to.model, to.size, to.count, to.seed, to.negative, to.watermark, to.optimize]
        inputs.append(to.random_seed)
    tabs, names = [form.tab for form in forms], list(_READ)
    return (
        inputs,
        f"""(...values) => {{
      const [tabs, names] = [{tabs}, {names}];
      const tab = document.querySelector("[role=tab][aria-selected=true]")?.dataset.tabId;
      const own = values.slice(tabs.indexOf(tab) * (names.length + 1), (tabs.indexOf(tab) + 1) * (names.length + 1));
      if (!tabs.includes(tab)) return;
      const drawn = own.pop();
      const told = names.map((name, at) => [name, String(own[at] ?? "")]);
      const kept = told.filter(([name, value]) => value && value !== "{AUTO}" && !(drawn && name === "seed"));
      ({KEEP})("?" + new URLSearchParams([["tab", tab], ...kept]));
    }}""",
    )


def _check(form: Form, name: str, value: object) -> None:
    """Whether a request of that tab could have that value.

    Raises:
        InvalidRequest: it could not.
    """
    if name == "n":
        check_range(name, value, 1, catalog.MAX_PICTURES)
    elif name == "model":
        if catalog.find_model(value, form.kind.task) is None:
            raise InvalidRequest(name, "choice", value, allowed="")
    else:
        fields: dict[str, Any] = {"prompt": "x", name: value}
        _ = ImageEdit(image="https://x", **fields) if form.slots else TextToImage(**fields)
