"""The viewer: one picture, or two at the same place and zoom, and what can be done with exactly what is shown."""

import asyncio
import base64
import io
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from math import exp
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from PIL import Image, ImageDraw
from playwright.async_api import BrowserContext, CDPSession, Locator, Page, expect

from qwen_demo import images
from qwen_demo.api.client import QwenClient
from qwen_demo.library import DELETED, STARS, Library
from qwen_demo.orders import Orders
from qwen_demo.recipe import Recipe
from qwen_demo.service import Service
from tests.browser.conftest import PHOTOS, NewContext
from tests.browser.steps import (
    cards,
    download,
    fill_number,
    look,
    recipe,
    run,
    run_and_wait,
    said,
    search,
    tab,
    tiles,
    upload,
    viewer,
)
from tests.conftest import KEY, Backend, launched

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
HILL: tuple[float, float] = (1328, 1328)
FITS = 736  # px of the square one's side at 1400 × 900: the stage is 768 high, and 32 stay free
TURN = exp(240 * 0.0018)
"""How much nearer one turn of the wheel comes."""
LONG_AGO = datetime(2025, 1, 2, 12)
BOATS = 196
"""In the library from a day long ago, in some thirty rows."""


@cache
def picture(seed: int, width: int, height: int) -> str:
    """A PNG with a square in its middle, each seed's in another colour, in base64."""
    image = Image.new("RGB", (width, height), (seed * 53 % 256, seed * 97 % 256, 128))
    middle = (width // 2 - 100, height // 2 - 100, width // 2 + 100, height // 2 + 100)
    ImageDraw.Draw(image).rectangle(middle, "white")
    image.save(buffer := io.BytesIO(), "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@dataclass
class Studio:
    """An app of its own, and the browser of its visitor, whose feed has a card of two valleys over one of four hills.

    Attributes:
        held: what the pictures of some seeds wait for.
    """

    url: str
    library: Library
    context: BrowserContext
    page: Page
    held: dict[int, threading.Event]

    def file(self, id: str) -> Path:
        """A picture's file."""
        entry = self.library.find(id)
        assert entry
        return entry.path


async def order(page: Page, prompt: str, n: int, seed: int, size: str = "1:1") -> Locator:
    """Order words' pictures with the seeds s, s+1, …. Gives the card."""
    await page.locator("#text-prompt textarea").fill(prompt)
    await page.locator("#text-size").get_by_role("radio", name=size).check()
    await fill_number(page, "text-count", n)
    await fill_number(page, "text-seed", seed)
    await expect(page.locator("#text-random-seed input")).not_to_be_checked()
    return await run(page, "text")


def put_old_ones(library: Library) -> None:
    """Put pictures of a day long ago in: two gulls, and a boat, of which all other boats are second names."""
    gull, boat = (
        Recipe(kind="text_to_image", prompt=f"a {what}", model="qwen-image", seed=5) for what in ("gull", "boat")
    )
    picked = images.verify(base64.b64decode(picture(5, 210, 210)))
    for number in (1, 2):
        library.save(picked, gull, number, LONG_AGO)
    first = library.save(picked, boat, 1, LONG_AGO)
    for number in range(1, BOATS):
        (first.parent / f"{number:06}-a-boat.png").hardlink_to(first)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def studio(new_context: NewContext, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Studio]:
    held: dict[int, threading.Event] = {}

    async def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        seed, size = body["seed"], map(int, body.get("size", "600x400").split("x"))
        if seed in held:
            await asyncio.to_thread(held[seed].wait, 60)
        return httpx.Response(200, json={"data": [{"b64_json": picture(seed, *size)}] * body["n"], "usage": {}})

    backend = Backend()
    backend.handle_async_request = answer  # type: ignore[method-assign]
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    service = Service(client, Orders(8), Library(tmp_path_factory.mktemp("studio")), public=True)
    with launched(service, QWEN_DEMO_PUBLIC="1") as url:
        context = await new_context(locale="en-US", permissions=["clipboard-read", "clipboard-write"])
        page = await context.new_page()
        await page.set_viewport_size({"width": 1400, "height": 900})
        await page.goto(url, wait_until="domcontentloaded")
        await page.locator("#text-run").wait_for()
        visitor = next(cookie for cookie in await context.cookies() if cookie["name"] == "qwen-image-demo")
        library = service.library(visitor["value"].partition(".")[0])
        hills = await order(page, "a hill", 4, 1)
        await page.locator("#text-negative textarea").fill("fog")
        await page.locator("#text-watermark input").check()
        valleys = await order(page, "a valley", 2, 11, "16:9")
        for card in (hills, valleys):
            await expect(card).to_have_attribute("data-state", "done")
        await asyncio.to_thread(put_old_ones, library)
        yield Studio(url, library, context, page, held)
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(studio: Studio) -> AsyncIterator[Page]:
    """The page of all tests, without a viewer."""
    yield studio.page
    await studio.page.evaluate("document.querySelector('#viewer[open] [data-act=close]')?.click()")


@pytest.fixture
def deleting(logged: list[str]) -> Iterator[None]:
    """For tests that delete: what is still being asked for is not there any more then, and Chromium says so."""
    yield
    logged[:] = [told for told in logged if "404 (Not Found)" not in told]


async def ids(page: Page, count: int = 6) -> list[str]:
    """The feed's pictures, the newest card's first."""
    opens = page.locator("#feed .slot [data-act=open]")
    await expect(opens).to_have_count(count)
    found: list[str] = await opens.evaluate_all("opens => opens.map((open) => open.dataset.picture)")
    return found


async def forget(page: Page, card: Locator) -> None:
    """Remove a card. Its pictures stay in the library."""
    count = await cards(page).count()
    await card.locator("[data-act=forget]").click()
    await expect(cards(page)).to_have_count(count - 1)


async def shows(page: Page, *wanted: str) -> None:
    """Wait until exactly these are on the stage, not as previews any more: the pinned one first."""
    shown = page.locator("#viewer .pane img")
    await expect(shown).to_have_count(len(wanted))
    for place, id in enumerate(wanted):
        await expect(shown.nth(place)).to_have_attribute("src", re.compile(rf"/picture/{id}\?w=3072$"))


async def at(page: Page, place: str) -> None:
    """Wait until the viewer says which one of how many this is."""
    await expect(page.locator("#viewer .count")).to_have_text(place)


async def strip(page: Page) -> list[str]:
    """The pictures that the viewer goes through."""
    found: list[str] = await page.locator("#viewer .strip button").evaluate_all(
        "buttons => buttons.map((button) => button.dataset.id)"
    )
    return found


async def zoomed(page: Page, percent: float) -> None:
    """Wait until a picture is drawn so large."""
    await expect(page.locator("#viewer .percent")).to_have_text(f"{percent:.0f} %")


@dataclass
class Drawn:
    """Where a picture is drawn, in its pane of that place in the window; in px."""

    x: float
    y: float
    width: float
    height: float
    pane: tuple[float, float, float, float]

    def under(self, x: float, y: float) -> tuple[float, float]:
        """The picture's point that is there in the window, from 0 to 1."""
        return (x - self.pane[0] - self.x) / self.width, (y - self.pane[1] - self.y) / self.height

    @property
    def middle(self) -> tuple[float, float]:
        """The picture's point in the middle of its pane."""
        x, y, width, height = self.pane
        return self.under(x + width / 2, y + height / 2)

    @property
    def place(self) -> tuple[float, float, float, float]:
        """The same for two that are drawn alike."""
        return self.x, self.y, self.width, self.height


async def drawn(page: Page) -> list[Drawn]:
    """What is drawn on the stage, once the browser has told of all that hands did."""
    found = await page.evaluate(
        """async () => {
            await new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));
            return [...document.querySelectorAll("#viewer .pane")].map((pane) => {
                const { x, y, width, height } = pane.getBoundingClientRect();
                const frame = pane.querySelector(".frame").getBoundingClientRect();
                return [frame.x - x, frame.y - y, frame.width, frame.height, [x, y, width, height]];
            });
        }"""
    )
    return [Drawn(x, y, width, height, tuple(pane)) for x, y, width, height, pane in found]


async def drag(page: Page, x: float, y: float, dx: float, dy: float) -> None:
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + dx / 2, y + dy / 2)
    await page.mouse.move(x + dx, y + dy)
    await page.mouse.up()


async def close(page: Page, last: str) -> None:
    """Close the viewer. The focus is on the tile of the picture last looked at."""
    await page.keyboard.press("Escape")
    await expect(page.locator("#viewer[open]")).to_have_count(0)
    await expect(page.locator(f'[data-picture="{last}"]:visible')).to_be_focused()


async def test_a_card_opens_its_picture_and_keys_go_through_the_feed_the_newest_card_first(page: Page) -> None:
    feed = await ids(page)
    view = await look(page, cards(page).nth(1), 2)
    await shows(page, feed[4])
    await at(page, "5 / 6")
    assert await strip(page) == feed
    assert (await recipe(view))["Seed"] == "3"
    for key, place in (("Home", 0), ("ArrowLeft", 0), ("End", 5), ("ArrowRight", 5), ("ArrowLeft", 4)):
        await page.keyboard.press(key)
        await shows(page, feed[place])
        await at(page, f"{place + 1} / 6")
    await page.keyboard.press("Home")
    for place in range(1, 4):
        await page.keyboard.press("ArrowRight")
        await expect(view.locator(".strip [aria-current=true]")).to_have_attribute("data-id", feed[place])
    await close(page, feed[3])
    await look(page, cards(page).first, 1)
    await shows(page, feed[1])
    await view.locator("[data-act=close]").click()
    await expect(page.locator(f'[data-picture="{feed[1]}"]')).to_be_focused()


@pytest.mark.usefixtures("deleting")
async def test_while_others_arrive_the_shown_one_stays_and_delete_takes_exactly_that_one(
    page: Page, studio: Studio
) -> None:
    studio.held.update({21: threading.Event(), 22: threading.Event()})
    cliffs = await order(page, "a cliff", 2, 21)
    feed = await ids(page)
    await look(page, cards(page).nth(1), 0)
    await at(page, "1 / 6")
    studio.held[22].set()
    await at(page, "2 / 7")
    await shows(page, feed[0])
    assert (await strip(page))[1:] == feed
    studio.held[21].set()
    await at(page, "3 / 8")
    await shows(page, feed[0])
    await expect(cliffs).to_have_attribute("data-state", "done")
    whole = await ids(page, 8)
    assert whole[2:] == feed
    assert await strip(page) == whole
    file = studio.file(feed[0])
    aside = studio.library.root / DELETED / file.relative_to(studio.library.root)
    data = file.read_bytes()
    await page.keyboard.press("Delete")
    await said(page, "1 deleted")
    await shows(page, feed[1])
    await at(page, "3 / 7")
    assert await strip(page) == [id for id in whole if id != feed[0]]
    slots = cards(page).nth(1).locator(".slot")
    await expect(slots.first).to_have_attribute("data-is", "gone")
    await expect(slots.first).to_have_text("No longer here")
    await expect(slots.last).to_have_attribute("data-is", "picture")
    assert not file.exists()
    assert aside.read_bytes() == data
    await page.locator("#viewer [data-act=undo]").click()
    await shows(page, feed[0])
    await at(page, "3 / 8")
    assert await strip(page) == whole
    await expect(slots.first).to_have_attribute("data-is", "picture")
    assert file.read_bytes() == data
    assert not aside.exists()
    await page.keyboard.press("ArrowRight")
    await at(page, "4 / 8")
    await close(page, feed[1])
    await forget(page, cliffs)


@pytest.mark.usefixtures("deleting")
async def test_delete_on_the_last_one_closes(page: Page) -> None:
    await search(page, "gull")
    await expect(tiles(page)).to_have_count(2)
    gulls: list[str] = (
        await tiles(page).locator("[data-act=open]").evaluate_all("opens => opens.map((open) => open.dataset.picture)")
    )
    await tiles(page).first.click()
    for gull, place in zip(gulls, ("1 / 2", "1 / 1"), strict=True):
        await at(page, place)
        await shows(page, gull)
        await viewer(page)
        await page.keyboard.press("Delete")
    await expect(page.locator("#viewer[open]")).to_have_count(0)
    await expect(tiles(page)).to_have_count(0)
    await said(page, "1 deleted")
    await page.locator(".board-notice [data-act=undo]").click()
    await expect(tiles(page)).to_have_count(1)
    await search(page, "")
    await tab(page, "Text to image")


async def test_two_of_one_order_are_compared_at_the_same_place_and_zoom(page: Page) -> None:
    _, _, *hills = await ids(page)
    view = await look(page, cards(page).last, 1)
    await page.keyboard.press("c")
    await shows(page, hills[1], hills[2])
    await expect(view.locator("[data-act=compare]")).to_have_attribute("aria-pressed", "true")
    await expect(view.locator(".pane .label")).to_have_text(["Pinned", "5"])
    await page.keyboard.press("1")
    await zoomed(page, 100)
    left, right = await drawn(page)
    assert (left.pane[0], left.pane[2:]) == (0, right.pane[2:])
    assert right.pane[0] == left.pane[2] + 2
    assert left.place == right.place
    assert left.place[2:] == HILL
    assert left.middle == pytest.approx((0.5, 0.5), abs=1 / 1328)
    point = (300, 300)
    await page.mouse.move(*point)
    await page.mouse.wheel(0, -240)
    await zoomed(page, 100 * TURN)
    nearer, other = await drawn(page)
    assert nearer.place == other.place
    assert nearer.width == pytest.approx(1328 * TURN, rel=0.001)
    assert nearer.under(*point) == pytest.approx(left.under(*point), abs=0.001)
    await drag(page, 800, 500, -60, 40)
    moved, with_it = await drawn(page)
    assert moved.place == with_it.place
    assert moved.place == pytest.approx((nearer.x - 60, nearer.y + 40, nearer.width, nearer.height), abs=1)
    await page.keyboard.press("ArrowRight")
    await shows(page, hills[1], hills[3])
    assert [one.place for one in await drawn(page)] == [moved.place] * 2
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowLeft")
    await shows(page, hills[1], hills[0])  # beside itself there is nothing to compare
    assert [one.place for one in await drawn(page)] == [moved.place] * 2
    await view.locator("[data-act=slider]").click()
    await expect(view.locator("[data-act=slider]")).to_have_attribute("aria-pressed", "true")
    under, over = await drawn(page)
    assert under == over
    assert under.middle == pytest.approx(moved.middle, abs=0.001)
    clip = view.locator(".pane").last
    await expect(clip).to_have_css("clip-path", "inset(0px 0px 0px 50%)")
    await drag(page, under.pane[2] / 2, 300, -270, 0)
    await expect(clip).to_have_css("clip-path", "inset(0px 0px 0px 25%)")
    assert await drawn(page) == [under] * 2  # what is under the divider isn't dragged along
    await page.keyboard.press("ArrowRight")
    await expect(clip).to_have_css("clip-path", "inset(0px 0px 0px 25.5%)")
    await shows(page, hills[1], hills[0])
    await drag(page, 900, 300, 50, 50)
    dragged = await drawn(page)
    assert dragged[0] == dragged[1]
    assert dragged[0].x == pytest.approx(under.x + 50, abs=1)
    await view.locator("[data-act=side]").click()
    await page.keyboard.press("c")
    await shows(page, hills[0])
    (single,) = await drawn(page)
    assert single.width == pytest.approx(1328 * TURN, rel=0.001)
    assert single.middle == pytest.approx(dragged[0].middle, abs=0.001)
    await expect(view.locator("[data-act=compare]")).to_have_attribute("aria-pressed", "false")
    await expect(view.locator(".modes")).to_be_hidden()
    await close(page, hills[0])


async def test_two_of_unlike_sizes_share_their_middle_and_their_area(page: Page) -> None:
    feed = await ids(page)
    await look(page, cards(page).first, 1)
    await page.keyboard.press("c")
    await shows(page, feed[1], feed[2])
    for step in ("fitted", "nearer", "dragged"):
        if step == "nearer":
            await page.mouse.move(300, 400)
            await page.mouse.wheel(0, -240)
            await page.mouse.wheel(0, -240)
        elif step == "dragged":
            await drag(page, 900, 400, -90, -30)
        wide, square = await drawn(page)
        assert wide.width / wide.height == pytest.approx(1664 / 928, rel=0.001)
        assert square.width / square.height == pytest.approx(1, rel=0.001)
        assert wide.width * wide.height == pytest.approx(square.width * square.height, rel=0.001)
        assert wide.middle == pytest.approx(square.middle, abs=0.002), step
        if step == "dragged":
            assert wide.middle != pytest.approx((0.5, 0.5), abs=0.01)
    await page.keyboard.press("Escape")
    await shows(page, feed[1])
    await close(page, feed[1])


async def test_keys_wheel_and_double_click_zoom_and_the_point_under_the_pointer_stays(page: Page) -> None:
    _, _, *hills = await ids(page)
    view = await look(page, cards(page).last, 0)
    await shows(page, hills[0])
    steps = [("0", FITS), ("1", 1328), ("+", 1660), ("=", 2075), ("-", 1660), ("0", FITS), ("+", 920), ("-", FITS)]
    for key, width in steps:
        await page.keyboard.press(key)
        (one,) = await drawn(page)
        assert (one.width, one.height) == pytest.approx((width, width)), key
        await zoomed(page, 100 * width / 1328)
        assert one.middle == pytest.approx((0.5, 0.5), abs=0.001)
    for act, width in (("actual", 1328), ("zoom-in", 1660), ("zoom-out", 1328), ("fit", FITS)):
        await view.locator(f"[data-act={act}]").click()
        await zoomed(page, 100 * width / 1328)
    (fitted,) = await drawn(page)
    point = (680, 350)
    await page.mouse.move(*point)
    for turn in range(1, 5):
        await page.mouse.wheel(0, -240)
        await zoomed(page, 100 * FITS / 1328 * TURN**turn)
    (near,) = await drawn(page)
    assert near.under(*point) == pytest.approx(fitted.under(*point), abs=0.001)
    for turn in range(3, -1, -1):
        await page.mouse.wheel(0, 240)
        await zoomed(page, 100 * FITS / 1328 * TURN**turn)
    assert await drawn(page) == [fitted]
    await page.mouse.dblclick(*point)
    await zoomed(page, 100)
    (actual,) = await drawn(page)
    assert (actual.width, actual.height) == HILL
    assert actual.under(*point) == pytest.approx(fitted.under(*point), abs=0.001)
    await drag(page, *point, -5000, -5000)
    (corner,) = await drawn(page)
    assert (corner.x + corner.width, corner.y + corner.height) == pytest.approx(corner.pane[2:], abs=1)
    await page.mouse.dblclick(*point)
    await zoomed(page, 55)
    assert await drawn(page) == [fitted]
    await close(page, hills[0])


async def test_f_stars_i_hides_the_recipe_and_other_keys_are_not_the_viewers(page: Page, studio: Studio) -> None:
    feed = await ids(page)
    field = page.locator("#text-prompt textarea")
    await field.fill("")
    await field.press_sequentially("01+-cfi")
    await expect(field).to_have_value("01+-cfi")
    await expect(page.locator("#viewer[open]")).to_have_count(0)
    view = await look(page, cards(page).last, 2)
    await shows(page, feed[4])
    star, made = view.locator("[data-act=star]"), view.locator("#viewer-recipe")
    await expect(star).to_have_attribute("aria-pressed", "false")
    await page.keyboard.press("f")
    await expect(star).to_have_attribute("aria-pressed", "true")
    name = studio.file(feed[4]).relative_to(studio.library.root).as_posix()
    assert (studio.library.root / STARS).read_text().splitlines() == [name]
    await page.keyboard.press("i")
    await expect(made).to_be_hidden()
    (wide,) = await drawn(page)
    assert wide.pane[2] == 1400
    await page.keyboard.press("i")
    await expect(made).to_be_visible()
    for keys in ("Control+c", "Control+i", "Alt+c", "Meta+f", "Control+0", "Control+ArrowRight"):
        await page.keyboard.press(keys)
    await view.evaluate(
        """view => {
            for (const key of ["c", "i", "f", "1", "ArrowRight"]) {
                const options = { key, isComposing: true, bubbles: true };
                document.activeElement.dispatchEvent(new KeyboardEvent("keydown", options));
            }
        }"""
    )
    await shows(page, feed[4])
    await zoomed(page, 55)
    await expect(made).to_be_visible()
    await expect(star).to_have_attribute("aria-pressed", "true")
    await close(page, feed[4])
    await search(page, "")
    await page.locator("#library [data-act=starred]").click()
    await expect(tiles(page)).to_have_count(1)
    await expect(tiles(page).locator("[data-act=open]")).to_have_attribute("data-picture", feed[4])
    await tiles(page).click()
    view = await viewer(page)
    await expect(star).to_have_attribute("aria-pressed", "true")
    await star.click()
    await expect(star).to_have_attribute("aria-pressed", "false")
    await page.keyboard.press("Escape")
    assert (studio.library.root / STARS).read_text() == ""
    await page.locator("#library [data-act=starred]").click()
    await tab(page, "Text to image")


async def settings(page: Page) -> dict[str, str | bool]:
    """What the first form is set to."""
    checked = page.locator("#text-size").get_by_role("radio", checked=True)
    return {
        "prompt": await page.locator("#text-prompt textarea").input_value(),
        "negative": await page.locator("#text-negative textarea").input_value(),
        "model": await page.locator("#text-model input").input_value(),
        "size": await checked.evaluate("radio => radio.closest('label').textContent.trim()"),
        "count": await page.locator("#text-count input[type=number]").input_value(),
        "seed": await page.locator("#text-seed input[type=number]").input_value(),
        "random": await page.locator("#text-random-seed input").is_checked(),
        "watermark": await page.locator("#text-watermark input").is_checked(),
        "optimize": await page.locator("#text-optimize input").is_checked(),
    }


OTHERS = {
    "prompt": "a lake",
    "negative": "rain",
    "model": "qwen-image",
    "size": "1:1",
    "count": "3",
    "seed": "77",
    "random": True,
    "watermark": False,
    "optimize": False,
}


async def set_others(page: Page) -> None:
    """Set the first form to what no picture here was made with."""
    await tab(page, "Text to image")
    await page.locator("#text-prompt textarea").fill("a lake")
    await page.locator("#text-negative textarea").fill("rain")
    await (
        page.locator("#text-size").get_by_role("radio", name="1:1").check()
    )  # a model's list comes with what is chosen
    await page.locator("#text-model input").click()
    await page.get_by_role("option", name="qwen-image", exact=True).click()
    await fill_number(page, "text-count", 3)
    await fill_number(page, "text-seed", 77)
    await page.locator("#text-watermark input").uncheck()
    await page.locator("#text-optimize input").uncheck()
    await page.locator("#text-random-seed input").check()
    assert await settings(page) == OTHERS


async def at_second(page: Page) -> Locator:
    """Open the first valley and go on to the second. Gives the viewer."""
    await tab(page, "Text to image")
    view = await look(page, cards(page).first, 0)
    await page.keyboard.press("ArrowRight")
    await at(page, "2 / 6")
    return view


async def held(page: Page, slot: str) -> bytes:
    """The picture in a slot of a form."""
    image = page.locator(f"#{slot} img")
    await expect(image).to_be_visible()
    return await (await page.request.get(await image.get_attribute("src") or "")).body()


async def edit_shown(page: Page) -> bytes:
    """Press the viewer's "edit this". Gives the picture that the edit's slot holds then."""
    image = page.locator("#edit-image img")
    before = await image.get_attribute("src") if await image.count() else ""
    await page.locator("#viewer [data-act=edit]").click()
    await opened(page, "Edit")
    await expect(image).not_to_have_attribute("src", before or "")
    return await held(page, "edit-image")


async def opened(page: Page, name: str) -> None:
    """Wait until that tab is open and the viewer isn't."""
    await expect(page.locator("#viewer[open]")).to_have_count(0)
    await expect(page.get_by_role("tab", name=name, selected=True)).to_be_visible()


@pytest.mark.usefixtures("deleting")
async def test_actions_are_for_exactly_what_is_shown(page: Page, studio: Studio) -> None:
    feed = await ids(page)
    data, other = studio.file(feed[1]).read_bytes(), studio.file(feed[0]).read_bytes()
    assert data != other
    await at_second(page)
    assert await edit_shown(page) == data
    await said(page, "The picture is in the Edit tab now.")
    view = await at_second(page)
    await view.locator("[data-act=fuse]").click()
    await opened(page, "Fuse")
    await said(page, "Added to the fusion as image 1.")
    assert await held(page, "fusion-image-1") == data
    await at_second(page)
    await page.keyboard.press("ArrowLeft")
    await view.locator("[data-act=fuse]").click()
    await said(page, "Added to the fusion as image 2.")
    assert await held(page, "fusion-image-2") == other
    assert await held(page, "fusion-image-1") == data
    await expect(page.locator("#fusion-image-3 img")).to_have_count(0)
    assert await page.get_by_test_id("toast-body").count() == 0  # all this goes without a word of Gradio's
    view = await at_second(page)
    file = studio.file(feed[1])
    came = await download(page, "#viewer [data-act=download]", re.escape(file.name))
    assert came.read_bytes() == data
    await view.locator("[data-act=copy-prompt]").click()
    await said(page, "Prompt copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "a valley"
    await view.locator("[data-act=delete]").click()
    await said(page, "1 deleted")
    assert not file.exists()
    await page.locator("#viewer [data-act=undo]").click()
    await shows(page, feed[1])
    assert file.read_bytes() == data
    await page.keyboard.press("ArrowLeft")
    await close(page, feed[0])


async def test_settings_fill_the_form_and_keep_its_seed_unless_asked_for_the_same(page: Page) -> None:
    made = {
        "prompt": "a valley",
        "negative": "fog",
        "model": "qwen-image-plus",
        "size": "16:9",
        "count": "1",
        "watermark": True,
        "optimize": True,
    }
    await set_others(page)
    view = await at_second(page)
    await view.locator("[data-act=settings]").click()
    await opened(page, "Text to image")
    await said(page, "Filled in: Prompt, Negative prompt, Model, Size, Pictures.")
    assert await settings(page) == {**made, "seed": "77", "random": True}
    await set_others(page)
    view = await at_second(page)
    await view.locator("[data-act=settings-seed]").click()
    await said(page, "Filled in: Prompt, Negative prompt, Model, Size, Pictures, Seed.")
    assert await settings(page) == {**made, "seed": "12", "random": False}


async def test_a_copied_link_fills_the_form_of_who_opens_it(page: Page, studio: Studio) -> None:
    view = await at_second(page)
    await view.locator("[data-act=copy-link]").click()
    await said(page, "Link copied. It carries these settings.")
    link = await page.evaluate("navigator.clipboard.readText()")
    assert link == (
        f"{studio.url}/?tab=text&prompt=a+valley&model=qwen-image-plus&size=1664x928&n=1&seed=12"
        "&negative_prompt=fog&watermark=1&optimize_prompt=1"
    )
    other = await studio.context.new_page()
    await other.goto(link, wait_until="domcontentloaded")
    await expect(other.locator("#text-prompt textarea")).to_have_value("a valley")
    assert await settings(other) == {
        "prompt": "a valley",
        "negative": "fog",
        "model": "qwen-image-plus",
        "size": "16:9",
        "count": "1",
        "seed": "12",
        "random": False,
        "watermark": True,
        "optimize": True,
    }
    await other.close()
    await page.keyboard.press("Escape")


async def family(view: Locator) -> list[tuple[int, str, str]]:
    """The members of a picture's family: their depths, ids and words. The current one's depth is told as -1 - depth."""
    await expect(view.locator("#viewer-recipe")).not_to_have_attribute("aria-busy", "true")
    rows: list[tuple[int, str, str]] = await view.locator(".family li").evaluate_all(
        """rows => rows.filter((row) => row.checkVisibility()).map((row) => {
            const depth = Number(row.style.getPropertyValue("--depth"));
            const { dataset, ariaCurrent, textContent } = row.firstChild;
            return [ariaCurrent === "true" ? -1 - depth : depth, dataset.id, textContent];
        })"""
    )
    return [(depth, id, words) for depth, id, words in rows]


def here(told: list[tuple[int, str, str]], id: str) -> list[tuple[int, str, str]]:
    """A family, as it is told where that one is shown."""
    return [(-1 - depth if member == id else depth, member, words) for depth, member, words in told]


async def test_the_steps_of_an_edit_are_gone_through_compared_and_gone_back_to(page: Page, studio: Studio) -> None:
    await tab(page, "Edit")
    for another in await page.locator("#edit-image").get_by_role("button", name="Remove Image").all():
        await another.click()
    await upload(page, "edit-image", PHOTOS / "coffee.png")
    await page.locator("#edit-prompt textarea").fill("warmer")
    first = await run_and_wait(page, "edit")
    view = await look(page, first)
    one = (await ids(page, 7))[0]
    await shows(page, one)
    (_, photo, _), *_ = await family(view)
    assert photo.startswith("reference-")
    assert await family(view) == [(0, photo, "Photo"), (-2, one, "warmer")]
    at_once = view.locator("[data-act=all-at-once]")
    await expect(at_once).to_be_hidden()
    assert await edit_shown(page) == studio.file(one).read_bytes()
    await page.locator("#edit-prompt textarea").fill("as a pencil drawing")
    second = await run_and_wait(page, "edit")
    view = await look(page, second)
    two = (await ids(page, 8))[0]
    await shows(page, two)
    told = [(0, photo, "Photo"), (1, one, "warmer"), (2, two, "as a pencil drawing")]
    assert await family(view) == here(told, two)
    await expect(at_once).to_be_visible()
    await expect(view.locator(".whole p")).to_contain_text("all 2 steps at once, on the original")
    steps = view.locator(".family [data-act=show]")
    await steps.nth(1).click()
    await expect(steps.nth(1)).to_be_focused()
    await shows(page, one)
    assert (await recipe(view))["Kind"] == "Edit"
    await expect(view.locator(".prompt").first).to_have_text("warmer")
    assert await family(view) == here(told, one)
    await expect(at_once).to_be_hidden()
    feed = await ids(page, 8)
    assert feed[:2] == [two, one]
    await page.keyboard.press("c")
    await shows(page, one, feed[2])
    await page.keyboard.press("Home")
    await shows(page, one, two)
    await steps.first.click()
    await shows(page, one, photo)
    assert await family(view) == here(told, photo)
    assert await strip(page) == [two, photo, *feed[1:]]
    await expect(view.locator(".actions > :visible")).to_have_text(["Edit this", "Add to fusion", "Download"])
    await page.keyboard.press("Delete")  # what somebody brought stays with what was made of it
    await page.keyboard.press("f")
    await page.keyboard.press("Escape")  # back to what was looked at before two were compared
    await shows(page, one)
    assert studio.file(photo).exists()
    await close(page, one)
    await forget(page, second)
    await forget(page, first)


async def test_a_member_of_the_family_is_compared_and_edited_on_from_its_row(page: Page, studio: Studio) -> None:
    await tab(page, "Edit")
    await page.locator("#edit-prompt textarea").fill("colder")
    card = await run_and_wait(page, "edit")
    view = await look(page, card)
    three = (await ids(page, 7))[0]
    told = await family(view)
    (_, photo, _), (_, one, _) = told[:2]
    assert [words for *_, words in told] == ["Photo", "warmer", "as a pencil drawing", "colder"]
    assert [depth for depth, *_ in told] == [0, 1, 2, -3]
    rows = view.locator(".family li")
    acts = rows.nth(1).locator(".acts")
    await expect(acts).to_have_css("opacity", "0")
    await expect(rows.nth(3).locator(".acts")).to_be_hidden()  # the current one's
    await rows.nth(1).hover()
    await expect(acts).to_have_css("opacity", "1")
    await rows.nth(1).locator("[data-act=compare-with]").click()
    await shows(page, one, three)
    await expect(view.locator(".pane .label")).to_have_text(["warmer", "colder"])
    assert await family(view) == told  # the same one is still the one that all is for
    compare = rows.nth(1).locator("[data-act=compare-with]")
    await expect(compare).to_have_attribute("aria-pressed", "true")
    await rows.nth(2).locator("[data-act=show]").focus()
    await page.keyboard.press("Tab")
    await expect(rows.nth(2).locator("[data-act=compare-with]")).to_be_focused()
    await expect(rows.nth(2).locator(".acts")).to_have_css("opacity", "1")
    await page.keyboard.press("Enter")
    await expect(view.locator(".pane .label")).to_have_text(["as a pencil drawing", "colder"])
    await expect(compare).to_have_attribute("aria-pressed", "false")
    await page.keyboard.press("Enter")  # and once more ends it
    await shows(page, three)
    await compare.focus()
    await page.keyboard.press("Enter")
    await shows(page, one, three)
    await page.keyboard.press("Escape")
    await shows(page, three)
    assert await family(view) == told
    await rows.first.hover()
    await rows.first.locator("[data-act=edit-on]").click()
    await opened(page, "Edit")
    await said(page, "The picture is in the Edit tab now.")
    await expect(page.locator("#edit-image img")).to_be_visible()
    await forget(page, card)
    assert studio.file(photo).exists()


async def test_the_library_is_gone_through_and_the_last_ones_tile_gets_the_focus_however_far_away(
    page: Page, studio: Studio
) -> None:
    await search(page, "boat")
    await expect(page.locator("#library .sum")).to_have_text(f"{BOATS} pictures")
    opens = tiles(page).locator("[data-act=open]")
    first: list[str] = await opens.evaluate_all("opens => opens.slice(0, 4).map((open) => open.dataset.picture)")
    await tiles(page).first.click()
    view = await viewer(page)
    for place, id in enumerate(first, 1):
        await at(page, f"{place} / {BOATS}")
        await shows(page, id)
        await page.keyboard.press("ArrowRight")
    await page.keyboard.press("End")
    await at(page, f"{BOATS} / {BOATS}")
    last = await view.locator(".strip [aria-current=true]").get_attribute("data-id") or ""
    tile = page.locator(f'#library [data-picture="{last}"]')
    await expect(tile).to_have_count(0)  # only what is near the window is in the page
    await close(page, last)
    await expect(tile).to_be_in_viewport(ratio=1)
    await expect(page.locator(f'#library [data-picture="{first[0]}"]')).to_have_count(0)
    await page.keyboard.press("Enter")
    await at(page, f"{BOATS} / {BOATS}")
    await page.keyboard.press("Home")
    await shows(page, first[0])
    await close(page, first[0])
    await expect(tiles(page).first).to_be_in_viewport(ratio=1)
    await search(page, "")
    await tab(page, "Text to image")


async def test_an_address_is_its_owners_alone_and_kept_for_good(
    page: Page, studio: Studio, new_context: NewContext
) -> None:
    (id, *_) = await ids(page)
    stranger = await new_context(locale="en-US")
    for address in (
        f"{studio.url}/picture/{id}",
        f"{studio.url}/picture/{id}?w=512",
        f"{studio.url}/picture/{id}?w=3072",
    ):
        own = await page.request.get(address)
        assert own.status == 200
        assert own.headers["cache-control"] == "private, max-age=31536000, immutable"
        other = await stranger.request.get(address)
        assert (other.status, await other.text()) == (404, "not found")
        assert other.headers["cache-control"] == "private"
    whole = await page.request.get(f"{studio.url}/picture/{id}")
    assert await whole.body() == studio.file(id).read_bytes()
    assert (await page.request.get(f"{studio.url}/picture/{id}?w=513")).status == 404
    await stranger.close()


async def serious(page: Page) -> list[str]:
    """What axe finds in the viewer, as "rule: element"."""
    found: list[str] = await page.evaluate(
        """async () => {
            const fading = document.querySelector("#viewer").getAnimations({ subtree: true });
            await Promise.allSettled(fading.map((animation) => animation.finished));
            return (await axe.run("#viewer")).violations
                .filter((rule) => ["serious", "critical"].includes(rule.impact))
                .flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)}`));
        }"""
    )
    return found


@pytest.mark.usefixtures("deleting")
async def test_axe_finds_nothing_serious_by_day(page: Page) -> None:
    await page.evaluate(AXE)
    view = await look(page, cards(page).last, 0)
    assert await serious(page) == [], "single"
    await page.keyboard.press("f")
    await expect(view.locator("[data-act=star]")).to_have_attribute("aria-pressed", "true")
    assert await serious(page) == [], "starred"
    await page.keyboard.press("f")
    await page.keyboard.press("c")
    await expect(view.locator(".pane img")).to_have_count(2)
    assert await serious(page) == [], "comparing"
    await view.locator("[data-act=slider]").click()
    assert await serious(page) == [], "slider"
    await view.locator("[data-act=side]").click()
    await page.keyboard.press("Delete")
    await said(page, "1 deleted")
    assert await serious(page) == [], "deleted"
    await view.locator("[data-act=undo]").click()
    await page.keyboard.press("i")
    assert await serious(page) == [], "bare"
    await page.keyboard.press("i")
    await page.keyboard.press("Escape")


@dataclass
class Phone:
    """The same visitor's phone, in Chinese and by night."""

    page: Page
    tools: CDPSession

    async def touch(self, type: str, *points: tuple[float, float]) -> None:
        """What fingers do at those places of the window."""
        told = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(points)]
        await self.tools.send("Input.dispatchTouchEvent", {"type": f"touch{type}", "touchPoints": told})

    async def swipe(self, *way: float) -> None:
        """A finger over the picture, from left to right or back."""
        await self.touch("Start", (way[0], 400))
        for x in way[1:]:
            await self.touch("Move", (x, 400))
        await self.touch("End")

    async def tap_twice(self, x: float, y: float) -> None:
        for type in ("Start", "End", "Start", "End"):
            await self.touch(type, *[(x, y)] * (type == "Start"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def phone(studio: Studio, new_context: NewContext) -> AsyncIterator[Phone]:
    context = await new_context(
        locale="zh-CN",
        color_scheme="dark",
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
        storage_state=await studio.context.storage_state(),
    )
    page = await context.new_page()
    await page.goto(studio.url, wait_until="domcontentloaded")
    await cards(page).first.wait_for()
    yield Phone(page, await context.new_cdp_session(page))
    await context.close()


async def test_fingers_go_on_and_zoom(phone: Phone) -> None:
    page = phone.page
    feed = await ids(page)
    await cards(page).last.locator('.slot[data-slot="1"] [data-act=open]').tap()
    await at(page, "4 / 6")
    await shows(page, feed[3])
    await phone.swipe(300, 200, 100)
    await at(page, "5 / 6")
    await phone.swipe(100, 200, 300)
    await at(page, "4 / 6")
    await phone.swipe(200, 190)  # too short
    await shows(page, feed[3])
    await at(page, "4 / 6")
    (fitted,) = await drawn(page)
    assert fitted.width == 390
    await phone.touch("Start", (145, 420), (245, 420))
    for wider in range(4, 52, 4):
        await phone.touch("Move", (145 - wider, 420), (245 + wider, 420))
    await phone.touch("End")
    (pinched,) = await drawn(page)
    assert pinched.width == pytest.approx(390 * 196 / 100, rel=0.01)
    assert pinched.under(195, 420) == pytest.approx(fitted.under(195, 420), abs=0.01)
    await at(page, "4 / 6")
    await phone.swipe(200, 190, 180, 170)  # drags
    (dragged,) = await drawn(page)
    assert dragged.x == pytest.approx(pinched.x - 30, abs=1)
    await at(page, "4 / 6")
    await phone.tap_twice(195, 420)
    assert await drawn(page) == [fitted]
    await phone.tap_twice(195, 420)
    (actual,) = await drawn(page)
    assert (actual.width, actual.height) == (664, 664)  # two of the phone's pixels are one px
    await page.locator("#viewer [data-act=close]").tap()


async def too_small(page: Page) -> list[str]:
    """What fingers miss in the viewer."""
    found: list[str] = await page.locator("#viewer :is(button, a):visible").evaluate_all(
        """parts => parts.filter((part) => {
            const { width, height } = part.getBoundingClientRect();
            return Math.min(width, height) < 32;
        }).map((part) => part.dataset.act)"""
    )
    return found


@pytest.mark.usefixtures("deleting")
async def test_the_sheet_opens_by_its_button_and_its_actions_work(phone: Phone, studio: Studio) -> None:
    page = phone.page
    tower = await order(page, "a tower", 1, 61, "9:16")
    feed = await ids(page, 7)
    await cards(page).last.locator('.slot[data-slot="2"] [data-act=open]').tap()
    await at(page, "6 / 7")
    view, sheet = page.locator("#viewer"), page.locator("#viewer-recipe")
    info, compare, star = (view.locator(f"[data-act={act}]") for act in ("info", "compare", "star"))
    await expect(info).to_have_attribute("aria-expanded", "false")
    await expect(sheet).to_be_hidden()
    assert await too_small(page) == []
    await info.tap()
    await expect(info).to_have_attribute("aria-expanded", "true")
    box = await sheet.bounding_box()
    assert box
    assert (box["x"], box["width"], box["y"] + box["height"]) == (0, 390, 844)
    assert box["height"] <= 0.7 * 844
    assert await too_small(page) == []
    await star.tap()
    await expect(star).to_have_attribute("aria-pressed", "true")
    await star.tap()
    await expect(star).to_have_attribute("aria-pressed", "false")
    file = studio.file(feed[5])
    await view.locator("[data-act=delete]").tap()
    await said(page, "已删除 1 张")
    await shows(page, feed[6])
    assert not file.exists()
    await view.locator("[data-act=undo]").tap()
    await shows(page, feed[5])
    assert file.exists()
    await info.tap()
    await expect(sheet).to_be_hidden()
    await compare.tap()
    await shows(page, feed[5], feed[6])
    above, below = await drawn(page)
    assert above.place == below.place
    assert below.pane[1] == above.pane[1] + above.pane[3] + 2
    assert await too_small(page) == []
    await compare.tap()
    await shows(page, feed[6])
    await info.tap()
    await view.locator("[data-act=settings]").tap()
    await expect(page.locator("#viewer[open]")).to_have_count(0)
    await said(page, "已填入：提示词、模型、尺寸、张数。")
    await expect(page.locator("#text-prompt textarea")).to_have_value("a hill")
    await expect(page.locator("#text-prompt textarea")).to_be_in_viewport()
    await forget(page, tower)


LABELS = {
    "compare": "对比",
    "side": "并排",
    "slider": "滑块",
    "zoom-out": "缩小",
    "zoom-in": "放大",
    "fit": "适应",
    "actual": "1:1，实际大小",
    "info": "配方与操作",
    "close": "关闭",
    "take": "使用此提示词",
    "all-at-once": "一次说完",
    "edit": "编辑这张",
    "fuse": "加入融合",
    "settings": "使用这些设置",
    "download": "下载",
    "star": "加星标",
    "copy-prompt": "复制提示词",
    "copy-link": "复制链接",
    "settings-seed": "使用设置和种子",
    "delete": "删除",
    "show": "打开：a hill",
}


async def test_it_speaks_chinese_and_axe_finds_nothing_serious_on_a_phone_by_night(phone: Phone) -> None:
    page = phone.page
    await page.evaluate(AXE)
    await cards(page).last.locator('.slot[data-slot="0"] [data-act=open]').tap()
    view = await viewer(page)
    labels: list[list[str]] = await view.locator("[data-act]").evaluate_all(
        "parts => parts.map((part) => [part.dataset.act, part.ariaLabel ?? part.textContent])"
    )
    assert dict(labels) == LABELS
    assert list((await recipe(view)).items())[:4] == [
        ("尺寸", "1328×1328"),
        ("类型", "文生图"),
        ("模型", "qwen-image-plus"),
        ("随机种子", "1"),
    ]
    assert await serious(page) == [], "sheet"
    await view.locator("[data-act=info]").tap()
    assert await serious(page) == [], "single"
    await view.locator("[data-act=compare]").tap()
    await expect(view.locator(".pane .label")).to_have_text(["已固定", "4"])
    assert await serious(page) == [], "comparing"
    await view.locator("[data-act=slider]").tap()
    await expect(view.locator(".split")).to_have_accessible_name("两张图片之间的分界线")
    assert await serious(page) == [], "slider"
    await view.locator("[data-act=close]").tap()


async def test_the_last_ones_tile_gets_the_focus_though_its_picture_is_not_drawn_yet(page: Page) -> None:
    for number in range(4):
        card = await order(page, f"a field {number}", 1, 71 + number)
        await expect(card).to_have_attribute("data-state", "done")
    await page.reload(wait_until="domcontentloaded")
    await look(page, cards(page).first)
    await at(page, "1 / 10")
    await page.keyboard.press("End")
    await at(page, "10 / 10")
    last = await page.locator("#viewer .strip [aria-current=true]").get_attribute("data-id") or ""
    tile = page.locator(f'#feed [data-picture="{last}"]')
    await expect(tile).to_have_count(0)
    await close(page, last)
    await expect(tile).to_be_in_viewport(ratio=1)
