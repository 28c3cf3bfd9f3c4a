"""The tools for agents, called with the `mcp` package's own client."""

import asyncio
import base64
import io
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from mcp import ClientSession, types
from mcp.client.session import MessageHandlerFnT
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
from qwen_demo.ui import mcp as tools_module
from qwen_demo.ui.endpoints import KINDS
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
    service = Service(client, Orders(8), Library(tmp_path_factory.mktemp("mcp")), quota=Quota("12/day", ""), keyed=own)
    with launched(service, QWEN_DEMO_MCP="1", QWEN_DEMO_OWN_KEYS="1") as url:
        yield RunningApp(url, backend)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[RunningApp]:
    """The app with tools, which sends one call after the other."""
    backend = Backend()
    service = Service(QwenClient(KEY, "http://offline/v1", transport=backend), Orders(1), Library(folder))
    with launched(service, QWEN_DEMO_MCP="1") as url:
        yield RunningApp(url, backend)


@asynccontextmanager
async def agent(
    app: RunningApp, headers: dict[str, str] | None = None, hears: MessageHandlerFnT | None = None
) -> AsyncIterator[ClientSession]:
    """An agent's session with the app. What it is told besides answers, it `hears`."""
    async with (
        httpx.AsyncClient(headers=headers, timeout=60) as http,
        streamable_http_client(f"{app.url}/gradio_api/mcp/", http_client=http) as (read, write, _),
        ClientSession(read, write, message_handler=hears) as session,
    ):
        await session.initialize()
        yield session


def text_of(result: types.CallToolResult) -> str:
    (text,) = (content.text for content in result.content if isinstance(content, types.TextContent))
    return text


async def test_there_are_five_tools_with_choices_ranges_and_meanings(running: RunningApp) -> None:
    async with agent(running) as session:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
    assert {name: tool.inputSchema["required"] for name, tool in tools.items()} == {
        "text_to_image": ["prompt"],
        "edit_image": ["prompt", "image"],
        "fuse_images": ["prompt", "images"],
        "batch_edit": ["prompt", "images"],
        "vary": ["prompt"],
    }
    seed: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 2_147_483_647}
    size = {"type": "string", "enum": [size.name for size in catalog.SIZES]}
    for name, tool in tools.items():
        assert tool.description
        assert tool.inputSchema["additionalProperties"] is False
        properties: dict[str, Any] = tool.inputSchema["properties"]
        assert all(property.pop("description") for property in properties.values())
        assert "response_format" not in properties
        assert properties.keys().isdisjoint({"steps", "guidance"})  # no model here takes them
        models = [model.name for model in catalog.PROVIDER.doing(KINDS[name])]
        if name == "vary":
            assert properties["prompt"] == {"type": "string", "minLength": 1}
            assert properties["models"] == {"type": "array", "items": {"type": "string", "enum": models}}
            assert properties["sizes"] == {"type": "array", "items": size}
            assert properties["seeds"] == {"type": "array", "items": seed}
            assert properties["rewritings"] == {"type": "array", "items": {"type": "boolean"}}
            continue
        assert properties["prompt"] == {"type": "string", "minLength": 1, "maxLength": 800}
        assert properties["n"] == {"type": "integer", "minimum": 1, "maximum": 6, "default": 1}
        assert (properties["seed"], properties["size"]) == (seed, size)
        assert properties["model"] == {"type": "string", "enum": models, "default": models[0]}
    counts = [tools[name].inputSchema["properties"]["images"] for name in ("fuse_images", "batch_edit")]
    assert [(images["minItems"], images["maxItems"]) for images in counts] == [(2, 3), (1, 50)]


def test_a_new_model_and_its_sizes_are_offered_by_one_row(tmp_path: Path) -> None:
    new = Model("qwen-image-next", ("generations",), sizes=(*catalog.SIZES, Size(2048, 2048, "2:2")))
    engine = replace(PROVIDER_ENGINE, catalog=Catalog((new, *catalog.PROVIDER.models)))
    service = Service(QwenClient(KEY), Orders(1), Library(tmp_path), engine=engine)
    text, edit, *_, vary = AgentServer(service, Addresses(service.everything, bytes(32))).tools
    properties = text.inputSchema["properties"]
    assert properties["model"]["default"] == properties["model"]["enum"][0] == "qwen-image-next"
    assert properties["size"]["enum"] == [*(size.name for size in catalog.SIZES), "2048x2048"]
    assert vary.inputSchema["properties"]["models"]["items"] == {"type": "string", "enum": properties["model"]["enum"]}
    assert "2048x2048" not in edit.inputSchema["properties"]["size"]["enum"]


