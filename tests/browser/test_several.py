"""The form asks in several ways: what the prompt stands for, other models and sizes, a second press for many."""

import re

import pytest
from playwright.async_api import Locator, Page, expect

from qwen_demo.i18n import translate
from tests.browser.conftest import Open
from tests.browser.steps import cards, outside, run, run_and_wait, tab
from tests.conftest import RunningApp

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


def headings(card: Locator) -> Locator:
    return card.locator("[role=columnheader], [role=rowheader]")


@BOTH
async def test_what_a_prompt_stands_for_is_told_beside_it_while_one_types(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(locale=language, width=width)
    count = translate(language, "many_prompts", count=3)
    await write(page, "a {red|blue|no} hat")
    await expect(stands_for(page)).to_have_text(f"{count}: a red hat · a blue hat · a no hat")
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
    await expect(page.locator("#text-estimate")).to_contain_text(translate(language, "many_pictures", count=4))
    card = await run_and_wait(page, "text")
    assert sorted(await headings(card).all_inner_texts()) == sorted(
        ["qwen-image-plus", "qwen-image", "a red hat", "a blue hat"]
    )
    asked = [(order["prompt"], order["model"]) for order in app.backend.orders]
    assert sorted(asked) == sorted(
        (f"a {red} hat", model) for red in ("red", "blue") for model in ("qwen-image", "qwen-image-plus")
    )
    assert len({order["seed"] for order in app.backend.orders}) == 1
    await expect(card.locator("h2")).to_have_text("a {red|blue} hat")


async def test_each_line_is_a_prompt_where_that_is_chosen(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await write(page, "a cat\n\na {small|large} dog\n")
    compare = await unfold(page)
    await compare.locator("#text-lines input").check()
    await expect(stands_for(page)).to_have_text("3 prompts: a cat · a small dog · a large dog")
    card = await run_and_wait(page, "text")
    assert sorted(order["prompt"] for order in app.backend.orders) == ["a cat", "a large dog", "a small dog"]
    await expect(card.locator("figcaption")).to_have_text(["a cat", "a small dog", "a large dog"])
    await compare.locator("#text-lines input").uncheck()
    await expect(stands_for(page)).to_have_text(re.compile("^2 prompts: "))


async def test_sizes_and_rewriting_are_compared(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await write(page, "a cat")
    compare = await unfold(page)
    await compare.locator("#text-also-sizes").get_by_role("checkbox", name="16:9").click()
    await compare.locator("#text-both-rewritings input").check()
    card = await run_and_wait(page, "text")
    assert sorted(await headings(card).all_inner_texts()) == sorted(
        ["1328×1328", "1664×928", "Rewritten", "Not rewritten"]
    )
    asked = {(order["size"], order["optimize_prompt_options"]["enable"]) for order in app.backend.orders}
    assert len(asked) == len(app.backend.orders) == 4


@BOTH
async def test_more_than_twelve_are_ordered_by_a_second_press_of_the_same(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    page = await open_page(locale=language, width=width)
    await write(page, "{1|2|3|4|5|6|7|8|9|10|11|12|13} apples")
    status = page.locator("#text-status")
    await page.locator("#text-run").click()
    pictures = translate(language, "many_pictures", count=13)
    await expect(status).to_contain_text(pictures)
    assert translate(language, "confirm_many", order="") in await status.inner_text()
    await write(page, "{1|2|3|4|5|6|7|8|9|10|11|12|13|14} apples")  # another order is asked about anew
    await page.locator("#text-run").click()
    await expect(status).to_contain_text(translate(language, "many_pictures", count=14))
    assert (app.backend.orders, await cards(page).count()) == ([], 0)
    card = await run(page, "text")
    await expect(card).to_have_attribute("data-state", "done")
    assert len(app.backend.orders) == 14
    await expect(status).to_have_text("")


async def test_twelve_are_ordered_at_once_and_fifty_one_not_at_all(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await write(page, "{1|2|3|4|5|6|7|8|9|10|11|12} apples")
    await run_and_wait(page, "text")
    assert len(app.backend.orders) == 12
    await write(page, "{1|2|3|4|5|6|7|8|9} apples")
    await page.locator("#text-count input[type=number]").fill("6")
    await page.locator("#text-run").click()
    await expect(page.locator("#text-status .problem")).to_have_text(
        "That would be 54 pictures, and one order takes 50. Choose fewer of something."
    )
    assert len(app.backend.orders) == 12


async def test_an_order_is_used_again_with_all_that_it_asked(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await write(page, "a {red|blue} hat")
    compare = await unfold(page)
    await compare.locator("#text-also-models").get_by_role("checkbox", name="qwen-image").click()
    card = await run_and_wait(page, "text")
    await write(page, "something else")
    await compare.locator("#text-also-models").get_by_role("checkbox", name="qwen-image").click()
    await card.locator("[data-act=again]").click()
    await expect(page.locator("#text-prompt textarea")).to_have_value("a {red|blue} hat")
    await expect(compare.locator("#text-also-models input")).to_be_checked()
    await expect(stands_for(page)).to_have_text("2 prompts: a red hat · a blue hat")
    await run_and_wait(page, "text")
    assert len(app.backend.orders) == 8


async def test_what_was_chosen_is_there_again_after_a_reload(open_page: Open) -> None:
    page = await open_page()
    await write(page, "a {red|blue} hat\na cat")
    compare = await unfold(page)
    await compare.locator("#text-lines input").check()
    await compare.locator("#text-also-sizes").get_by_role("checkbox", name="16:9").click()
    await expect(page.locator("#text-estimate")).to_contain_text("6 pictures")
    await page.reload(wait_until="domcontentloaded")
    await expect(stands_for(page)).to_have_text("3 prompts: a red hat · a blue hat · a cat")
    await expect(page.locator("#text-estimate")).to_contain_text("6 pictures")


async def test_braces_of_a_picture_stay_what_they_are(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await write(page, r"a \{red|blue\} hat")
    card = await run_and_wait(page, "text")
    assert [order["prompt"] for order in app.backend.orders] == ["a {red|blue} hat"]
    await write(page, "")
    await card.locator("[data-act=again]").click()
    await expect(page.locator("#text-prompt textarea")).to_have_value(r"a \{red\|blue\} hat")
    await expect(stands_for(page)).to_have_count(0)
    await run_and_wait(page, "text")
    assert [order["prompt"] for order in app.backend.orders] == ["a {red|blue} hat"] * 2


async def test_a_fusion_asks_in_several_ways_too(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    await outside(page)
    await tab(page, "Fuse")
    for number, name in ((1, "cat.png"), (2, "dog.png")):
        await page.locator(f"#fusion-image-{number}-address input, #fusion-image-{number}-address textarea").fill(
            f"https://pictures.example/{name}"
        )
    await write(page, "put 图1 {beside|behind} 图2", "fusion")
    await expect(stands_for(page, "fusion")).to_have_text("2 prompts: put 图1 beside 图2 · put 图1 behind 图2")
    await run_and_wait(page, "fusion")
    assert sorted(order["prompt"] for order in app.backend.orders) == ["put 图1 behind 图2", "put 图1 beside 图2"]
