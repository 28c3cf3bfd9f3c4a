"""What was typed and set is there again, and the window says how far its orders are."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import PHOTOS, Open
from tests.browser.steps import drop, fill_number, outside, run, run_and_wait, said, tab, upload, usage
from tests.browser.test_history import png
from tests.conftest import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def again(page: Page, app: RunningApp, query: str = "") -> Page:
    """The app in another tab of the same browser, as after it was closed."""
    new = await page.context.new_page()
    await page.close()
    await new.goto(app.url + query, wait_until="domcontentloaded")
    await new.locator("#text-run").wait_for()
    return new


async def test_what_was_set_is_there_again_in_every_form(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a hill\nin & = ? # 雾 🏔")
    await page.locator("#text-size label").nth(3).click()
    await fill_number(page, "text-count", 3)
    await fill_number(page, "text-seed", 77)
    await page.locator("#text-watermark input").check()
    await tab(page, "Edit")
    await page.locator("#edit-prompt textarea").fill("make it night")
    await page.locator("#edit-negative textarea").fill("stars")

    page = await again(page, app)
    await expect(page.locator("#text-prompt textarea")).to_have_value("a hill\nin & = ? # 雾 🏔")
    await expect(page.locator("#text-size input").nth(3)).to_be_checked()
    await expect(page.locator("#text-count input[type=number]")).to_have_value("3")
    await expect(page.locator("#text-seed input[type=number]")).to_have_value("77")
    await expect(page.locator("#text-random-seed input")).not_to_be_checked()
    await expect(page.locator("#text-watermark input")).to_be_checked()
    await expect(page.get_by_role("tab", name="Text to image")).to_have_attribute("aria-selected", "true")
    await tab(page, "Edit")
    await expect(page.locator("#edit-prompt textarea")).to_have_value("make it night")
    await expect(page.locator("#edit-negative textarea")).to_have_value("stars")
    await expect(page.locator("#edit-random-seed input")).to_be_checked()

    # A link is for its own form, and an emptied prompt stays empty.
    await page.locator("#edit-prompt textarea").fill("")
    page = await again(page, app, "?tab=text&prompt=a+link")
    await expect(page.locator("#text-prompt textarea")).to_have_value("a link")
    await tab(page, "Edit")
    await expect(page.locator("#edit-negative textarea")).to_have_value("stars")
    await expect(page.locator("#edit-prompt textarea")).to_have_value("")
    assert app.orders == []


async def test_uploads_and_addresses_are_there_again_as_long_as_the_server_has_them(
    open_page: Open, app: RunningApp
) -> None:
    page = await open_page()
    await outside(page)
    await tab(page, "Fuse")
    await upload(page, "fusion-image-1", PHOTOS / "rocket.jpg")
    await page.locator("#fusion-image-2-address textarea, #fusion-image-2-address input").fill(
        "https://example.com/a.png"
    )
    await page.locator("#fusion-prompt textarea").fill("图1 behind 图2")
    await page.get_by_role("button", name="中文").click()
    await expect(page.locator("#fusion-run")).to_have_text("融合")
    await expect(page.get_by_role("tab", name="多图融合")).to_have_attribute("aria-selected", "true")
    await expect(page.locator("#fusion-image-1 img")).to_be_visible()
    await run_and_wait(page, "fusion")
    (order,) = app.orders
    assert [image[:21] for image in order["image"]] == ["data:image/png;base64", "https://example.com/a"]

    await page.evaluate("localStorage.setItem('qwen-image-demo-draft-edit', '?tab=edit&prompt=x&image_0=/etc/passwd')")
    page = await again(page, app)
    await tab(page, "图片编辑")
    await expect(page.locator("#edit-prompt textarea")).to_have_value("x")
    await expect(page.locator("#edit-image img")).to_have_count(0)


async def test_the_window_says_how_far_it_is(open_page: Open, app: RunningApp) -> None:
    page = await open_page()

    async def look(away: bool) -> None:
        await page.evaluate(
            """away => {
                Object.defineProperty(document, "hidden", { value: away, configurable: true });
                document.dispatchEvent(new Event("visibilitychange"));
            }""",
            away,
        )

    await expect(page).to_have_title("Qwen Image Demo")
    app.backend.open.clear()
    await page.locator("#text-prompt textarea").fill("a hill")
    await fill_number(page, "text-count", 2)
    card = await run(page, "text")
    await expect(page).to_have_title("0/2 · Qwen Image Demo")
    await look(away=True)
    app.backend.open.set()
    await expect(page).to_have_title("● Qwen Image Demo")
    await expect(card).to_have_attribute("data-state", "done")
    await look(away=False)
    await expect(page).to_have_title("Qwen Image Demo")


async def test_on_a_phone_the_page_goes_where_something_is_to_be_seen_or_done(open_page: Open) -> None:
    page = await open_page(width=390, height=844)
    await page.locator("#text-run").click()
    await expect(page.locator("#text-status [role=alert]")).to_be_visible()
    await expect(page.locator("#text-prompt textarea")).to_be_focused()
    await expect(page.locator("#text-prompt textarea")).to_be_in_viewport()
    await page.locator("#text-prompt textarea").fill("a hill")
    card = await run_and_wait(page, "text")
    await expect(card.locator(".slot img")).to_be_in_viewport()
    await card.locator("[data-act=again]").click()
    await expect(page.locator("#text-prompt textarea")).to_be_in_viewport()


async def test_settings_that_were_restored_are_told_where_they_are(open_page: Open) -> None:
    page = await open_page()
    await tab(page, "History")
    await drop(page.locator("h1"), "a.png", png(prompt="a hill", seed=7))
    await said(page, "Filled in: Prompt, Model, Size, Pictures, Seed.")
    await expect(page.get_by_role("tab", name="Text to image")).to_have_attribute("aria-selected", "true")
    await expect(page.locator("#text-prompt textarea")).to_have_value("a hill")


async def test_pictures_of_one_call_have_no_seeds_of_their_own(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await outside(page)
    await tab(page, "Edit")
    await page.locator("#edit-image-address textarea, #edit-image-address input").fill("https://example.com/a.png")
    await page.locator("#edit-prompt textarea").fill("make it night")
    await fill_number(page, "edit-count", 2)
    card = await run_and_wait(page, "edit")
    await expect(card.locator(".slot img")).to_have_count(2)
    assert len(app.orders) == 1
    assert await card.locator(".slot .seed").count() == 0
    assert (await usage(card))["Seed"] == str(app.orders[0]["seed"])
