"""Rows seen in a real Chromium: the click, the page, the bytes."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import chromium

from .load import HEADERS
from .processes import Program

SHOWN = """seen => {
  const images = [...document.querySelectorAll('#text-gallery .grid-container img, #text-gallery .preview img')];
  const whole = images.filter(i => i.complete && i.naturalWidth > 300 && !i.src.includes('waiting'));
  const fresh = whole.filter(i => !seen.includes(i.src));
  return new Set(fresh.map(i => i.src)).size >= %d && { sources: fresh.map(i => i.src), at: performance.now() };
}"""
CLICKED = "document.addEventListener('click', () => { window.clicked = performance.now(); }, true)"


@dataclass
class Traffic:
    """What a page asked for: bytes as they travelled, and hosts."""

    bytes: int = 0
    hosts: set[str | None] = field(default_factory=set)


@dataclass(frozen=True, order=True)
class Load:
    """Seconds until a page's first button was there, its bytes, and whether all came from this computer."""

    seconds: float
    bytes: int
    local: bool


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=list(chromium.ARGUMENTS))
        yield browser
        browser.close()


def opened(browser: Browser, url: str) -> tuple[Page, Traffic, float]:
    """A page in a browser that never saw it, its traffic, and the seconds until its first button was there."""
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    traffic = Traffic()
    watched = page.context.new_cdp_session(page)
    watched.send("Network.enable")
    watched.on(
        "Network.loadingFinished",
        lambda event: setattr(traffic, "bytes", traffic.bytes + int(event["encodedDataLength"])),
    )
    watched.on(
        "Network.requestWillBeSent",
        lambda event: traffic.hosts.add(urlsplit(event["request"]["url"]).hostname),
    )
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.locator("button.primary, button.lg").first.wait_for()
    return page, traffic, time.perf_counter() - began


def click(browser: Browser, app: Program, upstream: Program, rounds: int) -> tuple[float, float]:
    """Medians of the seconds from the click to the picture, and of the plain call and fetch, in turns.

    The click and the picture are both timed by the page's own clock, so that driving the browser doesn't count.
    """
    app.settle()
    page, _, _ = opened(browser, app.url)
    page.evaluate(CLICKED)
    page.locator("#text-prompt textarea").fill("a hill")
    ours: list[float] = []
    theirs: list[float] = []
    seen: list[str] = []
    with httpx.Client(timeout=60) as http:
        for _ in range(rounds):
            began = time.perf_counter()
            body = {"prompt": "a hill", "model": "qwen-image-plus", "size": "1328x1328"}
            answer = http.post(f"{upstream.url}/v1/images/generations", json=body, headers=HEADERS)
            http.get(answer.json()["data"][0]["url"]).raise_for_status()
            theirs.append(time.perf_counter() - began)
            run = page.locator("#text-run:enabled")
            run.wait_for()
            run.click()
            shown = page.wait_for_function(SHOWN % 1, arg=seen, polling="raf").json_value()
            seen += shown["sources"]
            ours.append((shown["at"] - page.evaluate("window.clicked")) / 1000)
    page.context.close()
    return statistics.median(ours), statistics.median(theirs)


def loading(browser: Browser, programs: tuple[Program, ...], rounds: int) -> list[Load]:
    """How each program's page loads in a browser that never saw it: medians of rounds in turns."""
    loads: list[list[Load]] = [[] for _ in programs]
    for _ in range(rounds):
        for program, seen in zip(programs, loads, strict=True):
            page, traffic, seconds = opened(browser, program.url)
            page.wait_for_timeout(1500)  # what comes after the first button counts for the bytes
            seen.append(Load(seconds, traffic.bytes, traffic.hosts <= {"127.0.0.1", None, ""}))
            page.context.close()
    return [sorted(seen)[rounds // 2] for seen in loads]


def bytes_of_results(browser: Browser, app: Program, upstream: Program) -> tuple[int, int]:
    """Bytes from the click until four photograph-like results are seen, and of the four originals."""
    page, traffic, _ = opened(browser, app.url)
    page.locator("#text-prompt textarea").fill("a photo")
    count = page.locator("#text-count input[type=number]")
    count.fill("4")
    count.press("Tab")
    page.wait_for_timeout(1500)  # what the page itself loads is over
    before = traffic.bytes
    page.locator("#text-run").click()
    page.wait_for_function(SHOWN % 4, arg=[], polling="raf", timeout=60_000)
    page.wait_for_timeout(1500)
    came = traffic.bytes - before
    page.context.close()
    return came, 4 * len(httpx.get(f"{upstream.url}/photo/0.png").content)
