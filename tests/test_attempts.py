"""What costs the owner no picture, and has an end all the same: refused calls, wrong keys, room on the disk."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import pytest_asyncio

from qwen_demo import decoding, disk, preparing, visitors
from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import Unauthorized
from qwen_demo.api.requests import TextToImage
from qwen_demo.disk import DiskFull, Room
from qwen_demo.i18n import LANGUAGES, translate
from qwen_demo.images import Reference
from qwen_demo.library import Library
from qwen_demo.order import Order
from qwen_demo.orders import Orders
from qwen_demo.quota import Limit, OverQuota, Quota, TooManyAttempts, TooMuchKept
from qwen_demo.service import Service
from qwen_demo.ui.messages import describe, wait
from qwen_demo.visitors import OwnKeys, Visitor
from tests.conftest import KEY, Backend, ask_for

ANN = Visitor("ann", ("cookie ann", "address 1"))
BOB = Visitor("bob", ("cookie bob", "address 2"))
ANN_AGAIN = Visitor("ann-2", ("cookie ann-2", "address 1"))
MADE_UP = "sk-made-up-0123456789ab"
OWN = "sk-own-0123456789abcdef"
WISH = TextToImage(prompt="a")
MB = 1_000_000


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest_asyncio.fixture
async def service(backend: Backend, tmp_path: Path) -> AsyncIterator[Service]:
    client, keyed = (QwenClient(key, "http://offline/v1", transport=backend) for key in (KEY, ""))
    service = Service(
        client,
        Orders(8, each=2),
        Library(tmp_path / "outputs"),
        quota=Quota("20/day", ""),
        attempts="30/day",
        keyed=keyed,
        public=True,
    )
    yield service
    await service.aclose()


def refuse(status: int, code: str = "") -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, json={"code": code, "message": "no"})


async def ordered(service: Service, n: int, visitor: Visitor) -> Order:
    return await (await ask_for(service, WISH, n, visitor)).finish()


async def test_calls_have_a_limit_of_their_own_whoever_pays_for_them(service: Service, backend: Backend) -> None:
    assert service.own_keys
    backend.refusal = refuse(403)
    service.own_keys.put("ann", OWN)
    for _ in range(3):
        await ordered(service, 6, ANN)
    service.own_keys.forget("ann")
    for _ in range(2):
        await ordered(service, 6, ANN)
    assert len(backend.orders) == 30
    for visitor in (ANN, ANN_AGAIN, Visitor("carl", ("cookie carl", "address 1"), key=OWN)):
        with pytest.raises(TooManyAttempts):
            await ask_for(service, WISH, 1, visitor)
    assert await service.left(ANN) == 20
    assert len(backend.orders) == 30
    await ordered(service, 6, BOB)
    assert len(backend.orders) == 36


async def test_what_the_quota_refuses_is_no_attempt(service: Service, backend: Backend) -> None:
    service.running.quota = Quota("1/day", "")
    await ordered(service, 1, ANN)
    for _ in range(100):
        with pytest.raises(OverQuota):
            await ask_for(service, WISH, 1, ANN)
    await ordered(service, 1, Visitor("ann", ANN.counted, key=OWN))
    assert len(backend.orders) == 2


@pytest.mark.parametrize("refusal", [refuse(400), refuse(400, "DataInspectionFailed")])
async def test_of_refused_pictures_as_many_are_given_back_as_the_quota_has(
    service: Service, backend: Backend, refusal: Callable[[httpx.Request], httpx.Response]
) -> None:
    service.running.attempts = Limit("", TooManyAttempts)
    backend.refusal = refusal
    left = []
    for _ in range(6):
        await ordered(service, 5, ANN)
        left.append(await service.left(ANN))
    assert left == [20, 20, 20, 20, 15, 10]
    await ordered(service, 5, ANN_AGAIN)
    await ordered(service, 5, ANN)
    with pytest.raises(OverQuota):
        await ask_for(service, WISH, 1, ANN)
    assert len(backend.orders) == 2 * 20
    assert await service.left(BOB) == 20


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_for_what_the_visitor_can_do_nothing_all_is_given_back(
    service: Service, backend: Backend, status: int
) -> None:
    service.running.attempts = Limit("", TooManyAttempts)
    backend.refusal = refuse(status)
    for _ in range(5):
        await ordered(service, 6, ANN)
    assert await service.left(ANN) == 20


async def test_a_key_that_is_refused_is_not_tried_again(service: Service, backend: Backend) -> None:
    backend.refusal = refuse(401)
    made_up = Visitor("ann", ANN.counted, key=MADE_UP)
    order = await ordered(service, 6, made_up)
    assert {type(problem) for problem in order.problems} == {Unauthorized}
    assert len(backend.orders) == 2  # those that were under way; the four behind them were not sent
    for visitor in (made_up, Visitor("ann-2", ANN_AGAIN.counted, key=MADE_UP), Visitor("ann", ("x",), key=MADE_UP)):
        with pytest.raises(Unauthorized) as caught:
            await ask_for(service, WISH, 1, visitor)
        assert MADE_UP not in str(caught.value)
    assert len(backend.orders) == 2
    backend.refusal = None
    for visitor in (Visitor("ann", ANN.counted, key=OWN), Visitor("bob", BOB.counted, key=MADE_UP), ANN):
        assert (await ordered(service, 1, visitor)).problems == []


async def test_a_key_that_is_entered_anew_is_tried_again(service: Service, backend: Backend) -> None:
    assert service.own_keys
    for _ in range(2):
        backend.refusal = refuse(401)
        service.own_keys.put("ann", OWN)
        await ordered(service, 1, ANN)
        with pytest.raises(Unauthorized):
            await ask_for(service, WISH, 1, ANN)
    backend.refusal = None
    service.own_keys.put("ann", OWN)
    assert (await ordered(service, 1, ANN)).problems == []
    assert len(backend.orders) == 3


@pytest.mark.parametrize("visitor", [ANN, Visitor("ann", ANN.counted, key=OWN)])
@pytest.mark.parametrize("status", [401, 402, 403, 429, 500])
async def test_only_a_visitors_own_key_is_remembered_and_only_for_a_401(
    service: Service, backend: Backend, visitor: Visitor, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_demo.api.resending.RESENDS", 0)
    backend.refusal = refuse(status)
    await ordered(service, 1, visitor)
    if visitor.key and status == 401:
        with pytest.raises(Unauthorized):
            await ask_for(service, WISH, 1, visitor)
    else:
        await ordered(service, 1, visitor)
        assert len(backend.orders) == 2


def test_refused_keys_are_forgotten_after_an_hour_and_never_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "MOST_KEYS", 3)
    keys = OwnKeys()
    for number in range(4):
        keys.refuse(["ann"], f"{MADE_UP}{number}")
    keys.check(["ann"], f"{MADE_UP}0")
    with pytest.raises(Unauthorized):
        keys.check(["x", "ann"], f"{MADE_UP}3")
    assert MADE_UP not in repr(vars(keys))
    monkeypatch.setattr(visitors, "REFUSED", 0.0)  # the hour is over
    keys.check(["ann"], f"{MADE_UP}3")


async def test_references_that_are_kept_for_a_visitor_have_a_limit(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []

    async def made_ready(_: object, upload: Path, background: str) -> Reference:
        decoded.append(background)
        return Reference(background.encode() * (MB // 7), "image/png", (500, 500), "PNG", (500, 500), False)

    monkeypatch.setattr(decoding, "reference", made_ready)
    service.uploads.kept = Limit(f"{preparing.MAX_SENT_BYTES + 2 * MB}/day", TooMuchKept)
    for visitor in (ANN, ANN, ANN, ANN, ANN_AGAIN):  # what is there already takes no room
        await service.uploads.prepare(Path("photo.png"), visitor, "#000000")
    await service.uploads.prepare(Path("photo.png"), ANN, "#000001")
    for visitor in (ANN, ANN_AGAIN):
        with pytest.raises(TooMuchKept):
            await service.uploads.prepare(Path("photo.png"), visitor, "#000002")
        with pytest.raises(TooMuchKept):
            await service.uploads.crop(Path("photo.png"), "top", visitor)
    await service.uploads.prepare(Path("photo.png"), BOB, "#000003")
    assert decoded == ["#000000"] * 5 + ["#000001", "#000003"]


class Disk:
    """Free bytes, as `shutil.disk_usage` tells them: in the folder of outputs, and elsewhere."""

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs
        self.free = {True: 1000 * MB, False: 1000 * MB}

    def __call__(self, place: Path) -> SimpleNamespace:
        assert place.exists()
        return SimpleNamespace(free=self.free[place.is_relative_to(self.outputs)])


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    fake = Disk(outputs)
    monkeypatch.setattr(shutil, "disk_usage", fake)
    monkeypatch.setattr(disk, "EVERY", 0.0)
    return fake


@pytest.mark.parametrize("where", [True, False])
def test_room_is_needed_for_every_picture_in_both_folders(full: Disk, where: bool) -> None:
    full.free[where] = disk.FLOOR + 3 * disk.PICTURE
    room = Room(full.outputs / "not" / "there")
    room.look()
    room.check(3)
    with pytest.raises(DiskFull):
        room.check(4)


def test_the_disk_is_looked_at_once_a_second(full: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "EVERY", 1.0)
    now = [100.0]
    monkeypatch.setattr(disk, "clock", lambda: now[0])
    room = Room(full.outputs)

    def stale_at(moment: float) -> bool:
        now[0] = moment
        return room.stale

    assert stale_at(100.0)
    room.look()
    assert [stale_at(moment) for moment in (100.0, 100.9, 101.0)] == [False, False, True]


def test_a_disk_that_says_nothing_stops_nobody(full: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(shutil, "disk_usage", broken)
    room = Room(full.outputs)
    room.look()
    room.check(6)


async def test_on_a_full_disk_nothing_is_sent_and_nothing_charged(
    service: Service, backend: Backend, full: Disk
) -> None:
    assert service.not_ready() == ""
    full.free[True] = 139 * MB
    with pytest.raises(DiskFull):
        await ask_for(service, WISH, 6, ANN)
    assert (backend.orders, await service.left(ANN)) == ([], 20)
    assert service.not_ready() == ""  # for a smaller order there is room
    full.free[True] = 65 * MB
    assert (await ordered(service, 1, ANN)).problems == []
    full.free[True] = 64 * MB
    assert service.not_ready() == "disk full"
    service.orders.draining = True
    assert service.not_ready() == "draining"


async def test_what_is_on_its_way_needs_room_too_and_what_waits_is_not_sent_without(
    service: Service, backend: Backend, full: Disk
) -> None:
    backend.open.clear()
    full.free[True] = 110 * MB
    order = await ask_for(service, WISH, 4, ANN)
    await asyncio.to_thread(backend.wait_for_orders, 2)
    with pytest.raises(DiskFull):
        await ask_for(service, WISH, 3, BOB)
    full.free[True] = 60 * MB
    backend.open.set()
    await order.finish()
    assert (len(backend.orders), len(order.pictures)) == (2, 2)
    assert {type(problem) for problem in order.problems} == {DiskFull}
    assert await service.left(ANN) == 18


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_is_told_in_words_with_the_time_to_wait(language: str) -> None:
    free = translate(language, "billed_no")
    told = [describe(error, language) for error in (TooManyAttempts(40), TooMuchKept(7200), DiskFull())]
    assert all(words.endswith(free) for words in told)
    assert (wait(40, language) in told[0], wait(7200, language) in told[1]) == (True, True)
