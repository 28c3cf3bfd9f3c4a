"""Change only here, as a visitor goes: a photo, paint, an order, its proof, other paint, and the steps at once."""

import io
import re

import httpx
import pytest
from PIL import Image
from playwright.async_api import Page, expect

from tests.browser.conftest import PHOTOS, Open
from tests.browser.steps import look, picture_sizes, run_and_wait, said, tab, upload
from tests.browser.test_painter import act, opened, stroke, strokes, words
from tests.conftest import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = (2000, 1500)
COUNTED = re.compile(r"^([\d,]+) of 3,000,000 pixels are your photo's, bit for bit\.$")


def photo(quality: int = 90) -> dict[str, object]:
    """A photograph of three megapixels, as a phone would send it; another one for each quality."""
    with Image.open(PHOTOS / "coffee.png") as picture:
        picture.convert("RGB").resize(SIZE).save(buffer := io.BytesIO(), "JPEG", quality=quality)
    return {"name": "coffee.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()}


async def identical(page: Page) -> int:
    """How many pixels the viewer counts as the photo's."""
    told = page.locator("#viewer .proof p").first
    await expect(told).to_have_text(COUNTED)
    found = COUNTED.match(await told.inner_text())
    assert found
    return int(found[1].replace(",", ""))


async def test_a_part_is_changed_proved_and_applied_again_at_no_charge(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    surface = await opened(page, photo())
    await stroke(page, surface, (450, 350), (550, 400))
    await page.locator("#edit-prompt textarea").fill("a red hat")
    card = await run_and_wait(page, "edit")
    (sent,) = app.orders
    assert (sent["prompt"], "size" in sent) == ("a red hat", False)
    # The feed shows a lighter one of what is large; the file has all of its pixels.
    assert await picture_sizes(card) == [SIZE]

    await look(page, card)
    before = await identical(page)
    assert 2_500_000 < before < 3_000_000
    await page.locator("[data-act=proof-map]").click()
    await expect(page.locator("#viewer .pane .label").nth(1)).to_have_text("What differs")
    await page.locator("[data-act=proof-sent]").click()
    await expect(page.locator("#viewer .pane .label")).to_have_text(["Sent", "Answered"])
    await page.locator("#viewer [data-act=repaint]").click()
    await said(page, re.compile("then apply again"))

    await expect(page.locator("#painter .frame")).to_be_visible()
    await stroke(page, surface, (450, 420), (500, 430))
    await strokes(page, 2)
    await act(page, "apply").click()
    await expect(page.locator("#edit-status")).to_have_text("Applied again, without a new call and at no charge.")
    assert len(app.orders) == 1
    await look(page, card)
    assert 2_400_000 < await identical(page) < before
    await expect(page.locator("#viewer .family [aria-current]")).to_have_count(1)
    await page.keyboard.press("Escape")

    await card.locator("[data-act=again]").click()
    await said(page, re.compile("^Filled in: Picture, Prompt"))
    await strokes(page, 1)


async def test_two_parts_are_one_order_with_words_of_their_own(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    surface = await opened(page, photo())
    await stroke(page, surface, (450, 350))
    await act(page, "add-part").click()
    await stroke(page, surface, (150, 600))
    await page.get_by_label("What shall change in part 2").fill("no lamp")
    await act(page, "part").first.click()
    await page.get_by_label("What shall change in part 1").fill("a red hat")
    await words(page, "a red hat", "no lamp")
    card = await run_and_wait(page, "edit")
    assert [sent["prompt"] for sent in app.orders] == ["a red hat", "no lamp"]
    assert await picture_sizes(card) == [SIZE, SIZE]
    await expect(card.locator("[data-act=prompt]")).to_have_text("1: a red hat\n2: no lamp")
    await page.reload(wait_until="domcontentloaded")
    card = page.locator("#feed .card").first
    await card.locator("[data-act=again]").click()
    await words(page, "a red hat", "no lamp")


async def test_the_words_of_all_steps_are_asked_of_the_original_at_once(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    surface = await opened(page, photo(88))
    await stroke(page, surface, (450, 350))
    await page.locator("#edit-prompt textarea").fill("a red hat")
    card = await run_and_wait(page, "edit")
    await look(page, card)
    await page.locator("#viewer [data-act=edit]").click()
    await strokes(page, 0)  # it is another picture
    await page.locator("#edit-prompt textarea").fill("warmer")
    await page.locator("#edit-run").click()
    await expect(page.locator("#edit-status")).to_contain_text("Paint over what shall change")
    await page.locator("#painter .switch").click()
    card = await run_and_wait(page, "edit")
    await look(page, card)
    await expect(page.locator("#viewer .family [data-act=show], #viewer .family [aria-current]")).to_have_count(3)
    await page.locator("#viewer [data-act=all-at-once]").click()
    await said(page, re.compile("^The words of 2 steps, for the original"))
    await words(page, "warmer", "a red hat")
    await expect(page.locator("#edit-prompt textarea")).to_have_value("")  # each part has its own words


async def test_a_plain_edit_is_aligned_to_its_photo(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await tab(page, "Edit")
    await upload(page, "edit-image", photo())
    await page.locator("#edit-prompt textarea").fill("a red hat")
    card = await run_and_wait(page, "edit")
    await look(page, card)
    await expect(page.locator("#viewer .proof p").first).to_have_text(
        re.compile(r"^The same scene, moved by the model by up to \d+ px\.")
    )
    await page.locator("#viewer [data-act=align]").click()
    await expect(page.locator("#viewer .proof p").first).to_have_text(re.compile("^The same scene at the same place"))
    await expect(page.locator("#viewer dd").first).to_have_text("2000×1500")
    assert len(app.orders) == 1


async def test_nobody_else_finds_a_proof_or_aligns_a_picture(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    surface = await opened(page, photo())
    await stroke(page, surface, (450, 350))
    await page.locator("#edit-prompt textarea").fill("a red hat")
    card = await run_and_wait(page, "edit")
    id = await card.locator("[data-picture]").get_attribute("data-picture")
    async with httpx.AsyncClient(base_url=app.url) as http:
        nothing = await http.get("/board/proof", params={"id": "2026-01-01-" + "0" * 24})
        assert nothing.status_code == 404
        found = await http.get("/board/proof", params={"id": id or ""})
        assert found.json()["said"][0].endswith("bit for bit.")  # where nobody else comes, all pictures are one's own
