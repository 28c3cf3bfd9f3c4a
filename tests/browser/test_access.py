"""The page is there for everyone: on any width, by day and by night, for those who don't see it."""

from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import Page, expect

from qwen_demo.i18n import translate
from tests.browser.conftest import PHOTOS, Open
from tests.browser.steps import run_and_wait, select, tab, tiles, upload, viewer
from tests.conftest import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABS = {"text": "tab_text", "edit": "tab_edit", "fusion": "tab_fusion", "history": "tab_history"}
PICTURES = {"text": 0, "edit": 1, "fusion": 2}
"""How many reference pictures a tab needs."""
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


async def test_nothing_stands_out_of_the_page(open_page: Open) -> None:
    page = await open_page(width=360)
    for width in (360, 390, 1400, 2560):
        await page.set_viewport_size({"width": width, "height": 900})
        for key in TABS.values():
            await tab(page, translate("en", key))
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, key)
            for part in await page.locator(".actions .run:visible, #feed:visible, #library .bar:visible").all():
                box = await part.bounding_box()
                assert box
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= width


@pytest.mark.parametrize(
    ("language", "width", "colours"),
    [("en", 1400, "light"), ("zh-CN", 390, "dark")],
)
async def test_axe_finds_nothing_serious(
    open_page: Open, app: RunningApp, language: str, width: int, colours: Any
) -> None:
    page = await open_page(language, width=width, colours=colours)
    assert await page.evaluate("document.body.classList.contains('dark')") is (colours == "dark")
    await page.evaluate(AXE)
    for prefix, key in TABS.items():
        await tab(page, translate(language, key))
        if prefix == "history":
            await expect(tiles(page).first.locator("img")).to_be_visible()
        assert await serious(page) == [], key
        if prefix in PICTURES:
            for number in range(1, PICTURES[prefix] + 1):
                await upload(
                    page, "edit-image" if prefix == "edit" else f"fusion-image-{number}", PHOTOS / "coffee.png"
                )
            await page.locator(f"#{prefix}-prompt textarea").fill("a hill")
            card = await run_and_wait(page, prefix)
            await expect(card.locator(".slot img")).to_be_visible()
            await card.locator("[data-act=code] > summary").click()
            await card.locator("[data-act=usage] > summary").click()
            await page.locator(f"#{prefix}-ideas > button").click()
            await expect(card.locator("[data-act=code] pre")).to_be_visible()
            assert await serious(page) == [], f"{key} with results"
            await page.locator(f"#{prefix}-prompt textarea").fill("")
            await page.locator(f"#{prefix}-run").click()
            await expect(page.locator(f"#{prefix}-status [role=alert]")).to_be_visible()
            assert await serious(page) == [], f"{key} with an error"
    await select(page, 0)
    assert await serious(page) == [], "History with a selection"
    await page.locator("#library [data-act=clear]").click()
    await tiles(page).first.locator("[data-act=open]").click()
    await viewer(page)
    assert await serious(page) == [], "the viewer"


@pytest.mark.parametrize("width", [1400, 390])
async def test_the_language_is_switched_in_sight_and_lasts(open_page: Open, app: RunningApp, width: int) -> None:
    page = await open_page("zh-HK", width=width)
    await tab(page, "图片编辑")
    await page.locator("#edit-prompt textarea").fill("更暖 & 更亮?")
    await page.locator("#edit-size").get_by_role("radio", name="9:16").check()
    await page.locator("#edit-watermark input").check()
    async with page.expect_navigation():
        await page.locator("#language-en").click()
    await expect(page.get_by_role("tab", name="Edit")).to_have_attribute("aria-selected", "true")
    # What was typed is not lost.
    await expect(page.locator("#edit-prompt textarea")).to_have_value("更暖 & 更亮?")
    await expect(page.locator("#edit-size").get_by_role("radio", name="9:16")).to_be_checked()
    await expect(page.locator("#edit-watermark input")).to_be_checked()
    await expect(page.locator("#edit-random-seed input")).to_be_checked()
    await page.wait_for_url(f"{app.url}/")
    later = await page.context.new_page()
    await later.goto(app.url, wait_until="domcontentloaded")
    await expect(later.get_by_role("tab", name="Edit")).to_be_visible()
    await later.locator("#text-run").click()
    await expect(later.locator("#text-status [role=alert]")).to_have_text("Prompt: write something first.")
    assert await later.evaluate("document.documentElement.lang") == "en"


@pytest.mark.parametrize(("language", "width"), [("en", 1400), ("zh-CN", 390)])
async def test_the_colours_are_switched_in_sight_and_last(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(language, width=width)
    dark = "document.body.classList.contains('dark')"
    assert not await page.evaluate(dark)
    await page.get_by_role("button", name=translate(language, "colours")).click()
    assert await page.evaluate(dark)
    later = await page.context.new_page()
    await later.goto(app.url, wait_until="domcontentloaded")
    await later.locator("#text-run").wait_for()
    assert await later.evaluate(dark)


async def serious(page: Page) -> list[str]:
    """What axe finds, as "rule: element"."""
    found: list[str] = await page.evaluate(
        """async () => (await axe.run()).violations
            .filter((rule) => ["serious", "critical"].includes(rule.impact))
            .flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)}`))"""
    )
    return found
