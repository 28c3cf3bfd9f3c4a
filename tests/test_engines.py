"""Orders over engines of one's own, the maker's tasks, keys of other hosts, and what is set for them."""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client
from PIL import Image

from qwen_demo.api import resending
from qwen_demo.api.catalog import MAKER, MAKER_SIZES, Catalog, Model
from qwen_demo.api.checks import checked_size
from qwen_demo.api.client import QwenClient
from qwen_demo.api.dialects import DIALECTS, Prepared
from qwen_demo.api.engine import PROVIDER_ENGINE, Engine, find, of_dialect
from qwen_demo.api.errors import ConnectionFailed, InvalidRequest, QwenDemoError, Unauthorized
from qwen_demo.api.requests import TextToImage
from qwen_demo.call import State
from qwen_demo.i18n import LANGUAGES
from qwen_demo.library import Library
from qwen_demo.models import read_models
from qwen_demo.orders import Orders
from qwen_demo.quota import Quota
from qwen_demo.recipe import Recipe
from qwen_demo.service import Service
from qwen_demo.settings import Settings, WrongSetting
from qwen_demo.snippets import all_forms
from qwen_demo.ui.answers import body_of
from qwen_demo.ui.form import Form
from qwen_demo.ui.mcp import AgentServer
from qwen_demo.ui.messages import describe, engine_html
from qwen_demo.ui.sizes import sizes_of
from qwen_demo.visitors import OwnKeys, UnknownHost, Visitor
from qwen_demo.web import Addresses
from tests.conftest import Backend, ask_for, launched
from tests.test_journal import ANN, KEY, answer, dropped, png

OWN_KEY = "sk-own-0123456789abcdef"
URL = "https://results.example/1.png"
STUDIO = of_dialect(DIALECTS["dashscope"], "http://studio/api/v1")
DRAW: dict[str, Any] = {"prompt": "a hill", "model": "qwen-image-plus", "size": "1328x1328", "seed": 7}


async def own_engine(transport: httpx.AsyncBaseTransport | None = None) -> Engine:
    """The offline backend as an engine of one's own."""
    return await find("http://offline/v1", "", DIALECTS["openai"], transport=transport or Backend())


def make(
    folder: Path, engine: Engine, carrier: Callable[[httpx.Request], Any] | httpx.AsyncBaseTransport, **more: Any
) -> Service:
    transport = carrier if isinstance(carrier, httpx.AsyncBaseTransport) else httpx.MockTransport(carrier)
    client = QwenClient(
        KEY if engine.wants_key else "", engine.base_url, engine.dialect, billed=engine.billed, transport=transport
    )
    return Service(client, Orders(8), Library(folder), engine=engine, **more)


# A task in place of a picture (the maker).


class Studio:
    """A server that begins tasks, and whose task is done once it is let."""

    def __init__(self) -> None:
        self.posts = self.asked = 0
        self.done = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.posts += 1
            return httpx.Response(200, json={"output": {"task_id": "task-4711", "task_status": "PENDING"}})
        if request.url.host == "results.example":
            return httpx.Response(200, content=png())
        self.asked += 1
        assert (request.url.path, request.headers["authorization"]) == ("/api/v1/tasks/task-4711", f"Bearer {KEY}")
        if not self.done:
            return httpx.Response(200, json={"output": {"task_id": "task-4711", "task_status": "RUNNING"}})
        content = [{"image": "http://studio/1.png"}]
        told = {"task_id": "task-4711", "task_status": "SUCCEEDED", "choices": [{"message": {"content": content}}]}
        return httpx.Response(200, json={"output": told, "usage": {"image_count": 1}})


