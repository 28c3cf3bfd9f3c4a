"""Pictures as a ZIP: the originals, to whom they belong, one at a time, and never much of it in memory."""

import asyncio
import io
import os
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message

from qwen_demo import archive
from qwen_demo.api.client import QwenClient
from qwen_demo.archive import PIECE, Archives, NotOffered, UnderWay, zipped
from qwen_demo.library import Entry, Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.ui.archive import archive_route
from tests.conftest import KEY, Backend, RunningApp, launched
from tests.test_attacks import draw_on_the_page


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    """Pictures of several sizes, as far as a ZIP is concerned."""
    found = []
    for number, size in enumerate((5, PIECE, 2 * PIECE + 1)):
        path = tmp_path / f"153012-a-cat-{number}.png"
        path.write_bytes(os.urandom(size))
        found.append(Entry(f"2026-11-22/{path.name}", path, (1, 1), None))
    return found


def by_name(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries}


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


async def fetch(archives: Archives, ticket: str) -> httpx.Response:
    transport = httpx.ASGITransport(Starlette(routes=[archive_route(archives)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
        return await http.get("/pictures.zip", params={"ticket": ticket})


def test_it_holds_the_originals_in_small_pieces_and_leaves_out_what_is_gone(entries: list[Entry]) -> None:
    gone = Entry("2026-11-22/gone.png", entries[0].path.with_name("gone.png"), (1, 1), None)
    pieces = list(zipped(by_name([*entries[:1], gone, *entries[1:]])))
    assert unzipped(b"".join(pieces)) == {entry.name: entry.path.read_bytes() for entry in entries}
    assert max(map(len, pieces)) < PIECE + 1000
    assert unzipped(b"".join(zipped({}))) == {}


async def test_a_ticket_is_good_once(entries: list[Entry]) -> None:
    archives = Archives()
    ticket = archives.offer("alice", by_name(entries))
    came = await fetch(archives, ticket)
    assert (came.status_code, came.headers["content-type"]) == (200, "application/zip")
    assert came.headers["content-disposition"] == 'attachment; filename="qwen-images.zip"'
    assert unzipped(came.content) == {entry.name: entry.path.read_bytes() for entry in entries}
    for wrong in (ticket, "", "guessed"):
        assert (await fetch(archives, wrong)).status_code == 404


def test_offers_that_nobody_takes_are_forgotten(entries: list[Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST", 2)
    archives = Archives()
    first, *others = (archives.offer("alice", by_name(entries)) for _ in range(3))
    with pytest.raises(NotOffered), archives.sent(first):
        pass
    for ticket in others:
        with archives.sent(ticket) as pieces:
            assert next(pieces)


async def test_one_at_a_time_no_more_read_than_taken_and_the_end_when_the_visitor_goes(entries: list[Entry]) -> None:
    archives = Archives()
    first, second = (archives.offer("alice", by_name(entries)) for _ in range(2))
    stalled, gone = asyncio.Event(), asyncio.Event()
    sent: list[bytes] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            sent.append(message["body"])
            stalled.set()
            await asyncio.Event().wait()  # takes nothing more

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    asked: dict[str, Any] = {"type": "http", "method": "GET", "query_string": f"ticket={first}".encode(), "headers": []}
    scope = {**asked, "asgi": {"spec_version": "2.3"}}
    sending = asyncio.ensure_future(archive_route(archives).app(scope, receive, send))
    await stalled.wait()
    assert (await fetch(archives, second)).status_code == 429
    with pytest.raises(UnderWay):
        archives.offer("alice", by_name(entries))
    assert (await fetch(archives, archives.offer("bob", by_name(entries)))).status_code == 200
    assert [len(piece) < 1000 for piece in sent] == [True]  # the first picture is small; the others wait
    gone.set()
    await asyncio.wait_for(sending, 30)
    assert len(unzipped((await fetch(archives, second)).content)) == 3  # refused before, and still good


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningApp, Service]]:
    backend = Backend()
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    service = Service(client, Orders(8), Library(tmp_path_factory.mktemp("zip")), public=True)
    with launched(service, QWEN_DEMO_PUBLIC="1") as url:
        yield RunningApp(url, backend), service


def test_the_page_offers_own_pictures_alone(public: tuple[RunningApp, Service]) -> None:
    app, service = public
    with httpx.Client(base_url=app.url, timeout=60) as owner, httpx.Client(base_url=app.url, timeout=60) as thief:
        thief.get("/")
        ids = draw_on_the_page(owner, "a wish", 2)
        originals = {
            path.relative_to(path.parents[1]).as_posix(): path for path in service.everything.root.glob("*/20*/*.png")
        }
        assert len(originals) == 2

        def offered(http: httpx.Client, *asked: str) -> httpx.Response:
            return http.post("/board/act", json={"act": "zip", "ids": asked})

        assert [offered(thief, *ids).status_code, offered(owner, *originals).status_code] == [404, 404]
        assert offered(owner).status_code == offered(owner, "reference-" + "f" * 64).status_code == 404
        ticket = offered(owner, *ids, "2026-11-22-" + "f" * 24).json()["ticket"]
        assert thief.get("/pictures.zip", params={"ticket": f"{ticket}x"}).status_code == 404
        came = owner.get("/pictures.zip", params={"ticket": ticket})
        assert unzipped(came.content) == {name: path.read_bytes() for name, path in originals.items()}
        assert owner.get("/pictures.zip", params={"ticket": ticket}).status_code == 404


def test_a_second_one_is_refused_in_words_while_the_first_is_being_sent(public: tuple[RunningApp, Service]) -> None:
    app, service = public
    with httpx.Client(base_url=app.url, timeout=60) as owner:
        (id,) = draw_on_the_page(owner, "a wish")
        asked = {"act": "zip", "ids": [id]}
        with service.archives.sent(owner.post("/board/act", json=asked).json()["ticket"]):
            answer = owner.post("/board/act", json=asked)
            assert (answer.status_code, answer.json()["detail"].partition(".")[0]) == (
                409,
                "A ZIP is still being downloaded",
            )
        assert owner.post("/board/act", json=asked).status_code == 200


def test_who_goes_away_in_the_middle_can_have_the_next_one(public: tuple[RunningApp, Service], tmp_path: Path) -> None:
    app, service = public
    large = tmp_path / "large.png"
    large.touch()
    os.truncate(large, 200 * PIECE)  # more than fits between the app and who takes nothing
    entries = [Entry("2026-11-22/large.png", large, (1, 1), None)]
    url = f"{app.url}/pictures.zip?ticket={service.archives.offer('alice', by_name(entries))}"
    with httpx.stream("GET", url) as answer:
        assert next(answer.iter_raw())
        with pytest.raises(UnderWay):
            service.archives.offer("alice", by_name(entries))
    deadline = time.monotonic() + 60
    while True:
        try:
            assert service.archives.offer("alice", by_name(entries))
            break
        except UnderWay:
            assert time.monotonic() < deadline
            time.sleep(0.01)
