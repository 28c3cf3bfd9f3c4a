"""The card of many pictures: small places with names, a table of two axes, going on in place, one file of all."""

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from PIL import Image
from playwright.async_api import FilePayload, Locator, Page, expect

from qwen_demo.api.client import QwenClient
from qwen_demo.i18n import translate
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from tests.browser.conftest import NewContext, Open
from tests.browser.steps import cards, download, run, said
from tests.browser.test_feed import (
    AXE,
    FREE,
    REFUSED,
    SAID_REFUSED,
    Desk,
    boxes,
    colour,
    desk,
    expect_slots,
    fill,
    order,
    serious,
    slot,
)
from tests.conftest import KEY, Backend, RunningApp, launched

pytestmark = pytest.mark.asyncio(loop_scope="session")
__all__ = ["desk"]  # a fixture

BOTH = pytest.mark.parametrize(("language", "width", "colours"), [("en", 1400, "light"), ("zh-CN", 390, "dark")])
FRUITS = ("apple", "pear", "plum", "fig", "lime", "date", "kiwi", "a fruit whose name is longer than its place is wide")
MANY = 14
"""Pictures that are asked for by a second press."""


def of(*words: str) -> str:
    """A prompt that stands for several."""
    return f"{{{'|'.join(words)}}} on a table"


async def order_many(page: Page, prompt: str, seed: int, n: int = 1, size: str = "1:1") -> Locator:
    """Order more pictures than are ordered at one press."""
    await fill(page, prompt, n, seed, size)
    button = page.locator("#text-run")
    says = await button.inner_text()
    await button.click()
    await expect(button).not_to_have_text(says)  # it asks
    return await run(page, "text")


def service(backend: Backend, folder: Path, at_once: int) -> Service:
    return Service(QwenClient(KEY, "http://offline/v1", transport=backend), Orders(at_once), Library(folder))


