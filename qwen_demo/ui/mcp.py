"""The same endpoints as tools for agents, over MCP's streamable HTTP at `/gradio_api/mcp/`.

Gradio can offer endpoints as tools too, but without ranges and choices, and with lists of pictures as bare paths.
"""

import asyncio
import base64
import json
import math
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any, cast

import gradio as gr
from gradio.route_utils import get_root_url
from mcp import types
from mcp.server.fastmcp.utilities.func_metadata import func_metadata
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.context import RequestContext
from starlette.requests import Request
from starlette.routing import Mount

from .. import images
from ..api.catalog import Catalog
from ..service import Service
from ..visitors import Visitor
from ..web import Addresses
from .answers import Answer, Endpoint
from .endpoints import KINDS, STREAMED, make_endpoints
from .events import asker, in_words
from .parameters import narrowed

Context = RequestContext[Any, Any, Request]
PATH = "/gradio_api/mcp"
TICK = 5.0  # seconds between words to an agent that waits
USUAL = 15.0  # seconds of a picture
PREVIEW = 1024  # pixels of the longer side: enough to judge a picture by, and agents pay for each
LARGE = 6  # pictures that are shown so; more of them are shown smaller, and cost no more


class AgentServer:
    """The tools, and where in the app they are found.

    Attributes:
        tools: what agents are told of them.
        route: to be added to the app.
        run: a context in which they answer, once in the app's life.
    """

    def __init__(self, service: Service, addresses: Addresses) -> None:
        endpoints = make_endpoints(service)
        self.tools = [_tool(endpoint, service.engine.catalog, KINDS[name]) for name, endpoint in endpoints.items()]
        seen_through = in_words(_seen_through, "en")

        def address_of(file: Path, who: Visitor) -> str:
            """Where whoever is handed this address finds a picture for a day."""
            library = service.library(who.name)
            if entry := library.find(file.stem):
                return f"picture/{entry.id}?t={addresses.token(library, entry.id)}"
            return f"gradio_api/file={file}"

        server: Server[object, Request] = Server("Qwen Image Demo")

        @server.list_tools()  # type: ignore[no-untyped-call, untyped-decorator]
        async def tools() -> list[types.Tool]:
            return self.tools

        @server.call_tool()  # type: ignore[untyped-decorator]
        async def call(name: str, arguments: dict[str, Any]) -> types.CallToolResult:
            """Checked by the schema before. An exception's text goes to the agent."""
            if name not in endpoints:
                raise ValueError(f"There is no tool {name}.")
            context = server.request_context
            try:
                answered = await seen_through(endpoints[name], arguments, context)
                return await _answer(answered, cast(Request, context.request), address_of)
            except gr.Error as error:
                raise ValueError(unescape(error.message)) from error

        # Stateless: any of several processes can answer, and nobody's session has to be remembered.
        manager = StreamableHTTPSessionManager(server, stateless=True)
        self.route = Mount(PATH, manager.handle_request)
        self.run = manager.run


def _tool(endpoint: Endpoint, models: Catalog, kind: str) -> types.Tool:
    # Gradio puts the request in, and how results travel is nothing to an agent.
    signature = func_metadata(endpoint, ["http", "response_format"], structured_output=False)
    schema = narrowed(signature.arg_model.model_json_schema(), models, kind)
    schema["additionalProperties"] = False
    for part in (schema, *schema["properties"].values()):
        del part["title"]  # says the name once more
        if part.get("default", "") is None:
            del part["default"]
    paid = types.ToolAnnotations(readOnlyHint=False, destructiveHint=False, idempotentHint=False, openWorldHint=True)
    return types.Tool(name=endpoint.__name__, description=endpoint.__doc__, inputSchema=schema, annotations=paid)


class _Progress:
    """How far a tool is, told to an agent that asks for that.

    It has to grow, and one picture can take minutes: the next one counts for a part that grows more and more slowly.

    Args:
        context: of the agent's request.
        of: pictures that are ordered; None where that is not known yet.
    """

    def __init__(self, context: Context, of: int | None) -> None:
        self._context, self._of = context, of
        self._token = context.meta.progressToken if context.meta else None
        self._known = self._come = 0
        self._told, self._since = 0.0, time.monotonic()

    async def know(self, of: int, come: int) -> None:
        """It is known what came of one more picture."""
        self._of, self._come, self._since = of, come, time.monotonic()
        self._known += 1
        await self.tell()

    async def tell(self) -> None:
        """Say it, where it has grown."""
        waited = time.monotonic() - self._since
        progress = min(self._known + waited / (waited + USUAL), self._of or math.inf)
        if self._token is not None and progress > self._told:
            self._told = progress
            words = f"{self._come} of {self._of} pictures" if self._of else None
            session, id = self._context.session, str(self._context.request_id)
            await session.send_progress_notification(self._token, progress, self._of, words, id)


async def _seen_through(endpoint: Endpoint, arguments: dict[str, Any], context: Context) -> Answer:
    """What an endpoint answers in the end."""
    progress = _Progress(context, None if endpoint.__name__ in STREAMED else int(arguments.get("n", 1)))
    answers = endpoint(gr.Request(context.request), **arguments)
    answer: Answer = [], {}
    while True:
        following = asyncio.ensure_future(anext(answers, None))
        try:
            while not (await asyncio.wait([following], timeout=TICK))[0]:
                await progress.tell()
        finally:
            following.cancel()
        if (answered := following.result()) is None:
            return answer
        answer = answered
        if "of" in answer[1]:
            await progress.know(answer[1]["of"], answer[1]["come"])


async def _answer(
    answered: Answer, request: Request, address_of: Callable[[Path, Visitor], str]
) -> types.CallToolResult:
    """Small pictures to look at, then what an endpoint tells, with the addresses of the whole ones."""
    files, details = answered

    def address(file: str) -> str:
        return f"{get_root_url(request, PATH, None)}/{address_of(Path(file), asker(request))}"

    side = round(PREVIEW * min(1, math.sqrt(LARGE / len(files))))
    content: list[types.ContentBlock] = []
    for file in files:
        small = await asyncio.to_thread(images.preview, Path(file.path), side)
        content.append(types.ImageContent(type="image", data=base64.b64encode(small).decode(), mimeType="image/webp"))
    for picture, file in zip(details["pictures"], files, strict=True):
        picture["url"] = address(file.path)
        if region := picture.get("region"):
            region["answer"] = address(region["answer"]["path"]) if region["answer"] else None
    content.append(types.TextContent(type="text", text=json.dumps(details, ensure_ascii=False)))
    return types.CallToolResult(content=content)
