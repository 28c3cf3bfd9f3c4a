"""An order outlives the page that made it."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.steps import picture_sizes
from tests.conftest import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def order_and_leave_it_running(page: Page, app: RunningApp) -> None:
    app.backend.open.clear()
    await page.locator("#text-prompt textarea").fill("a hill")
    await page.locator("#text-size").get_by_role("radio", name="4:3").check()
    await page.locator("#text-run").click()
    await expect(page.locator("#text-status")).to_contain_text("0 of 1")


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
    await expect(again.locator("#text-status")).to_contain_text("0 of 1")
    await expect(again.locator("#text-run")).to_be_disabled()
    app.backend.open.set()
    await expect(again.locator("#text-status")).to_contain_text("Done in")
    assert await picture_sizes(again, "text-gallery") == [(1472, 1140)]
    await expect(again.locator("#text-usage .session")).to_contain_text("pictures 1 · orders 1")
    assert len(app.orders) == 1


async def test_who_comes_back_late_finds_the_pictures_with_their_usage(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await order_and_leave_it_running(page, app)
    again = await come_back(page, app)
    stranger = await open_page()
    app.backend.open.set()
    await expect(again.locator("#text-status")).to_contain_text("Done in")
    late = await come_back(again, app)
    assert await picture_sizes(late, "text-gallery") == [(1472, 1140)]
    await expect(late.locator("#text-usage .session")).to_contain_text("pictures 1 · orders 1")
    await expect(late.locator("#text-run")).to_be_enabled()
    await expect(stranger.locator("#text-gallery img")).to_have_count(0)
    assert len(app.orders) == 1


async def test_who_comes_back_can_cancel(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await order_and_leave_it_running(page, app)
    again = await come_back(page, app)
    await expect(again.locator("#text-status")).to_contain_text("0 of 1")
    await again.locator("#text-cancel").click()
    await expect(again.locator("#text-status")).to_contain_text("Stopped waiting. Already ordered: 1.")
    await expect(again.locator("#text-run")).to_be_enabled()
    app.backend.open.set()


async def test_a_lost_network_heals_by_itself(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await order_and_leave_it_running(page, app)
    await page.context.set_offline(True)
    await page.get_by_role("button", name="Red pandas").click()  # whatever asks the server finds out
    await expect(page.get_by_text("Connection to the server was lost")).to_be_visible()
    await page.context.set_offline(False)
    await expect(page.get_by_text("Connection to the server was lost")).to_have_count(0)
    app.backend.open.set()
    await expect(page.locator("#text-status")).to_contain_text("Done in")
    assert await picture_sizes(page, "text-gallery") == [(1472, 1140)]
    assert len(app.orders) == 1
