"""The form asks in several ways: what the prompt stands for, other models and sizes, a second press for many."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from qwen_demo.api.client import QwenClient
from qwen_demo.i18n import listed, translate
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.quota import Quota
from qwen_demo.service import Service
from tests.browser.conftest import NewContext, Open
from tests.browser.steps import cards, outside, run, run_and_wait, said
from tests.conftest import KEY, Backend, RunningApp, launched

pytestmark = pytest.mark.asyncio(loop_scope="session")
BOTH = pytest.mark.parametrize(("language", "width"), [("en", 1400), ("zh-CN", 390)])


async def write(page: Page, prompt: str, prefix: str = "text") -> None:
    await page.locator(f"#{prefix}-prompt textarea").fill(prompt)


async def unfold(page: Page, prefix: str = "text") -> Locator:
    """Open what is folded away for it."""
    compare = page.locator(f"#{prefix}-compare")
    await compare.locator("button").first.click()
    await expect(compare.locator("input").first).to_be_visible()
    return compare


def stands_for(page: Page, prefix: str = "text") -> Locator:
    """What is told below a prompt."""
    return page.locator(f"#{prefix}-wordings p")


def prompts(language: str, *told: str) -> str:
    """How that is told."""
    return translate(language, "many_prompts", count=len(told), names=" · ".join(told))


def headings(card: Locator) -> Locator:
    return card.locator("[role=columnheader], [role=rowheader]")


@BOTH
async def test_what_a_prompt_stands_for_is_told_beside_it_while_one_types(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(locale=language, width=width)
    await write(page, "a {red|blue|no} hat")
    await expect(stands_for(page)).to_have_text(prompts(language, "red", "blue", "no"))
    wholes = await stands_for(page).locator("span").evaluate_all("spans => spans.map(({ title }) => title)")
    assert wholes == ["a red hat", "a blue hat", "a no hat"]
    pictures = translate(language, "many_pictures", count=3)
    await expect(page.locator("#text-estimate")).to_contain_text(pictures)
    await expect(page.locator("#text-prompt")).not_to_have_attribute("data-count", re.compile("."))  # of none of them
    await write(page, r"a \{red|blue\} hat")
    await expect(stands_for(page)).to_have_count(0)
    await expect(page.locator("#text-estimate")).not_to_contain_text(pictures)
    await write(page, "{a|b}{a|b}{a|b}{a|b}{a|b}{a|b}")
    await expect(stands_for(page)).to_have_class("problem")
    await write(page, "a hat")
    await expect(stands_for(page)).to_have_count(0)
    await expect(page.locator("#text-prompt")).to_have_attribute("data-count", "5/800")
    assert app.backend.orders == []


@BOTH
async def test_models_and_words_become_columns_and_rows_with_one_seed(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(locale=language, width=width)
    await write(page, "a {red|blue} hat")
    compare = await unfold(page)
    await compare.get_by_role("checkbox", name="qwen-image", exact=True).click()
    cost = translate(language, "partly_priced", cost="≈ 0.50 ¥", count=2)
    many = translate(language, "many_pictures", count=4)
    await expect(page.locator("#text-estimate")).to_have_text(f"{many} · {cost}")
    card = await run_and_wait(page, "text")
    assert sorted(await headings(card).all_inner_texts()) == ["blue", "qwen-image", "qwen-image-plus", "red"]
    asked = [(order["prompt"], order["model"]) for order in app.backend.orders]
    assert sorted(asked) == sorted(
        (f"a {red} hat", model) for red in ("red", "blue") for model in ("qwen-image", "qwen-image-plus")
    )
    assert len({order["seed"] for order in app.backend.orders}) == 1
    await expect(card.locator("h2")).to_have_text("a {red|blue} hat")


@BOTH
async def test_each_line_is_a_prompt_where_that_is_chosen(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(locale=language, width=width)
    await write(page, "a cat\n\na {small|large} dog\n")
    compare = await unfold(page)
    await compare.locator("#text-lines input").check()
    await expect(stands_for(page)).to_have_text(prompts(language, "cat", "small dog", "large dog"))
    card = await run_and_wait(page, "text")
    assert sorted(order["prompt"] for order in app.backend.orders) == ["a cat", "a large dog", "a small dog"]
    await expect(card.locator("figcaption")).to_have_text(["cat", "small dog", "large dog"])
    await compare.locator("#text-lines input").uncheck()
    await expect(stands_for(page)).to_have_text(re.compile(prompts(language, ".*", ".*")))


@BOTH
async def test_sizes_and_rewriting_are_compared(open_page: Open, app: RunningApp, language: str, width: int) -> None:
    page = await open_page(locale=language, width=width)
    await write(page, "a cat")
    compare = await unfold(page)
    await compare.locator("#text-also-sizes").get_by_role("checkbox", name="16:9").click()
    await compare.locator("#text-both-rewritings input").check()
    card = await run_and_wait(page, "text")
    assert sorted(await headings(card).all_inner_texts()) == sorted(
        ["1:1 · 1328×1328", "16:9 · 1664×928", *(translate(language, f"rewriting_{way}") for way in ("on", "off"))]
    )
    asked = {(order["size"], order["optimize_prompt_options"]["enable"]) for order in app.backend.orders}
    assert len(asked) == len(app.backend.orders) == 4


@BOTH
async def test_more_than_twelve_are_ordered_by_a_second_press_of_the_same(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(locale=language, width=width)
    button, estimate = page.locator("#text-run"), page.locator("#text-estimate")

    def many(count: int) -> str:
        return translate(language, "many_pictures", count=count)

    await write(page, "{1|2|3|4|5|6|7|8|9|10|11|12|13} apples")
    await expect(estimate).to_have_text(many(13))
    await button.click()
    await expect(button).to_have_text(translate(language, "confirm_many", order=many(13)))
    await expect(estimate).to_have_count(0)  # the button says all that it did
    await write(page, "{1|2|3|4|5|6|7|8|9|10|11|12|13|14} apples")  # another order is asked about anew
    await expect(button).to_have_text(translate(language, "run"))
    await expect(estimate).to_have_text(many(14))
    await button.click()
    await expect(button).to_have_text(translate(language, "confirm_many", order=many(14)))
    assert (app.backend.orders, await cards(page).count()) == ([], 0)
    await page.locator("#text-negative textarea").fill("blurry")  # which is no other order than the button says
    card = await run(page, "text")
    await expect(card).to_have_attribute("data-state", "done")
    assert {order["optimize_prompt_options"]["negative_prompt"] for order in app.backend.orders} == {"blurry"}
    assert len(app.backend.orders) == 14
    await expect(button).to_have_text(translate(language, "run"))
    await expect(estimate).to_have_text(many(14))


@BOTH
async def test_twelve_are_ordered_at_once_and_fifty_one_not_at_all(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(locale=language, width=width)
    await write(page, "{1|2|3|4|5|6|7|8|9|10|11|12} apples")
    await run_and_wait(page, "text")
    assert len(app.backend.orders) == 12
    await write(page, "{1|2|3|4|5|6|7|8|9} apples")
    await page.locator("#text-count input[type=number]").fill("6")
    await page.locator("#text-run").click()
    refused = translate(language, "invalid_too_many_pictures", count=54, limit=50)
    await expect(page.locator("#text-status .problem")).to_have_text(refused)
    assert len(app.backend.orders) == 12


@BOTH
async def test_an_order_is_used_again_with_all_that_it_asked(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(locale=language, width=width)
    await write(page, "a {red|blue} hat")
    compare = await unfold(page)
    await compare.locator("#text-also-models").get_by_role("checkbox", name="qwen-image").click()
    card = await run_and_wait(page, "text")
    await write(page, "something else")
    await compare.locator("#text-also-models").get_by_role("checkbox", name="qwen-image").click()
    await card.locator("[data-act=again]").click()
    await expect(page.locator("#text-prompt textarea")).to_have_value("a {red|blue} hat")
    names = (translate(language, f"field_{name}") for name in ("prompt", "model", "size", "n", "several"))
    await said(page, translate(language, "board_filled", names=listed(names, language)))
    await expect(compare.locator("#text-also-models input")).to_be_checked()
    await expect(stands_for(page)).to_have_text(prompts(language, "red", "blue"))
    await run_and_wait(page, "text")
    assert len(app.backend.orders) == 8


@BOTH
async def test_what_was_chosen_is_there_again_after_a_reload(open_page: Open, language: str, width: int) -> None:
    page = await open_page(locale=language, width=width)
    await write(page, "a {red|blue} hat\na cat")
    compare = await unfold(page)
    await compare.locator("#text-lines input").check()
    await compare.locator("#text-also-sizes").get_by_role("checkbox", name="16:9").click()
    await expect(page.locator("#text-estimate")).to_contain_text(translate(language, "many_pictures", count=6))
    await page.reload(wait_until="domcontentloaded")
    await expect(stands_for(page)).to_have_text(prompts(language, "red hat", "blue hat", "cat"))
    await expect(page.locator("#text-estimate")).to_contain_text(translate(language, "many_pictures", count=6))


@BOTH
async def test_what_is_chosen_is_told_by_the_fold_however_it_came(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(locale=language, width=width)
    fold = page.locator("#text-compare button").first
    several = translate(language, "field_several")
    await expect(fold).to_contain_text(several)
    await write(page, "a cat")
    compare = await unfold(page)
    await compare.locator("#text-also-models label").first.click()
    await compare.get_by_role("checkbox", name="16:9").click()
    two = f"{translate(language, 'compare_models', count=2)} · {translate(language, 'compare_sizes', count=2)}"
    await expect(fold).to_contain_text(f"{several} · {two}")
    card = await run_and_wait(page, "text")
    await page.reload(wait_until="domcontentloaded")
    await expect(fold).to_contain_text(f"{several} · {two}")  # folded as it is
    compare = await unfold(page)
    await compare.locator("#text-also-models label").first.click()
    await compare.get_by_role("checkbox", name="16:9").click()
    await compare.locator("#text-lines input").check()
    await compare.locator("#text-both-rewritings input").check()
    switches = f"{translate(language, 'lines')} · {translate(language, 'both_rewritings')}"
    await expect(fold).to_contain_text(f"{several} · {switches}")
    await card.locator("[data-act=again]").click()
    await expect(fold).to_contain_text(f"{several} · {two}")


@BOTH
async def test_other_sizes_are_others_than_the_chosen_one(open_page: Open, language: str, width: int) -> None:
    page = await open_page(locale=language, width=width)
    compare = await unfold(page)
    offered = compare.locator("#text-also-sizes label")
    await expect(offered).to_have_text(["16:9", "4:3", "3:4", "9:16"])
    for ratio in ("16:9", "4:3"):
        await compare.get_by_role("checkbox", name=ratio).click()
    await page.locator("#text-size label").filter(has_text="16:9").click()
    await expect(offered).to_have_text(["4:3", "1:1", "3:4", "9:16"])
    await expect(compare.locator("#text-also-sizes input:checked")).to_have_count(1)
    await expect(offered.filter(has=page.locator("input:checked"))).to_have_text("4:3")
    await page.locator("[role=tab][data-tab-id=edit]").click()
    await unfold(page, "edit")  # where the size is that of the picture
    await expect(page.locator("#edit-also-sizes label")).to_have_text(["16:9", "4:3", "1:1", "3:4", "9:16"])


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[RunningApp]:
    """An app with a quota, that has two calls under way at most."""
    backend = Backend()
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    service = Service(client, Orders(2), Library(tmp_path), quota=Quota("20/day", ""))
    with launched(service) as url:
        yield RunningApp(url, backend)


@BOTH
async def test_how_many_are_left_is_true_in_every_tab_after_stop_and_go_on(
    new_context: NewContext, counted: RunningApp, language: str, width: int
) -> None:
    context = await new_context(locale=language, viewport={"width": width, "height": 900})
    page = await context.new_page()
    await page.goto(counted.url, wait_until="domcontentloaded")

    async def left(count: int, prefix: str = "text") -> None:
        await expect(page.locator(f"#{prefix}-left")).to_have_text(translate(language, "quota_left", count=count))

    await left(20)
    counted.backend.open.clear()
    await write(page, "{1|2|3|4|5} apples")
    card = await run(page, "text")
    await left(15)
    await page.locator("[role=tab][data-tab-id=edit]").click()
    await left(15, "edit")
    assert await asyncio.to_thread(counted.backend.wait_for_orders, 2)
    await card.locator("[data-act=stop]").click()
    counted.backend.open.set()
    await left(18, "edit")
    await card.locator("[data-act=go-on]").click()
    await left(15, "edit")
    await context.close()


@BOTH
async def test_braces_of_a_picture_stay_what_they_are(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(locale=language, width=width)
    await write(page, r"a \{red|blue\} hat")
    card = await run_and_wait(page, "text")
    assert [order["prompt"] for order in app.backend.orders] == ["a {red|blue} hat"]
    await write(page, "")
    await card.locator("[data-act=again]").click()
    await expect(page.locator("#text-prompt textarea")).to_have_value(r"a \{red\|blue\} hat")
    await expect(stands_for(page)).to_have_count(0)
    await run_and_wait(page, "text")
    assert [order["prompt"] for order in app.backend.orders] == ["a {red|blue} hat"] * 2


@BOTH
async def test_a_fusion_asks_in_several_ways_too(open_page: Open, app: RunningApp, language: str, width: int) -> None:
    page = await open_page(locale=language, width=width)
    await outside(page)
    await page.locator("[role=tab][data-tab-id=fusion]").click()
    for number, name in ((1, "cat.png"), (2, "dog.png")):
        await page.locator(f"#fusion-image-{number}-address input, #fusion-image-{number}-address textarea").fill(
            f"https://pictures.example/{name}"
        )
    await write(page, "put 图1 {beside|behind} 图2", "fusion")
    await expect(stands_for(page, "fusion")).to_have_text(prompts(language, "beside", "behind"))
    await run_and_wait(page, "fusion")
    assert sorted(order["prompt"] for order in app.backend.orders) == ["put 图1 behind 图2", "put 图1 beside 图2"]