async def test_each_tool_gives_pictures_that_can_be_shown_and_fetched(running: RunningApp) -> None:
    photo = f"data:image/png;base64,{base64.b64encode(PHOTO.read_bytes()).decode()}"
    calls: list[tuple[str, dict[str, Any]]] = [
        ("text_to_image", {"n": 2, "seed": 7, "size": "1664x928"}),
        ("edit_image", {"image": photo}),
        ("fuse_images", {"images": [photo, photo]}),
        ("batch_edit", {"images": [photo, ADDRESS]}),
        ("vary", {"models": ["qwen-image"], "seeds": [0, 5]}),
    ]
    running.orders.clear()
    async with agent(running) as session, httpx.AsyncClient() as http:
        for name, arguments in calls:
            result = await session.call_tool(name, {"prompt": "图1 on a hill", **arguments})
            assert not result.isError
            pictures = [content for content in result.content if isinstance(content, types.ImageContent)]
            details = json.loads(text_of(result))
            expected = arguments.get("n", 1) if name in ("text_to_image", "edit_image", "fuse_images") else 2
            assert len(pictures) == len(details["pictures"]) == expected
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
        ("batch_edit", {"prompt": "a", "images": []}, "non-empty"),
        ("batch_edit", {"prompt": "a", "images": [ADDRESS] * 51}, "too long"),
        ("batch_edit", {"prompt": "a", "images": [ADDRESS] * 26, "n": 2}, "52 pictures, and one order takes 50"),
        ("vary", {"prompt": "a", "models": ["dall-e"]}, "is not one of"),
        ("vary", {"prompt": "a", "seeds": [-1]}, "less than the minimum of 0"),
        ("vary", {"prompt": "{a|b}" * 51}, "more than 50 texts"),
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
        for _ in range(13):
            result = await session.call_tool("text_to_image", {"prompt": "a"})
            told = text_of(result)
            if result.isError:
                break
        assert "used up" in told
        running.orders.clear()
        assert (await session.call_tool("text_to_image", {"prompt": "a"})).isError
        assert running.orders == []
    async with agent(running, own) as session:
        result = await session.call_tool("text_to_image", {"prompt": "a"})
    assert not result.isError
    assert own["X-Qwen-Api-Key"] not in result.model_dump_json()
    assert len(running.orders) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "totals"),
    [
        ("text_to_image", {"n": 2}, {2.0}),
        ("edit_image", {"image": ADDRESS, "n": 2}, {2.0}),
        ("batch_edit", {"images": [ADDRESS, ADDRESS + "?2"]}, {None, 2.0}),
        ("vary", {"seeds": [1, 2]}, {None, 2.0}),
    ],
)
async def test_an_agent_that_asks_for_it_is_told_how_far_it_is(
    name: str, arguments: dict[str, Any], totals: set[float | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools_module, "TICK", 0.01)
    told: list[tuple[float, float | None, str | None]] = []
    with one_at_a_time(tmp_path) as app:
        app.backend.open.clear()

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            told.append((progress, total, message))
            if len(told) == 3:  # while nothing has come
                app.backend.open.set()

        async with agent(app) as session:
            result = await session.call_tool(name, {"prompt": "a", **arguments}, progress_callback=hear)
    assert not result.isError
    grown = [progress for progress, _, _ in told]
    assert grown == sorted(set(grown))
    assert 0 < grown[0] < grown[2] < 1
    assert {total for _, total, _ in told} == totals
    assert told[0][2] == (None if None in totals else "0 of 2 pictures")
    assert told[-1] == (2, 2, "2 of 2 pictures")


async def test_who_doesnt_ask_for_it_is_told_the_end_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools_module, "TICK", 0.01)
    heard: list[object] = []
    ticks, tell = iter(range(3)), tools_module._Progress.tell

    async def hear(message: object) -> None:
        heard.append(message)

    with one_at_a_time(tmp_path) as app:
        app.backend.open.clear()

        async def counted(progress: tools_module._Progress) -> None:
            await tell(progress)
            if next(ticks, None) is None:
                app.backend.open.set()

        monkeypatch.setattr(tools_module._Progress, "tell", counted)
        async with agent(app, hears=hear) as session:
            result = await session.call_tool("vary", {"prompt": "a", "seeds": [1, 2]})
    assert not result.isError
    assert heard == []


async def test_of_many_pictures_each_is_shown_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools_module, "LARGE", 1)
    with one_at_a_time(tmp_path) as app:
        async with agent(app) as session:
            result = await session.call_tool("vary", {"prompt": "{a|b|c|d}"})
    shown = [content.data for content in result.content if isinstance(content, types.ImageContent)]
    assert [Image.open(io.BytesIO(base64.b64decode(data))).size for data in shown] == [(512, 512)] * 4


async def test_an_agent_that_goes_away_orders_nothing_more(tmp_path: Path, gone: threading.Event) -> None:
    with one_at_a_time(tmp_path) as app:
        app.backend.open.clear()

        async def ask(prompt: str) -> None:
            async with agent(app) as session:
                await session.call_tool("vary", {"prompt": prompt})

        asking = asyncio.create_task(ask("{a|b|c|d}"))
        assert await asyncio.to_thread(app.backend.wait_for_orders, 1)
        assert not gone.is_set()
        asking.cancel()
        assert await asyncio.to_thread(gone.wait, 60)
        app.backend.open.set()
        await ask("after all of these")
    assert [order["prompt"] for order in app.orders] == ["a", "after all of these"]
