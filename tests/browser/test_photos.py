"""Many photos at once: what hands, drops and networks do ends in the batch, and in the order."""

import asyncio
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import FilePayload, Locator, Page, Route, expect

from qwen_demo.i18n import translate
from tests.browser.conftest import PHOTOS, Open
from tests.browser.steps import drop, said, upload
from tests.browser.test_access import AXE, serious
from tests.conftest import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")
BOTH = pytest.mark.parametrize(("language", "width"), [("en", 1400), ("zh-CN", 390)])

BROKEN: FilePayload = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}


def photo(name: str, shade: int) -> FilePayload:
    """A small file, and a picture that no other shade gives."""
    file = io.BytesIO()
    Image.new("RGB", (480, 400), (shade, 255 - shade, 120)).save(file, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}


def photos(number: int) -> list[FilePayload]:
    return [photo(f"photo {at + 1:02}.png", at * 4) for at in range(number)]


async def edit_tab(open_page: Open, *args: Any, **options: Any) -> Page:
    page = await open_page(*args, **options)
    await page.locator("[role=tab][data-tab-id=edit]").click()
    await expect(page.locator("#photos [data-act=photos]")).to_be_visible()
    return page


async def choose(page: Page, *files: FilePayload) -> None:
    """Choose these files, without waiting for what becomes of them."""
    await page.locator("#photos input[type=file]").set_input_files(files)


async def settled(page: Page, number: int) -> None:
    """Wait until so many photos are ready, and no other is on its way."""
    await expect(page.locator("#photos li[data-is=ready]")).to_have_count(number)
    await expect(page.locator("#photos li:is([data-is=waiting], [data-is=going])")).to_have_count(0)


async def names(page: Page) -> list[str]:
    return await page.locator("#photos .batch bdi").all_text_contents()


def notes(page: Page) -> Locator:
    return page.locator("#photos .left li")


def act(page: Page, name: str) -> Locator:
    return page.locator(f"#photos [data-act={name}]")


async def kept(page: Page, number: int) -> list[dict[str, str]]:
    """The part's value, as the next order would carry it, once it has so many rows."""
    told = """() => JSON.parse(
        new URLSearchParams(localStorage.getItem("qwen-image-demo-draft-edit")).get("photos") ?? "[]")"""
    await page.wait_for_function(f"({told})().length === {number}")
    rows: list[dict[str, str]] = await page.evaluate(told)
    return rows


async def drop_files(target: Locator, *files: FilePayload) -> None:
    """Drop several files there, as from the desktop."""
    told = [[file["name"], list(file["buffer"]), file["mimeType"]] for file in files]
    await target.evaluate(
        """(target, told) => {
            const files = new DataTransfer();
            for (const [name, data, type] of told) files.items.add(new File([new Uint8Array(data)], name, { type }));
            for (const kind of ["dragover", "drop"]) {
                target.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: files }));
            }
        }""",
        told,
    )


@pytest.mark.parametrize(("language", "locale"), [("en", "en-US"), ("zh-CN", "zh-CN")])
@pytest.mark.parametrize("width", [1400, 390])
async def test_several_photos_take_the_slots_place_and_give_it_back(
    open_page: Open, language: str, locale: str, width: int
) -> None:
    page = await edit_tab(open_page, locale, width=width)
    await upload(page, "edit-image", PHOTOS / "rocket.jpg")
    await choose(page, *photos(3))
    await settled(page, 3)
    await expect(page.locator("#photos .head b")).to_have_text(translate(language, "board_photos_sum", count=3))
    assert await names(page) == ["photo 01.png", "photo 02.png", "photo 03.png"]
    await expect(page.locator("#photos li img")).to_have_count(3)
    for part in ("#edit-image", "#edit-image-address", "#painter .switch"):
        await expect(page.locator(part)).to_be_hidden()
    await page.evaluate(AXE)
    assert await serious(page) == []

    await act(page, "clear").click()
    await said(page, translate(language, "board_photos_cleared", count=3))
    await expect(page.locator("#edit-image img")).to_be_visible()
    await kept(page, 0)
    await page.locator(".board-notice button").click()
    await settled(page, 3)
    for left in (2, 1, 0):
        await act(page, "remove").first.click()
        await expect(page.locator("#photos .batch li")).to_have_count(left)
    await expect(page.locator("#edit-image img")).to_be_visible()
    await expect(act(page, "photos")).to_be_focused()


