"""The results side: one feed for all tabs, and the library. The modules in `board/` draw them."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from .. import i18n
from ..i18n import texts
from ..service import Service
from .events import Updates, on, visitor
from .examples import KINDS, SHOWN
from .filling import Filling
from .form import Form

FOLDER = Path(__file__).parent / "board"
SHEETS = ("board.css", "viewer.css", "library.css")
_TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".webp": "image/webp"}
_MOUNT = """
const { mount } = await import(new URL("board/VERSION/PART.js", document.baseURI));
mount(element.querySelector(".mount"), { trigger, props, upload, watch });
"""


@cache
def _files() -> dict[str, bytes]:
    """What the board is made of in the browser, by name: modules, a sheet, words of each language, pictures."""
    files = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in (".js", ".webp")}
    files["board.css"] = b"\n".join((FOLDER / name).read_bytes() for name in SHEETS)
    for language in i18n.LANGUAGES:
        words = {key.removeprefix("board_"): text for key, text in texts(language).items() if _is_boards(key)}
        files[f"words.{language}.json"] = json.dumps(words, ensure_ascii=False).encode()
    return files


def _is_boards(key: str) -> bool:
    return key.startswith(("board_", "kind_")) or key in {f"example_{example.key}" for example in SHOWN}


@cache
def _version() -> str:
    """A name of exactly these files, so that browsers may keep them for good."""
    return hashlib.sha256(b"".join(name.encode() + data for name, data in sorted(_files().items()))).hexdigest()[:12]


def board_files() -> Route:
    """`GET /board/<version>/<name>`: the files, the same for everyone."""

    def file(request: Request) -> Response:
        data = _files().get(request.path_params["name"])
        if data is None or request.path_params["version"] != _version():
            return PlainTextResponse("not found", 404)
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(data, media_type=_TYPES[Path(request.path_params["name"]).suffix], headers=headers)

    return Route("/board/{version}/{name}", file)


def _part(name: str, **props: Any) -> gr.HTML:
    script = _MOUNT.replace("VERSION", _version()).replace("PART", name)
    # Gradio compares a template with the page by position, which would load pictures anew: this one never changes.
    return gr.HTML(
        html_template='<div class="mount"></div>',
        js_on_load=f"/* 'fill' 'begin' */ (async () => {{{script}}})();",
        apply_default_css=False,
        elem_id=name,
        **props,
    )


def draw_library(service: Service) -> None:
    """The library, at this place of the page. It asks for all that it shows."""
    _part("library", models=[model.name for model in service.engine.catalog.models])


class Feed:
    """The feed, drawn at this place of the page."""

    def __init__(self, service: Service) -> None:
        able = {kind: bool(service.engine.catalog.doing(kind)) for kind in KINDS}
        examples = [
            example.key for example in SHOWN if able[next(k for k, of_kind in KINDS.items() if example in of_kind)]
        ]
        self._part = _part("feed", value={}, light=service.public, examples=examples)
        self._service = service

    def wire(self, forms: Sequence[Form], tabs: gr.Tabs) -> None:
        """Bind what fills the forms: settings, an example, a picture to go on with, a file that was dropped."""
        filling = Filling(self._service, forms, tabs)

        def begin(http: gr.Request) -> dict[str, str]:
            """Where the browser keeps no cookies, the page's session names its visitor."""
            return {} if visitor(http).known else {"session": http.session_hash or ""}

        async def fill(http: gr.Request, event: gr.EventData, **given: Any) -> Updates:
            updates, said = await filling.fill(event._data or {}, given, http)
            return {**updates, self._part: {"said": said, "turn": secrets.token_hex(4)}}

        filled = [tabs, self._part, *(part for form in forms for part in form.outputs())]
        on(self._part.begin, begin, outputs=self._part)
        on(self._part.fill, fill, inputs_kwargs=forms[-1].inputs(), outputs=filled, preprocess=False)
