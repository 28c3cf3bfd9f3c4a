"""What the board asks the running app, as its modules ask it."""

import base64
import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
import pytest

from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.recipe import Recipe
from qwen_demo.service import Service
from qwen_demo.ui.acts import MOST
from qwen_demo.usage import Prices
from tests.conftest import KEY, Backend, RunningApp, launched
from tests.test_attacks import NO_TLS, cards, draw_on_the_page, ended, event_on, join
from tests.test_journal import png
from tests.test_library import picture

GONE = {"detail": "This picture is not there any more."}
AT = datetime(2026, 11, 22, 15, 30, 12)
CAT = Recipe(kind="text_to_image", prompt="a cute cat", model="qwen-image-plus", seed=42)
Told = dict[str, Any]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningApp, Service]]:
    """An app whose visitors see own pictures alone. Two calls are under way at once."""
    folder, backend = tmp_path_factory.mktemp("routes"), Backend()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "gradio"))
        client = QwenClient(KEY, "http://offline/v1", transport=backend)
        prices = Prices({"qwen-image-plus": 0.2}, "¥")
        service = Service(client, Orders(2), Library(folder / "outputs"), prices=prices, public=True)
        with launched(service) as url:
            yield RunningApp(url, backend), service


@pytest.fixture
def app(running: tuple[RunningApp, Service]) -> Iterator[RunningApp]:
    app, _ = running
    app.orders.clear()
    app.backend.refusal = answered
    yield app
    app.backend.open.set()


def client(app: RunningApp, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=app.url, headers=headers, timeout=60, verify=NO_TLS)


@pytest.fixture
def http(app: RunningApp) -> Iterator[httpx.Client]:
    """A visitor whom the app knows, and who has nothing yet."""
    with client(app) as http:
        http.get("/healthz")
        yield http


@pytest.fixture
def other(app: RunningApp) -> Iterator[httpx.Client]:
    """Another one."""
    with client(app) as http:
        http.get("/healthz")
        yield http


def answered(_: httpx.Request) -> httpx.Response:
    """A small picture; the offline backend would draw a large one."""
    data = [{"b64_json": base64.b64encode(png()).decode()}]
    return httpx.Response(200, json={"data": data, "usage": {"total_tokens": 1}})


def refused(_: httpx.Request) -> httpx.Response:
    return httpx.Response(400, json={"error": {"code": "2001", "message": "DataInspectionFailed"}})


def seed_of(request: httpx.Request) -> int:
    return int(json.loads(request.content)["seed"])


def own_library(http: httpx.Client, service: Service) -> Library:
    return service.library(http.cookies["qwen-image-demo"].partition(".")[0])


def begin(http: httpx.Client, n: int = 1, seed: int = 5, **fields: Any) -> None:
    """Order, and don't wait for it."""
    body = {"prompt": "a hill", "n": n, "seed": seed, **fields}
    assert http.post("/gradio_api/call/v2/text_to_image", json=body).status_code == 200


def order(http: httpx.Client, n: int = 1, **fields: Any) -> tuple[str, Told]:
    """Order, and wait for its end. The order's id and its card."""
    before = cards(http).keys()
    begin(http, n, **fields)
    (id,) = once(http, lambda told: bool(told.keys() - before)).keys() - before
    return id, ended(http)[id]


def once(http: httpx.Client, so: Callable[[Told], bool]) -> Told:
    """The cards once that is true of them."""
    with stream(http) as told:
        for _ in told:
            if so(now := cards(http)):
                return now
    raise AssertionError("the stream has ended")


