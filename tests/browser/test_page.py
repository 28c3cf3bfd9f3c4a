"""What makes the page pleasant, by what a person sees and does: wide and on a phone, in English and in Chinese."""

import base64
import csv
import io
import zipfile
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.async_api import expect

from qwen_demo.i18n import listed, translate
from tests.browser.conftest import PHOTOS, NewContext, Open
from tests.browser.steps import (
    cards,
    download,
    drop,
    fill_number,
    look,
    picture_sizes,
    run,
    run_and_wait,
    said,
    tab,
    tiles,
    upload,
    usage,
    viewer,
)
from tests.conftest import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOTH = pytest.mark.parametrize(("language", "width"), [("en", 1400), ("zh-CN", 390)])


@BOTH
async def test_a_newcomer_finds_the_way(
    open_page: Open, app: RunningApp, language: str, width: int, tmp_path: Path
) -> None:
    def words(key: str) -> str:
        return translate(language, key)

    page = await open_page(language, width=width)
    await expect(page.get_by_role("heading", name=words("board_empty"))).to_be_visible()
    examples = page.locator("#feed [data-act=example]")
    await expect(examples).to_have_count(6)
    await expect(examples.locator("img")).to_have_count(6)
    await examples.get_by_text(words("example_text_garden"), exact=True).click()
    await expect(page.locator("#text-prompt textarea")).to_have_value(words("example_text_garden_prompt"))
    await expect(page.locator("#text-prompt textarea")).to_be_in_viewport()
    await look(page, await run_and_wait(page, "text"))
    await page.locator("#viewer [data-act=edit]").click()
    await expect(page.locator("#edit-image img")).to_be_visible()
    await page.locator("#edit-prompt textarea").fill("黑白")
    await look(page, await run_and_wait(page, "edit"))
    await page.locator("#viewer [data-act=fuse]").click()
    await expect(page.locator("#fusion-image-1 img")).to_be_visible()
    await upload(page, "fusion-image-2", PHOTOS / "coffee.png")
    await page.locator("#fusion-prompt textarea").fill("图1 and 图2")
    await run_and_wait(page, "fusion")
    await tab(page, words("tab_history"))
    await tiles(page).first.locator("[data-act=open]").click()
    shown = await viewer(page)
    await expect(shown.locator(".prompt").first).to_have_text("图1 and 图2")
    picture = await download(page, "#viewer [data-act=download]")
    await page.keyboard.press("Escape")
    await drop(page.locator("h1"), "found.png", picture.read_bytes())
    await expect(page.locator("#fusion-prompt textarea")).to_be_visible()
    assert len(app.orders) == 3


