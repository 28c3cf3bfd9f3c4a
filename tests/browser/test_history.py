"""History, restoring, and editing on, by what a person sees and does."""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Page, expect

from qwen_demo.recipe import Recipe, embed, read
from tests.browser.conftest import PHOTOS, Open
from tests.browser.steps import (
    cards,
    download,
    drop,
    fill_number,
    look,
    picture_sizes,
    recipe,
    run,
    run_and_wait,
    said,
    search,
    select,
    tab,
    tiles,
    upload,
    viewer,
)
from tests.conftest import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def settings(page: Page, prefix: str) -> dict[str, Any]:
    """Every control's value, as the page shows it."""
    return {
        "prompt": await page.locator(f"#{prefix}-prompt textarea").input_value(),
        "negative": await page.locator(f"#{prefix}-negative textarea").input_value(),
        "model": await page.locator(f"#{prefix}-model input").input_value(),
        "size": await page.locator(f"#{prefix}-size input:checked").get_attribute("value"),
        "count": await page.locator(f"#{prefix}-count input[type=number]").input_value(),
        "seed": await page.locator(f"#{prefix}-seed input[type=number]").input_value(),
        "random": await page.locator(f"#{prefix}-random-seed input").is_checked(),
        "watermark": await page.locator(f"#{prefix}-watermark input").is_checked(),
        "optimize": await page.locator(f"#{prefix}-optimize input").is_checked(),
    }


async def test_a_result_dropped_back_restores_every_control(open_page: Open, tmp_path: Path) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("雪山与湖\n<3 emoji 🐱")
    await page.locator("#text-negative textarea").fill("blurry")
    await page.locator("#text-size").get_by_role("radio", name="9:16").check()
    await page.locator("#text-model input").click()
    await page.get_by_role("option", name="qwen-image", exact=True).click()
    await page.locator("#text-watermark input").check()
    await page.locator("#text-optimize input").uncheck()
    await fill_number(page, "text-seed", 0)
    await expect(page.locator("#text-random-seed input")).not_to_be_checked()
    card = await run_and_wait(page, "text")
    before = await settings(page, "text")
    assert before == {
        "prompt": "雪山与湖\n<3 emoji 🐱",
        "negative": "blurry",
        "model": "qwen-image",
        "size": "928x1664",
        "count": "1",
        "seed": "0",
        "random": False,
        "watermark": True,
        "optimize": False,
    }
    await look(page, card)
    original = await download(page, "#viewer [data-act=download]")
    fresh = await open_page()
    await tab(fresh, "History")
    await drop(fresh.locator("h1"), "renamed.png", original.read_bytes())
    await said(fresh, "Filled in: Prompt, Negative prompt, Model, Size, Pictures, Seed.")
    await expect(fresh.locator("#text-prompt textarea")).to_be_visible()
    await expect(fresh.locator("#text-prompt textarea")).to_have_value(before["prompt"])
    assert await settings(fresh, "text") == before


