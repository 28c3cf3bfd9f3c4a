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
from tests.browser.steps import download, fill_number, picture_sizes, run_and_wait, sources, tab, upload
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
    await run_and_wait(page, "text")
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
    original = await download(page, "#text-download")
    fresh = await open_page()
    await tab(fresh, "History")
    await fresh.locator("#history-restore input[type=file]").set_input_files(
        {"name": "renamed.png", "mimeType": "image/png", "buffer": original.read_bytes()}
    )
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
    (png(b""), "This picture carries no settings of this app."),
    (png(prompt="x" * 200_000), "The settings in this picture are too large to be true. Nothing was restored."),
    (png(n="many"), "The settings in this picture are broken. Nothing was restored."),
    (png(prompt="<img src=x onerror=alert(1)>"), "The settings in this picture hold HTML. Nothing was restored."),
    (b"<html>", "This picture carries no settings of this app."),
]


async def test_a_picture_without_a_good_recipe_is_refused_in_words(open_page: Open) -> None:
    page = await open_page()
    await tab(page, "History")
    for data, message in BAD_RECIPES:
        file: Any = {"name": "dropped.png", "mimeType": "image/png", "buffer": data}
        await page.locator("#history-restore input[type=file]").set_input_files(file)
        await expect(page.locator("#history-status [role=alert]")).to_have_text(message)


