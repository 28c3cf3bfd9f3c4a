"""What makes the page pleasant, by what a person sees and does: wide and on a phone, in English and in Chinese."""

import base64
import csv
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.async_api import expect

from qwen_demo.i18n import translate
from tests.browser.conftest import PHOTOS, NewContext, Open
from tests.browser.steps import begin, download, fill_number, picture_sizes, run_and_wait, tab, upload
from tests.conftest import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOTH = pytest.mark.parametrize(("language", "width"), [("en", 1400), ("zh-CN", 390)])


@BOTH
async def test_a_newcomer_finds_the_way(
    open_page: Open, app: RunningApp, language: str, width: int, tmp_path: Path
) -> None:
    def words(key: str) -> str:
        return translate(language, key)

    done = begin(language, "status_done")
    page = await open_page(language, width=width)
    await expect(page.get_by_text(re.split("</?strong>", words("empty_text"))[1])).to_be_visible()
    await page.get_by_role("button", name=words("example_text_zoo"), exact=True).click()
    await expect(page.locator("#text-prompt textarea")).to_have_value(words("example_text_zoo_prompt"))
    await run_and_wait(page, "text", done)
    await page.locator("#text-edit-this").click()
    await expect(page.locator("#edit-image img")).to_be_visible()
    await page.locator("#edit-prompt textarea").fill("黑白")
    await run_and_wait(page, "edit", done)
    await page.locator("#edit-add-to-fusion").click()
    await expect(page.locator("#fusion-image-1 img")).to_be_visible()
    await upload(page, "fusion-image-2", PHOTOS / "coffee.png")
    await page.locator("#fusion-prompt textarea").fill("图1 and 图2")
    await run_and_wait(page, "fusion", done)
    await tab(page, words("tab_history"))
    await expect(page.locator("#history-recipe")).to_contain_text("图1 and 图2")
    picture = await download(page, "#history-download")
    file: Any = {"name": "found.png", "mimeType": "image/png", "buffer": picture.read_bytes()}
    await page.locator("#history-restore input[type=file]").set_input_files(file)
    await expect(page.locator("#fusion-prompt textarea")).to_be_visible()
    assert len(app.orders) == 3


@BOTH
async def test_keys_run_and_cancel(open_page: Open, app: RunningApp, language: str, width: int) -> None:
    app.backend.open.clear()
    page = await open_page(language, width=width)
    await page.locator("#text-prompt textarea").fill("a hill")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#text-status")).to_contain_text(
        " · " + translate(language, "status_drawing", seconds="", count=0, n=1).rpartition(" · ")[2]
    )
    await expect(page.locator("#text-cancel")).to_be_enabled()
    await page.locator("#text-prompt textarea").focus()
    await page.keyboard.press("Escape")  # whoever writes stops no order by it
    await page.locator("#text-watermark input").focus()
    await expect(page.locator("#text-cancel")).to_be_enabled()
    await page.keyboard.press("Escape")
    await expect(page.locator("#text-status")).to_contain_text(begin(language, "status_cancelled_ordered"))
    assert len(app.orders) == 1
    assert await page.locator("#text-prompt textarea").input_value() == "a hill"


@BOTH
async def test_the_keyboard_alone_is_enough(open_page: Open, app: RunningApp, language: str, width: int) -> None:
    page = await open_page(language, width=width)
    reached: list[str] = []
    for _ in range(60):
        await page.keyboard.press("Tab")
        inside = "#" + await page.evaluate("document.activeElement.closest('[id]:not([id^=component])')?.id ?? ''")
        focused = await page.evaluate("document.activeElement.closest('.prompt') ? 'prompt' : ''")
        if focused == "prompt" and "prompt" not in reached:
            await page.keyboard.type("a hill")
        reached.append(focused or inside)
        if inside == "#text-run":
            break
    assert "prompt" in reached
    assert reached[-1] == "#text-run"
    await page.keyboard.press("Enter")
    await expect(page.locator("#text-status")).to_contain_text(begin(language, "status_done"))
    assert [order["prompt"] for order in app.orders] == ["a hill"]


