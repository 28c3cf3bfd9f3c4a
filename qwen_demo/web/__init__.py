"""The door before Gradio, in plain ASGI: names browsers by a signed cookie, refuses what no page of this app sends,
lets nobody take all of the machine, asks for the password, says what a page may do, sends files. It knows neither
Gradio nor the app's purpose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.middleware import Middleware
from starlette.requests import Request

from .connections import bound_connections
from .cookie import VISITOR, VisitorCookie
from .crowd import Crowd
from .files import Files
from .guard import Guard
from .health import health_routes
from .login import Login, SlowLogin
from .page import Page, count_scripts
from .pictures import Addresses
from .routes import OnlyRoutes
from .waiting import serve_until

__all__ = [
    "VISITOR",
    "Addresses",
    "Routes",
    "bound_connections",
    "count_scripts",
    "door",
    "health_routes",
    "serve_until",
]


@dataclass(frozen=True)
class Routes:
    """What is open, as `OnlyRoutes` spells it.

    Attributes:
        open: all of them.
        before_login: to everyone, where there is a login.
        uploads: taking files.
        dear: taking much work.
    """

    open: Sequence[str]
    before_login: Sequence[str]
    uploads: Sequence[str]
    dear: Sequence[str]


def door(
    *,
    routes: Routes,
    secret: bytes,
    trusted_proxies: int,
    public: bool,
    names: Sequence[str],
    max_upload_mb: int,
    signed_in: Callable[[Request], str | None] | None,
    script: str,
    scripts: int,
) -> list[Middleware]:
    """The middlewares, the outermost first.

    Their arguments are explained at each. `scripts` is what `count_scripts` finds in the page's template. `signed_in`
    is None where nobody has to sign in.
    """
    frames = "'self' https://huggingface.co https://*.hf.space" if public else "'self'"
    # Behind a proxy or in public the app has names that it can't know, and strangers.
    local = not public and not trusted_proxies
    return [
        Middleware(VisitorCookie, secret=secret, proxies=trusted_proxies),
        Middleware(
            Guard,
            local=local,
            max_upload_mb=max_upload_mb,
            uploads=routes.uploads,
            names=names,
            proxies=trusted_proxies,
        ),
        *([] if local else [Middleware(Crowd, dear=routes.dear, uploads=routes.uploads)]),
        Middleware(OnlyRoutes, routes=routes.open),
        *(
            [Middleware(SlowLogin), Middleware(Login, signed_in=signed_in, before=routes.before_login)]
            if signed_in
            else []
        ),
        Middleware(Page, script=script, scripts=scripts, frames=frames, same=signed_in is None),
        Middleware(Files),
    ]
