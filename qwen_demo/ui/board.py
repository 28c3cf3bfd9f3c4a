"""The results side: one feed for all tabs, and the library. The modules in `board/` draw them."""

import secrets
from collections.abc import Sequence
from typing import Any

import gradio as gr

from ..service import Service
from .events import Updates, on, visitor
from .examples import KINDS, SHOWN
from .filling import Filling
from .form import Form
from .parts import part


def draw_library(service: Service) -> None:
    """The library, at this place of the page. It asks for all that it shows."""
    part("library", models=[model.name for model in service.engine.catalog.models])


class Feed:
    """The feed, drawn at this place of the page."""

    def __init__(self, service: Service) -> None:
        able = {kind: bool(service.engine.catalog.doing(kind)) for kind in KINDS}
        examples = [
            example.key for example in SHOWN if able[next(k for k, of_kind in KINDS.items() if example in of_kind)]
        ]
        shown = {"light": service.public, "examples": examples}
        self._part = part("feed", events=["fill", "begin"], value={}, **shown)
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
