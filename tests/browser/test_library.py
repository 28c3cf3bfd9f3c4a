"""The library: 500 pictures that are found, chosen, deleted and back again."""

import asyncio
import io
import os
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from typing import Any, Literal

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import BrowserContext, CDPSession, Locator, Page, expect

from qwen_demo import images
from qwen_demo.api.client import QwenClient
from qwen_demo.i18n import translate
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.recipe import Recipe
from qwen_demo.service import Service
from tests.browser.conftest import NewContext, Open
from tests.browser.steps import download, run_and_wait, said, search, tab, tiles, viewer
from tests.conftest import KEY, Backend, RunningApp, launched

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
TEXT, EDIT = "qwen-image-plus", "qwen-image-edit-plus"
RECIPES = (
    (Recipe(kind="text_to_image", prompt="A lighthouse by the sea", model=TEXT, seed=42), (208, 116)),
    (Recipe(kind="text_to_image", prompt="A red fox in the snow", model="qwen-image", seed=7), (160, 160)),
    (Recipe(kind="edit", prompt="Warmer light", model=EDIT, seed=42), (150, 100)),
    (Recipe(kind="text_to_image", prompt="A mountain lake", model=TEXT, seed=43), (114, 147)),
    (Recipe(kind="fusion", prompt="The fox by the lighthouse", model=EDIT, seed=8), (116, 208)),
)
"""Ten times a day each, and the sizes of their pictures."""
TODAY = datetime.now().astimezone().replace(hour=12, minute=0, second=0, microsecond=0)
DAYS = [*(TODAY - timedelta(days=days) for days in range(9)), TODAY.replace(year=TODAY.year - 2, month=3, day=14)]
NUMBER = 500


