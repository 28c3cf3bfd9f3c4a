"""What the browser is told of orders and pictures, as data."""

import asyncio
import base64
import filecmp
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from qwen_demo import __version__
from qwen_demo.api.client import QwenClient
from qwen_demo.api.requests import ImageEdit, TextToImage
from qwen_demo.call import State
from qwen_demo.images import Reference
from qwen_demo.inpaint import Region
from qwen_demo.library import Entry, Library
from qwen_demo.order import Order
from qwen_demo.orders import Orders
from qwen_demo.recipe import Recipe
from qwen_demo.service import Service
from qwen_demo.ui.cards import Cards, changed
from qwen_demo.ui.pictures import Told, library_rows
from qwen_demo.usage import Prices
from qwen_demo.visitors import Visitor
from qwen_demo.web import Addresses
from tests.conftest import ask_for
from tests.test_journal import full, png
from tests.test_library import aside, picture

ANN = Visitor("ann", ("cookie ann", "address 1"))
HILL = TextToImage(prompt="a hill", seed=10)
"""Ordered several times, its seeds are 10, 11 and so on."""
EDIT = ImageEdit(prompt="warmer", image="https://pictures.example/a.png", seed=10)
REFUSED = httpx.Response(400, json={"error": {"code": "2001", "message": "DataInspectionFailed"}})
OVERDUE = httpx.Response(403, json={"error": {"code": "2103", "message": "overdue"}})
SAID_REFUSED = "The prompt or a picture was refused for its content. Change it and try again."
SAID_OVERDUE = "The account behind this key is overdue, or its quota is used up. Its owner has to see to it."
SAID_LOST = "The API was not reached, or the line broke. Check the network and try again."
FREE, PERHAPS = "Nothing was billed.", "This may have been billed."


def answer(seed: int, n: int = 1, **more: Any) -> httpx.Response:
    data = [{"b64_json": base64.b64encode(png()).decode(), **more}] * n
    usage = {"total_tokens": 3, "image_count": n}
    return httpx.Response(200, json={"data": data, "usage": usage, "request_id": f"r-{seed}"})


class Api(httpx.AsyncBaseTransport):
    """Answers a call with what its seed has in `says`, else with the pictures; while `shut`, once its gate is open."""

    def __init__(self) -> None:
        self.says: dict[int, httpx.Response | Exception] = {}
        self.more: Callable[[int], dict[str, Any]] = lambda seed: {}
        self.shut = False
        self.gates: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self._came = asyncio.Condition()
        self._sent = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        async with self._came:
            self._sent += 1
            self._came.notify_all()
        if self.shut:
            await self.gates[body["seed"]].wait()
        said = self.says.get(body["seed"])
        if isinstance(said, Exception):
            raise said
        return said or answer(body["seed"], body["n"], **self.more(body["seed"]))

    async def has(self, number: int) -> None:
        async with self._came:
            await asyncio.wait_for(self._came.wait_for(lambda: self._sent >= number), 30)


class House:
    """A service, and what a browser of Ann's is told of it."""

    def __init__(self, folder: Path, *, at_once: int = 8, public: bool = False) -> None:
        self.api = Api()
        client = QwenClient("sk-test-cards", "https://api.example/v1", transport=self.api)
        prices = Prices({"qwen-image-plus": 0.2}, "¥")
        self.service = Service(client, Orders(at_once), Library(folder), prices=prices, public=public)
        self.addresses = Addresses(self.service.everything, bytes(32))

    @property
    def library(self) -> Library:
        return self.service.library("ann")

    def cards(self, *, known: bool = True, language: str = "en") -> Cards:
        return Cards(self.service, self.addresses, "ann", known, language)

    def card(self, order: Order, **options: Any) -> Told:
        return aside(self.cards(**options).card, order)

    def slots(self, order: Order) -> list[Told]:
        """What its places hold, the ids left out."""
        return [
            {name: value for name, value in slot.items() if name != "id"} for slot in self.card(order)["slots"].values()
        ]

    async def ordered(self, request: TextToImage | ImageEdit, n: int) -> Order:
        return await (await ask_for(self.service, request, n, ANN)).finish()

    def put(self, recipe: Recipe) -> Entry:
        path = self.library.save(picture(), recipe, 1, datetime(2026, 11, 22, 15, 30, 12))
        entry = self.library.entry_of(path)
        assert entry
        return entry


