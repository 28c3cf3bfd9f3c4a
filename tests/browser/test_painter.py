"""Painting over a photo: what hands and keys do ends in the painter's value, and in the order."""

import asyncio
import io
import json
import threading
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image
from playwright.async_api import CDPSession, Locator, Page, Route, expect

from qwen_demo.ui.files import publish
from qwen_demo.ui.painter import Painter, photo_value, repainted
from qwen_demo.ui.parts import board_files
from tests.browser.conftest import PHOTOS, NewContext, Open
from tests.browser.steps import drop, look, outside, run_and_wait, tab, upload
from tests.browser.test_access import AXE, serious
from tests.conftest import RunningApp, free_port

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def opened(page: Page, file: Any = PHOTOS / "rocket.jpg", *, label: str = "Edit") -> Locator:
    """The painter's surface, over a photo of 640 × 427 px."""
    await tab(page, label)
    await upload(page, "edit-image", file)
    await page.locator("#painter .switch").click()
    surface = page.locator("#painter .surface")
    await expect(surface).to_be_visible()
    await surface.scroll_into_view_if_needed()
    return surface


async def value(page: Page) -> dict[str, Any]:
    """What the painter holds, as the next order would carry it."""
    told: dict[str, Any] = await page.evaluate(
        "JSON.parse(new URLSearchParams(localStorage.getItem('qwen-image-demo-draft-edit')).get('painted'))"
    )
    return told


async def until(page: Page, **expected: Any) -> None:
    """Wait until the painter holds these."""
    for _ in range(300):
        held = await value(page)
        if {name: held.get(name) for name in expected} == expected:
            return
        await asyncio.sleep(0.1)
    assert {name: held.get(name) for name in expected} == expected


async def strokes(page: Page, number: int, region: int = 0) -> list[list[float]]:
    """The region's strokes, once there are so many."""
    for _ in range(300):
        regions = (await value(page)).get("regions", [])
        if len(regions) > region and len(regions[region]["strokes"]) == number:
            found: list[list[float]] = regions[region]["strokes"]
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"not {number} strokes: {regions}")


async def words(page: Page, *expected: str) -> None:
    """Wait until these are the regions' words."""
    for _ in range(300):
        told = tuple(region["words"] for region in (await value(page)).get("regions", []))
        if told == expected:
            return
        await asyncio.sleep(0.1)
    assert told == expected


async def place(surface: Locator, x: float, y: float) -> tuple[float, float]:
    """A place of the photo, in thousandths of its longer side, in px of the window."""
    await surface.scroll_into_view_if_needed()
    box = await surface.bounding_box()
    assert box
    scale = max(box["width"], box["height"]) / 1000
    return box["x"] + x * scale, box["y"] + y * scale


async def stroke(page: Page, surface: Locator, *points: tuple[float, float]) -> None:
    """Paint along these points with the mouse."""
    for number, point in enumerate(points):
        await page.mouse.move(*await place(surface, *point), steps=1 if number == 0 else 10)
        if number == 0:
            await page.mouse.down()
    await page.mouse.up()


async def painted(surface: Locator, x: float, y: float, layer: int = 0) -> bool:
    """Whether there is paint at that place."""
    opacity: int = (
        await surface.locator("canvas")
        .nth(layer)
        .evaluate(
            """(canvas, [x, y]) => {
            const unit = Math.max(canvas.width, canvas.height) / 1000;
            return canvas.getContext("2d").getImageData(Math.round(x * unit), Math.round(y * unit), 1, 1).data[3];
        }""",
            [x, y],
        )
    )
    assert opacity in (0, 255)  # where strokes cross it is no thicker
    return opacity == 255


def act(page: Page, name: str) -> Locator:
    return page.locator(f"#painter [data-act={name}]")


