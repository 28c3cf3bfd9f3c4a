"""The endpoints for programs, called with gradio_client over HTTP."""

import asyncio
import base64
import inspect
import io
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp.server.fastmcp.utilities.func_metadata import func_metadata
from PIL import Image, ImageChops
from starlette.requests import Request

from qwen_demo.api import catalog
from qwen_demo.api.catalog import Model, Size
from qwen_demo.api.client import QwenClient
from qwen_demo.api.engine import PROVIDER_ENGINE, Engine
from qwen_demo.api.errors import InvalidRequest, Refused
from qwen_demo.call import Photo
from qwen_demo.library import Library
from qwen_demo.orders import Orders, ShuttingDown
from qwen_demo.quota import OverQuota, Quota, TooManyAttempts, TooMuchKept
from qwen_demo.service import Service
from qwen_demo.ui.answers import Answer, Endpoint, Stopped
from qwen_demo.ui.endpoints import KINDS, make_endpoints
from qwen_demo.ui.events import in_words
from qwen_demo.ui.messages import describe
from qwen_demo.ui.parameters import narrowed
from qwen_demo.visitors import Visitor
from qwen_demo.web import VISITOR
from tests.conftest import KEY, Backend, RunningApp, launched, with_models

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "qwen_demo" / "ui" / "photos"
TEXT_MODELS = catalog.PROVIDER.doing("text_to_image")
TEXT_MODEL, EDIT_MODEL = TEXT_MODELS[0].name, catalog.PROVIDER.doing("edit")[0].name
TEXT_NAMES, TEXT_SIZES = ", ".join(model.name for model in TEXT_MODELS), ", ".join(TEXT_MODELS[0].size_names)
PYTHON = {"string": "str", "integer": "int", "boolean": "bool", "array": "list"}
SAMPLES = "https://help-static-aliyun-doc.aliyuncs.com/file-manage-files/zh-CN/20250925"


@pytest.fixture(scope="module")
def client(running_app: RunningApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    client = Client(running_app.url, verbose=False, download_files=str(tmp_path_factory.mktemp("got")))
    yield client
    client.close()


def sizes(files: list[Any]) -> list[tuple[int, int]]:
    """The sizes of an answer's pictures, which the client has fetched."""
    found = []
    for file in files:
        with Image.open(file) as image:
            found.append(image.size)
    return found


def test_there_are_these_five_and_no_others(client: Client) -> None:
    api = client.view_api(return_format="dict", print_info=False)
    assert isinstance(api, dict)
    parameters = {
        name: {parameter["parameter_name"]: parameter["parameter_default"] for parameter in endpoint["parameters"]}
        for name, endpoint in api["named_endpoints"].items()
    }
    common = {
        "n": 1,
        "seed": None,
        "negative_prompt": "",
        "optimize_prompt": True,
        "watermark": False,
        "response_format": "url",
    }
    edits = {"prompt": None, "model": EDIT_MODEL, "size": None, **common}
    several = dict.fromkeys(("models", "sizes", "seeds", "rewritings"))
    rest = {name: common[name] for name in ("negative_prompt", "watermark", "response_format")}
    assert parameters == {
        "/text_to_image": {"prompt": None, "model": TEXT_MODEL, "size": None, **common},
        "/edit_image": {**edits, "image": None, "mask": None},
        "/fuse_images": {**edits, "images": None},
        "/batch_edit": {**edits, "images": None},
        "/vary": {"prompt": None, **several, **rest},
    }
    assert api["unnamed_endpoints"] == {}


def rows_of(name: str, endpoint: Endpoint) -> Iterator[tuple[str, str, str, str]]:
    """An endpoint's parameters as the README spells them: name, what it takes, default, meaning."""
    signature = func_metadata(endpoint, ["http"], structured_output=False).arg_model.model_json_schema()
    for parameter, schema in narrowed(signature, catalog.PROVIDER, KINDS[name])["properties"].items():
        default = inspect.signature(endpoint).parameters[parameter].default
        yield (
            f"`{parameter}`",
            taken(schema),
            "—" if default is inspect.Parameter.empty else f"`{default}`" if default != "" else '`""`',
            re.sub(r"[\\|]", r"\\\g<0>", schema["description"]),
        )


def taken(schema: dict[str, Any]) -> str:
    """What a parameter takes: choices, else its type, then its range; of a list, what it holds."""
    high = [schema[key] for key in ("maximum", "maxLength", "maxItems") if key in schema]
    low = [schema[key] for key in ("minimum", "minLength", "minItems") if key in schema] or [0]
    own = ", ".join(f"`{choice}`" for choice in schema.get("enum", [PYTHON[schema["type"]]]))
    held = f" of {taken(schema['items'])}" if schema["type"] == "array" and "description" not in schema["items"] else ""
    return own + held + "".join(f", {low[0]}–{most}" for most in high)


def table(readme: str, section: str) -> list[list[str]]:
    """The cells of the rows that stand in a section and begin with a name."""
    text = (ROOT / readme).read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]


