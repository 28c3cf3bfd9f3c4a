"""A language is one file: put beside the others, it is offered and spoken everywhere on the page."""

import json
import re
import shutil
from collections.abc import Iterator
from functools import cache

import httpx
import pytest
from playwright.async_api import Page, expect

from qwen_demo import i18n
from qwen_demo.api.catalog import PROVIDER
from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.ui import fusion, parts
from tests.browser.conftest import PHOTOS, NewContext
from tests.browser.steps import fill_number, run, run_and_wait, said, select, tiles, upload, viewer
from tests.conftest import KEY, Backend, RunningApp, launched

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABS = ("text", "edit", "fusion")
UNTRANSLATED = {
    "the app's name": "Qwen Image Demo",
    "languages, each in its own": "EN|中文|Px",
    "models": "|".join(map(re.escape, sorted((row.name for row in PROVIDER.models), key=len, reverse=True))),
    "the engine and its API, at the foot": r"model-api\.skyengine\.com\.cn · gateway",
    "file formats": "PNG",
    "the forms of code": "JSON|curl|Python|OpenAI",
    "request ids": r"[0-9a-f]{32}",
    "Gradio's own words, English where it doesn't know the language": "Drop File Here|Click to Upload|- or -",
    "Gradio's names for those who don't see its parts": "Drop an image file here to upload|Click to upload or drop"
    " files|Upload file|Paste from clipboard|Remove Image|number input for|range slider for",
    "keys, as they stand on keyboards": r"\((Esc|[A-Z0-9+−])\)",
    "what is written in the search field as it stands there": "model:|seed:|before:",
}
"""What may stand on the page in no language of its own, with the reason."""


def bracketed(text: str) -> str:
    """Every run of words in brackets; tags stay as they are."""
    parts = re.split(r"(<[^>]*>)", text)
    return "".join(part if part.startswith("<") or not part.strip() else f"[{part}]" for part in parts)