def png(recipe_text: bytes | None = None, **fields: Any) -> bytes:
    """A small PNG, with a recipe of these fields or with this text in a recipe's place."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    recipe = Recipe(kind="text_to_image", model="qwen-image-plus", size="1328x1328", **({"prompt": "x"} | fields))
    return embed(buffer.getvalue(), recipe) if recipe_text is None else buffer.getvalue()


BAD_RECIPES = [
    (png(prompt="x" * 200_000), "The settings in this picture are too large to be true. Nothing was restored."),
    (png(n="many"), "The settings in this picture are broken. Nothing was restored."),
    (png(prompt="<img src=x onerror=alert(1)>"), "The settings in this picture hold HTML. Nothing was restored."),
]


async def test_a_picture_with_a_bad_recipe_is_refused_in_words(open_page: Open) -> None:
    page = await open_page()
    for data, message in BAD_RECIPES:
        await drop(page.locator("h1"), "dropped.png", data)
        await expect(page.get_by_text(message)).to_be_visible()
    assert await page.locator("#text-prompt textarea").input_value() == ""


async def test_a_picture_without_a_recipe_goes_into_the_tabs_slot(open_page: Open) -> None:
    page = await open_page()
    photo = (PHOTOS / "coffee.png").read_bytes()
    await drop(page.locator("#feed"), "coffee.png", photo)
    await expect(page.locator("#edit-image-note p")).to_have_text("600×400 PNG")
    await expect(page.locator("#edit-image img")).to_be_visible()
    await drop(page.locator("h1"), "dropped.png", b"<html>")
    await expect(page.locator("#edit-image-note [role=alert]")).to_have_text(
        "Picture: 'dropped.png' can't be read as a picture. Use a JPG, PNG, WEBP, BMP, TIFF, GIF, HEIC or AVIF."
    )
    await tab(page, "Fuse")
    for number in (1, 2, 3):
        await drop(page.locator("#feed"), "coffee.png", photo)
        await expect(page.locator(f"#fusion-image-{number} img")).to_be_visible()
    await drop(page.locator("#feed"), "coffee.png", photo)
    await expect(page.get_by_text("All three places are taken. Empty one first.")).to_be_visible()


async def test_history_finds_shows_uses_and_deletes(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a zebra on a pier")
    await fill_number(page, "text-count", 2)
    await run_and_wait(page, "text")
    seeds = {str(order["seed"]) for order in app.orders}
    await search(page, "zebra PIER")
    await expect(tiles(page)).to_have_count(2)
    await search(page, "no such words")
    await expect(page.locator("#library .told")).to_have_text("Nothing found. Try other words.")
    await search(page, "zebra PIER")
    await expect(tiles(page)).to_have_count(2)
    await tiles(page).nth(1).locator("[data-act=open]").click()
    shown = await viewer(page)
    first = (await recipe(shown))["Seed"]
    (second,) = seeds - {first}
    saved_as = rf"\d{{6}}-a-zebra-on-a-pier-qwen-image-plus-{first}-\d\.png"
    original = await download(page, "#viewer [data-act=download]", saved_as)
    assert str(read(original).seed) == first
    await page.keyboard.press("ArrowLeft")
    await expect(shown.locator(".count")).to_have_text("1 / 2")
    assert (await recipe(shown))["Seed"] == second
    await page.keyboard.press("Escape")
    await expect(tiles(page).first.locator("[data-act=open]")).to_be_focused()
    await select(page, 0, 1)
    await expect(page.locator("#library .tools")).to_contain_text("2 selected")
    archive = await download(page, "#library [data-act=zip]", "qwen-images.zip")
    with zipfile.ZipFile(archive) as opened:
        assert len(opened.namelist()) == 2
        assert original.read_bytes() in [opened.read(name) for name in opened.namelist()]
    await page.keyboard.press("Escape")
    await expect(page.locator("#library .tools")).to_be_hidden()
    await tiles(page).nth(1).locator("[data-act=open]").click()
    await page.locator("#viewer [data-act=settings-seed]").click()
    await said(page, "Filled in: Prompt, Model, Size, Pictures, Seed.")
    await expect(page.locator("#text-seed input[type=number]")).to_be_visible()
    await expect(page.locator("#text-seed input[type=number]")).to_have_value(first)
    await expect(page.locator("#text-random-seed input")).not_to_be_checked()
    await tab(page, "History")
    await expect(tiles(page)).to_have_count(2)
    await tiles(page).first.locator("[data-act=open]").click()
    assert (await recipe(await viewer(page)))["Seed"] == second
    loaded = [await image.get_attribute("src") or "" for image in await shown.locator(".strip img").all()]
    loaded += [address.partition("?")[0] for address in loaded]
    assert [(await page.request.get(address)).status for address in loaded] == [200] * 4
    await page.keyboard.press("Delete")
    await said(page, "1 deleted")
    assert (await recipe(shown))["Seed"] == first
    await page.locator(".board-notice [data-act=undo]").click()
    await expect(shown.locator(".count")).to_have_text("1 / 2")
    assert (await recipe(shown))["Seed"] == second
    await page.keyboard.press("Delete")
    await expect(shown.locator(".count")).to_have_text("1 / 1")
    await page.keyboard.press("Escape")
    await expect(tiles(page)).to_have_count(1)
    # Of the deleted one neither the small picture nor the large one is there.
    assert [(await page.request.get(address)).status for address in loaded] == [404, 200] * 2


async def test_results_are_edited_on_and_each_step_can_be_gone_back_to(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await tab(page, "Edit")
    with Image.open(PHOTOS / "coffee.png") as picture:  # a part of it, of which no other test makes anything
        picture.crop((0, 0, 580, 390)).save(buffer := io.BytesIO(), "PNG")
    own = {"name": "coffee.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    await upload(page, "edit-image", own)
    slot = page.locator("#edit-image img")
    await page.locator("#edit-prompt textarea").fill("black and white")
    grey = await run_and_wait(page, "edit")
    coffee = await slot.get_attribute("src") or ""
    await look(page, grey)
    await page.locator("#viewer [data-act=edit]").click()
    await said(page, "The picture is in the Edit tab now.")
    await expect(slot).not_to_have_attribute("src", coffee)
    await page.locator("#edit-prompt textarea").fill("blur")
    blurred = await run_and_wait(page, "edit")
    shown = await look(page, blurred)
    steps = shown.locator(".family [data-act=show]")
    await expect(steps).to_have_count(3)
    await page.keyboard.press("c")
    await steps.first.click()
    frames = shown.locator(".pane .frame")
    await expect(frames.first).to_have_attribute("aria-label", "blur")
    await expect(frames.last).to_have_attribute("aria-label", "Reference picture")
    await page.keyboard.press("c")
    await expect(shown.locator(".family [aria-current=true]")).to_have_text("Photo")
    result = await slot.get_attribute("src") or ""
    await page.locator("#viewer [data-act=edit]").click()
    await expect(slot).not_to_have_attribute("src", result)
    await expect(page.locator("#viewer")).to_be_hidden()
    again = await run_and_wait(page, "edit")
    first, second, third = (order["image"] for order in app.orders)
    assert first == third != second
    await page.locator("#edit-image").get_by_role("button", name="Remove Image").click()
    await expect(slot).to_have_count(0)
    await look(page, again)
    await page.locator("#viewer [data-act=settings]").click()
    await said(page, "Filled in: Picture, Prompt, Model, Pictures.")
    await expect(slot).to_be_visible()
    await run_and_wait(page, "edit")
    assert app.orders[3]["image"] == first


async def test_a_result_goes_to_the_next_free_place_of_the_fusion(open_page: Open) -> None:
    page = await open_page()
    await tab(page, "Fuse")
    await upload(page, "fusion-image-1", PHOTOS / "coffee.png")
    await tab(page, "Text to image")
    await page.locator("#text-prompt textarea").fill("a hill")
    card = await run_and_wait(page, "text")
    for number in (2, 3):
        await look(page, card)
        await page.locator("#viewer [data-act=fuse]").click()
        await said(page, f"Added to the fusion as image {number}.")
        await expect(page.locator(f"#fusion-image-{number} img")).to_be_visible()
    await look(page, card)
    await page.locator("#viewer [data-act=fuse]").click()
    await expect(page.get_by_text("All three places are taken. Empty one first.")).to_be_visible()


async def test_who_comes_back_finds_the_last_results(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a hill")
    await page.locator("#text-size").get_by_role("radio", name="4:3").check()
    await run_and_wait(page, "text")
    again = await page.context.new_page()
    await page.close()
    await again.goto(app.url, wait_until="domcontentloaded")
    assert await picture_sizes(cards(again)) == [(1472, 1140)]
    await expect(cards(again)).to_have_attribute("data-state", "done")
    shown = await look(again, cards(again))
    assert (await recipe(shown))["Seed"] == str(app.orders[0]["seed"])


async def test_a_phones_photo_goes_in_upright_and_nameless(open_page: Open, app: RunningApp, tmp_path: Path) -> None:
    photo = Image.new("RGB", (4032, 3024), "#336699")
    exif = photo.getexif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    photo.save(tmp_path / "IMG_0001.jpg", exif=exif)
    page = await open_page()
    await tab(page, "Edit")
    await upload(page, "edit-image", tmp_path / "IMG_0001.jpg")
    await expect(page.locator("#edit-image-note")).to_have_text("3024×4032 JPEG → 2304×3072, location removed")
    await page.locator("#edit-prompt textarea").fill("warmer")
    card = await run_and_wait(page, "edit")
    sent = [image for order in app.orders for image in order["image"]]
    assert [image[:23] for image in sent] == ["data:image/jpeg;base64,"]
    assert await picture_sizes(card) == [(880, 1184)]


async def test_the_colour_behind_transparency_can_be_chosen(open_page: Open, tmp_path: Path) -> None:
    Image.new("RGBA", (400, 400), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    page = await open_page()
    await tab(page, "Edit")
    await upload(page, "edit-image", tmp_path / "clear.png")
    white = await page.locator("#edit-image img").get_attribute("src")
    await page.locator("#edit-tools-none, .accordion button").get_by_text("Advanced").last.click()
    await page.locator("#edit-background button").first.click()
    await page.locator("#edit-background input[type=text]").fill("#ff0000")
    await page.locator("#edit-background input[type=text]").press("Enter")
    await expect(page.locator("#edit-image img")).not_to_have_attribute("src", white or "")


async def test_the_tools_act_on_the_picture_that_is_shown(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a heron at dawn")
    await fill_number(page, "text-count", 3)
    loaded: list[str] = []
    original = re.compile(r"/picture/[\d-]{11}[0-9a-f]{24}$")
    page.on("response", lambda response: loaded.append(response.url) if original.search(response.url) else None)
    card = await run_and_wait(page, "text")
    await picture_sizes(card)
    assert len(loaded) == len(set(loaded)) == 3
    first, second, third = (str(order["seed"]) for order in sorted(app.orders, key=lambda order: order["seed"]))
    # While one looks at a picture, the next order's arrives.
    app.backend.open.clear()
    await page.locator("#text-prompt textarea").fill("a heron at noon")
    await fill_number(page, "text-count", 1)
    noon = await run(page, "text")
    shown = await look(page, card, 1)
    await expect(shown.locator(".count")).to_have_text("2 / 3")
    app.backend.open.set()
    await expect(shown.locator(".count")).to_have_text("3 / 4")
    assert (await recipe(shown))["Seed"] == second
    saved_as = rf"\d{{6}}-a-heron-at-dawn-qwen-image-plus-{second}-2\.png"
    assert str(read(await download(page, "#viewer [data-act=download]", saved_as)).seed) == second
    await page.keyboard.press("Delete")
    await said(page, "1 deleted")
    await expect(shown.locator(".count")).to_have_text("3 / 3")
    assert (await recipe(shown))["Seed"] == third
    await page.keyboard.press("Escape")
    await expect(card.locator('.slot[data-slot="2"] [data-act=open]')).to_be_focused()
    slots = card.locator(".slot")
    assert await slots.evaluate_all("slots => slots.map(slot => slot.dataset.is)") == ["picture", "gone", "picture"]
    await expect(slots.nth(1)).to_have_text("No longer here")
    await expect(card.locator(".seed")).to_have_text([f"seed {first}", f"seed {third}"])
    await expect(noon.locator(".slot")).to_have_attribute("data-is", "picture")
    back = await page.context.new_page()
    await back.goto(app.url, wait_until="domcontentloaded")
    there = cards(back).last.locator(".slot")
    await expect(there.nth(1)).to_have_text("No longer here")  # the order is known; its picture is gone
    await page.locator(".board-notice [data-act=undo]").click()
    for part in (slots, there):
        await expect(part.locator(".seed")).to_have_text([f"seed {first}", f"seed {second}", f"seed {third}"])


async def test_whatever_goes_wrong_inside_is_told_and_one_can_run_again(
    open_page: Open, app: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a hill")
    monkeypatch.setattr("qwen_demo.service.expand", lambda *_: 1 / 0)
    await page.locator("#text-run").click()
    await expect(page.locator("#text-status [role=alert]")).to_have_text(
        re.compile(r"Internal error [0-9a-f]{8}\. The log has more under this id\.")
    )
    monkeypatch.undo()
    await run_and_wait(page, "text")


async def test_deleting_in_history_loads_no_originals(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a walrus to be deleted")
    await fill_number(page, "text-count", 4)
    await picture_sizes(await run_and_wait(page, "text"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/picture/" in request.url else None)
    await search(page, "walrus")
    await expect(tiles(page)).to_have_count(4)
    await select(page, 0)
    await page.locator("#library [data-act=delete]").click()
    await said(page, "1 deleted")
    await expect(tiles(page)).to_have_count(3)
    await expect(tiles(page).locator("img:not([src])")).to_have_count(0)
    assert asked
    assert [address for address in asked if not address.endswith("?w=512")] == []