def test_the_readme_says_what_each_parameter_takes(tmp_path: Path) -> None:
    endpoints = make_endpoints(Service(QwenClient(KEY), Orders(1), Library(tmp_path)))
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for name, endpoint in endpoints.items():
        for row in rows_of(name, endpoint):
            found.setdefault(row, []).append(f"`{name}`")
    rows = [
        [name if len(where) == len(endpoints) else f"{name} ({', '.join(where)})", *rest]
        for (name, *rest), where in found.items()
    ]
    english = table("README.md", "For programs")
    assert sorted(english) == sorted(rows)
    chinese = table("README.zh-CN.md", "供程序调用")
    assert [row[:3] for row in chinese] == [row[:3] for row in english]
    assert all(row[3].strip() for row in chinese)


def test_without_a_size_each_model_draws_its_default(tmp_path: Path) -> None:
    own = Model("qwen-image-of-one-size", ("generations",), sizes=(Size(1024, 1024, "1:1"),))
    engine = with_models(own)
    backend = Backend(engine.catalog)
    offline = QwenClient(KEY, "http://offline/v1", transport=backend)
    with launched(Service(offline, Orders(2), Library(tmp_path), engine=engine)) as url:
        client = Client(url, verbose=False, download_files=str(tmp_path))
        for model in (TEXT_MODEL, own.name):
            client.predict(prompt="a", model=model, api_name="/text_to_image")
        client.close()
    assert [order["size"] for order in backend.orders] == [catalog.DEFAULT_SIZE, "1024x1024"]


def test_text_to_image_answers_with_files_and_details(client: Client, app: RunningApp) -> None:
    files, details = client.predict(
        prompt="可爱的动物园场景，小熊猫在竹林中嬉戏",
        size="1664x928",
        seed=12345,
        negative_prompt="模糊、低质量、变形、噪点",
        api_name="/text_to_image",
    )
    body = {
        "prompt": "可爱的动物园场景，小熊猫在竹林中嬉戏",
        "model": TEXT_MODEL,
        "size": "1664x928",
        "n": 1,
        "response_format": "url",
        "seed": 12345,
        "watermark": False,
        "optimize_prompt_options": {"enable": True, "negative_prompt": "模糊、低质量、变形、噪点"},
    }
    assert app.orders == [body]
    request_id, seconds = details.pop("request_id"), details.pop("seconds")
    assert isinstance(request_id, str)
    assert seconds > 0
    assert details == {
        "model": TEXT_MODEL,
        "size": "1664x928",
        "seed": 12345,
        "n": 1,
        "usage": {"total_tokens": 1, "output_tokens": 1, "input_tokens_details": {}},
        "request": {"endpoint": "/images/generations", "body": body},
        "pictures": [
            {
                "place": 0,
                "prompt": body["prompt"],
                "model": TEXT_MODEL,
                "size": "1664x928",
                "seed": 12345,
                "width": 1664,
                "height": 928,
                "request_id": request_id,
                "revised_prompt": None,
            }
        ],
        "failed": [],
        "problems": [],
    }
    assert sizes(files) == [(1664, 928)]
    assert KEY not in str(details)


def test_seed_zero_is_sent_and_no_seed_is_drawn(client: Client, app: RunningApp) -> None:
    client.predict(prompt="a", seed=0, api_name="/text_to_image")
    _, details = client.predict(prompt="a", api_name="/text_to_image")
    assert [order["seed"] for order in app.orders] == [0, details["seed"]]


