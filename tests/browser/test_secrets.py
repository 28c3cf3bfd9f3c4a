"""The key stays where it belongs, whatever the page is used for and whoever repeats it."""

import httpx
import pytest
from playwright.async_api import Response, expect

from tests.browser.conftest import Open
from tests.browser.steps import run_and_wait, tab
from tests.conftest import KEY, RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_key_is_nowhere_in_the_browser(open_page: Open, app: RunningApp) -> None:
    page = await open_page()
    answers: list[Response] = []
    page.on("response", lambda response: answers.append(response))
    await page.locator("#text-prompt textarea").fill("a hill")
    await run_and_wait(page, "text")
    app.backend.refusal = lambda request: httpx.Response(400, json={"message": request.headers["authorization"]})
    await page.locator("#text-run").click()
    await expect(page.locator("#text-status [role=alert]")).to_contain_text("Bearer …")
    await tab(page, "History")
    await expect(page.locator("#history-gallery .thumbnail-item").first).to_be_visible()
    stored = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "qwen-image-demo-text" in stored
    texts = [await page.content(), stored, str(await page.context.cookies())]
    for answer in answers:
        texts.append(f"{answer.url} {await answer.all_headers()}")
        if "/queue/data" not in answer.url:  # a stream has no end to wait for
            texts.append((await answer.body()).decode("latin-1"))
    assert len(texts) > 10
    assert [text[:200] for text in texts if KEY in text] == []
