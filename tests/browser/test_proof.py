"""The proof for the sceptic: what an edit left alone of a photo, as the server counts it, is told and looked at."""

import asyncio
import base64
import hashlib
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import BrowserContext, FloatRect, Locator, Page, Route, expect

from qwen_demo import images
from qwen_demo.api.client import QwenClient
from qwen_demo.images import Reference
from qwen_demo.library import Entry, Library
from qwen_demo.orders import Orders
from qwen_demo.recipe import Recipe
from qwen_demo.service import Service
from tests.browser.conftest import NewContext
from tests.browser.steps import cards, look, run_and_wait, said, tab, tiles, viewer
from tests.browser.test_viewer import AXE, serious, too_small
from tests.conftest import KEY, Backend, launched

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG_AGO = datetime(2025, 1, 2, 12)
EDIT = Recipe(kind="edit", prompt="a red hat", model="qwen-image-edit-plus", seed=2)
HEAVY = (2600, 2400)
"""Over 6 megapixels: the feed does with less."""
SAID = [
    "11,473,407 of 12,192,768 pixels are your photo's, bit for bit.",
    "31 % of what you did not paint was changed by the model too, and moved 12 px. None of it is in your picture.",
]
HINT = "Paint a little more and apply again, at no charge."


def png(colour: str, size: tuple[int, int] = (900, 600)) -> bytes:
    Image.new("RGB", size, colour).save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


def told(entry: Entry) -> dict[str, Any]:
    """A picture as the board has it."""
    width, height = entry.size
    return {"id": entry.id, "w": width, "h": height, "prompt": entry.recipe.prompt if entry.recipe else ""}


@dataclass
class Darkroom:
    """An app of its own and its visitor's browser, whose library has an edit of a part of a photo, and a plain one.

    Attributes:
        part: the edit of a part; what was sent, answered and differs is kept beside it.
        whole: the plain edit, which is the newer one.
        proofs: what the server counts, by the ids of pictures.
    """

    url: str
    library: Library
    context: BrowserContext
    page: Page
    part: Entry
    whole: Entry
    photo: Entry
    sent: Entry
    answered: Entry
    map: Entry
    proofs: dict[str, dict[str, Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def darkroom(new_context: NewContext, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Darkroom]:
    backend, heavy = Backend(), base64.b64encode(png("teal", HEAVY)).decode()

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [{"b64_json": heavy}], "usage": {}})

    backend.handle_async_request = answer  # type: ignore[method-assign]
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    service = Service(client, Orders(8), Library(tmp_path_factory.mktemp("darkroom")))
    with launched(service) as url:
        context = await new_context(locale="en-US")
        page = await context.new_page()
        await page.set_viewport_size({"width": 1400, "height": 900})
        await page.goto(url, wait_until="domcontentloaded")
        await page.locator("#text-run").wait_for()
        cookie = next(cookie for cookie in await context.cookies() if cookie["name"] == "qwen-image-demo")
        library = service.library(cookie["value"].partition(".")[0])
        yield await asyncio.to_thread(developed, url, library, context, page)
        await context.close()


def developed(url: str, library: Library, context: BrowserContext, page: Page) -> Darkroom:
    def bring(colour: str) -> Entry:
        data = png(colour)
        library.keep_reference(Reference(data, "image/png", (900, 600), "PNG", (900, 600), False))
        entry = library.reference(hashlib.sha256(data).hexdigest())
        assert entry
        return entry

    def put(number: int, colour: str, recipe: Recipe) -> Entry:
        picture = images.verify(png(colour))
        path = library.save(picture, replace(recipe, references=references), number, LONG_AGO)
        entry = library.entry_of(path)
        assert entry
        return entry

    photo, sent, answered, differs = map(bring, ("navy", "olive", "maroon", "black"))
    references = (photo.name.removeprefix("reference-"),)
    part, whole = put(1, "red", EDIT), put(2, "green", replace(EDIT, prompt="warmer"))
    proofs = {
        part.id: {
            "said": SAID,
            "hint": HINT,
            "photo": told(photo),
            "sent": told(sent),
            "answered": told(answered),
            "map": told(differs),
            "repaint": True,
        },
        whole.id: {"said": ["It moved 12 px."], "photo": told(photo), "align": True},
    }
    return Darkroom(url, library, context, page, part, whole, photo, sent, answered, differs, proofs)


