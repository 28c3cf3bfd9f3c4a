"""What a request becomes in each dialect, as values, and what is sent of it."""

import asyncio
import base64
import contextlib
import re
from typing import Any

import httpx
import pytest

from qwen_demo.api import resending
from qwen_demo.api.catalog import MAKER, MEGAPIXEL_SIZES, PROVIDER, AnySize, Catalog, Model, widest
from qwen_demo.api.client import QwenClient
from qwen_demo.api.dialects import DIALECTS, spoken_at
from qwen_demo.api.errors import (
    APIError,
    BadResponse,
    ConnectionFailed,
    InvalidRequest,
    OtherRegion,
    ProxyFailed,
    RateLimited,
    Refused,
    RequestTimedOut,
    Unauthorized,
)
from qwen_demo.api.refusals import parse_error
from qwen_demo.api.requests import ImageEdit, ImageFusion, TextToImage, split
from qwen_demo.api.resending import should_resend
from qwen_demo.api.responses import add_usage
from tests.conftest import images_of

GATEWAY, OPENAI, DASHSCOPE = (DIALECTS[name] for name in ("gateway", "openai", "dashscope"))
PNG = b"\x89PNG picture"
DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()
JPEG = "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff photo").decode()
ADDRESS = "https://pictures.example/a.png"
KEY = "sk-test-4f1c9a2b-dialects"
OWN = Catalog((
    Model(
        "mine", ("generations", "edits"), max_n=10, sizes=MEGAPIXEL_SIZES, any_size=AnySize(32), references=4,
        rewrites=False, watermark=False, tunable=True, formats=("b64_json",), extra={"output_format": "png"},
    ),
    Model("single", ("edits",), sizes=(), references=1, addresses=False, seeded=False, negative=False),
))  # fmt: skip


def own(**fields: Any) -> TextToImage:
    return TextToImage(prompt="a cat", model="mine", catalog=OWN, **{"size": None, **fields})


# The maker's.


def test_the_makers_request_is_a_message_and_parameters() -> None:
    fusion = ImageFusion(prompt="图1 坐在 图2", images=(DATA, ADDRESS), size="1000x700", n=2, seed=0, catalog=MAKER)
    prepared = DASHSCOPE.prepare(fusion)
    content = [{"image": DATA}, {"image": ADDRESS}, {"text": "图1 坐在 图2"}]
    assert prepared.path == "services/aigc/multimodal-generation/generation"
    assert prepared.json == {
        "model": "qwen-image-edit-plus",
        "input": {"messages": [{"role": "user", "content": content}]},
        "parameters": {"size": "992*688", "n": 2, "seed": 0, "prompt_extend": True, "watermark": False},
    }  # fmt: skip


def test_what_a_model_of_the_makers_lacks_is_not_sent() -> None:
    edit = ImageEdit(prompt="a", image=DATA, model="qwen-image-edit", seed=1, catalog=MAKER)
    assert DASHSCOPE.prepare(edit).json["parameters"] == {"n": 1, "seed": 1, "watermark": False}  # type: ignore[index]
    drawn = TextToImage(prompt="a", model="z-image-turbo", size="1024x1024", optimize_prompt=False, catalog=MAKER)
    assert DASHSCOPE.prepare(drawn).json["parameters"] == {"size": "1024*1024", "n": 1, "prompt_extend": False}  # type: ignore[index]


@pytest.mark.parametrize(
    ("model", "kind", "n", "references", "sizes"),
    [  # of the table: what each row takes, and what it refuses
        ("qwen-image-3.0", "fusion", 6, 3, ["512x512", "2048x2048", "4096x512"]),
        ("qwen-image-2.0-pro", "edit", 6, 3, ["1448x724"]),
        ("qwen-image-max", "text_to_image", 1, 3, ["1664x928", "1472x1104", "1328x1328", "1104x1472", "928x1664"]),
        ("qwen-image-edit-max", "edit", 6, 3, ["512x512", "2048x2048"]),
        ("z-image-turbo", "text_to_image", 1, 3, ["1024x1024"]),
    ],
)
def test_the_makers_rows_are_its_table(model: str, kind: str, n: int, references: int, sizes: list[str]) -> None:
    row = MAKER.find(model, kind)
    assert row
    assert (row.max_n, row.references) == (n, references)
    assert [row.sized(size) for size in sizes] == sizes
    wrong = ["100x100", "5000x5000", "1664*928x2", "wide", ""]
    assert [row.sized(size) for size in wrong] == [None] * len(wrong)
    assert row.sized("1472x1140") is None or row.any_size  # that is this provider's spelling


