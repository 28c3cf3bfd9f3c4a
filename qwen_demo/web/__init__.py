"""The door before Gradio, in plain ASGI: names browsers by a signed cookie, refuses what no page of this app sends,
slows those who guess passwords, says what a page may do, sends files. It knows neither Gradio nor the app's purpose."""

from collections.abc import Sequence

from starlette.middleware import Middleware

from .cookie import VISITOR, VisitorCookie
from .files import Files
from .guard import Guard
from .health import health_routes
from .login import SlowLogin
from .page import Page, count_scripts

__all__ = ["VISITOR", "count_scripts", "door", "health_routes"]


def door(
    *,
    secret: bytes,
    trusted_proxies: int,
    public: bool,
    names: Sequence[str],
    max_upload_mb: int,
    login: bool,
    script: str,
    scripts: int,
) -> list[Middleware]:
    """The middlewares, the outermost first.

    Their arguments are explained at each. `scripts` is what `count_scripts` finds in the page's template.
    """
    frames = "'self' https://huggingface.co https://*.hf.space" if public else "'self'"
    # Behind a proxy or in public the app has names that it can't know.
    local = not public and not trusted_proxies
    return [
        Middleware(VisitorCookie, secret=secret, proxies=trusted_proxies),
        Middleware(Guard, local=local, max_upload_mb=max_upload_mb, names=names),
        *([Middleware(SlowLogin)] if login else []),
        Middleware(Page, script=script, scripts=scripts, frames=frames),
        Middleware(Files),
    ]