async def test_a_task_is_followed_across_a_restart_and_never_begun_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, asked = Studio(), asyncio.Event()

    async def pause(_: float) -> None:
        asked.set()
        await asyncio.sleep(0)

    monkeypatch.setattr(resending, "pause", pause)

    def carry(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=png()) if request.url.path == "/1.png" else studio(request)

    service = make(tmp_path, STUDIO, carry)
    order = await service.order_from("text_to_image", [], 1, ANN, **DRAW)
    await asyncio.wait_for(asked.wait(), 30)
    await dropped(service)
    (kept,) = (tmp_path / ".orders").glob("*.answer")
    assert b"task-4711" in kept.read_bytes()
    studio.done = True
    service.journal.life.end()
    again = make(tmp_path, STUDIO, carry)
    await again.running.resume()
    (found,) = again.orders.of("ann")
    await found.finish()
    assert (found.id, found.problems, len(found.pictures)) == (order.id, [], 1)
    assert (studio.posts, found.usage) == (1, {"image_count": 1})
    assert list((tmp_path / ".orders").glob("*.answer")) == []


async def test_a_task_that_can_not_be_asked_after_stays_to_be_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resending, "pause", lambda _: asyncio.sleep(0))
    refused = True

    def carry(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"output": {"task_id": "t", "task_status": "PENDING"}})
        if request.url.path == "/1.png":
            return httpx.Response(200, content=png())
        done = {"output": {"task_status": "SUCCEEDED", "results": [{"url": "http://studio/1.png"}]}}
        return httpx.Response(401, json={"code": "InvalidApiKey"}) if refused else httpx.Response(200, json=done)

    service = make(tmp_path, STUDIO, carry)
    order = await (await service.order_from("text_to_image", [], 1, ANN, **DRAW)).finish()
    assert ([call.state for call in order.calls], bool(order.unread)) == ([State.ANSWERED], True)
    refused = False
    service.running.fetch_again(order)
    await order.finish()
    assert (order.problems, len(order.pictures)) == ([], 1)


# Engines of one's own: nobody pays.


async def test_an_engine_of_ones_own_draws_edits_and_fuses_without_a_key(tmp_path: Path) -> None:
    backend = Backend()
    engine = await own_engine(backend)
    service = make(tmp_path, engine, backend)
    fields: dict[str, Any] = {"prompt": "a hill", "model": "Qwen/Qwen-Image", "size": "512x512", "seed": 7}
    drawn = await (await service.order_from("text_to_image", [], 2, ANN, **fields)).finish()
    assert (drawn.problems, [(p.width, p.height) for p in drawn.pictures]) == ([], [(512, 512)] * 2)
    file = drawn.pictures[0].path
    assert file.name.endswith("-a-hill-qwen-image-7-1.png")  # a name with a slash makes no folder
    edit_model = "Qwen/Qwen-Image-Edit-2511"
    for kind, count in (("edit", 1), ("fusion", 2), ("fusion", 4)):
        order = await service.order_from(kind, [file] * count, 1, ANN, prompt="翻转", model=edit_model, seed=1)
        await order.finish()
        assert (order.problems, len(order.pictures)) == ([], 1), kind
    with pytest.raises(InvalidRequest):
        await service.order_from("fusion", [file] * 5, 1, ANN, prompt="a", model=edit_model)


@pytest.mark.parametrize("billed", [True, False])
async def test_what_is_lost_on_an_own_engine_is_tried_again_and_then_failed_without_a_word_of_money(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, billed: bool
) -> None:
    monkeypatch.setattr(resending, "pause", lambda _: asyncio.sleep(0))
    posts = 0

    def reset(_: httpx.Request) -> httpx.Response:
        nonlocal posts
        posts += 1
        raise httpx.ReadError("reset")

    engine = replace(await own_engine(), billed=billed)
    service = make(tmp_path, engine, reset, quota=Quota("5/day", ""))
    fields: dict[str, Any] = {"prompt": "a hill", "model": "Qwen/Qwen-Image", "seed": 7}
    order = await (await service.order_from("text_to_image", [], 1, ANN, **fields)).finish()
    (problem,) = order.problems
    assert isinstance(problem, ConnectionFailed)
    money = {"en": "billed", "zh-CN": "费"}
    said = [money[language] in describe(problem, language) for language in LANGUAGES]
    assert ("See whether it still runs." in describe(problem, "en")) == (not billed)
    if billed:
        assert (posts, bool(order.lost), said, await service.left(ANN)) == (1, True, [True, True], 4)
    else:
        assert (posts, bool(order.lost), said, await service.left(ANN)) == (3, False, [False, False], 5)
    service.journal.life.end()
    again = make(tmp_path, engine, reset)
    await again.running.resume()
    (found,) = again.orders.of("ann")
    assert (found.terms.billed, bool(found.lost)) == (billed, billed)