def test_a_prompt_is_measured_in_what_the_model_counts() -> None:
    chinese, english = "猫" * 1301, "cat " * 1300
    with pytest.raises(InvalidRequest) as refused:
        TextToImage(prompt=chinese, model="qwen-image-2.0", size=None, catalog=MAKER)
    assert (refused.value.problem, refused.value.facts) == ("too_many_tokens", {"limit": 1300, "count": 1301})
    assert len(TextToImage(prompt=english, model="qwen-image-2.0", size=None, catalog=MAKER).prompt) == 5200
    with pytest.raises(InvalidRequest, match="800"):
        TextToImage(prompt=english, model="qwen-image-max", size=None, catalog=MAKER)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("Throttling.RateQuota", RateLimited),
        ("Throttling.AllocationQuota", RateLimited),
        ("IPInfringementSuspect", Refused),
        ("DataInspectionFailed", Refused),
    ],
)
def test_the_makers_codes_mean_what_it_says(code: str, kind: type[APIError]) -> None:
    error = parse_error(429 if "Throttling" in code else 400, {"code": code, "message": "x", "request_id": "r"}, {})
    assert (type(error), error.request_id) == (kind, "r")


# OpenAI's.


def test_words_go_as_json_and_pictures_as_files() -> None:
    fields: dict[str, Any] = {"prompt": "a", "model": "mine", "seed": 7, "steps": 20, "guidance": 2.5, "catalog": OWN}
    common = {
        "prompt": "a", "model": "mine", "n": 1, "response_format": "b64_json", "seed": 7, "num_inference_steps": 20,
        "true_cfg_scale": 2.5, "output_format": "png",
    }  # fmt: skip
    drawn = OPENAI.prepare(TextToImage(size="1376x768", **fields))
    assert (drawn.path, drawn.json, drawn.form, drawn.files) == (
        "images/generations", {**common, "size": "1376x768"}, (), (),
    )  # fmt: skip
    edit = OPENAI.prepare(ImageEdit(image=DATA, **fields))
    assert (edit.path, edit.json, dict(edit.form), edit.files) == ("images/edits", None, common, (("image", DATA),))
    fusion = OPENAI.prepare(ImageFusion(images=(DATA, JPEG), **fields))
    assert fusion.files == (("image[]", DATA), ("image[]", JPEG))
    mixed = OPENAI.prepare(ImageFusion(images=(DATA, ADDRESS), **fields))
    assert (mixed.files, mixed.form[-2:]) == ((), (("url[]", DATA), ("url[]", ADDRESS)))  # in their order


async def test_files_travel_as_bytes_in_pieces_and_their_form_is_whole() -> None:
    large = b"\x89PNG" + bytes(300_000)
    seen: list[tuple[httpx.Headers, list[bytes]]] = []

    class Carrier(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.AsyncByteStream)
            seen.append((request.headers, [piece async for piece in request.stream]))
            return httpx.Response(200, json={"data": [{"b64_json": "QUJD"}]})

    images = ("data:image/png;base64," + base64.b64encode(large).decode(), JPEG)
    fusion = ImageFusion(prompt='图1\r\n"and"', images=images, model="mine", seed=0, catalog=OWN)
    async with QwenClient("", "http://mine/v1", OPENAI, transport=Carrier()) as client:
        assert (await client.send(fusion)).images[0].b64 == "QUJD"
    ((headers, pieces),) = seen
    assert "authorization" not in headers
    assert headers["connection"] == "close"
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert int(headers["content-length"]) == sum(map(len, pieces))
    assert max(map(len, pieces)) <= 65_536
    body = b"".join(pieces)
    assert body.count(large) == 1
    assert b'name="image[]"; filename="image-2.jpeg"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff photo' in body
    assert 'name="prompt"\r\n\r\n图1\r\n"and"\r\n'.encode() in body


