"""Rows seen in a real Chromium: the click, the page, the bytes."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright

from tests.browser import chromium

from .load import HEADERS
from .processes import Program

SHOWN = """seen => {
  const whole = [...document.querySelectorAll('#feed .slot img')].filter(i => i.complete && i.naturalWidth > 300);
  const fresh = whole.filter(i => !seen.includes(i.src));
  return new Set(fresh.map(i => i.src)).size >= %d && { sources: fresh.map(i => i.src), at: performance.now() };
}"""
CLICKED = "document.addEventListener('click', () => { window.clicked = performance.now(); }, true)"
CARD = "n => document.querySelectorAll('#feed .card').length > n && performance.now()"
QUIET = "n => document.querySelectorAll('#feed .card:not([data-state=running])').length >= n"
UPDATES = """
window.updates = [];
Object.defineProperty(EventSource.prototype, "onmessage", { set(hear) {
  this.addEventListener("message", (event) => {
    const began = performance.now();
    hear.call(this, event);
    document.body.offsetHeight; // laid out, too
    window.updates.push({ took: performance.now() - began, bytes: new Blob([event.data]).size });
  });
} });
"""
ROWS = """() => {
  const images = [...document.querySelectorAll("#library [data-act=open] img")].filter((image) => {
    const { top, bottom } = image.getBoundingClientRect();
    return top < innerHeight && bottom > 0; // those outside of the window are loaded ahead
  });
  return images.length > 9 && images.every((image) => image.complete && image.naturalWidth) && performance.now();
}"""
SCROLL = """async () => {
  const frames = [], height = document.documentElement.scrollHeight;
  let last = performance.now();
  for (let at = 0; at < 120; at++) {
    scrollTo(0, at < 90 ? at * 160 : (height * (at - 89)) / 31); // by a wheel, then by the scrollbar
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - last);
    last = performance.now();
  }
  scrollTo(0, 0);
  return Math.max(...frames.slice(1));
}"""
PREVIEW = (
    "() => { const i = document.querySelector('#viewer[open] img'); return i?.naturalWidth > 0 && performance.now(); }"
)


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


def in_feed(page: Page, condition: str, given: object) -> Any:
    """What a condition comes to, as soon as it holds in a frame of the page. Where it never does, the feed says why."""
    try:
        return page.wait_for_function(condition, arg=given, polling="raf").json_value()
    except TimeoutError as error:
        raise RuntimeError(f"the feed says: {page.locator('#feed').inner_text()}") from error


@dataclass(frozen=True)
class Click:
    """Medians of the seconds from the click to the card and to the picture, and of the plain call and fetch."""

    card: float
    picture: float
    plain: float


def click(browser: Browser, app: Program, upstream: Program, rounds: int, before: int = 0) -> Click:
    """What a visitor waits for, and the plain call and fetch, in turns; with so many finished cards in the feed.

    The click and what follows are timed by the page's own clock, so that driving the browser doesn't count.
    """
    app.settle()
    page, _, _ = opened(browser, app.url)
    page.evaluate(CLICKED)
    page.locator("#text-prompt textarea").fill("a hill")
    cards: list[float] = []
    pictures: list[float] = []
    theirs: list[float] = []
    seen: list[str] = []
    with httpx.Client(timeout=60) as http:
        for number in range(before + rounds):
            began = time.perf_counter()
            body = {"prompt": "a hill", "model": "qwen-image-plus", "size": "1328x1328"}
            answer = http.post(f"{upstream.url}/v1/images/generations", json=body, headers=HEADERS)
            http.get(answer.json()["data"][0]["url"]).raise_for_status()
            plain = time.perf_counter() - began
            page.locator("#text-run").click()
            card = in_feed(page, CARD, number)
            shown = in_feed(page, SHOWN % 1, seen)
            seen += shown["sources"]
            clicked = page.evaluate("window.clicked")
            if number >= before:
                theirs.append(plain)
                cards.append((card - clicked) / 1000)
                pictures.append((shown["at"] - clicked) / 1000)
    page.context.close()
    return Click(statistics.median(cards), statistics.median(pictures), statistics.median(theirs))


def long_feed(browser: Browser, app: Program, number: int) -> tuple[float, int]:
    """ms that an update of a feed of so many cards takes in the page, and the most bytes of a picture's message.

    It has that many with the last order: of more, the app would forget one for each that comes.
    """
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    page.add_init_script(UPDATES)
    page.goto(app.url)
    page.locator("#text-prompt textarea").fill("a hill")
    for count in range(number):
        if count == number - 1:
            in_feed(page, QUIET, count)
            page.evaluate("window.updates = []")
        page.locator("#text-run").click()
        in_feed(page, CARD, count)
    in_feed(page, QUIET, number)
    updates = page.evaluate("window.updates")
    page.context.close()
    return statistics.median(update["took"] for update in updates), max(update["bytes"] for update in updates)


def library(browser: Browser, app: Program) -> tuple[float, float, float]:
    """Of a large library: seconds to the first rows, ms of the longest frame of a scroll, ms to an opened preview."""
    page, _, _ = opened(browser, app.url)
    page.evaluate(CLICKED)
    page.get_by_role("tab").nth(3).click()
    shown = page.wait_for_function(ROWS, polling="raf").json_value() - page.evaluate("window.clicked")
    page.wait_for_function("() => document.documentElement.scrollHeight > 50000")  # all is known
    longest = page.evaluate(SCROLL)
    page.wait_for_function(ROWS)
    page.locator("#library [data-act=open]").first.click()
    preview = page.wait_for_function(PREVIEW, polling="raf").json_value() - page.evaluate("window.clicked")
    page.context.close()
    return shown / 1000, longest, preview


def parts(app: Program) -> int:
    """How many parts Gradio makes the page of."""
    return len(httpx.get(f"{app.url}/config").json()["components"])


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
    in_feed(page, SHOWN % 4, [])
    page.wait_for_timeout(1500)
    came = traffic.bytes - before
    page.context.close()
    return came, 4 * len(httpx.get(f"{upstream.url}/photo/0.png").content)