@BOTH
async def test_one_photo_goes_into_the_slot(open_page: Open, language: str, width: int) -> None:
    page = await edit_tab(open_page, language, width=width)
    await choose(page, *photos(1))
    await expect(page.locator("#edit-image-note p")).to_have_text("480×400 PNG")
    await expect(page.locator("#photos .batch")).to_be_hidden()


async def test_several_files_dropped_anywhere_are_a_batch_and_one_more_joins_it(open_page: Open) -> None:
    page = await edit_tab(open_page)
    one, two, three, four = photos(4)
    await drop_files(page.locator("#edit-image"), one, two)
    await settled(page, 2)
    await drop(page.locator("#feed"), "photo 03.png", three["buffer"])
    await settled(page, 3)
    await expect(page.locator("#edit-image-note p")).to_have_count(0)
    await act(page, "clear").click()
    await drop_files(page.locator("body"), one, four)
    await settled(page, 2)
    assert await names(page) == ["photo 01.png", "photo 04.png"]


async def test_a_dropped_folder_gives_its_pictures_by_their_names(open_page: Open, tmp_path: Path) -> None:
    page = await edit_tab(open_page)
    folder = tmp_path / "beach"
    (folder / "more").mkdir(parents=True)
    for number, name in enumerate(("10.png", "9.png", "more/1.png")):
        (folder / name).write_bytes(photo("", number)["buffer"])
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "._9.png"):
        (folder / name).write_bytes(b"?")
    tools = await page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        await tools.send("Input.dispatchDragEvent", {"type": kind, "x": 700, "y": 500, "data": data})
    await settled(page, 3)
    assert await names(page) == ["9.png", "10.png", "1.png"]
    await expect(notes(page)).to_have_text(["Files that are no pictures, skipped: 4."])


@BOTH
async def test_what_cant_be_read_is_listed_and_skipped_and_so_is_what_is_there_already(
    open_page: Open, language: str, width: int
) -> None:
    page = await edit_tab(open_page, language, width=width)
    one, two = photos(2)
    await choose(page, one, BROKEN, two, {**one, "name": "copy.png"})
    await settled(page, 2)
    assert await names(page) == ["photo 01.png", "photo 02.png"]
    field = translate(language, "field_image")
    broken = translate(language, "invalid_not_a_picture", field=field, value="'broken.jpg'")
    await expect(notes(page)).to_have_text([broken, translate(language, "board_photos_twice", names="copy.png")])
    await act(page, "hide").click()
    await expect(page.locator("#photos .left")).to_be_hidden()


@BOTH
async def test_an_order_takes_fifty_and_those_beyond_move_up_for_what_cant_be_read(
    open_page: Open, language: str, width: int
) -> None:
    page = await edit_tab(open_page, language, width=width)

    async def answer(route: Route) -> None:
        name = (route.request.post_data_json or {})["name"]
        await route.fulfill(json={"refused": "broken"} if name == "broken.jpg" else {"id": f"reference-{name}"})

    # What is made ready in other tests would take a while here.
    await page.route("**/gradio_api/upload*", lambda route: route.fulfill(json=["/uploads/photo.png"]))
    await page.route("**/board/photo", answer)
    await page.route("**/picture/reference-*", lambda route: route.fulfill(path=PHOTOS / "coffee.png"))
    await choose(page, BROKEN, *photos(52))
    await settled(page, 50)
    assert await names(page) == [file["name"] for file in photos(50)]
    over = f"photo 51.png{' and ' if language == 'en' else '和'}photo 52.png"
    await expect(notes(page)).to_have_text(["broken", translate(language, "board_photos_over", most=50, names=over)])
    await expect(act(page, "more")).to_be_hidden()
    await act(page, "remove").first.click()  # whoever takes one out wants fewer
    await settled(page, 49)
    await kept(page, 49)