def photo(name: str, shape: tuple[int, int]) -> FilePayload:
    Image.new("RGB", shape, "teal").save(file := io.BytesIO(), "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}


async def names(card: Locator) -> list[str]:
    return await card.locator("figcaption").all_text_contents()


async def headings(card: Locator, role: Literal["columnheader", "rowheader"]) -> list[str]:
    return await card.get_by_role("table").get_by_role(role).all_inner_texts()


def covered(sheet: Path) -> dict[Any, int]:
    """How many pixels of it each larger plain surface has, by its colour as `colour` gives it; without the paper."""
    with Image.open(sheet) as image:
        assert image.width == 2000
        steps = image.convert("RGB").point(lambda value: value & 0xE0)
        counted = steps.getcolors(image.width * image.height) or []
    return {found: count for count, found in counted if count > 50_000 and found != (224, 224, 224)}


@BOTH
async def test_many_are_small_places_with_names_that_never_move(
    open_page: Open, desk: Desk, language: str, width: int, colours: Literal["light", "dark"]
) -> None:
    page = await open_page(language, width=width, colours=colours)
    await page.evaluate(AXE)
    desk.held.add(7)
    card = await order(page, of(*FRUITS), seed=7)
    await expect_slots(card, *["waiting"] * len(FRUITS))
    began = await boxes(card)
    assert len({x for x, *_ in began}) == (8 if width == 1400 else 3)
    asked = [f"{fruit} on a table" for fruit in FRUITS]
    assert await names(card) == [*FRUITS]
    assert [await name.get_attribute("title") for name in await card.locator("figcaption bdi").all()] == asked
    assert await serious(page) == [], "running"
    await expect(card.locator(".state")).to_contain_text(translate(language, "board_of", count=0, n=len(FRUITS)))
    desk.held.clear()
    await expect_slots(card, *["picture"] * len(FRUITS))
    await expect(card).to_have_attribute("data-state", "done")
    assert await boxes(card) == began
    assert await serious(page) == [], "done"
    await slot(card, 6).locator("[data-act=open]").click()
    viewer = page.locator("#viewer[open]")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Escape")
    await expect(viewer).to_have_count(0)
    await expect(slot(card, 7).locator("[data-act=open]")).to_be_focused()


@BOTH
async def test_what_varies_in_two_ways_is_a_table_and_one_that_failed_is_ordered_again_in_its_place(
    open_page: Open, desk: Desk, language: str, width: int, colours: Literal["light", "dark"]
) -> None:
    page = await open_page(language, width=width, colours=colours)
    await page.evaluate(AXE)
    desk.held.add(11)
    card = await order(page, of("red hat", "blue hat", "no hat"), 2, seed=11)
    await expect_slots(card, "waiting", "picture", "waiting", "picture", "waiting", "picture")
    began = await boxes(card)
    assert await headings(card, "rowheader") == ["red", "blue", "no"]
    assert await headings(card, "columnheader") == [translate(language, "caption_seed", seed=seed) for seed in (11, 12)]
    desk.says[11] = httpx.Response(400, json=REFUSED)
    desk.held.clear()
    await expect(card).to_have_attribute("data-state", "partly")
    await expect_slots(card, "failed", "picture", "failed", "picture", "failed", "picture")
    assert await boxes(card) == began
    assert await serious(page) == [], "partly"
    await slot(card, 2).locator("[data-act=why]").click()
    reason = await slot(card, 2).locator("[data-act=why]").get_attribute("title")
    await said(page, reason or "")
    if language == "en":
        assert reason == f"{SAID_REFUSED} {FREE}"
    del desk.says[11]
    await slot(card, 2).locator("[data-act=order-again]").click()
    await expect_slots(card, "failed", "picture", "picture", "picture", "failed", "picture")
    await expect(cards(page)).to_have_count(1)
    go_on = card.locator("[data-act=go-on]")
    await expect(go_on).to_have_text(translate(language, "board_missing", count=2))
    await go_on.click()
    await expect_slots(card, *["picture"] * 6)
    await expect(card).to_have_attribute("data-state", "done")
    await expect(go_on).to_be_hidden()
    assert await boxes(card) == began
    assert len(desk.orders) == 9


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_a_table_that_is_wider_than_its_card_scrolls_in_it_and_its_rows_keep_their_headings_in_sight(
    open_page: Open, desk: Desk, language: str
) -> None:
    page = await open_page(language, width=390)
    card = await order(page, of("red hat", "blue hat"), 6, seed=31)
    await expect_slots(card, *["picture"] * 12)
    table = card.get_by_role("table")
    await expect(table).to_have_attribute("tabindex", "0")
    await table.evaluate("table => table.scrollLeft = 9999")
    for heading in await table.get_by_role("rowheader").all():
        await expect(heading).to_be_in_viewport(ratio=1)
    assert await page.evaluate("document.documentElement.scrollWidth") == 390


@BOTH
async def test_more_than_twelve_are_ordered_again_by_a_second_press(
    open_page: Open, desk: Desk, language: str, width: int, colours: Literal["light", "dark"]
) -> None:
    page = await open_page(language, width=width, colours=colours)
    missing = translate(language, "board_missing", count=MANY)
    desk.says[51] = httpx.Response(400, json=REFUSED)
    card = await order_many(page, of(*map(str, range(MANY))), 51)
    await expect(card).to_have_attribute("data-state", "failed")
    go_on = card.locator("[data-act=go-on]")
    await expect(go_on).to_have_text(missing)
    began = await boxes(card)
    del desk.says[51]
    await go_on.dblclick()  # is meant as one
    await expect(go_on).to_have_text(translate(language, "board_go_on_sure", count=MANY))
    await page.keyboard.press("Tab")
    await expect(go_on).to_have_text(missing)
    await go_on.click()
    assert len(desk.orders) == MANY
    await go_on.click()
    await expect(card).to_have_attribute("data-state", "done")
    await expect_slots(card, *["picture"] * MANY)
    assert await boxes(card) == began
    assert len(desk.orders) == 2 * MANY
    await expect(cards(page)).to_have_count(1)


@BOTH
async def test_a_batch_goes_on_where_it_stood_when_the_app_was_started_anew(
    new_context: NewContext, tmp_path: Path, language: str, width: int, colours: Literal["light", "dark"]
) -> None:
    before, after = Backend(), Backend()
    before.open.clear()

    context = await new_context(locale=language, color_scheme=colours, viewport={"width": width, "height": 900})
    page = await context.new_page()
    with launched(service(before, tmp_path / "before", 1)) as url:
        other = await (await new_context()).new_page()
        for opened in (other, page):
            await opened.goto(url, wait_until="domcontentloaded")
            await opened.locator("#text-run").wait_for()
        await order(other, "what has the line")
        card = await order_many(page, of(*map(str, range(MANY))), 61)
        await expect_slots(card, *["waiting"] * MANY)
        shutil.copytree(tmp_path / "before", tmp_path / "after")  # what is on the disk when it is killed
        await card.locator("[data-act=stop]").click()  # this life of the app is to end soon
        await expect(card).to_have_attribute("data-state", "stopped")
        before.open.set()
        await expect(cards(other)).to_have_attribute("data-state", "done")
        await page.goto("about:blank")  # or its stream would keep the app from ending
        await other.context.close()
    with launched(service(after, tmp_path / "after", 8)) as url:
        await page.goto(url, wait_until="domcontentloaded")
        await expect(card).to_have_attribute("data-state", "paused")
        await expect(card.locator(".state")).to_contain_text(translate(language, "board_paused"))
        paused = translate(language, "board_paused_said", count=0, n=MANY, unsent=MANY)
        await expect(card.locator(".said")).to_have_text(paused)
        await expect(slot(card, 13)).to_have_text(translate(language, "board_not_sent"))
        go_on = card.locator("[data-act=go-on]")
        await expect(go_on).to_have_text(translate(language, "board_go_on", count=MANY))
        await page.evaluate(AXE)
        assert await serious(page) == []
        await go_on.click()
        await expect(go_on).to_have_text(translate(language, "board_go_on_sure", count=MANY))
        assert after.orders == []
        await go_on.click()
        await expect(card).to_have_attribute("data-state", "done")
        await expect_slots(card, *["picture"] * MANY)
        assert len(after.orders) == MANY
        await context.close()


@BOTH
async def test_what_was_stopped_goes_on_in_its_places(
    new_context: NewContext, tmp_path: Path, language: str, width: int, colours: Literal["light", "dark"]
) -> None:
    backend = Backend()
    backend.open.clear()
    context = await new_context(locale=language, color_scheme=colours, viewport={"width": width, "height": 900})
    page = await context.new_page()
    with launched(service(backend, tmp_path, 1)) as url:
        await page.goto(url, wait_until="domcontentloaded")
        first = await order(page, "what has the line")
        card = await order(page, of("red hat", "blue hat"))
        await card.locator("[data-act=stop]").press("Enter")
        await expect(card).to_have_attribute("data-state", "stopped")
        await expect(card).to_be_focused()
        await expect_slots(card, "dropped", "dropped")
        backend.open.set()
        await expect(first).to_have_attribute("data-state", "done")
        go_on = card.locator("[data-act=go-on]")
        await expect(go_on).to_have_text(translate(language, "board_go_on", count=2))
        await go_on.press("Enter")
        await expect_slots(card, "picture", "picture")
        await expect(card).to_have_attribute("data-state", "done")
        await expect(card).to_be_focused()
        assert len(backend.orders) == 3
        await context.close()  # or its stream would keep the app from ending


@BOTH
async def test_photos_have_places_in_their_own_shapes_and_give_the_file_of_all_their_names(
    open_page: Open, app: RunningApp, language: str, width: int, colours: Literal["light", "dark"]
) -> None:
    page = await open_page(language, width=width, colours=colours)
    await page.locator("[role=tab][data-tab-id=edit]").click()
    shapes = {"beach.jpg": (600, 400), "dog.png": (400, 600), "海边.png": (500, 500)}
    await page.locator("#photos input[type=file]").set_input_files([photo(*named) for named in shapes.items()])
    await expect(page.locator("#photos li[data-is=ready]")).to_have_count(3)
    await page.locator("#edit-prompt textarea").fill("warmer")
    app.backend.open.clear()
    card = await run(page, "edit")
    await expect_slots(card, *["waiting"] * 3)
    began = await boxes(card)
    assert await names(card) == list(shapes)
    longest = {round(max(wide, high)) for _, _, wide, high in began}
    assert max(longest) - min(longest) <= 1
    for (_, _, wide, high), (w, h) in zip(began, shapes.values(), strict=True):
        assert wide / high == pytest.approx(w / h, rel=0.02)
    app.backend.open.set()
    await expect(card).to_have_attribute("data-state", "done")
    await expect_slots(card, *["picture"] * 3)
    assert await boxes(card) == began
    with zipfile.ZipFile(await download(page, "#feed .card [data-act=zip]")) as opened:
        assert opened.namelist() == ["beach-edited.png", "dog-edited.png", "海边-edited.png"]


@BOTH
async def test_all_pictures_are_one_file(
    open_page: Open, desk: Desk, language: str, width: int, colours: Literal["light", "dark"]
) -> None:
    page = await open_page(language, width=width, colours=colours)
    card = await order(page, of("red hat", "blue hat"), 2, seed=81)
    await expect(card).to_have_attribute("data-state", "done")
    file = await download(page, "#feed .card [data-act=zip]", "qwen-images.zip")
    with zipfile.ZipFile(file) as opened:
        assert len(opened.namelist()) == 4
    one = await order(page, "a hat", seed=85)
    await expect(one).to_have_attribute("data-state", "done")
    for act in ("zip", "sheet", "go-on"):
        await expect(one.locator(f"[data-act={act}]")).to_be_hidden()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_the_contact_sheet_shows_every_picture_in_its_row_and_column(
    open_page: Open, desk: Desk, language: str
) -> None:
    page = await open_page(language)
    desk.says[92] = httpx.Response(400, json=REFUSED)
    card = await order(page, of("red hat", "blue hat", "no hat"), 3, seed=91, size="16:9")
    await expect(card).to_have_attribute("data-state", "partly")
    sheet = await download(page, "#feed .card [data-act=sheet]", r"qwen-contact-sheet-\d{4}-\d\d-\d\d\.png")
    wide = (2000 - 2 * 80 - 300 - 3 * 24) / 3
    area = 3 * wide * wide * 928 / 1664
    assert covered(sheet) == {tuple(colour(seed)): pytest.approx(area, rel=0.02) for seed in (91, 93)}


async def test_a_contact_sheet_is_no_larger_than_a_phone_can_draw(open_page: Open, desk: Desk) -> None:
    page = await open_page()
    card = await order_many(page, of(*map(str, range(25))), 95, n=2, size="9:16")
    await expect(card).to_have_attribute("data-state", "done")
    sheet = await download(page, "#feed .card [data-act=sheet]")
    with Image.open(sheet) as image:
        assert (image.width, image.width * image.height <= 16_777_216) == (2000, True)
    first, second = covered(sheet).values()
    assert first == pytest.approx(second, rel=0.02)


async def test_a_batch_can_be_stopped_from_wherever_one_looks_at_it(open_page: Open, desk: Desk) -> None:
    page = await open_page(width=390)
    desk.held.add(101)
    card = await order_many(page, of(*map(str, range(40))), 101)
    for place in (0, 15, 39):
        await slot(card, place).scroll_into_view_if_needed()
        await expect(card.locator("[data-act=stop]")).to_be_in_viewport(ratio=1)
    assert await slot(card, 39).evaluate(
        """slot => slot.getBoundingClientRect().bottom
            <= document.querySelector(".batch > footer").getBoundingClientRect().top"""
    )


@BOTH
async def test_the_pictures_of_a_batch_are_one_stop_for_tab_and_are_told_apart(
    open_page: Open, desk: Desk, language: str, width: int, colours: Literal["light", "dark"]
) -> None:
    page = await open_page(language, width=width, colours=colours)
    across = 8 if width == 1400 else 3
    card = await order(page, of(*map(str, range(10))), seed=111)
    await expect_slots(card, *["picture"] * 10)
    opens = card.locator(".slot [data-act=open]")
    await opens.first.focus()
    for key, place in (
        ("ArrowRight", 1),
        ("ArrowDown", min(9, 1 + across)),
        ("Home", 0),
        ("ArrowLeft", 0),
        ("End", 9),
        ("ArrowUp", 1 if across == 8 else 6),
    ):
        await page.keyboard.press(key)
        await expect(opens.nth(place)).to_be_focused()
    await expect(card.locator('.slot [tabindex="0"]')).to_have_count(1)
    label = translate(language, "board_open", prompt=f"{1 if across == 8 else 6} on a table")
    await expect(page.locator(":focus")).to_have_attribute("aria-label", label)
    await page.keyboard.press("Enter")
    shown = page.locator("#viewer[open] .pane .label")
    await expect(shown).to_have_text(f"{1 if across == 8 else 6} on a table")
    await page.keyboard.press("Home")
    await expect(shown).to_have_text("0 on a table")


async def test_arrows_lead_through_a_table_as_it_stands(open_page: Open, desk: Desk) -> None:
    page = await open_page()
    desk.says[122] = httpx.Response(400, json=REFUSED)
    card = await order(page, of("red hat", "blue hat"), 3, seed=121)
    await expect(card).to_have_attribute("data-state", "partly")
    await expect_slots(card, "picture", "failed", "picture", "picture", "failed", "picture")
    await slot(card, 0).locator("button").focus()
    for key, place in (("ArrowDown", 3), ("ArrowRight", 4), ("ArrowUp", 1), ("End", 5), ("ArrowLeft", 4)):
        await page.keyboard.press(key)
        await expect(slot(card, place).locator("button").first).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(slot(card, 4).locator("[data-act=order-again]")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(card.locator("footer [data-act=go-on]")).to_be_focused()


async def test_a_picture_that_cant_be_had_for_a_while_is_waited_for(open_page: Open, desk: Desk) -> None:
    page = await open_page()
    await page.route("**/picture/*", lambda route: route.fulfill(body=b"", content_type="image/png"))
    card = await order(page, of("red hat", "blue hat"), seed=131)
    await expect(card).to_have_attribute("data-state", "done")
    async with page.expect_response("**/picture/*"):
        await order(page, "another")
    await expect(card.locator("img")).to_have_count(0)
    await page.unroute("**/picture/*")
    await order(page, "and one more")
    await expect_slots(card, "picture", "picture")


@pytest.mark.parametrize("width", [1400, 390])
async def test_a_reason_is_never_cut_through_a_line(open_page: Open, desk: Desk, width: int) -> None:
    page = await open_page(width=width)
    desk.says[141] = desk.says[142] = httpx.Response(400, json={"error": {"message": "broken " * 40}})
    for n in (1, 2):
        card = await order(page, of("0", "1", "2", "3"), n, seed=141)
        await expect(card).to_have_attribute("data-state", "failed")
        for ratio in (6, 4.5, 2.4, 1.8, 1.3, 1, 0.5):
            cut = await card.evaluate(
                """(card, ratio) => {
                    card.style.setProperty("--ratio", ratio);
                    return [...card.querySelectorAll(".slot")].filter(slot => {
                        const why = slot.querySelector("[data-act=why]");
                        const lines = why.clientHeight / parseFloat(getComputedStyle(why).lineHeight);
                        return slot.scrollHeight > slot.clientHeight || Math.abs(lines - Math.round(lines)) > 0.05;
                    }).length;
                }""",
                ratio,
            )
            assert (ratio, cut) == (ratio, 0)
