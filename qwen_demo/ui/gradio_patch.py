"""What Gradio does otherwise here than by itself, and where its inside is looked at."""

import errno
import json
import logging
import traceback
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi.exceptions import RequestValidationError
from gradio import http_server, queueing, routes
from gradio.block_function import BlockFunction
from gradio.blocks import Blocks, BlocksConfig
from gradio.components.api_component import Api
from gradio.context import LocalContext
from gradio.data_classes import PredictBodyInternal
from gradio.exceptions import InvalidPathError, ServerFailedToStartError
from gradio.route_utils import CustomCORSMiddleware, FnIndexInferError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..api.errors import InvalidRequest
from ..web import Routes
from ..web.cookie import ADDRESS
from ..web.routes import asked, pattern

log = logging.getLogger(__name__)
MOST_UNREAD = 500  # events of one address whose end nobody has heard; an open page has some twenty

_NAMES = "(v2/)?(text_to_image|edit_image|fuse_images|batch_edit|vary)"
_BEFORE_LOGIN = (
    *("GET /", "GET /healthz", "GET /readyz", "GET /favicon.ico", "GET /robots.txt", "GET /manifest.json"),
    *("GET /(assets|static|svelte)/.*", "GET (/gradio_api)?/theme.css"),
    "GET /gradio_api/startup-events",  # Gradio itself asks for it when it starts
)
_UPLOADS = ("POST /gradio_api/upload", "POST /gradio_api/mcp/?")
_EVENTS = ("POST /gradio_api/queue/join", f"POST /gradio_api/call/{_NAMES}", "POST /gradio_api/mcp/?")
_STREAMS = ("GET /gradio_api/queue/data", f"GET /gradio_api/call/{_NAMES}/[^/]+")
_BOARD = ("orders", "library", "picture", "proof", "map", "code", r"answers\.zip", r"usage\.csv")
ROUTES = Routes(
    open=(
        *(*_BEFORE_LOGIN, *_UPLOADS, *_EVENTS, *_STREAMS),
        *("POST /login", "POST /logout", "GET /config", "GET /gradio_api/(info|app_id)"),
        *("GET /gradio_api/heartbeat/[^/]+", "GET /gradio_api/upload_progress", "POST /gradio_api/(cancel|reset)"),
        *("GET /gradio_api/file=(?!https?:/).*", "GET /gradio_api/mcp/?", "GET /pictures.zip", "GET /picture/[^/]+"),
        *(f"GET /board/({'|'.join(_BOARD)})", r"GET /board/[0-9a-f]{12}/[\w.-]+", "POST /board/(act|photo)"),
    ),
    before_login=_BEFORE_LOGIN,
    uploads=_UPLOADS,
    dear=(
        "GET /",
        "GET /config",
        "GET /gradio_api/info",
        "GET /board/(library|picture|proof|code)",
        "POST /board/(act|photo)",
        *_EVENTS,
    ),
)
"""What this page, gradio_client and agents ask for. All else that Gradio offers is closed."""


class App(routes.App):
    """Gradio's, which lets no page of elsewhere read what it says, and says in one line what it doesn't know."""

    def __init__(self, **options: Any) -> None:
        unknown = dict.fromkeys((KeyError, IndexError, FnIndexInferError, OSError), _unknown)
        # The answers' class is what Gradio gives an app that it makes itself.
        malformed = {TypeError: _malformed, ValueError: _malformed, RequestValidationError: _malformed}
        told: dict[Any, Any] = {**unknown, **malformed, ClientDisconnect: _gone}
        super().__init__(exception_handlers=told, default_response_class=routes.ORJSONResponse, **options)

    def add_middleware(self, middleware_class: Any, *args: Any, **options: Any) -> None:
        """Add what Gradio wants around its routes, but for leave to other pages."""
        if middleware_class is not CustomCORSMiddleware:
            super().add_middleware(middleware_class, *args, **options)


def _unknown(_: Request, error: Exception) -> Response:
    """For an endpoint, a session or a file that Gradio looks up without asking whether it is there."""
    if isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG:
        raise error  # a full disk, say, is another matter
    log.warning("asked for what is not there: %s", _where(error))
    return JSONResponse({"detail": "Not Found"}, 404)


def _malformed(_: Request, error: Exception) -> Response:
    """For what can't be read. Gradio's own answer repeats all that was sent, which may be a lot."""
    log.warning("asked for what can't be understood: %s", _where(error))
    words = str(error)[:200] if isinstance(error, TypeError) else "Unprocessable Content"  # it names the argument
    return JSONResponse({"detail": words.encode("ascii", "replace").decode()}, 422)


def _where(error: Exception) -> str:
    """Kind and place of an error, should it be a fault after all; its words may be a stranger's."""
    *_, place = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"


def _gone(_: Request, __: Exception) -> Response:
    """For a visitor who left in the middle of an upload, which is nobody's fault."""
    return Response(status_code=400)


def signed_in(request: Request) -> str | None:
    """The name under which a browser has signed in."""
    user: str | None = request.app.tokens.get(_session(request))
    return user


def _session(request: Request) -> str:
    cookies, name = request.cookies, request.app.cookie_id
    return cookies.get(f"access-token-{name}") or cookies.get(f"access-token-unsecure-{name}") or ""


def _info(request: Request) -> Response:
    """What programs may call; Gradio would tell everybody under which address somebody once asked."""
    return JSONResponse(request.app.get_blocks().get_api_info(all_endpoints="all_endpoints" in request.query_params))