@pytest.fixture(autouse=True)
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "outputs")
    yield house
    await house.service.aclose()


def shown(seed: int | None, side: int = 16) -> Told:
    return {"w": side, "h": side, "seed": seed}


def names(order: Order, house: House) -> list[str]:
    entries = [house.library.entry_of(picture.path) for picture in order.pictures]
    return [entry.id for entry in entries if entry]


async def test_a_finished_order_is_told_whole(house: House) -> None:
    order = await house.ordered(HILL, 2)
    seconds = f"{order.seconds:.1f}"
    first, second = names(order, house)
    assert house.card(order) == {
        "at": order.placed.timestamp(),
        "kind": "text_to_image",
        "prompt": "a hill",
        "model": "qwen-image-plus",
        "shape": (1328, 1328),
        "n": 2,
        "state": "done",
        "place": 0,
        "way": 0,
        "seconds": float(seconds),
        "billed": True,
        "usual": house.service.ledger.usual_seconds("qwen-image-plus"),
        "cost": "0.40 ¥",
        "said": "",
        "unread": False,
        "lost": False,
        "slots": {"0": {**shown(10), "id": first}, "1": {**shown(11), "id": second}},
        "notes": ["Asked for 1328×1328, came as 16×16."],
        "meta": "16×16 · qwen-image-plus",
        "usage": [
            ("Pictures", "2"),
            ("Size", "16×16"),
            ("Seed", "10, 11"),
            ("Model", "qwen-image-plus"),
            ("Time", f"{seconds} s"),
            ("Cost", "0.40 ¥"),
            ("Total tokens", "6"),
            ("Image count", "2"),
            ("Request id", "r-10 r-11"),
        ],
        "revised": [],
        "painted": "",
        "grid": None,
        "unsent": 0,
        "open": 0,
        "open_cost": "",
        "zip": True,
        "settings": [
            ("Model", "qwen-image-plus"),
            ("Size", "16×16"),
            ("Seed", "10, 11"),
            ("Optimize prompt", "On"),
            ("Created", f"{order.placed:%Y-%m-%d %H:%M}"),
        ],
    }
    assert house.cards().session() == f"This session: pictures 2 · orders 1 · tokens 6 · {seconds} s · 0.40 ¥"


async def test_a_running_order_tells_what_comes_and_no_more(house: House) -> None:
    house.api.shut = True
    assert house.cards().session() == ""
    order = await ask_for(house.service, replace(HILL, size="928x1664"), 1, ANN)
    await house.api.has(1)
    assert house.card(order) == {
        "at": order.placed.timestamp(),
        "kind": "text_to_image",
        "prompt": "a hill",
        "model": "qwen-image-plus",
        "shape": (928, 1664),
        "n": 1,
        "state": "running",
        "place": 0,
        "way": 0,
        "seconds": None,
        "billed": True,
        "usual": None,
        "cost": "",
        "said": "",
        "unread": False,
        "lost": False,
        "slots": {"0": {}},
        "notes": [],
        "meta": "928×1664 · qwen-image-plus · seed 10",
        "usage": [],
        "revised": [],
        "painted": "",
        "grid": None,
        "unsent": 0,
        "open": 0,
        "open_cost": "",
        "zip": False,
        "settings": [],
    }
    house.api.gates[10].set()
    await order.finish()
    assert house.card(order)["meta"] == "16×16 · qwen-image-plus · seed 10"
    assert house.slots(order) == [shown(None)]  # one of one needs no name