# Keys of other hosts.


def hosts(asked: list[tuple[str, str]]) -> Callable[[str], QwenClient]:
    def at(host: str) -> QwenClient:
        def handle(request: httpx.Request) -> httpx.Response:
            asked.append((request.url.host, request.headers.get("authorization", "")))
            return answer()

        return QwenClient("", f"https://{host}/v1", transport=httpx.MockTransport(handle))

    return at


async def test_a_visitors_key_goes_to_the_listed_host_that_was_chosen_and_nowhere_else(tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []
    at = hosts(asked)
    other_hosts = {"intl.example": at("intl.example")}
    service = Service(at("cn.example"), Orders(8), Library(tmp_path), keyed=at("cn.example"), other_hosts=other_hosts)
    assert service.own_keys
    request = TextToImage(prompt="a", seed=1, response_format="b64_json")
    service.own_keys.put("ann", OWN_KEY, "intl.example")
    order = await (await ask_for(service, request, 1, ANN)).finish()
    assert (order.problems, order.terms.own_key, order.terms.host) == ([], True, "intl.example")
    sent = replace(ANN, key=OWN_KEY, host="intl.example")
    await (await ask_for(service, request, 1, sent)).finish()
    await (await ask_for(service, request, 1, replace(ANN, name="bob", key=OWN_KEY))).finish()
    own = f"Bearer {OWN_KEY}"
    assert asked == [("intl.example", own), ("intl.example", own), ("cn.example", own)]
    for host in ("evil.example", "intl.example.evil.example", "https://intl.example", "INTL.EXAMPLE", "127.0.0.1"):
        with pytest.raises(UnknownHost):
            service.own_keys.put("ann", OWN_KEY, host)
        with pytest.raises(UnknownHost):
            await ask_for(service, request, 1, replace(sent, host=host))
    assert len(asked) == 3
    assert OWN_KEY not in "".join(path.read_text() for path in (tmp_path / ".orders").iterdir())


def test_the_owners_list_of_hosts_is_read_as_people_write_it() -> None:
    given = "https://dashscope.aliyuncs.com, dashscope-intl.aliyuncs.com；https://ws.us-east-1.maas.aliyuncs.com/api/v1"
    assert Settings.from_env({"QWEN_DEMO_OWN_HOSTS": given}).own_hosts == (
        "https://dashscope.aliyuncs.com",
        "https://dashscope-intl.aliyuncs.com",
        "https://ws.us-east-1.maas.aliyuncs.com/api/v1",
    )
    with pytest.raises(WrongSetting, match="QWEN_DEMO_OWN_HOSTS must be"):
        Settings.from_env({"QWEN_DEMO_OWN_HOSTS": "ftp://host"})


# What is set.


MAKERS = "https://dashscope.aliyuncs.com/api/v1"
INTL = "https://dashscope-intl.aliyuncs.com"


@pytest.mark.parametrize(
    ("environ", "base_url", "dialect", "offline", "own_keys"),
    [
        ({}, "https://model-api.skyengine.com.cn/v1", None, True, True),
        ({"QWEN_API": "dashscope"}, MAKERS, "dashscope", True, True),
        ({"QWEN_API": "OpenAI"}, "https://api.openai.com/v1", "openai", True, True),
        ({"QWEN_BASE_URL": "http://my-gpu:8091/v1"}, "http://my-gpu:8091/v1", None, False, False),
        ({"QWEN_BASE_URL": INTL}, INTL, None, True, True),
        ({"QWEN_API": "siliconflow"}, "https://api.siliconflow.cn/v1", "siliconflow", False, True),
        ({"QWEN_BASE_URL": "http://relay/v1", "QWEN_API": "gateway"}, "http://relay/v1", "gateway", False, False),
        ({"QWEN_API_KEY": "sk-1", "QWEN_API": "dashscope"}, MAKERS, "dashscope", False, False),
    ],
)  # fmt: skip
def test_where_the_qwen_is_and_what_follows(
    environ: dict[str, str], base_url: str, dialect: str | None, offline: bool, own_keys: bool
) -> None:
    settings = Settings.from_env(environ)
    assert (settings.base_url, settings.dialect and settings.dialect.name) == (base_url, dialect)
    assert (settings.offline, settings.own_keys) == (offline, own_keys)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("QWEN_API", "dash", "QWEN_API must be one of gateway, openai, dashscope, siliconflow"),
        ("QWEN_MODELS", "nowhere.json", "QWEN_MODELS must be JSON such as"),
        ("QWEN_MODELS", '[{"name": "m", "sizes": ["wide"]}]', "0.sizes"),
        ("QWEN_MODELS", '[{"name": "m", "n": 0}]', "0.n"),
        ("QWEN_MODELS", '[{"name": "m", "colour": "red"}]', "0.colour"),
        ("QWEN_MODELS", '[{"tasks": ["edits"]}]', "0.name"),
        ("QWEN_MODELS", "[", "QWEN_MODELS must be JSON such as"),
    ],
)
def test_a_wrong_value_says_what_is_wrong_with_it(name: str, value: str, words: str) -> None:
    with pytest.raises(WrongSetting) as wrong:
        Settings.from_env({name: value})
    assert words in str(wrong.value)
    assert len(str(wrong.value).splitlines()) == 1


