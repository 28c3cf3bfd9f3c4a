"""What is found at an address, with what it says of itself, or says not at all."""

from typing import Any

import httpx
import pytest

from qwen_demo.api.catalog import MAKER, PROVIDER
from qwen_demo.api.dialects import DIALECTS
from qwen_demo.api.engine import Engine, EngineAway, find
from qwen_demo.offline import create_app

KEY, AT = "sk-test-4f1c9a2b-engine", "http://host/v1"


async def found(
    answer: httpx.Response | Exception, url: str = AT, key: str = "", api: str = "", *, keys_come: bool = False
) -> Engine:
    """The engine at an address that answers so to whatever it is asked."""

    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        assert request.headers.get("authorization") == (f"Bearer {key}" if key else None)
        return answer

    return await find(url, key, DIALECTS.get(api), transport=httpx.MockTransport(handle), keys_come=keys_come)


async def never(url: str, api: str = "") -> Engine:
    return await found(AssertionError("it was asked"), url, api=api)


@pytest.mark.parametrize(
    ("url", "dialect", "base_url"),
    [
        ("https://model-api.skyengine.com.cn/v1", "gateway", "https://model-api.skyengine.com.cn/v1"),
        ("https://dashscope.aliyuncs.com", "dashscope", "https://dashscope.aliyuncs.com/api/v1"),
        ("https://dashscope.aliyuncs.com/api/v1", "dashscope", "https://dashscope.aliyuncs.com/api/v1"),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "dashscope", "https://dashscope-intl.aliyuncs.com/api/v1"),
        ("https://ws1.ap-southeast-1.maas.aliyuncs.com", "dashscope", "https://ws1.ap-southeast-1.maas.aliyuncs.com/api/v1"),
    ],
)  # fmt: skip
async def test_known_hosts_are_known_and_not_asked(url: str, dialect: str, base_url: str) -> None:
    engine = await never(url)
    assert (engine.dialect.name, engine.base_url, engine.billed, engine.wants_key) == (dialect, base_url, True, True)
    assert engine.catalog == {"gateway": PROVIDER, "dashscope": MAKER}[dialect]


@pytest.mark.parametrize("url", ["https://oss.aliyuncs.com/v1", "https://evil-dashscope.aliyuncs.com.example/v1"])
async def test_a_host_with_a_name_alike_is_not_taken_for_it(url: str) -> None:
    assert (await found(httpx.Response(404), url)).dialect.name == "gateway"


@pytest.mark.parametrize("api", ["gateway", "dashscope"])
async def test_what_is_said_outright_is_not_asked(api: str) -> None:
    assert (await never("http://relay:3000/v1", api)).dialect.name == api


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={"detail": "Not Found"}),
        httpx.Response(405),
        httpx.Response(501),
        httpx.Response(403, json={"error": {"message": "no"}}),
        httpx.Response(200, html="<html>a page</html>"),
        httpx.Response(200, json={"data": []}),
        httpx.Response(200, json={"data": ["x", {"id": 7}, None]}),
        httpx.Response(200, json=[]),
        httpx.Response(302, headers={"location": "https://elsewhere/"}),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.text[:20]}",
)
async def test_what_names_no_models_is_taken_for_a_gateway(answer: httpx.Response) -> None:
    engine = await found(answer, key=KEY)
    assert (engine.dialect.name, engine.catalog, engine.base_url) == ("gateway", PROVIDER, "http://host/v1")


@pytest.mark.parametrize(
    ("answer", "locked"),
    [
        (httpx.ConnectError("refused"), False),
        (httpx.ReadTimeout("slow"), False),
        (httpx.Response(503, text="loading"), False),
        (httpx.Response(500, text="Internal Server Error"), False),
        (httpx.Response(401, json={"error": "Unauthorized"}), True),
    ],
)
@pytest.mark.parametrize("api", ["", "openai"])
async def test_what_does_not_answer_yet_is_away(answer: httpx.Response | Exception, locked: bool, api: str) -> None:
    with pytest.raises(EngineAway) as away:
        await found(answer, key=KEY, api=api)
    assert (away.value.host, away.value.locked) == ("host", locked)
    assert KEY not in str(away.value)


async def test_an_address_without_a_version_gets_one() -> None:
    engine = await found(httpx.Response(200, json={"data": [{"id": "m", "owned_by": "vllm"}]}), "http://my-gpu:8091")
    assert engine.base_url == "http://my-gpu:8091/v1"


LITELLM: dict[str, Any] = {
    "data": [
        {"id": name, "object": "model", "created": 1677610602, "owned_by": "openai"}
        for name in ("gpt-5", "qwen-image", "qwen-image-edit", "gpt-image-1", "text-embedding-3-small")
    ],
    "object": "list",
}