@asynccontextmanager
async def counted(page: Page, darkroom: Darkroom) -> AsyncIterator[None]:
    """Have proofs be answered with those of the darkroom."""

    async def answer(route: Route) -> None:
        (id,) = parse_qs(urlsplit(route.request.url).query)["id"]
        await route.fulfill(json=darkroom.proofs.get(id, {}))

    await page.route("**/board/proof?*", answer)
    yield
    await page.unroute("**/board/proof?*")


@pytest_asyncio.fixture(loop_scope="session")
async def page(darkroom: Darkroom) -> AsyncIterator[Page]:
    """The page of most tests, without a viewer, where proofs are counted."""
    async with counted(darkroom.page, darkroom):
        yield darkroom.page
        await darkroom.page.evaluate("document.querySelector('#viewer[open] [data-act=close]')?.click()")


async def open_picture(page: Page, entry: Entry) -> Locator:
    """Open a picture from the library. Gives the viewer."""
    await page.locator("[role=tab][data-tab-id=history]").click()
    await page.locator(f'#library [data-act=open][data-picture="{entry.id}"]').click()
    return await viewer(page)


async def shows(page: Page, *wanted: Entry | str) -> None:
    """Wait until exactly these are on the stage, as they are: the pinned one first."""
    shown = page.locator("#viewer .pane img")
    for place, one in enumerate(wanted):
        file = re.compile(rf"/picture/{one if isinstance(one, str) else one.id}$")
        await expect(shown.nth(place)).to_have_attribute("src", file)
    await expect(shown).to_have_count(len(wanted))


async def strip(page: Page) -> list[str]:
    found: list[str] = await page.locator("#viewer .strip button").evaluate_all(
        "buttons => buttons.map((button) => button.dataset.id)"
    )
    return found


async def box(part: Locator) -> FloatRect:
    """Where it is, in px of the window."""
    found = await part.bounding_box()
    assert found
    return found


async def pressed(view: Locator) -> list[str]:
    """The looks that are on."""
    found: list[str] = await view.locator(".looks [aria-pressed=true]").evaluate_all(
        "looks => looks.map((look) => look.dataset.act)"
    )
    return found


async def filled(page: Page) -> Any:
    """What a form was last asked to be filled with, from now on without being filled."""
    return await page.evaluate(
        """async () => {
            const modules = performance.getEntriesByType("resource").map(({ name }) => name);
            const { page } = await import(modules.find((name) => name.endsWith("/shared.js")));
            page.fill = (what) => { window.filled = what; };
            return window.filled;
        }"""
    )


async def test_what_was_left_alone_is_told_in_sentences_and_looked_at_from_all_sides(
    page: Page, darkroom: Darkroom
) -> None:
    view = await open_picture(page, darkroom.part)
    proof = view.locator(".proof")
    await expect(proof.locator("h2")).to_have_text("Only the painted part")
    await expect(proof.locator("p")).to_have_text([*SAID, HINT])
    acts = proof.locator("button, a")
    await expect(acts).to_have_text(
        [
            *("Photo | Result", "Sent | Answered", "Map of every pixel that differs"),
            *("Adjust the paint", "Download what was answered"),
        ]
    )
    listed = await strip(page)
    await view.locator("[data-act=proof-photo]").click()
    await shows(page, darkroom.photo, darkroom.part)
    labels = view.locator(".pane .label")
    await expect(labels).to_have_text(["Photo", "Result"])
    assert await pressed(view) == ["proof-photo"]
    await view.locator("[data-act=proof-sent]").click()
    await shows(page, darkroom.sent, darkroom.answered)
    await expect(labels).to_have_text(["Sent", "Answered"])
    assert await pressed(view) == ["proof-sent"]
    assert await strip(page) == listed
    await expect(view.locator(".heard")).to_have_text("Sent | Answered")
    await view.locator("[data-act=proof-map]").click()
    await shows(page, darkroom.part, darkroom.map)
    await expect(labels).to_have_text(["Result", "What differs"])
    await expect(view.locator("[data-act=slider]")).to_have_attribute("aria-pressed", "true")
    await page.evaluate(AXE)
    assert await serious(page) == []
    await page.keyboard.press("Escape")
    await shows(page, darkroom.part)
    assert await pressed(view) == []
    await expect(view.locator("[data-act=compare]")).to_have_attribute("aria-pressed", "false")
    await page.keyboard.press("Escape")
    await expect(page.locator("#viewer[open]")).to_have_count(0)