async def test_history_finds_shows_uses_and_deletes(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a zebra on a pier")
    await fill_number(page, "text-count", 2)
    await run_and_wait(page, "text")
    await tab(page, "History")
    await page.locator("#history-search input, #history-search textarea").fill("zebra PIER")
    tiles = page.locator("#history-gallery .thumbnail-item")
    await expect(tiles).to_have_count(2)
    await page.locator("#history-search input, #history-search textarea").fill("no such words")
    await expect(page.get_by_text("Nothing found.")).to_be_visible()
    await page.locator("#history-search input, #history-search textarea").fill("zebra PIER")
    await expect(tiles).to_have_count(2)
    # Two that came at once stand in the order of their files' names.
    recipe, seeds = page.locator("#history-recipe"), {order["seed"] for order in app.orders}
    await expect(recipe).to_contain_text(re.compile("|".join(map(str, seeds))))
    shown = await recipe.inner_text()
    (second,) = (seed for seed in seeds if str(seed) in shown)
    (first,) = seeds - {second}
    await tiles.nth(1).click()
    await expect(page.locator("#history-picture img")).to_be_visible()
    await expect(recipe).to_contain_text(str(first))
    saved_as = rf"\d{{6}}-a-zebra-on-a-pier-qwen-image-plus-{first}-\d\.png"
    original = await download(page, "#history-download", saved_as)
    assert read(original).seed == first
    archive = await download(page, "#history-zip", "qwen-images.zip")
    with zipfile.ZipFile(archive) as opened:
        assert len(opened.namelist()) == 2
        assert original.read_bytes() in [opened.read(name) for name in opened.namelist()]
    await page.locator("#history-use").click()
    await expect(page.locator("#text-seed input[type=number]")).to_be_visible()
    await expect(page.locator("#text-seed input[type=number]")).to_have_value(str(first))
    await tab(page, "History")
    await expect(tiles).to_have_count(2)
    # The ring is around the picture that the tools act on.
    await expect(tiles.first).to_have_class(re.compile("selected"))
    await expect(page.locator("#history-recipe")).to_contain_text(str(second))
    await page.locator("#history-delete").click()
    await expect(page.locator("#history-delete-no")).to_be_focused()
    await page.locator("#history-delete-no").click()
    await expect(tiles).to_have_count(2)
    loaded = [
        await image.get_attribute("src") or ""
        for image in await page.locator("#history-gallery img, #history-picture img").all()
    ]
    await page.locator("#history-delete").click()
    await page.locator("#history-delete-yes").click()
    await expect(tiles).to_have_count(1)
    answers = [(await page.request.get(address)).status for address in loaded]
    assert sorted(answers) == [200, 403, 403]  # of the deleted one, neither the small picture nor the large one


async def test_results_are_edited_on_and_each_step_can_be_gone_back_to(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await tab(page, "Edit")
    await upload(page, "edit-image", PHOTOS / "coffee.png")
    coffee = re.compile(Path(await page.locator("#edit-image img").get_attribute("src") or "").name)
    await page.locator("#edit-prompt textarea").fill("black and white")
    await run_and_wait(page, "edit")
    await expect(page.locator("#edit-compare img").first).to_be_visible()
    await page.locator("#edit-edit-this").click()
    await expect(page.locator("#edit-image img")).not_to_have_attribute("src", coffee)
    await page.locator("#edit-prompt textarea").fill("blur")
    await page.locator("#edit-run").click()
    await expect(page.locator("#edit-usage .session")).to_contain_text("orders 2")
    await expect(page.locator("#edit-step").get_by_role("radio")).to_have_count(2)
    await page.locator("#edit-step").get_by_role("radio", name="Original").check()
    await page.locator("#edit-back").click()
    await expect(page.locator("#edit-image img")).to_have_attribute("src", coffee)
    await page.locator("#edit-run").click()
    await expect(page.locator("#edit-usage .session")).to_contain_text("orders 3")
    first, second, third = (order["image"] for order in app.orders)
    assert first == third != second
    await page.locator("#edit-image").get_by_role("button", name="Remove Image").click()
    await expect(page.locator("#edit-image img")).to_have_count(0)
    await page.locator("#edit-use").click()
    await expect(page.locator("#edit-image img")).to_be_visible()
    await page.locator("#edit-run").click()
    await expect(page.locator("#edit-usage .session")).to_contain_text("orders 4")
    assert app.orders[3]["image"] == first


async def test_a_result_goes_to_the_next_free_place_of_the_fusion(open_page: Open) -> None:
    page = await open_page()
    await tab(page, "Fuse")
    await upload(page, "fusion-image-1", PHOTOS / "coffee.png")
    await tab(page, "Text to image")
    await page.locator("#text-prompt textarea").fill("a hill")
    await run_and_wait(page, "text")
    await page.locator("#text-add-to-fusion").click()
    await expect(page.locator("#fusion-image-2 img")).to_be_visible()
    await tab(page, "Text to image")
    await page.locator("#text-add-to-fusion").click()
    await expect(page.locator("#fusion-image-3 img")).to_be_visible()
    await tab(page, "Text to image")
    await page.locator("#text-add-to-fusion").click()
    await expect(page.get_by_text("All three places are taken. Empty one first.")).to_be_visible()


async def test_who_comes_back_finds_the_last_results(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a hill")
    await page.locator("#text-size").get_by_role("radio", name="4:3").check()
    await run_and_wait(page, "text")
    again = await page.context.new_page()
    await page.close()
    await again.goto(app.url, wait_until="domcontentloaded")
    assert await picture_sizes(again, "text-gallery") == [(1472, 1140)]
    await expect(again.locator("#text-download")).to_be_visible()


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
    await run_and_wait(page, "edit")
    sent = [image for order in app.orders for image in order["image"]]
    assert [image[:23] for image in sent] == ["data:image/jpeg;base64,"]
    assert await picture_sizes(page, "edit-gallery") == [(2304, 3072)]


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
    original = re.compile(r"/[0-9a-f]{24}\.png$")
    page.on("response", lambda response: loaded.append(response.url) if original.search(response.url) else None)
    await run_and_wait(page, "text")
    await picture_sizes(page, "text-gallery")
    assert len(loaded) == len(set(loaded)) == 3
    names = [Path(source).name for source in await sources(page, "text-gallery")]
    first, second, third = sorted(order["seed"] for order in app.orders)
    large = page.locator("#text-gallery .preview")
    await page.locator("#text-gallery .thumbnail-item").first.click()
    await page.locator("#text-prompt textarea").focus()
    await page.keyboard.press("Escape")  # wherever one is
    await expect(large).to_have_count(0)
    await page.locator("#text-gallery .thumbnail-item").nth(1).click()
    await expect(large).to_be_visible()
    saved_as = rf"\d{{6}}-a-heron-at-dawn-qwen-image-plus-{second}-2\.png"
    assert read(await download(page, "#text-gallery [aria-label=Download]", saved_as)).seed == second
    await page.locator("#text-delete").click()
    await page.locator("#text-delete-yes").click()
    tiles = page.locator("#text-gallery .grid-container img")
    await expect(tiles).to_have_count(2)
    captions = page.locator("#text-gallery .grid-container .caption-label")
    assert await captions.all_inner_texts() == [f"seed {first}", f"seed {third}"]
    assert [Path(source).name for source in await sources(page, "text-gallery")] == [names[0], names[2]]
    assert read(await download(page, "#text-download")).seed == first
    assert second not in (first, third)
    back = await page.context.new_page()
    await back.goto(app.url, wait_until="domcontentloaded")
    there = back.locator("#text-gallery .grid-container .caption-label")
    await expect(there).to_have_text([f"seed {first}", f"seed {third}"])  # the order is known; its picture is gone
    await back.close()
    await page.locator("#text-gallery .thumbnail-item").first.click()
    await expect(large).to_be_visible()
    app.backend.open.clear()
    await page.locator("#text-run").click()
    await expect(large).to_have_count(0)  # it would hide the frames
    app.backend.open.set()


async def test_whatever_goes_wrong_inside_is_told_and_one_can_run_again(
    open_page: Open, app: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a hill")
    monkeypatch.setattr("qwen_demo.ui.results.publish", lambda _: 1 / 0)
    await page.locator("#text-run").click()
    await expect(page.locator("#text-status [role=alert]")).to_have_text(
        re.compile(r"Internal error [0-9a-f]{8}\. The log has more under this id\.")
    )
    monkeypatch.undo()
    await run_and_wait(page, "text")


async def test_deleting_in_history_loads_no_originals_but_the_one_that_is_shown(
    open_page: Open, app: RunningApp
) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a walrus to be deleted")
    await fill_number(page, "text-count", 4)
    await run_and_wait(page, "text")
    await tab(page, "History")
    await page.locator("#history-search input, #history-search textarea").fill("walrus")
    tiles = page.locator("#history-gallery .thumbnail-item")
    await expect(tiles).to_have_count(4)
    await expect(page.locator("#history-picture img")).to_be_visible()
    originals: set[str] = set()
    page.on("request", lambda request: originals.add(request.url) if request.url.endswith(".png") else None)
    await page.locator("#history-delete").click()
    await page.locator("#history-delete-yes").click()
    await expect(tiles).to_have_count(3)
    assert all(source.endswith(".webp") for source in await sources(page, "history-gallery"))
    assert len(originals) <= 1
