"""A visitor's own key: entered once, held in memory, shown as `sk-…1234`, forgotten with a click."""

import gradio as gr

from ..i18n import translate
from ..service import Service
from ..visitors import OwnKeys, masked
from .events import Updates, language_of, on, visitor
from .messages import t


def own_key_panel(demo: gr.Blocks, service: Service, keys: OwnKeys, notice: gr.HTML | None) -> None:
    """Draw the folded panel at this place. `notice` says that there is no key, and hides while there is one."""
    with gr.Accordion(t("own_key"), open=False, elem_id="own-key", elem_classes="accordion") as panel:
        gr.HTML(t("own_key_note"), elem_classes="note")
        with gr.Row():
            field = gr.Textbox(
                container=False,
                label=t("own_key"),
                show_label=False,
                placeholder="sk-…",
                type="password",
                max_lines=1,
                scale=3,
                html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=False),
                elem_id="own-key-field",
            )
            host = gr.Dropdown(
                [(t("own_key_usual_host"), ""), *((name, name) for name in keys.hosts)],
                value="",
                label=t("own_key_host"),
                visible=bool(keys.hosts),
                scale=2,
                elem_id="own-key-host",
            )
            use = gr.Button(t("own_key_use"), scale=1, min_width=0, elem_id="own-key-use")
            forget = gr.Button(t("own_key_forget"), scale=1, min_width=0, interactive=False, elem_id="own-key-forget")

    def show(http: gr.Request) -> Updates:
        key = keys.find(visitor(http).name)
        language = language_of(http)
        said = translate(language, "own_key_used", shown=masked(key)) if key else ""
        title = said or translate(language, "own_key")  # a folded panel says it too
        told: Updates = {notice: gr.update(visible=not key)} if notice else {}
        return told | {panel: gr.update(label=title), forget: gr.update(interactive=bool(key))}

    def put(key: str, host: str, http: gr.Request) -> Updates:
        keys.put(visitor(http).name, key, host)
        return {**show(http), field: ""}

    def drop(http: gr.Request) -> Updates:
        keys.forget(visitor(http).name)
        return show(http)

    parts = [panel, forget, *([notice] if notice else []), field]
    on(demo.load, show, outputs=parts[:-1])  # whoever was quicker than this keeps what is in the field
    on(use.click, put, inputs=[field, host], outputs=parts)
    on(field.submit, put, inputs=[field, host], outputs=parts)
    on(forget.click, drop, outputs=parts)