def fill(library: Library) -> None:
    """Put 500 pictures in: five, of which all others are second names."""
    firsts = []
    for at, (recipe, size) in enumerate(RECIPES):
        Image.new("RGB", size, ("#3b6ea5", "#b5482f", "#e0b050", "#3d7d5a", "#6b4c8f")[at]).save(
            data := io.BytesIO(), "PNG"
        )
        firsts.append((recipe, library.save(images.verify(data.getvalue()), recipe, 1, DAYS[0].replace(hour=1))))
    for day in DAYS:
        folder = library.root / f"{day:%Y-%m-%d}"
        folder.mkdir(exist_ok=True)
        for number in range(NUMBER // len(DAYS)):
            recipe, first = firsts[number % 5]
            os.link(first, folder / f"1200{number:02}-{recipe.model}-{recipe.seed}-1.png")
    for _, first in firsts:
        first.unlink()


@dataclass
class Gallery:
    """An app of its own with 500 pictures, and the browser whose they are."""

    url: str
    context: BrowserContext
    library: Library

    @property
    def files(self) -> int:
        return len([*self.library.root.glob("*-*-*/*.png")])

    async def open(self, context: BrowserContext | None = None, *, width: int = 1400, height: int = 900) -> Page:
        """A new page with the library."""
        page = await (context or self.context).new_page()
        await page.set_viewport_size({"width": width, "height": height})
        await page.goto(self.url, wait_until="domcontentloaded")
        await page.locator("[role=tab][data-tab-id=history]").click()
        await expect(tiles(page).first.locator("img")).to_be_visible()
        return page


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gallery(new_context: NewContext, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gallery]:
    client = QwenClient(KEY, "http://offline/v1", transport=Backend())
    service = Service(client, Orders(8), Library(tmp_path_factory.mktemp("gallery")), public=True)
    with launched(service, QWEN_DEMO_PUBLIC="1") as url:
        context = await new_context(locale="en-US")
        await context.request.get(url)
        visitor = next(cookie for cookie in await context.cookies() if cookie["name"] == "qwen-image-demo")
        library = service.library(visitor["value"].partition(".")[0])
        await asyncio.to_thread(fill, library)
        yield Gallery(url, context, library)
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(gallery: Gallery) -> AsyncIterator[Page]:
    """The library, in English at 1400 px by mouse."""
    page = await gallery.open()
    yield page
    await page.close()


@asynccontextmanager
async def phone(new_context: NewContext, gallery: Gallery, **options: Any) -> AsyncIterator[Page]:
    """The same pictures on a phone, in Chinese, by touch."""
    kept = await gallery.context.storage_state()
    context = await new_context(locale="zh-CN", storage_state=kept, has_touch=True, is_mobile=True, **options)
    yield await gallery.open(context, width=390, height=844)
    await context.close()


def tools(page: Page) -> Locator:
    return page.locator("#library .tools")


async def chosen(page: Page, text: str) -> None:
    """Wait until the bar says how many are selected."""
    await expect(tools(page).locator("[role=status]")).to_have_text(text)


async def total(page: Page, text: str) -> None:
    await expect(page.locator("#library .sum")).to_have_text(text)


async def ids(page: Page) -> list[str]:
    """The pictures in the page, in their order."""
    found: list[str] = (
        await tiles(page).locator("[data-act=open]").evaluate_all("opens => opens.map((open) => open.dataset.picture)")
    )
    return found


async def places(page: Page) -> dict[str, list[float]]:
    """Where each picture stands in the window."""
    found: dict[str, list[float]] = await tiles(page).evaluate_all(
        """tiles => Object.fromEntries(tiles.map((tile) => {
            const { x, y, width, height } = tile.getBoundingClientRect();
            return [tile.firstElementChild.dataset.picture, [x, y, width, height]];
        }))"""
    )
    return found


async def tick(page: Page, id: str, **options: Any) -> None:
    tile = tiles(page).filter(has=page.locator(f'[data-picture="{id}"]'))
    await tile.hover()
    await tile.locator("[data-act=select]").click(**options)


async def marked(page: Page) -> list[str]:
    """Those with a tick that are in the page."""
    found: list[str] = await page.locator("#library [role=checkbox][aria-checked=true]").evaluate_all(
        "ticks => ticks.map((tick) => tick.previousSibling.dataset.picture)"
    )
    return found


async def serious(page: Page) -> list[str]:
    """What axe finds in the library, as "rule: element"."""
    found: list[str] = await page.evaluate(
        """async () => (await axe.run("#library")).violations
            .filter((rule) => ["serious", "critical"].includes(rule.impact))
            .flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)}`))"""
    )
    return found


@pytest.mark.parametrize("width", [1400, 390])
async def test_rows_show_true_shapes_and_end_together(page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    await page.wait_for_function(
        "[...document.querySelectorAll('.tile')].every((tile) => tile.getBoundingClientRect().right <= innerWidth)"
    )
    await tiles(page).locator("img").evaluate_all("images => Promise.all(images.map((image) => image.decode()))")
    found: list[list[float]] = await tiles(page).evaluate_all(
        """tiles => tiles.map((tile) => {
            const [{ left, right, top, height }, image] = [tile.getBoundingClientRect(), tile.querySelector("img")];
            return [left, right, top, height, image.naturalWidth / image.naturalHeight];
        })"""
    )
    box = await page.locator("#library .rows").bounding_box()
    assert box
    rows: dict[float, list[list[float]]] = {}
    for left, right, top, height, ratio in found:
        assert (right - left) / height == pytest.approx(ratio, rel=0.01)
        rows.setdefault(top, []).append([left, right, height])
    assert len(rows) > 4
    whole = 0
    for row in rows.values():
        assert row[0][0] == box["x"]
        assert len({height for *_, height in row}) == 1
        assert {right[0] - left[1] for left, right in pairwise(row)} <= {6}
        assert row[-1][1] <= box["x"] + box["width"]
        whole += row[-1][1] == box["x"] + box["width"]
    assert whole >= len(rows) - 3  # all but the last ones of a day


def heading(day: datetime, language: str) -> str:
    """As people say it."""
    if language == "en":
        return f"{day:%A, %B} {day.day}" + (f", {day.year}" if day.year != TODAY.year else "")
    weekday = "一二三四五六日"[day.weekday()]
    return (f"{day.year}年" if day.year != TODAY.year else "") + f"{day.month}月{day.day}日星期{weekday}"


async def test_days_have_headings_and_only_what_is_near_the_window_is_in_the_page(page: Page) -> None:
    await total(page, "500 pictures")
    headings, most = await page.evaluate(
        """async () => {
            const headings = new Set();
            let most = 0;
            for (let y = 0; y < document.documentElement.scrollHeight; y += 600) {
                scrollTo(0, y);
                await new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));
                for (const { textContent } of document.querySelectorAll("#library h2")) headings.add(textContent);
                most = Math.max(most, document.querySelectorAll("#library .tile").length);
            }
            return [[...headings], most];
        }"""
    )
    assert headings == ["Today", "Yesterday", *(heading(day, "en") for day in DAYS[2:])]
    assert 50 < most < 150
    await expect(tiles(page).last.locator("img")).to_have_js_property("complete", True)
    await expect(tiles(page).last).to_be_in_viewport(ratio=1)
    await page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")  # as who drags the scrollbar
    label = page.locator("#library .label")
    await expect(label).to_be_visible()
    await page.wait_for_function(
        """headings => {
            const top = document.querySelector("#library .bar").getBoundingClientRect().bottom;
            const seen = (tile) => tile.getBoundingClientRect().bottom > top;
            const tile = [...document.querySelectorAll("#library .tile")].find(seen);
            const day = tile?.firstChild.dataset.picture.slice(0, 10);
            return document.querySelector("#library .label").textContent === headings[day];
        }""",
        arg={f"{day:%Y-%m-%d}": heading(day, "en") for day in DAYS},
    )
    await expect(label).to_be_hidden()  # once one rests
    await expect(tiles(page).nth(30)).to_be_in_viewport()
    await expect(tiles(page).nth(30).locator("img")).to_have_js_property("complete", True)


async def test_it_is_searched_by_words_model_seed_day_kind_and_star(page: Page) -> None:
    field = page.locator("#library [data-act=search]")
    for words, count in {
        "fox": 200,
        "FOX lighthouse": 100,
        "seed:42": 200,
        "seed:42 light": 200,
        "model:edit": 200,
        f"model:{TEXT} lake": 100,
        f"before:{DAYS[7]:%Y-%m-%d}": 100,
        f"before:{DAYS[7]:%Y-%m-%d} seed:7": 20,
        f"before:{TODAY.year - 1}": 50,
    }.items():
        await field.fill(words)
        await total(page, f"{count} pictures")
    await field.fill("no such words")
    await total(page, "0 pictures")
    await expect(page.locator("#library .told")).to_have_text("Nothing found. Try other words.")
    await expect(tiles(page)).to_have_count(0)
    await field.fill("fox")
    await page.locator("#library [data-act=kind]").select_option("Fusion")
    await total(page, "100 pictures")
    await expect(tiles(page).first.locator("[data-act=open]")).to_have_accessible_name(
        "Open: The fox by the lighthouse"
    )
    await page.locator("#library [data-act=model]").select_option("qwen-image")
    await total(page, "0 pictures")
    await page.locator("#library [data-act=kind]").select_option("All kinds")
    await total(page, "100 pictures")
    await page.locator("#library [data-act=starred]").click()
    await total(page, "0 pictures")
    await field.fill("")
    await page.locator("#library [data-act=model]").select_option("All models")
    await page.locator("#library [data-act=starred]").click()
    await total(page, "500 pictures")


async def test_ticks_ranges_and_keys_select(page: Page) -> None:
    await expect(tools(page)).to_be_hidden()
    names = await ids(page)
    await tick(page, names[9])
    await chosen(page, "1 selected")
    await tick(page, names[3], modifiers=["Shift"])
    await chosen(page, "7 selected")
    assert await marked(page) == names[3:10]
    await tiles(page).nth(5).locator("[data-act=open]").click()  # while some are selected, a click selects
    await chosen(page, "6 selected")
    await page.keyboard.press("Escape")
    await expect(tools(page)).to_be_hidden()
    assert await marked(page) == []
    await page.keyboard.press("Control+a")
    await chosen(page, "500 selected")
    await page.locator("#library [data-act=clear]").click()
    await expect(tools(page)).to_be_hidden()
    field = page.locator("#library [data-act=search]")
    await field.fill("fox")
    await total(page, "200 pictures")
    await field.press("Control+a")  # there, it selects what is typed
    await expect(tools(page)).to_be_hidden()
    await tiles(page).first.locator("[data-act=open]").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Control+Space"):
        await page.keyboard.press(key)
    await chosen(page, "1 selected")
    (one,) = await marked(page)
    assert (await ids(page)).index(one) > 5
    await page.keyboard.press("Control+a")
    await chosen(page, "200 selected")


async def test_thirty_of_five_hundred_are_selected_deleted_and_undone(page: Page, gallery: Gallery) -> None:
    await page.evaluate("scrollTo(0, 1200)")
    await expect(page.locator("#library h2", has_text="Yesterday")).to_be_in_viewport()
    names = await ids(page)
    begin = next(at for at, (_, y, *_) in enumerate((await places(page)).values()) if y > 200)
    await tick(page, names[begin])
    await tick(page, names[begin + 29], modifiers=["Shift"])
    await chosen(page, "30 selected")
    gone = names[begin : begin + 30]
    assert await marked(page) == gone
    top, before, names = await page.evaluate("scrollY"), await places(page), await ids(page)
    assert len(gone) == 30
    await page.keyboard.press("Delete")
    await said(page, "30 deleted")
    await total(page, "470 pictures")
    await expect(tools(page)).to_be_hidden()
    assert not set(gone) & set(await ids(page))
    assert gallery.files == 470
    assert (await page.request.get(f"{gallery.url}/picture/{gone[0]}")).status == 404
    await page.locator(".board-notice [data-act=undo]").click()
    await total(page, "500 pictures")
    await expect(page.locator(".board-notice")).to_have_count(0)
    assert await page.evaluate("scrollY") == top
    assert await ids(page) == names
    assert await places(page) == before
    assert gallery.files == 500
    assert (await page.request.get(f"{gallery.url}/picture/{gone[0]}")).status == 200
    await page.reload(wait_until="domcontentloaded")
    await search(page, "")
    await total(page, "500 pictures")


async def test_a_selection_is_downloaded_compared_fused(page: Page) -> None:
    first, _, second, _, third, fourth, *_ = await ids(page)
    await tick(page, first)
    compare, fuse = page.locator("#library [data-act=compare]"), page.locator("#library [data-act=fuse]")
    await expect(compare).to_be_disabled()
    await expect(fuse).to_be_disabled()
    await tick(page, second)
    archive = await download(page, "#library [data-act=zip]", "qwen-images.zip")
    with zipfile.ZipFile(archive) as opened:
        assert sorted(Image.open(opened.open(name)).size for name in opened.namelist()) == [(116, 208), (150, 100)]
    await compare.click()
    shown = await viewer(page)
    await expect(shown.locator(".pane img")).to_have_count(2)
    sources = await shown.locator(".pane img").evaluate_all("images => images.map((image) => image.src)")
    assert [first in sources[0], second in sources[1]] == [True, True]
    await page.keyboard.press("Escape")
    await expect(page.locator("#viewer[open]")).to_have_count(0)
    await chosen(page, "2 selected")  # Escape was the viewer's
    await expect(compare).to_be_enabled()
    await fuse.click()
    await said(page, "Added to the fusion as image 1, image 2.")
    await expect(page.locator("#fusion-image-1 img")).to_be_visible()
    await expect(page.locator("#fusion-image-2 img")).to_be_visible()
    await expect(page.locator("#fusion-image-3 img")).to_have_count(0)
    await tab(page, "History")
    await chosen(page, "2 selected")
    await tick(page, third)
    await expect(fuse).to_be_enabled()
    await tick(page, fourth)
    await expect(fuse).to_be_disabled()
    await page.keyboard.press("Escape")


async def test_stars_show_filter_and_survive_a_reload(page: Page, gallery: Gallery) -> None:
    names = (await ids(page))[1:5]
    await tick(page, names[0])
    await tick(page, names[-1], modifiers=["Shift"])
    await tools(page).get_by_role("button", name="Star", exact=True).click()
    stars = page.locator("#library .tile .star:visible")
    await expect(stars).to_have_count(4)
    await expect(tools(page).get_by_role("button", name="Remove star")).to_be_visible()
    await page.reload(wait_until="domcontentloaded")
    await search(page, "")
    await expect(stars).to_have_count(4)
    await page.locator("#library [data-act=starred]").click()
    await expect(page.locator("#library [data-act=starred]")).to_have_attribute("aria-pressed", "true")
    await total(page, "4 pictures")
    assert await ids(page) == names
    assert len((gallery.library.root / ".stars").read_text().splitlines()) == 4
    await page.keyboard.press("Control+a")
    await tools(page).get_by_role("button", name="Remove star").click()
    await page.locator("#library [data-act=starred]").click()
    await total(page, "500 pictures")
    await expect(stars).to_have_count(0)


async def test_new_pictures_appear_in_an_open_library_at_their_place(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await search(page, "otter juggling")
    await total(page, "0 pictures")
    other = await page.context.new_page()
    await other.goto(app.url, wait_until="domcontentloaded")
    for number in (1, 2):
        await other.locator("#text-prompt textarea").fill(f"an otter juggling {number}")
        await run_and_wait(other, "text")
        await expect(tiles(page)).to_have_count(number)
    names = await tiles(page).locator("[data-act=open]").evaluate_all("opens => opens.map((open) => open.ariaLabel)")
    assert names == ["Open: an otter juggling 2", "Open: an otter juggling 1"]
    await expect(tiles(page).first.locator("img")).to_have_js_property("complete", True)
    await search(other, "otter juggling")
    await total(other, "2 pictures")
    await tick(other, (await ids(other))[1])
    await other.keyboard.press("Delete")
    await total(page, "1 picture")  # what one tab deletes, the others don't show any more
    await other.locator("[data-act=undo]").click()
    await total(page, "2 pictures")


async def test_a_stranger_sees_none_of_it(new_context: NewContext, gallery: Gallery, page: Page) -> None:
    name = (await ids(page))[0]
    stranger = await new_context(locale="en-US")
    for path in (f"picture/{name}", f"picture/{name}?w=512", f"board/picture?id={name}"):
        assert (await page.request.get(f"{gallery.url}/{path}")).status == 200
        assert (await stranger.request.get(f"{gallery.url}/{path}")).status == 404
    found = await (await stranger.request.get(f"{gallery.url}/board/library")).json()
    assert found == {"pictures": [], "total": 0}
    for act in ("delete", "star", "zip"):
        data: Any = {"act": act, "ids": [name]}
        assert (await stranger.request.post(f"{gallery.url}/board/act", data=data)).status == 404
    empty = await stranger.new_page()
    await empty.goto(gallery.url, wait_until="domcontentloaded")
    await tab(empty, "History")
    await expect(empty.locator("#library .told")).to_have_text(translate("en", "board_library_empty"))
    await total(empty, "0 pictures")
    await empty.evaluate(AXE)
    assert await serious(empty) == [], "empty"
    assert gallery.files == 500
    await stranger.close()


async def press_long(page: Page, tools: CDPSession, place: int, selected: str) -> None:
    """A finger stays on a tile until it is selected."""
    box = await tiles(page).nth(place).bounding_box()
    assert box
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    await tools.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    await chosen(page, selected)
    await tools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


async def test_on_a_phone_fingers_select_delete_undo_and_open(new_context: NewContext, gallery: Gallery) -> None:
    async with phone(new_context, gallery) as page:
        fingers = await page.context.new_cdp_session(page)
        await total(page, "500 张图片")
        await expect(page.locator("#library h2").first).to_have_text("今天")
        names = await ids(page)
        await press_long(page, fingers, 1, "已选 1 张")
        await tiles(page).nth(3).tap()
        await chosen(page, "已选 2 张")
        await tiles(page).nth(3).tap()
        await chosen(page, "已选 1 张")
        await tiles(page).nth(2).locator("[data-act=select]").tap()
        await chosen(page, "已选 2 张")
        box = await tools(page).bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        for button in await tools(page).get_by_role("button").all():
            target = await button.bounding_box()
            assert target
            assert target["width"] >= 32
            assert target["height"] >= 32
        await tools(page).get_by_role("button", name="删除").tap()
        await said(page, "已删除 2 张")
        await total(page, "498 张图片")
        await page.locator("[data-act=undo]").tap()
        await total(page, "500 张图片")
        assert await ids(page) == names
        await tiles(page).nth(1).tap()
        shown = await viewer(page)
        await expect(shown.locator(".prompt").first).to_have_text("A mountain lake")
        await page.keyboard.press("Escape")
        await expect(tiles(page).nth(1).locator("[data-act=open]")).to_be_focused()
        await page.wait_for_function(  # as fingers do: the page grows while rows far below get their true heights
            """() => {
                scrollTo(0, document.documentElement.scrollHeight);
                const box = [...document.querySelectorAll("#library .tile")].at(-1).getBoundingClientRect();
                return box.top >= 0 && box.bottom <= innerHeight;
            }"""
        )
        await expect(tiles(page).last).to_be_in_viewport(ratio=1)
        assert (await ids(page))[-1].startswith(f"{DAYS[-1]:%Y-%m-%d}-")
        await search(page, f"before:{TODAY.year - 1}")
        await expect(page.locator("#library h2")).to_have_text([heading(DAYS[-1], "zh-CN")])
        assert await page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize(("language", "colours"), [("en", "light"), ("zh-CN", "dark")])
async def test_axe_finds_nothing_serious_in_any_state_of_the_library(
    new_context: NewContext, gallery: Gallery, page: Page, language: str, colours: Literal["light", "dark"]
) -> None:
    if language == "en":
        await look_at_each_state(page)
    else:
        async with phone(new_context, gallery, color_scheme=colours) as small:
            await look_at_each_state(small)


async def look_at_each_state(page: Page) -> None:
    await page.evaluate(AXE)
    assert await serious(page) == [], "full"
    await tiles(page).nth(2).locator("[data-act=select]").click()
    await expect(tools(page)).to_be_visible()
    assert await serious(page) == [], "selection"
    await page.keyboard.press("Delete")
    await expect(page.locator(".board-notice")).to_be_visible()
    assert await serious(page) == [], "deleted"
    await page.locator("[data-act=undo]").click()
    await page.locator("#library [data-act=search]").fill("no such words")
    await expect(tiles(page)).to_have_count(0)
    assert await serious(page) == [], "nothing found"
