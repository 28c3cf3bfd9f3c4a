"""What the browser tests do again and again."""

import base64
import re
from pathlib import Path
from typing import Any

from playwright.async_api import Frame, Locator, Page, expect

from tests.browser.conftest import PHOTOS


async def tab(page: Page | Frame, name: str) -> None:
    """Open a tab by its label."""
    await page.get_by_role("tab", name=name).click()


def cards(page: Page | Frame) -> Locator:
    """The feed's cards, the newest first."""
    return page.locator("#feed .card")


async def run(page: Page | Frame, prefix: str) -> Locator:
    """Press the run button and wait for the order's card, which is the first."""
    before = await cards(page).count()
    await page.locator(f"#{prefix}-run").click()
    await expect(cards(page)).to_have_count(before + 1)
    order = await cards(page).first.get_attribute("data-order")
    return page.locator(f'#feed .card[data-order="{order}"]')


async def run_and_wait(page: Page | Frame, prefix: str, state: str = "done") -> Locator:
    """Press the run button and wait until the order has ended so. Gives its card."""
    card = await run(page, prefix)
    await expect(card).to_have_attribute("data-state", state)
    return card


async def upload(page: Page, slot: str, *files: Any) -> None:
    """Put a file into a picture slot and wait until it is made ready."""
    await page.locator(f"#{slot} input[type=file]").set_input_files(*files)
    await expect(page.locator(f"#{slot}-note p")).not_to_be_empty()


async def picture_sizes(card: Locator) -> list[tuple[int, int]]:
    """The natural sizes of a card's pictures, once all are loaded."""
    await card.scroll_into_view_if_needed()  # far from the window nothing is loaded
    await expect(card.locator(".slot[data-is=waiting], .slot:not([data-is])")).to_have_count(0)
    sizes = await card.evaluate(
        """async card => {
            const images = [...card.querySelectorAll(".slot img")];
            await Promise.all(images.map(image => image.decode()));
            return images.map(image => [image.naturalWidth, image.naturalHeight]);
        }"""
    )
    return [(width, height) for width, height in sizes]


async def sources(card: Locator) -> list[str]:
    """The addresses of a card's pictures."""
    return [await image.get_attribute("src") or "" for image in await card.locator(".slot img").all()]


async def usage(card: Locator) -> dict[str, str]:
    """What a card's usage says, by its labels."""
    await card.locator("[data-act=usage] > summary").click()
    rows = card.locator("[data-act=usage] dl > div")
    return {await row.locator("dt").inner_text(): await row.locator("dd").inner_text() for row in await rows.all()}


async def look(page: Page | Frame, card: Locator, place: int = 0) -> Locator:
    """Open a card's picture. Gives the viewer."""
    await card.locator(f'.slot[data-slot="{place}"] [data-act=open]').click()
    return await viewer(page)


async def viewer(page: Page | Frame) -> Locator:
    """The viewer, open, with its recipe."""
    viewer = page.locator("#viewer[open]")
    await expect(viewer).to_be_visible()
    if not await viewer.locator("#viewer-recipe").is_visible():  # on a phone it is a sheet
        await viewer.locator("[data-act=info]").click()
    await expect(viewer.locator("#viewer-recipe")).not_to_have_attribute("aria-busy", "true")
    return viewer


async def recipe(viewer: Locator) -> dict[str, str]:
    """What the viewer tells of its picture, by its labels."""
    facts = viewer.locator("#viewer-recipe > dl")
    await expect(viewer.locator("#viewer-recipe")).not_to_have_attribute("aria-busy", "true")
    labels, values = facts.locator("dt"), facts.locator("dd")
    return dict(zip(await labels.all_inner_texts(), await values.all_inner_texts(), strict=True))


def tiles(page: Page | Frame) -> Locator:
    """The library's pictures that are in the page."""
    return page.locator("#library .tile")


async def search(page: Page, words: str) -> None:
    """Open the library and look for these words."""
    await page.locator("[role=tab][data-tab-id=history]").click()
    await page.locator("#library [data-act=search]").fill(words)


async def select(page: Page, *places: int) -> None:
    """Tick tiles of the library, by their places from 0."""
    for place in places:
        await tiles(page).nth(place).hover()
        await tiles(page).nth(place).locator("[data-act=select]").click()


async def said(page: Page, words: str | re.Pattern[str]) -> None:
    """Wait until the last line at the bottom says so."""
    await expect(page.locator(".board-notice span").last).to_have_text(words)


async def outside(page: Page) -> None:
    """Have every https:// address lead to a picture, where a test has no network."""
    await page.route(re.compile("^https://"), lambda route: route.fulfill(path=PHOTOS / "coffee.png"))


async def drop(target: Locator, name: str, data: bytes, type: str = "image/png") -> None:
    """Drop a file there, as from the desktop."""
    await target.evaluate(
        """(target, [name, data, type]) => {
            const files = new DataTransfer();
            files.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name, { type }));
            for (const kind of ["dragover", "drop"]) {
                target.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: files }));
            }
        }""",
        [name, base64.b64encode(data).decode(), type],
    )


async def download(page: Page, button: str, saved_as: str = ".*") -> Path:
    """Press a button and take the file that it brings, whose name is like that pattern."""
    async with page.expect_download() as download:
        await page.locator(button).click()
    came = await download.value
    assert re.fullmatch(saved_as, came.suggested_filename)
    return Path(await came.path())


async def fill_number(page: Page, control: str, value: int) -> None:
    """Type a number beside a slider and leave the field."""
    number = page.locator(f"#{control} input[type=number]")
    await number.fill(str(value))
    await number.press("Tab")
