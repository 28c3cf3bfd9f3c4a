"""What the page draws by itself in the browser: places for the modules in `board/`, and the files that they are."""

import hashlib
import json
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
from .examples import SHOWN

FOLDER = Path(__file__).parent / "board"
SHEETS = ("board.css", "viewer.css", "library.css", "painter.css", "photos.css", "words.css")
_TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".webp": "image/webp"}
_MOUNT = """
const { mount } = await import(new URL("board/VERSION/PART.js", document.baseURI));
mount(element.querySelector(".mount"), { trigger, props, upload, watch });
"""


def part(name: str, *, events: Sequence[str] = (), **props: Any) -> gr.HTML:
    """A place of the page that the module of that name draws; it may trigger these events, and `props` are its own.

    Its element's id is that name, too, unless they give another: then there may be several of its kind.
    """
    script = _MOUNT.replace("VERSION", _version()).replace("PART", name)
    told = " ".join(f"'{event}'" for event in events)
    # Gradio compares a template with the page by position, which would load pictures anew: this one never changes.
    return gr.HTML(
        html_template='<div class="mount"></div>',
        js_on_load=f"/* {told} */ (async () => {{{script}}})();",
        apply_default_css=False,
        **{"elem_id": name, **props},
    )


def board_files() -> Route:
    """`GET /board/<version>/<name>`: the files, the same for everyone."""

    def file(request: Request) -> Response:
        data = _files().get(request.path_params["name"])
        if data is None or request.path_params["version"] != _version():
            return PlainTextResponse("not found", 404)
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(data, media_type=_TYPES[Path(request.path_params["name"]).suffix], headers=headers)

    return Route("/board/{version}/{name}", file)


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
    return key.startswith(("board_", "kind_")) or key in {"comma", *(f"example_{example.key}" for example in SHOWN)}


@cache
def _version() -> str:
    """A name of exactly these files, so that browsers may keep them for good."""
    return hashlib.sha256(b"".join(name.encode() + data for name, data in sorted(_files().items()))).hexdigest()[:12]
