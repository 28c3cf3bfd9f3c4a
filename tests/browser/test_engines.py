"""The page over each kind of API: all three tabs, the controls that its models have, no others, and a picture."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from playwright.async_api import Locator, Page, expect

from qwen_demo.api.catalog import Catalog
from qwen_demo.api.client import QwenClient
from qwen_demo.api.dialects import DIALECTS
from qwen_demo.api.engine import Engine, find
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from tests.browser.conftest import PHOTOS, NewContext
from tests.browser.steps import picture_sizes, run_and_wait, tab, upload
from tests.conftest import KEY, Backend, RunningApp, launched

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABS = (("Text to image", "text"), ("Edit", "edit"), ("Fuse", "fusion"))


def engine_of(name: str, backend: Backend) -> Engine:
    """The offline backend, spoken to in that dialect."""
    address = DIALECTS[name].at("http://offline" if name == "dashscope" else "http://offline/v1")
    return asyncio.run(find(address, KEY, DIALECTS[name], transport=backend))


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunningApp]]:
    """The page over an engine of one's own and over the maker's API, with hosts for visitors' keys; and over an engine
    that only draws."""
    own, maker = Backend(), Backend()
    engine = engine_of("openai", own)
    drawing = replace(engine, catalog=Catalog(engine.catalog.doing("text_to_image")), title="vLLM-Omni")
    studio = engine_of("dashscope", maker)

    def service(engine: Engine, backend: Backend, **more: Any) -> Service:
        client = QwenClient(KEY, engine.base_url, engine.dialect, billed=engine.billed, transport=backend)
        return Service(client, Orders(8), Library(tmp_path_factory.mktemp("engine")), engine=engine, **more)

    keyed = QwenClient("", studio.base_url, studio.dialect, transport=maker)
    other_hosts = {"dashscope-intl.aliyuncs.com": keyed}
    with (
        launched(service(engine, own)) as ours,
        launched(service(studio, maker, keyed=keyed, other_hosts=other_hosts)) as theirs,
        launched(service(drawing, Backend())) as drawn,
    ):
        urls = {"openai": (ours, own), "dashscope": (theirs, maker), "drawing": (drawn, own)}
        yield {name: RunningApp(*parts) for name, parts in urls.items()}


async def opened(new_context: NewContext, app: RunningApp, width: int = 1400, locale: str = "en-US") -> Page:
    app.orders.clear()
    context = await new_context(locale=locale, viewport={"width": width, "height": 900})
    page = await context.new_page()
    await page.goto(app.url, wait_until="domcontentloaded")
    return page


async def fill(page: Page, label: str, prefix: str, pictures: int = 2) -> None:
    await tab(page, label)
    if prefix == "edit":
        await upload(page, "edit-image", PHOTOS / "coffee.png")
    if prefix == "fusion":
        for number in range(1, pictures + 1):
            await upload(page, f"fusion-image-{number}", PHOTOS / ("coffee.png", "chelsea.png")[number % 2])
    await page.locator(f"#{prefix}-prompt textarea").fill("a hill, 翻转")


def control(page: Page, prefix: str, name: str) -> Locator:
    return page.locator(f"#{prefix}-{name}")


@pytest.mark.parametrize(
    ("api", "has", "lacks"),
    [
        ("openai", ["steps", "guidance", "seed", "negative"], ["watermark", "optimize", "format"]),
        ("dashscope", ["watermark", "optimize", "seed", "negative"], ["steps", "guidance", "format"]),
    ],
)
async def test_all_three_tabs_bring_a_picture_with_the_controls_that_there_are(
    new_context: NewContext, apps: dict[str, RunningApp], api: str, has: list[str], lacks: list[str]
) -> None:
    page = await opened(new_context, apps[api])
    for label, prefix in TABS:
        await fill(page, label, prefix)
        if "steps" in has:
            await open_advanced(page)
        for name in has:
            await expect(control(page, prefix, name)).to_be_visible()
        for name in lacks:
            await expect(control(page, prefix, name)).to_be_hidden()
        card = await run_and_wait(page, prefix)
        assert len(await picture_sizes(card)) == 1
    assert len(apps[api].orders) == 3
    await page.context.close()


async def test_steps_guidance_and_a_size_by_hand_are_sent_and_told(
    new_context: NewContext, apps: dict[str, RunningApp]
) -> None:
    page = await opened(new_context, apps["openai"])
    await fill(page, "Text to image", "text")
    await expect(page.locator("#text-free-size")).to_be_hidden()
    await page.locator("#text-size").get_by_role("radio", name="W × H").check()
    field = page.locator("#text-free-size input")
    await field.fill("1000 × 700")
    await field.blur()
    await expect(page.locator("#text-free-size")).to_contain_text("Made at 992×688: sides are multiples of 16.")
    await open_advanced(page)
    await page.locator("#text-steps input").fill("12")
    await page.locator("#text-guidance input").fill("2,5")
    card = await run_and_wait(page, "text")
    (order,) = apps["openai"].orders
    assert (order["size"], order["num_inference_steps"], order["true_cfg_scale"]) == ("992x688", 12, 2.5)
    assert await picture_sizes(card) == [(992, 688)]
    # All of it is there again after a reload, and in "Use again".
    await page.reload(wait_until="domcontentloaded")
    await expect(field).to_have_value("1000 × 700")
    await open_advanced(page)
    await expect(page.locator("#text-steps input")).to_have_value("12")
    await page.locator("#text-size").get_by_role("radio", name="1:1").check()
    await page.locator("#feed [data-act=again]").first.click()
    await expect(page.locator("#text-size input:checked")).to_have_attribute("value", "free")
    await expect(field).to_have_value("992x688")
    await field.fill("9 × 9")
    await run_refused(page, "Write width × height in pixels")
    await field.fill("800x800")
    await page.locator("#text-steps input").fill("many")
    await run_refused(page, "Steps: 'many' doesn't work. Choose a whole number from 1 to 200.")
    assert len(apps["openai"].orders) == 1
    await page.context.close()


async def open_advanced(page: Page) -> None:
    await page.get_by_role("button", name="Advanced").locator("visible=true").click()


async def run_refused(page: Page, words: str) -> None:
    await page.locator("#text-run").click()
    await expect(page.locator("#text-status")).to_contain_text(words)


async def test_a_model_that_takes_four_pictures_has_four_places(
    new_context: NewContext, apps: dict[str, RunningApp]
) -> None:
    page = await opened(new_context, apps["openai"])
    await fill(page, "Fuse", "fusion", pictures=4)
    await page.locator("#fusion-prompt textarea").fill("图4 on 图1, 图2, 图3")
    await page.locator("#fusion-swap-3").click()
    await expect(page.locator("#fusion-prompt textarea")).to_have_value("图3 on 图1, 图2, 图4")
    await run_and_wait(page, "fusion")
    (order,) = apps["openai"].orders
    assert order["form"].count(b'name="image[]"') == 4
    await page.context.close()


async def test_a_tab_that_no_model_can_do_says_so(new_context: NewContext, apps: dict[str, RunningApp]) -> None:
    page = await opened(new_context, apps["drawing"])
    await tab(page, "Edit")
    await expect(page.get_by_text("The model that is served here edits no pictures.")).to_be_visible()
    await expect(page.locator("#edit-run")).to_be_hidden()
    await tab(page, "Fuse")
    await expect(page.get_by_text("takes no two pictures at once")).to_be_visible()
    await tab(page, "Text to image")
    await expect(page.locator("#text-run")).to_be_visible()
    # What would lead there isn't offered, or says why it can't be.
    assert await page.locator("#feed [data-act=example]").count() == 2
    await fill(page, "Text to image", "text")
    card = await run_and_wait(page, "text")
    await card.locator("[data-act=open]").click()
    await page.locator("#viewer[open] [data-act=edit]").click()
    await expect(page.get_by_text("The model that is served here edits no pictures.").last).to_be_visible()
    await expect(page.get_by_text("The picture is in the Edit tab now.")).to_be_hidden()
    await page.keyboard.press("Escape")
    await expect(page.locator("#engine")).to_contain_text("vLLM-Omni · offline · openai")
    await page.context.close()


async def test_a_free_engine_speaks_of_no_money(new_context: NewContext, apps: dict[str, RunningApp]) -> None:
    app = apps["openai"]
    page = await opened(new_context, app)
    await fill(page, "Text to image", "text")
    error = {"error": {"message": "CUDA out of memory", "type": "x", "param": None, "code": 500}}
    app.backend.refusal = lambda _: httpx.Response(500, json=error)
    try:
        card = await run_and_wait(page, "text", "failed")
    finally:
        app.backend.refusal = None
    await expect(card).to_contain_text("The engine ran out of memory.")
    await expect(card).not_to_contain_text(re.compile("billed|paid", re.IGNORECASE))
    await expect(card.locator("[data-act=order-again]")).to_be_visible()
    await page.context.close()


async def test_a_models_limits_follow_the_choice_and_so_does_the_count(
    new_context: NewContext, apps: dict[str, RunningApp]
) -> None:
    page = await opened(new_context, apps["dashscope"])
    await fill(page, "Text to image", "text")
    prompt = page.locator("#text-prompt")
    await prompt.locator("textarea").fill("a cat 猫")
    await page.locator("#text-size").get_by_role("radio", name="9:16").check()
    await page.locator("#text-negative textarea").fill("blur")
    await expect(prompt).to_have_attribute("data-count", "7/800")
    await page.locator("#text-model input").click()
    await page.get_by_role("option", name="qwen-image-2.0", exact=True).click()
    await expect(prompt).to_have_attribute("data-count", "3/1300")  # 猫 and six letters
    await expect(page.locator("#text-size").get_by_role("radio", name="W × H")).to_be_visible()
    await page.locator("#text-model input").click()
    await page.get_by_role("option", name="z-image-turbo", exact=True).click()
    await expect(page.locator("#text-optimize input")).not_to_be_checked()  # costs more there
    await expect(page.locator("#text-watermark input")).to_be_disabled()
    await expect(page.locator("#text-negative textarea")).to_be_disabled()
    # What was written there before is no reason to refuse the order, and the shape stays.
    await expect(page.locator("#text-size input:checked")).to_have_attribute("value", "768x1376")
    await run_and_wait(page, "text")
    (order,) = apps["dashscope"].orders
    assert order["parameters"].keys() == {"size", "n", "seed", "prompt_extend"}
    await page.context.close()


async def test_a_visitors_key_comes_with_a_host_of_the_owners_list(
    new_context: NewContext, apps: dict[str, RunningApp]
) -> None:
    page = await opened(new_context, apps["dashscope"])
    await page.locator("#own-key > button").click()
    await page.locator("#own-key-host input").click()
    await page.get_by_role("option", name="dashscope-intl.aliyuncs.com").click()
    await page.locator("#own-key-field input").fill("sk-own-0123456789abcdef")
    await page.locator("#own-key-use").click()
    await expect(page.locator("#own-key")).to_contain_text("sk-…cdef")
    await fill(page, "Text to image", "text")
    await run_and_wait(page, "text")
    await page.context.close()


async def test_the_code_is_in_what_people_use_there(new_context: NewContext, apps: dict[str, RunningApp]) -> None:
    for api, package in (("openai", "OpenAI"), ("dashscope", "DashScope")):
        page = await opened(new_context, apps[api])
        await fill(page, "Edit", "edit")
        card = await run_and_wait(page, "edit")
        await card.locator("[data-act=code] > summary").click()
        forms = card.locator("[data-act=code] [role=radio]")
        await expect(forms).to_have_text(["JSON", "curl", "Python", package])
        await forms.last.click()
        call = {"openai": "client.images.edit(", "dashscope": "MultiModalConversation.call("}[api]
        await expect(card.locator("[data-act=code] pre")).to_contain_text(call)
        await page.context.close()


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
async def test_nothing_is_cut_off_on_a_phone(new_context: NewContext, apps: dict[str, RunningApp], locale: str) -> None:
    page = await opened(new_context, apps["openai"], width=390, locale=locale)
    await page.locator("#text-size input[value=free]").check()
    for number in range(3):
        await page.get_by_role("tab").nth(number).click()
        wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, number
    await page.context.close()