def test_edit_image_takes_an_upload(client: Client, app: RunningApp) -> None:
    files, details = client.predict(
        prompt="黑白", image=handle_file(PHOTOS / "rocket.jpg"), n=2, response_format="b64_json", api_name="/edit_image"
    )
    (order,) = app.orders
    assert (order["n"], order["response_format"], len(order["image"])) == (2, "b64_json", 1)
    assert sizes(files) == [(1248, 832)] * 2
    (shown,) = details["request"]["body"]["image"]
    assert len(shown) == 64


def white_part(path: Path, size: tuple[int, int]) -> Path:
    """A mask whose upper left quarter is white."""
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, size[0] // 2, size[1] // 2))
    mask.save(path)
    return path


def test_edit_image_with_a_mask_leaves_all_else_alone(client: Client, app: RunningApp, tmp_path: Path) -> None:
    photo = PHOTOS / "rocket.jpg"
    with Image.open(photo) as opened:
        before = opened.convert("RGB")
    scaled = handle_file(white_part(tmp_path / "mask.png", (before.width // 2, before.height // 2)))
    files, details = client.predict(
        prompt="a moon", image=handle_file(photo), mask=scaled, seed=3, api_name="/edit_image"
    )
    (sent,) = app.orders
    assert "mask" not in sent
    with Image.open(files[0]) as opened:
        after = opened.convert("RGB")
    assert after.size == before.size
    differing = ImageChops.difference(before, after).convert("L").point(lambda value: 255 * (value > 0))
    region = details["region"]
    assert region == details["pictures"][0]["region"]
    assert sorted(region) == ["answer", "box", "changed", "cut", "identical_pixels", "sent"]
    box = differing.getbbox()
    assert box is not None
    assert box[2] <= before.width * 0.6
    assert box[3] <= before.height * 0.6
    assert region["identical_pixels"] == np.all(np.asarray(before) == np.asarray(after), axis=2).sum()
    with Image.open(region["answer"] if isinstance(region["answer"], str) else region["answer"]["path"]) as answer:
        assert list(answer.size) == region["sent"]


def test_a_mask_that_cannot_be_used_is_refused_and_nothing_is_sent(
    client: Client, app: RunningApp, tmp_path: Path
) -> None:
    photo = handle_file(PHOTOS / "rocket.jpg")
    black = tmp_path / "black.png"
    Image.new("L", (600, 400)).save(black)
    cases = {
        "Paint over what shall change": {"mask": handle_file(black)},
        "Both must have the same shape": {"mask": handle_file(white_part(tmp_path / "tall.png", (200, 400)))},
        "can't be read as a picture": {"mask": "data:image/png;base64,AAAA"},
        "only a part of a picture that is here can change": {"mask": "https://example.com/mask.png"},
        "the result has the picture's own size": {"mask": handle_file(black), "size": "1328x1328"},
    }
    for message, arguments in cases.items():
        with pytest.raises(AppError, match=message):
            client.predict(prompt="a moon", image=photo, api_name="/edit_image", **arguments)
    with pytest.raises(AppError, match="Upload it; an address won't do"):
        client.predict(prompt="a", image=f"{SAMPLES}/a.png", mask=handle_file(black), api_name="/edit_image")
    assert app.orders == []


def test_fuse_images_takes_addresses_as_they_are(client: Client, app: RunningApp) -> None:
    images = [f"{SAMPLES}/thtclx/input1.png", f"{SAMPLES}/iclsnx/input2.png", f"{SAMPLES}/gborgw/input3.png"]
    files, _ = client.predict(
        prompt="图1中的女生穿着图2中的黑色裙子按图3的姿势坐下",
        images=images,
        size="1328x1328",
        watermark=True,
        api_name="/fuse_images",
    )
    assert [(order["image"], order["watermark"]) for order in app.orders] == [(images, True)]
    assert sizes(files) == [(1328, 1328)]


def test_fuse_images_takes_uploads_in_their_order(client: Client, app: RunningApp) -> None:
    photos = [handle_file(PHOTOS / "rocket.jpg"), handle_file(PHOTOS / "coffee.png")]
    client.predict(prompt="图1 and 图2", images=photos, api_name="/fuse_images")
    client.predict(prompt="图1 and 图2", images=photos[::-1], api_name="/fuse_images")
    first, second = (order["image"] for order in app.orders)
    assert first == second[::-1]
    assert first[0] != first[1]


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("/text_to_image", {"prompt": ""}, "Prompt: write something first."),
    ("/text_to_image", {"prompt": "x" * 801}, "801 characters are too many, at most 800"),
    ("/text_to_image", {"prompt": "x", "model": "dall-e"}, f"'dall-e' is not on offer. Choose one of {TEXT_NAMES}"),
    ("/text_to_image", {"prompt": "x", "size": "1x1"}, f"'1x1' is not on offer. Choose one of {TEXT_SIZES}"),
    ("/text_to_image", {"prompt": "x", "seed": -1}, "Seed: -1 doesn't work. Choose a whole number from 0"),
    ("/text_to_image", {"prompt": "x", "seed": 2147483648}, "Seed: 2147483648 doesn't work."),
    ("/text_to_image", {"prompt": "x", "n": 7}, "Pictures: 7 doesn't work. Choose a whole number from 1 to 6."),
    ("/text_to_image", {"prompt": "x", "watermark": "no"}, "Watermark: this is either on or off."),
    ("/edit_image", {"prompt": "x", "image": ""}, "Picture: add a picture first."),
    ("/edit_image", {"prompt": "x", "image": "http://a.example/a.png"}, "the address must start with https://"),
    ("/edit_image", {"prompt": "x", "image": {"path": "/etc/passwd"}}, "Picture: add a picture first."),
    ("/fuse_images", {"prompt": "x", "images": ["https://a.example/a.png"]}, "Pictures: 1 given. Add 2 to 3."),
    ("/fuse_images", {"prompt": "x", "images": ["https://a.example/a.png"] * 4}, "Pictures: 4 given. Add 2 to 3."),
    ("/batch_edit", {"prompt": "x", "images": None}, "Picture: add a picture first."),
    ("/batch_edit", {"prompt": "x", "images": []}, "Pictures: add a picture first."),
    ("/batch_edit", {"prompt": "x", "images": [f"{SAMPLES}/a.png"] * 51}, "51 pictures, and one order takes 50."),
    (
        "/batch_edit",
        {"prompt": "x", "images": [f"{SAMPLES}/a.png"] * 26, "n": 2},
        "52 pictures, and one order takes 50.",
    ),
    ("/batch_edit", {"prompt": "", "images": [f"{SAMPLES}/a.png"]}, "Prompt: write something first."),
    ("/batch_edit", {"prompt": "x", "images": ["data:"], "model": "dall-e"}, "Model: 'dall-e' is not on offer."),
    ("/batch_edit", {"prompt": "x", "images": ["http://a.example/a.png", 5, {}, ["a"]]}, "must start with https://"),
    ("/batch_edit", {"prompt": "x", "images": "data:image/png;base64,AAAA"}, "can't be read as a picture"),
    ("/batch_edit", {"prompt": "x", "images": [{"path": "/etc/passwd", "orig_name": 5}]}, "add a picture first."),
    ("/vary", {"prompt": ""}, "Prompt: write something first."),
    ("/vary", {"prompt": 5}, "Prompt: this must be text."),
    ("/vary", {"prompt": "{a|b}" * 51}, "the braces and lines stand for more than 50 texts"),
    ("/vary", {"prompt": "{a|b}", "seeds": [*range(26)]}, "52 pictures, and one order takes 50."),
    ("/vary", {"prompt": "x", "seeds": [*range(51)]}, "51 pictures, and one order takes 50."),
    ("/vary", {"prompt": "x", "models": [TEXT_MODEL, "dall-e"]}, "Model: 'dall-e' is not on offer."),
    ("/vary", {"prompt": "x", "models": [["a"]]}, "Model: ['a'] is not on offer."),
    ("/vary", {"prompt": "x", "sizes": ["1328x1328", 5]}, f"Size: 5 is not on offer. Choose one of {TEXT_SIZES}"),
    ("/vary", {"prompt": "x", "seeds": [1, True]}, "Seed: True doesn't work."),
    ("/vary", {"prompt": "x", "seeds": "a"}, "Seed: 'a' doesn't work."),
    ("/vary", {"prompt": "x", "rewritings": [True, "no"]}, "Optimize prompt: this is either on or off."),
]


@pytest.mark.parametrize(("endpoint", "arguments", "message"), BAD)
def test_bad_input_is_refused_in_words_and_nothing_is_sent(
    client: Client, app: RunningApp, endpoint: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(AppError) as caught:
        client.predict(**arguments, api_name=endpoint)
    assert message in str(caught.value)
    assert app.orders == []


def test_a_text_file_named_png_is_refused(client: Client, app: RunningApp, tmp_path: Path) -> None:
    notes = tmp_path / "notes.png"
    notes.write_text("no picture at all")
    with pytest.raises(AppError, match="can't be read as a picture"):
        client.predict(prompt="x", image=handle_file(notes), api_name="/edit_image")
    assert app.orders == []


def test_words_from_outside_are_escaped(client: Client) -> None:
    with pytest.raises(AppError, match="&lt;img src=x&gt;"):
        client.predict(prompt="x", model="<img src=x>", api_name="/text_to_image")


@pytest.mark.parametrize("told", [{"path": "/etc/passwd"}, {"path": "x.png", "url": "http://127.0.0.1:9/x.png"}])
@pytest.mark.parametrize("name", ["edit_image", "batch_edit", "vary"])
def test_what_is_said_to_be_a_file_and_is_no_upload_is_refused_in_words(
    app: RunningApp, caplog: pytest.LogCaptureFixture, name: str, told: dict[str, str]
) -> None:
    with httpx.Client(base_url=app.url) as http:
        forged = {**told, "meta": {"_type": "gradio.FileData"}}
        id = http.post(f"/gradio_api/call/{name}", json={"data": ["a", forged]}).json()["event_id"]
        assert "Picture: add a picture first." in http.get(f"/gradio_api/call/{name}/{id}").text
    assert (app.orders, caplog.records) == ([], [])


def test_who_knows_fewer_places_gets_the_defaults_of_the_others(app: RunningApp) -> None:
    """As programs of an earlier version, which had no mask, and send a list."""
    given = ["warmer", f"{SAMPLES}/a.png", EDIT_MODEL, None, 1, 7, "", True, False, "url"]
    with httpx.Client(base_url=app.url, timeout=60) as http:
        id = http.post("/gradio_api/call/edit_image", json={"data": given}).json()["event_id"]
        assert "event: complete" in http.get(f"/gradio_api/call/edit_image/{id}").text
        id = http.post("/gradio_api/call/edit_image", json={"data": given[:1]}).json()["event_id"]
        assert "Picture: add a picture first." in http.get(f"/gradio_api/call/edit_image/{id}").text
        id = http.post("/gradio_api/call/vary", json={"data": ["a {cat|dog}"]}).json()["event_id"]
        assert "event: complete" in http.get(f"/gradio_api/call/vary/{id}").text
    assert [sent["prompt"] for sent in app.orders] == ["warmer", "a cat", "a dog"]


def test_the_queue_cant_be_passed_by(app: RunningApp) -> None:
    response = httpx.post(f"{app.url}/gradio_api/run/text_to_image", json={"data": ["a"]})
    assert response.status_code == 404
    assert app.orders == []


def test_many_orders_run_side_by_side(client: Client, app: RunningApp) -> None:
    app.backend.open.clear()
    orders = [client.submit(prompt=f"hill {number}", api_name="/text_to_image") for number in range(8)]
    assert app.backend.wait_for_orders(8)
    app.backend.open.set()
    assert [len(order.result()[0]) for order in orders] == [1] * 8


def data_url(colour: str) -> str:
    """A small picture as text."""
    image = Image.new("RGB", (640, 480), colour)
    image.save(buffer := io.BytesIO(), "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def service_in(folder: Path, backend: Backend, engine: Engine = PROVIDER_ENGINE, **options: Any) -> Service:
    """A service that has one call under way at a time."""
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    return Service(client, Orders(1), Library(folder), engine=engine, **options)


async def answers_of(service: Service, name: str, **arguments: Any) -> list[Answer]:
    """All that an endpoint answers."""
    return [answer async for answer in make_endpoints(service)[name](gr.Request(), **arguments)]


def test_a_batch_tells_of_each_picture_as_it_comes_and_of_all_in_the_end(
    client: Client, app: RunningApp, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.png"
    notes.write_text("no picture at all")
    files = [handle_file(path) for path in (PHOTOS / "rocket.jpg", notes, PHOTOS / "coffee.png")]
    images = [*files, f"{SAMPLES}/thtclx/input1.png?x=1"]
    job = client.submit(prompt="{warm|cold} light", images=images, seed=0, api_name="/batch_edit")
    *each, (files, details) = job
    rows = sorted(({**told, "file": file} for (file,), told in each), key=lambda row: row["place"])
    request_ids = [row.pop("request_id") for row in rows]
    assert [(told["of"], told["come"]) for _, told in each] == [(3, 1), (3, 2), (3, 3)]
    assert [row.pop("file") for row in rows] == files
    about = {"prompt": "{warm|cold} light", "model": EDIT_MODEL, "size": None, "seed": 0, "revised_prompt": None}
    pictures = [
        {"place": 0, "image": 0, "name": "rocket.jpg", "width": 1248, "height": 832, **about},
        {"place": 1, "image": 2, "name": "coffee.png", "width": 1248, "height": 832, **about},
        {"place": 2, "image": 3, "name": "input1.png", "width": 1024, "height": 1024, **about},
    ]
    assert [{name: value for name, value in row.items() if name not in ("of", "come")} for row in rows] == pictures
    assert details["pictures"] == [{**row, "request_id": id} for row, id in zip(pictures, request_ids, strict=True)]
    (left_out,) = details["failed"]
    problem = left_out["problem"]
    assert left_out == {"image": 1, "name": "notes.png", "problem": problem}
    assert "can't be read as a picture" in problem
    assert details["problems"] == [problem]
    assert sorted(order["prompt"] for order in app.orders) == ["{warm|cold} light"] * 3
    assert job.result() == (files, details)


def test_what_is_varied_is_asked_for_in_all_combinations(client: Client, app: RunningApp) -> None:
    models = [model.name for model in TEXT_MODELS]
    asked = {"prompt": r"{red|no} hat \{1\}", "models": models, "sizes": ["928x1664"], "seeds": [7, 0]}
    files, details = client.predict(**asked, rewritings=[False], api_name="/vary")
    combinations = [
        {"prompt": f"{colour} hat {{1}}", "model": model, "size": "928x1664", "seed": seed}
        for colour in ("red", "no")
        for model in models
        for seed in (7, 0)
    ]
    assert [{name: row[name] for name in combinations[0]} for row in details["pictures"]] == combinations
    assert [row["place"] for row in details["pictures"]] == [*range(8)]
    assert sizes(files) == [(row["width"], row["height"]) for row in details["pictures"]]
    assert len(app.orders) == 8
    assert all(order["optimize_prompt_options"]["enable"] is False for order in app.orders)


async def test_what_stands_alone_needs_no_list_and_all_share_a_seed_that_is_drawn(tmp_path: Path) -> None:
    service = service_in(tmp_path, backend := Backend())
    alone = {"models": TEXT_MODELS[-1].name, "sizes": "928x1664", "seeds": 0, "rewritings": False}
    await answers_of(service, "vary", prompt="a", **alone)
    await answers_of(service, "vary", prompt="{b|c}", seeds=[])
    first, *shared = backend.orders
    told = (first["model"], first["size"], first["seed"], first["optimize_prompt_options"]["enable"])
    assert told == tuple(alone.values())
    assert len({order["seed"] for order in shared}) == 1
    assert [order["size"] for order in shared] == [catalog.DEFAULT_SIZE] * 2


async def test_models_whose_usual_sizes_differ_draw_each_its_own(tmp_path: Path) -> None:
    own = Model("qwen-image-of-one-size", ("generations",), sizes=(Size(1024, 1024, "1:1"),))
    engine = with_models(own)
    service = service_in(tmp_path, backend := Backend(engine.catalog), engine)
    await answers_of(service, "vary", prompt="a", models=[TEXT_MODEL, own.name])
    assert [(order["model"], order.get("size")) for order in backend.orders] == [(TEXT_MODEL, None), (own.name, None)]


class Refusing(Backend):
    """Refuses what has to do with ghosts."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and b"ghost" in await request.aread():
            return httpx.Response(400, json={"code": "DataInspectionFailed", "message": "no ghosts"})
        return await super().handle_async_request(request)


async def test_a_picture_that_fails_is_told_at_its_place_and_stops_no_other(tmp_path: Path) -> None:
    service = service_in(tmp_path, Refusing())
    *each, (files, details) = await answers_of(service, "vary", prompt="a {cat|ghost|dog}")
    assert sorted((told["place"], len(files)) for files, told in each) == [(0, 1), (1, 0), (2, 1)]
    (failed,) = (told for files, told in each if not files)
    assert failed.pop("of") - failed.pop("come") in (1, 2, 3)
    refused = "The prompt or a picture was refused for its content. Change it and try again. Nothing was billed."
    assert failed == {
        "place": 1,
        "prompt": "a ghost",
        "model": TEXT_MODEL,
        "size": catalog.DEFAULT_SIZE,
        "problem": refused,
    }
    assert (details["failed"], details["problems"], len(files)) == ([failed], [refused], 2)
    assert [row["place"] for row in details["pictures"]] == [0, 2]


async def test_where_nothing_comes_the_end_is_the_reason(tmp_path: Path) -> None:
    answers = make_endpoints(service_in(tmp_path, Refusing()))["vary"](gr.Request(), "a ghost")
    _, told = await anext(answers)
    assert (told["place"], told["come"]) == (0, 0)
    with pytest.raises(Refused):
        await anext(answers)


async def test_a_fault_may_be_billed_once_something_is_ordered_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = service_in(tmp_path, Backend())
    vary = in_words(make_endpoints(service)["vary"], "en")

    def fault(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("qwen_demo.ui.answers._row", fault)
    with pytest.raises(gr.Error, match="This may have been billed"):
        await anext(vary(gr.Request(), "a hill"))
    monkeypatch.setattr("qwen_demo.ui.endpoints.wordings", fault)
    with pytest.raises(gr.Error, match="Nothing was billed"):
        await anext(vary(gr.Request(), "a hill"))


async def test_a_name_is_shown_without_its_tricks_and_matched_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "upload.png").write_bytes(base64.b64decode(data_url("red").partition(",")[2]))
    names = ["../../etc/a\0\u202egnp.png", "C:\\b\\\ud800" + "c" * 200, "", {"d": 1}]
    images = [{"path": str(tmp_path / "upload.png"), "orig_name": name} for name in names]
    answers = await answers_of(service_in(tmp_path, Backend()), "batch_edit", prompt="a", images=images)
    rows = answers[-1][1]["pictures"]
    assert [row["image"] for row in rows] == [0, 1, 2, 3]
    assert [row["name"] for row in rows] == ["a gnp.png", "c" * 120, "image 3", "{'d': 1}"]


async def test_a_picture_of_the_library_is_known_in_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    service = service_in(tmp_path / "outputs", Backend())
    ((file,), _), *_ = await answers_of(service, "vary", prompt="a")
    await answers_of(service, "batch_edit", prompt="b", images=[{"path": file.path}, data_url("red")])
    *_, order = service.orders.of("")
    assert [call.photo and call.photo.source for call in order.calls] == [Path(file.path).stem, ""]


async def test_an_address_is_left_out_where_the_model_takes_none(tmp_path: Path) -> None:
    own = Model("qwen-edit-here", ("edits",), addresses=False)
    engine = with_models(own)
    service = service_in(tmp_path, Backend(engine.catalog), engine)
    here, there = data_url("blue"), f"{SAMPLES}/a.png"
    answers = await answers_of(service, "batch_edit", prompt="a", images=[there, here, here], n=2, model=own.name)
    _, details = answers[-1]
    assert [(row["place"], row["image"], row["name"]) for row in details["pictures"]] == [
        (0, 1, "image 2"),
        (1, 1, "image 2"),
        (2, 2, "image 3"),
        (3, 2, "image 3"),
    ]
    problem = "Picture: qwen-edit-here takes no addresses. Upload the picture."
    assert details["failed"] == [{"image": 0, "name": "a.png", "problem": problem}]
    with pytest.raises(InvalidRequest) as refused:
        await answers_of(service, "batch_edit", prompt="a", images=[there], model=own.name)
    assert refused.value.problem == "picture_address"


@pytest.mark.parametrize(
    ("options", "draining", "reason"),
    [
        ({"quota": Quota("2/day", "")}, False, OverQuota),
        ({"attempts": "2/minute"}, False, TooManyAttempts),
        ({}, True, ShuttingDown),
    ],
)
async def test_where_so_many_cant_be_ordered_no_image_is_made_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], draining: bool, reason: type[Exception]
) -> None:
    service = service_in(tmp_path, Backend(), **options)
    service.orders.draining = draining
    monkeypatch.setattr(service.uploads, "photo", None)
    ann = gr.Request(Request({"type": "http", VISITOR: Visitor("ann", ("cookie ann",))}))
    with pytest.raises(reason):
        await anext(make_endpoints(service)["batch_edit"](ann, "a", [data_url("red")] * 3))


async def test_of_a_batch_that_cant_be_kept_nothing_more_is_made_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = service_in(tmp_path, backend := Backend())
    begun, left = [], []

    async def photo(_: object, name: str, __: Visitor) -> Photo:
        begun.append(name)
        try:
            if len(begun) == 3:
                raise TooMuchKept(60)
            return await asyncio.Future()
        finally:
            left.append(name)

    monkeypatch.setattr(service.uploads, "photo", photo)
    with pytest.raises(TooMuchKept):
        await answers_of(service, "batch_edit", prompt="a", images=[data_url("red")] * 3)
    assert (sorted(left), backend.orders) == (begun, [])


def test_the_quota_holds_for_all_at_once(tmp_path: Path) -> None:
    backend = Backend()
    images = [data_url(colour) for colour in ("red", "green", "blue", "white")]
    with launched(service_in(tmp_path, backend, quota=Quota("3/day", ""))) as url:
        client = Client(url, verbose=False, download_files=str(tmp_path))
        for name, asked in (("/batch_edit", {"images": images}), ("/vary", {"seeds": [1, 2, 3, 4]})):
            with pytest.raises(AppError, match="You may order 3 more now"):
                client.predict(prompt="a", **asked, api_name=name)
        assert backend.orders == []
        files, _ = client.predict(prompt="a", images=images[:3], api_name="/batch_edit")
        client.close()
    assert len(files) == 3


def test_a_cancelled_job_orders_nothing_more(tmp_path: Path) -> None:
    backend = Backend()
    with launched(service_in(tmp_path, backend)) as url:
        client = Client(url, verbose=False, download_files=str(tmp_path))
        backend.open.clear()
        job = client.submit(prompt="{a|b|c|d}", api_name="/vary")
        assert backend.wait_for_orders(1)
        assert job.cancel()
        backend.open.set()
        client.predict(prompt="after all of these", api_name="/vary")
        client.close()
    assert [order["prompt"] for order in backend.orders] == ["a", "after all of these"]


def test_who_goes_away_orders_nothing_more(tmp_path: Path, gone: threading.Event) -> None:
    backend = Backend()
    with launched(service_in(tmp_path, backend)) as url, httpx.Client(base_url=url, timeout=60) as http:
        backend.open.clear()
        id = http.post("/gradio_api/call/vary", json={"data": ["{a|b|c|d}"]}).json()["event_id"]
        assert backend.wait_for_orders(1)
        with http.stream("GET", f"/gradio_api/call/vary/{id}"):
            assert not gone.is_set()
        assert gone.wait(60)
        backend.open.set()
        id = http.post("/gradio_api/call/vary", json={"data": ["after all of these"]}).json()["event_id"]
        assert "event: complete" in http.get(f"/gradio_api/call/vary/{id}").text
    assert [order["prompt"] for order in backend.orders] == ["a", "after all of these"]


async def test_an_order_that_was_stopped_elsewhere_is_told_so(tmp_path: Path) -> None:
    service = service_in(tmp_path, backend := Backend())
    backend.open.clear()
    first = asyncio.ensure_future(answers_of(service, "vary", prompt="a"))
    assert await asyncio.to_thread(backend.wait_for_orders, 1)
    second = asyncio.ensure_future(answers_of(service, "vary", prompt="b"))
    async for _, *later in service.orders.follow(""):
        if later:
            later[0].cancel()
            break
    with pytest.raises(Stopped) as stopped:
        await second
    assert describe(stopped.value, "en") == "This was stopped before anything of it was sent. Nothing was billed."
    backend.open.set()
    assert len(await first) == 2