async def test_keys_open_a_look_and_leafing_on_ends_it(page: Page, darkroom: Darkroom) -> None:
    view = await open_picture(page, darkroom.part)
    listed = await strip(page)
    await view.locator("[data-act=proof-sent]").focus()
    await page.keyboard.press("Enter")
    await shows(page, darkroom.sent, darkroom.answered)
    await page.keyboard.press("Enter")  # and once more ends it
    await shows(page, darkroom.part)
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowLeft")
    await shows(page, darkroom.whole)
    assert await strip(page) == listed == [darkroom.whole.id, darkroom.part.id]
    await page.keyboard.press("ArrowRight")
    await shows(page, darkroom.part)
    await view.locator("[data-act=proof-sent]").click()
    await page.keyboard.press("c")
    await shows(page, darkroom.part)
    await view.locator("[data-act=proof-photo]").click()
    await page.keyboard.press("ArrowLeft")  # beside the photo any other can be looked at
    await shows(page, darkroom.photo, darkroom.whole)
    await expect(view.locator(".pane .label")).to_have_text(["Pinned", "1"])
    await page.keyboard.press("Escape")
    await shows(page, darkroom.part)
    await view.locator("[data-act=proof-map]").click()
    await shows(page, darkroom.part, darkroom.map)
    await page.keyboard.press("c")
    await page.keyboard.press("c")
    await shows(page, darkroom.part, darkroom.whole)
    assert await strip(page) == listed


async def test_a_member_of_the_family_is_looked_at_beside_the_shown_one_whose_proof_stays(
    page: Page, darkroom: Darkroom
) -> None:
    view = await open_picture(page, darkroom.part)
    listed = await strip(page)
    await expect(view.locator(".family li")).to_have_text(["Photo", "a red hat", "warmer"])
    await expect(view.locator(".proof h2")).to_have_text("Only the painted part")
    rows = view.locator(".family li")
    await rows.nth(2).hover()
    await rows.nth(2).locator("[data-act=compare-with]").click()
    await shows(page, darkroom.whole, darkroom.part)
    await expect(view.locator(".pane .label")).to_have_text(["warmer", "a red hat"])
    await expect(view.locator(".proof h2")).to_have_text("Only the painted part")
    await view.locator("[data-act=proof-photo]").click()
    await shows(page, darkroom.photo, darkroom.part)
    await expect(rows.nth(2).locator("[data-act=compare-with]")).to_have_attribute("aria-pressed", "false")
    await rows.first.hover()
    await rows.first.locator("[data-act=compare-with]").click()  # that is it already
    await shows(page, darkroom.part)
    assert await strip(page) == listed
    edges = await rows.locator("[data-act=show]").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().right)"
    )
    assert set(edges) == {(await box(view.locator(".actions")))["x"] + (await box(view.locator(".actions")))["width"]}
    joints = await rows.evaluate_all(
        """rows => rows.map((row) => {
            const { top, height } = row.getBoundingClientRect(), joint = getComputedStyle(row, "::before");
            return joint.content === "none" ? null : Math.round(top + height / 2 - parseFloat(joint.height));
        })"""
    )
    photo = await box(rows.first.locator("img"))
    assert joints == [None, *[round(photo["y"] + photo["height"])] * 2]  # both come from it


async def test_the_paint_is_adjusted_and_the_answer_itself_downloaded(page: Page, darkroom: Darkroom) -> None:
    assert await filled(page) is None
    view = await open_picture(page, darkroom.part)
    async with page.expect_download() as download:
        await view.locator("[data-act=answered]").click()
    assert (await (await download.value).path()).read_bytes() == darkroom.answered.path.read_bytes()
    await view.locator("[data-act=repaint]").click()
    await expect(page.locator("#viewer[open]")).to_have_count(0)
    assert await filled(page) == {"act": "repaint", "id": darkroom.part.id}


