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


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, app: RunningApp, logged: list[str]) -> AsyncIterator[Open]:
    """Open the app, in English at 1400 × 900 unless told otherwise. A page that logs an error fails its test."""
    contexts: list[BrowserContext] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            logged.append(message.text)

    async def open_page(
        locale: str = "en-US", width: int = 1400, height: int = 900, colours: Literal["light", "dark"] = "light"
    ) -> Page:
        context = await browser.new_context(
            locale=locale, viewport={"width": width, "height": height}, color_scheme=colours
        )
        contexts.append(context)
        page = await context.new_page()
        page.on("console", listen)
        await page.goto(app.url, wait_until="domcontentloaded")
        await page.locator("#text-run").wait_for()
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert logged == []
