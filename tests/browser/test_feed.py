"""The feed: a card for each order, whatever becomes of it, wherever one looks at it."""

import asyncio
import base64
import io
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import httpx
import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import BrowserContext, FloatRect, Locator, Page, expect

from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import QwenDemoError
from qwen_demo.i18n import translate
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.recipe import Recipe, embed
from qwen_demo.service import Service
from qwen_demo.usage import Prices
from tests.browser.conftest import PHOTOS, NewContext, Open
from tests.browser.steps import cards, drop, fill_number, run, said, search, tab, tiles, upload, usage
from tests.conftest import KEY, Backend, RunningApp, launched

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
SIZES = {"16:9": (1664, 928), "1:1": (1328, 1328), "3:4": (1140, 1472)}
REFUSED = {"error": {"code": "DataInspectionFailed", "message": "no"}}
SAID_REFUSED = "The prompt or a picture was refused for its content. Change it and try again."
SAID_BROKEN = "The API said no (HTTP 500): broken."
FREE, PERHAPS = "Nothing was billed.", "This may have been billed."
HURRY = """
const patient = window.setTimeout;
window.setTimeout = (then, ms, ...more) => patient(then, ms >= 3000 && ms <= 5000 ? 20 : ms, ...more);
"""
"""Has the page ask again at once, where it would wait for some seconds. To be there before its scripts."""


def colour(seed: int) -> tuple[int, int, int]:
    return seed * 53 % 256, seed * 97 % 256, seed * 151 % 256


@cache
def picture(seed: int, size: tuple[int, int]) -> str:
    """A PNG in one colour, each seed's another, in base64."""
    Image.new("RGB", size, colour(seed)).save(buffer := io.BytesIO(), "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


class Desk:
    """Answers the app in the API's place with a plain picture for each seed, in an order that the test chooses."""

    def __init__(self) -> None:
        self.says: dict[int, httpx.Response] = {}
        """What is answered for these seeds instead of a picture."""
        self._held: set[int] = set()
        self._changed = threading.Condition()

    def hold(self, *seeds: int) -> None:
        self._held.update(seeds)

    def release(self, *seeds: int) -> None:
        """All of them where none are named."""
        with self._changed:
            self._held.difference_update(seeds or [*self._held])
            self._changed.notify_all()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        seed, size = body["seed"], body.get("size", "64x64").split("x")
        with self._changed:
            await asyncio.to_thread(self._wait, seed)
        return self.says.get(seed) or httpx.Response(
            200,
            json={"data": [{"b64_json": picture(seed, (int(size[0]), int(size[1])))}] * body["n"]},
        )
