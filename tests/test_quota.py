"""What may be spent, and by whom."""

import asyncio
import socket
import time
from functools import partial
from pathlib import Path

import httpx
import pytest

from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import APIError
from qwen_demo.api.requests import ImageEdit, TextToImage
from qwen_demo.library import Library
from qwen_demo.orders import Orders, ShuttingDown
from qwen_demo.quota import Counter, OverQuota, Quota, QuotaUnknown
from qwen_demo.service import Service
from qwen_demo.visitors import BadKey, NoOwnKeys, OwnKeys, Visitor, masked
from tests.conftest import KEY, Backend, ask_for

ANN = Visitor("ann", ("cookie ann", "address 1"))
BOB = Visitor("bob", ("cookie bob", "address 2"))
ANN_AGAIN = Visitor("ann-2", ("cookie ann-2", "address 1"))
OWN = "sk-own-0123456789abcdef"


async def outcome(quota: Quota, visitor: Visitor, pictures: int = 1) -> str:
    """ "yes", or who is over the quota and how many are left."""
    try:
        await quota.charge(visitor, pictures)
    except OverQuota as error:
        return f"{error.whose} {error.left}"
    return "yes"


async def test_of_many_at_once_exactly_as_many_pass_as_there_are() -> None:
    quota = Quota("20/day", "")
    answers = await asyncio.gather(*(outcome(quota, ANN) for _ in range(500)))
    assert answers.count("yes") == 20
    assert await quota.left(ANN) == 0
    assert await quota.left(BOB) == 20


async def test_a_new_cookie_brings_no_new_quota() -> None:
    quota = Quota("3/day", "")
    assert await outcome(quota, ANN, 3) == "yes"
    assert await outcome(quota, ANN_AGAIN) == "visitor 0"
    assert await outcome(quota, BOB) == "yes"


async def test_all_together_have_a_limit_too_and_a_refusal_costs_nothing() -> None:
    quota = Quota("4/day", "6/day")
    assert await outcome(quota, ANN, 4) == "yes"
    assert await outcome(quota, BOB, 3) == "total 2"
    assert await quota.left(BOB) == 2
    assert await outcome(quota, BOB, 2) == "yes"
    assert await outcome(quota, BOB) == "total 0"


async def test_what_is_given_back_can_be_ordered_again_in_the_same_window_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quota = Quota("4/hour", "")
    charge = await quota.charge(ANN, 4)
    await charge.give_back(3)
    assert await quota.left(ANN) == 3
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    assert await quota.left(ANN) == 4
    await charge.give_back(1)
    assert await quota.left(ANN) == 4


async def test_a_count_that_is_lost_halfway_charges_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    quota, add = Quota("20/day", "300/day"), Quota.add

    async def away_for_the_total(self: Quota, counter: Counter, pictures: int) -> int:
        if "/total/" in counter[0]:
            raise QuotaUnknown
        return await add(self, counter, pictures)

    monkeypatch.setattr(Quota, "add", away_for_the_total)
    with pytest.raises(QuotaUnknown):
        await quota.charge(ANN, 3)
    monkeypatch.undo()
    assert await quota.left(ANN) == 20


async def test_without_its_storage_the_answer_is_no() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        quota = Quota("20/day", "", f"redis://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(QuotaUnknown):
            await quota.charge(ANN, 1)
        with pytest.raises(QuotaUnknown):
            await quota.left(ANN)


def make_service(folder: Path, keyed: QwenClient | None = None) -> tuple[Service, Backend]:
    backend = Backend()
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    return Service(client, Orders(8), Library(folder), quota=Quota("6/day", ""), keyed=keyed), backend


def refuse(status: int, request: httpx.Request) -> httpx.Response:
    return httpx.Response(status, json={"message": "no"})


async def test_only_what_was_surely_not_billed_is_given_back(tmp_path: Path) -> None:
    service, backend = make_service(tmp_path)
    left = []
    for status in (400, 500):
        backend.refusal = partial(refuse, status)
        order = await (await ask_for(service, TextToImage(prompt="a"), 2, ANN)).finish()
        assert all(isinstance(problem, APIError) for problem in order.problems)
        left.append(await service.left(ANN))
    assert left == [6, 4]
    await service.aclose()


async def test_pictures_that_did_not_come_and_calls_that_were_not_sent_are_given_back(tmp_path: Path) -> None:
    service, backend = make_service(tmp_path)
    answer = {"data": [{"url": "http://offline/none"}], "usage": {}}
    backend.refusal = lambda request: httpx.Response(200, json=answer)
    edit = ImageEdit(prompt="a", image="https://pictures.example/a.png")
    assert len((await (await ask_for(service, edit, 3, ANN)).finish()).problems) == 1
    assert await service.left(ANN) == 5
    order = await ask_for(service, TextToImage(prompt="a"), 4, ANN)
    order.cancel()
    await order.finish()
    assert await service.left(ANN) == 5
    service.orders.draining = True
    with pytest.raises(ShuttingDown):
        await ask_for(service, edit, 3, ANN)
    assert await service.left(ANN) == 5
    await service.aclose()


async def test_own_keys_are_used_and_not_counted(tmp_path: Path) -> None:
    sent: list[str] = []

    def api(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"])
        return httpx.Response(401, json={"code": "2101", "message": f"bad key {OWN}"})

    keyed = QwenClient("", "http://api.example/v1", transport=httpx.MockTransport(api))
    service, _ = make_service(tmp_path, keyed)
    assert service.own_keys is not None
    service.own_keys.put("ann", OWN)
    with_header = Visitor("bob", ("cookie bob",), key=OWN)
    for visitor in (ANN, with_header):
        order = await (await ask_for(service, TextToImage(prompt="a"), 1, visitor)).finish()
        assert OWN not in str(order.problems[0])
    assert sent == [f"Bearer {OWN}"] * 2
    assert await service.left(BOB) == 6
    assert await service.left(ANN) is None
    service.own_keys.forget("ann")
    assert await service.left(ANN) == 6
    assert OWN not in repr(with_header)
    with pytest.raises(BadKey):
        await ask_for(service, TextToImage(prompt="a"), 1, Visitor("bob", (), key="sk-“curly”-quotes"))
    await service.aclose()


async def test_a_key_is_refused_where_none_is_taken_and_not_spent_on_the_owners(tmp_path: Path) -> None:
    service, backend = make_service(tmp_path)
    with pytest.raises(NoOwnKeys):
        await ask_for(service, TextToImage(prompt="a"), 1, Visitor("bob", (), key=OWN))
    assert backend.orders == []
    await service.aclose()


def test_keys_are_held_for_a_while_and_shown_masked() -> None:
    keys = OwnKeys()
    keys.put("ann", f" {OWN}\n")
    assert (keys.find("ann"), keys.find("bob")) == (OWN, "")
    assert masked(OWN) == "sk-…cdef"
    assert masked("12345678") == "…"
    old = OwnKeys(keep=-1.0)
    old.put("ann", OWN)
    assert old.find("ann") == ""
