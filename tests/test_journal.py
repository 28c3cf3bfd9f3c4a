"""The journal: what is on disk at each moment is enough to go on."""

import asyncio
import base64
import io
import json
import os
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import BadResponse
from qwen_demo.api.requests import ImageEdit, TextToImage
from qwen_demo.call import State
from qwen_demo.entries import Unanswered
from qwen_demo.journal import Journal
from qwen_demo.library import Library
from qwen_demo.order import NotSent, Order, Terms
from qwen_demo.orders import Orders, TooManyOrders
from qwen_demo.quota import Quota
from qwen_demo.service import Service
from qwen_demo.visitors import Visitor, kept_secret
from tests.conftest import ask_for

KEY = "sk-the-owners-0123456789"
ANN = Visitor("ann", ("cookie ann", "address 1"))
HILL = TextToImage(prompt="a hill", seed=10, response_format="b64_json")


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(buffer, "PNG")
    return buffer.getvalue()


def answer(**more: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": [{"b64_json": base64.b64encode(png()).decode()}], **more})


def make(
    folder: Path, handler: Callable[[httpx.Request], Any], at_once: int = 8, quota: Quota | None = None
) -> Service:
    client = QwenClient(KEY, "https://api.example/v1", transport=httpx.MockTransport(handler))
    return Service(client, Orders(at_once), Library(folder), quota=quota)


def pictures(folder: Path) -> list[Path]:
    return sorted(folder.glob("20*/*.png"))


def stands(folder: Path) -> list[Path]:
    """The journal's files, without those that tell who lives."""
    return list((folder / ".orders").glob("[!.]*"))


async def dropped(service: Service) -> None:
    """As after `kill -9`: whatever is under way ends where it is."""
    for order in service.orders._orders.values():
        for task in (order.task, *(call.task for call in order.calls)):
            if task:
                task.cancel()
    await asyncio.sleep(0)
    await asyncio.to_thread(service.delivery._desk.shutdown)  # a process that is killed writes nothing more


async def again(before: Service, handler: Callable[[httpx.Request], Any]) -> tuple[Service, list[Order]]:
    """The app, started anew on the folder of one that has ended, once what it took up has come to its end."""
    before.journal.life.end()
    service = make(before.everything.root, handler)
    await service.running.resume()
    orders = list(service.orders._orders.values())
    for order in orders:
        await order.finish()
    return service, orders


def never(_: httpx.Request) -> httpx.Response:
    raise AssertionError("nothing is sent")


async def test_a_finished_order_stands_in_the_journal_without_its_answer_and_without_a_key(tmp_path: Path) -> None:
    service = make(tmp_path, lambda _: answer(request_id="r-1", usage={"total_tokens": 3}, echo=f"Bearer {KEY}"))
    order = await (await ask_for(service, HILL, 2, Visitor("ann", ("cookie ann",), KEY[:0]))).finish()
    (file,) = stands(tmp_path)
    entry = json.loads(file.read_text(encoding="utf-8"))
    assert [call["state"] for call in entry["calls"]] == ["done", "done"]
    assert (entry["visitor"], entry["calls"][0]["asked"]["prompt"]) == ("ann", "a hill")
    assert KEY not in file.read_text(encoding="utf-8")
    found, (order_again,) = await again(service, never)
    assert [picture.path for picture in order_again.pictures] == [picture.path for picture in order.pictures]
    assert (order_again.usage, order_again.request_ids) == ({"total_tokens": 6}, ["r-1", "r-1"])
    assert found.orders.of("ann") == [order_again]
    assert found.orders.find(order_again.id, "bob") is None


async def test_an_answer_is_on_disk_before_it_is_understood_and_read_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make(tmp_path, lambda _: answer())
    hung, go = asyncio.Event(), asyncio.Event()

    async def hang(*_: object) -> None:
        hung.set()
        await go.wait()

    monkeypatch.setattr(service.delivery, "_take_in", hang)
    await ask_for(service, HILL, 1, ANN)
    await asyncio.wait_for(hung.wait(), 30)
    await dropped(service)
    assert len(list((tmp_path / ".orders").glob("*.answer"))) == 1
    later, (order,) = await again(service, never)
    assert (order.problems, len(order.pictures), len(pictures(tmp_path))) == ([], 1, 1)
    assert list((tmp_path / ".orders").glob("*.answer")) == []
    await again(later, never)
    assert len(pictures(tmp_path)) == 1


async def test_a_picture_that_was_saved_before_the_end_is_not_saved_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make(tmp_path, lambda _: answer())
    saved, go = asyncio.Event(), asyncio.Event()
    note = service.delivery.note

    async def hang_when_saved(order: Order, *how: Any) -> None:
        if order.pictures:
            saved.set()
            await go.wait()
        await note(order, *how)

    monkeypatch.setattr(service.delivery, "note", hang_when_saved)
    await ask_for(service, HILL, 1, ANN)
    await asyncio.wait_for(saved.wait(), 30)
    await dropped(service)
    assert len(pictures(tmp_path)) == 1
    _, (order,) = await again(service, never)
    assert [picture.path for picture in order.pictures] == pictures(tmp_path)


async def test_what_was_sent_without_an_answer_is_told_and_ordered_again_with_one_call(tmp_path: Path) -> None:
    sent = asyncio.Event()

    async def hang(_: httpx.Request) -> httpx.Response:
        sent.set()
        await asyncio.Event().wait()
        return answer()

    service = make(tmp_path, hang, 1)
    await ask_for(service, HILL, 2, ANN)
    await asyncio.wait_for(sent.wait(), 30)
    await dropped(service)
    found, (order,) = await again(service, lambda _: answer())
    assert [type(problem) for problem in order.problems] == [Unanswered, NotSent]
    assert [problem.may_be_billed for problem in order.problems] == [True, False]
    assert str(order.problems[0]) == "the app was ended while the call with seed 10 was on its way"
    assert found.orders.unread("ann") == [order]
    assert found.orders.unread("bob") == []
    (placed,) = await found.order_again(order, ANN)
    assert [picture.seed for picture in (await placed.finish()).pictures] == [10]
    assert found.orders.unread("ann") == []


async def test_orders_of_before_that_go_on_wait_in_the_line_of_all(tmp_path: Path) -> None:
    sent, now, most = asyncio.Event(), 0, 0

    async def hang(_: httpx.Request) -> httpx.Response:
        sent.set()
        await asyncio.Event().wait()
        return answer()

    async def noted(_: httpx.Request) -> httpx.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return answer()

    service = make(tmp_path, hang, 1)
    for _ in range(3):
        await ask_for(service, HILL, 3, ANN)
    await asyncio.wait_for(sent.wait(), 30)
    async for _ in service.orders.follow("ann", every=0.01):
        if len(stands(tmp_path)) == 3:  # the others are written down beside it
            break
    await dropped(service)
    service.journal.life.end()
    later = make(tmp_path, noted, 2)
    await later.running.resume()
    for order in later.orders.of("ann"):
        await later.go_on(order, ANN)
    assert sum([len((await order.finish()).pictures) for order in later.orders.of("ann")]) == 8
    assert most == 2


async def test_an_edit_is_ordered_again_with_the_pictures_that_are_kept(tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []

    def lose(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        if len(bodies) == 1:
            raise httpx.ReadError("the line broke")
        return answer()

    service = make(tmp_path, lose)
    photo = tmp_path / "photo.png"
    photo.write_bytes(png())
    edit = ImageEdit(prompt="warmer", image=await service.uploads.reference(photo, ANN), seed=1)
    order = await (await ask_for(service, edit, 1, ANN)).finish()
    assert [call.state for call in order.lost] == [State.SENT]
    (placed,) = await service.order_again(order, ANN)
    assert len((await placed.finish()).pictures) == 1
    assert bodies[0] == bodies[1]


async def test_what_is_lost_is_ordered_again_once_however_often_that_is_pressed(tmp_path: Path) -> None:
    posts, losing = 0, True

    def lose(_: httpx.Request) -> httpx.Response:
        nonlocal posts
        posts += 1
        if losing:
            raise httpx.ReadError("the line broke")
        return answer()

    service = make(tmp_path, lose)
    order = await (await ask_for(service, HILL, 3, ANN)).finish()
    other, (known,) = await again(service, lose)
    losing = False
    presses = [other.order_again(known, ANN), other.order_again(known, ANN), service.order_again(order, ANN)]
    first, second, third = await asyncio.gather(*presses, return_exceptions=True)
    assert (second, type(third)) == ([], TooManyOrders)
    assert isinstance(first, list)
    placed = [await one.finish() for one in first]
    assert ([one.request.seed for one in placed], posts) == ([10, 11, 12], 6)


async def test_what_an_order_was_made_from_and_its_shape_outlive_the_app(tmp_path: Path) -> None:
    service = make(tmp_path, lambda _: answer())
    drawn = await (await ask_for(service, replace(HILL, size="928x1664"), 1, ANN)).finish()
    fields: dict[str, Any] = {"prompt": "warmer", "model": "qwen-image-edit-plus", "seed": 1}
    edit = await (await service.order_from("edit", [drawn.pictures[0].path], 1, ANN, **fields)).finish()
    (source,) = (entry for entry in service.everything.newest_first() if entry.path == drawn.pictures[0].path)
    assert (drawn.terms.shape, edit.terms.shape, edit.terms.sources) == (
        (928, 1664),
        (384, 384),
        (source.id,),
    )  # made ready, it is larger
    later, orders = await again(service, never)
    assert [order.terms for order in orders] == [drawn.terms, edit.terms]
    for file in (tmp_path / ".orders").glob("*.json"):  # as it was before these were written down
        entry = json.loads(file.read_bytes())
        terms = entry.pop("terms")
        file.write_text(json.dumps({**entry, "own_key": terms["own_key"], "references": terms["references"]}))
    _, orders = await again(later, never)
    assert {order.terms for order in orders} == {Terms(), Terms(references=edit.terms.references)}


async def test_one_picture_of_an_order_is_ordered_again_alone(tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        if len(bodies) == 2:
            return httpx.Response(400, json={"error": {"code": "2001", "message": "DataInspectionFailed"}})
        return answer()

    service = make(tmp_path, refuse)
    order = await (await ask_for(service, HILL, 3, ANN)).finish()
    ((place, _),) = order.reasons.items()
    assert await service.order_again(order, ANN, 7) == []
    (placed,) = await service.order_again(order, ANN, place)
    await placed.finish()
    assert (placed.n, placed.request.seed, len(placed.pictures)) == (1, 10 + place, 1)
    assert bodies[3] == bodies[1]
    assert len(bodies) == 4


async def test_an_order_whose_pictures_are_here_is_not_fetched_again(tmp_path: Path) -> None:
    service = make(tmp_path, lambda _: httpx.Response(400, json={"error": {"code": "2004", "message": "no"}}))
    order = await (await ask_for(service, HILL, 2, ANN)).finish()
    told = dict(order.reasons)
    service.running.fetch_again(order)
    assert (order.finished, order.reasons, sorted(told)) == (True, told, [0, 1])


async def test_what_cant_be_understood_stays_and_is_read_once_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make(tmp_path, lambda _: httpx.Response(200, json={"pictures_of_the_future": ["?"]}))
    order = await (await ask_for(service, HILL, 1, ANN)).finish()
    assert [type(problem) for problem in order.problems] == [BadResponse]
    assert service.orders.unread("ann") == [order]
    assert b"pictures_of_the_future" in service.journal.answer(order, order.unread[0])
    later, (order,) = await again(service, never)
    assert [str(problem) for problem in order.problems] == ["the answer holds no picture"]
    monkeypatch.setattr("qwen_demo.api.responses._PICTURES", ("pictures_of_the_future",))
    service.journal.answer_file(order, order.unread[0]).write_bytes(
        json.dumps({"pictures_of_the_future": [base64.b64encode(png()).decode()]}).encode()
    )
    later.running.fetch_again(order)
    assert len((await order.finish()).pictures) == 1
    assert order.problems == []
    assert later.orders.unread("ann") == []


async def test_a_picture_that_found_no_room_on_disk_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make(tmp_path, lambda _: answer())
    monkeypatch.setattr(Library, "save", full(Library.save, tmp_path))
    order = await (await ask_for(service, HILL, 1, ANN)).finish()
    assert (len(order.pictures), len(order.unread)) == (1, 1)
    monkeypatch.undo()
    service.running.fetch_again(order)
    await order.finish()
    assert [picture.path for picture in order.pictures] == pictures(tmp_path)
    assert (order.unread, order.problems) == ([], [])


def full(save: Callable[..., Path], root: Path) -> Callable[..., Path]:
    def refuse(library: Library, *args: Any, **named: Any) -> Path:
        if library.root.is_relative_to(root):
            raise OSError(28, "No space left on device")
        return save(library, *args, **named)

    return refuse


async def test_what_nobody_wants_is_dropped(tmp_path: Path) -> None:
    service = make(tmp_path, lambda _: httpx.Response(200, json={}))
    order = await (await ask_for(service, HILL, 1, ANN)).finish()
    assert service.orders.unread("ann") == [order]
    await service.running.forget(order)
    assert service.orders.unread("ann") == []
    assert stands(tmp_path) == []


async def test_a_task_in_place_of_a_picture_is_told_and_kept(tmp_path: Path) -> None:
    body = {"output": {"task_id": "t1", "task_status": "PENDING"}, "request_id": "r"}
    service = make(tmp_path, lambda _: httpx.Response(200, json=body))
    order = await (await ask_for(service, HILL, 1, ANN)).finish()
    assert [str(problem) for problem in order.problems] == ["it began a task, t1, in place of a picture"]
    assert b'"t1"' in service.journal.answer(order, order.unread[0])


async def test_files_of_the_journal_go_when_they_are_old_and_read(tmp_path: Path) -> None:
    service = make(tmp_path, lambda _: httpx.Response(200, json={}))
    await (await ask_for(service, HILL, 1, ANN)).finish()
    fine = make(tmp_path, lambda _: answer())
    await (await ask_for(fine, HILL, 1, ANN)).finish()
    files = stands(tmp_path)
    assert len(files) == 3
    for days, left in ((2, 2), (31, 0)):
        for file in files:
            if file.exists():
                os.utime(file, (time.time() - days * 86400,) * 2)
        service.journal.sweep()
        assert len(stands(tmp_path)) == left


async def test_a_broken_file_of_the_journal_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    service = make(tmp_path, lambda _: answer())
    await (await ask_for(service, HILL, 1, ANN)).finish()
    (file,) = stands(tmp_path)
    entry = json.loads(file.read_bytes())
    odd: dict[str, dict[str, Any]] = {
        "calls": {"calls": [None]},
        "none": {"calls": []},
        "pictures": {"pictures": []},
        "elsewhere": {"id": "../../elsewhere"},
    }
    for name, text in (("a", "{"), ("b", "[]"), ("c", "{}"), ("d", '{"process": 1}'), ("deep", "[" * 200_000)):
        file.with_name(f"{name}.json").write_text(text, encoding="utf-8")
    for name, told in odd.items():
        file.with_name(f"{name}.json").write_text(json.dumps({**entry, "id": name, **told}))
    _, orders = await again(service, never)
    assert len(orders) == 1
    assert caplog.text.count("can't be read") == 9


async def test_an_order_that_cant_be_taken_up_stops_neither_the_start_nor_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = make(tmp_path, lambda _: answer())
    await (await ask_for(service, HILL, 1, ANN)).finish()
    (file,) = stands(tmp_path)
    entry = json.loads(file.read_bytes())
    (call,) = entry["calls"]
    odd: dict[str, dict[str, Any]] = {
        "whose": {"visitor": [1]},
        "count": {"charge": [["a", "b"]], "calls": [{**call, "charged": True}]},
    }
    for number, (name, told) in enumerate(odd.items()):
        file.with_name(f"{name}.json").write_text(json.dumps({**entry, "id": name, **told}))
        os.utime(file.with_name(f"{name}.json"), (number, number))  # before it
    service.journal.life.end()
    later = make(tmp_path, never, quota=Quota("9/day", ""))
    await later.running.resume()
    assert {order.id for order in later.orders.of("ann")} == {file.stem, "count"}
    assert "order whose is not taken up" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
async def test_what_is_no_file_keeps_nobody_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    service = make(tmp_path, lambda _: answer())
    order = await (await ask_for(service, HILL, 1, ANN)).finish()
    folder = tmp_path / ".orders"
    (folder / "x.json").symlink_to(folder / "x.json")
    (folder / "folder.json").mkdir()
    (folder / ".life-folder").mkdir()
    (folder / ".life-link").symlink_to(folder / ".life-link")
    (folder / "**").write_text("")
    later, orders = await again(service, never)
    assert [found.id for found in orders] == [order.id]
    assert not later.journal.someone_ended()
    later.journal.sweep()
    assert caplog.text.count("can't be read") == 1  # the folder


async def test_an_answer_stays_until_it_is_written_down_that_its_pictures_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make(tmp_path, lambda _: answer())
    monkeypatch.setattr(Journal, "_put", full_once(lambda calls: any(call["state"] == State.DONE for call in calls)))
    await (await ask_for(service, HILL, 1, ANN)).finish()
    assert len(list((tmp_path / ".orders").glob("*.answer"))) == 1
    monkeypatch.undo()
    _, (order,) = await again(service, never)
    assert [picture.path for picture in order.pictures] == pictures(tmp_path)
    assert [file.suffix for file in stands(tmp_path)] == [".json"]


def full_once(so_far: Callable[[list[dict[str, Any]]], bool]) -> Callable[..., None]:
    """How a journal puts down an order whose disk is full once the calls are so far."""
    put = Journal._put

    def refuse(journal: Journal, path: Path, entry: dict[str, Any], changed: int | None = None) -> None:
        if so_far(entry["calls"]):
            raise OSError(28, "No space left on device")
        put(journal, path, entry, changed)

    return refuse


def test_the_cookies_secret_outlives_the_process_and_is_the_owners_alone(tmp_path: Path) -> None:
    first = kept_secret(tmp_path / "new")
    assert len(first) == 32
    assert kept_secret(tmp_path / "new") == first
    assert stat.S_IMODE((tmp_path / "new" / ".secret").stat().st_mode) == 0o600
    assert kept_secret(tmp_path / "other") != first
    (tmp_path / "file").write_text("")
    assert len(kept_secret(tmp_path / "file")) == 32