async def test_a_place_waits_has_its_picture_or_its_own_reason_while_the_others_go_on(house: House) -> None:
    house.api.shut = True
    house.api.says = {11: REFUSED, 13: httpx.ReadError("the line broke"), 14: OVERDUE}
    order = await ask_for(house.service, HILL, 5, ANN)
    await house.api.has(5)
    assert house.slots(order) == [{}] * 5
    for seed in (10, 11):
        house.api.gates[seed].set()
    async for _ in order.watch():
        if order.numbered and order.reasons:
            break
    refused = {"failed": f"{SAID_REFUSED} {FREE}", "again": False}  # tried again only once all has ended
    assert house.slots(order) == [shown(10), refused, {}, {}, {}]
    assert (house.card(order)["state"], house.card(order)["said"], house.card(order)["usage"]) == ("running", "", [])
    for seed in (12, 13, 14):
        house.api.gates[seed].set()
    await order.finish()
    assert house.slots(order) == [
        shown(10),
        {"failed": f"{SAID_REFUSED} {FREE}", "again": True},
        shown(12),
        {"failed": f"{SAID_LOST} {PERHAPS}", "again": False},
        {"failed": f"{SAID_OVERDUE} {FREE}", "again": True},
    ]
    card = house.card(order)
    assert (card["state"], card["unread"], card["lost"]) == ("lost", False, True)
    came = f"2 of 5 pictures came, in {order.seconds:.1f} s."
    assert card["said"] == f"{came} Billed: 2 · not billed: 2 · perhaps billed: 1."
    assert card["notes"] == ["Asked for 1328×1328, came as 16×16."]


async def test_where_nothing_came_each_reason_is_told_once(house: House) -> None:
    house.api.says = {10: REFUSED, 11: REFUSED}
    order = await house.ordered(HILL, 2)
    card = house.card(order)
    assert (card["state"], card["said"], card["cost"]) == ("failed", f"{SAID_REFUSED} {FREE}", "0.00 ¥")
    assert house.slots(order) == [{"failed": f"{SAID_REFUSED} {FREE}", "again": True}] * 2
    assert (card["notes"], card["meta"]) == ([], "1328×1328 · qwen-image-plus")
    assert card["usage"] == [
        ("Pictures", "0"),
        ("Model", "qwen-image-plus"),
        ("Time", f"{order.seconds:.1f} s"),
        ("Cost", "0.00 ¥"),
    ]


async def test_words_are_in_the_language_that_is_asked_for(house: House) -> None:
    house.api.says = {11: REFUSED}
    order = await house.ordered(HILL, 2)
    card = house.card(order, language="zh-CN")
    refused = "提示词或图片因内容原因被拒绝，请修改后重试。"
    came = f"共 2 张，收到 1 张，用时 {order.seconds:.1f} 秒。"
    assert card["said"] == f"{came} 已计费：1 张 · 未计费：1 张。"
    assert card["slots"]["1"]["failed"] == f"{refused} 没有产生费用。"
    assert card["usage"][:3] == [("张数", "1"), ("尺寸", "16×16"), ("随机种子", "10")]


async def test_what_the_api_reported_is_told_by_its_names_whatever_they_are(house: House) -> None:
    usage = {"input_tokens_details": {"image_tokens": 2, "deeper": {"a": True}}, "odd": "<b>", "none": None, "width": 9}
    data = [{"b64_json": base64.b64encode(png()).decode()}]
    house.api.says = {10: httpx.Response(200, json={"data": data, "usage": usage})}
    order = await house.ordered(HILL, 1)
    assert house.card(order)["usage"][6:] == [
        ("input_tokens_details.image_tokens", "2"),
        ("input_tokens_details.deeper.a", "True"),
        ("odd", "<b>"),
        ("Width", "9"),
    ]


async def test_of_one_answer_with_fewer_pictures_the_empty_places_say_so_and_what_is_billed(house: House) -> None:
    house.api.says = {10: answer(10, 1)}
    order = await house.ordered(EDIT, 3)
    assert house.slots(order) == [shown(None), *[{"failed": "This one did not come.", "again": False}] * 2]
    card = house.card(order)
    assert card["state"] == "partly"
    assert card["said"] == f"1 of 3 pictures came, in {order.seconds:.1f} s. Billed: 1 · not billed: 2."
    assert card["notes"] == []  # it had no size to differ from


async def test_pictures_of_one_seed_are_not_told_apart_by_it(house: House) -> None:
    order = await house.ordered(EDIT, 3)
    assert house.slots(order) == [shown(None)] * 3
    assert dict(house.card(order)["usage"])["Seed"] == "10"
    assert house.card(order)["meta"] == "16×16 · qwen-image-edit-plus · seed 10"
    assert house.card(order)["shape"] == (16, 16)  # known once they are there


