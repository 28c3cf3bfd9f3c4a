"""The feed: a card for each order, whatever becomes of it, and wherever one looks at it."""

import asyncio
import base64
import io
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from PIL import Image
from playwright.async_api import Locator, Page, expect

from qwen_demo.api.client import QwenClient
from qwen_demo.i18n import translate
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.recipe import Recipe, embed
from qwen_demo.service import Service
from qwen_demo.ui.examples import SHOWN
from qwen_demo.usage import Prices
from tests.browser.conftest import PHOTOS, NewContext, Open
from tests.browser.steps import cards, drop, fill_number, run, said, search, sources, tab, tiles, usage
from tests.conftest import KEY, Backend, RunningApp, launched

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
REFUSED = {"error": {"code": "DataInspectionFailed", "message": "no"}}
SAID_REFUSED = "The prompt or a picture was refused for its content. Change it and try again."
SAID_BROKEN = "The API said no (HTTP 500): broken."
FREE, PERHAPS = "Nothing was billed.", "This may have been billed."
IMPATIENT = """
const patient = window.setTimeout;
window.setTimeout = (then, ms, ...more) => patient(then, ms >= 3000 && ms <= 5000 ? 20 : ms, ...more);
"""
"""Has a page ask again at once where it would wait for some seconds. To be there before its scripts."""
LOOK_AWAY = """away => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => away });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def colour(seed: int) -> list[int]:
    """Its picture's, far enough from all others to be told apart in a preview, in steps of 32."""
    return [seed % 8 * 32, seed // 8 % 8 * 32, 128]


@cache
def picture(seed: int, width: int, height: int) -> str:
    """A PNG in one colour, each seed's another, in base64. It is small, so that none takes long."""
    red, green, blue = (value + 16 for value in colour(seed))
    Image.new("RGB", (width // 8, height // 8), (red, green, blue)).save(buffer := io.BytesIO(), "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@dataclass
class Desk:
    """Answers in the API's place, with a plain picture for each seed, in the order that a test chooses.

    Attributes:
        orders: what was asked for.
        held: the seeds that wait.
        says: what others are answered than a picture, by their seeds.
    """

    orders: list[dict[str, Any]]
    held: set[int] = field(default_factory=set)
    says: dict[int, httpx.Response] = field(default_factory=dict)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(404)
        body = json.loads(await request.aread())
        self.orders.append(body)
        seed, size = body["seed"], map(int, body.get("size", "512x512").split("x"))
        while seed in self.held:  # noqa: ASYNC110 - another thread releases it
            await asyncio.sleep(0.005)
        answer = {"data": [{"b64_json": picture(seed, *size)}] * body["n"], "usage": {"total_tokens": body["n"]}}
        return self.says.get(seed) or httpx.Response(200, json=answer)


@pytest.fixture
def desk(app: RunningApp, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    desk = Desk(app.orders)
    monkeypatch.setattr(app.backend, "handle_async_request", desk.answer)
    yield desk
    desk.held.clear()


async def order(page: Page, prompt: str, n: int = 1, seed: int | None = None, size: str = "1:1") -> Locator:
    """Order words' pictures, several ones with the seeds s, s+1, …. Gives the card."""
    await fill(page, prompt, n, seed, size)
    return await run(page, "text")


async def fill(page: Page, prompt: str, n: int, seed: int | None, size: str) -> None:
    """Fill the form for it."""
    await page.locator("#text-prompt textarea").fill(prompt)
    await page.locator("#text-size").get_by_role("radio", name=size).check()
    await fill_number(page, "text-count", n)
    if seed is not None:
        await fill_number(page, "text-seed", seed)
        await expect(page.locator("#text-random-seed input")).not_to_be_checked()


def slot(card: Locator, place: int) -> Locator:
    return card.locator(f'.slot[data-slot="{place}"]')


async def expect_slots(card: Locator, *what: str) -> None:
    """Wait until each place is so: waiting, picture, failed, dropped or gone."""
    for place, is_ in enumerate(what):
        await expect(slot(card, place)).to_have_attribute("data-is", is_)


async def boxes(card: Locator) -> list[list[float]]:
    """Where the places stand in the card: x, y, width and height in px."""
    found: list[list[float]] = await card.evaluate(
        """card => [...card.querySelectorAll(".slot")].map(slot => {
            const [of, at] = [card.getBoundingClientRect(), slot.getBoundingClientRect()];
            return [at.x - of.x, at.y - of.y, at.width, at.height];
        })"""
    )
    return found


async def colours(card: Locator) -> list[list[int]]:
    """What colours the pictures have, by their places."""
    found: list[list[int]] = await card.evaluate(
        """card => [...card.querySelectorAll(".slot img")].map(image => {
            const sheet = new OffscreenCanvas(1, 1).getContext("2d");
            sheet.drawImage(image, 0, 0, 1, 1);
            return [...sheet.getImageData(0, 0, 1, 1).data].slice(0, 3).map((value) => value & 0xe0);
        })"""
    )
    return found


async def serious(page: Page) -> list[str]:
    """What axe finds in the feed, as "rule: element"."""
    found: list[str] = await page.evaluate(
        """async () => (await axe.run("#feed")).violations
            .filter((rule) => ["serious", "critical"].includes(rule.impact))
            .flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)}`))"""
    )
    return found


async def test_the_run_button_always_orders_and_each_order_has_its_card_at_once(open_page: Open, desk: Desk) -> None:
    page = await open_page()
    desk.held.update(range(1, 6))
    button, prompt = page.locator("#text-run"), page.locator("#text-prompt textarea")
    for seed in (1, 2, 3):
        card = await order(page, f"hill {seed}", seed=seed)
        await expect(card).to_have_attribute("data-state", "running")
        await expect(button).to_be_enabled()
    await prompt.fill("hill 4")
    await prompt.press("Control+Enter")
    await expect(cards(page)).to_have_count(4)
    await prompt.fill("hill 5")
    await button.dblclick()  # is meant as one
    await expect(cards(page)).to_have_count(5)
    await page.keyboard.press("Escape")  # ends nothing that costs
    words = cards(page).locator("[data-act=prompt]")
    await expect(words).to_have_text([f"hill {number}" for number in (5, 4, 3, 2, 1)])
    await expect(page.locator('#feed .card[data-state="running"]')).to_have_count(5)
    desk.held.clear()
    await expect(page.locator('#feed .card[data-state="done"]')).to_have_count(5)
    await expect(words).to_have_text([f"hill {number}" for number in (5, 4, 3, 2, 1)])
    assert [asked["prompt"] for asked in desk.orders] == [f"hill {number}" for number in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize(("width", "columns"), [(1400, 4), (390, 2)])
async def test_places_have_the_orders_shape_and_never_move_whatever_comes_first(
    open_page: Open, desk: Desk, width: int, columns: int
) -> None:
    page = await open_page(width=width)
    desk.held.update((21, 22, 23, 24))
    desk.says[22] = httpx.Response(400, json=REFUSED)
    card = await order(page, "a hill", 4, seed=21, size="16:9")
    await expect_slots(card, *["waiting"] * 4)
    began = await boxes(card)
    assert len({x for x, *_ in began}) == columns
    for _, _, wide, high in began:
        assert wide / high == pytest.approx(1664 / 928, rel=0.01)
    desk.held.remove(23)
    await expect_slots(card, "waiting", "waiting", "picture", "waiting")
    assert await boxes(card) == began
    desk.held.remove(22)
    await expect_slots(card, "waiting", "failed", "picture", "waiting")
    assert await boxes(card) == began
    desk.held.remove(24)
    await expect_slots(card, "waiting", "failed", "picture", "picture")
    desk.held.remove(21)
    await expect(card).to_have_attribute("data-state", "partly")
    await expect_slots(card, "picture", "failed", "picture", "picture")
    assert await boxes(card) == began
    assert await colours(card) == [colour(21), colour(23), colour(24)]
    await expect(card.locator(".seed")).to_have_text(["seed 21", "seed 23", "seed 24"])
    again = slot(card, 1).locator("[data-act=order-again]")
    box, frame = await again.bounding_box(), await slot(card, 1).bounding_box()
    assert box
    assert frame  # all of it is inside, however long the reason
    assert frame["x"] < box["x"] < box["x"] + box["width"] < frame["x"] + frame["width"]
    assert frame["y"] < box["y"] < box["y"] + box["height"] < frame["y"] + frame["height"]


async def test_a_place_that_failed_says_why_and_what_it_cost_and_can_be_ordered_again_where_that_is_safe(
    open_page: Open, desk: Desk
) -> None:
    page = await open_page()
    desk.says[32] = httpx.Response(400, json=REFUSED)
    desk.says[34] = httpx.Response(500, json={"error": {"message": "broken"}})
    card = await order(page, "a hill", 4, seed=31, size="3:4")
    await expect(card).to_have_attribute("data-state", "partly")
    await expect_slots(card, "picture", "failed", "picture", "failed")
    await expect(slot(card, 1).locator("p")).to_have_text(f"{SAID_REFUSED} {FREE}")
    await expect(slot(card, 3).locator("p")).to_have_text(f"{SAID_BROKEN} {PERHAPS}")
    await expect(card.locator(".state")).to_have_text(re.compile(r"^2 of 4 · \d+(\.\d)? s$"))
    await expect(card.locator(".said")).to_have_text(
        re.compile(r"^2 of 4 pictures came, in [\d.]+ s\. Billed: 2 · not billed: 1 · perhaps billed: 1\.$")
    )
    await expect(slot(card, 3).locator("button")).to_have_count(0)
    del desk.says[32]
    before = await card.evaluate("card => card.outerHTML")
    await slot(card, 1).locator("[data-act=order-again]").click()
    await expect(cards(page)).to_have_count(2)
    again = cards(page).first
    await expect(again).to_have_attribute("data-state", "done")
    await expect(again.locator("[data-act=prompt]")).to_have_text("a hill")
    await expect(slot(again, 0).locator("img")).to_be_visible()
    assert await colours(again) == [colour(32)]
    assert len(desk.orders) == 5
    assert desk.orders[4] == next(asked for asked in desk.orders if asked["seed"] == 32)
    assert await card.evaluate("card => card.outerHTML") == before


async def test_an_order_that_fails_leaves_all_other_cards_as_they_are(open_page: Open, desk: Desk) -> None:
    page = await open_page()
    done = await order(page, "a hill", 2, seed=41)
    await expect_slots(done, "picture", "picture")
    await expect(done).to_have_attribute("data-state", "done")
    desk.held.add(43)
    running = await order(page, "a valley", seed=43)
    desk.says[44] = httpx.Response(500, json={"error": {"message": "broken"}})
    await done.evaluate("card => { window.parts = [...card.querySelectorAll('*')]; window.told = card.outerHTML; }")
    failed = await order(page, "a cliff", seed=44)
    await expect(failed).to_have_attribute("data-state", "failed")
    await expect(failed.locator(".state")).to_have_text(re.compile(r"^Failed · \d+(\.\d)? s$"))
    await expect(slot(failed, 0).locator("p")).to_have_text(f"{SAID_BROKEN} {PERHAPS}")
    await expect(failed.locator(".said")).to_be_hidden()  # its only place says it
    assert await done.evaluate("card => card.outerHTML === told && parts.every((part) => part.isConnected)")
    await expect(running).to_have_attribute("data-state", "running")
    desk.held.clear()
    await expect(running).to_have_attribute("data-state", "done")
    await expect(cards(page)).to_have_count(3)


@dataclass
class Shop:
    """An app of its own, where two calls are under way at once and each visitor sees own pictures alone."""

    url: str
    desk: Desk


def shop_service(folder: Path, desk: Desk) -> Service:
    backend = Backend()
    backend.handle_async_request = desk.answer  # type: ignore[method-assign]
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    return Service(client, Orders(2), Library(folder), prices=Prices({"qwen-image-plus": 0.2}, "¥"), public=True)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    desk = Desk([])
    with launched(shop_service(tmp_path_factory.mktemp("shop"), desk), QWEN_DEMO_PUBLIC="1") as url:
        yield Shop(url, desk)


@asynccontextmanager
async def enter(new_context: NewContext, shop: Shop, **options: Any) -> AsyncIterator[Page]:
    """The shop, as a browser that it doesn't know yet."""
    shop.desk.orders.clear()
    shop.desk.held.clear()
    context = await new_context(**{"locale": "en-US", "viewport": {"width": 1400, "height": 900}, **options})
    page = await context.new_page()
    await page.goto(shop.url, wait_until="domcontentloaded")
    await page.locator("#text-run").wait_for()
    yield page
    shop.desk.held.clear()
    await context.close()


STOPPED = {
    "en": (
        "3rd in line",
        "4th in line",
        "1st in line",
        "2nd in line",
        "Stopped · 2 still come",
        "Stopped · 1 still come",
    ),
    "zh-CN": (
        "排在第 3 位",
        "排在第 4 位",
        "排在第 1 位",
        "排在第 2 位",
        "已停止 · 还有 2 张会到",
        "已停止 · 还有 1 张会到",
    ),
}


@pytest.mark.parametrize(("language", "width"), [("en", 1400), ("zh-CN", 390)])
async def test_the_place_in_line_is_told_and_stop_says_what_still_comes(
    new_context: NewContext, shop: Shop, language: str, width: int
) -> None:
    third, fourth, first, second, two_come, one_comes = STOPPED[language]
    dropped = translate(language, "board_dropped")
    async with enter(new_context, shop, locale=language, viewport={"width": width, "height": 844}) as page:
        shop.desk.held.update((51, 52, 55, 56))
        four = await order(page, "a hill", 4, seed=51)
        one = await order(page, "a valley", seed=55)
        other = await order(page, "a cliff", seed=56)
        await expect(four.locator(".state")).to_have_text(re.compile(r"^\d+ \S+ · 0 (of|/) 4"))  # it waits for nobody
        await expect(one.locator(".state")).to_have_text(third)
        await expect(other.locator(".state")).to_have_text(fourth)
        began = await boxes(four)
        await four.locator("[data-act=stop]").click()
        await expect(four.locator(".state")).to_contain_text(two_come)
        await expect(four.locator("[data-act=stop]")).to_be_hidden()
        await expect(one.locator(".state")).to_have_text(first)
        await expect(other.locator(".state")).to_have_text(second)
        await expect_slots(four, "waiting", "waiting", "dropped", "dropped")
        await expect(slot(four, 3)).to_have_text(dropped)
        shop.desk.held.remove(52)
        await expect_slots(four, "waiting", "picture", "dropped", "dropped")
        await expect(four.locator(".state")).to_contain_text(one_comes)
        await expect(one.locator(".state")).not_to_contain_text(first)  # it is drawn
        shop.desk.held.remove(51)
        await expect_slots(four, "picture", "picture", "dropped", "dropped")
        await expect(four).to_have_attribute("data-state", "stopped")
        await expect(four.locator(".state")).to_have_text(re.compile(r"^(Stopped|已停止) · [\d.]+ \S+ · 0\.40 ¥$"))
        assert await boxes(four) == began
        assert await colours(four) == [colour(51), colour(52)]
        shop.desk.held.clear()
        await expect(other).to_have_attribute("data-state", "done")
        await expect(other.locator(".state")).to_have_text(re.compile(r"^[\d.]+ \S+ · 0\.20 ¥$"))
        assert [asked["seed"] for asked in shop.desk.orders] == [51, 52, 55, 56]


async def test_two_tabs_show_the_same_card_and_a_strangers_cookie_gets_nothing(
    new_context: NewContext, shop: Shop
) -> None:
    async with enter(new_context, shop) as page, enter(new_context, shop) as stranger:
        other = await page.context.new_page()
        await other.goto(shop.url, wait_until="domcontentloaded")
        shop.desk.held.update((61, 62))
        card = await order(page, "a hill", 2, seed=61)
        same = cards(other)
        await expect_slots(same, "waiting", "waiting")
        shop.desk.held.remove(62)
        await expect_slots(same, "waiting", "picture")
        shop.desk.held.remove(61)
        for one in (card, same):
            await expect(one).to_have_attribute("data-state", "done")
            await expect_slots(one, "picture", "picture")
        id = await card.get_attribute("data-order")
        assert await same.get_attribute("data-order") == id
        assert await sources(card) == await sources(same)
        pictures = [await open.get_attribute("data-picture") for open in await card.locator("[data-act=open]").all()]
        addresses = [
            *await sources(card),
            *(f"{shop.url}/picture/{picture}" for picture in pictures),
            *(f"{shop.url}/picture/{picture}?w=512" for picture in pictures),
            *(f"{shop.url}/board/picture?id={picture}" for picture in pictures),
            f"{shop.url}/board/code?order={id}",
            f"{shop.url}/board/answers.zip?order={id}",
        ]
        for address in addresses:
            assert (await page.request.get(address)).status == 200, address
            assert (await stranger.request.get(address)).status == 404, address
        for act in ("stop", "fetch", "again", "forget"):
            data: Any = {"act": act, "order": id, "place": 0}
            assert (await stranger.request.post(f"{shop.url}/board/act", data=data)).status == 404, act
        for act in ("delete", "star", "zip"):
            data = {"act": act, "ids": pictures}
            assert (await stranger.request.post(f"{shop.url}/board/act", data=data)).status == 404, act
        await expect(stranger.locator("#feed .empty")).to_be_visible()
        await expect(cards(stranger)).to_have_count(0)
        orders = await (await stranger.request.get(f"{shop.url}/board/orders?once=1")).json()
        assert (orders["cards"], orders["session"]) == ({}, "")
        await expect(cards(page)).to_have_count(1)
        await same.locator("[data-act=forget]").click()
        for shown in (page, other):
            await expect(shown.locator("#feed .empty")).to_be_visible()
        assert len(shop.desk.orders) == 2


async def test_after_a_restart_the_same_cards_are_there_and_what_cant_be_read_says_so(
    new_context: NewContext, tmp_path: Path
) -> None:
    desk = Desk([])
    desk.says[72] = httpx.Response(200, json={"data": [{"url": "http://offline/v1/gone.png"}]})
    with launched(shop_service(tmp_path, desk), QWEN_DEMO_PUBLIC="1") as url:
        async with enter(new_context, Shop(url, desk)) as page:
            done = await order(page, "a hill", seed=71)
            await expect(done).to_have_attribute("data-state", "done")
            unread = await order(page, "a valley", seed=72)
            await expect(unread).to_have_attribute("data-state", "unread")
            kept = await page.context.storage_state()
    with launched(shop_service(tmp_path, desk), QWEN_DEMO_PUBLIC="1") as url:
        async with enter(new_context, Shop(url, desk), storage_state=kept) as page:
            await expect(cards(page).locator("[data-act=prompt]")).to_have_text(["a valley", "a hill"])
            await expect(cards(page).last).to_have_attribute("data-state", "done")
            await expect(slot(cards(page).last, 0).locator("img")).to_be_visible()
            assert await colours(cards(page).last) == [colour(71)]
            unread = cards(page).first
            await expect(unread).to_have_attribute("data-state", "unread")
            await expect(unread.locator(".state")).to_contain_text("Paid for, not here yet")
            await expect(unread.locator("[data-act=fetch]")).to_be_visible()
            async with page.expect_download() as download:
                await unread.locator("[data-act=raw]").click()
            assert (await download.value).suggested_filename == "qwen-answers.zip"
            assert desk.orders == []


async def test_who_reloads_in_the_middle_finds_the_card_as_it_was(open_page: Open, desk: Desk) -> None:
    page = await open_page()
    desk.held.update((81, 82))
    card = await order(page, "a hill", 2, seed=81, size="3:4")
    began = await boxes(card)
    desk.held.remove(82)
    await expect_slots(card, "waiting", "picture")
    await page.reload(wait_until="domcontentloaded")
    await expect_slots(card, "waiting", "picture")
    assert await boxes(card) == began
    await expect(card.locator(".state")).to_have_text(re.compile(r"^\d+ s · 1 of 2"))
    desk.held.clear()
    await expect(card).to_have_attribute("data-state", "done")
    await expect_slots(card, "picture", "picture")
    assert await colours(card) == [colour(81), colour(82)]
    assert len(desk.orders) == 2


class Wire:
    """What lies between a browser and the app, and can be cut."""

    def __init__(self, app: str) -> None:
        self._app = httpx.URL(app)
        self._open: set[asyncio.StreamWriter] = set()
        self.whole = True

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.whole:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(self._app.host, self._app.port)
        ends = {writer, back}
        self._open |= ends
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer), return_exceptions=True)
        self._open -= ends

    def cut(self) -> None:
        """As when the server breaks down."""
        self.whole = False
        for writer in self._open:
            writer.transport.abort()


async def test_a_stream_that_the_server_cuts_is_taken_up_again(
    new_context: NewContext, app: RunningApp, desk: Desk, logged: list[str]
) -> None:
    wire = Wire(app.url)
    server = await asyncio.start_server(wire.connect, "127.0.0.1", 0)
    context = await new_context(locale="en-US", viewport={"width": 1400, "height": 900})
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", wait_until="domcontentloaded")
    await page.locator("#text-run").wait_for()
    desk.held.update((91, 92))
    card = await order(page, "a hill that was cut off", 2, seed=91)
    await expect_slots(card, "waiting", "waiting")
    await search(page, "hill cut off")
    await expect(page.locator("#library .told")).to_have_text("Nothing found. Try other words.")
    wire.cut()
    await expect(page.locator("#feed .lost")).to_have_text("Connection lost. Trying again.")
    desk.held.clear()
    wire.whole = True
    await expect(tiles(page)).to_have_count(2)  # an open library hears of them too
    await tab(page, "Text to image")
    await expect(card).to_have_attribute("data-state", "done")
    await expect_slots(card, "picture", "picture")
    await expect(page.locator("#feed .lost")).to_have_text("")
    assert await colours(card) == [colour(91), colour(92)]
    await context.close()
    server.close()
    cut = re.compile("net::ERR_|network error")  # so the browser says it
    logged[:] = [told for told in logged if not cut.search(told)]


NOTIFICATION = """
window.asked = 0;
window.notes = [];
window.Notification = class {
    static permission = localStorage.getItem("permission") ?? "default";
    static async requestPermission() {
        window.asked += 1;
        return Notification.permission = localStorage.getItem("permission");
    }
    constructor(title, { body }) { window.notes.push([title, body]); }
};
"""


async def test_the_windows_title_tells_and_a_notification_comes_to_who_switched_it_on(
    open_page: Open, desk: Desk
) -> None:
    page = await open_page()
    await page.add_init_script(IMPATIENT + NOTIFICATION)
    await page.reload(wait_until="domcontentloaded")
    await page.locator("#text-run").wait_for()
    desk.held.update((101, 102, 103, 104))
    card = await order(page, "a hill", 4, seed=101)
    await expect(page).to_have_title("0/4 · Qwen Image Demo")
    desk.held.remove(103)
    await expect(page).to_have_title("1/4 · Qwen Image Demo")
    await page.evaluate(LOOK_AWAY, True)
    desk.held.remove(101)
    await expect(page).to_have_title("2/4 · Qwen Image Demo")
    desk.held.clear()
    await expect(page).to_have_title("● Qwen Image Demo")
    await page.evaluate(LOOK_AWAY, False)
    await expect(page).to_have_title("Qwen Image Demo")
    await expect(card).to_have_attribute("data-state", "done")
    switch = page.get_by_role("checkbox", name="Tell me when it's done", exact=True)
    assert await page.evaluate("[asked, notes]") == [0, []]
    await page.evaluate("localStorage.setItem('permission', 'denied')")
    await switch.click()
    await said(page, "Your browser doesn't allow notifications for this page.")
    await expect(switch).not_to_be_checked()
    await page.evaluate("localStorage.setItem('permission', 'granted')")
    await switch.check()
    await page.reload(wait_until="domcontentloaded")
    await expect(switch).to_be_checked()
    await expect(page.locator("#text-prompt textarea")).to_have_value("a hill")  # what was typed is there again
    desk.held.add(105)
    await order(page, "a valley", 1, seed=105)
    await page.evaluate(LOOK_AWAY, True)
    desk.held.clear()
    await page.wait_for_function("notes.length")
    await page.evaluate(LOOK_AWAY, False)
    card = await order(page, "a cliff", 1, seed=106)  # in sight
    await expect(card).to_have_attribute("data-state", "done")
    assert await page.evaluate("[asked, notes]") == [0, [["Done", "a valley"]]]


async def test_a_screen_reader_hears_order_picture_and_end_and_nothing_each_second(open_page: Open, desk: Desk) -> None:
    page = await open_page()
    region = page.locator("#feed .heard")
    await expect(region).to_have_attribute("role", "status")
    await region.evaluate(
        """region => {
            window.heard = [];
            const hear = () => window.heard.push(region.textContent);
            new MutationObserver(hear).observe(region, { childList: true, characterData: true, subtree: true });
        }"""
    )
    desk.held.update((111, 112))
    card = await order(page, "a hill", 2, seed=111)
    await expect(card.locator(".state")).to_have_text(re.compile("^1 s · 0 of 2"))
    desk.held.remove(112)
    await expect_slots(card, "waiting", "picture")
    desk.held.remove(111)
    await expect(card).to_have_attribute("data-state", "done")
    desk.held.add(113)
    desk.says[113] = desk.says[114] = httpx.Response(400, json=REFUSED)
    failed = await order(page, "a valley", seed=113)
    await expect(failed).to_have_attribute("data-state", "running")
    desk.held.clear()
    await expect(failed).to_have_attribute("data-state", "failed")
    ordered, came, done, *rest = await page.evaluate("heard")
    assert (ordered, came) == ("Ordered: a hill", "1 of 2 came: a hill")
    assert re.fullmatch(r"Done in [\d.]+ s: a hill", done)
    assert rest == ["Ordered: a valley", f"{SAID_REFUSED} {FREE}: a valley"]
    await order(page, "a cliff", seed=114)  # may fail before the page hears of it
    await expect(region).to_have_text(f"{SAID_REFUSED} {FREE}: a cliff")


async def test_prompt_usage_and_code_unfold_and_the_code_can_be_copied(
    open_page: Open, app: RunningApp, desk: Desk
) -> None:
    page = await open_page()
    words = "a hill under a sky of a hundred clouds, " * 8
    card = await order(page, words.strip(", "), 2, seed=121)
    await expect(card).to_have_attribute("data-state", "done")
    prompt, text = card.locator("[data-act=prompt]"), card.locator("pre")
    folded = await prompt.bounding_box()
    await prompt.click()
    await expect(prompt).to_have_attribute("aria-expanded", "true")
    opened = await prompt.bounding_box()
    assert folded
    assert opened
    assert folded["height"] == 32
    assert opened["height"] > 2 * folded["height"]
    await prompt.click()
    await expect(prompt).to_have_attribute("aria-expanded", "false")
    shown = await usage(card)
    assert (shown["Pictures"], shown["Seed"], shown["Total tokens"]) == ("2", "121, 122", "2")
    await card.locator("[data-act=usage] > summary").click()
    await expect(card.locator("[data-act=usage] dl")).to_be_hidden()
    await expect(text).to_be_hidden()
    await card.locator("[data-act=code] > summary").click()
    forms = card.get_by_role("radio")
    await expect(forms).to_have_text(["JSON", "curl", "Python", "OpenAI"])
    await page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    told = set()
    for form in ("JSON", "curl", "Python", "OpenAI"):
        await card.get_by_role("radio", name=form, exact=True).click()
        await expect(card.locator("[role=radio][aria-checked=true]")).to_have_text([form])
        await card.locator("[data-act=copy-code]").click()
        await said(page, "Copied")
        code = await page.evaluate("copied")
        assert code == await text.text_content()
        assert words.strip(", ") in code
        assert "121" in code
        assert "122" in code
        told.add(code)
    assert len(told) == 4
    assert json.loads(next(code for code in told if code.startswith("["))) == desk.orders
    await card.locator("[data-act=code] > summary").click()
    await expect(text).to_be_hidden()


async def test_a_removed_cards_pictures_stay_in_history(open_page: Open, desk: Desk) -> None:
    page = await open_page()
    card = await order(page, "a hill that is forgotten", seed=131)
    await expect(card).to_have_attribute("data-state", "done")
    await card.get_by_role("button", name="Remove this card").click()
    await expect(page.locator("#feed .empty")).to_be_visible()
    await expect(cards(page)).to_have_count(0)
    await search(page, "hill forgotten")
    await expect(tiles(page)).to_have_count(1)


@pytest.mark.parametrize(("language", "width"), [("en", 1400), ("zh-CN", 390)])
async def test_the_empty_feed_offers_six_examples_that_fill_the_form(
    open_page: Open, language: str, width: int
) -> None:
    page = await open_page(language, width=width)
    offered = page.locator("#feed .empty [data-act=example]")
    await expect(offered).to_have_text([translate(language, f"example_{example.key}") for example in SHOWN])
    for example in SHOWN:
        await offered.get_by_text(translate(language, f"example_{example.key}")).click()
        prompt = page.locator(f"#{example.key.partition('_')[0]}-prompt textarea")
        await expect(prompt).to_have_value(translate(language, f"example_{example.key}_prompt"))
        await expect(prompt).to_be_in_viewport(ratio=1)
        await expect(page.locator(".image-slot img:visible")).to_have_count(len(example.pictures))
    drawn = await offered.locator("img").evaluate_all("images => images.map(image => image.naturalWidth)")
    assert drawn == [400] * 6


def ours() -> bytes:
    recipe = Recipe(
        kind="text_to_image",
        prompt="a hill\nat dusk",
        negative_prompt="fog",
        model="qwen-image",
        size="928x1664",
        seed=7,
        watermark=True,
        optimize_prompt=False,
    )
    return embed(base64.b64decode(picture(7, 64, 64)), recipe)


async def test_a_picture_dropped_anywhere_brings_its_settings_or_goes_into_the_tabs_place(open_page: Open) -> None:
    page = await open_page()
    foreign = (PHOTOS / "coffee.png").read_bytes()
    veil = page.locator(".board-drop")
    await tab(page, "History")
    await page.locator("body").evaluate(
        """body => {
            const data = new DataTransfer();
            data.items.add(new File(["?"], "a.png", { type: "image/png" }));
            body.dispatchEvent(new DragEvent("dragover", { bubbles: true, cancelable: true, dataTransfer: data }));
        }"""
    )
    await expect(veil).to_have_text("Drop the picture anywhere")
    await expect(veil).to_be_hidden()  # it left the window
    await drop(page.locator("#library .library"), "renamed.png", ours())
    await said(page, "Filled in: Prompt, Negative prompt, Model, Size, Pictures, Seed.")
    await expect(page.locator("#text-prompt textarea")).to_be_visible()
    await expect(page.locator("#text-prompt textarea")).to_have_value("a hill\nat dusk")
    await expect(page.locator("#text-negative textarea")).to_have_value("fog")
    await expect(page.locator("#text-model input")).to_have_value("qwen-image")
    await expect(page.locator("#text-size").get_by_role("radio", name="9:16")).to_be_checked()
    await expect(page.locator("#text-count input[type=number]")).to_have_value("1")
    await expect(page.locator("#text-seed input[type=number]")).to_have_value("7")
    await expect(page.locator("#text-random-seed input")).not_to_be_checked()
    await expect(page.locator("#text-watermark input")).to_be_checked()
    await expect(page.locator("#text-optimize input")).not_to_be_checked()
    await drop(page.locator("#feed .empty"), "coffee.png", foreign)
    await expect(page.locator("#edit-image img")).to_be_visible()
    await expect(page.locator("#edit-image-note p")).to_have_text("600×400 PNG")
    await tab(page, "Fuse")
    for number in (1, 2):
        await drop(page.locator("#top"), "coffee.png", foreign)
        await expect(page.locator(f"#fusion-image-{number}-note p")).to_have_text("600×400 PNG")
    await tab(page, "Edit")
    await drop(page.locator("body"), "notes.png", b"no picture")
    await expect(page.locator("#edit-image-note [role=alert]")).to_contain_text("can't be read as a picture")


async def test_on_a_phone_a_run_scrolls_to_its_card_and_an_empty_prompt_keeps_the_eye_on_the_prompt(
    open_page: Open, desk: Desk
) -> None:
    page = await open_page("zh-CN", width=390, height=844)
    desk.held.add(141)
    card = await order(page, "山", 1, seed=141)
    await expect(card).to_be_in_viewport(ratio=1)
    await expect(page.locator("#text-prompt")).not_to_be_in_viewport()
    desk.held.clear()
    await expect(card).to_have_attribute("data-state", "done")
    await page.locator("#text-prompt textarea").fill("")
    await page.locator("#text-run").click()
    await expect(page.locator("#text-status [role=alert]")).to_have_text("提示词：请先填写。")
    await expect(page.locator("#text-prompt textarea")).to_be_focused()
    await expect(page.locator("#text-prompt textarea")).to_be_in_viewport()
    await expect(cards(page)).to_have_count(1)
    assert len(desk.orders) == 1


async def test_fifty_finished_cards_stay_light(open_page: Open, desk: Desk) -> None:
    page = await open_page()
    await page.locator("#text-prompt textarea").fill("a hill")
    await page.evaluate("for (let i = 0; i < 52; i++) document.querySelector('#text-run').click()")
    await expect(page.locator('#feed .card[data-state="done"]')).to_have_count(50)  # no more are kept
    await page.reload(wait_until="domcontentloaded")
    await expect(page.locator('#feed .card[data-state="done"]')).to_have_count(50)
    await expect(cards(page).nth(1).locator("img")).to_be_visible()
    loaded = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/picture/')).length"
    assert 2 <= await page.evaluate(loaded) <= 4  # those in sight, and those that soon may be
    last = cards(page).last
    began = await boxes(last)
    await expect(last.locator("img")).to_have_count(0)
    await last.scroll_into_view_if_needed()
    await expect(last.locator("img")).to_be_visible()
    assert await boxes(last) == began
    assert await page.evaluate(loaded) <= 12  # those in between were passed by
    await expect(cards(page)).to_have_count(50)


@pytest.mark.parametrize(("language", "width", "colours"), [("en", 1400, "light"), ("zh-CN", 390, "dark")])
async def test_axe_finds_nothing_serious_in_any_state_of_the_feed(
    open_page: Open, desk: Desk, language: str, width: int, colours: Literal["light", "dark"]
) -> None:
    page = await open_page(language, width=width, colours=colours)
    await page.evaluate(AXE)
    await expect(page.locator("#feed .empty")).to_be_visible()
    assert await serious(page) == [], "empty"
    desk.held.update((161, 164))
    desk.says[163] = httpx.Response(400, json=REFUSED)
    desk.says[164] = httpx.Response(500, json={"error": {"message": "broken " * 40}})
    card = await order(page, "a hill", 4, seed=161, size="16:9")
    await expect_slots(card, "waiting", "picture", "failed", "waiting")
    assert await serious(page) == [], "running"
    desk.held.clear()
    await expect(card).to_have_attribute("data-state", "partly")
    await expect_slots(card, "picture", "picture", "failed", "failed")
    assert await serious(page) == [], "partly failed"
    await card.locator("[data-act=prompt]").click()
    await card.locator("[data-act=usage] > summary").click()
    await card.locator("[data-act=code] > summary").click()
    await expect(card.locator("pre")).to_be_visible()
    assert await serious(page) == [], "unfolded"
    done = await order(page, "a valley", seed=165)
    await expect(done).to_have_attribute("data-state", "done")
    await expect_slots(done, "picture")
    assert await serious(page) == [], "done"