def test_the_owners_rows_are_read_from_a_file_or_as_they_stand(tmp_path: Path) -> None:
    sizes = ["1024x1024", "1536x1024", "1000x300"]
    text = json.dumps([
        {"name": "qwen-image-max", "price": 0.5},
        {"name": "mine-edit", "tasks": ["edits"], "sizes": sizes, "n": 4, "prompt": 2000},
        {"name": "free", "sizes": "any", "references": 0, "watermark": False},
    ])  # fmt: skip
    (tmp_path / "models.json").write_text(f"\ufeff{text}", encoding="utf-8")
    rows = read_models(text)
    assert read_models(str(tmp_path / "models.json")) == rows
    models = MAKER.with_rows(rows, DIALECTS["dashscope"].row).models
    assert [model.name for model in models[:2]] == ["mine-edit", "free"]  # those that we don't have come first
    mine, free = models[:2]
    assert (mine.tasks, mine.max_n, mine.max_prompt, mine.references) == (("edits",), 4, 2000, 3)
    assert [(size.name, size.ratio) for size in mine.sizes] == [
        ("1024x1024", "1:1"), ("1536x1024", "3:2"), ("1000x300", "10:3"),
    ]  # fmt: skip
    assert (free.tasks, bool(free.any_size), free.watermark, free.formats) == (("generations",), True, False, ("url",))
    (maximum,) = (model for model in models if model.name == "qwen-image-max")
    assert (maximum.price, maximum.max_n, len(models)) == (0.5, 1, len(MAKER.models) + 2)


async def test_an_order_of_an_engine_that_is_gone_is_known_after_a_restart(tmp_path: Path) -> None:
    backend = Backend()
    service = make(tmp_path, await own_engine(backend), backend)
    fields: dict[str, Any] = {"prompt": "a hill", "model": "Qwen/Qwen-Image", "size": "512x512", "seed": 7, "steps": 9}
    order = await (await service.order_from("text_to_image", [], 1, ANN, **fields)).finish()
    service.journal.life.end()
    other = make(tmp_path, STUDIO, lambda _: httpx.Response(500))
    await other.running.resume()
    (found,) = other.orders.of("ann")
    assert (found.request.model, found.request.size, found.request.steps) == ("Qwen/Qwen-Image", "512x512", 9)
    assert [picture.path for picture in found.pictures] == [picture.path for picture in order.pictures]
    with pytest.raises(InvalidRequest):  # it can't be ordered here
        await other.order_again(found, Visitor("ann"), 0)