async def test_the_mouse_paints_and_what_is_painted_can_be_taken_back(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    surface = await opened(page)
    await expect(act(page, "undo")).to_be_disabled()
    await expect(page.locator("#painter .told")).to_have_text(
        "Paint over what shall change. All else stays your photo's, pixel by pixel, at 640×427."
    )
    await stroke(page, surface, (200, 200), (400, 200), (400, 400))
    (line,) = await strokes(page, 1)
    assert line[:2] == [30, 0]
    assert line[2:] == pytest.approx([200, 200, 400, 200, 400, 400], abs=3)  # straight lines need no points between
    assert all(round(number, 1) == number for number in line)
    assert [await painted(surface, *at) for at in ((300, 200), (400, 300), (300, 300))] == [True, True, False]

    await act(page, "erase").click()
    await expect(act(page, "erase")).to_have_attribute("aria-pressed", "true")
    await stroke(page, surface, (300, 200))
    assert (await strokes(page, 2))[1][:2] == [30, 1]
    assert [await painted(surface, *at) for at in ((300, 200), (400, 300))] == [False, True]

    await act(page, "undo").click()
    await strokes(page, 1)
    assert await painted(surface, 300, 200)
    await act(page, "redo").click()
    await strokes(page, 2)
    assert not await painted(surface, 300, 200)
    await act(page, "wipe").click()
    await strokes(page, 0)
    assert not await painted(surface, 400, 300)
    await expect(act(page, "wipe")).to_be_disabled()
    await act(page, "undo").click()
    await strokes(page, 2)
    assert await painted(surface, 400, 300)


async def test_a_click_is_a_dot_of_the_brushs_size(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    surface = await opened(page)
    await page.locator("#painter .tools input").fill("60")
    await stroke(page, surface, (500, 300))
    ((radius, erases, *at),) = await strokes(page, 1)
    assert (radius, erases) == (60, 0)
    assert at == pytest.approx([500, 300], abs=3)
    assert [await painted(surface, 500 + off, 300) for off in (0, 55, 65)] == [True, True, False]


async def test_keys_paint_on_the_focused_photo(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    surface = await opened(page)
    await surface.focus()
    for key in ("]", "]", "ArrowRight", "ArrowUp", " "):
        await surface.press(key)
    assert await strokes(page, 1) == [[40, 0, 520, 313.6]]  # from the middle by half of its radius
    assert await painted(surface, 520, 313)
    await surface.press("e")
    await surface.press("[")
    await surface.press("Space")
    assert (await strokes(page, 2))[1] == [35, 1, 520, 313.6]
    await surface.press("Control+z")
    await strokes(page, 1)
    await surface.press("Control+z")
    await strokes(page, 0)
    await surface.press("Control+Shift+z")
    await strokes(page, 1)
    for _ in range(60):
        await surface.press("ArrowLeft")
    await surface.press("e")
    await surface.press("Space")
    assert (await strokes(page, 2))[1] == [35, 0, 0, 313.6]  # no further than the photo's edge


async def test_one_finger_paints_and_two_do_not(new_context: NewContext, app: RunningApp) -> None:
    context = await new_context(locale="en-US", has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    page = await context.new_page()
    await page.goto(app.url, wait_until="domcontentloaded")
    await page.locator("#text-run").wait_for()
    surface = await opened(page)
    hand = await context.new_cdp_session(page)

    async def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [await place(surface, *point) for point in points]
        fingers = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(at)]
        await hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    before = await page.evaluate("scrollY")
    await touch("touchStart", (200, 200))
    for x in range(220, 420, 20):
        await touch("touchMove", (x, 200))
    await touch("touchEnd")
    ((radius, erases, *at),) = await strokes(page, 1)
    assert (radius, erases) == (30, 0)
    assert at == pytest.approx([200, 200, 400, 200], abs=3)
    assert await page.evaluate("scrollY") == before

    await touch("touchStart", (600, 300))
    await touch("touchMove", (620, 300))
    await touch("touchStart", (620, 300), (700, 200))
    for off in range(0, 60, 10):
        await touch("touchMove", (620 - off, 300 + off), (700 + off, 200 - off))
    await touch("touchEnd")
    await expect_still(hand, page, 1)
    assert not await painted(surface, 610, 300)

    sizes = await page.locator("#painter button:visible").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(({ width, height }) => Math.min(width, height))"
    )
    assert min(sizes) >= 44
    await context.close()


async def expect_still(hand: CDPSession, page: Page, number: int) -> None:
    """So many strokes are all, after one more tap has had its turn."""
    surface = page.locator("#painter .surface")
    x, y = await place(surface, 100, 400)
    await hand.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    await hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert (await strokes(page, number + 1))[-1][2:] == pytest.approx([100, 400], abs=5)


async def test_each_part_has_its_colour_its_words_and_its_price(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    surface = await opened(page)
    await expect(act(page, "add-part")).to_have_count(0)
    await stroke(page, surface, (200, 200))
    await expect(page.locator("#painter .wording")).to_be_hidden()
    await act(page, "add-part").click()
    await expect(page.get_by_role("button", name="Part 2, nothing painted")).to_be_visible()
    await stroke(page, surface, (700, 200))
    await expect(page.get_by_role("button", name="Part 2", exact=True)).to_be_visible()
    await page.get_by_label("What shall change in part 2").fill("no lamp")
    await expect(page.get_by_text("the prompt is not sent")).to_be_hidden()
    await act(page, "part").first.click()
    await page.get_by_label("What shall change in part 1").fill("a red hat")
    await expect(page.get_by_text("Each part has its own words; the prompt is not sent.")).to_be_visible()
    await strokes(page, 1, 1)
    await expect(page.locator("#painter .told")).to_contain_text("Drawn")
    await words(page, "a red hat", "no lamp")
    assert [await painted(surface, 200, 200, layer) for layer in (0, 1)] == [True, False]
    assert [await painted(surface, 700, 200, layer) for layer in (0, 1)] == [False, True]

    # The eraser is at the part at hand alone, and words outlive an undo.
    await act(page, "erase").click()
    await stroke(page, surface, (700, 200))
    await strokes(page, 2)
    assert await painted(surface, 700, 200, 1)
    await act(page, "undo").click()
    await strokes(page, 1)
    await words(page, "a red hat", "no lamp")

    await act(page, "remove-part").click()
    await expect(page.get_by_label("What shall change in part 1")).to_have_value("no lamp")
    await expect(act(page, "remove-part")).to_be_hidden()
    await words(page, "no lamp")
    assert (await strokes(page, 1))[0][2:] == pytest.approx([700, 200], abs=3)
    await act(page, "undo").click()
    await expect(act(page, "part")).to_have_count(2)
    await words(page, "a red hat", "no lamp")
    for number in (3, 4):
        await act(page, "paint").click()
        await act(page, "add-part").click()
        await stroke(page, surface, (100 * number, 400))
        await strokes(page, 1, number - 1)
    await expect(act(page, "add-part")).to_have_count(0)


async def test_the_sharpness_is_told_before_anything_is_ordered(open_page: Open, app: RunningApp) -> None:
    photo = io.BytesIO()
    Image.effect_noise((4000, 3000), 60).convert("RGB").save(photo, "JPEG", quality=30)
    page = await open_page()
    file = {"name": "camera.jpg", "mimeType": "image/jpeg", "buffer": photo.getvalue()}
    surface = await opened(page, file)
    notes = page.locator("#painter .choice small")
    await stroke(page, surface, (500, 300))
    await expect(notes.nth(0)).to_have_text("100 % sharp")
    await expect(notes.nth(1)).to_have_text("30 % sharp")
    await expect(page.locator("#painter .told")).to_have_text(
        "Drawn as sharp as your photo. All else stays your photo's, pixel by pixel, at 4000×3000."
    )
    await page.get_by_role("radio", name="The whole picture").check()
    await expect(page.locator("#painter .told")).to_contain_text("Drawn at 30 % of your photo's sharpness.")
    await page.get_by_role("radio", name="Softer").check()
    await until(page, sees="whole", edge=2, size=[4000, 3000])

    told, apart = page.locator("#painter .told"), "Far apart: as two parts each would be sharper."
    await stroke(page, surface, (50, 50))
    await page.get_by_role("radio", name="What is around it").check()
    await expect(told).to_contain_text(apart)
    await page.get_by_role("radio", name="The whole picture").check()
    await expect(told).not_to_contain_text(apart)
    await page.locator("#painter .tools input").fill("120")
    for y in (100, 300, 500, 700):
        await stroke(page, surface, (0, y), (1000, y))
    await expect(told).to_have_text("Drawn at 30 % of your photo's sharpness.")
    assert app.orders == []


async def test_an_order_is_of_the_photo_as_it_was_uploaded_and_keeps_its_size(open_page: Open, app: RunningApp) -> None:
    photo = io.BytesIO()
    Image.effect_noise((3600, 2400), 60).convert("RGB").save(photo, "JPEG", quality=30)
    page = await open_page()
    surface = await opened(page, {"name": "camera.jpg", "mimeType": "image/jpeg", "buffer": photo.getvalue()})
    await page.locator("#edit-prompt textarea").fill("a red hat")
    await expect(page.locator("#edit-size")).to_be_visible()
    await page.locator("#edit-run").click()
    await expect(page.locator("#edit-status")).to_contain_text("nothing is painted")
    assert app.orders == []
    await stroke(page, surface, (300, 300))
    await strokes(page, 1)
    await expect(page.locator("#edit-size")).to_be_hidden()  # it has the photo's
    card = await run_and_wait(page, "edit")
    await expect(card.locator(".meta")).to_contain_text("3600×2400")
    assert len(app.orders) == 1


async def test_switched_off_the_whole_picture_is_edited_and_on_again_the_paint_is_there(
    open_page: Open, app: RunningApp
) -> None:
    page = await open_page()
    surface = await opened(page)
    await stroke(page, surface, (300, 300))
    await strokes(page, 1)
    await page.locator("#painter .switch").click()
    await expect(surface).to_be_hidden()
    await expect(page.locator("#edit-image img")).to_be_visible()
    await until(page, regions=[])
    await page.locator("#painter .switch").click()
    await strokes(page, 1)
    assert await painted(surface, 300, 300)


async def test_the_painter_is_as_large_as_the_window_and_comes_back(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    surface = await opened(page)
    small = await surface.bounding_box()
    await act(page, "enlarge").click()
    large = await surface.bounding_box()
    assert small
    assert large
    assert large["width"] > 2 * small["width"]
    assert large["width"] / large["height"] == pytest.approx(small["width"] / small["height"], rel=0.01)
    await stroke(page, surface, (300, 300))
    ((*_, x, y),) = await strokes(page, 1)
    assert (x, y) == pytest.approx((300, 300), abs=2)
    await page.keyboard.press("Escape")
    await expect(page.locator("#painter .home .surface")).to_be_visible()
    assert await painted(surface, 300, 300)
    await act(page, "enlarge").click()
    await page.keyboard.press("Control+Enter")  # what comes of it stands behind
    await expect(page.locator("#painter .home .surface")).to_be_visible()
    await expect(page.locator("#edit-status")).not_to_be_empty()
    again = await surface.bounding_box()
    assert again
    assert again["width"] == small["width"]


@pytest.mark.parametrize(("label", "button"), [("Edit", "#edit-run"), ("Fuse", "#fusion-run")])
async def test_the_run_button_stays_in_the_window_whatever_its_size(
    open_page: Open, app: RunningApp, label: str, button: str
) -> None:
    page = await open_page()
    for _ in range(3):  # something to scroll
        await page.locator("#text-prompt textarea").fill("a garden")
        await run_and_wait(page, "text")
    await tab(page, label)
    for height in (600, 800):
        await page.set_viewport_size({"width": 1400, "height": height})
        for y in (0, 400, 0):
            await page.evaluate("y => scrollTo(0, y)", y)
            await expect(page.locator(button)).to_be_in_viewport(ratio=1)


async def test_the_size_of_the_brush_is_seen_while_it_is_changed(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    surface = await opened(page)
    ring, size = page.locator("#painter .ring"), page.locator("#painter .tools input")
    await stroke(page, surface, (100, 100))
    await size.hover()
    await expect(ring).to_have_css("opacity", "0")
    await page.mouse.down()
    await expect(ring).to_have_css("opacity", "1")
    outer, inner = await surface.bounding_box(), await ring.bounding_box()
    assert outer
    assert inner
    middles = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in (inner, outer)]
    assert middles[0] == pytest.approx(middles[1], abs=1)
    await page.mouse.up()
    await expect(ring).to_have_css("opacity", "0")


async def test_while_a_painted_photo_is_prepared_the_run_button_says_so_and_takes_no_press(
    open_page: Open, app: RunningApp
) -> None:
    page = await open_page()
    surface = await opened(page)
    button, status = page.locator("#edit-run"), page.locator("#edit-status")
    await button.click()
    await expect(button).not_to_have_attribute("aria-busy", "true")
    await expect(status).to_contain_text("nothing is painted")
    await stroke(page, surface, (300, 300))
    await strokes(page, 1)
    await page.locator("#edit-prompt textarea").fill("a red hat")
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await page.route("**/queue/join*", hold)
    await button.click()
    await expect(button).to_have_attribute("aria-busy", "true")
    await expect(status).to_be_empty()
    label = await button.evaluate("button => getComputedStyle(button, '::before').content")
    assert label == '"Preparing your photo…"'
    await button.click()
    await page.keyboard.press("Control+Enter")
    held.set()
    await expect(page.locator("#feed .card")).to_have_attribute("data-state", "done")
    await expect(button).not_to_have_attribute("aria-busy", "true")
    await expect(page.locator("#feed .card")).to_have_count(1)
    assert len(app.orders) == 1


async def test_paint_is_adjusted_within_what_came_and_applied_again(
    new_context: NewContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    photo = await asyncio.to_thread(publish, PHOTOS / "rocket.jpg")
    dot = {"strokes": [[30, 0, 300, 300]], "words": ""}
    paint = {"regions": [dot], "sees": "whole", "edge": 2, "of": "2026-11-22-1f3a", "box": [100, 50, 600, 400]}
    with gr.Blocks() as demo:
        painter = Painter(800)
        again, without, gone = (gr.Button(name, elem_id=name) for name in ("again", "without", "gone"))
        applied = gr.Textbox(elem_id="applied")
        again.click(lambda: repainted(photo_value(photo, (640, 427)), paint), outputs=painter.part)
        without.click(lambda: repainted(photo_value(photo, (640, 427)), None), outputs=painter.part)
        gone.click(lambda: repainted(photo_value(None), paint), outputs=painter.part)
        answer = threading.Event()

        def apply(value: dict[str, Any]) -> tuple[str, dict[str, Any]]:
            answer.wait()
            return json.dumps(value), {**value, "turn": value.get("turn", 0) + 1}

        painter.part.apply(apply, inputs=painter.part, outputs=[applied, painter.part])
    options: dict[str, Any] = {"app_kwargs": {"routes": [board_files()]}, "ssr_mode": False}
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_port=free_port(), **options)
    context = await new_context(locale="en-US")
    try:
        page = await context.new_page()
        await page.goto(url, wait_until="domcontentloaded")
        surface, frame = page.locator("#painter .surface"), page.locator("#painter .frame")
        await page.locator("#again").click()
        await expect(surface).to_be_visible()
        assert await painted(surface, 300, 300)
        await expect(page.locator("#painter [type=radio][value=whole]")).to_be_checked()
        await expect(page.get_by_role("radio", name="Softer")).to_be_checked()
        inner, outer = await frame.bounding_box(), await surface.bounding_box()
        assert inner
        assert outer
        scale = outer["width"] / 1000
        sides = [inner["x"] - outer["x"], inner["y"] - outer["y"], inner["width"], inner["height"]]
        assert sides == pytest.approx([100 * scale, 50 * scale, 500 * scale, 350 * scale], abs=2)
        await stroke(page, surface, (400, 300))
        await expect(page.locator("#painter .choice").first).to_be_hidden()
        await expect(act(page, "add-part")).to_be_hidden()
        await expect(page.locator("#painter .told")).to_have_text(
            "The answer shows what is inside the frame. For more, order anew."
        )
        await expect(page.locator("#painter .applying")).to_contain_text("No new call, no charge.")
        await act(page, "apply").click()
        await expect(page.locator("#painter .applying")).to_contain_text("Applying…")
        await expect(act(page, "apply")).to_be_disabled()
        await stroke(page, surface, (200, 300))
        answer.set()
        await expect(page.locator("#painter .applying")).to_contain_text("No new call, no charge.")
        await expect(act(page, "apply")).to_be_enabled()
        # What is painted meanwhile stays, and all can be taken back.
        assert [await painted(surface, x, 300) for x in (200, 300, 400)] == [True, True, True]
        for _ in range(2):
            await act(page, "undo").click()
        assert [await painted(surface, x, 300) for x in (200, 300, 400)] == [False, True, False]
        await expect(act(page, "undo")).to_be_disabled()
        field = page.locator("#applied textarea, #applied input")
        await expect(field).not_to_have_value("")
        told = json.loads(await field.input_value())
        (region,) = told["regions"]
        assert [region["strokes"][0], len(region["strokes"]), told["of"]] == [*dot["strokes"], 2, "2026-11-22-1f3a"]

        await page.locator("#without").click()
        await expect(surface).to_be_hidden()
        await expect(page.locator("#painter .switch input")).not_to_be_checked()
        await page.locator("#painter .switch").click()
        await expect(page.locator("#painter .applying")).to_be_hidden()
        await expect(frame).to_be_hidden()
        assert not await painted(surface, 300, 300)
        await page.locator("#gone").click()
        await expect(page.locator("#painter .hint")).to_have_text("Add a picture first.")
    finally:
        await context.close()
        demo.close(verbose=False)


@pytest.mark.parametrize(("width", "height"), [(1400, 600), (390, 844)])
async def test_what_fills_the_form_shows_it_from_its_top_and_an_adjustment_shows_the_photo(
    open_page: Open, app: RunningApp, width: int, height: int
) -> None:
    page = await open_page(width=width, height=height)
    surface = await opened(page)
    await stroke(page, surface, (300, 300))
    await strokes(page, 1)
    await page.locator("#edit-prompt textarea").fill("a red hat")
    card = await run_and_wait(page, "edit")
    form = page.locator(".controls:has(#painter)")
    to_its_end = "form => { form.scrollTop = form.scrollHeight; scrollTo(0, document.body.scrollHeight); }"
    await form.evaluate(to_its_end)
    await look(page, card)
    await page.locator("#viewer [data-act=repaint]").click()
    await expect(act(page, "apply")).to_be_visible()
    await expect(surface).to_be_in_viewport(ratio=1)
    await form.evaluate(to_its_end)
    await card.locator("[data-act=again]").click()
    await expect(act(page, "apply")).to_be_hidden()
    await expect(page.locator("#edit-image")).to_be_in_viewport()


async def test_axe_finds_nothing_serious_in_it(open_page: Open, app: RunningApp) -> None:
    for colours in ("light", "dark"):
        page = await open_page(colours=colours)
        await page.evaluate(AXE)
        surface = await opened(page)
        assert await serious(page) == []
        for x in (200, 700):
            await stroke(page, surface, (x, 200))
            await expect(page.locator("#painter .choice small").first).not_to_be_empty()
            if await act(page, "part").count() == 0:
                await act(page, "add-part").click()
        assert await serious(page) == []
        await act(page, "enlarge").click()
        assert await serious(page) == []


async def test_without_a_photo_it_says_what_to_do(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await outside(page)
    await tab(page, "Edit")
    hint = page.locator("#painter .hint")
    await expect(hint).to_be_hidden()
    await page.locator("#painter .switch").click()
    await expect(hint).to_have_text("Add a picture first.")
    address = page.locator("#edit-image-address input")
    await address.press_sequentially("https://pictures.example/cat.png")
    await expect(hint).to_have_text("Painting needs a picture that is uploaded, not an address.")
    await address.fill("")
    await address.blur()
    await expect(hint).to_have_text("Add a picture first.")
    await address.fill("https://pictures.example/cat.png")  # as from the mouse's menu
    await address.blur()
    await expect(hint).to_have_text("Painting needs a picture that is uploaded, not an address.")


async def test_paint_stays_with_its_photo_on_another_background_and_goes_with_it(
    open_page: Open, app: RunningApp
) -> None:
    clear = io.BytesIO()
    Image.new("RGBA", (640, 427), (255, 0, 0, 90)).save(clear, "PNG")
    page = await open_page()
    surface = await opened(page, {"name": "clear.png", "mimeType": "image/png", "buffer": clear.getvalue()})
    await stroke(page, surface, (300, 300))
    await strokes(page, 1)
    shown = await surface.locator("img").get_attribute("src")
    await (
        page.locator("#edit-image")
        .locator("xpath=ancestor::*[contains(@class, 'controls')]")
        .get_by_role("button", name="Advanced")
        .click()
    )
    await page.locator("#edit-background button").first.click()
    await page.locator("#edit-background input[type=text]").fill("#00ff00")
    await page.locator("#edit-background input[type=text]").press("Enter")
    await expect(surface.locator("img")).not_to_have_attribute("src", str(shown))
    await strokes(page, 1)
    assert await painted(surface, 300, 300)

    await page.locator("#edit-image button[aria-label='Remove Image']").click()
    await expect(page.locator("#painter .hint")).to_have_text("Add a picture first.")
    await until(page, photo="", original="")
    await drop(page.locator("#feed"), "cup.png", (PHOTOS / "coffee.png").read_bytes())
    await expect(surface).to_be_visible()
    await strokes(page, 0)
    await until(page, size=[600, 400])


async def test_paint_is_there_again_after_a_reload_on_the_photo_as_it_was_uploaded(
    open_page: Open, app: RunningApp
) -> None:
    photo = io.BytesIO()
    Image.effect_noise((3600, 2400), 60).convert("RGB").save(photo, "JPEG", quality=30)
    page = await open_page()
    surface = await opened(page, {"name": "camera.jpg", "mimeType": "image/jpeg", "buffer": photo.getvalue()})
    await stroke(page, surface, (300, 300))
    await page.get_by_role("radio", name="Hard").check()
    await strokes(page, 1)
    await until(page, edge=0)
    before = await value(page)
    await page.locator("#language-zh-CN").click()
    await expect(page.locator("#painter .switch")).to_have_text("只改局部")
    await expect(surface).to_be_visible()
    assert await painted(surface, 300, 300)
    after = await value(page)
    assert after.pop("photo") != before.pop("photo")
    assert after == before
    await page.locator("#edit-prompt textarea").fill("一顶红帽子")
    card = await run_and_wait(page, "edit")
    await expect(card.locator(".meta")).to_contain_text("3600×2400")
