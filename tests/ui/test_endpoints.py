"""The endpoints for programs, called with gradio_client over HTTP."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp.server.fastmcp.utilities.func_metadata import func_metadata
from PIL import Image, ImageChops

from qwen_demo.api import catalog
from qwen_demo.api.catalog import Model, Size
from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.ui.endpoints import KINDS, Endpoint, make_endpoints
from qwen_demo.ui.parameters import narrowed
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


def test_there_are_these_three_and_no_others(client: Client) -> None:
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
    assert parameters == {
        "/text_to_image": {"prompt": None, "model": TEXT_MODEL, "size": None, **common},
        "/edit_image": {**edits, "image": None, "mask": None},
        "/fuse_images": {**edits, "images": None},
    }
    assert api["unnamed_endpoints"] == {}


def rows_of(endpoint: Endpoint) -> Iterator[tuple[str, str, str, str]]:
    """An endpoint's parameters as the README spells them: name, what it takes, default, meaning."""
    kind = {"edit_image": "edit", "fuse_images": "fusion"}.get(endpoint.__name__, endpoint.__name__)
    signature = func_metadata(endpoint, ["http"], structured_output=False).arg_model.model_json_schema()
    signature = narrowed(signature, catalog.PROVIDER, kind)
    for name, schema in signature["properties"].items():
        high = [schema[key] for key in ("maximum", "maxLength", "maxItems") if key in schema]
        low = [schema[key] for key in ("minimum", "minLength", "minItems") if key in schema] or [0]
        default = inspect.signature(endpoint).parameters[name].default
        yield (
            f"`{name}`",
            ", ".join(f"`{choice}`" for choice in schema.get("enum", [PYTHON[schema["type"]]]))
            + "".join(f", {low[0]}–{most}" for most in high),
            "—" if default is inspect.Parameter.empty else f"`{default}`" if default != "" else '`""`',
            schema["description"],
        )


def table(readme: str, section: str) -> list[list[str]]:
    """The cells of the rows that stand in a section and begin with a name."""
    text = (ROOT / readme).read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]


def test_the_readme_says_what_each_parameter_takes(tmp_path: Path) -> None:
    endpoints = make_endpoints(Service(QwenClient(KEY), Orders(1), Library(tmp_path)))
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for endpoint in endpoints:
        for row in rows_of(endpoint):
            found.setdefault(row, []).append(f"`{endpoint.__name__}`")
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
        "pictures": [{"seed": 12345, "width": 1664, "height": 928, "request_id": request_id, "revised_prompt": None}],
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


def test_who_knows_fewer_places_gets_the_defaults_of_the_others(app: RunningApp) -> None:
    """As programs of an earlier version, which had no mask, and send a list."""
    given = ["warmer", f"{SAMPLES}/a.png", EDIT_MODEL, None, 1, 7, "", True, False, "url"]
    with httpx.Client(base_url=app.url, timeout=60) as http:
        id = http.post("/gradio_api/call/edit_image", json={"data": given}).json()["event_id"]
        assert "event: complete" in http.get(f"/gradio_api/call/edit_image/{id}").text
        id = http.post("/gradio_api/call/edit_image", json={"data": given[:1]}).json()["event_id"]
        assert "Picture: add a picture first." in http.get(f"/gradio_api/call/edit_image/{id}").text
    assert [sent["seed"] for sent in app.orders] == [7]


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