async def test_strangers_have_an_own_engine_fetch_nothing(tmp_path: Path) -> None:
    backend = Backend()
    engine = (await own_engine(backend)).for_strangers()
    service = make(tmp_path, engine, backend, public=True)
    fields: dict[str, Any] = {"prompt": "a", "model": "Qwen/Qwen-Image-Edit-2511"}
    for kind, sources in (("edit", ["https://192.168.1.1/camera.png"]), ("fusion", [URL, URL])):
        with pytest.raises(InvalidRequest) as refused:
            await service.order_from(kind, sources, 1, ANN, **fields)
        assert refused.value.problem == "picture_address"
    assert backend.orders == []
    maker = of_dialect(DIALECTS["dashscope"])
    assert maker.for_strangers() == maker  # it fetches in its own network


async def test_strangers_learn_no_address_of_the_owners() -> None:
    told = httpx.Response(200, json={"data": [{"id": "qwen-image", "owned_by": "me"}]})
    engine = await find("http://my-gpu:8091/v1", "", transport=httpx.MockTransport(lambda _: told))
    assert "my-gpu" in engine_html(engine)
    shown = engine.for_strangers()
    request = TextToImage(prompt="a", size=None, catalog=engine.catalog)
    assert "my-gpu" not in "".join([engine_html(shown), *all_forms(shown, [request]).values()])


async def test_a_key_goes_to_no_host_that_it_was_not_entered_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task of an order paid by one key is never asked after with another host's."""
    monkeypatch.setattr(resending, "pause", lambda _: asyncio.sleep(0))
    asked: list[tuple[str, str, str]] = []

    def at(host: str) -> QwenClient:
        def handle(request: httpx.Request) -> httpx.Response:
            asked.append((request.method, host, request.headers.get("authorization", "")))
            begun = {"output": {"task_id": "t", "task_status": "PENDING"}}
            return httpx.Response(200, json=begun) if request.method == "POST" else httpx.Response(401)

        dialect = DIALECTS["dashscope"]
        return QwenClient("", f"https://{host}/api/v1", dialect, transport=httpx.MockTransport(handle))

    service = Service(
        at("cn.example"), Orders(8), Library(tmp_path), engine=STUDIO, keyed=at("cn.example"),
        other_hosts={"intl.example": at("intl.example")},
    )  # fmt: skip
    assert service.own_keys
    service.own_keys.put("ann", OWN_KEY, "intl.example")
    order = await (await service.order_from("text_to_image", [], 1, ANN, **DRAW)).finish()
    assert bool(order.unread)
    service.own_keys.put("ann", "sk-another-0123456789")  # for the usual host
    service.running.fetch_again(order)
    await order.finish()
    assert {(host, key) for _, host, key in asked} == {("intl.example", f"Bearer {OWN_KEY}"), ("intl.example", "")}
    assert order.problems[0].may_be_billed
    code = "".join(all_forms(service.engine_of(order), [call.request for call in order.calls]).values())
    assert "https://intl.example/api/v1" in code
    await service.aclose()