async def test_a_plain_edit_is_aligned_to_the_photo_once_somebody_wants_that(
    page: Page, darkroom: Darkroom, logged: list[str]
) -> None:
    answers = [(400, {"detail": "It can't be aligned."}), (200, {"picture": told(darkroom.answered)})]
    asked: list[Any] = []
    working = asyncio.Event()

    async def align(route: Route) -> None:
        asked.append(route.request.post_data_json)
        await working.wait()
        status, body = answers[len(asked) - 1]
        await route.fulfill(status=status, json=body)

    view = await open_picture(page, darkroom.whole)
    proof = view.locator(".proof")
    await expect(proof.locator("h2")).to_have_text("Beside the photo")
    await expect(proof.locator("p")).to_have_text(["It moved 12 px."])
    await expect(proof.locator("button, a")).to_have_text(["Photo | Result", "Align to the photo"])
    await page.route("**/board/act", align)
    await view.locator("[data-act=align]").click()
    await expect(view.locator("[data-act=align]")).to_have_text("Aligning…")
    await expect(view.locator("[data-act=align]")).to_be_disabled()
    working.set()
    await said(page, "It can't be aligned.")
    await expect(view.locator("[data-act=align]")).to_have_text("Align to the photo")
    await shows(page, darkroom.whole)
    await view.locator("[data-act=align]").click()
    await shows(page, darkroom.answered)
    assert asked == [{"act": "align", "ids": [darkroom.whole.id]}] * 2
    assert await strip(page) == [darkroom.whole.id, darkroom.answered.id, darkroom.part.id]
    await expect(proof).to_be_hidden()
    await page.unroute("**/board/act")
    assert [told for told in logged if "400 (Bad Request)" in told] == logged
    logged.clear()


async def test_what_comes_late_is_told_of_its_own_picture_and_nothing_waits_for_it(
    page: Page, darkroom: Darkroom
) -> None:
    counted, asked = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        asked.set()
        await counted.wait()
        await route.fallback()

    await page.route(f"**/board/proof?id={darkroom.part.id}", late)
    view = await open_picture(page, darkroom.part)
    await asyncio.wait_for(asked.wait(), 30)
    await expect(view.locator(".family li")).to_have_count(3)
    await page.keyboard.press("ArrowLeft")
    await expect(view.locator(".proof h2")).to_have_text("Beside the photo")
    counted.set()
    await page.keyboard.press("ArrowRight")
    await expect(view.locator(".proof h2")).to_have_text("Only the painted part")
    await page.keyboard.press("ArrowLeft")
    await expect(view.locator(".proof h2")).to_have_text("Beside the photo")
    await page.unroute(f"**/board/proof?id={darkroom.part.id}")


async def test_a_picture_without_a_proof_has_no_room_for_one(page: Page, darkroom: Darkroom) -> None:
    proofs = dict(darkroom.proofs)
    darkroom.proofs.clear()
    view = await open_picture(page, darkroom.part)
    async with page.expect_response("**/board/proof?*"):
        await page.keyboard.press("ArrowLeft")
    await expect(view.locator("#viewer-recipe")).not_to_have_attribute("aria-busy", "true")
    await expect(view.locator(".proof")).to_be_hidden()
    darkroom.proofs.update(proofs)