@BOTH
async def test_frames_stand_where_pictures_will_be_and_nothing_jumps(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(language, width=width)
    await page.locator("#text-prompt textarea").fill("a hill")
    await run_and_wait(page, "text", begin(language, "status_done"))
    app.backend.open.clear()
    await page.locator("#text-size").get_by_role("radio", name="16:9").check()
    await fill_number(page, "text-count", 2)
    await page.locator("#text-run").click()
    frames = page.locator('#text-gallery .grid-container img[src*="/waiting"]')
    await expect(frames).to_have_count(2)
    usual = begin(language, "status_usual")
    await expect(page.locator("#text-status")).to_contain_text(usual)
    before = await page.locator("#text-gallery").bounding_box()
    assert await picture_sizes(page, "text-gallery") == [(1200, 669)] * 2
    app.backend.open.set()
    await expect(page.locator("#text-usage dd").first).to_have_text("2")
    await expect(frames).to_have_count(0)
    assert await picture_sizes(page, "text-gallery") == [(1664, 928)] * 2
    after = await page.locator("#text-gallery").bounding_box()
    assert before
    assert after
    assert (before["width"], before["height"]) == (after["width"], after["height"])


@BOTH
async def test_help_with_the_prompt(open_page: Open, language: str, width: int) -> None:
    def words(key: str) -> str:
        return translate(language, key)

    page = await open_page(language, width=width)
    prompt, counter = page.locator("#text-prompt textarea"), page.locator(".block.counter").first
    await prompt.fill("🐱猫")
    await expect(counter).to_have_text("2/800")
    await prompt.fill("x" * 801)
    await expect(counter.locator(".over")).to_have_text("801/800")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.evaluate("navigator.clipboard.writeText('a cat')")
    await prompt.select_text()
    await page.keyboard.press("Control+v")
    await expect(counter).to_have_text("5/800")
    await page.locator("#text-ideas > button").click()
    await page.get_by_role("radio", name=words("style_ink"), exact=True).click()
    styled = "a cat" + words("comma") + words("style_ink_words")
    await expect(prompt).to_have_value(styled)
    await page.get_by_role("radio", name=words("negative_quality"), exact=True).click()
    await expect(page.locator("#text-negative textarea")).to_have_value(words("negative_quality_words"))
    await run_and_wait(page, "text", begin(language, "status_done"))
    await prompt.fill("")
    await page.locator("#text-recent input").click()
    await page.get_by_role("option", name=styled).click()
    await expect(prompt).to_have_value(styled)


@BOTH
async def test_the_next_seed_is_one_click_away(open_page: Open, language: str, width: int) -> None:
    page = await open_page(language, width=width)
    await fill_number(page, "text-seed", 2147483647)
    await page.locator("#text-next-seed").click()
    await expect(page.locator("#text-seed input[type=number]")).to_have_value("0")
    await expect(page.locator("#text-random-seed input")).not_to_be_checked()


@BOTH
async def test_the_bench_of_the_fusion(open_page: Open, app: RunningApp, language: str, width: int) -> None:
    def words(key: str, **facts: object) -> str:
        return translate(language, key, **facts)

    page = await open_page(language, width=width)
    await tab(page, words("tab_fusion"))
    await upload(page, "fusion-image-1", PHOTOS / "coffee.png")
    await upload(page, "fusion-image-2", PHOTOS / "rocket.jpg")
    prompt, check = page.locator("#fusion-prompt textarea"), page.locator("#fusion-check")
    await expect(check).to_contain_text(words("sets_shape", names=words("name_2")))
    await prompt.fill("before  after")
    await prompt.evaluate("text => { text.focus(); text.setSelectionRange(7, 7); }")
    await page.locator("#fusion-name-1").click()
    await expect(prompt).to_have_value(f"before {words('name_1')} after")
    await expect(check).to_contain_text(words("not_named", names=words("name_2")))
    await prompt.fill("the ship")
    await prompt.press("End")
    await page.locator("#fusion-name-2").click()
    apart = " " if language == "en" else ""
    await expect(prompt).to_have_value(f"the ship{apart}{words('name_2')}")
    await prompt.fill("图1, 图2, image 3 and 图4")
    missing = words("comma").join(words("name", number=number) for number in (3, 4))
    await expect(check).to_contain_text(words("not_there", names=missing))
    await page.locator("#fusion-swap-2").click()
    await expect(check).to_contain_text(words("gap", names=words("name_2")))
    await page.locator("#fusion-swap-2").click()
    await expect(prompt).to_have_value("图1, 图2, image 3 and 图4")
    await prompt.fill("图1, 图2 and image 3")
    await expect(check).to_contain_text(words("not_there", names=words("name_3")))
    first = await page.locator("#fusion-image-1 img").get_attribute("src")
    await page.locator("#fusion-swap-1").click()
    await expect(prompt).to_have_value("图2, 图1 and image 3")
    await expect(page.locator("#fusion-image-2 img")).to_have_attribute("src", first or "")
    await prompt.fill("图1 图2")
    await run_and_wait(page, "fusion", begin(language, "status_done"))
    assert await picture_sizes(page, "fusion-gallery") == [(600, 400)]


@BOTH
async def test_the_order_is_shown_as_code(open_page: Open, app: RunningApp, language: str, width: int) -> None:
    page = await open_page(language, width=width)
    await page.locator("#text-prompt textarea").fill("a hill")
    await run_and_wait(page, "text", begin(language, "status_done"))
    await page.locator("#text-code > button").click()
    code = page.locator("#text-code pre")
    await expect(code).to_contain_text(f'"seed": {app.orders[0]["seed"]}')
    for form, part in (("curl", "Bearer $QWEN_API_KEY"), ("Python", "httpx.post("), ("OpenAI", "extra_body")):
        await page.locator("#text-code-form").get_by_role("radio", name=form).check()
        await expect(code).to_contain_text(part)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.locator("#text-code .copy_code_button").click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert (copied.strip(), "OpenAI(" in copied) == ((await code.inner_text()).strip(), True)


@BOTH
async def test_a_price_is_told_before_and_after_and_kept_as_csv(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(language, width=width)
    await page.locator("#text-prompt textarea").fill("a hill")
    await page.locator("#text-model input").click()
    await page.get_by_role("option", name="qwen-image", exact=True).click()
    await fill_number(page, "text-count", 3)
    await expect(page.locator("#text-estimate")).to_have_text("≈ 0.75 ¥")
    await run_and_wait(page, "text", begin(language, "status_done"))
    cost = translate(language, "usage_cost")
    await expect(page.locator("#text-usage")).to_contain_text(re.compile(rf"{cost}\s*0\.75 ¥"))
    await expect(page.locator("#text-usage .session")).to_contain_text("0.75 ¥")
    await tab(page, translate(language, "tab_history"))
    table = (await download(page, "#history-csv")).read_text(encoding="utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(table))
    assert (row["model"], row["asked"], row["pictures"], row["cost"]) == ("qwen-image", "3", "3", "0.75")


@BOTH
async def test_what_came_otherwise_than_asked_is_told(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (1024, 1024)).save(buffer, "PNG")
    body = {"data": [{"b64_json": base64.b64encode(buffer.getvalue()).decode()}]}
    app.backend.refusal = lambda _: httpx.Response(200, json=body)
    page = await open_page(language, width=width)
    await page.locator("#text-prompt textarea").fill("a hill")
    await run_and_wait(page, "text", begin(language, "status_done"))
    note = translate(language, "other_size", asked="1328×1328", came="1024×1024")
    await expect(page.locator("#text-usage .note")).to_have_text(note)


@BOTH
async def test_a_link_carries_the_settings(
    open_page: Open, new_context: NewContext, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(language, width=width)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.locator("#text-prompt textarea").fill("a <b>hill</b> & 图1")
    await page.locator("#text-size").get_by_role("radio", name="9:16").check()
    await run_and_wait(page, "text", begin(language, "status_done"))
    await page.locator("#text-link").click()
    await expect(page.get_by_text(translate(language, "link_copied"))).to_be_visible()
    link = await page.evaluate("navigator.clipboard.readText()")
    fresh = await (await new_context(locale=language, viewport={"width": width, "height": 900})).new_page()
    await fresh.goto(link, wait_until="domcontentloaded")
    await expect(fresh.locator("#text-prompt textarea")).to_have_value("a <b>hill</b> & 图1")
    await expect(fresh.locator("#text-seed input[type=number]")).to_have_value(str(app.orders[0]["seed"]))
    await expect(fresh.locator("#text-size input:checked")).to_have_attribute("value", "928x1664")
    await fresh.goto(f"{app.url}/?tab=edit&prompt=warmer&n=9&seed=x", wait_until="domcontentloaded")
    await expect(fresh.locator("#edit-prompt textarea")).to_have_value("warmer")
    labels = translate(language, "comma").join(translate(language, f"field_{name}") for name in ("n", "seed"))
    left_out = translate(language, "link_ignored", names=labels)
    await expect(fresh.get_by_text(left_out)).to_be_visible()
    await fresh.context.close()
    assert len(app.orders) == 1


async def test_the_prompt_that_the_api_made_is_shown_and_taken_with_a_click(open_page: Open, app: RunningApp) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG")
    datum = {"b64_json": base64.b64encode(buffer.getvalue()).decode(), "revised_prompt": "a finer <b>hill</b>"}
    app.backend.refusal = lambda _: httpx.Response(200, json={"data": [datum]})
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a hill")
    await run_and_wait(page, "text")
    usage = page.locator("#text-usage")
    await expect(usage).to_contain_text("a finer <b>hill</b>")
    await usage.get_by_role("button", name="Use it").click()
    await expect(page.locator("#text-prompt textarea")).to_have_value("a finer <b>hill</b>")


async def test_what_cant_be_read_is_told_saved_fetched_again_and_forgotten(open_page: Open, app: RunningApp) -> None:
    app.backend.refusal = lambda _: httpx.Response(200, json={"pictures_of_the_future": ["?"]})
    page = await open_page()
    unread = page.locator("#unread")
    await expect(unread).to_be_hidden()
    await page.locator("#text-prompt textarea").fill("a <b>hill</b> of the future")
    await page.locator("#text-run").click()
    await expect(unread).to_contain_text("Pictures that are paid for and not here yet: 1.")
    await expect(unread).to_contain_text("a <b>hill</b> of the future")
    await expect(page.locator("#lost-again")).to_be_hidden()
    archive = await download(page, "#unread-raw")
    with zipfile.ZipFile(archive) as opened:
        assert [b"pictures_of_the_future" in opened.read(name) for name in opened.namelist()] == [True]
    await page.locator("#unread-fetch").click()
    await expect(unread).to_contain_text("the answer holds no picture")
    again = await page.context.new_page()
    await again.goto(app.url, wait_until="domcontentloaded")
    await expect(again.locator("#unread")).to_be_visible()
    await again.locator("#unread-forget").click()
    await expect(again.locator("#unread")).to_be_hidden()
