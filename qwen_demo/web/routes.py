"""What is open at all: Gradio brings dozens of doors along, and each version new ones."""

import re
from collections.abc import Iterable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class OnlyRoutes:
    """ASGI middleware: answers 404 to whatever is not on the list.

    Args:
        app: what comes after it.
        routes: a method and a path each, as regular expressions: `GET /assets/.*`.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[str]) -> None:
        self._app = app
        self._open = pattern(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._open.fullmatch(asked(scope)):
            await PlainTextResponse("not found", 404)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def asked(scope: Scope) -> str:
    """What a request asks for, such as `GET /theme.css`, below the path at which the app is mounted.

    HEAD is a GET of which only the head is wanted.
    """
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    below = path[len(root) :] if root and path.startswith(f"{root}/") else path
    return f"{'GET' if scope['method'] == 'HEAD' else scope['method']} {below}"


def pattern(routes: Iterable[str]) -> re.Pattern[str]:
    """What `asked` has to match to be one of these routes."""
    return re.compile("|".join(routes), re.DOTALL)