async def test_on_a_phone_a_look_puts_the_sheet_away(darkroom: Darkroom, new_context: NewContext) -> None:
    context = await new_context(
        locale="zh-CN",
        color_scheme="dark",
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        storage_state=await darkroom.context.storage_state(),
    )
    page = await context.new_page()
    async with counted(page, darkroom):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "board/proof" in request.url else None)
        await page.goto(darkroom.url, wait_until="domcontentloaded")
        await page.locator("[role=tab][data-tab-id=history]").tap()
        await tiles(page).last.tap()
        await shows(page, darkroom.part)
        sheet = page.locator("#viewer-recipe")
        await expect(sheet).to_be_hidden()
        assert asked == []  # what nobody sees isn't counted
        await page.locator("#viewer [data-act=info]").tap()
        await expect(sheet.locator(".proof h2")).to_have_text("只改涂抹部分")
        for row in await sheet.locator(".family .acts:visible").all():
            await expect(row).to_have_css("opacity", "1")  # no finger hovers
        assert await too_small(page) == []
        await page.evaluate(AXE)
        assert await serious(page) == []
        await sheet.locator("[data-act=proof-map]").tap()
        await expect(sheet).to_be_hidden()
        await shows(page, darkroom.part, darkroom.map)
        await expect(page.locator("#viewer .pane .label")).to_have_text(["结果", "差异"])
        await page.locator("#viewer [data-act=info]").tap()
        await sheet.locator(".family li").first.locator("[data-act=compare-with]").tap()
        await expect(sheet).to_be_hidden()
        await shows(page, darkroom.photo, darkroom.part)
        labels = page.locator("#viewer .pane .label")
        await expect(labels).to_have_text(["照片", "a red hat"])
        await page.locator("#viewer [data-act=slider]").tap()
        modes = await box(page.locator("#viewer .modes"))
        for label in await labels.all():
            assert (await box(label))["y"] >= modes["y"] + modes["height"]
        await expect(page.locator("#viewer .modes")).to_have_css(
            "background-color", "rgb(23, 23, 27)"
        )  # no line through it
    await context.close()


async def test_of_a_heavy_picture_the_feed_loads_a_light_one_and_the_viewer_the_file_after_its_preview(
    darkroom: Darkroom,
) -> None:
    page = darkroom.page
    await tab(page, "Text to image")
    await page.locator("#text-prompt textarea").fill("a lagoon")
    await run_and_wait(page, "text")
    tile = cards(page).first.locator(".slot img")
    await expect(tile).to_have_attribute("src", re.compile(r"\?w=3072$"))
    id = await cards(page).first.locator("[data-act=open]").get_attribute("data-picture") or ""
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await page.route(f"**/picture/{id}", hold)
    view = await look(page, cards(page).first)
    shown = view.locator(".pane img")
    await expect(shown).to_have_attribute("src", re.compile(r"\?w=512$"))
    await page.wait_for_function("document.querySelector('#viewer .pane img').naturalWidth === 512")
    released.set()
    await shows(page, id)
    assert await shown.evaluate("image => [image.naturalWidth, image.naturalHeight]") == list(HEAVY)
    await page.keyboard.press("Escape")
    await page.unroute(f"**/picture/{id}")


async def test_nothing_is_loaded_twice_and_a_heavy_neighbour_only_once_it_is_looked_at(darkroom: Darkroom) -> None:
    page = await darkroom.context.new_page()  # without a route, which would take the cache away
    await page.goto(darkroom.url, wait_until="domcontentloaded")
    sent: list[str] = []

    def answered(told: dict[str, Any]) -> None:
        if "/picture/" in told["response"]["url"] and not told["response"]["fromDiskCache"]:
            sent.append(told["response"]["url"])

    devtools = await darkroom.context.new_cdp_session(page)  # Playwright doesn't say what comes from the cache
    devtools.on("Network.responseReceived", answered)
    await devtools.send("Network.enable")
    await devtools.send("Network.clearBrowserCache")  # pages before have filled it
    await page.locator("[role=tab][data-tab-id=history]").click()
    await expect(tiles(page)).to_have_count(3)
    await tiles(page).nth(1).click()
    await shows(page, darkroom.whole)
    heavy = await page.locator("#viewer .strip button").first.get_attribute("data-id") or ""
    assert f"{darkroom.url}/picture/{heavy}" not in sent
    await page.keyboard.press("ArrowLeft")
    await shows(page, heavy)
    await page.keyboard.press("c")
    await shows(page, heavy, darkroom.whole)
    await page.keyboard.press("c")
    await shows(page, darkroom.whole)
    await page.keyboard.press("ArrowLeft")
    await shows(page, heavy)
    assert f"{darkroom.url}/picture/{heavy}" in sent
    assert sorted(sent) == sorted(set(sent))
    await page.close()