async def test_what_was_stopped_before_it_was_sent_is_dropped_and_what_was_sent_still_comes(tmp_path: Path) -> None:
    house = House(tmp_path / "outputs", at_once=1)
    house.api.shut = True
    order = await ask_for(house.service, HILL, 3, ANN)
    other = await ask_for(house.service, HILL, 1, ANN)
    await house.api.has(1)
    assert (house.card(order)["place"], house.card(other)["place"]) == (0, 3)  # one is sent: that one waits for none
    order.cancel()
    await asyncio.sleep(0)
    assert (house.card(order)["state"], house.card(order)["way"]) == ("running", 1)
    assert house.slots(order) == [{}, {"dropped": True}, {"dropped": True}]
    house.api.shut = False
    house.api.gates[10].set()
    await order.finish()
    card = house.card(order)
    assert house.slots(order) == [shown(10), {"dropped": True}, {"dropped": True}]
    assert (card["state"], card["said"], card["way"], card["cost"]) == ("stopped", "", 0, "0.20 ¥")
    await other.finish()
    await house.service.aclose()


async def test_a_picture_that_was_deleted_is_gone_and_there_again_when_it_is_restored(house: House) -> None:
    order = await house.ordered(HILL, 2)
    first, second = names(order, house)
    entry = house.library.find(first)
    assert entry
    house.library.delete(entry)
    assert house.card(order)["slots"] == {"0": {"gone": True}, "1": {**shown(11), "id": second}}
    assert aside(house.library.restore, first)
    assert house.card(order)["slots"]["0"] == {**shown(10), "id": first}


async def test_a_picture_that_found_no_place_is_shown_from_elsewhere_and_that_is_told(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Library, "save", full(Library.save, tmp_path / "outputs"))
    order = await house.ordered(HILL, 1)
    card = house.card(order)
    assert (card["state"], card["unread"]) == ("unread", True)
    said = "The picture came and is shown, but could not be saved: No space left on device. Download it now."
    assert said in card["said"]
    slot = card["slots"]["0"]
    (served,) = (tmp_path / "gradio").rglob("*.png")
    assert slot == {**shown(None), "id": f"{order.id}-0", "url": f"gradio_api/file={served}"}
    assert filecmp.cmp(served, order.pictures[0].path, shallow=False)
    assert "hill" not in served.name
    assert house.card(order)["slots"]["0"] == slot  # under one name only
    order.pictures[0].path.unlink()  # swept after a day
    assert house.card(order)["slots"]["0"] == {"gone": True}


async def test_a_picture_of_which_nothing_is_left_stops_no_card(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Library, "save", full(Library.save, tmp_path / "outputs"))
    order = await house.ordered(HILL, 1)
    order.pictures[0].path.unlink()  # before anybody was told of it
    assert house.card(order)["slots"] == {"0": {"gone": True}}


async def test_what_is_paid_for_and_not_here_is_told_as_such_until_it_is_fetched(house: House) -> None:
    house.api.says = {10: httpx.Response(200, json={"pictures_of_the_future": ["?"]})}
    order = await house.ordered(HILL, 1)
    card = house.card(order)
    assert (card["state"], card["unread"], card["lost"]) == ("unread", True, False)
    said = f"The API's answer could not be understood: the answer holds no picture. {PERHAPS}"
    assert (card["said"], card["slots"]["0"]) == (said, {"failed": said, "again": False})
    order.calls[0].state = State.DONE
    order.reasons, order.problems = {}, []
    assert house.card(order)["state"] == "failed"


async def test_what_was_rewritten_is_told_once_and_in_the_end(house: House) -> None:
    house.api.more = lambda seed: {"revised_prompt": "a finer hill" if seed < 12 else "another hill"}
    house.api.shut = True
    order = await ask_for(house.service, HILL, 3, ANN)
    house.api.gates[10].set()
    async for _ in order.watch():
        if order.pictures:
            break
    assert house.card(order)["revised"] == []
    for seed in (11, 12):
        house.api.gates[seed].set()
    await order.finish()
    assert house.card(order)["revised"] == ["a finer hill", "another hill"]


async def test_the_usual_time_and_the_session_come_from_what_was_before(house: House) -> None:
    await house.ordered(HILL, 1)
    house.api.shut = True
    order = await ask_for(house.service, HILL, 1, ANN)
    assert house.card(order)["usual"] == house.service.ledger.usual_seconds("qwen-image-plus") is not None
    stranger = Cards(house.service, house.addresses, "bob", True, "en")
    assert stranger.session() == ""
    house.api.gates[10].set()
    await order.finish()