def test_a_key_that_one_host_refused_may_be_tried_at_another() -> None:
    keys = OwnKeys(["intl.example"])
    keys.refuse(["ann"], OWN_KEY)
    with pytest.raises(Unauthorized):
        keys.check(["ann"], OWN_KEY)
    keys.check(["ann"], OWN_KEY, "intl.example")


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": MAKER_SIZES},
        {"max_prompt": 3},
        {"watermark": False, "rewrites": False, "seeded": False},
        {"tasks": ("edits",)},
    ],
)
async def test_an_order_is_known_after_a_restart_though_its_model_takes_other_things_now(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    fields = {**DRAW, "size": "1472x1140", "watermark": True}
    unread = httpx.Response(200, json={"pictures": "?"})
    service = make(tmp_path, PROVIDER_ENGINE, lambda _: unread)
    await (await service.order_from("text_to_image", [], 1, ANN, **fields)).finish()
    models = Catalog(tuple(replace(model, **changes) for model in PROVIDER_ENGINE.catalog.models))
    service.journal.life.end()
    again = make(tmp_path, replace(PROVIDER_ENGINE, catalog=models), lambda _: unread)
    await again.running.resume()
    (found,) = again.orders.of("ann")
    await found.finish()
    assert (found.request.size, bool(found.unread)) == ("1472x1140", True)


async def test_where_nobody_pays_no_refusal_speaks_of_money(tmp_path: Path) -> None:
    backend = Backend()
    engine = await own_engine(backend)
    service = make(tmp_path, engine, backend, quota=Quota("0/day", ""))
    with pytest.raises(QwenDemoError) as refused:
        await service.order_from("text_to_image", [], 1, ANN, prompt="a", model="Qwen/Qwen-Image")
    assert "billed" not in describe(refused.value, "en")


def test_what_a_row_leaves_out_stays_as_it_is() -> None:
    rows = read_models('[{"name": "Qwen/Qwen-Image-Edit", "tasks": ["edits"], "price": 1}]')
    served = Catalog((Model("Qwen/Qwen-Image-Edit", ("edits",), references=1, tunable=True),))
    (model,) = served.with_rows(rows, DIALECTS["openai"].row).models
    assert (model.references, model.tunable, model.price) == (1, True, 1)


def test_agents_are_told_of_no_choice_without_a_choice(tmp_path: Path) -> None:
    engine = of_dialect(DIALECTS["siliconflow"])
    service = Service(QwenClient(KEY), Orders(1), Library(tmp_path), engine=engine)
    tools = AgentServer(service, Addresses(service.everything, bytes(32))).tools
    schemas = {tool.name: tool.inputSchema["properties"] for tool in tools}
    assert schemas.keys() == {"text_to_image", "edit_image", "fuse_images", "batch_edit", "vary"}
    assert "1584x1056" in schemas["text_to_image"]["size"]["enum"]
    assert schemas["vary"]["sizes"]["items"]["enum"] == schemas["text_to_image"]["size"]["enum"]
    assert all("size" not in schemas[name] for name in ("edit_image", "batch_edit"))  # its edit models take none
    assert all({"steps", "guidance"} <= schema.keys() for schema in schemas.values())
    assert all({"watermark", "optimize_prompt", "rewritings"}.isdisjoint(schema) for schema in schemas.values())


def test_a_size_by_hand_that_a_model_can_not_have_is_not_shown_as_chosen() -> None:
    (model,) = (row for row in STUDIO.catalog.models if row.name == "qwen-image-2.0")
    for size, value in (("900x900", "free"), ("1024x1024", "1024x1024"), ("5000x5000", "1024x1024")):
        assert sizes_of(model, size, auto=False)["value"] == value


@pytest.mark.parametrize(
    ("size", "shape"),
    [("1664x928", "1376x768"), ("1472x1140", "1184x896"), ("928x1664", "768x1376"), ("1328x1328", "1024x1024")],
)
def test_another_models_size_becomes_the_one_of_its_shape(size: str, shape: str) -> None:
    (model,) = (row for row in STUDIO.catalog.models if row.name == "qwen-image-2.0")
    assert sizes_of(model, size, auto=False, exact=False)["value"] == shape
    (back,) = (row for row in PROVIDER_ENGINE.catalog.models if row.name == "qwen-image")
    assert sizes_of(back, shape, auto=False, exact=False)["value"] == size
    assert sizes_of(model, "1000x300", auto=False, exact=False)["value"] == "free"


def test_a_refused_size_is_told_with_the_rule_that_it_breaks() -> None:
    (edit,) = (row for row in STUDIO.catalog.models if row.name == "qwen-image-edit-plus")
    with pytest.raises(InvalidRequest) as refused:
        checked_size(edit, "480x1000")
    assert "sides of 512 to 2048" in describe(refused.value, "en")
    assert checked_size(edit, "1280，720") == checked_size(edit, "1280 720") == "1280x720"
    with pytest.raises(InvalidRequest) as refused:
        checked_size(edit, "")
    assert refused.value.problem == "required"


async def test_a_prompt_that_is_only_repeated_was_not_rewritten(tmp_path: Path) -> None:
    body = {"data": [{"b64_json": base64.b64encode(png()).decode(), "revised_prompt": "a hill"}]}
    service = make(tmp_path, PROVIDER_ENGINE, lambda _: httpx.Response(200, json=body))
    order = await (await service.order_from("text_to_image", [], 1, ANN, **DRAW)).finish()
    assert [picture.revised_prompt for picture in order.pictures] == [None]


def test_all_addresses_of_a_form_are_in_its_details() -> None:
    form = (("prompt", "a"), ("url[]", URL), ("url[]", f"{URL}?2"))
    assert body_of(Prepared(path="images/edits", form=form)) == {"prompt": "a", "url[]": [URL, f"{URL}?2"]}


async def proxys_form() -> Form:
    """The first tab's form over a proxy, whose models have and lack all kinds of things."""
    told = {"data": [{"id": one, "owned_by": "x"} for one in ("gpt-image-1", "qwen-image", "qwen-image-2.0")]}
    engine = await find("http://proxy/v1", "", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=told)))
    with gr.Blocks():
        return Form("text", TextToImage, engine.catalog, [], "prompt_text_hint", "run")