@pytest.fixture(scope="module")
def pseudo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """The app with one more language, made of English in brackets."""
    folder = tmp_path_factory.mktemp("languages")
    locales = shutil.copytree(i18n.FOLDER, folder / "locales")
    english: dict[str, str] = json.loads((locales / "en.json").read_text(encoding="utf-8"))
    words = {key: bracketed(text) for key, text in english.items()}
    words |= {"language_name": "Px", "browser_codes": "eo"}
    (locales / "en-XA.json").write_text(json.dumps(words), encoding="utf-8")
    caches = (i18n.texts, i18n.browser_codes, fusion._names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(i18n, "FOLDER", locales)
        patch.setattr(i18n, "LANGUAGES", (*i18n.LANGUAGES, "en-XA"))
        for kept in caches:
            kept.cache_clear()
        for name in ("_files", "_version"):  # the other app's stay as they are
            patch.setattr(parts, name, cache(getattr(parts, name).__wrapped__))
        backend = Backend()
        client = QwenClient(KEY, "http://offline/v1", transport=backend)
        with launched(Service(client, Orders(8), Library(folder / "outputs"))) as url:
            yield RunningApp(url, backend)
    for kept in caches:
        kept.cache_clear()


async def shown(page: Page) -> list[str]:
    """All texts in sight, and what a reader of screens is told of the parts in sight."""
    texts: list[str] = await page.evaluate(
        """() => {
            const told = [];
            for (const part of document.body.querySelectorAll(":not(pre, pre *)")) {  // code is code
                if (["SCRIPT", "STYLE"].includes(part.tagName) || !part.checkVisibility()) continue;
                for (const name of ["placeholder", "title", "alt", "aria-label"]) told.push(part.getAttribute(name));
                for (const node of part.childNodes) if (node.nodeType === Node.TEXT_NODE) told.push(node.data);
            }
            return [...new Set(told)].filter(Boolean);
        }"""
    )
    return texts


def foreign(text: str) -> bool:
    """Whether letters stand outside of brackets, and are none that may."""
    while (inner := re.sub(r"\[[^][]*\]", "", text)) != text:
        text = inner
    for known in UNTRANSLATED.values():
        text = re.sub(known, "", text)
    return bool(re.search(r"[^\W\d_]", text))


async def test_a_language_is_one_file(new_context: NewContext, pseudo: RunningApp) -> None:
    context = await new_context(locale="eo", viewport={"width": 1400, "height": 900})
    page = await context.new_page()
    await page.goto(pseudo.url, wait_until="domcontentloaded")
    await expect(page.get_by_role("button", name="Px", exact=True)).to_be_visible()
    found: dict[str, list[str]] = {}

    async def look(where: str) -> None:
        found[where] = [text for text in await shown(page) if foreign(text)]

    for tab in TABS:
        await page.get_by_role("tab", name=i18n.texts("en-XA")[f"tab_{tab}"]).click()
        await look(tab)
        await page.locator(f"#{tab}-run").click()
        await expect(page.locator(f"#{tab}-status [role=alert]")).to_be_visible()
        await look(f"{tab} with an error")
    for number in (1, 2):
        await upload(page, f"fusion-image-{number}", PHOTOS / "coffee.png")
    await page.locator("#fusion-name-1").click()
    await expect(page.locator("#fusion-check")).to_contain_text("[image 2]")
    await page.locator("#fusion-ideas > button").click()
    await look("fusion with a note")
    pseudo.backend.open.clear()
    await fill_number(page, "fusion-count", 2)
    card = await run(page, "fusion")
    await expect(card.locator(".state")).to_contain_text("[0 of 2]")
    await look("fusion under way")
    await card.locator("[data-act=stop]").click()
    await expect(card.locator(".state")).to_contain_text("[Stopped")
    pseudo.backend.open.set()
    await expect(card).to_have_attribute("data-state", "done")
    await expect(card.locator(".slot img")).to_have_count(2)
    await card.locator("[data-act=code] > summary").click()
    await card.locator("[data-act=usage] > summary").click()
    await expect(card.locator("[data-act=code] pre")).to_be_visible()
    await look("fusion with results")
    pseudo.backend.refusal = lambda _: httpx.Response(400, json={"code": "DataInspectionFailed"})
    await run_and_wait(page, "fusion", "failed")
    await look("fusion with a failed order")
    await page.get_by_role("tab", name=i18n.texts("en-XA")["tab_history"]).click()
    await expect(tiles(page)).to_have_count(2)
    await look("history")
    await select(page, 0, 1)
    await look("history with a selection")
    await page.locator("#library [data-act=compare]").click()
    await viewer(page)
    await look("two pictures compared")
    await page.keyboard.press("Delete")
    await said(page, "[1 deleted]")
    await look("the viewer with a notice")
    await page.keyboard.press("Escape")
    await page.locator("#library [data-act=search]").fill("no such words")
    await expect(page.locator("#library .told")).to_contain_text("[Nothing found")
    await look("nothing found")
    assert {where: texts for where, texts in found.items() if texts} == {}
    assert await page.evaluate("document.documentElement.lang") == "en-XA"
    await context.close()


async def test_an_unknown_languages_page_is_left_by_the_switch(new_context: NewContext, pseudo: RunningApp) -> None:
    context = await new_context(locale="eo")
    page = await context.new_page()
    await page.goto(pseudo.url, wait_until="domcontentloaded")
    bold = "button => getComputedStyle(button).fontWeight"
    for name, label in (("EN", "Generate"), ("中文", "生成"), ("Px", "[Generate]")):
        async with page.expect_navigation():
            await page.get_by_role("button", name=name, exact=True).click()
        await expect(page.locator("#text-run")).to_have_text(label)
        weights = [await button.evaluate(bold) for button in await page.locator("[id^=language-]").all()]
        assert sorted(weights) == ["400", "400", "600"]
        assert await page.get_by_role("button", name=name, exact=True).evaluate(bold) == "600"
    await context.close()
