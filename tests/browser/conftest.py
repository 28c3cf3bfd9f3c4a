"""One browser for the session, a fresh page for each test."""

import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
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
NewContext = Callable[..., Coroutine[Any, Any, BrowserContext]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = chromium.find()
    assert path, "no Chromium: `make test` installs one"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(chromium.ARGUMENTS))
        yield browser
        await browser.close()


EXPECTED = {
    "net::ERR_INTERNET_DISCONNECTED": "a test takes the network away, and Chromium says so",
    "AbortError": "Gradio's streams end when the page loads itself anew, and it says so",
    "Connection errored out": "as it says of whatever else was under way when a page is left, or the network goes",
}
"""What pages may log as an error, as regular expressions, each with its reason."""


@pytest.fixture(scope="session")
def logged() -> list[str]:
    """The errors that pages logged."""
    return []


@pytest.fixture(autouse=True)
def nothing_logged(logged: list[str]) -> Iterator[None]:
    """An error in any page's console fails the test."""
    logged.clear()
    yield
    assert logged == []


@pytest.fixture(scope="session")
def new_context(browser: Browser, logged: list[str]) -> NewContext:
    """A new browser that knows nobody, whose pages are listened to; takes what Playwright's `new_context` takes."""

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(re.search(known, message.text) for known in EXPECTED):
            logged.append(message.text)

    async def make(**options: Any) -> BrowserContext:
        context = await browser.new_context(**options)
        context.on("console", heard)
        context.on("weberror", lambda thrown: logged.append(str(thrown.error)))
        return context

    return make


@pytest.fixture(scope="session")
def idle() -> dict[tuple[str, str], list[BrowserContext]]:
    """Browsers that no test uses, by language and colours. They know nobody, but have the scripts in their cache."""
    return {}


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(
    new_context: NewContext,
    app: RunningApp,
    idle: dict[tuple[str, str], list[BrowserContext]],
) -> AsyncIterator[Open]:
    """Open the app as a new visitor, in English at 1400 × 900 unless told otherwise."""
    used: list[tuple[tuple[str, str], BrowserContext]] = []

    async def open_page(
        locale: str = "en-US", width: int = 1400, height: int = 900, colours: Literal["light", "dark"] = "light"
    ) -> Page:
        kept = idle.setdefault((locale, colours), [])
        context = kept.pop() if kept else await new_context(locale=locale, color_scheme=colours)
        used.append(((locale, colours), context))
        page = await context.new_page()
        await page.set_viewport_size({"width": width, "height": height})
        await page.goto(app.url, wait_until="domcontentloaded")
        await page.locator("#text-run").wait_for()
        await page.locator("#feed [role=feed]").wait_for(state="attached")
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
