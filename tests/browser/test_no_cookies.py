"""A browser that keeps no cookies, as some do in a Space's frame: what is ordered in a page is known to that page."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Page, expect

from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.web.cookie import VisitorCookie
from tests.browser.conftest import NewContext
from tests.browser.steps import download, look, picture_sizes, run, run_and_wait, tab, tiles
from tests.conftest import KEY, Backend, RunningApp, launched

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """The app as such a browser sees it: no cookie that it sets ever comes back. Each sees own pictures alone."""
    backend = Backend()
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    service = Service(client, Orders(8), Library(tmp_path_factory.mktemp("forgetful")), public=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VisitorCookie, "_cookie", lambda *_: "gone=; Max-Age=0")
        with launched(service, QWEN_DEMO_PUBLIC="1") as url:
            yield RunningApp(url, backend)


async def opened(new_context: NewContext, app: RunningApp) -> Page:
    """The page in such a browser."""
    context = await new_context(locale="en-US", viewport={"width": 1400, "height": 900})
    await context.add_init_script("Object.defineProperty(document, 'cookie', { get: () => '', set: () => {} })")
    page = await context.new_page()
    await page.goto(app.url, wait_until="domcontentloaded")
    return page


async def zipped(page: Page) -> Path:
    """All pictures of the library, as one file."""
    await tab(page, "History")
    await expect(tiles(page)).to_have_count(2)
    await page.keyboard.press("Control+a")
    return await download(page, "#library [data-act=zip]", "qwen-images.zip")


async def test_an_order_is_followed_stopped_and_its_pictures_used(
    new_context: NewContext, forgetful: RunningApp
) -> None:
    page = await opened(new_context, forgetful)
    context = page.context
    told = page.locator("#no-cookies")
    await expect(told).to_contain_text("This browser keeps no cookies here")
    await expect(told.get_by_role("link")).to_have_attribute("target", "_blank")
    await page.locator("#text-prompt textarea").fill("a hill without cookies")
    forgetful.backend.open.clear()
    card = await run(page, "text")
    assert await context.cookies() == []
    await card.locator("[data-act=stop]").click()
    await expect(card.locator(".state")).to_contain_text("Stopped · 1 still come")
    forgetful.backend.open.set()
    assert await picture_sizes(card) == [(1328, 1328)]
    await run_and_wait(page, "text")
    with zipfile.ZipFile(await zipped(page)) as archive:
        assert len(archive.namelist()) == 2
    table = (await download(page, "#library [data-act=csv]", "qwen-usage.csv")).read_text(encoding="utf-8-sig")
    assert len(table.splitlines()) == 3  # the labels, and two orders
    await tab(page, "Text to image")
    await look(page, card)
    await page.locator("#viewer [data-act=edit]").click()
    await expect(page.locator("#edit-image img")).to_be_visible()
    other = await context.new_page()
    await other.goto(forgetful.url, wait_until="domcontentloaded")
    await expect(other.locator("#feed .empty")).to_be_visible()
    await tab(other, "History")
    await expect(other.get_by_text("Nothing here yet.")).to_be_visible()
    await context.close()


async def test_a_contact_sheet_has_its_pictures(new_context: NewContext, forgetful: RunningApp) -> None:
    page = await opened(new_context, forgetful)
    await page.locator("#text-prompt textarea").fill("{red|blue} hat")
    await run_and_wait(page, "text")
    with Image.open(await download(page, "#feed .card [data-act=sheet]")) as sheet:
        colours = sheet.convert("RGB").getcolors(sheet.width * sheet.height) or []
    paper = next(count for count, colour in colours if colour == (255, 255, 255))
    assert paper < sheet.width * sheet.height / 2
    await page.context.close()


async def test_where_cookies_are_kept_nothing_is_said(new_context: NewContext, app: RunningApp) -> None:
    context = await new_context(locale="en-US")
    page = await context.new_page()
    await page.goto(app.url, wait_until="domcontentloaded")
    await page.locator("#text-run").wait_for()
    await expect(page.locator("#no-cookies")).to_be_hidden()
    await context.close()