@BOTH
async def test_nothing_is_ordered_while_photos_are_on_their_way(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await edit_tab(open_page, language, width=width)
    gate = asyncio.Event()

    async def hold(route: Route) -> None:
        await gate.wait()
        await route.continue_()

    await page.route("**/board/photo", hold)
    await page.locator("#edit-prompt textarea").fill("make it night")
    await choose(page, *photos(3))
    await expect(page.locator("#edit-run")).to_have_attribute("aria-busy", "true")
    await expect(page.locator("#edit-run")).to_have_attribute(
        "data-busy", translate(language, "board_photos_wait", count=0, n=3)
    )
    await expect(page.locator("#photos li[data-is=going]")).to_have_count(2)
    await page.locator("#edit-run").click()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#photos .progress")).to_have_text(translate(language, "board_of", count=0, n=3))
    gate.set()
    await settled(page, 3)
    await expect(page.locator("#edit-run")).not_to_have_attribute("aria-busy", "true")
    assert app.orders == []
    await page.locator("#edit-run").click()
    await expect(page.locator("#feed .card").first).to_have_attribute("data-state", "done")
    assert len(app.orders) == 3
    assert len({str(order["image"]) for order in app.orders}) == 3


async def test_the_order_is_not_counted_while_photos_are_on_their_way(open_page: Open) -> None:
    page = await edit_tab(open_page)
    estimate = page.locator("#edit-estimate p")
    gate = asyncio.Event()

    async def hold(route: Route) -> None:
        await gate.wait()
        await route.continue_()

    await choose(page, *photos(2))
    await expect(estimate).to_have_text("2 pictures")
    await page.route("**/board/photo", hold)
    await choose(page, *photos(4)[2:])
    await expect(page.locator("#edit-run")).to_have_attribute("data-busy", "Photos ready: 2 of 4…")
    await expect(estimate).to_be_hidden()
    gate.set()
    await expect(estimate).to_have_text("4 pictures")
    await expect(estimate).to_be_visible()


@BOTH
async def test_a_network_that_goes_away_is_told_and_tried_again(open_page: Open, language: str, width: int) -> None:
    page = await edit_tab(open_page, language, width=width)
    await page.context.set_offline(True)
    await choose(page, *photos(3))
    reason = translate(language, "board_unreachable")
    away = translate(language, "board_photos_away", count=3, reason=reason)
    await expect(page.locator("#photos .away")).to_contain_text(away)
    await expect(page.locator("#edit-run")).not_to_have_attribute("aria-busy", "true")
    await page.context.set_offline(False)
    await act(page, "retry").click()
    await settled(page, 3)
    await expect(page.locator("#photos .away")).to_be_hidden()


@BOTH
async def test_a_file_that_is_too_large_is_named(open_page: Open, tmp_path: Path, language: str, width: int) -> None:
    page = await edit_tab(open_page, language, width=width)
    large = [tmp_path / "photo 01.png", tmp_path / "photo 02.png"]
    for path in large:
        with path.open("wb") as file:
            file.truncate(32_000_000)
    await page.locator("#photos input[type=file]").set_input_files(large)
    await expect(notes(page)).to_have_text(
        [translate(language, "board_photos_large", name=path.name) for path in large]
    )
    await expect(page.locator("#edit-image")).to_be_visible()


@BOTH
async def test_photos_outlive_a_reload_and_are_looked_up_again(open_page: Open, language: str, width: int) -> None:
    page = await edit_tab(open_page, language, width=width)
    await choose(page, *photos(3))
    await settled(page, 3)
    before = await kept(page, 3)
    assert [row["name"] for row in before] == ["photo 01.png", "photo 02.png", "photo 03.png"]
    gone = json.dumps([{**before[0], "id": "reference-" + "0" * 64, "path": "/gone.png"}, *before[1:]])
    await page.evaluate(
        """photos => {
            const key = "qwen-image-demo-draft-edit", draft = new URLSearchParams(localStorage.getItem(key));
            draft.set("photos", photos);
            localStorage.setItem(key, `?${draft}`);
        }""",
        gone,
    )
    await page.reload(wait_until="domcontentloaded")
    await page.locator("[role=tab][data-tab-id=edit]").click()
    await settled(page, 2)
    assert await names(page) == ["photo 02.png", "photo 03.png"]
    field = translate(language, "field_image")
    gone = translate(language, "invalid_photo_gone", field=field, value="'photo 01.png'")
    await expect(notes(page)).to_have_text([gone])
    assert await kept(page, 2) == before[1:]


@BOTH
async def test_a_picture_that_is_to_be_edited_takes_the_photos_place(
    open_page: Open, language: str, width: int
) -> None:
    page = await edit_tab(open_page, language, width=width)
    await choose(page, *photos(2))
    await settled(page, 2)
    await page.get_by_role("button", name=translate(language, "example_edit_cat")).first.click()
    await expect(page.locator("#edit-image img")).to_be_visible()
    await expect(page.locator("#photos .batch")).to_be_hidden()
    await kept(page, 0)
    await said(page, translate(language, "board_photos_cleared", count=2))
    await page.locator(".board-notice [data-act=undo]").click()
    await settled(page, 2)
    await expect(page.locator("#edit-image")).to_be_hidden()


async def test_what_is_filled_in_is_told_beside_the_way_back_to_the_photos(open_page: Open) -> None:
    page = await edit_tab(open_page)
    await choose(page, *photos(2))
    await settled(page, 2)
    await page.locator("#edit-prompt textarea").fill("warmer")
    await page.locator("#edit-run").click()
    await expect(page.locator("#feed .card").first).to_have_attribute("data-state", "done")
    await choose(page, *photos(3)[2:])
    await settled(page, 3)
    await page.locator("#feed [data-act=again]").click()
    await settled(page, 2)
    await expect(page.locator(".board-notice")).to_have_count(2)
    await expect(page.locator(".board-notice", has_text="Photos removed: 1")).to_be_visible()
    await page.locator(".board-notice [data-act=undo]").click()
    await settled(page, 3)
    await expect(page.locator(".board-notice")).to_have_count(1)


async def test_the_large_place_takes_several_too(open_page: Open) -> None:
    page = await edit_tab(open_page)

    async def choose_there(number: int) -> None:
        async with page.expect_file_chooser() as opened:
            await page.locator("#edit-image button").first.click()
        chooser = await opened.value
        assert chooser.is_multiple()
        await chooser.set_files(photos(number))

    await choose_there(2)
    await settled(page, 2)
    await act(page, "clear").click()
    await choose_there(1)
    await expect(page.locator("#edit-image-note p")).to_have_text("480×400 PNG")
    await expect(page.locator("#photos .batch")).to_be_hidden()


async def test_long_lists_are_folded_and_a_new_choice_begins_new_notes(open_page: Open) -> None:
    page = await edit_tab(open_page)
    await choose(page, *photos(4))
    await settled(page, 4)
    broken = [FilePayload(name=f"broken {at}.jpg", mimeType="image/jpeg", buffer=b"no picture") for at in range(4)]
    await choose(page, *photos(4), *broken)
    await expect(notes(page).locator("summary")).to_have_text(
        [
            "Files that can't be used, left out: 4.",
            "The same pictures are here already. Left out: 4 photos.",
        ]
    )
    left_out = notes(page).last.locator("p")
    await expect(left_out.first).to_be_hidden()
    await notes(page).locator("summary").last.click()
    assert await left_out.all_inner_texts() == [file["name"] for file in photos(4)]
    await choose(page, *photos(2))
    await expect(notes(page)).to_have_text(
        ["The same pictures are here already. Left out: photo 01.png and photo 02.png."]
    )


async def test_photos_of_the_same_name_get_numbers(open_page: Open) -> None:
    page = await edit_tab(open_page)
    await choose(
        page, photo("p.jpg", 1), photo("p.jpg", 50), photo("v1.2", 90), photo("v1.2", 130), photo("p.jpg", 170)
    )
    await settled(page, 5)
    assert await names(page) == ["p.jpg", "p (2).jpg", "v1.2", "v1 (2).2", "p (3).jpg"]
    assert [row["name"] for row in await kept(page, 5)] == await names(page)


async def test_what_tells_names_apart_is_in_sight(open_page: Open) -> None:
    page = await edit_tab(open_page)
    named = [f"IMG_2026000{at} holiday.jpg" for at in range(3)]
    await choose(page, *(photo(name, at) for at, name in enumerate([*named, "cat.jpg"])))
    await settled(page, 4)
    parts = page.locator("#photos bdi span:last-child")
    await expect(parts).to_have_text(["0000 holiday.jpg", "0001 holiday.jpg", "0002 holiday.jpg", "cat.jpg"])
    for number in range(4):
        box, cell = await parts.nth(number).bounding_box(), await page.locator("#photos li").nth(number).bounding_box()
        assert box
        assert cell
        assert cell["x"] <= box["x"] < box["x"] + 40 < box["x"] + box["width"] <= cell["x"] + cell["width"]


async def test_a_notice_stands_above_the_run_button(open_page: Open) -> None:
    page = await edit_tab(open_page, width=390, height=700)
    await choose(page, *photos(3))
    await settled(page, 3)
    await act(page, "remove").first.click()
    await said(page, "Removed: photo 01.png")
    notice = await page.locator(".board-notice").bounding_box()
    bar = await page.locator(".actions:has(#edit-run)").bounding_box()
    assert notice
    assert bar
    assert notice["y"] + notice["height"] <= bar["y"]


@BOTH
async def test_another_background_makes_all_ready_anew(open_page: Open, language: str, width: int) -> None:
    page = await edit_tab(open_page, language, width=width)
    await choose(page, *photos(2))
    await settled(page, 2)
    await page.locator(".controls:has(#photos)").get_by_role("button", name=translate(language, "advanced")).click()
    await page.locator("#edit-background button").first.click()
    await page.locator("#edit-background input[type=text]").fill("#00ff00")
    await page.locator("#edit-background input[type=text]").press("Enter")
    await page.wait_for_function(
        """() => JSON.parse(new URLSearchParams(localStorage.getItem("qwen-image-demo-draft-edit")).get("photos"))
            .every(({ background }) => background !== "#ffffff")"""
    )
    await settled(page, 2)
    await expect(page.locator("#edit-run")).not_to_have_attribute("aria-busy", "true")


async def test_names_are_shown_as_text(open_page: Open) -> None:
    page = await edit_tab(open_page)
    hostile = ["<img src=x onerror=alert(1)>.png", "שלום.png", "{most}.png"]
    await choose(page, *(photo(name, at) for at, name in enumerate(hostile)))
    await settled(page, 3)
    assert await names(page) == hostile
    label = await page.get_by_role("button", name=re.compile("^Remove: <img")).get_attribute("aria-label")
    assert label == f"Remove: {hostile[0]}"


async def test_keys_go_from_photo_to_photo_and_take_one_out(open_page: Open) -> None:
    page = await edit_tab(open_page)
    await choose(page, *photos(6))
    await settled(page, 6)
    await act(page, "clear").focus()
    await page.keyboard.press("Tab")
    remove = act(page, "remove")
    await expect(remove.nth(0)).to_be_focused()
    for key, at in (("ArrowRight", 1), ("ArrowDown", 5), ("ArrowUp", 1), ("End", 5), ("ArrowRight", 5), ("Home", 0)):
        await page.keyboard.press(key)
        await expect(remove.nth(at)).to_be_focused()
    await page.keyboard.press("Delete")
    await expect(remove).to_have_count(5)
    await expect(remove.nth(0)).to_be_focused()
    assert (await names(page))[0] == "photo 02.png"
    await page.locator(".board-notice [data-act=undo]").click()
    await expect(remove).to_have_count(6)
    assert (await names(page))[0] == "photo 01.png"
