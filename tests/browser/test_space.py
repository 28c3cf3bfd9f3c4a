"""The app as a Space shows it: in a frame of another site, in browsers that keep more or less of such a one."""

import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import ConsoleMessage, Frame, Locator, Page, async_playwright, expect

from deploy.rehearse_space import NAME, SITE, Space, hosted, lacking
from tests.browser import chromium
from tests.browser.conftest import EXPECTED
from tests.browser.steps import cards, look, picture_sizes, run_and_wait, tab, tiles

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(bool(lacking()), reason=f"NOT TRIED: a Space in its frame. It needs: {lacking()}"),
]
KEEPS: dict[str, dict[str, Any]] = {
    "everything": {"cookie_controls_mode": 0},
    "no third party's cookies": {"cookie_controls_mode": 1},
    "nothing": {"default_content_setting_values": {"cookies": 2}},
}
"""Chromium's preferences, by what such a browser keeps. The second keeps cookies that belong to both sites (CHIPS), but
no storage, and throws where that is looked for."""
AROUND = f"https://{SITE}/"
"""Gradio asks there how a Space does, and may not; and the page around it, which is ours, has no icon."""
OpenIn = Callable[..., Coroutine[Any, Any, Page]]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with hosted(tmp_path_factory.mktemp("space")) as space:
        space.start(storage=True)
        yield space


@pytest_asyncio.fixture(loop_scope="session")
async def open_in(space: Space, tmp_path: Path, logged: list[str]) -> AsyncIterator[OpenIn]:
    """Open the page around the Space in a new browser that keeps only so much."""

    def heard(message: ConsoleMessage) -> None:
        told = f"{message.location['url']} {message.text}"
        if message.type == "error" and not any(re.search(known, told) for known in (*EXPECTED, AROUND)):
            logged.append(told)

    async with async_playwright() as playwright:

        async def open_in(keeps: str, width: int = 1400, locale: str = "en-US") -> Page:
            (tmp_path / "Default").mkdir()
            (tmp_path / "Default" / "Preferences").write_text(json.dumps({"profile": KEEPS[keeps]}), encoding="utf-8")
            rules = ",".join(f"MAP {name}:443 127.0.0.1:{space.front}" for name in (SITE, NAME))
            browser = await playwright.chromium.launch_persistent_context(
                tmp_path,
                executable_path=chromium.find(),
                args=[*chromium.ARGUMENTS, "--ignore-certificate-errors", f"--host-resolver-rules={rules}"],
                viewport={"width": width, "height": 900},
                locale=locale,
            )
            browser.on("console", heard)
            browser.on("weberror", lambda thrown: logged.append(str(thrown.error)))
            page = await browser.new_page()
            await page.goto(f"https://{SITE}")
            return page

        yield open_in


async def shown(page: Page) -> Frame:
    """The app in its frame, ready to be used."""
    element = await page.wait_for_selector("iframe")
    frame = await element.content_frame() if element else None
    assert frame
    await frame.locator("#feed [role=feed]").wait_for(state="attached")
    return frame


async def downloaded(page: Page, button: Locator, name: str) -> Path:
    """Press a button and take the file that it brings, whose name is like that pattern."""
    async with page.expect_download() as download:
        await button.click()
    came = await download.value
    assert re.fullmatch(name, came.suggested_filename)
    return Path(await came.path())


@pytest.mark.parametrize("keeps", KEEPS)
async def test_a_picture_is_ordered_looked_at_and_downloaded_in_the_frame(keeps: str, open_in: OpenIn) -> None:
    page = await open_in(keeps)
    app = await shown(page)
    await expect(app.locator("#no-cookies")).to_be_visible(visible=keeps == "nothing")
    await app.locator("#text-prompt textarea").fill("a hill in a frame")
    card = await run_and_wait(app, "text")
    assert await picture_sizes(card) == [(1328, 1328)]
    viewer = await look(app, card)
    with Image.open(
        await downloaded(page, viewer.locator("[data-act=download]"), ".*-a-hill-in-a-frame-.*png")
    ) as file:
        assert (file.format, file.size) == ("PNG", (1328, 1328))
    await viewer.locator("[data-act=close]").click()
    await tab(app, "History")
    await expect(tiles(app)).to_have_count(1)
    table = await downloaded(page, app.locator("#library [data-act=csv]"), "qwen-usage.csv")
    assert len(table.read_text(encoding="utf-8-sig").splitlines()) == 2  # the labels, and this order
    await page.reload()
    app = await shown(page)
    await expect(cards(app)).to_have_count(0 if keeps == "nothing" else 1)


@pytest.mark.parametrize("keeps", list(KEEPS)[:2])
async def test_the_language_is_chosen_in_the_frame(keeps: str, open_in: OpenIn) -> None:
    page = await open_in(keeps, width=390)
    app = await shown(page)
    await app.locator("#language-zh-CN").click()
    await expect(app.get_by_role("tab", name="文生图")).to_be_visible()
    await page.reload()
    await expect((await shown(page)).get_by_role("tab", name="文生图")).to_be_visible()


async def test_what_a_browser_that_keeps_nothing_could_not_keep_is_not_offered(open_in: OpenIn) -> None:
    page = await open_in("nothing", width=390, locale="zh-CN")
    app = await shown(page)
    await expect(app.get_by_role("tab", name="文生图")).to_be_visible()
    await expect(app.locator("#colours")).to_be_visible()
    await expect(app.locator("[id^=language-]").first).to_be_hidden()


async def test_an_order_outlives_a_restart_of_the_space_with_storage(space: Space, open_in: OpenIn) -> None:
    page = await open_in("no third party's cookies")
    app = await shown(page)
    await app.locator("#text-prompt textarea").fill("a hill that stays")
    await run_and_wait(app, "text")
    await page.goto("about:blank")
    space.start(storage=True)
    await page.goto(f"https://{SITE}")
    card = cards(await shown(page))
    await expect(card).to_have_attribute("data-state", "done")
    assert await picture_sizes(card) == [(1328, 1328)]
