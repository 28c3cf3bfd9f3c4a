"""What the browser tests do again and again."""

import re
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

from qwen_demo.i18n import texts


def begin(language: str, key: str) -> str:
    """The words of a text before its first fact."""
    return texts(language)[key].partition("{")[0].strip()


async def tab(page: Page, name: str) -> None:
    """Open a tab by its label."""
    await page.get_by_role("tab", name=name).click()


async def run_and_wait(page: Page, prefix: str, done: str = "Done in") -> None:
    """Press the run button and wait for the end."""
    await page.locator(f"#{prefix}-run").click()
    await expect(page.locator(f"#{prefix}-status")).to_contain_text(done)


async def upload(page: Page, slot: str, *files: Any) -> None:
    """Put a file into a picture slot and wait until it is made ready."""
    await page.locator(f"#{slot} input[type=file]").set_input_files(*files)
    await expect(page.locator(f"#{slot}-note p")).not_to_be_empty()


async def picture_sizes(page: Page, gallery: str) -> list[tuple[int, int]]:
    """The natural sizes of a gallery's pictures, once all are loaded."""
    selector = f"#{gallery} .grid-container img"
    await expect(page.locator(selector).first).to_be_visible()
    handle = await page.wait_for_function(
        """selector => {
            const images = [...document.querySelectorAll(selector)];
            return images.every(i => i.complete) && images.map(i => [i.naturalWidth, i.naturalHeight]);
        }""",
        arg=selector,
    )
    return [(width, height) for width, height in await handle.json_value()]


async def sources(page: Page, gallery: str) -> list[str]:
    """The addresses of a gallery's pictures."""
    images = await page.locator(f"#{gallery} .grid-container img").all()
    return [await image.get_attribute("src") or "" for image in images]


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
