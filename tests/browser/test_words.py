"""Words at hand: prompts that are saved under names, and edits that take one click."""

import json
from typing import Any

import pytest
from playwright.async_api import FilePayload, Locator, Page, expect

from qwen_demo.i18n import translate
from qwen_demo.ui.words import QUICK
from tests.browser.conftest import Open
from tests.browser.steps import run_and_wait, said, tab
from tests.browser.test_access import AXE, serious
from tests.conftest import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOTH = pytest.mark.parametrize(("language", "width"), [("en", 1400), ("zh-CN", 390)])
HATS = "a {red|blue|no} hat, \\{as it is\\}"
BLOCKED = """for (const storage of ["localStorage", "sessionStorage"]) {
    const get = () => { throw new DOMException("", "SecurityError"); };
    Object.defineProperty(window, storage, { get, configurable: true });
}"""


async def saved(page: Page, prefix: str = "text") -> Locator:
    """The saved prompts of a tab that is open, in view."""
    part = page.locator(f"#{prefix}-saved")
    if not await part.is_visible():
        await page.locator(f"#{prefix}-ideas > button").click()
    await expect(part.locator("[data-act=save]")).to_be_visible()
    return part


def names(part: Locator) -> Locator:
    return part.locator("li [data-act=use]")


def row(part: Locator, name: str) -> Locator:
    return part.locator(f'li[data-name="{name}"]')


async def save(part: Locator, prompt: str, name: str = "") -> None:
    """Save a prompt, under its first words unless a name is given."""
    await part.page.locator(".controls:visible .prompt textarea").fill(prompt)
    await part.locator("[data-act=save]").click()
    if name:
        await part.locator("li input").fill(name)
    await part.locator("li input").press("Enter")


