"""An order outlives the page that made it."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.steps import cards, picture_sizes, run
from tests.conftest import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def order_and_leave_it_running(page: Page, app: RunningApp) -> None:
    app.backend.open.clear()
    await page.locator("#text-prompt textarea").fill("a hill")
    await page.locator("#text-size").get_by_role("radio", name="4:3").check()
    card = await run(page, "text")
    await expect(card).to_have_attribute("data-state", "running")


async def come_back(page: Page, app: RunningApp) -> Page:
    """A new tab of the same browser; the old one is closed."""
    again = await page.context.new_page()
    await page.close()
    await again.goto(app.url, wait_until="domcontentloaded")
    return again


async def test_who_comes_back_finds_the_order_running_and_then_done(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await order_and_leave_it_running(page, app)
    again = await come_back(page, app)
    card = cards(again)
    await expect(card).to_have_attribute("data-state", "running")
    await expect(card.locator(".slot")).to_have_attribute("data-is", "waiting")
    app.backend.open.set()
    await expect(card).to_have_attribute("data-state", "done")
    assert await picture_sizes(card) == [(1472, 1140)]
    await expect(again.locator("#feed .session")).to_contain_text("pictures 1 · orders 1")
    assert len(app.orders) == 1


async def test_who_comes_back_late_finds_the_pictures_with_their_usage(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await order_and_leave_it_running(page, app)
    again = await come_back(page, app)
    stranger = await open_page()
    app.backend.open.set()
    await expect(cards(again)).to_have_attribute("data-state", "done")
    late = await come_back(again, app)
    assert await picture_sizes(cards(late)) == [(1472, 1140)]
    await expect(late.locator("#feed .session")).to_contain_text("pictures 1 · orders 1")
    await expect(stranger.locator("#feed .empty")).to_be_visible()
    await expect(cards(stranger)).to_have_count(0)
    assert len(app.orders) == 1


async def test_who_comes_back_can_stop(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await order_and_leave_it_running(page, app)
    again = await come_back(page, app)
    card = cards(again)
    await card.locator("[data-act=stop]").click()
    await expect(card.locator(".state")).to_contain_text("Stopped · 1 still come")
    await expect(card.locator("[data-act=stop]")).to_be_hidden()
    app.backend.open.set()
    assert await picture_sizes(card) == [(1472, 1140)]
    await expect(card).to_have_attribute("data-state", "done")


async def test_a_lost_network_heals_by_itself(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await order_and_leave_it_running(page, app)
    await page.context.set_offline(True)
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # one looks at it again
    await expect(page.locator("#feed .lost")).to_have_text("Connection lost. Trying again.")
    await page.context.set_offline(False)
    await expect(page.locator("#feed .lost")).to_have_text("")
    app.backend.open.set()
    await expect(cards(page)).to_have_attribute("data-state", "done")
    assert await picture_sizes(cards(page)) == [(1472, 1140)]
    assert len(app.orders) == 1