@BOTH
async def test_keys_run_and_escape_stops_nothing_that_costs(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    app.backend.open.clear()
    page = await open_page(language, width=width)
    await page.locator("#text-prompt textarea").fill("a hill")
    await page.keyboard.press("Control+Enter")
    card = cards(page)
    await expect(card).to_have_attribute("data-state", "running")
    await page.keyboard.press("Control+Enter")
    await expect(card).to_have_count(2)
    card = card.first
    await page.locator("#text-prompt textarea").focus()
    await page.keyboard.press("Escape")
    await page.locator("#text-watermark input").focus()
    await page.keyboard.press("Escape")
    await card.locator("[data-act=stop]").focus()
    await page.keyboard.press("Escape")
    stopped = translate(language, "board_still", count=1)
    await expect(cards(page).locator("[data-act=stop]:visible")).to_have_count(2)
    await page.keyboard.press("Enter")
    await expect(card.locator(".state")).to_contain_text(stopped)
    await expect(cards(page).last.locator("[data-act=stop]")).to_be_visible()
    app.backend.open.set()
    for one in await cards(page).all():
        await expect(one).to_have_attribute("data-state", "done")
    assert [order["prompt"] for order in app.orders] == ["a hill", "a hill"]
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
    card = cards(page)
    await expect(card).to_have_attribute("data-state", "done")
    await expect(card.locator(".slot")).to_have_attribute("data-is", "picture")
    opens = card.locator("[data-act=open]")
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await opens.evaluate("button => button === document.activeElement"):
            break
    await expect(opens).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#viewer[open]")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#viewer")).to_be_hidden()
    await expect(opens).to_be_focused()
    assert [order["prompt"] for order in app.orders] == ["a hill"]


@BOTH
async def test_places_stand_where_pictures_will_be_and_nothing_jumps(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(language, width=width)
    await page.locator("#text-prompt textarea").fill("a hill")
    await run_and_wait(page, "text")
    app.backend.open.clear()
    await page.locator("#text-size").get_by_role("radio", name="16:9").check()
    await fill_number(page, "text-count", 2)
    card = await run(page, "text")
    slots = card.locator(".slot")
    boxes = """slots => slots.map((slot) => {
        const { left, top, width, height } = slot.getBoundingClientRect();
        const card = slot.closest(".card").getBoundingClientRect();
        return [left - card.left, top - card.top, width, height].map(Math.round);
    })"""
    await expect(slots).to_have_count(2)
    usual = translate(language, "board_usually", seconds=1)
    await expect(card.locator(".state")).to_contain_text(usual)
    await expect(card.locator(".usual")).to_be_visible()
    assert await slots.evaluate_all("slots => slots.map(slot => slot.dataset.is)") == ["waiting"] * 2
    before = await slots.evaluate_all(boxes)
    assert {round(width / height, 1) for *_, width, height in before} == {1.8}
    app.backend.open.set()
    await expect(card).to_have_attribute("data-state", "done")
    assert await picture_sizes(card) == [(1664, 928)] * 2
    await expect(card.locator(".usual")).to_be_hidden()
    after = await slots.evaluate_all(boxes)
    assert [box[2:] for box in after] == [box[2:] for box in before]
    assert [box[0] for box in after] == [box[0] for box in before]


@BOTH
async def test_help_with_the_prompt(open_page: Open, language: str, width: int) -> None:
    def words(key: str) -> str:
        return translate(language, key)

    page = await open_page(language, width=width)
    prompt, counted = page.locator("#text-prompt textarea"), page.locator("#text-prompt")
    await prompt.fill("🐱猫")
    await expect(counted).to_have_attribute("data-count", "2/800")
    await prompt.fill("x" * 801)
    await expect(counted).to_have_attribute("data-count", "801/800")
    await expect(counted).to_have_attribute("data-over", "1")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.evaluate("navigator.clipboard.writeText('a cat')")
    await prompt.select_text()
    await page.keyboard.press("Control+v")
    await expect(counted).to_have_attribute("data-count", "5/800")
    await expect(counted).to_have_attribute("data-over", "")
    await page.locator("#text-ideas > button").click()
    await page.get_by_role("radio", name=words("style_ink"), exact=True).click()
    styled = "a cat" + words("comma") + words("style_ink_words")
    await expect(prompt).to_have_value(styled)
    await page.get_by_role("radio", name=words("negative_quality"), exact=True).click()
    await expect(page.locator("#text-negative textarea")).to_have_value(words("negative_quality_words"))
    await run_and_wait(page, "text")
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
    missing = listed((words("name", number=number) for number in (3, 4)), language)
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
    card = await run_and_wait(page, "fusion")
    assert await picture_sizes(card) == [(1248, 832)]


@BOTH
async def test_the_order_is_shown_as_code(open_page: Open, app: RunningApp, language: str, width: int) -> None:
    page = await open_page(language, width=width)
    await page.locator("#text-prompt textarea").fill("a hill")
    card = await run_and_wait(page, "text")
    await card.locator("[data-act=code] > summary").click()
    code = card.locator("[data-act=code] pre")
    await expect(code).to_contain_text(f'"seed": {app.orders[0]["seed"]}')
    forms = card.locator("[data-act=code]").get_by_role("radio")
    await expect(forms).to_have_text(["JSON", "curl", "Python", "OpenAI"])
    for form, part in (("curl", "Bearer $QWEN_API_KEY"), ("python", "httpx.post("), ("openai", "extra_body")):
        await card.locator(f"[data-act=code-{form}]").click()
        await expect(card.locator(f"[data-act=code-{form}]")).to_be_checked()
        await expect(code).to_contain_text(part)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await card.locator("[data-act=copy-code]").click()
    await said(page, translate(language, "board_copied"))
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
    card = await run_and_wait(page, "text")
    cost = translate(language, "usage_cost")
    await expect(card.locator(".state")).to_contain_text("0.75 ¥")
    assert (await usage(card))[cost] == "0.75 ¥"
    await expect(page.locator("#feed .session")).to_contain_text("0.75 ¥")
    await tab(page, translate(language, "tab_history"))
    table = (await download(page, "#library [data-act=csv]")).read_text(encoding="utf-8-sig")
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
    card = await run_and_wait(page, "text")
    note = translate(language, "other_size", asked="1328×1328", came="1024×1024")
    await expect(card.locator(".notes li")).to_have_text([note])


@BOTH
async def test_a_link_carries_the_settings(
    open_page: Open, new_context: NewContext, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(language, width=width)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.locator("#text-prompt textarea").fill("a <b>hill</b> & 图1")
    await page.locator("#text-size").get_by_role("radio", name="9:16").check()
    await look(page, await run_and_wait(page, "text"))
    await page.locator("#viewer [data-act=copy-link]").click()
    await said(page, translate(language, "board_link_copied"))
    link = await page.evaluate("navigator.clipboard.readText()")
    fresh = await (await new_context(locale=language, viewport={"width": width, "height": 900})).new_page()
    await fresh.goto(link, wait_until="domcontentloaded")
    await expect(fresh.locator("#text-prompt textarea")).to_have_value("a <b>hill</b> & 图1")
    await expect(fresh.locator("#text-seed input[type=number]")).to_have_value(str(app.orders[0]["seed"]))
    await expect(fresh.locator("#text-size input:checked")).to_have_attribute("value", "928x1664")
    await fresh.goto(f"{app.url}/?tab=edit&prompt=warmer&n=9&seed=x", wait_until="domcontentloaded")
    await expect(fresh.locator("#edit-prompt textarea")).to_have_value("warmer")
    labels = listed((translate(language, f"field_{name}") for name in ("n", "seed")), language)
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
    card = await run_and_wait(page, "text")
    revised = card.locator(".revised")
    await expect(revised).to_contain_text("a finer <b>hill</b>")
    await revised.get_by_role("button", name="Use it").click()
    await said(page, "Filled in: Prompt.")
    await expect(page.locator("#text-prompt textarea")).to_have_value("a finer <b>hill</b>")
    await page.locator("#text-prompt textarea").fill("")
    shown = await look(page, card)
    await expect(shown.locator(".rewriting .prompt")).to_have_text("a finer <b>hill</b>")
    await shown.locator("[data-act=take]").click()
    await expect(page.locator("#text-prompt textarea")).to_have_value("a finer <b>hill</b>")


async def test_what_cant_be_read_is_told_saved_fetched_again_and_forgotten(open_page: Open, app: RunningApp) -> None:
    app.backend.refusal = lambda _: httpx.Response(200, json={"pictures_of_the_future": ["?"]})
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a <b>hill</b> of the future")
    card = await run_and_wait(page, "text", "unread")
    await expect(card.locator("[data-act=prompt]")).to_have_text("a <b>hill</b> of the future")
    await expect(card.locator(".state")).to_contain_text("Paid for, not here yet")
    await expect(card.locator("[data-act=order-lost]")).to_be_hidden()
    with zipfile.ZipFile(await download(page, "#feed [data-act=raw]", "qwen-answers.zip")) as opened:
        assert [b"pictures_of_the_future" in opened.read(name) for name in opened.namelist()] == [True]
    await card.locator("[data-act=fetch]").click()
    await expect(card.locator(".slot")).to_contain_text("the answer holds no picture")
    await expect(card).to_have_attribute("data-state", "unread")
    again = await page.context.new_page()
    await again.goto(app.url, wait_until="domcontentloaded")
    await expect(cards(again)).to_have_attribute("data-state", "unread")
    await cards(again).locator("[data-act=forget]").click()
    for one in (again, page):  # both hear of it
        await expect(one.locator("#feed .empty")).to_be_visible()
        await expect(cards(one)).to_have_count(0)