async def test_a_model_without_a_price_costs_nothing_that_is_told(house: House) -> None:
    order = await house.ordered(EDIT, 1)
    card = house.card(order)
    assert (card["cost"], "Cost" in dict(card["usage"])) == ("", False)
    assert house.cards().session() == f"This session: pictures 1 · orders 1 · tokens 3 · {order.seconds:.1f} s"


# Changes


def test_only_what_changed_is_told_and_a_place_is_told_whole() -> None:
    before = {"state": "running", "said": "", "slots": {"0": {}, "1": {"w": 1, "h": 2}, "2": {"failed": "a"}}}
    after = {"state": "done", "said": "", "slots": {"0": {"w": 3, "h": 4}, "1": {"w": 1, "h": 2}, "2": {}}}
    assert changed(before, after) == {"state": "done", "slots": {"0": {"w": 3, "h": 4}, "2": {}}}
    assert changed({}, after) == after
    assert changed(after, after) == {}
    assert changed({"notes": ["a"]}, {"notes": []}) == {"notes": []}


async def test_one_more_picture_of_six_is_told_in_few_bytes_however_long_the_prompt(house: House) -> None:
    house.api.shut = True
    house.api.more = lambda seed: {"revised_prompt": str(seed) + "精" * 798}
    order = await ask_for(house.service, replace(HILL, prompt="猫" * 800, negative_prompt="糊" * 500), 6, ANN)
    await house.api.has(6)
    told = house.card(order, known=False)
    assert len(json.dumps(told, ensure_ascii=False).encode()) > 2400  # the first time it is told whole
    for count, seed in enumerate(range(10, 15), start=1):
        house.api.gates[seed].set()
        async for _ in order.watch():
            if len(order.pictures) == count:
                break
        now = house.card(order, known=False)
        message = json.dumps({"cards": {order.id: changed(told, now)}}, ensure_ascii=False)
        assert len(message.encode()) <= 2000
        assert list(json.loads(message)["cards"][order.id]["slots"]) == [str(count - 1)]
        told = now
    house.api.gates[15].set()
    await order.finish()


# Pictures of the library

CAT = Recipe(
    kind="text_to_image",
    prompt="a cute cat " * 10,
    model="qwen-image-plus",
    size="1328x1328",
    seed=7,
    negative_prompt="blurry",
    request_id="r-1",
    revised_prompt="a finer cat",
    created="2026-11-22T15:30:12",
    app_version=__version__,
)


def test_all_that_is_known_of_a_picture_is_told_with_its_lineage(tmp_path: Path) -> None:
    house = House(tmp_path / "outputs")
    brought = house.library.keep_reference(
        Reference(picture("JPEG").data, "image/jpeg", (256, 256), "JPEG", (256, 256), False)
    )
    entry = house.put(replace(CAT, kind="edit", references=(brought.stem,), sources=("",)))
    child = house.put(replace(CAT, kind="edit", prompt="hat", references=("f" * 64,), sources=(entry.id,)))
    house.library.star([child], True)
    detail = house.cards().detail(entry)
    reference = {"id": f"reference-{brought.stem}", "w": 256, "h": 256, "prompt": "", "starred": False}
    made = {"id": child.id, "w": 256, "h": 256, "prompt": "hat", "starred": True}
    family = [
        {"depth": 0, "picture": reference, "words": "", "note": ""},
        {"depth": 1, "picture": detail["picture"], "words": f"{CAT.prompt[:79]}…", "note": ""},
        {"depth": 2, "picture": made, "words": "hat", "note": ""},
    ]
    assert detail == {
        "picture": {"id": entry.id, "w": 256, "h": 256, "prompt": CAT.prompt, "starred": False},
        "name": entry.path.name,
        "prompt": CAT.prompt,
        "revised_prompt": "a finer cat",
        "facts": [
            ("Size", "256×256"),
            ("Kind", "Edit"),
            ("Model", "qwen-image-plus"),
            ("Seed", "7"),
            ("Negative prompt", "blurry"),
            ("Created", "2026-11-22 15:30:12"),
            ("Request id", "r-1"),
        ],
        "usable": True,
        "link": detail["link"],
        "family": family,
        "steps": 0,
        "provable": True,
    }
    assert detail["link"].startswith("?tab=edit&prompt=a+cute+cat+")
    kept = house.library.find(f"reference-{brought.stem}")
    assert kept
    assert house.cards().detail(kept) == {
        "picture": reference,
        "name": f"reference-{brought.stem}.jpeg",
        "prompt": "",
        "revised_prompt": None,
        "facts": [("Size", "256×256")],
        "usable": False,
        "link": "",
        "family": family,
        "steps": 0,
        "provable": False,
    }
    assert house.cards().detail(child)["steps"] == 2