def test_a_model_of_which_nothing_is_known_is_not_told_how_results_travel() -> None:
    proxied = Catalog((Model("gpt", ("generations",), formats=(), seeded=False, watermark=False, rewrites=False),))
    request = TextToImage(prompt="a", seed=7, size=None, catalog=proxied)
    assert OPENAI.prepare(request).json == {"prompt": "a", "model": "gpt", "n": 1}


def test_a_free_size_is_rounded_as_the_engine_rounds_and_nothing_else_is_taken() -> None:
    assert own(size="1000x1000").size == "992x992"
    assert own(size=" 1000 × 700 ").size == "992x672"
    assert [own(size=size.name).size for size in MEGAPIXEL_SIZES] == [size.name for size in MEGAPIXEL_SIZES]
    for wrong in ("64x64", "9000x9000", "2048x250", "wide", "0x0", "-5x7", "1e3x700", ""):
        with pytest.raises(InvalidRequest):
            own(size=wrong)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"watermark": True}, "not_offered"),
        ({"steps": 0}, "range"),
        ({"steps": 1.5}, "range"),
        ({"steps": "20"}, "range"),
        ({"guidance": -1}, "number_range"),
        ({"guidance": float("nan")}, "number_range"),
        ({"guidance": True}, "number_range"),
        ({"n": 11}, "range"),
    ],
)
def test_what_the_engine_lacks_or_forbids_is_refused_before_it_is_sent(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        own(**fields)
    assert refused.value.problem == problem


def test_what_only_some_models_take_is_refused_for_the_others() -> None:
    with pytest.raises(InvalidRequest) as refused:
        ImageEdit(prompt="a", image=ADDRESS, model="single", catalog=OWN)
    assert refused.value.problem == "picture_address"
    with pytest.raises(InvalidRequest) as refused:
        ImageEdit(prompt="a", image=DATA, model="single", negative_prompt="b", catalog=OWN)
    assert refused.value.problem == "not_offered"
    with pytest.raises(InvalidRequest) as refused:  # one picture at a time: no fusion
        ImageFusion(prompt="a", images=(DATA, DATA), model="single", catalog=OWN)
    assert (refused.value.field, refused.value.problem) == ("model", "choice")
    with pytest.raises(InvalidRequest) as refused:
        TextToImage(prompt="a", steps=5)  # this provider's have no steps
    assert refused.value.problem == "not_offered"
    with pytest.raises(InvalidRequest) as refused:
        TextToImage(prompt="a", catalog=Catalog())
    assert refused.value.problem == "no_model"


def test_a_seed_that_a_model_does_not_take_is_left_out() -> None:
    assert ImageEdit(prompt="a", image=DATA, model="single", seed=7, catalog=OWN).seed is None
    assert [one.seed for one in split(ImageEdit(prompt="a", image=DATA, model="single", seed=7, catalog=OWN), 2)] == [
        None, None,
    ]  # fmt: skip


def test_more_than_three_references_where_a_model_takes_more() -> None:
    assert len(ImageFusion(prompt="a", images=(DATA,) * 4, model="mine", catalog=OWN).references) == 4
    with pytest.raises(InvalidRequest):
        ImageFusion(prompt="a", images=(DATA,) * 5, model="mine", catalog=OWN)
    assert (OWN.most_references, PROVIDER.most_references, Catalog().most_references) == (4, 3, 2)


def test_what_was_made_elsewhere_can_be_spoken_of() -> None:
    fields: dict[str, Any] = {"prompt": "a" * 900, "model": "x/y", "size": "77x3000", "n": 6, "steps": 9}
    assert TextToImage(**fields, catalog=widest("x/y")).size == "77x3000"


# The fourth, which shows how little one takes.


def test_siliconflow_has_its_own_names_for_the_same_things() -> None:
    dialect = DIALECTS["siliconflow"]
    fields: dict[str, Any] = {"prompt": "a", "seed": 7, "steps": 20, "guidance": 4.0, "catalog": dialect.catalog}
    drawn = dialect.prepare(TextToImage(size="1584x1056", negative_prompt="b", **fields))
    common = {"prompt": "a", "seed": 7, "num_inference_steps": 20, "cfg": 4.0}
    assert (drawn.path, drawn.json) == (
        "images/generations",
        {**common, "model": "Qwen/Qwen-Image", "negative_prompt": "b", "image_size": "1584x1056"},
    )
    fusion = dialect.prepare(ImageFusion(images=(DATA, ADDRESS, JPEG), **fields))
    assert fusion.json == {
        **common, "model": "Qwen/Qwen-Image-Edit-2509", "image": DATA, "image2": ADDRESS, "image3": JPEG,
    }  # fmt: skip
    assert images_of({"images": [{"url": ADDRESS}], "timings": {"inference": 1}, "seed": 7})[0].url == ADDRESS


# What fails there.


def test_a_proxy_that_fails_may_have_asked_three_times() -> None:
    body = {"error": {"message": "x", "type": None, "param": None, "code": "500"}}
    error = parse_error(500, body, {"x-litellm-call-id": "c-1"})
    assert (type(error), error.may_be_billed, error.request_id) == (ProxyFailed, True, "c-1")
    assert type(parse_error(500, body, {})) is APIError
    for status, message in ((503, "x"), (500, "rate limit"), (502, "out of memory")):
        error = parse_error(status, {"error": {"message": message}}, {"x-litellm-call-id": "c-1"})
        assert (type(error), error.may_be_billed, should_resend(error, 1)) == (ProxyFailed, True, False)
    assert type(parse_error(429, body, {"x-litellm-call-id": "c-1"})) is RateLimited


@pytest.mark.parametrize(("dialect", "kind"), [(DASHSCOPE, OtherRegion), (GATEWAY, Unauthorized)])
async def test_a_key_of_another_region_is_told_where_there_are_regions(dialect: Any, kind: type[APIError]) -> None:
    answer = httpx.Response(401, json={"code": "InvalidApiKey", "message": "Invalid.", "request_id": "r"})
    catalog = MAKER if dialect is DASHSCOPE else PROVIDER
    carrier = httpx.MockTransport(lambda _: answer)
    async with QwenClient(KEY, "https://dashscope-intl.aliyuncs.com/api/v1", dialect, transport=carrier) as client:
        with pytest.raises(kind) as refused:
            await client.send(TextToImage(prompt="a", size=None, catalog=catalog))
    assert type(refused.value) is kind
    assert (refused.value.host, refused.value.request_id) == ("dashscope-intl.aliyuncs.com", "r")


async def test_nothing_is_sent_on_a_connection_that_an_engine_closes_after_its_500() -> None:
    """Seen: SGLang 0.5.23 answers 500 and closes; what is sent on that connection within a moment is never answered."""
    connections: list[int] = []

    async def engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(re.findall(rb"(?i)content-length: (\d+)", head)[0]))
                connections[-1] += 1
                if connections[-1] > 1:
                    continue  # lost
                first, body = len(connections) == 1, b'{"data": [{"b64_json": "QUJD"}]}'
                status, body = (b"500 Internal Server Error", b"broken") if first else (b"200 OK", body)
                writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    async with await asyncio.start_server(engine, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with QwenClient("", f"http://127.0.0.1:{port}/v1", OPENAI, billed=False, timeout=20) as client:
            with pytest.raises(APIError):
                await client.send(own())
            assert len((await client.send(own())).images) == 1
    assert connections == [1, 1]


def test_a_lost_request_goes_again_only_where_nobody_pays() -> None:
    reset, slow = ConnectionFailed("reset", may_be_billed=True), RequestTimedOut("slow", may_be_billed=True)
    assert [should_resend(error, 1, billed=True) for error in (reset, slow)] == [False, False]
    assert [should_resend(error, 1, billed=False) for error in (reset, slow)] == [True, False]
    assert not should_resend(reset, 3, billed=False)


def test_usage_is_added_up_without_what_says_how_big_a_picture_is() -> None:
    usages = [{"image_count": 1, "output_width": 1024, "width": 9, "total_tokens": 3}] * 2
    assert add_usage([*usages]) == {"image_count": 2, "output_width": 1024, "width": 9, "total_tokens": 6}


# A task in place of a picture.


def tasks(*answers: dict[str, Any] | int, post: dict[str, Any] | None = None) -> tuple[httpx.MockTransport, list[str]]:
    """A server that begins a task, and tells how it is when it is asked. Returns what it was asked."""
    asked: list[str] = []
    told = iter(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path} {request.headers.get('authorization', '')}")
        if request.method == "POST":
            return httpx.Response(200, json=post or {"output": {"task_id": "t/1", "task_status": "PENDING"}})
        answer = next(told)
        return httpx.Response(answer) if isinstance(answer, int) else httpx.Response(200, json={"output": answer})

    return httpx.MockTransport(handle), asked


RUNNING = {"task_id": "t/1", "task_status": "RUNNING"}
URL = "https://results.example/1.png"


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_: float) -> None:
        return None

    monkeypatch.setattr(resending, "pause", at_once)


