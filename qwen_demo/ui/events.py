"""How the page's listeners are bound: private, without overlays of Gradio's, and with every refusal in words."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from html import escape
from typing import Any

import gradio as gr
from gradio.context import LocalContext
from gradio.events import Dependency

from ..api.errors import QwenDemoError
from ..i18n import translate
from ..job import InternalError
from .visit import language_of
from .words import describe


def on(trigger: Callable[..., Dependency], handler: Callable[..., Any] | None, **options: Any) -> Dependency:
    """Bind a handler of the page to a trigger such as `button.click`; `options` are those of the trigger."""
    # Without parts to show progress on, Gradio need not look for all outputs in the page at each message: 20 ms each.
    options = {"api_visibility": "private", "show_progress": "hidden", "show_progress_on": [], **options}
    return trigger(told(handler) if handler else None, **options)


def offer_file(button: gr.Button, make: Callable[..., str], inputs: Any, target: gr.DownloadButton) -> None:
    """Let a button make a file and download it. `target` is a hidden button of the same place.

    A download starts only from a click in the browser, so the finished file is clicked there.
    """
    made = on(button.click, make, inputs=inputs, outputs=target)
    on(made.then, None, js=f"() => document.querySelector('#{target.elem_id}').click()")


def refusal(key: str, http: gr.Request) -> gr.Error:
    """A text of the page, to be raised in a handler."""
    language = language_of(http)
    return gr.Error(translate(language, key), title=translate(language, "title_error"), print_exception=False)


def told(handler: Callable[..., Any], language: str | None = None) -> Callable[..., Any]:
    """The handler with its errors turned into words: Gradio itself would show no more than "Error".

    Args:
        handler: a function, a coroutine function or an async generator function.
        language: that of the words; None for the browser's.
    """
    if inspect.isasyncgenfunction(handler):

        @wraps(handler)
        async def generate(*args: Any, **named: Any) -> AsyncIterator[Any]:
            with _errors_told(language):
                async for updates in handler(*args, **named):
                    yield updates

        return generate
    if inspect.iscoroutinefunction(handler):

        @wraps(handler)
        async def wait(*args: Any, **named: Any) -> Any:
            with _errors_told(language):
                return await handler(*args, **named)

        return wait

    @wraps(handler)
    def call(*args: Any, **named: Any) -> Any:
        with _errors_told(language):
            return handler(*args, **named)

    return call


@contextmanager
def _errors_told(language: str | None) -> Iterator[None]:
    try:
        yield
    except gr.Error:
        raise
    except Exception as error:
        problem = error if isinstance(error, QwenDemoError) else InternalError(error)
        spoken = language or language_of(LocalContext.request.get())
        text = escape(describe(problem, spoken), quote=False)  # Gradio shows it as HTML
        raise gr.Error(text, title=translate(spoken, "title_error"), print_exception=False) from error
