"""The page. Gradio lives here and nowhere else."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from .. import i18n
from ..environment import PARTS
from ..i18n import texts
from ..service import Service
from ..settings import Settings
from ..visitors import kept_secret
from ..web import Addresses, bound_connections, count_scripts, door, health_routes
from .archive import archive_route
from .board import Feed, draw_library
from .buttons import small_button
from .edit import edit_tab
from .endpoints import add_endpoints
from .events import asker, in_words, on
from .fusion import fusion_tab
from .gradio_patch import (
    GRADIO_ROUTES,
    ROUTES,
    App,
    KnownStreams,
    OwnRanges,
    be_patient,
    bound_queue,
    fill_in,
    refuse_files,
    share_parts,
    signed_in,
)
from .link import choose_language, follow_links
from .messages import engine_html, t
from .own_key import own_key_panel
from .parts import board_files
from .routes import Board
from .text_to_image import text_to_image_tab
from .theme import CSS, drawn, make_theme

HERE = Path(__file__).parent
SCRIPTS = (HERE.parent / "web" / "head.js", HERE / "page.js")
TEMPLATE = Path(gr.__file__).parent / "templates" / "frontend" / "index.html"  # of the page and of the login


def build_app(service: Service, settings: Settings) -> gr.Blocks:
    """The page with its tabs, and the endpoints for programs. Start it with `launch(**launch_options(service))`."""
    demo: gr.Blocks
    with gr.Blocks(title=texts("en")["title"], fill_width=True, analytics_enabled=False) as demo:
        share_parts(demo)
        with gr.Row(elem_id="top"):
            gr.HTML(f"<h1>{texts('en')['title']}</h1>", elem_id="title")
            names = {language: texts(language)["language_name"] for language in i18n.LANGUAGES}
            languages = {language: small_button(name, f"language-{language}") for language, name in names.items()}
            colours = small_button(t("colours"), "colours")
            on(colours.click, None, js="page.changeColours")
            if settings.auth:
                on(small_button(t("sign_out"), "sign-out").click, None, js="page.signOut")
        if settings.offline or service.own_keys:
            with gr.Row(elem_id="lead"):
                notice = gr.HTML(t("offline_notice"), visible=settings.offline, elem_id="notice")
                if service.own_keys:
                    own_key_panel(demo, service, service.own_keys, notice if settings.offline else None)
        gr.HTML(t("no_cookies"), elem_id="no-cookies", elem_classes="note")
        with gr.Row(elem_id="board"):
            tab_of = {"text_to_image": "text", "edit": "edit", "fusion": "fusion"}
            able = [tab for kind, tab in tab_of.items() if service.engine.catalog.doing(kind)]
            with gr.Tabs(elem_classes="modes", selected=next(iter(able), "text")) as tabs:
                with gr.Tab(t("tab_text"), id="text"):
                    text = text_to_image_tab(demo, service)
                with gr.Tab(t("tab_edit"), id="edit"):
                    edit = edit_tab(demo, service)
                with gr.Tab(t("tab_fusion"), id="fusion"):
                    fusion = fusion_tab(demo, service)
                with gr.Tab(t("tab_history"), id="history", elem_id="history"):
                    draw_library(service)
            feed = Feed(service)
        gr.HTML(engine_html(service.engine), elem_id="engine")
        forms = [text, edit, fusion]
        feed.wire(forms, tabs)
        follow_links(demo, forms, tabs)
        for language, button in languages.items():
            choose_language(button, language)
        add_endpoints(service)
    # Orders wait in the service's own line; api_open would let programs pass Gradio's queue by.
    demo.queue(default_concurrency_limit=None, api_open=False)
    bound_queue(demo)
    fill_in(demo)
    refuse_files(demo, in_words)
    be_patient()
    return demo


def _script() -> str:
    """What runs first in every page: before Gradio chooses its language, and before any listener names a function."""
    scripts = [path.read_text(encoding="utf-8") for path in SCRIPTS]
    return "\n".join([f"const LANGUAGES = {json.dumps(i18n.browser_codes())};", *scripts])


def launch_options(service: Service, settings: Settings) -> dict[str, Any]:
    """What `launch` needs for this page: its look and words, many waiting visitors, and nothing open by default."""

    secret = settings.secret or kept_secret(service.everything.root)
    addresses = Addresses(service.everything, secret)
    agents = None
    if settings.mcp:
        from .mcp import AgentServer  # its package is an extra, and slow to import

        agents = AgentServer(service, addresses)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        await service.running.resume()
        work = (service.upkeep.sweep(Path(get_upload_folder())), service.running.watch())
        tasks = [asyncio.create_task(one) for one in work]
        async with agents.run() if agents else nullcontext():
            yield
        for task in tasks:
            task.cancel()
        await service.aclose()

    app = App(
        middleware=[
            *door(
                routes=ROUTES,
                secret=secret,
                trusted_proxies=settings.trusted_proxies,
                public=settings.public,
                names=settings.allowed_hosts,
                max_upload_mb=settings.max_upload_mb,
                signed_in=signed_in if settings.auth else None,
                script=_script(),
                scripts=count_scripts(TEMPLATE.read_bytes()),
            ),
            Middleware(KnownStreams),
            Middleware(OwnRanges),
        ],
        routes=[
            *health_routes(service.not_ready),
            *GRADIO_ROUTES,
            archive_route(service.archives),
            addresses.route(lambda request: service.library(asker(request).name)),
            board_files(),
            *Board(service, addresses).routes(),
            *([agents.route] if agents else []),
        ],
    )
    bound_connections(proxies=settings.trusted_proxies)
    return {
        "_app": app,
        "app_kwargs": {"lifespan": lifespan},
        "theme": make_theme(),
        "css": drawn(service.engine.catalog),
        "css_paths": [CSS],
        "i18n": gr.I18n(**{language: texts(language) for language in i18n.LANGUAGES}),
        "footer_links": [],
        "run_history": False,  # would write every input into the browser's storage
        "enable_monitoring": False,
        "show_error": False,
        "auth": settings.auth,
        "blocked_paths": [str(Path(get_upload_folder(), PARTS))],
        "max_file_size": f"{settings.max_upload_mb}mb",
        "max_threads": 256,  # of waiting visitors, async handlers too
        "ssr_mode": False,
    }