def test_members_of_a_family_that_were_made_again_are_told_apart_and_paint_is_not_asked_for_at_once(
    tmp_path: Path,
) -> None:
    house = House(tmp_path / "outputs")
    hat = replace(CAT, kind="edit", prompt="hat", references=("f" * 64,))
    painted = replace(hat, region=Region(answer="a" * 64))

    def put(recipe: Recipe, day: int) -> Entry:
        path = house.library.save(picture(), recipe, 1, datetime(2026, 11, day))
        entry = house.library.entry_of(path)
        assert entry
        return entry

    above = put(replace(CAT, prompt="hill"), 1)
    edits = [hat, painted, hat, replace(painted, region=Region(edge=3, answer="a" * 64))]
    made = [put(replace(edit, sources=(above.id,)), day) for day, edit in enumerate(edits, 2)]
    detail = {language: house.cards(language=language).detail(made[0])["family"] for language in ("en", "zh-CN")}
    notes = {language: [member["note"] for member in family] for language, family in detail.items()}
    assert notes == {
        "en": ["", "", "", "aligned", "other paint"],
        "zh-CN": ["", "", "", "已对齐", "另一涂抹"],
    }
    more = put(replace(painted, sources=(made[1].id,)), 6)
    last = put(replace(hat, sources=(more.id,)), 7)
    assert [house.cards().detail(entry)["steps"] for entry in (made[0], made[1], more, last)] == [0, 0, 0, 3]


def test_a_picture_without_a_recipe_or_of_an_unknown_kind_is_told_and_cannot_be_used(tmp_path: Path) -> None:
    house = House(tmp_path / "outputs")
    bare = Library(tmp_path / "outputs", embed_recipe=False)
    path = bare.save(picture(), CAT, 1, datetime(2026, 11, 22, 15, 30, 12))
    entry = house.library.entry_of(path)
    assert entry
    detail = house.cards().detail(entry)
    assert (detail["name"], detail["usable"], detail["link"]) == (path.name, False, "")
    odd = house.cards().detail(house.put(replace(CAT, kind="video", seed=None, negative_prompt=None)))
    assert (odd["usable"], odd["link"], odd["prompt"]) == (False, "", CAT.prompt)
    assert [value for label, value in odd["facts"] if label in ("Kind", "Seed")] == ["video"]


def test_thousands_of_pictures_are_told_in_short_rows(tmp_path: Path) -> None:
    house = House(tmp_path / "outputs")
    long = house.put(CAT)
    starred = house.put(replace(CAT, prompt="猫"))
    house.library.star([starred], True)
    rows = library_rows(house.cards(), house.library, [long, starred])
    assert rows == [[long.id, 256, 256, 0, rows[0][4], ""], [starred.id, 256, 256, 1, "猫", ""]]
    assert len(rows[0][4]) <= 81
    assert rows[0][4].startswith("a cute cat a cute cat")


# Browsers that keep no cookies


async def test_only_a_browser_without_cookies_gets_tokens_and_they_open_these_pictures_alone(tmp_path: Path) -> None:
    house = House(tmp_path / "outputs", public=True)
    order = await house.ordered(HILL, 2)
    first, second = names(order, house)
    entries = [entry for id in (first, second) if (entry := house.library.find(id))]

    def tokens(known: bool) -> list[str]:
        cards = house.cards(known=known)
        slots = [slot.get("token", "") for slot in cards.card(order)["slots"].values()]
        rows = [row[5] for row in library_rows(cards, house.library, entries)]
        return [*slots, *rows, cards.detail(entries[0])["picture"].get("token", "")]

    assert tokens(True) == [""] * 5
    opened = [
        [library.root if (library := house.addresses.opened(token, id)) else None for id in (first, second)]
        for token in tokens(False)
    ]
    one, other = [house.library.root, None], [None, house.library.root]
    assert opened == [one, other, one, other, one]
    assert house.library.root == house.service.everything.of("ann").root
    await house.service.aclose()
