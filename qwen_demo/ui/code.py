"""The order as code that makes the same pictures again."""

import re
from collections.abc import Sequence

import gradio as gr
from gradio.components import Component

from ..api.requests import ImageRequest
from ..snippets import as_curl, as_json, as_openai, as_python
from .events import Updates, on
from .messages import t

FORMS = {"JSON": "json", "curl": "bash", "Python": "python", "OpenAI": "python"}
"""What can be chosen, and the language that it is coloured as."""


class CodePanel:
    """A folded panel with the last order as JSON, curl, Python and for the OpenAI package. Drawn at this place."""

    def __init__(self, prefix: str) -> None:
        self._texts = gr.State({})
        with gr.Accordion(t("as_code"), open=False, elem_id=f"{prefix}-code", elem_classes="accordion code-panel"):
            self._form = gr.Radio(
                list(FORMS),
                value="JSON",
                show_label=False,
                label=t("as_code"),
                container=False,
                elem_id=f"{prefix}-code-form",
                elem_classes="bar",
            )
            gr.HTML(t("code_note"), elem_classes="note")
            # Not a gr.Code: its editor would be 130 KB more for every page, and nobody edits here.
            self._shown = gr.Markdown(latex_delimiters=[], visible=False, elem_classes="code")
        on(self._form.input, lambda form, texts: texts[form], inputs=[self._form, self._texts], outputs=self._shown)

    def outputs(self) -> list[Component]:
        """What `show` changes."""
        return [self._texts, self._form, self._shown]

    def show(self, base_url: str, requests: Sequence[ImageRequest]) -> Updates:
        """Take the requests of an order."""
        codes = {
            "JSON": as_json(requests),
            "curl": as_curl(base_url, requests),
            "Python": as_python(base_url, requests),
            "OpenAI": as_openai(base_url, requests),
        }
        texts = {form: _fenced(FORMS[form], code) for form, code in codes.items()}
        return {self._texts: texts, self._form: "JSON", self._shown: gr.update(value=texts["JSON"], visible=True)}


def _fenced(language: str, text: str) -> str:
    """The code as Markdown. The fence is longer than any that the text could close it with."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
