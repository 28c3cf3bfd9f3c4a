"""The viewer: one picture, or two at the same place and zoom, and what can be done with exactly what is shown."""

import base64
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import asyncio
import httpx
import pytest
import pytest_asyncio
from PIL import Image, ImageDraw
from playwright.async_api import BrowserContext, Locator, Page, expect

from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from tests.browser.conftest import NewContext
from tests.browser.steps import cards, fill_number, look, run, said, tab
from tests.conftest import KEY, Backend, launched

pytestmark = pytest.mark.asyncio(loop_scope="session")


@cache
def picture(seed: int, width: int, height: int) -> str:
    """A PNG with a square in its middle, each seed's in another colour, in base64."""
    image = Image.new("RGB", (width, height), (seed * 53 % 256, seed * 97 % 256, 128))
    middle = (width // 2 - 100, height // 2 - 100, width // 2 + 100, height // 2 + 100)
    ImageDraw.Draw(image).rectangle(middle, "white")
    image.save(buffer := io.BytesIO(), "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@dataclass
class Studio:
    """An app of its own, and the browser of its visitor: a card of two wide pictures over one of four squares.

    Attributes:
        orders: what was asked of the API.
        held: the seeds that wait.
    """

    url: str
    library: Library
    context: BrowserContext
    page: Page
    orders: list[dict[str, Any]] = field(default_factory=list)
    held: set[int] = field(default_factory=set)


async def order(page: Page, prompt: str, n: int, seed: int, size: str) -> Locator:
    """Order words' pictures with the seeds s, s+1, …. Gives the card."""
    await page.locator("#text-prompt textarea").fill(prompt)
    await page.locator("#text-size").get_by_role("radio", name=size).check()
    await fill_number(page, "text-count", n)
    await fill_number(page, "text-seed", seed)
    await expect(page.locator("#text-random-seed input")).not_to_be_checked()
    return await run(page, "text")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def studio(new_context: NewContext, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Studio]:
    orders: list[dict[str, Any]] = []
    held: set[int] = set()

    async def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        orders.append(body)
        seed, size = body["seed"], map(int, body.get("size", "600x400").split("x"))
        while seed in held:
            await asyncio.sleep(0.005)
        return httpx.Response(200, json={"data": [{"b64_json": picture(seed, *size)}] * body["n"], "usage": {}})

    backend = Backend()
    backend.handle_async_request = answer  # type: ignore[method-assign]
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    service = Service(client, Orders(8), Library(tmp_path_factory.mktemp("studio")), public=True)
    with launched(service, QWEN_DEMO_PUBLIC="1") as url:
        context = await new_context(locale="en-US", permissions=["clipboard-read", "clipboard-write"])
        page = await context.new_page()
        await page.set_viewport_size({"width": 1400, "height": 900})
        await page.goto(url, wait_until="domcontentloaded")
        await page.locator("#text-run").wait_for()
        visitor = next(cookie for cookie in await context.cookies() if cookie["name"] == "qwen-image-demo")
        library = service.library(visitor["value"].partition(".")[0])
        for card in (await order(page, "a hill", 4, 1, "1:1"), await order(page, "a valley", 2, 11, "16:9")):
            await expect(card).to_have_attribute("data-state", "done")
        yield Studio(url, library, context, page, orders, held)
        await context.close()


@pytest.fixture
def page(studio: Studio) -> Page:
    return studio.page


async def ids(page: Page, count: int) -> list[str]:
    """The feed's pictures, the newest card's first."""
    opens = page.locator("#feed .slot [data-act=open]")
    await expect(opens).to_have_count(count)
    found: list[str] = await opens.evaluate_all("opens => opens.map((open) => open.dataset.picture)")
    return found


async def test_explore(studio: Studio, page: Page) -> None:
    print(await ids(page, 6))
    view = await look(page, cards(page).nth(1), 2)
    await page.wait_for_timeout(1500)
    await page.screenshot(path="/tmp/v/single.png")
    print(await view.evaluate("v => v.innerHTML"))
    await page.keyboard.press("c")
    await page.wait_for_timeout(1000)
    await page.screenshot(path="/tmp/v/compare.png")
    await page.keyboard.press("1")
    await page.locator("#viewer [data-act=slider]").click()
    await page.wait_for_timeout(1000)
    await page.screenshot(path="/tmp/v/slider.png")
