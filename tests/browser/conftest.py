"""One browser for the session, a fresh page for each test."""

from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from tests.browser import chromium
from tests.conftest import RunningApp

PHOTOS = Path(__file__).parents[2] / "qwen_demo" / "ui" / "photos"
expect.set_options(timeout=30_000)  # a busy machine is no failure
Open = Callable[..., Coroutine[Any, Any, Page]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = chromium.find()
    assert path, "no Chromium: `make test` installs one"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(chromium.ARGUMENTS))
        yield browser
        await browser.close()


@pytest.fixture
def logged() -> list[str]:
    """The errors that the pages logged."""
    return []


@pytest.fixture(scope="session")
def idle() -> dict[tuple[str, str], list[BrowserContext]]:
    """Browsers that no test uses, by language and colours. They know nobody, but have the scripts in their cache."""
    return {}


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(
    browser: Browser, app: RunningApp, logged: list[str], idle: dict[tuple[str, str], list[BrowserContext]]
) -> AsyncIterator[Open]:
    """Open the app as a new visitor, in English at 1400 × 900 unless told otherwise. A logged error fails the test."""
    used: list[tuple[tuple[str, str], BrowserContext]] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            logged.append(message.text)

    async def open_page(
        locale: str = "en-US", width: int = 1400, height: int = 900, colours: Literal["light", "dark"] = "light"
    ) -> Page:
        kept = idle.setdefault((locale, colours), [])
        context = kept.pop() if kept else await browser.new_context(locale=locale, color_scheme=colours)
        used.append(((locale, colours), context))
        page = await context.new_page()
        await page.set_viewport_size({"width": width, "height": height})
        page.on("console", listen)
        await page.goto(app.url, wait_until="domcontentloaded")
        await page.locator("#text-run").wait_for()
        return page

    yield open_page
    for key, context in used:
        for page in context.pages:
            await page.close()
        page = await context.new_page()
        tools = await context.new_cdp_session(page)
        await tools.send("Storage.clearDataForOrigin", {"origin": app.url, "storageTypes": "local_storage"})
        await page.close()
        await context.clear_cookies()
        idle[key].append(context)
    assert logged == []