def _logout(request: Request) -> Response:
    """End this one session, and at no link's bidding."""
    request.app.tokens.pop(_session(request), None)
    answer = Response(status_code=204)
    for kind in ("access-token", "access-token-unsecure"):
        answer.delete_cookie(f"{kind}-{request.app.cookie_id}")
    return answer


GRADIO_ROUTES = (Route("/gradio_api/info", _info), Route("/logout", _logout, methods=["POST"]))
"""In place of its own."""


class OwnRanges:
    """ASGI middleware: parts of files are sent by Starlette, which knows a unit however it is spelled.

    Gradio's own way answers with the request's headers, cookies and keys among them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            spelled = {b"range": lambda value: value.replace(b"bytes", b"Bytes")}
            scope["headers"] = [(name, spelled.get(name, bytes)(value)) for name, value in scope["headers"]]
        await self._app(scope, receive, send)


class KnownStreams:
    """ASGI middleware: 404 for the events of a session that is not known. Gradio itself fails while it answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._streams = pattern(_STREAMS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._streams.fullmatch(asked(scope)) and not self._is_known(Request(scope)):
            # As its page expects to be told, so that it begins a new session.
            told = {"msg": "unexpected_error", "message": "404", "success": False, "session_not_found": True}
            answer = Response(f"data: {json.dumps(told)}\n\n", 404, media_type="text/event-stream")
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    @staticmethod
    def _is_known(request: Request) -> bool:
        queue, last = request.app.get_blocks()._queue, request.url.path.rpartition("/")[2]
        if last == "data":
            return request.query_params.get("session_hash") in queue.pending_messages_per_session
        return last in queue.pending_messages_per_session or any(
            last in events for events in queue.pending_event_ids_session.values()
        )


class PatientServer(http_server.Server):
    """Gradio gives a server 5 s to start, then says that its port is taken: a busy machine, a slow disk needs more."""

    def run_in_thread(self) -> None:
        try:
            super().run_in_thread()  # type: ignore[no-untyped-call]
        except ServerFailedToStartError:
            while not self.started:
                if not self.thread.is_alive():
                    raise
                self.thread.join(0.1)


def be_patient() -> None:
    """Have every server of this process wait for its own start."""
    http_server.Server = PatientServer  # type: ignore[misc]


def fill_in(demo: Blocks) -> None:
    """Who calls an endpoint by places and knows fewer of them, as of an earlier version, gets the others' defaults."""
    validate = demo.validate_inputs

    def filled(block_fn: BlockFunction, inputs: list[Any]) -> None:
        missing = block_fn.inputs[len(inputs) :]
        if all(isinstance(part, Api) for part in missing):
            inputs.extend(part.value for part in missing if isinstance(part, Api))
        validate(block_fn, inputs)

    demo.validate_inputs = filled  # type: ignore[method-assign]


def refuse_files(demo: Blocks, in_words: Callable[..., Any]) -> None:
    """What is said to be a file, and is no upload of here, is refused `in_words`: Gradio would say nothing."""
    preprocess = demo.preprocess_data

    async def checked(*args: Any, **named: Any) -> Any:
        try:
            return await preprocess(*args, **named)
        except InvalidPathError as error:
            raise InvalidRequest("image", "picture_missing", "") from error

    demo.preprocess_data = in_words(checked, "en")  # type: ignore[method-assign]


def is_heard() -> bool:
    """Whether somebody waits for what the event that runs here answers. Outside of events, who asks has to know."""
    blocks, id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    event = blocks._queue.event_ids_to_events.get(id) if blocks and id else None
    return event is None or event.alive


def bound_queue(demo: Blocks) -> None:
    """Of events whose end nobody hears, keep the last ones of each address. To be called once the page has its queue.

    And what goes wrong in them stands in the log, and not beside it.
    """
    queue = demo._queue
    push = queue.push
    sessions: defaultdict[str, OrderedDict[str, None]] = defaultdict(OrderedDict)

    def unread(session: str) -> int:
        return len(queue.pending_event_ids_session.get(session, ()))

    async def push_bounded(body: PredictBodyInternal, request: Request, username: str | None) -> Any:
        outcome = await push(body=body, request=request, username=username)
        address = request.scope[ADDRESS]
        own = sessions[address]
        if body.session_hash:
            own[body.session_hash] = None
            own.move_to_end(body.session_hash)
        for session in [session for session in own if not unread(session)]:
            del own[session]
        while sum(map(unread, own)) > MOST_UNREAD:
            session, _ = own.popitem(last=False)
            queue.pending_messages_per_session.pop(session, None)
            await queue.clean_events(session_hash=session)
            queue.pending_event_ids_session.pop(session, None)
        if not own:
            del sessions[address]
        return outcome

    queue.push = push_bounded  # type: ignore[method-assign]
    queueing.traceback = _Told  # type: ignore[attr-defined, assignment]


class _Told:
    """In place of the module by which Gradio prints what went wrong in an event."""

    @staticmethod
    def print_exc() -> None:
        log.exception("an event failed")


class SharedParts(BlocksConfig):
    """A page's parts, of which visitors' copies don't describe every one anew.

    Gradio describes all parts for each new session and each update, for deep links, which this app doesn't offer. With
    hundreds of parts that takes longer than all else that a program's call costs.
    """

    def __copy__(self) -> BlocksConfig:
        own: BlocksConfig = super().__copy__()  # type: ignore[no-untyped-call]
        own.config_for_block = _no_description  # type: ignore[method-assign, assignment]
        return own


def share_parts(demo: Blocks) -> None:
    """To be called before the page has parts."""
    demo.default_config = SharedParts(demo)


def _no_description(*_: object) -> dict[str, Any]:
    return {}
