"""Each fault of the table, played by a server, and what the user reads in the end."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from qwen_demo.api import resending
from qwen_demo.api.client import QwenClient
from qwen_demo.api.requests import ImageRequest, TextToImage
from qwen_demo.i18n import LANGUAGES
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.ui.cards import Cards
from qwen_demo.visitors import Visitor
from qwen_demo.web import Addresses
from tests.conftest import Hurry, ask_for
from tests.faults.cases import (
    BILLED,
    CASES,
    DONE,
    FINE,
    FREE,
    KEY,
    NOT_COME,
    SERVED,
    SLOW,
    UNREACHED,
    WISH,
    Case,
    bad,
)
from tests.faults.server import (
    close,
    drip,
    faulty_server,
    hang,
    http,
    in_turn,
)


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between tries, written down in place of waited."""
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(resending, "pause", pause)
    return waited


@dataclass
class Outcome:
    """What a card says in the end, for the whole order and for the places without a picture."""

    words: str
    reasons: list[str]
    pictures: int


async def order(
    url: str,
    folder: Path,
    asked: ImageRequest,
    *,
    timeout: float = 1.0,
    language: str = "en",
    timer: Hurry | None = None,
) -> Outcome:
    """Order from that API, and read what the page says in the end."""
    orders = Orders(8, timer=timer or Hurry())
    service = Service(QwenClient(KEY, f"{url}/v1", timeout=timeout), orders, Library(folder / "outputs"))
    order = await (await ask_for(service, replace(asked, n=1), asked.n, Visitor("visitor"))).finish()
    await service.aclose()
    kept = list((folder / "outputs").glob("20*/*.png"))
    assert len(kept) == len(order.pictures)
    assert all(KEY.encode() not in path.read_bytes() for path in kept)
    card = Cards(service, Addresses(service.everything, bytes(32)), "visitor", True, language).card(order)
    slots = card["slots"].values()
    return Outcome(card["said"], [slot["failed"] for slot in slots if "id" not in slot], len(order.pictures))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_each_fault_has_an_answer(case: Case, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "qwen_demo")
    # Only what never ends is cut off; all else may take its time on a slow machine.
    timeout = 0.5 if case.post in (hang, drip) else 60.0
    async with faulty_server(case.post, case.get) as server:
        outcome = await order(server.url, tmp_path, case.asked, timeout=timeout)
    assert (outcome.words[: len(case.words)], bool(outcome.words)) == (case.words, case.words != DONE)
    assert outcome.reasons == ([outcome.words] if not outcome.pictures else [NOT_COME] * (case.asked.n - case.pictures))
    assert (server.posts, outcome.pictures) == (case.posts, case.pictures)
    assert server.keys_beside_posts == []
    assert KEY not in f"{outcome.words} {outcome.reasons}"
    assert [secret for secret in (KEY, "secret wish") if secret in caplog.text] == []


async def test_the_waits_are_those_that_the_api_asks_for(tmp_path: Path) -> None:
    case, timer = CASES["429, wait 1 s"], Hurry()
    async with faulty_server(in_turn(http(429, retry_after="7"), FINE), case.get) as server:
        await order(server.url, tmp_path, case.asked, timeout=60.0, timer=timer)
    assert timer.now == 7.0


@pytest.mark.parametrize("language", LANGUAGES)
async def test_words_come_in_the_language_of_the_page(tmp_path: Path, language: str) -> None:
    said = {
        "en": bad("the picture's address has expired or is gone (HTTP 403)"),
        "zh-CN": "无法理解接口的回应：图片地址已过期或不存在（HTTP 403）。",
    }
    async with faulty_server(FINE, http(403)) as server:
        outcome = await order(server.url, tmp_path, WISH, timeout=60.0, language=language)
    assert outcome.words.startswith(said[language])
    assert outcome.reasons == [outcome.words]


# Faults before anything is heard


@contextmanager
def deaf_port() -> Iterator[str]:
    """An address whose line of waiting connections is full, so that connecting to it never ends."""
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


async def test_refused_is_tried_three_times_and_free(tmp_path: Path, waited: list[float]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert (await order(url, tmp_path, WISH)).words == UNREACHED
    assert len(waited) == 2


async def test_an_unknown_host_is_told_as_unreached(tmp_path: Path) -> None:
    assert (await order("http://nowhere.invalid", tmp_path, WISH, timeout=60.0)).words == UNREACHED


async def test_a_wrong_certificate_stops_the_order_before_it_is_sent(tmp_path: Path) -> None:
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(certificate)
    async with faulty_server(FINE, SERVED, certificate) as server:
        outcome = await order(server.url, tmp_path, WISH, timeout=60.0)
    assert outcome.words == UNREACHED
    assert server.posts == 0


async def test_a_connection_that_is_never_made_is_free(tmp_path: Path) -> None:
    with deaf_port() as url:
        outcome = await order(url, tmp_path, WISH)
    assert outcome.words == SLOW.replace(BILLED, FREE)


# Faults of several parts


async def test_the_key_does_not_follow_a_redirect(tmp_path: Path) -> None:
    async with (
        faulty_server(FINE, SERVED) as elsewhere,
        faulty_server(http(307, location=f"{elsewhere.url}/v1/images/generations"), close) as server,
    ):
        outcome = await order(server.url, tmp_path, WISH, timeout=60.0)
    assert outcome.words.startswith("Nothing like the API answers at 127.0.0.1.")
    assert (server.posts, elsewhere.posts, elsewhere.gets) == (1, 0, 0)


@pytest_asyncio.fixture
async def slow_service(tmp_path: Path) -> AsyncIterator[tuple[Service, asyncio.Event, asyncio.Event]]:
    """A service whose API answers when it is let, and the events "an order came" and "answer now"."""
    go = asyncio.Event()

    async def wait(exchange: object) -> None:
        await go.wait()

    async def answer(exchange: object) -> None:
        await wait(exchange)
        await FINE(exchange)  # type: ignore[arg-type]

    async with faulty_server(answer, SERVED) as server:
        client = QwenClient(KEY, f"{server.url}/v1")
        service = Service(client, Orders(1), Library(tmp_path / "outputs"))
        yield service, server.arrived, go
        await service.aclose()
        assert server.posts == 1


async def test_cancelled_in_the_middle_what_was_sent_still_arrives_and_the_rest_is_dropped(
    slow_service: tuple[Service, asyncio.Event, asyncio.Event],
) -> None:
    service, arrived, go = slow_service
    order = await ask_for(service, TextToImage(prompt="a secret wish", seed=1), 3, Visitor("visitor"))
    await arrived.wait()
    assert order.cancel() == 1
    go.set()
    await order.finish()
    assert len(order.pictures) == 1
    assert service.everything.count() == 1


async def test_whoever_stops_watching_in_the_middle_loses_nothing(
    slow_service: tuple[Service, asyncio.Event, asyncio.Event],
) -> None:
    service, arrived, go = slow_service
    order = await ask_for(service, TextToImage(prompt="a secret wish", seed=1), 1, Visitor("visitor"))
    watcher = asyncio.create_task(order.finish())
    await arrived.wait()
    watcher.cancel()
    go.set()
    assert len((await order.finish()).pictures) == 1
    assert service.everything.count() == 1
