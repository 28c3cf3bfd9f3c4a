"""What a newcomer adds first, and how little it takes. A language has a test of its own: `browser/test_language.py`."""

import ast
import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from qwen_demo.api import catalog
from qwen_demo.api.catalog import Catalog, Model, Size
from qwen_demo.api.client import QwenClient
from qwen_demo.api.engine import PROVIDER_ENGINE
from qwen_demo.api.requests import ImageEdit, ImageRequest, TextToImage
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.snippets import as_curl, as_json, as_openai, as_python
from tests.conftest import KEY, Backend, launched, payload, with_models

PHOTO = Path(__file__).parents[1] / "qwen_demo" / "ui" / "photos" / "rocket.jpg"
ADDRESS = "https://pictures.example/cat.png"
MODELS = [
    Model("qwen-image-next", ("generations",)),
    Model("qwen-image-free", ("generations",), sizes=(), rewrites=False),
    Model("qwen-image-wide", ("generations",), max_n=4, sizes=(Size(1280, 720, "16:9"), Size(720, 1280, "9:16"))),
    Model("qwen-image-edit-next", ("edits",), max_n=4),
    Model("qwen-image-edit-free", ("edits",), sizes=(), rewrites=False),
]


async def schemas(url: str) -> dict[str, dict[str, Any]]:
    """What agents read of each tool's parameters."""
    async with (
        httpx.AsyncClient(timeout=60) as http,
        streamable_http_client(f"{url}/gradio_api/mcp/", http_client=http) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        return {tool.name: tool.inputSchema["properties"] for tool in (await session.list_tools()).tools}


def part_of(url: str, elem_id: str) -> dict[str, Any]:
    """What the page is told of one of its parts."""
    config = httpx.get(f"{url}/config").json()
    (part,) = (part["props"] for part in config["components"] if part["props"].get("elem_id") == elem_id)
    return dict(part)


def choices(url: str, elem_id: str) -> list[str]:
    """What a control of the page offers."""
    return [value for _, value in part_of(url, elem_id)["choices"]]


def programs(request: ImageRequest) -> list[str]:
    return [make(PROVIDER_ENGINE, [request]) for make in (as_python, as_openai)]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
async def test_a_model_is_one_row(model: Model, tmp_path: Path) -> None:
    engine = with_models(model)
    drawing = "generations" in model.tasks
    endpoint, tab = ("text_to_image", "text") if drawing else ("edit_image", "edit")
    fields: dict[str, Any] = {"prompt": "a hill", "model": model.name, "size": model.default_size, "seed": 1}
    fields["catalog"] = engine.catalog
    request = TextToImage(**fields) if drawing else ImageEdit(image=ADDRESS, **fields)
    assert payload(request).get("size") == model.default_size
    assert ("enable" in payload(request).get("optimize_prompt_options", {})) == model.rewrites
    for text in (as_json(engine, [request]), as_curl(engine, [request]), *programs(request)):
        assert f'"{model.name}"' in text
    assert [bool(ast.parse(program).body) for program in programs(request)] == [True, True]

    backend = Backend(engine.catalog)
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    service = Service(client, Orders(8), Library(tmp_path), engine=engine)
    with launched(service, QWEN_DEMO_MCP="1") as url:
        assert model.name in choices(url, f"{tab}-model")
        assert model.name in part_of(url, "library")["props"]["models"]
        tools = await schemas(url)
        assert model.name in tools[endpoint]["model"]["enum"]
        assert set(model.size_names) <= set(tools[endpoint]["size"]["enum"])
        program = Client(url, verbose=False, download_files=str(tmp_path))
        picture = {} if drawing else {"image": handle_file(PHOTO)}
        files, details = program.predict(prompt="a hill", model=model.name, n=2, **picture, api_name=f"/{endpoint}")
        program.close()
    assert (details["model"], details["problems"], len(files)) == (model.name, [], 2)
    assert len(backend.orders) == (1 if model.max_n > 1 else 2)
    if drawing:
        with Image.open(files[0]) as image:
            assert image.size == catalog.pixels(model.default_size or catalog.DEFAULT_SIZE)


async def test_a_size_is_one_row(tmp_path: Path) -> None:
    sizes = (*catalog.SIZES, Size(1536, 1024, "3:2"))
    models = Catalog(tuple(replace(row, sizes=sizes) for row in catalog.PROVIDER.models if row.sizes))
    engine, backend = replace(PROVIDER_ENGINE, catalog=models), Backend(models)
    offline = QwenClient(KEY, "http://offline/v1", transport=backend)
    service = Service(offline, Orders(8), Library(tmp_path), engine=engine)
    with launched(service, QWEN_DEMO_MCP="1") as url:
        assert all("1536x1024" in choices(url, f"{tab}-size") for tab in ("text", "edit", "fusion"))
        tools = await schemas(url)
        assert all("1536x1024" in tool["size"]["enum"] for name, tool in tools.items() if name != "vary")
        assert "1536x1024" in tools["vary"]["sizes"]["items"]["enum"]
        css = str((await asyncio.to_thread(httpx.get, f"{url}/config")).json()["css"])
        assert '.shapes label:has([value="1536x1024"])' in css
        client = Client(url, verbose=False, download_files=str(tmp_path))
        files, _ = client.predict(prompt="a hill", size="1536x1024", api_name="/text_to_image")
        client.close()
    with Image.open(files[0]) as image:
        assert image.size == (1536, 1024)
