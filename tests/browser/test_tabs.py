"""The three tabs by what a person sees and does."""

import asyncio
import io
import re
from typing import Any

import pillow_heif
import pytest
from PIL import Image
from playwright.async_api import Page, expect

from tests.browser.conftest import PHOTOS, Open
from tests.browser.steps import (
    cards,
    drop,
    fill_number,
    outside,
    picture_sizes,
    run,
    run_and_wait,
    tab,
    upload,
    usage,
)
from tests.conftest import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

SAMPLES = "https://help-static-aliyun-doc.aliyuncs.com/file-manage-files/zh-CN/20250925"


async def test_words_become_a_picture_with_its_usage(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a lighthouse by the sea")
    await page.locator("#text-size").get_by_role("radio", name="16:9").check()
    await page.locator("#text-watermark input").check()
    card = await run_and_wait(page, "text")
    (order,) = app.orders
    seed = order.pop("seed")
    assert order == {
        "prompt": "a lighthouse by the sea",
        "model": "qwen-image-plus",
        "size": "1664x928",
        "n": 1,
        "response_format": "url",
        "watermark": True,
        "optimize_prompt_options": {"enable": True},
    }
    assert await picture_sizes(card) == [(1664, 928)]
    await expect(card.locator("[data-act=prompt]")).to_have_text("a lighthouse by the sea")
    await expect(card.locator(".meta")).to_have_text(f"1664×928 · qwen-image-plus · seed {seed}")
    shown = await usage(card)
    assert shown.pop("Time").endswith(" s")
    assert shown.pop("Request id")
    assert shown == {
        "Pictures": "1",
        "Size": "1664×928",
        "Seed": str(seed),
        "Model": "qwen-image-plus",
        "Total tokens": "1",
        "Output tokens": "1",
    }
    assert await page.locator("#text-seed input[type=number]").input_value() == str(seed)


async def test_a_photo_is_edited_and_keeps_its_shape(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await tab(page, "Edit")
    await upload(page, "edit-image", PHOTOS / "rocket.jpg")
    await page.locator("#edit-prompt textarea").fill("black and white")
    card = await run_and_wait(page, "edit")
    (order,) = app.orders
    assert [image[:23] for image in order["image"]] == ["data:image/png;base64,i"]
    assert "size" not in order
    assert await picture_sizes(card) == [(1248, 832)]


async def test_three_photos_are_fused_in_their_order(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await tab(page, "Fuse")
    for number, name in enumerate(("astronaut.png", "coffee.png", "rocket.jpg"), start=1):
        await upload(page, f"fusion-image-{number}", PHOTOS / name)
    await page.locator("#fusion-prompt textarea").fill("图1 drinks 图2 in front of 图3")
    await page.locator("#fusion-size").get_by_role("radio", name="1:1").check()
    card = await run_and_wait(page, "fusion")
    (order,) = app.orders
    assert [image[5:15] for image in order["image"]] == ["image/png;"] * 3
    assert await picture_sizes(card) == [(1328, 1328)]
    assert (await usage(card))["Total tokens"] == "1"


async def test_four_pictures_of_a_one_picture_model_are_four_orders(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await page.get_by_role("button", name="Red pandas").click()
    await expect(page.locator("#text-seed input[type=number]")).to_have_value("12345")
    await fill_number(page, "text-count", 4)
    card = await run_and_wait(page, "text")
    assert sorted(order["seed"] for order in app.orders) == [12345, 12346, 12347, 12348]
    assert {order["n"] for order in app.orders} == {1}
    await expect(card.locator(".slot .seed")).to_have_text([f"seed {seed}" for seed in range(12345, 12349)])
    assert await picture_sizes(card) == [(1664, 928)] * 4


async def test_the_session_is_counted_over_all_tabs(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a hill")
    await run_and_wait(page, "text")
    await tab(page, "Edit")
    await page.get_by_role("button", name="Cat as a pencil sketch").click()
    await expect(page.locator("#edit-image img")).to_be_visible()
    await fill_number(page, "edit-count", 2)
    await run_and_wait(page, "edit")
    await expect(page.locator("#feed .session")).to_contain_text("pictures 3 · orders 2 · tokens 3")
    assert [order["n"] for order in app.orders] == [1, 2]


async def test_one_click_keeps_the_seed_that_was_drawn(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a hill")
    await run_and_wait(page, "text")
    await page.locator("#text-random-seed input").uncheck()
    await page.locator("#text-prompt textarea").fill("a valley")
    await run_and_wait(page, "text")
    first, second = app.orders
    assert first["seed"] == second["seed"]


async def test_while_it_runs_its_card_says_how_far_it_is_and_more_can_be_ordered(
    open_page: Open, app: RunningApp
) -> None:
    app.backend.open.clear()
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a hill")
    first = await run(page, "text")
    await expect(first).to_have_attribute("data-state", "running")
    await expect(first.locator(".slot")).to_have_attribute("data-is", "waiting")
    await expect(first.locator(".state")).to_have_text(re.compile("^1 s"))  # the browser counts them
    await expect(page.locator("#text-run")).to_be_enabled()
    await page.locator("#text-prompt textarea").fill("a valley")
    await page.locator("#text-run").dblclick()  # is meant as one
    second = cards(page).first
    await expect(second.locator("[data-act=prompt]")).to_have_text("a valley")
    await expect(cards(page)).to_have_count(2)
    app.backend.open.set()
    for card in (first, second):
        await expect(card).to_have_attribute("data-state", "done")
        await expect(card.locator("[data-act=stop]")).to_be_hidden()
    await expect(cards(page).locator("[data-act=prompt]")).to_have_text(["a valley", "a hill"])
    assert [order["prompt"] for order in app.orders] == ["a hill", "a valley"]


async def test_stop_says_what_still_comes_and_that_takes_its_place(open_page: Open, app: RunningApp) -> None:
    app.backend.open.clear()
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a hill")
    card = await run(page, "text")
    await asyncio.to_thread(app.backend.wait_for_orders, 1)
    await card.locator("[data-act=stop]").click()
    await expect(card.locator(".state")).to_have_text(re.compile(r"^\d+ s · Stopped · 1 still come"))
    await expect(card.locator("[data-act=stop]")).to_be_hidden()
    await expect(card.locator(".slot")).to_have_attribute("data-is", "waiting")
    app.backend.open.set()
    assert await picture_sizes(card) == [(1328, 1328)]
    await expect(card).to_have_attribute("data-state", "done")
    assert len(app.orders) == 1


async def test_an_address_is_passed_on_as_it_is(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await outside(page)
    await tab(page, "Edit")
    await page.locator("#edit-image-address input").fill("https://pictures.example/cat.png?a=1")
    await page.locator("#edit-prompt textarea").fill("blur")
    preview = page.locator("#edit-image-note img")
    await expect(preview).to_have_attribute("src", "https://pictures.example/cat.png?a=1")
    assert await preview.evaluate("image => image.decode().then(() => image.naturalWidth)") == 600
    await run_and_wait(page, "edit")
    assert [order["image"] for order in app.orders] == [["https://pictures.example/cat.png?a=1"]]


async def test_a_model_without_sizes_takes_none(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await outside(page)
    await tab(page, "Edit")
    await page.get_by_role("button", name="From a depth map").click()
    await expect(page.locator("#edit-image-address input")).to_have_value(f"{SAMPLES}/fpakfo/image36.webp")
    await page.locator("#edit-model input").click()
    await page.get_by_role("option", name="qwen-image-edit", exact=True).click()
    await expect(page.locator("#edit-size input").first).to_be_disabled()
    await run_and_wait(page, "edit")
    assert ["size" in order for order in app.orders] == [False]


async def test_the_page_speaks_chinese_and_its_examples_are_the_api_pages_own(open_page: Open, app: RunningApp) -> None:
    page = await open_page(locale="zh-CN")
    await outside(page)
    await page.locator(".chips").get_by_role("button", name="花园里的小猫").click()
    await expect(page.locator("#text-prompt textarea")).to_have_value("一只可爱的小猫在花园里玩耍，阳光明媚，油画风格")
    await run_and_wait(page, "text")
    await tab(page, "图片编辑")
    await page.get_by_role("button", name="按深度图生成").click()
    await expect(page.locator("#edit-image-address input")).not_to_have_value("")
    await run_and_wait(page, "edit")
    await tab(page, "多图融合")
    await page.get_by_role("button", name="试穿裙子").click()
    await expect(page.locator("#fusion-image-3-address input")).not_to_have_value("")
    await run_and_wait(page, "fusion")
    for order in app.orders:
        order.pop("seed")
    assert app.orders == [
        {
            "prompt": "一只可爱的小猫在花园里玩耍，阳光明媚，油画风格",
            "model": "qwen-image-plus",
            "size": "1328x1328",
            "n": 1,
            "response_format": "url",
            "watermark": False,
            "optimize_prompt_options": {"enable": True, "negative_prompt": "低分辨率、错误、最差质量"},
        },
        {
            "prompt": "生成一张符合深度图的图像，遵循以下描述："
            "一辆红色的破旧的自行车停在一条泥泞的小路上，背景是茂密的原始森林",
            "model": "qwen-image-edit-plus",
            "image": [f"{SAMPLES}/fpakfo/image36.webp"],
            "size": "1328x1328",
            "n": 1,
            "response_format": "url",
            "watermark": False,
            "optimize_prompt_options": {"enable": True, "negative_prompt": "低分辨率、错误、最差质量"},
        },
        {
            "prompt": "图1中的女生穿着图2中的黑色裙子按图3的姿势坐下",
            "model": "qwen-image-edit-plus",
            "image": [
                f"{SAMPLES}/thtclx/input1.png",
                f"{SAMPLES}/iclsnx/input2.png",
                f"{SAMPLES}/gborgw/input3.png",
            ],
            "size": "1328x1328",
            "n": 1,
            "response_format": "url",
            "watermark": True,
            "optimize_prompt_options": {"enable": True},
        },
    ]


async def test_the_page_says_that_it_is_not_qwen_who_draws(open_page: Open) -> None:
    page = await open_page()
    await expect(page.locator("#notice")).to_contain_text("a program on this computer draws these pictures, not Qwen")


async def refused(page: Page, prefix: str, message: str) -> None:
    await page.locator(f"#{prefix}-run").click()
    await expect(page.locator(f"#{prefix}-status [role=alert]")).to_have_text(message)
    await expect(cards(page)).to_have_count(0)


async def test_bad_input_is_told_at_once_and_nothing_is_sent(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await refused(page, "text", "Prompt: write something first.")
    await page.locator("#text-prompt textarea").fill("x" * 801)
    await refused(page, "text", "Prompt: 801 characters are too many, at most 800 are read. Take out 1.")
    await page.locator("#text-prompt textarea").fill("x")
    await page.locator("#text-negative textarea").fill("x" * 503)
    await refused(page, "text", "Negative prompt: 503 characters are too many, at most 500 are read. Take out 3.")
    await tab(page, "Edit")
    await page.locator("#edit-prompt textarea").fill("x")
    await refused(page, "edit", "Picture: add a picture first.")
    await page.locator("#edit-image-address input").fill("http://pictures.example/cat.png")
    await refused(page, "edit", "Picture: the address must start with https://.")
    await page.locator("#edit-image-address input").fill("")
    text_file: Any = {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture at all"}
    await page.locator("#edit-image input[type=file]").set_input_files(text_file)
    await expect(page.locator("#edit-image-note [role=alert]")).to_have_text(
        "Picture: 'notes.png' can't be read as a picture. Use a JPG, PNG, WEBP, BMP, TIFF, GIF, HEIC or AVIF."
    )
    await refused(page, "edit", "Picture: add a picture first.")
    await tab(page, "Fuse")
    await page.locator("#fusion-prompt textarea").fill("x")
    await upload(page, "fusion-image-1", PHOTOS / "coffee.png")
    await refused(page, "fusion", "Pictures: 1 given. Add 2 to 3.")
    await upload(page, "fusion-image-3", PHOTOS / "rocket.jpg")
    await refused(page, "fusion", "Image 2: add a picture first.")
    assert app.orders == []


async def test_a_number_out_of_range_is_told_at_once_and_put_back_into_it(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    for control, value, message in (
        ("seed", "2147483648", "Seed: 2147483648 doesn't work. Choose a whole number from 0 to 2147483647."),
        ("seed", "-1", "Seed: -1 doesn't work. Choose a whole number from 0 to 2147483647."),
        ("count", "7", "Pictures: 7 doesn't work. Choose a whole number from 1 to 6."),
    ):
        number = page.locator(f"#text-{control} input[type=number]")
        await number.fill(value)
        await expect(page.locator("#text-status [role=alert]")).to_have_text(message)
        await number.press("Tab")
        await expect(number).not_to_have_value(value)
        await number.fill("3")
        await expect(page.locator("#text-status [role=alert]")).to_have_count(0)
    assert app.orders == []


def picture(width: int, height: int, format: str = "PNG") -> bytes:
    pillow_heif.register_heif_opener()
    Image.new("RGB", (width, height), "teal").save(buffer := io.BytesIO(), format)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["", "application/octet-stream"])
async def test_a_heic_whose_type_the_system_doesnt_know_can_be_chosen_and_dropped(open_page: Open, kind: str) -> None:
    page = await open_page()
    await tab(page, "Edit")
    async with page.expect_file_chooser() as chooser:
        await page.locator("#edit-image button").first.click()
    shown = await (await chooser.value).element.get_attribute("accept")
    assert {".heic", ".heif", ".avif", ".tif"} <= set((shown or "").split(","))
    photo: Any = {"name": "IMG_0001.HEIC", "mimeType": kind, "buffer": picture(400, 500, "HEIF")}
    await (await chooser.value).set_files(photo)
    await expect(page.locator("#edit-image-note p")).to_have_text("400×500 HEIC")
    await tab(page, "Fuse")
    await drop(page.locator("#fusion-image-1 button").first, "a.heic", photo["buffer"], kind)
    await expect(page.locator("#fusion-image-1-note p")).to_have_text("400×500 HEIC")


@pytest.mark.parametrize(
    ("size", "parts", "came"),
    [
        ((236, 2400), ["Top", "Middle", "Bottom"], "384×3072 PNG"),
        ((2400, 236), ["Left", "Middle", "Right"], "3072×384 PNG"),
    ],
)
async def test_of_a_picture_that_is_too_long_a_part_is_taken_with_a_click(
    open_page: Open, size: tuple[int, int], parts: list[str], came: str
) -> None:
    page = await open_page()
    await tab(page, "Edit")
    shot: Any = {"name": "shot.png", "mimeType": "image/png", "buffer": picture(*size)}
    await page.locator("#edit-image input[type=file]").set_input_files(shot)
    note = page.locator("#edit-image-note")
    await expect(note.locator("[role=alert]")).to_contain_text("too long and narrow")
    await expect(note.locator("button")).to_have_text(parts)
    await note.locator("button").last.click()
    await expect(note.locator("[role=status]")).to_have_text(came)
    await expect(note.locator("button")).to_have_count(0)
    await expect(page.locator("#edit-image img")).to_be_visible()