async def send(carrier: httpx.MockTransport, dialect: Any = DASHSCOPE, timeout: float = 300) -> Any:
    async with QwenClient(KEY, "http://maker/api/v1", dialect, transport=carrier, timeout=timeout) as client:
        return await client.send(TextToImage(prompt="a", size=None, catalog=MAKER))


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize(
    "done",
    [
        {"choices": [{"message": {"content": [{"image": URL}]}}]},
        {"results": [{"url": URL, "actual_prompt": "a finer one"}]},
    ],
)
async def test_a_task_is_followed_to_its_pictures(done: dict[str, Any]) -> None:
    busy = {"code": "Throttling.RateQuota", "message": "x"}  # with a 200, from whatever stands in between
    carrier, asked = tasks(RUNNING, 429, 502, 503, busy, {}, RUNNING, {"task_status": "SUCCEEDED", **done})
    response = await send(carrier)
    assert [image.url for image in response.images] == [URL]
    assert asked[1:] == [f"GET /api/v1/tasks/t/1 Bearer {KEY}"] * 8


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_task_that_may_not_be_asked_after_may_be_billed_all_the_same(status: int) -> None:
    with pytest.raises(APIError) as refused:
        await send(tasks(RUNNING, status)[0])
    assert refused.value.may_be_billed


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize(
    ("ended", "kind"),
    [
        ({"task_status": "FAILED", "code": "DataInspectionFailed", "message": "x"}, Refused),
        ({"task_status": "FAILED", "code": "InternalError", "message": "x"}, APIError),
        ({"task_status": "CANCELED"}, APIError),
        ({"task_status": "UNKNOWN"}, BadResponse),
    ],
)
async def test_a_task_that_ends_without_a_picture_says_why(ended: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await send(tasks(RUNNING, {"task_id": "t/1", **ended})[0])


@pytest.mark.usefixtures("no_pause")
async def test_a_task_is_not_followed_for_ever() -> None:
    carrier, asked = tasks(*[RUNNING] * 50)
    with pytest.raises(RequestTimedOut):
        await send(carrier, timeout=20)
    assert len(asked) == 11


async def test_where_tasks_can_not_be_asked_after_one_is_told() -> None:
    with pytest.raises(BadResponse) as told:
        await send(tasks()[0], dialect=OPENAI)
    assert told.value.problem == "task"


@pytest.mark.parametrize("name", ["gateway", "openai", "siliconflow"])
def test_an_address_without_a_version_gets_one(name: str) -> None:
    assert DIALECTS[name].at("https://host:9") == "https://host:9/v1"
    assert DIALECTS[name].at("https://host/v2") == "https://host/v2"


def test_hosts_are_known_by_their_whole_names() -> None:
    spoken = {url: spoken_at(url) for url in ("https://api.openai.com/v1", "http://localhost:8091/v1", "not a url")}
    assert list(spoken.values()) == [OPENAI, None, None]
