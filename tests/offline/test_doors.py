"""The offline backend's other doors: an engine's of one's own, and the maker's. Strict, each in its own shape."""

import base64
import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from qwen_demo.api.errors import APIError
from qwen_demo.api.refusals import parse_error
from tests.conftest import images_of

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
STUDIO = "/api/v1/services/aigc/multimodal-generation/generation"
NO_KEY = {"Authorization": ""}
DRAW, EDIT = "Qwen/Qwen-Image", "Qwen/Qwen-Image-Edit-2511"


def png() -> bytes:
    Image.new("RGB", (400, 500), "red").save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


DATA = "data:image/png;base64," + base64.b64encode(png()).decode()


# An engine of one's own.


async def test_it_says_what_it_serves(client: httpx.AsyncClient) -> None:
    told = (await client.get("/v1/models")).json()
    assert [(entry["id"], entry["task_type"], entry["owned_by"]) for entry in told["data"]] == [
        (DRAW, "T2I", "offline"),
        (EDIT, "I2I", "offline"),
    ]


async def test_it_draws_without_a_key_and_answers_in_base64(client: httpx.AsyncClient) -> None:
    body = {"prompt": "a hill", "model": DRAW, "size": "512x256", "n": 2, "seed": 7, "true_cfg_scale": 4.0}
    answers = [(await client.post(GENERATIONS, json=body, headers=NO_KEY)).json() for _ in range(2)]
    assert answers[0]["data"] == answers[1]["data"]
    assert (len(answers[0]["data"]), answers[0]["size"], answers[0]["output_format"]) == (2, "512x256", "png")
    with Image.open(io.BytesIO(base64.b64decode(answers[0]["data"][0]["b64_json"]))) as image:
        assert image.size == (512, 256)


@pytest.mark.parametrize("several", [False, True])
async def test_it_edits_what_a_form_brings(client: httpx.AsyncClient, several: bool) -> None:
    name = "image[]" if several else "image"
    files = [(name, ("a.png", png(), "image/png"))] * (2 if several else 1)
    fields = {"prompt": "翻转", "model": EDIT, "n": "1", "seed": "7", "response_format": "b64_json"}
    answer = await client.post(EDITS, data=fields, files=files)
    assert (answer.status_code, answer.json()["size"], len(images_of(answer.json()))) == (200, "912x1152", 1)
    texts = {**fields, "url[]" if several else "url": [DATA] * len(files)}
    assert (await client.post(EDITS, data=texts)).json()["data"] == answer.json()["data"]


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"response_format": "url"}, 400, "response_format"),
        ({"n": None}, 400, "n"),
        ({"n": 11}, 400, "n"),
        ({"size": "auto"}, 400, "size"),
        ({"size": "512*512"}, 400, "size"),
        ({"num_inference_steps": 0}, 400, "steps"),
        ({"seed": -1}, 400, "seed"),
        ({"watermark": False}, 400, "watermark"),
        ({"optimize_prompt_options": {}}, 400, "optimize_prompt_options"),
        ({"prompt": " "}, 400, "prompt"),
    ],
)
async def test_what_an_engine_refuses_it_refuses(
    client: httpx.AsyncClient, fields: dict[str, Any], status: int, param: str
) -> None:
    answer = await client.post(GENERATIONS, json={"prompt": "a", "model": DRAW, **fields})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, status, param)
    assert type(parse_error(answer.status_code, answer.json(), answer.headers)) is APIError


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"prompt": "a", "model": EDIT}, 422),  # no picture
        ({"prompt": "a", "model": "nope", "url": DATA}, 400),
        ({"prompt": "a", "model": EDIT, "url": "ftp://x"}, 400),
        ({"prompt": "a", "model": EDIT, "url[]": [DATA] * 5}, 400),
        ({"prompt": "a", "model": EDIT, "url": DATA, "n": "two"}, 400),
    ],
)
async def test_a_form_that_can_not_be_edited_is_refused(
    client: httpx.AsyncClient, data: dict[str, Any], status: int
) -> None:
    answer = await client.post(EDITS, data=data)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)


async def test_an_engine_takes_no_json_for_an_edit(client: httpx.AsyncClient) -> None:
    answer = await client.post(EDITS, json={"prompt": "a", "model": EDIT, "image": [DATA]})
    assert answer.status_code == 422


# The maker's.


def message(*content: dict[str, str], model: str = "qwen-image-plus", **parameters: Any) -> dict[str, Any]:
    return {"model": model, "input": {"messages": [{"role": "user", "content": content}]}, "parameters": parameters}


async def test_the_makers_door_draws_and_fuses(client: httpx.AsyncClient) -> None:
    drawn = await client.post(STUDIO, json=message({"text": "a hill"}, size="1472*1104", seed=0))
    told = drawn.json()
    assert told["usage"] == {"image_count": 1, "width": 1472, "height": 1104}
    assert told["request_id"]
    (image,) = images_of(told)
    assert image.url
    assert (await client.get(image.url)).headers["content-type"] == "image/png"
    fused = message(
        {"image": DATA}, {"image": "https://x.example/b.png"}, {"text": "图1"}, model="qwen-image-edit-plus", n=3
    )
    assert len(images_of((await client.post(STUDIO, json=fused)).json())) == 3


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (message({"text": "a"}, size="1472x1104"), 400, "InvalidParameter"),
        (message({"text": "a"}, size="1472*1140"), 400, "InvalidParameter"),
        (message({"text": "a"}, n=2), 400, "InvalidParameter"),
        (message({"text": "a"}, steps=3), 400, "InvalidParameter"),
        (message({"text": " "}), 400, "InvalidParameter"),
        (message({"image": DATA}), 400, "InvalidParameter"),
        (message({"image": DATA}, {"text": "a"}), 400, "InvalidParameter"),  # it only draws
        (message(*[{"image": DATA}] * 4, {"text": "a"}, model="qwen-image-edit-plus"), 400, "InvalidParameter"),
        (message({"text": "a"}, model="qwen-image-9"), 404, "ModelNotFound"),
        ({"model": "qwen-image-plus", "input": {"messages": []}}, 400, "InvalidParameter"),
        ({"model": "qwen-image-plus", "input": {"prompt": "a"}}, 400, "InvalidParameter"),
        ({"model": "qwen-image-plus"}, 400, "InvalidParameter"),
        ([], 400, "InvalidParameter"),
    ],
)
async def test_what_the_maker_refuses_it_refuses(client: httpx.AsyncClient, body: Any, status: int, code: str) -> None:
    answer = await client.post(STUDIO, content=json.dumps(body))
    told = answer.json()
    assert (answer.status_code, told["code"]) == (status, code)
    assert told.keys() == {"code", "message", "request_id"}


async def test_the_makers_door_asks_for_a_key(client: httpx.AsyncClient) -> None:
    answer = await client.post(STUDIO, json=message({"text": "a"}), headers=NO_KEY)
    assert (answer.status_code, answer.json()["code"]) == (401, "InvalidApiKey")