async def bring(part: Locator, content: Any, name: str = "prompts.json") -> None:
    """Import a file: its bytes, or what it is in JSON."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    await part.locator("input[type=file]").set_input_files(FilePayload(name=name, mimeType="", buffer=data))


async def kept(page: Page) -> list[tuple[str, str]]:
    """The names and prompts that this browser keeps."""
    text = await page.evaluate("localStorage.getItem('qwen-image-demo-saved')")
    return [(one["name"], one["prompt"]) for one in json.loads(text or '{"prompts": []}')["prompts"]]


@BOTH
async def test_a_prompt_is_saved_named_used_and_deleted_with_a_way_back(
    open_page: Open, app: RunningApp, language: str, width: int
) -> None:
    def words(key: str, **facts: object) -> str:
        return translate(language, f"board_{key}", **facts)

    page = await open_page(language, width=width)
    part, prompt = await saved(page), page.locator("#text-prompt textarea")
    await part.locator("[data-act=save]").click()
    await said(page, words("saved_nothing"))
    await expect(prompt).to_be_focused()
    await prompt.fill(HATS)
    await part.locator("[data-act=save]").click()
    await expect(part.locator("li input")).to_have_value("a {red|blue|no} hat, \\{as it")
    await part.locator("li input").fill("  Three \n hats ")
    await part.locator("li input").press("Enter")
    await expect(row(part, "Three hats").locator("[data-act=use]")).to_be_focused()
    await save(part, "一座小山，清晨")
    await expect(names(part)).to_have_text(["一座小山，清晨", "Three hats"])

    await prompt.fill("what I wrote")
    await row(part, "Three hats").locator("[data-act=use]").click()
    await expect(prompt).to_have_value(HATS)
    await expect(prompt).to_be_focused()
    await said(page, words("saved_used", name="Three hats"))
    await page.locator(".board-notice [data-act=undo]").click()
    await expect(prompt).to_have_value("what I wrote")

    await row(part, "Three hats").locator("[data-act=rename]").click()
    await part.locator("li input").fill("Hats")
    await part.locator("li input").press("Escape")
    await expect(names(part)).to_have_text(["一座小山，清晨", "Three hats"])
    await row(part, "Three hats").locator("[data-act=rename]").click()
    await part.locator("li input").fill("一座小山，清晨")
    await prompt.focus()  # another prompt has that name
    await expect(names(part)).to_have_text(["一座小山，清晨", "一座小山，清晨 2"])

    await row(part, "一座小山，清晨").locator("[data-act=delete]").click()
    await said(page, words("saved_deleted", name="一座小山，清晨"))
    await expect(names(part)).to_have_text(["一座小山，清晨 2"])
    await expect(row(part, "一座小山，清晨 2").locator("[data-act=delete]")).to_be_focused()
    await page.locator(".board-notice [data-act=undo]").click()
    await expect(names(part)).to_have_text(["一座小山，清晨", "一座小山，清晨 2"])

    await page.reload(wait_until="domcontentloaded")
    await tab(page, translate(language, "tab_edit"))
    part = await saved(page, "edit")
    await names(part).last.click()
    await expect(page.locator("#edit-prompt textarea")).to_have_value(HATS)
    assert await kept(page) == [("一座小山，清晨", "一座小山，清晨"), ("一座小山，清晨 2", HATS)]


async def test_the_same_prompt_is_saved_once(open_page: Open) -> None:
    page = await open_page()
    part = await saved(page)
    for _ in range(2):
        await save(part, "a hill")
    await expect(names(part)).to_have_text(["a hill"])
    await save(part, "a lake", "a hill")
    await save(part, "a lake", "a hill")
    assert await kept(page) == [("a hill 2", "a lake"), ("a hill", "a hill")]
    await bring(part, {"prompts": [{"name": "Lake", "prompt": "a lake"}]})
    await row(part, "Lake").locator("[data-act=rename]").click()
    await part.locator("li input").fill("a hill")
    await part.locator("li input").press("Enter")
    assert await kept(page) == [("a hill 2", "a lake"), ("a hill", "a hill")]


async def test_they_leave_and_enter_as_a_file_that_is_merged(open_page: Open) -> None:
    page = await open_page()
    part = await saved(page)
    await expect(part.locator("[data-act=export]")).to_be_hidden()
    await save(part, HATS, "Hats")
    await save(part, "a hill", "Hill")
    async with page.expect_download() as download:
        await part.locator("[data-act=export]").click()
    came = await download.value
    assert came.suggested_filename == "qwen-prompts.json"
    told = json.loads((await came.path()).read_text(encoding="utf-8"))
    hill, hats = {"name": "Hill", "prompt": "a hill"}, {"name": "Hats", "prompt": HATS}
    assert told == {"prompts": [hill, hats]}

    other = {"name": "Hill", "prompt": "a hill at night"}
    for new in (1, 0):
        await bring(part, {"prompts": [hats, other, {"name": "", "prompt": "  "}]})
        await said(page, translate("en", "board_saved_came", count=new))
        await expect(names(part)).to_have_text(["Hill 2", "Hill", "Hats"])
    await bring(part, b"\xef\xbb\xbf" + json.dumps(["a lake", "a hill"]).encode())
    await said(page, translate("en", "board_saved_came", count=2))
    assert await kept(page) == [
        ("a lake", "a lake"),
        ("a hill", "a hill"),
        ("Hill 2", "a hill at night"),
        ("Hill", "a hill"),
        ("Hats", HATS),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_a_file_may_be_written_as_editors_on_windows_do(open_page: Open, encoding: str) -> None:
    page = await open_page()
    part = await saved(page)
    await bring(part, '["江南水乡"]'.encode(encoding))
    await expect(names(part)).to_have_text(["江南水乡"])
    assert await kept(page) == [("江南水乡", "江南水乡")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "saved_unread"),
        (b"\x89PNG\r\n\x1a\n", "saved_unread"),
        ({"prompts": [{"name": "x", "prompt": "a lake"}, {"name": "y"}]}, "saved_unread"),
        ({"prompts": [{"name": ["x"], "prompt": "a lake"}]}, "saved_unread"),
        ({"prompts": {"length": 3}}, "saved_unread"),
        (["a lake", None], "saved_unread"),
        (None, "saved_unread"),
        (b"[" * 500_000, "saved_unread"),
        ([f"lake {number}" for number in range(1000)], "saved_most"),
        (["a lake", "x" * 20_001], "saved_most"),
        ([f"{number} " + "x" * 11_000 for number in range(999)], "saved_full"),
    ],
    ids=range(11),
)
async def test_a_file_that_is_broken_hostile_or_too_large_changes_nothing(
    open_page: Open, content: Any, told: str
) -> None:
    page = await open_page()
    part = await saved(page)
    await save(part, "a hill")
    await bring(part, content)
    await said(page, translate("en", f"board_{told}", count=1000, length=20000))
    assert await kept(page) == [("a hill", "a hill")]
    await expect(names(part)).to_have_text(["a hill"])


COUNTED = """() => {
    window.looks = 0;
    for (const act of ["has", "set"]) {
        const does = Map.prototype[act];
        Map.prototype[act] = function (...told) { window.looks += 1; return does.apply(this, told); };
    }
}"""


async def test_a_file_is_no_more_work_than_it_has_prompts(open_page: Open) -> None:
    page = await open_page()
    part = await saved(page)
    await page.evaluate(COUNTED)
    await bring(part, [{"name": "a", "prompt": f"lake {number}"} for number in range(3000)])
    await said(page, translate("en", "board_saved_most", count=1000, length=20000))
    await bring(part, [f"hill {number}" for number in range(900)])
    await said(page, translate("en", "board_saved_came", count=900))
    assert 900 < await page.evaluate("looks") < 50_000  # it was 400,000, and millions


async def test_a_file_of_more_than_a_browser_keeps_is_not_read(open_page: Open) -> None:
    part = await saved(await open_page())
    await part.locator("input[type=file]").evaluate(
        """input => {
            const files = new DataTransfer();
            files.items.add(new File(['["a hill"]', new Uint8Array(30_000_000).fill(32)], "prompts.json"));
            input.files = files.files;
            input.dispatchEvent(new Event("change"));
        }"""
    )
    await said(part.page, translate("en", "board_saved_unread"))
    assert await kept(part.page) == []


async def test_what_a_file_says_is_text_and_no_page(open_page: Open) -> None:
    page = await open_page()
    part = await saved(page)
    hostile = "<img src=x onerror=document.title='taken'>"
    bell = {"name": "\u202eevil\u0007\n name" + "x" * 100, "prompt": "half \ud800 a character"}
    await bring(part, {"prompts": [{"name": hostile, "prompt": hostile}, bell, {"name": "__proto__", "prompt": "a"}]})
    await expect(names(part)).to_have_text([hostile, "evil name" + "x" * 51, "__proto__"])
    assert (await kept(page))[1][1] == "half \ufffd a character"
    assert await page.title() == "Qwen Image Demo"
    await names(part).nth(1).click()
    await run_and_wait(page, "text")


async def test_two_windows_of_a_browser_keep_what_both_save(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    here = await saved(page)
    window = await page.context.new_page()
    await window.goto(app.url, wait_until="domcontentloaded")
    there = await saved(window)
    await save(here, "a hill")
    await expect(names(there)).to_have_text(["a hill"])
    await save(there, "a lake")
    await expect(names(here)).to_have_text(["a lake", "a hill"])
    await row(here, "a hill").locator("[data-act=rename]").click()
    await save(there, "a wood")
    await here.locator("li input").fill("My hill")
    await here.locator("li input").press("Enter")
    for part in (here, there):
        await expect(names(part)).to_have_text(["a wood", "a lake", "My hill"])
    await row(here, "a lake").locator("[data-act=delete]").click()
    await save(there, "a road")
    await page.locator(".board-notice [data-act=undo]").click()
    for part in (here, there):
        await expect(names(part)).to_have_text(["a road", "a lake", "a wood", "My hill"])


async def test_a_browser_that_blocks_storage_keeps_them_while_the_page_is_open_and_says_so(
    open_page: Open, app: RunningApp
) -> None:
    page = await open_page()
    part = await saved(page)
    await expect(part.get_by_text(translate("en", "board_saved_forgets"))).to_be_hidden()
    window = await page.context.new_page()
    await window.add_init_script(BLOCKED)
    await window.goto(app.url, wait_until="domcontentloaded")
    part = await saved(window)
    await expect(part.get_by_text(translate("en", "board_saved_forgets"))).to_be_visible()
    await save(part, "a hill")
    await window.locator("#text-prompt textarea").fill("")
    await names(part).click()
    await run_and_wait(window, "text")
    assert [order["prompt"] for order in app.orders] == ["a hill"]


@BOTH
async def test_an_edit_takes_one_click(open_page: Open, language: str, width: int) -> None:
    page = await open_page(language, width=width)
    await tab(page, translate(language, "tab_edit"))
    prompt, comma = page.locator("#edit-prompt textarea"), translate(language, "comma")

    def edit(name: str) -> Locator:
        return page.locator(f'#quick [data-edit="{name}"]')

    def words(name: str) -> str:
        return translate(language, f"board_quick_{name}_words").replace("[", "").replace("]", "")

    def goes_on(name: str) -> str:
        return words(name)[0].lower() + words(name)[1:]

    for name in QUICK:
        await edit(name).click()
        await expect(prompt).to_have_value(words(name))
        await expect(prompt).to_be_focused()
        await expect(edit(name)).to_have_attribute("aria-pressed", "true")
        await edit(name).click()
        await expect(prompt).to_have_value("")
        await expect(edit(name)).to_have_attribute("aria-pressed", "false")
    await edit("text").click()
    await page.keyboard.type("OLD")
    await expect(prompt).to_have_value(words("text").replace("…", "OLD", 1))
    await prompt.fill("")
    await edit("season").click()
    await page.keyboard.type("spring")
    spring = translate(language, "board_quick_season_words").partition("[")[0] + "spring"
    await expect(prompt).to_have_value(spring)
    await edit("left").click()
    await edit("close").click()
    await expect(prompt).to_have_value(comma.join([spring, goes_on("left"), goes_on("close")]))
    await expect(page.locator("#quick [aria-pressed=true]")).to_have_count(3)
    await edit("left").click()
    await expect(prompt).to_have_value(spring + comma + goes_on("close"))
    await edit("season").click()
    await expect(prompt).to_have_value(goes_on("close"))
    end = "." if language == "en" else "。"
    await prompt.fill(f"a hill{end} ")
    await edit("close").click()
    await expect(prompt).to_have_value(f"a hill{end}{comma[1:]}{words('close')}")
    await edit("close").click()
    await expect(prompt).to_have_value(f"a hill{end}")
    await edit("restore").click()
    example = page.locator(".controls:visible .chips").get_by_role("button").first
    await example.click()  # it has words of its own
    await expect(page.locator("#quick [aria-pressed=true]")).to_have_count(0)


@BOTH
async def test_the_keyboard_reaches_all_and_axe_finds_nothing_serious(
    open_page: Open, language: str, width: int
) -> None:
    for colours in ("light", "dark"):
        page = await open_page(language, width=width, colours=colours)
        await page.evaluate(AXE)
        await tab(page, translate(language, "tab_edit"))
        await page.locator("#edit-prompt textarea").focus()
        for name in QUICK:
            await page.keyboard.press("Tab")
            await expect(page.locator(f'#quick [data-edit="{name}"]')).to_be_focused()
        await page.keyboard.press("Enter")
        part = await saved(page, "edit")
        await part.locator("[data-act=save]").focus()
        await page.keyboard.press("Enter")
        await expect(part.locator("li input")).to_be_focused()
        assert await serious(page) == []
        await page.keyboard.press("Enter")
        for act in ("rename", "delete"):
            await page.keyboard.press("Tab")
            await expect(part.locator(f"li [data-act={act}]")).to_be_focused()
        assert await serious(page) == []
        await page.keyboard.press("Enter")
        await expect(part.locator("li")).to_have_count(0)
        await expect(part.locator("[data-act=save]")).to_be_focused()
