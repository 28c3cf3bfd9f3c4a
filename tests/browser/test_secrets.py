"""The key stays where it belongs, whatever the page is used for and whoever repeats it."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.async_api import Page, Response, expect

from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.quota import Quota
from qwen_demo.service import Service
from tests.browser.conftest import NewContext, Open
from tests.browser.steps import fill_number, recipe, run_and_wait, tab, tiles, viewer
from tests.conftest import KEY, Backend, RunningApp, launched

STREAMS = re.compile("/queue/data|/heartbeat/|/board/orders$")  # they have no end to wait for
pytestmark = pytest.mark.asyncio(loop_scope="session")


async def orders_told(page: Page) -> str:
    """What the feed is told of all orders: the same as in its stream."""
    answer = await page.request.get(f"{page.url.partition('?')[0]}board/orders?once=1")
    return await answer.text()


async def test_the_key_is_nowhere_in_the_browser(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    answers: list[Response] = []
    page.on("response", lambda response: answers.append(response))
    await page.locator("#text-prompt textarea").fill("a hill")
    await run_and_wait(page, "text")
    app.backend.refusal = lambda request: httpx.Response(400, json={"message": request.headers["authorization"]})
    card = await run_and_wait(page, "text", "failed")
    await expect(card.locator(".said")).to_contain_text("Bearer …")
    await card.locator("[data-act=code] > summary").click()
    await expect(card.locator("[data-act=code] pre")).to_be_visible()
    await tab(page, "History")
    await tiles(page).first.locator("[data-act=open]").click()
    await viewer(page)
    stored = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "qwen-image-demo-draft-text" in stored
    texts = [await page.content(), stored, str(await page.context.cookies()), await orders_told(page)]
    assert "Bearer …" in texts[-1]
    for answer in answers:
        texts.append(f"{answer.url} {await answer.all_headers()}")
        if not STREAMS.search(answer.url):
            texts.append((await answer.body()).decode("latin-1"))
    assert len(texts) > 10
    assert [text[:200] for text in texts if KEY in text] == []


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """An app without a key of its owner, where visitors bring theirs, with a quota on the owner's side."""
    backend = Backend()
    drawing, keyed = (QwenClient(key, "http://offline/v1", transport=backend) for key in ("offline", ""))
    library = Library(tmp_path_factory.mktemp("shared"))
    service = Service(drawing, Orders(8), library, quota=Quota("1/day", ""), keyed=keyed, public=True)
    with launched(service, QWEN_DEMO_PUBLIC="1") as url:
        yield RunningApp(url, backend)


async def test_an_own_key_is_used_masked_and_forgotten(
    new_context: NewContext, shared: RunningApp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = "sk-visitors-own-98761234"
    sent: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"])
        return httpx.Response(400, json={"message": f"no {sent[-1]}"})

    shared.backend.refusal = refuse
    context = await new_context(locale="en-US", viewport={"width": 1400, "height": 900})
    page = await context.new_page()
    answers: list[Response] = []
    page.on("response", lambda response: answers.append(response))
    await page.goto(shared.url)
    await expect(page.locator("#text-left")).to_contain_text("1")
    await page.locator("#own-key button").first.click()
    await expect(page.locator("#own-key-field input")).to_have_attribute("type", "password")
    await page.locator("#own-key-field input").fill(own)
    await page.locator("#own-key-use").click()
    await expect(page.locator("#own-key button").first).to_contain_text("sk-…1234")
    await expect(page.locator("#notice")).to_be_hidden()  # it says that there is no key
    await expect(page.locator("#own-key-field input")).to_have_value("")
    await page.screenshot(path=tmp_path / "own-key.png")
    await page.locator("#text-prompt textarea").fill("a hill")
    card = await run_and_wait(page, "text", "failed")
    await expect(card.locator(".said")).to_contain_text("Bearer …")
    assert sent == [f"Bearer {own}"]
    shared.backend.refusal = None
    await run_and_wait(page, "text")
    await expect(page.locator("#text-left")).to_have_text("")  # it isn't counted
    texts = [
        await page.content(),
        await orders_told(page),
        await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"),
        str(await context.cookies()),
        caplog.text,
        *[(await answer.body()).decode("latin-1") for answer in answers if not STREAMS.search(answer.url)],
        *[path.read_bytes().decode("latin-1") for path in tmp_path.parent.rglob("*") if path.is_file()],
    ]
    assert [text[:200] for text in texts if own in text] == []
    await page.reload()
    await expect(page.locator("#own-key button").first).to_contain_text("sk-…1234")
    await page.locator("#own-key button").first.click()
    await page.locator("#own-key-forget").click()
    await expect(page.locator("#own-key button").first).not_to_contain_text("sk-…1234")
    await expect(page.locator("#notice")).to_be_visible()
    await page.locator("#text-prompt textarea").fill("a hill")
    await run_and_wait(page, "text")
    await expect(page.locator("#text-left")).to_contain_text("0")
    await page.locator("#text-run").click()
    await expect(page.locator("#text-status [role=alert]")).to_contain_text("used up")
    await context.close()


async def test_a_prompt_full_of_html_is_shown_and_never_run(open_page: Open, app: RunningApp) -> None:
    nasty = '</script><img src=x onerror="window.hacked=1"><svg onload="window.hacked=1">[x](javascript:alert(1))'
    page = await open_page()
    await page.locator("#text-prompt textarea").fill(nasty)
    await page.locator("#text-negative textarea").fill(nasty)
    await fill_number(page, "text-count", 2)
    await run_and_wait(page, "text")
    app.backend.refusal = lambda _: httpx.Response(400, json={"message": nasty})
    card = await run_and_wait(page, "text", "failed")
    await expect(card.locator("[data-act=prompt]")).to_have_text(nasty)
    await expect(card.locator(".said")).to_contain_text("<img src=x")
    await expect(card.locator(".slot p").first).to_contain_text("<img src=x")
    await card.locator("[data-act=code] > summary").click()
    await expect(card.locator("[data-act=code] pre")).to_contain_text("onerror")
    await tab(page, "History")
    await tiles(page).first.locator("[data-act=open]").click()
    shown = await viewer(page)
    await expect(shown.locator(".prompt").first).to_have_text(nasty)
    assert (await recipe(shown))["Negative prompt"] == nasty
    await shown.locator("[data-act=settings]").click()
    await expect(page.locator("#text-negative textarea")).to_have_value(nasty)
    page = await page.context.new_page()
    await page.goto(f"{app.url}/?prompt={quote(nasty)}&model={quote(nasty)}&tab={quote(nasty)}")
    await expect(page.locator("#text-prompt textarea")).to_have_value(nasty)
    await page.locator("#text-ideas > button").click()
    await page.locator("#text-recent input").click()
    await expect(page.get_by_role("option").first).to_contain_text("<img src=x")
    assert await page.evaluate("window.hacked") is None
    assert await page.locator("img[src=x]").count() == 0
