"""The page. Gradio lives here and nowhere else."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from ..i18n import LANGUAGES, texts
from ..service import Service
from ..settings import Settings
from .edit import edit_tab
from .endpoints import add_endpoints
from .events import on
from .fusion import fusion_tab
from .guard import Guard, SlowLogin
from .history import History
from .link import follow_links, keep_settings
from .own_key import own_key_panel
from .sessions import share_parts
from .text_to_image import text_to_image_tab
from .theme import CSS, make_theme
from .web import Page, Visitors, health_routes
from .words import t

HERE = Path(__file__).parent
LANGUAGE_NAMES = {"en": "EN", "zh-CN": "中文"}
# A Space shows the page in a frame of another site, where only the longer form is kept.
CHOOSE_LANGUAGE = """(...values) => {
  (%s)(...values);
  const sites = location.protocol === "https:" ? "samesite=none; secure; partitioned" : "samesite=lax";
  document.cookie = `language=%s; path=/; max-age=31536000; ${sites}`;
  location.reload();
}"""
CHANGE_COLOURS = """() => {
  const dark = document.body.classList.toggle("dark");
  localStorage.setItem("qwen-image-demo-colours", dark ? "dark" : "light");
}"""


def build_app(service: Service, settings: Settings) -> gr.Blocks:
    """The page with its tabs, and the endpoints for programs. Start it with `launch(**launch_options(service))`."""
    # Uploads and published results are swept hourly once they are a day old; the library keeps its own.
    demo: gr.Blocks
    with gr.Blocks(
        title=texts("en")["title"], fill_width=True, analytics_enabled=False, delete_cache=(3600, 86400)
    ) as demo:
        share_parts(demo)
        with gr.Row(elem_id="top"):
            gr.HTML(f"<h1>{texts('en')['title']}</h1>", elem_id="title")
            languages = {
                language: gr.Button(name, size="sm", min_width=0, elem_id=f"language-{language}")
                for language, name in LANGUAGE_NAMES.items()
            }
            colours = gr.Button(t("colours"), size="sm", min_width=0, elem_id="colours")
            on(colours.click, None, js=CHANGE_COLOURS)
        if settings.offline or service.own_keys:
            with gr.Row(elem_id="lead"):
                notice = gr.HTML(t("offline_notice"), visible=settings.offline, elem_id="notice")
                if service.own_keys:
                    own_key_panel(demo, service, service.own_keys, notice if settings.offline else None)
        with gr.Tabs() as tabs:
            with gr.Tab(t("tab_text"), id="text"):
                text, text_order = text_to_image_tab(demo, service)
            with gr.Tab(t("tab_edit"), id="edit"):
                edit, edit_order = edit_tab(demo, service)
            with gr.Tab(t("tab_fusion"), id="fusion"):
                fusion, fusion_order = fusion_tab(demo, service)
            with gr.Tab(t("tab_history"), id="history") as history_tab:
                history = History(service)
        forms = (text, edit, fusion)
        history.wire(history_tab, forms, tabs)
        for order in (text_order, edit_order, fusion_order):
            order.tools.wire(order.gallery, forms, tabs)
        follow_links(demo, forms, tabs)
        inputs, keep = keep_settings(forms)
        for language, choose in languages.items():
            on(choose.click, None, inputs=inputs, js=CHOOSE_LANGUAGE % (keep, language))
        add_endpoints(service)
    # Orders wait in the service's own line; api_open would let programs pass Gradio's queue by.
    demo.queue(default_concurrency_limit=None, api_open=False)
    return demo


def launch_options(service: Service, settings: Settings) -> dict[str, Any]:
    """What `launch` needs for this page: its look and words, many waiting visitors, and nothing open by default."""

    tools = None
    if settings.mcp:
        from .mcp import Tools  # its package is an extra, and slow to import

        tools = Tools(service)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(service.sweep()) if settings.public else None
        async with tools.run() if tools else nullcontext():
            yield
        if sweeping:
            sweeping.cancel()
        await service.aclose()

    # Behind a proxy or in public the app has names that it can't know.
    local = not settings.public and not settings.trusted_proxies
    frames = "'self' https://huggingface.co https://*.hf.space" if settings.public else "'self'"
    return {
        "app_kwargs": {
            "lifespan": lifespan,
            "middleware": [
                Middleware(
                    Visitors, secret=settings.secret or secrets.token_bytes(32), proxies=settings.trusted_proxies
                ),
                Middleware(Guard, local=local, max_upload_mb=settings.max_upload_mb),
                *([Middleware(SlowLogin)] if settings.auth else []),
                Middleware(Page, script=(HERE / "head.js").read_text(encoding="utf-8"), frames=frames),
            ],
            "routes": [*health_routes(lambda: service.jobs.draining), *([tools.route] if tools else [])],
        },
        "theme": make_theme(),
        "css_paths": [CSS],
        "js": (HERE / "page.js").read_text(encoding="utf-8"),
        "i18n": gr.I18n(**{language: texts(language) for language in LANGUAGES}),
        "footer_links": [],
        "run_history": False,  # would write every input into the browser's storage
        "enable_monitoring": False,
        "show_error": False,
        "auth": settings.auth,
        "max_file_size": f"{settings.max_upload_mb}mb",
        "max_threads": 256,  # of waiting visitors, async handlers too
        "ssr_mode": False,
    }
