"""A size is a row of the catalog, and a model's sizes are its own: the page offers what the chosen model has."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from qwen_demo.api import catalog
from qwen_demo.api.catalog import Model, Size
from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from tests.browser.conftest import PHOTOS, NewContext, Open
from tests.browser.steps import run_and_wait, tab, upload
from tests.conftest import KEY, Backend, RunningApp, launched, with_models

pytestmark = pytest.mark.asyncio(loop_scope="session")

OWN = (Size(2048, 2048, "1:1"), Size(3072, 768, "4:1"))
ROWS = (
    Model("text-free", ("generations",), sizes=()),
    Model("text-own", ("generations",), sizes=OWN),
    Model("edit-free", ("edits",), sizes=()),
    Model("edit-own", ("edits",), sizes=OWN),
)
USUAL = [size.name for size in catalog.SIZES]
TABS = pytest.mark.parametrize(
    ("prefix", "label", "models", "auto", "default"),
    [
        ("text", "Text to image", "text", [], catalog.DEFAULT_SIZE),
        ("edit", "Edit", "edit", ["auto"], "auto"),
        ("fusion", "Fuse", "edit", ["auto"], "auto"),
    ],
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """The app with models that take no size, or sizes of their own."""
    engine = with_models(*ROWS)
    backend = Backend(engine.catalog)
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    with launched(Service(client, Orders(8), Library(tmp_path_factory.mktemp("shop")), engine=engine)) as url:
        yield RunningApp(url, backend)


async def choose(page: Page, prefix: str, model: str) -> None:
    await page.locator(f"#{prefix}-model input").click()
    await page.get_by_role("option", name=model, exact=True).click()


async def offered(page: Page, prefix: str, sizes: list[str], chosen: str) -> None:
    """These sizes and no others are there, and this one is chosen."""
    radios = page.locator(f"#{prefix}-size input")
    await expect(radios).to_have_count(len(sizes))
    await expect(page.locator(f"#{prefix}-size input:checked")).to_have_attribute("value", chosen)
    assert [await radio.get_attribute("value") for radio in await radios.all()] == sizes


async def ordered(page: Page, prefix: str, shop: RunningApp) -> dict[str, Any]:
    """What an order of this tab asks the API for."""
    shop.orders.clear()
    await run_and_wait(page, prefix)
    (order,) = shop.orders
    return order


@TABS
async def test_the_sizes_are_the_models(
    new_context: NewContext, shop: RunningApp, prefix: str, label: str, models: str, auto: list[str], default: str
) -> None:
    context = await new_context(locale="en-US", viewport={"width": 1400, "height": 900})
    page = await context.new_page()
    await page.goto(shop.url, wait_until="domcontentloaded")
    await tab(page, label)
    for number in range(1, {"text": 0, "edit": 1, "fusion": 2}[prefix] + 1):
        slot = "edit-image" if prefix == "edit" else f"fusion-image-{number}"
        await upload(page, slot, PHOTOS / "coffee.png")
    await page.locator(f"#{prefix}-prompt textarea").fill("a hill")
    await offered(page, prefix, [*auto, *USUAL], default)
    own = [size.name for size in OWN]
    await choose(page, prefix, f"{models}-own")
    await offered(page, prefix, [*auto, *own], auto[0] if auto else own[0])
    await page.locator(f"#{prefix}-size").get_by_role("radio", name="4:1").check()
    assert (await ordered(page, prefix, shop))["size"] == "3072x768"
    await choose(page, prefix, f"{models}-free")
    await offered(page, prefix, ["auto"], "auto")
    await expect(page.locator(f"#{prefix}-size")).to_contain_text("Auto")
    assert "size" not in await ordered(page, prefix, shop)
    await choose(page, prefix, catalog.PROVIDER.doing("edit" if auto else "text_to_image")[0].name)
    await offered(page, prefix, [*auto, *USUAL], default)
    await context.close()


@TABS
async def test_a_link_brings_a_models_own_size(
    new_context: NewContext, shop: RunningApp, prefix: str, label: str, models: str, auto: list[str], default: str
) -> None:
    context = await new_context(locale="en-US")
    page = await context.new_page()
    own = [size.name for size in OWN]
    link = f"{shop.url}/?tab={prefix}&model={models}-own&prompt=a"
    await page.goto(f"{link}&size=3072x768", wait_until="domcontentloaded")
    await offered(page, prefix, [*auto, *own], "3072x768")
    # One that this model doesn't have is left out by name.
    await page.goto(f"{link}&size=928x1664", wait_until="domcontentloaded")
    await expect(page.get_by_text("Left out of the link, for its value can't be used: Size.")).to_be_visible()
    await offered(page, prefix, [*auto, *own], auto[0] if auto else own[0])
    await context.close()


async def test_glyphs_have_the_shapes_of_the_sizes(new_context: NewContext, shop: RunningApp) -> None:
    context = await new_context(locale="en-US")
    page = await context.new_page()
    await page.goto(f"{shop.url}/?tab=edit&model=edit-own&prompt=a", wait_until="domcontentloaded")
    await offered(page, "edit", ["auto", *(size.name for size in OWN)], "auto")
    drawn = """label => {
        const { width, height, borderTopStyle } = getComputedStyle(label, "::before");
        return [width, height, borderTopStyle];
    }"""
    glyphs = [await label.evaluate(drawn) for label in await page.locator("#edit-size label").all()]
    assert glyphs == [["26px", "16px", "solid"], ["26px", "26px", "solid"], ["34px", "8px", "solid"]]
    await context.close()


async def test_the_usual_glyphs(open_page: Open) -> None:
    page = await open_page()
    drawn = "label => { const s = getComputedStyle(label, '::before'); return s.width + ' ' + s.height; }"
    glyphs = [await label.evaluate(drawn) for label in await page.locator("#text-size label").all()]
    assert glyphs == ["34px 19px", "30px 23px", "26px 26px", "23px 30px", "19px 34px"]
