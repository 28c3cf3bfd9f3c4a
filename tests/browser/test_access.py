"""The page is there for everyone: on any width, by day and by night, for those who don't see it."""

from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import Page, expect

from qwen_demo.i18n import translate
from tests.browser.conftest import Open
from tests.browser.steps import run_and_wait, tab
from tests.conftest import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABS = {"text": "tab_text", "edit": "tab_edit", "fusion": "tab_fusion", "history": "tab_history"}
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


async def test_nothing_stands_out_of_the_page(open_page: Open) -> None:
    page = await open_page(width=360)
    for width in (360, 390, 1400, 2560):
        await page.set_viewport_size({"width": width, "height": 900})
        for key in TABS.values():
            await tab(page, translate("en", key))
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, key)
            box = await page.locator(".actions .run:visible, #history-gallery:visible").first.bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width


@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_axe_finds_nothing_serious(open_page: Open, app: RunningApp, colours: Any) -> None:
    page = await open_page(colours=colours)
    assert await page.evaluate("document.body.classList.contains('dark')") is (colours == "dark")
    await page.evaluate(AXE)
    for prefix, key in TABS.items():
        await tab(page, translate("en", key))
        assert await serious(page) == [], key
        if prefix == "text":
            await page.locator("#text-prompt textarea").fill("a hill")
            await run_and_wait(page, "text")
            await page.locator("#text-code > button").click()
            await page.locator("#text-ideas > button").click()
            await expect(page.locator("#text-code .cm-content")).to_be_visible()
            assert await serious(page) == [], "with results"
            await page.locator("#text-prompt textarea").fill("")
            await page.locator("#text-run").click()
            await expect(page.locator("#text-status [role=alert]")).to_be_visible()
            assert await serious(page) == [], "with an error"


async def serious(page: Page) -> list[str]:
    """What axe finds, as "rule: element"."""
    found: list[str] = await page.evaluate(
        """async () => (await axe.run()).violations
            .filter((rule) => ["serious", "critical"].includes(rule.impact))
            .flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)}`))"""
    )
    return found
