"""Real photographs, and files in odd forms: the page, the endpoint and the agents' tool take them alike."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from playwright.async_api import expect

from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from tests.browser.conftest import PHOTOS, NewContext
from tests.browser.steps import run_and_wait, tab
from tests.conftest import KEY, Backend, RunningApp, launched
from tests.field.test_uploads import UPRIGHT, flag, saved
from tests.ui.test_mcp import agent

pytestmark = pytest.mark.asyncio(loop_scope="session")

ODD = {
    **{photo.name: photo.read_bytes() for photo in sorted(PHOTOS.iterdir())},
    "avif.jpg": saved(flag(), "AVIF"),
    "heic.heic": saved(flag(), "HEIF"),
    "cmyk.jpg": saved(flag().convert("CMYK"), "JPEG"),
    "palette.gif": saved(flag().convert("P"), "GIF"),
    "grey16.png": saved(flag().convert("L").convert("I;16")),
    "bilevel.tif": saved(flag().convert("1"), "TIFF"),
    "bmp.png": saved(flag(), "BMP"),
    "small.webp": saved(flag(80, 60), "WEBP"),
    "sideways.jpg": UPRIGHT["-1/0 in a JPEG"][0],
    "nonsense.png": UPRIGHT["nonsense behind a PNG's pixels"][0],
    "broken.tiff": UPRIGHT["a turned TIFF with a broken tag"][0],
    "broken.webp": UPRIGHT["-1/0 in a WebP"][0],
}


@pytest.fixture(scope="module")
def open_to_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    backend = Backend()
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    service = Service(client, Orders(8), Library(tmp_path_factory.mktemp("doors")))
    with launched(service, QWEN_DEMO_MCP="1") as url:
        yield RunningApp(url, backend)


async def test_photos_and_odd_files_pass_all_doors_alike(
    new_context: NewContext, open_to_all: RunningApp, tmp_path: Path
) -> None:
    context = await new_context(locale="en-US", viewport={"width": 1400, "height": 900})
    page = await context.new_page()
    await page.goto(open_to_all.url, wait_until="domcontentloaded")
    await page.locator("#text-run").wait_for()
    await tab(page, "Edit")
    await page.locator("#edit-prompt textarea").fill("warmer")
    programs = Client(open_to_all.url, verbose=False, download_files=str(tmp_path))
    orders = open_to_all.orders
    async with agent(open_to_all) as session:
        for name, data in ODD.items():
            path = tmp_path / name
            path.write_bytes(data)
            orders.clear()
            note = page.locator("#edit-image-note p")
            await page.locator("#edit-image input[type=file]").set_input_files(path)
            await expect(note).to_be_visible()
            assert await note.get_attribute("role") == "status", (name, await note.inner_text())
            await run_and_wait(page, "edit")
            picture = handle_file(path)
            await asyncio.to_thread(programs.predict, prompt="warmer", image=picture, api_name="/edit_image")
            text = f"data:application/octet-stream;base64,{base64.b64encode(data).decode()}"
            told = await session.call_tool("edit_image", {"prompt": "warmer", "image": text})
            assert not told.isError, (name, told.content)
            sent = {order["image"][0] for order in orders}
            assert (len(orders), len(sent)) == (3, 1), name
            await page.get_by_role("button", name="Remove Image").click()
            await expect(page.locator("#edit-image img")).to_have_count(0)
    programs.close()
    await context.close()
