"""How files are sent."""

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PIECE = 1_000_000
_PATHSEND = "http.response.pathsend"


class Files:
    """ASGI middleware: sends files in pieces of 1 MB. Each goes through a thread and all layers: 64 kB are too few.

    Starlette leaves a whole file, by its path alone, to whoever offers to send it. This stands last, next to the
    routes: what compresses bodies knows no paths.

    What browsers show is sent without a name: they would save it under that one, whatever the page says.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {**(scope.get("extensions") or {}), _PATHSEND: {}}

        async def send_files(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-disposition", "").startswith("inline"):
                    del headers["content-disposition"]
            if message["type"] != _PATHSEND:
                await send(message)
                return
            with await to_thread.run_sync(open, message["path"], "rb") as file:
                more = True
                while more:
                    piece = await to_thread.run_sync(file.read, PIECE)
                    more = len(piece) == PIECE
                    await send({"type": "http.response.body", "body": piece, "more_body": more})

        await self._app(scope, receive, send_files)
