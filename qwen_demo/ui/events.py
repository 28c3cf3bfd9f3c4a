"""How the page's listeners are bound, who asks in them, and how every refusal becomes words."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from html import escape
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.context import LocalContext
from gradio.events import Dependency
from starlette.requests import Request

from ..i18n import preferred, translate
from ..visitors import Visitor
from ..web import VISITOR
from .gradio_patch import signed_in
from .messages import describe

Updates = dict[Block, Any]
"""What a handler changes on the page; whatever is left out stays."""


def nothing() -> Updates:
    """No updates at all; Gradio refuses an empty dict."""
    updates: Updates = gr.skip()
    return updates


def language_of(http: gr.Request | Request | None) -> str:
    """The language to answer this browser in; English where none asks."""
    if http is None:
        return "en"
    return preferred(http.headers.get("accept-language", ""), http.cookies.get("language", ""))


def visitor(http: gr.Request) -> Visitor:
    """Who asks: a signed-in user, else a browser, in all its tabs. Cookie and address were checked at the door."""
    if http.request is None:  # called from Python, without a page
        return Visitor("")
    browser: Visitor = http.request.scope[VISITOR]
    if http.username:
        return browser.signed_in(http.username)
    return browser if browser.known or not http.session_hash else browser.in_page(http.session_hash)


def asker(request: Request) -> Visitor:
    """The same of a request that doesn't come through Gradio: there the page names its session in a header, or, of
    events, in the query."""
    browser: Visitor = request.scope[VISITOR]
    if user := signed_in(request):
        return browser.signed_in(user)
    session = request.headers.get("x-page") or request.query_params.get("page")
    return browser if browser.known or not session else browser.in_page(session)


Trigger = Callable[..., Dependency]


def on(trigger: Trigger | list[Trigger], handler: Callable[..., Any] | None, **options: Any) -> Dependency:
    """Bind a handler of the page to a trigger such as `button.click`, or to several; `options` are Gradio's."""
    # Without parts to show progress on, Gradio need not look for all outputs in the page at each message: 20 ms each.
    options = {"api_visibility": "private", "show_progress": "hidden", "show_progress_on": [], **options}
    bind = partial(gr.on, trigger) if isinstance(trigger, list) else trigger
    return bind(in_words(handler) if handler else None, **options)


def refusal(key: str, http: gr.Request, **facts: object) -> gr.Error:
    """A text of the page, with these facts, to be raised in a handler."""
    language = language_of(http)
    return gr.Error(translate(language, key, **facts), title=translate(language, "title_error"), print_exception=False)


def in_words(handler: Callable[..., Any], language: str | None = None) -> Callable[..., Any]:
    """The handler with its errors turned into words: Gradio itself would show no more than "Error".

    Args:
        handler: a function, a coroutine function or an async generator function.
        language: that of the words; None for the browser's.
    """
    if inspect.isasyncgenfunction(handler):

        @wraps(handler)
        async def generate(*args: Any, **named: Any) -> AsyncIterator[Any]:
            with _errors_in_words(language):
                async for updates in handler(*args, **named):
                    yield updates

        return generate
    if inspect.iscoroutinefunction(handler):

        @wraps(handler)
        async def wait(*args: Any, **named: Any) -> Any:
            with _errors_in_words(language):
                return await handler(*args, **named)

        return wait

    @wraps(handler)
    def call(*args: Any, **named: Any) -> Any:
        with _errors_in_words(language):
            return handler(*args, **named)

    return call


@contextmanager
def _errors_in_words(language: str | None) -> Iterator[None]:
    try:
        yield
    except gr.Error:
        raise
    except Exception as error:
        spoken = language or language_of(LocalContext.request.get())
        text = escape(describe(error, spoken), quote=False)  # Gradio shows it as HTML
        raise gr.Error(text, title=translate(spoken, "title_error"), print_exception=False) from error