@pytest.mark.parametrize("name", ["gpt-image-1", "qwen-image", "elsewhere"])
async def test_all_that_a_form_fills_is_among_what_it_may_change(name: str) -> None:
    form = await proxys_form()
    recipe = Recipe(kind="text_to_image", prompt="a", model=name, size="1664x928", seed=7, watermark=True, steps=9)
    assert set(form.fill(recipe)) <= set(form.outputs())
    assert set(form.follow_model(name, "1024x1024")) <= set(form.outputs())


@pytest.mark.parametrize(("name", "negative", "seed"), [("gpt-image-1", None, None), ("qwen-image", "b", 7)])
async def test_what_a_model_lacks_is_not_sent_though_it_was_written_before(
    name: str, negative: str | None, seed: int | None
) -> None:
    form = await proxys_form()
    held = {"model": name, "negative_prompt": "b", "seed": 7}
    given = {key: getattr(part, "value", None) for key, part in form.controls().items()} | held
    fields = form.given(given).fields
    assert (fields["negative_prompt"], fields["seed"], fields["watermark"]) == (negative, seed, None)


async def test_programs_may_say_steps_and_guidance_where_a_model_takes_them(tmp_path: Path) -> None:
    backend = Backend()
    engine = await own_engine(backend)

    def ask(url: str) -> list[Any]:
        client = Client(url, verbose=False, download_files=str(tmp_path))
        told = client.view_api(return_format="dict", print_info=False)
        assert isinstance(told, dict)
        names = {parameter["parameter_name"] for parameter in told["named_endpoints"]["/text_to_image"]["parameters"]}
        assert {"steps", "guidance"} <= names
        files, details = client.predict(prompt="a", size="512x512", steps=12, guidance=2.5, api_name="/text_to_image")
        client.close()
        return [len(files), details["request"]["body"]["num_inference_steps"]]

    with launched(make(tmp_path, engine, backend)) as url:
        assert await asyncio.to_thread(ask, url) == [1, 12]


async def test_auto_gives_the_pictures_shape_where_the_engine_would_not(tmp_path: Path) -> None:
    """Seen: SGLang with Qwen-Image-2.1 makes 1024x1024 of any picture, unless it is told a size."""
    told = {"data": [{"id": "Qwen/Qwen-Image-2.1", "owned_by": "sglang", "task_type": "TI2I"}]}
    engine = await find("http://gpu/v1", "", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=told)))
    bodies: list[bytes] = []

    def carry(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return answer()

    photo = tmp_path / "wide.png"
    Image.new("RGB", (1600, 800), "red").save(photo)
    service = make(tmp_path / "out", engine, carry)
    order = await (await service.order_from("edit", [photo], 1, ANN, prompt="a")).finish()
    assert (order.problems, order.request.size) == ([], "1440x704")
    assert b'name="size"\r\n\r\n1440x704\r\n' in bodies[0]
