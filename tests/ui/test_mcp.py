"""The tools for agents, called with the `mcp` package's own client."""

import base64
import io
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from qwen_demo.api import catalog
from qwen_demo.api.catalog import Catalog, Model, Size
from qwen_demo.api.client import QwenClient
from qwen_demo.api.engine import PROVIDER_ENGINE
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.quota import Quota
from qwen_demo.service import Service
from qwen_demo.ui.mcp import AgentServer
from qwen_demo.web import Addresses
from tests.conftest import KEY, Backend, RunningApp, launched

PHOTO = Path(__file__).parents[2] / "qwen_demo" / "ui" / "photos" / "astronaut.png"
ADDRESS = "https://example.com/input.png"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """The app with a quota and with tools."""
    backend = Backend()
    client, own = (QwenClient(key, "http://offline/v1", transport=backend) for key in (KEY, ""))
    service = Service(client, Orders(8), Library(tmp_path_factory.mktemp("mcp")), quota=Quota("8/day", ""), keyed=own)
    with launched(service, QWEN_DEMO_MCP="1", QWEN_DEMO_OWN_KEYS="1") as url:
        yield RunningApp(url, backend)


@asynccontextmanager
async def agent(app: RunningApp, **headers: str) -> AsyncIterator[ClientSession]:
    """An agent's session with the app."""
    async with (
        httpx.AsyncClient(headers=headers, timeout=60) as http,
        streamable_http_client(f"{app.url}/gradio_api/mcp/", http_client=http) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


def text_of(result: types.CallToolResult) -> str:
    (text,) = (content.text for content in result.content if isinstance(content, types.TextContent))
    return text


async def test_there_are_three_tools_with_choices_ranges_and_meanings(running: RunningApp) -> None:
    async with agent(running) as session:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
    assert list(tools) == ["text_to_image", "edit_image", "fuse_images"]
    assert [tool.inputSchema["required"] for tool in tools.values()] == [
        ["prompt"],
        ["prompt", "image"],
        ["prompt", "images"],
    ]
    for tool in tools.values():
        assert tool.description
        properties: dict[str, Any] = tool.inputSchema["properties"]
        assert all(property["description"] for property in properties.values())
        assert properties["n"] | {"description": ""} == {
            "type": "integer", "minimum": 1, "maximum": 6, "default": 1, "description": "",
        }  # fmt: skip
        assert properties["seed"] | {"description": ""} == {
            "type": "integer", "minimum": 0, "maximum": 2_147_483_647, "description": "",
        }  # fmt: skip
        assert properties["size"] | {"description": ""} == {
            "type": "string", "enum": [size.name for size in catalog.SIZES], "description": "",
        }  # fmt: skip
        assert properties["model"]["default"] in properties["model"]["enum"]
        assert "response_format" not in properties
        assert tool.inputSchema["additionalProperties"] is False
        kind = {"edit_image": "edit", "fuse_images": "fusion"}.get(tool.name, tool.name)
        assert properties["model"]["enum"] == [model.name for model in catalog.PROVIDER.doing(kind)]
        assert properties.keys().isdisjoint({"steps", "guidance"})  # no model here takes them
    assert tools["fuse_images"].inputSchema["properties"]["images"]["maxItems"] == 3


def test_a_new_model_and_its_sizes_are_offered_by_one_row(tmp_path: Path) -> None:
    new = Model("qwen-image-next", ("generations",), sizes=(*catalog.SIZES, Size(2048, 2048, "2:2")))
    engine = replace(PROVIDER_ENGINE, catalog=Catalog((new, *catalog.PROVIDER.models)))
    service = Service(QwenClient(KEY), Orders(1), Library(tmp_path), engine=engine)
    text, edit, _ = AgentServer(service, Addresses(service.everything, bytes(32))).tools
    properties = text.inputSchema["properties"]
    assert properties["model"]["default"] == properties["model"]["enum"][0] == "qwen-image-next"
    assert properties["size"]["enum"] == [*(size.name for size in catalog.SIZES), "2048x2048"]
    assert "2048x2048" not in edit.inputSchema["properties"]["size"]["enum"]


async def test_each_tool_gives_pictures_that_can_be_shown_and_fetched(running: RunningApp) -> None:
    photo = f"data:image/png;base64,{base64.b64encode(PHOTO.read_bytes()).decode()}"
    calls: list[tuple[str, dict[str, Any]]] = [
        ("text_to_image", {"n": 2, "seed": 7, "size": "1664x928"}),
        ("edit_image", {"image": photo}),
        ("fuse_images", {"images": [photo, photo]}),
    ]
    running.orders.clear()
    async with agent(running) as session, httpx.AsyncClient() as http:
        for name, arguments in calls:
            result = await session.call_tool(name, {"prompt": "图1 on a hill", **arguments})
            assert not result.isError
            pictures = [content for content in result.content if isinstance(content, types.ImageContent)]
            details = json.loads(text_of(result))
            assert len(pictures) == len(details["pictures"]) == arguments.get("n", 1)
            for picture, row in zip(pictures, details["pictures"], strict=True):
                with Image.open(io.BytesIO(base64.b64decode(picture.data))) as small:
                    assert (small.format, max(small.size)) == ("WEBP", min(1024, max(row["width"], row["height"])))
                fetched = await http.get(row["url"])  # by whoever is handed the address, without a cookie
                with Image.open(io.BytesIO(fetched.content)) as whole:
                    assert (whole.format, *whole.size) == ("PNG", row["width"], row["height"])
                assert re.fullmatch(rf"{running.url}/picture/\d{{4}}-\d\d-\d\d-[0-9a-f]{{24}}\?t=[\w.-]+", row["url"])
    assert running.orders[0]["seed"] == 7
    assert running.orders[2]["image"][0].startswith("data:image/")


async def test_an_agent_changes_only_a_part(running: RunningApp) -> None:
    mask = Image.new("L", (128, 128))
    mask.paste(255, (40, 40, 80, 80))
    mask.save(buffer := io.BytesIO(), "PNG")
    photo, where = (
        f"data:image/png;base64,{base64.b64encode(data).decode()}" for data in (PHOTO.read_bytes(), buffer.getvalue())
    )
    async with agent(running) as session, httpx.AsyncClient() as http:
        result = await session.call_tool("edit_image", {"prompt": "a moon", "image": photo, "mask": where})
        assert not result.isError
        (row,) = json.loads(text_of(result))["pictures"]
        whole, answer = await http.get(row["url"]), await http.get(row["region"]["answer"])
    with Image.open(PHOTO) as before, Image.open(io.BytesIO(whole.content)) as after:
        same = np.all(np.asarray(before.convert("RGB")) == np.asarray(after.convert("RGB")), axis=2)
        assert same.sum() == row["region"]["identical_pixels"]
        assert row["region"]["identical_pixels"] > 0.7 * before.width * before.height
    with Image.open(io.BytesIO(answer.content)) as raw:
        assert list(raw.size) == row["region"]["sent"]


async def test_an_address_is_passed_on_as_it_is(running: RunningApp) -> None:
    running.orders.clear()
    async with agent(running) as session:
        await session.call_tool("edit_image", {"prompt": "a", "image": ADDRESS})
    assert running.orders[0]["image"] == [ADDRESS]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("text_to_image", {"prompt": "a", "n": 7}, "7 is greater than the maximum of 6"),
        ("text_to_image", {"prompt": "a", "model": "dall-e"}, "is not one of"),
        ("text_to_image", {}, "'prompt' is a required property"),
        ("text_to_image", {"prompt": " "}, "Prompt"),
        ("edit_image", {"prompt": "a", "image": "/etc/passwd"}, "https://"),
        ("edit_image", {"prompt": "a", "image": "data:image/png;base64,!"}, "can't be read as a picture"),
        ("edit_image", {"prompt": "a", "image": "data:text/html;base64,PGI+"}, "can't be read as a picture"),
        ("fuse_images", {"prompt": "a", "images": [ADDRESS]}, "too short"),
        ("delete_everything", {}, "no tool"),
    ],
)
async def test_what_cant_be_asked_is_told_and_not_sent(
    running: RunningApp, name: str, arguments: dict[str, Any], told: str
) -> None:
    running.orders.clear()
    async with agent(running) as session:
        result = await session.call_tool(name, arguments)
    assert result.isError
    assert told in text_of(result)
    assert running.orders == []


async def test_quotas_and_keys_hold_for_agents_too(running: RunningApp) -> None:
    own = {"X-Qwen-Api-Key": "sk-an-agents-own-1234"}
    async with agent(running) as session:
        told = ""
        for _ in range(9):
            result = await session.call_tool("text_to_image", {"prompt": "a"})
            told = text_of(result)
            if result.isError:
                break
        assert "used up" in told
        running.orders.clear()
        assert (await session.call_tool("text_to_image", {"prompt": "a"})).isError
        assert running.orders == []
    async with agent(running, **own) as session:
        result = await session.call_tool("text_to_image", {"prompt": "a"})
    assert not result.isError
    assert own["X-Qwen-Api-Key"] not in result.model_dump_json()
    assert len(running.orders) == 1