@contextmanager
def stream(http: httpx.Client, **params: str) -> Iterator[Iterator[Told]]:
    """What the stream of orders tells, message by message."""
    with http.stream("GET", "/board/orders", params=params) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-store", "no")
        yield (json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: "))


def merged(before: Told, message: Told) -> Told:
    """The cards as the browser has them after a message: see `board/orders.js`."""
    cards = {} if message["whole"] else {id: card for id, card in before.items() if id not in message["forgotten"]}
    for id, more in message["cards"].items():
        card = cards.get(id, {})
        cards[id] = {**card, **more, "slots": {**card.get("slots", {}), **more.get("slots", {})}}
    return cards


def act(http: httpx.Client, act: str, **more: Any) -> httpx.Response:
    return http.post("/board/act", json={"act": act, **more})


# Orders as they go


def test_the_stream_tells_all_at_first_and_then_what_changes_which_adds_up(app: RunningApp, http: httpx.Client) -> None:
    app.backend.open.clear()
    with stream(http) as told:
        first = next(told)
        assert {**first, "now": 0} == {"now": 0, "cards": {}, "forgotten": [], "whole": True, "session": "", "left": ""}
        begin(http, 2, prompt="猫" * 800)
        message = next(told)
        assert (message["whole"], message["forgotten"], list(message)) == (False, [], list(first))
        ((id, card),) = message["cards"].items()
        assert (card["prompt"], card["n"], card["state"], card["slots"]) == (
            "猫" * 800,
            2,
            "running",
            {"0": {}, "1": {}},
        )
        seen = merged({}, message)
        app.backend.open.set()
        sizes = []
        while seen[id]["state"] == "running":
            message = next(told)
            sizes.append(len(json.dumps(message, ensure_ascii=False).encode()))
            assert not {"prompt", "kind", "at", "shape"} & message["cards"].get(id, {}).keys()
            seen = merged(seen, message)
        assert max(sizes) <= 2000
        assert seen == cards(http)
        assert (seen[id]["state"], len(seen[id]["slots"])) == ("done", 2)
        assert re.fullmatch(r"This session: pictures 2 · orders 1 · tokens 2 · [\d.]+ s · 0\.40 ¥", message["session"])


def test_who_comes_back_is_told_all_again(http: httpx.Client) -> None:
    id, card = order(http)
    for _ in range(2):
        with stream(http) as told:
            message = next(told)
            assert (message["whole"], message["cards"]) == (True, {id: card})
    answer = http.get("/board/orders", params={"once": "1"})
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/json", "no-store")
    assert {**answer.json(), "now": message["now"]} == message


def test_each_page_of_a_visitor_is_told_and_no_other_visitor(http: httpx.Client, other: httpx.Client) -> None:
    with stream(http) as one, stream(http) as two, stream(other) as strangers:
        assert [next(told)["cards"] for told in (one, two, strangers)] == [{}, {}, {}]
        begin(http)
        assert next(one)["cards"].keys() == next(two)["cards"].keys() == ended(http).keys()
        begin(other, prompt="a lake")
        assert [card["prompt"] for card in next(strangers)["cards"].values()] == ["a lake"]
        ended(other)


def test_while_nothing_changes_something_is_sent_now_and_then(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_demo.ui.routes.EVERY", 0.01)
    with http.stream("GET", "/board/orders") as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        assert [next(lines) for _ in range(5)] == ["", ":", "", ":", ""]


def test_what_is_deleted_elsewhere_is_told_to_every_page(http: httpx.Client) -> None:
    id, card = order(http)
    picture = card["slots"]["0"]
    with stream(http) as told:
        next(told)
        assert act(http, "delete", ids=[picture["id"]]).json() == {"count": 1}
        assert next(told)["cards"] == {id: {"slots": {"0": {"gone": True}}}}
        assert act(http, "restore", ids=[picture["id"]]).json() == {"count": 1}
        assert next(told)["cards"] == {id: {"slots": {"0": picture}}}
        assert act(http, "forget", order=id).json() == {}
        message = next(told)
        assert (message["cards"], message["forgotten"], message["whole"]) == ({}, [id], False)


def test_words_are_in_the_browsers_language(app: RunningApp, http: httpx.Client) -> None:
    app.backend.refusal = refused
    order(http)
    told = http.get("/board/orders?once", headers={"Accept-Language": "zh-CN"}).json()
    ((_, card),) = told["cards"].items()
    assert card["said"] == "提示词或图片因内容原因被拒绝，请修改后重试。 没有产生费用。"
    answer = http.get("/board/picture?id=x", headers={"Accept-Language": "zh-CN"})
    assert answer.json() != GONE


def test_a_visitor_has_own_orders_at_another_process_too(
    app: RunningApp, running: tuple[RunningApp, Service], http: httpx.Client
) -> None:
    for prompt in ("a hill", "a lake"):
        draw_on_the_page(http, prompt)
    hill, lake = cards(http)
    _, service = running
    client = QwenClient(KEY, "http://offline/v1", transport=app.backend)
    other = Service(client, Orders(2), Library(service.everything.root), public=True)
    with launched(other) as url, httpx.Client(base_url=url, cookies=http.cookies, timeout=60) as there:
        assert act(there, "forget", order=hill).status_code == 200
        assert [(id, card["state"]) for id, card in cards(there).items()] == [(lake, "done")]


# What the buttons do


def test_stop_drops_what_was_not_sent(app: RunningApp, http: httpx.Client) -> None:
    app.backend.open.clear()
    begin(http, 4)
    assert app.backend.wait_for_orders(2)
    (id,) = once(http, bool)
    assert act(http, "forget", order=id).json() == {}  # what runs stays
    assert act(http, "again", order=id, place=0).json() == {}
    assert act(http, "stop", order=id).json() == {}
    (card,) = once(http, lambda told: bool(told[id]["way"] == 2)).values()
    assert (card["state"], list(card["slots"].values())) == ("running", [{}, {}, {"dropped": True}, {"dropped": True}])
    app.backend.open.set()
    (card,) = ended(http).values()
    assert (card["state"], card["way"], len(app.orders)) == ("stopped", 0, 2)
    assert [list(slot) for slot in card["slots"].values()] == [["w", "h", "seed", "id"]] * 2 + [["dropped"]] * 2


def test_what_was_refused_is_ordered_again_by_its_place(app: RunningApp, http: httpx.Client) -> None:
    app.backend.refusal = lambda request: refused(request) if seed_of(request) == 71 else answered(request)
    id, card = order(http, 2, seed=70)
    assert [slot.get("again") for slot in card["slots"].values() if "failed" in slot] == [True]
    app.backend.refusal = answered
    assert act(http, "again", order=id, place=1).json() == {}
    ((_, again),) = ((key, told) for key, told in ended(http).items() if key != id)
    assert (again["n"], again["prompt"], app.orders[2]["seed"]) == (1, "a hill", 71)
    assert again["meta"].endswith("seed 71")
    for wrong in (-1, 2, 10**30):
        assert act(http, "again", order=id, place=wrong).json() == {}
    assert len(app.orders) == 3


def test_what_is_lost_is_ordered_again_once(app: RunningApp, http: httpx.Client) -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("the line broke")

    app.backend.refusal = broken
    id, card = order(http, seed=80)
    assert (card["state"], card["lost"], card["unread"]) == ("lost", True, False)
    app.backend.refusal = answered
    for _ in range(2):
        assert act(http, "again", order=id).json() == {}
    told = ended(http)
    assert (len(told), told[id]["lost"], [sent["seed"] for sent in app.orders]) == (2, False, [80, 80])
    assert told[id]["slots"]["0"]["again"] is False


FUTURE = {"pictures_of_the_future": [base64.b64encode(png()).decode()]}


def test_what_could_not_be_read_is_saved_as_it_came_and_fetched_again(
    app: RunningApp, http: httpx.Client, other: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.backend.refusal = lambda request: (
        answered(request) if seed_of(request) == 90 else httpx.Response(200, json=FUTURE)
    )
    id, card = order(http, 2, seed=90)
    assert [place for place, slot in card["slots"].items() if "failed" in slot] == ["1"]
    assert (card["state"], card["unread"]) == ("unread", True)
    came = http.get("/board/answers.zip", params={"order": id})
    assert (came.status_code, came.headers["content-type"]) == (200, "application/zip")
    assert came.headers["content-disposition"] == 'attachment; filename="qwen-answers.zip"'
    assert came.headers["cache-control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(came.content)) as zipped:  # the one that was read is not in it
        assert zipped.namelist() == ["answer-2.json"]
        assert json.loads(zipped.read(zipped.namelist()[0])) == FUTURE
    assert other.get("/board/answers.zip", params={"order": id}).status_code == 404
    assert act(other, "fetch", order=id).status_code == 404
    monkeypatch.setattr("qwen_demo.api.responses._PICTURES", ("data", "pictures_of_the_future"))
    assert act(http, "fetch", order=id).json() == {}
    card = ended(http)[id]
    assert (card["state"], card["unread"], [list(slot) for slot in card["slots"].values()]) == (
        "done",
        False,
        [["w", "h", "seed", "id"]] * 2,
    )
    assert act(http, "fetch", order=id).json() == {}  # there is nothing left
    assert (cards(http)[id]["state"], len(app.orders)) == ("done", 2)
    with zipfile.ZipFile(io.BytesIO(http.get("/board/answers.zip", params={"order": id}).content)) as zipped:
        assert zipped.namelist() == []


def test_pictures_get_a_star_and_lose_it(http: httpx.Client, running: tuple[RunningApp, Service]) -> None:
    ids = draw_on_the_page(http, "a hill", 2)
    assert act(http, "star", ids=ids).json() == {"count": 2}
    assert act(http, "star", ids=[ids[0], "nonsense"], on=False).json() == {"count": 1}
    assert {row[0]: row[3] for row in http.get("/board/library").json()["pictures"]} == {ids[0]: 0, ids[1]: 1}
    assert [row[0] for row in http.get("/board/library?starred=1").json()["pictures"]] == [ids[1]]
    assert http.get("/board/picture", params={"id": ids[1]}).json()["picture"]["starred"] is True


def test_what_another_visitor_has_is_not_there_and_nothing_happens(
    app: RunningApp, http: httpx.Client, other: httpx.Client
) -> None:
    id, card = order(http)
    picture = card["slots"]["0"]["id"]
    for name in ("delete", "star", "zip"):
        answer = act(other, name, ids=[picture])
        assert (answer.status_code, answer.json()) == (404, GONE)
    assert act(other, "restore", ids=[picture]).json() == {"count": 0}
    for name in ("stop", "fetch", "again", "forget"):
        answer = act(other, name, order=id, place=0)
        assert (answer.status_code, answer.json()) == (404, GONE)
    for path in (f"picture?id={picture}", f"code?order={id}", f"answers.zip?order={id}"):
        answer = other.get(f"/board/{path}")
        assert (answer.status_code, answer.json()) == (404, GONE)
    assert (cards(other), len(app.orders)) == ({}, 1)
    assert other.get("/board/usage.csv").text.count("\n") == 1
    assert cards(http) == {id: card}
    assert http.get("/board/library").json()["pictures"][0][3] == 0


def test_a_reference_is_neither_deleted_nor_zipped_nor_starred(
    http: httpx.Client, running: tuple[RunningApp, Service]
) -> None:
    library = own_library(http, running[1])
    (library.root / ".references").mkdir(parents=True)
    name = "f" * 64
    (library.root / ".references" / f"{name}.png").write_bytes(picture().data)
    assert http.get(f"/picture/reference-{name}").status_code == 200
    for what in ("delete", "star", "zip"):
        assert (act(http, what, ids=[f"reference-{name}"]).status_code, library.starred()) == (404, frozenset())
    assert act(http, "restore", ids=[f"reference-{name}"]).json() == {"count": 0}
    assert http.get(f"/picture/reference-{name}").status_code == 200


MALFORMED: list[bytes] = [
    *(b"", b"{", b"null", b"[]", b'"delete"', b"\xff\xfe", b"NaN", b'{"ids": []}', b'{"act": null}'),
    *(b'{"act": "nope"}', b'{"act": "DELETE"}', b'{"act": "delete", "ids": "abc"}', b'{"act": "delete", "ids": [1]}'),
    *(
        b'{"act": "star", "ids": [], "on": "perhaps"}',
        b'{"act": "again", "order": 7}',
        b'{"act": "again", "place": 1.5}',
    ),
    *(b'{"act": "delete", "ids": ["\\ud800"]}', b'{"act": "delete", "ids": null}', b'{"act": "zip", "ids": {"a": 1}}'),
    json.dumps({"act": "delete", "ids": ["a"] * (MOST + 1)}).encode(),
]


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body[:40]))
def test_what_no_button_asks_for_is_told_in_a_line(
    http: httpx.Client, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = http.post("/board/act", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (422, {"detail": "Unprocessable Content"})
    assert not [record for record in caplog.records if record.exc_info]


def test_as_many_as_a_library_has_can_be_chosen_at_once(http: httpx.Client) -> None:
    ids = draw_on_the_page(http, "a hill")
    many = ids + ["2026-11-22-" + "f" * 24] * (MOST - 1)
    assert act(http, "star", ids=many).json() == {"count": 1}
    assert act(http, "star", ids=many * 2).status_code in (413, 422)


def test_what_cannot_be_written_is_told(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = draw_on_the_page(http, "a hill")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Library, "star", full)
    answer = act(http, "star", ids=ids)
    assert answer.status_code == 400
    assert re.fullmatch(r"Internal error \w+\. The log has more under this id\..*", answer.json()["detail"])


def test_an_order_that_cannot_be_placed_again_is_told_why(app: RunningApp, http: httpx.Client) -> None:
    photo = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    body = {"prompt": "warmer", "image": photo, "seed": 1}
    app.backend.refusal = refused
    http.post("/gradio_api/call/v2/edit_image", json=body)
    once(http, bool)
    ((id, _),) = ended(http).items()
    app.orders.clear()
    answer = act(http, "again", order=id, place=0)  # what came as text was not kept
    assert (answer.status_code, answer.json()) == (400, {"detail": "Picture: add a picture first."})
    assert app.orders == []


# The library


@pytest.fixture
def library(http: httpx.Client, running: tuple[RunningApp, Service]) -> Library:
    """Three pictures of the visitor's, the newest is the edit."""
    library = own_library(http, running[1])
    made = (CAT, replace(CAT, prompt="x" * 200, seed=7), replace(CAT, kind="edit", prompt="a hat"))
    for day, recipe in enumerate(made, start=1):
        library.save(picture(), recipe, 1, AT.replace(day=day))
    return library


def rows(http: httpx.Client, **params: str) -> list[str]:
    """The prompts of what is found, cut short."""
    found: list[list[str]] = http.get("/board/library", params=params).json()["pictures"]
    return [row[4][:10] for row in found]


def test_the_library_comes_in_rows_the_newest_first(http: httpx.Client, library: Library) -> None:
    entries = list(library.newest_first())
    library.star(entries[2:], True)
    answer = http.get("/board/library")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json() == {
        "pictures": [
            [entries[0].id, 256, 256, 0, "a hat", ""],
            [entries[1].id, 256, 256, 0, "x" * 79 + "…", ""],
            [entries[2].id, 256, 256, 1, "a cute cat", ""],
        ],
        "total": 3,
    }


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"q": "cat"}, ["a cute cat"]),
        ({"q": "A"}, ["a hat", "a cute cat"]),
        ({"q": "seed:7"}, ["x" * 10]),
        ({"q": "before:2026-11-02"}, ["a cute cat"]),
        ({"q": "model:plus", "kind": "edit"}, ["a hat"]),
        ({"kind": "fusion"}, []),
        ({"model": "qwen-image-plus"}, ["a hat", "x" * 10, "a cute cat"]),
        ({"model": "qwen-image-edit"}, []),
        ({"starred": "1"}, []),
        ({"starred": "0"}, ["a hat", "x" * 10, "a cute cat"]),
        ({"q": "x" * 200}, ["x" * 10]),
        ({"q": "[("}, []),
    ],
)
def test_what_is_looked_for_is_found(
    http: httpx.Client, library: Library, params: dict[str, str], found: list[str]
) -> None:
    assert rows(http, **params) == found
    assert http.get("/board/library", params=params).json()["total"] == len(found)
    assert http.get("/board/library", params={**params, "limit": "1"}).json()["total"] == len(found)
    assert rows(http, **params, limit="1") == found[:1]


