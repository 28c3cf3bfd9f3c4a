"""The same three endpoints as tools for agents, over MCP's streamable HTTP at `/gradio_api/mcp/`.

Gradio can offer endpoints as tools too, but without ranges and choices, and with lists of pictures as bare paths.
"""

import base64
import binascii
import inspect
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from html import unescape
from pathlib import Path
from typing import Any, cast

import gradio as gr
from anyio import to_thread
from gradio.route_utils import get_root_url
from gradio.utils import get_function_description
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.routing import Mount

from .. import images
from ..api import catalog
from ..api.errors import InvalidRequest
from ..service import Service
from .endpoints import Endpoint, make_endpoints
from .events import told
from .visit import fresh_folder

PATH = "/gradio_api/mcp"
PREVIEW = 1024  # pixels of the longer side: enough to judge a picture by, and agents pay for each
_PICTURE = {"type": "string", "description": "an https:// address, or a data: URL with the picture in base64"}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "prompt": {"type": "string", "minLength": 1, "maxLength": catalog.MAX_PROMPT},
    "size": {"type": "string", "enum": [size.name for size in catalog.SIZES]},
    "n": {"type": "integer", "minimum": 1, "maximum": catalog.MAX_PICTURES},
    "seed": {"type": "integer", "minimum": 0, "maximum": catalog.MAX_SEED},
    "negative_prompt": {"type": "string", "maxLength": catalog.MAX_NEGATIVE_PROMPT},
    "optimize_prompt": {"type": "boolean"},
    "watermark": {"type": "boolean"},
    "image": _PICTURE,
    "images": {"type": "array", "items": _PICTURE, "minItems": 2, "maxItems": catalog.MAX_REFERENCES},
}


class Tools:
    """The tools, and where in the app they are found.

    Attributes:
        route: to be added to the app.
        run: a context in which they answer, once in the app's life.
    """

    route: Mount
    run: Callable[[], AbstractAsyncContextManager[None]]

    def __init__(self, service: Service) -> None:
        endpoints = {endpoint.__name__: endpoint for endpoint in make_endpoints(service)}
        answer = told(_answer, "en")
        server: Server[object, Request] = Server("Qwen Image Demo")

        @server.list_tools()  # type: ignore[no-untyped-call, untyped-decorator]
        async def tools() -> list[types.Tool]:
            return [_tool(endpoint) for endpoint in endpoints.values()]

        @server.call_tool()  # type: ignore[untyped-decorator]
        async def call(name: str, arguments: dict[str, Any]) -> types.CallToolResult:
            """Checked by the schema before. An exception's text goes to the agent."""
            if name not in endpoints:
                raise ValueError(f"There is no tool {name}.")
            try:
                return cast(
                    types.CallToolResult, await answer(endpoints[name], arguments, server.request_context.request)
                )
            except gr.Error as error:
                raise ValueError(unescape(error.message)) from error

        # Stateless: any of several processes can answer, and nobody's session has to be remembered.
        manager = StreamableHTTPSessionManager(server, stateless=True)
        self.route = Mount(PATH, manager.handle_request)
        self.run = manager.run


def _tool(endpoint: Endpoint) -> types.Tool:
    text, meanings, _ = get_function_description(endpoint)
    offered = catalog.models_for("generations" if endpoint.__name__ == "text_to_image" else "edits")
    models = {"type": "string", "enum": [model.name for model in offered]}
    known = {**_SCHEMAS, "model": models}
    properties, required = {}, []
    for name, parameter in inspect.signature(endpoint).parameters.items():
        if name not in known:
            continue  # the request that Gradio puts in, and how results travel, which is nothing to an agent
        properties[name] = {"description": meanings[name], **known[name]}
        if parameter.default is parameter.empty:
            required.append(name)
        elif parameter.default is not None:
            properties[name]["default"] = parameter.default
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    paid = types.ToolAnnotations(readOnlyHint=False, destructiveHint=False, idempotentHint=False, openWorldHint=True)
    return types.Tool(name=endpoint.__name__, description=text, inputSchema=schema, annotations=paid)


async def _answer(endpoint: Endpoint, arguments: dict[str, Any], request: Request) -> types.CallToolResult:
    """Small pictures to look at, then what an endpoint tells, with the addresses of the whole ones."""
    root = get_root_url(request, PATH, None)
    if "image" in arguments:
        arguments["image"] = _source("image", arguments["image"])
    if "images" in arguments:
        arguments["images"] = [_source("images", image) for image in arguments["images"]]
    files, details = await endpoint(gr.Request(request), **arguments)
    content: list[types.ContentBlock] = []
    for file in files:
        small = await to_thread.run_sync(images.preview, Path(file.path), PREVIEW)
        content.append(types.ImageContent(type="image", data=base64.b64encode(small).decode(), mimeType="image/webp"))
    details["pictures"] = [
        {**picture, "url": f"{root}/gradio_api/file={file.path}"}
        for picture, file in zip(details["pictures"], files, strict=True)
    ]
    content.append(types.TextContent(type="text", text=json.dumps(details, ensure_ascii=False)))
    return types.CallToolResult(content=content)


def _source(field: str, text: str) -> str | dict[str, str]:
    """An address as it is, a data: URL as the upload that it holds."""
    if not text.startswith("data:"):
        return text
    _, _, data = text.partition(",")
    try:
        picture = base64.b64decode(data, validate=True)
    except binascii.Error:
        raise InvalidRequest(field, "not_a_picture", "data:…") from None
    path = fresh_folder() / "image"
    path.write_bytes(picture)
    return {"path": str(path)}