async def test_of_a_proxys_models_those_that_make_pictures_are_offered() -> None:
    engine = await found(httpx.Response(200, json=LITELLM), key=KEY)
    assert (engine.dialect.name, engine.title, engine.host, engine.billed) == ("openai", "", "host", True)
    rows = {model.name: model for model in engine.catalog.models}
    assert {name: row.tasks for name, row in rows.items()} == {
        "qwen-image": ("generations",),
        "qwen-image-edit": ("edits",),
        "gpt-image-1": ("generations", "edits"),
    }
    # It refuses response_format for models that it doesn't know, and takes no address of a reference.
    assert [(row.formats, row.addresses, row.watermark, row.rewrites) for row in rows.values()] == [
        ((), False, False, False)
    ] * 3
    assert (rows["qwen-image"].seeded, rows["gpt-image-1"].seeded, rows["gpt-image-1"].negative) == (True, False, False)


@pytest.mark.parametrize(
    ("owner", "url", "key", "billed"),
    [
        ("vllm", "http://my-gpu:8091/v1", "", False),
        ("sglang", "http://192.168.1.5:8091/v1", KEY, False),  # an engine of one's own may ask for a key
        ("vllm", "https://rented.example.com/v1", "", False),
        ("vllm", "https://rented.example.com/v1", KEY, True),  # and who takes one may send a bill
        ("openai", "http://my-proxy:4000/v1", "", True),  # a proxy without a key may have one itself
    ],
)
async def test_nobody_pays_for_what_an_own_engine_does(owner: str, url: str, key: str, billed: bool) -> None:
    told = httpx.Response(200, json={"data": [{"id": "qwen-image", "owned_by": owner}]})
    assert (await found(told, url, key)).billed == billed


@pytest.mark.parametrize(
    "models",
    [
        [{"id": "a", "owned_by": []}],
        [{"id": "a", "owned_by": {"x": 1}, "task_type": ["T2I"]}],
        [{"id": "a" * 10_000}, {"id": "", "owned_by": None}],
        [{"id": "../../etc/passwd", "owned_by": "vllm"}],
    ],
)
async def test_odd_answers_are_read_as_far_as_they_can_be(models: list[Any]) -> None:
    assert len((await found(httpx.Response(200, json={"data": models}))).catalog.models) == len(models)


async def test_visitors_may_bring_the_key_that_a_gateway_asks_for() -> None:
    locked = httpx.Response(401, json={"error": "Unauthorized"})
    assert (await found(locked, keys_come=True)).dialect.name == "gateway"
    for asked in (found(locked), found(locked, api="openai", keys_come=True)):
        with pytest.raises(EngineAway):  # an engine that asks for one is no gateway
            await asked


@pytest.mark.parametrize(
    ("name", "tasks", "references"),
    [
        ("/home/edith/models/Qwen-Image", ("generations",), 4),
        ("Qwen/Qwen-Image-Edit", ("edits",), 1),
        ("Qwen/Qwen-Image-Edit-FP8", ("edits",), 1),
        ("Qwen/Qwen-Image-Edit-2509-FP8", ("edits",), 4),
        ("my/qwen-image-edit-plus", ("edits",), 4),
    ],
)
async def test_what_a_model_does_is_told_by_its_own_name(name: str, tasks: tuple[str, ...], references: int) -> None:
    engine = await found(httpx.Response(200, json={"data": [{"id": name, "owned_by": "vllm"}]}))
    assert [(row.tasks, row.references) for row in engine.catalog.models] == [(tasks, references)]


async def test_where_no_name_tells_of_pictures_all_models_are_offered() -> None:
    told = {"data": [{"id": "one", "owned_by": "x"}, {"id": "two", "owned_by": "x"}]}
    assert len((await found(httpx.Response(200, json=told))).catalog.models) == 2


async def test_a_server_may_say_itself_in_what_it_is_asked() -> None:
    offline = httpx.ASGITransport(create_app(seconds=0))
    assert (await find("http://offline/v1", KEY, transport=offline)).dialect.name == "gateway"
    engine = await find("http://offline/v1", "", DIALECTS["openai"], transport=offline)
    assert [model.name for model in engine.catalog.models] == ["Qwen/Qwen-Image-Edit-2511", "Qwen/Qwen-Image"]


async def test_the_owners_rows_add_to_what_the_engine_says() -> None:
    told = httpx.Response(200, json={"data": [{"id": "Qwen/Qwen-Image", "owned_by": "vllm"}]})
    rows: dict[str, dict[str, Any]] = {"Qwen/Qwen-Image": {"max_n": 2, "price": 0.1}, "my-edit": {"references": 2}}
    engine = await find("http://host/v1", "", None, rows, httpx.MockTransport(lambda _: told))
    new, known = engine.catalog.models
    assert (new.name, new.tasks, new.references, new.formats) == ("my-edit", ("edits",), 2, ("b64_json",))
    assert dict(new.extra) == {"output_format": "png"}  # as this engine's are
    assert (known.max_n, known.price, known.tunable, dict(known.extra)) == (2, 0.1, True, {"output_format": "png"})