@pytest.mark.parametrize(
    ("limit", "count"), [("0", 0), ("2", 2), ("3", 3), ("200", 3), ("", 3), ("all", 3), ("-1", 3), ("1.5", 3), ("²", 3)]
)
def test_no_more_are_told_than_are_asked_for_and_how_many_there_are(
    http: httpx.Client, library: Library, limit: str, count: int
) -> None:
    told = http.get("/board/library", params={"limit": limit}).json()
    assert (len(told["pictures"]), told["total"]) == (count, 3)


def test_a_limit_that_no_machine_can_count_to_is_refused(
    http: httpx.Client, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    for limit in ("9" * 30, "9" * 5000):
        answer = http.get("/board/library", params={"limit": limit})
        assert answer.status_code in (200, 422)
        assert len(answer.content) < 1000
    assert not [record for record in caplog.records if record.exc_info]


def test_a_picture_is_told_with_its_story(http: httpx.Client, library: Library) -> None:
    source = next(entry for entry in library.newest_first() if entry.recipe and entry.recipe.prompt == "a cute cat")
    made = replace(CAT, kind="edit", references=("f" * 64,), sources=(source.id,))
    path = library.save(picture(), made, 1, AT)
    child = library.entry_of(path)
    assert child
    told = http.get("/board/picture", params={"id": child.id}).json()
    assert list(told) == [
        *("picture", "name", "prompt", "revised_prompt", "facts", "usable", "link", "family", "steps", "provable")
    ]
    assert told["picture"] == {"id": child.id, "w": 256, "h": 256, "prompt": "a cute cat", "starred": False}
    assert (told["name"], told["usable"], told["steps"], told["provable"]) == (path.name, True, 0, True)
    assert [(step["depth"], step["picture"]["id"]) for step in told["family"]] == [(0, source.id), (1, child.id)]
    assert told["facts"] == [
        *(["Size", "256×256"], ["Kind", "Edit"], ["Model", "qwen-image-plus"], ["Seed", "42"]),
    ]
    assert told["link"] == "?tab=edit&prompt=a+cute+cat&model=qwen-image-plus&n=1&seed=42"
    back = http.get("/board/picture", params={"id": source.id}).json()
    assert (back["family"], back["steps"], back["provable"]) == (told["family"], 0, False)


@pytest.mark.parametrize("id", ["", "x", "../x", "2026-11-22-" + "f" * 24, "reference-" + "f" * 64, "x" * 1000, "\0"])
def test_a_picture_that_is_not_there_is_told_as_gone(http: httpx.Client, library: Library, id: str) -> None:
    answer = http.get("/board/picture", params={"id": id})
    assert (answer.status_code, answer.json()) == (404, GONE)


# Code, usage


def test_an_order_is_told_as_code_in_four_forms_without_a_key(app: RunningApp, http: httpx.Client) -> None:
    id, _ = order(http, 2, seed=1234567)
    answer = http.get("/board/code", params={"order": id})
    told = answer.json()
    assert (list(told), answer.headers["cache-control"]) == (["JSON", "curl", "Python", "OpenAI"], "no-store")
    assert [request["seed"] for request in json.loads(told["JSON"])] == [1234567, 1234568]
    assert all("a hill" in text and "1234567" in text and KEY not in text for text in told.values())
    assert all("QWEN_API_KEY" in told[form] for form in ("curl", "Python", "OpenAI"))
    for wrong in ("", "nonsense"):
        assert http.get("/board/code", params={"order": wrong}).status_code == 404


def test_usage_is_a_table_for_spreadsheets_of_the_visitors_own(http: httpx.Client, other: httpx.Client) -> None:
    order(http, 2)
    order(other)
    answer = http.get("/board/usage.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="qwen-usage.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbf")
    head, row = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    facts = dict(zip(head, row, strict=True))
    assert {name: facts[name] for name in ("kind", "model", "asked", "pictures", "tokens", "cost")} == {
        "kind": "text_to_image",
        "model": "qwen-image-plus",
        "asked": "2",
        "pictures": "2",
        "tokens": "2",
        "cost": "0.4",
    }


# Browsers that keep no cookies


def forgetful(app: RunningApp, session: str = "") -> httpx.Client:
    http = client(app, **({"X-Page": session} if session else {}))
    http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return http


def test_without_cookies_the_page_names_its_visitor_and_tokens_open_the_pictures(
    app: RunningApp, http: httpx.Client
) -> None:
    with forgetful(app, "a-page") as page, forgetful(app) as nobody, forgetful(app, "b-page") as stranger:
        run = event_on(page, "text-run")
        given = ["a hill", "", "qwen-image-plus", "1328x1328", 1, 1, False, False, True, "url"]
        given += [None] * (len(run["inputs"]) - len(given))
        assert join(page, run["id"], given, session="a-page")[-1]["success"]
        ((id, card),) = ended(page).items()
        slot = card["slots"]["0"]
        with stream(nobody, page="a-page") as told:  # a stream brings no header
            assert next(told)["cards"].keys() == {id}
        address = f"/picture/{slot['id']}"
        assert page.get(address).status_code == 200
        for who in (nobody, stranger, http):
            assert [who.get(address, params=params).status_code for params in ({"t": slot["token"]}, {})] == [200, 404]
        rows = page.get("/board/library").json()["pictures"]
        assert [(row[0], row[5].count(".")) for row in rows] == [(slot["id"], 2)]
        detail = page.get("/board/picture", params={"id": slot["id"]}).json()
        assert nobody.get(address, params={"t": detail["picture"]["token"], "w": "512"}).status_code == 200
        assert nobody.get("/board/answers.zip", params={"order": id, "page": "a-page"}).status_code == 200
        assert nobody.get("/board/usage.csv", params={"page": "a-page"}).text.count("\n") == 2
        assert act(page, "star", ids=[slot["id"]]).json() == {"count": 1}
        for who in (nobody, stranger):
            assert (cards(who), who.get("/board/library").json()["total"]) == ({}, 0)
            assert act(who, "star", ids=[slot["id"]]).status_code == 404


def test_where_the_cookie_is_known_what_else_is_said_changes_nothing(
    app: RunningApp, http: httpx.Client, other: httpx.Client
) -> None:
    id, card = order(http)
    assert "token" not in card["slots"]["0"]
    name = http.cookies["qwen-image-demo"].partition(".")[0]
    for session in ("c-page", name, f"page {name}"):
        said = {"X-Page": session}
        assert http.get("/board/orders?once", headers=said).json()["cards"] == {id: card}
        assert http.get(f"/board/orders?once&page={session}").json()["cards"] == {id: card}
        assert other.get("/board/orders?once", headers=said).json()["cards"] == {}
        assert other.get(f"/board/orders?once&page={session}").json()["cards"] == {}
        with forgetful(app, session) as page:  # a cookie's name is no page's
            assert cards(page) == {}


def test_a_page_is_told_its_session_only_where_it_needs_it(app: RunningApp, http: httpx.Client) -> None:
    begin_event = event_on(http, "feed", "begin")
    told = join(http, begin_event["id"], [], session="a-known-one")
    assert (told[-1]["success"], told[-1]["output"]["data"]) == (True, [{}])
    with forgetful(app) as page:
        told = join(page, begin_event["id"], [], session="a-forgetful-one")
        assert told[-1]["output"]["data"] == [{"session": "a-forgetful-one"}]
