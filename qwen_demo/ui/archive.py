"""Where an offered ZIP is fetched."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..archive import Archives, NotOffered, UnderWay


def archive_route(archives: Archives) -> Route:
    """`GET /pictures.zip?ticket=…`: the ZIP, 404 without a good ticket, 429 while this visitor is sent another one."""
    return Route("/pictures.zip", _Sender(archives), methods=["GET"])


class _Sender:
    def __init__(self, archives: Archives) -> None:
        self._archives = archives

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":  # whoever looks first takes the ticket from nobody
            await Response(media_type="application/zip")(scope, receive, send)
            return
        ticket = Request(scope).query_params.get("ticket", "")
        try:
            with self._archives.sent(ticket) as pieces:
                headers = {"Content-Disposition": 'attachment; filename="qwen-images.zip"', "Cache-Control": "no-store"}
                await StreamingResponse(pieces, media_type="application/zip", headers=headers)(scope, receive, send)
        except NotOffered:
            await PlainTextResponse("this was fetched already, or never offered", 404)(scope, receive, send)
        except UnderWay:
            await PlainTextResponse("one at a time: the last one is still being sent", 429)(scope, receive, send)
