"""What goes in and out over HTTP: the documented answer, the results, the refusals."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image

from qwen_demo.api.catalog import MAX_SEED

GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"
ADDRESS = "https://example.com/cat.png"
FORMAT = "must be an https:// address or a data:image/…;base64, text"


async def test_an_answer_has_the_documented_shape(client: httpx.AsyncClient) -> None:
    response = await client.post(GENERATIONS, json={"prompt": "山"})
    answer = response.json()
    assert response.status_code == 200
    assert response.headers["x-request-id"]
    assert isinstance(answer.pop("created"), int)
    assert [list(datum) for datum in answer.pop("data")] == [["url"]]
    assert answer == {"usage": {"total_tokens": 1, "output_tokens": 1, "input_tokens_details": {}}}


async def test_usage_counts_the_pictures(client: httpx.AsyncClient) -> None:
    answer = (await client.post(EDITS, json={"prompt": "黑白", "image": [ADDRESS], "n": 3})).json()
    assert len(answer["data"]) == 3
    assert answer["usage"] == {"total_tokens": 3, "output_tokens": 3, "input_tokens_details": {}}


async def test_a_result_url_brings_the_same_png_as_b64_json(client: httpx.AsyncClient, generate: Any) -> None:
    url = (await client.post(GENERATIONS, json={"prompt": "海", "seed": 7})).json()["data"][0]["url"]
    response = await client.get(url, headers={"Authorization": ""})
    assert url.startswith("http://offline/v1/results/")
    assert response.headers["content-type"] == "image/png"
    assert [response.content] == await generate("海", seed=7)


async def test_the_oldest_results_make_room(app: Any, client: httpx.AsyncClient) -> None:
    app.state.results.extend((str(number), b"png") for number in range(64))
    url = (await client.post(GENERATIONS, json={"prompt": "海"})).json()["data"][0]["url"]
    name = url.removeprefix("http://offline/v1/results/").removesuffix(".png")
    assert [kept for kept, _ in app.state.results] == [*(str(number) for number in range(1, 64)), name]


async def test_answers_to_many_at_once_are_their_own(generate: Any) -> None:
    alone = [await generate("海", seed=seed) for seed in range(2)]
    assert await asyncio.gather(*(generate("海", seed=seed) for seed in range(2))) == alone


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/results/nobody.png", 404),
        ("GET", "/v1/files", 404),
        ("POST", f"{GENERATIONS}/", 404),
        ("GET", GENERATIONS, 405),
        ("GET", EDITS, 405),
    ],
)
async def test_what_is_not_there_is_an_error_of_the_same_shape(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path)
    kind = "not_found_error" if status == 404 else "invalid_request_error"
    message = f"{method} {path} is not offered here."
    assert response.status_code == status
    assert response.json() == {"error": {"message": message, "type": kind, "code": str(status), "param": None}}


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer  ", "any-key", "Basic any-key"])
async def test_a_call_without_a_key_is_refused(client: httpx.AsyncClient, authorization: str) -> None:
    response = await client.post(GENERATIONS, json={}, headers={"Authorization": authorization})
    message = "The Authorization header must be: Bearer, a space, and an API key."
    assert response.status_code == 401
    assert response.json() == {
        "error": {"message": message, "type": "authentication_error", "code": "2101", "param": None}
    }


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b"[]", b'"a"', b"null", b'{"optimize_prompt_options": true}']
)
async def test_a_body_of_the_wrong_form_is_unreadable(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post(GENERATIONS, content=body)
    assert response.status_code == 400
    assert (response.json()["error"]["code"], response.json()["error"]["param"]) == ("2005", None)


@pytest.mark.parametrize(
    ("path", "fields", "param", "message"),
    [
        (GENERATIONS, {"prompt": None}, "prompt", "prompt must not be empty; got ''"),
        (GENERATIONS, {"model": "qwen"}, "model", "model must be one of qwen-image-plus, qwen-image; got 'qwen'"),
        (GENERATIONS, {"n": 2}, "n", "n must be a whole number from 1 to 1; got 2"),
        (GENERATIONS, {"seed": -1}, "seed", f"seed must be a whole number from 0 to {MAX_SEED}; got -1"),
        (GENERATIONS, {"watermark": 1}, "watermark", "watermark must be true or false; got 1"),
        (
            GENERATIONS,
            {"optimize_prompt_options": {"negative_prompt": 5}},
            "negative_prompt",
            "negative_prompt must be text; got 5",
        ),
        (
            EDITS,
            {"model": "qwen-image-edit", "size": "1328x1328"},
            "size",
            "size can't be chosen with qwen-image-edit: the result has the shape of its picture; got '1328x1328'",
        ),
        (EDITS, {"image": None}, "image", "image takes 1 to 3 pictures, not 0; got None"),
        (EDITS, {"image": ADDRESS}, "image", f"image takes 1 to 3 pictures, not 0; got '{ADDRESS}'"),
        (EDITS, {"image": [1] * 4}, "image", "image takes 1 to 3 pictures, not 4; got [1, 1, 1, 1]"),
        (EDITS, {"image": [7]}, "image", f"image {FORMAT}; got 7"),
        (EDITS, {"image": [ADDRESS, "http://a/b.png"]}, "image 2", f"image 2 {FORMAT}; got 'http://a/b.png'"),
        (
            EDITS,
            {"image": ["data:image/png;base64,aGk="]},
            "image",
            "image is not a picture that can be read; got 'data:image/png;base64,aGk='",
        ),
    ],
)
async def test_a_wrong_parameter_is_named_with_its_rule_and_its_value(
    client: httpx.AsyncClient, path: str, fields: dict[str, Any], param: str, message: str
) -> None:
    body = {"prompt": "山", "image": [ADDRESS]} | fields
    response = await client.post(path, json=body)
    assert response.status_code == 400
    assert response.json() == {
        "error": {"message": message, "type": "invalid_request_error", "code": "2004", "param": param}
    }


async def test_null_is_absent_and_what_is_unknown_is_ignored(generate: Any) -> None:
    fields = ("model", "size", "n", "watermark", "optimize_prompt_options")
    assert await generate("海", seed=1, colour="red", **dict.fromkeys(fields)) == await generate("海", seed=1)


async def test_the_small_edit_model_takes_a_switch_it_has_no_use_for(edit: Any) -> None:
    options = {"enable": True, "negative_prompt": None}
    assert await edit("黑白", model="qwen-image-edit", image=[ADDRESS], optimize_prompt_options=options)


async def test_a_text_that_is_no_unicode_is_refused(client: httpx.AsyncClient) -> None:
    bodies = (b'{"prompt": "\\ud800"}', b'{"prompt": "x", "model": "\\ud800"}')
    assert [(await client.post(GENERATIONS, content=body)).status_code for body in bodies] == [400, 400]


async def test_a_picture_cut_short_is_refused(client: httpx.AsyncClient, data_url: Callable[..., str]) -> None:
    whole = data_url(Image.effect_noise((400, 400), 80))
    response = await client.post(EDITS, json={"prompt": "黑白", "image": [whole[: len(whole) // 8 * 4]]})
    assert response.json()["error"]["message"].startswith("image is not a picture that can be read")


@pytest.mark.parametrize("size", [(8000, 5001), (20_000, 10_000)])
async def test_a_huge_picture_is_refused_by_its_header(
    client: httpx.AsyncClient, data_url: Callable[..., str], size: tuple[int, int]
) -> None:
    response = await client.post(EDITS, json={"prompt": "黑白", "image": [data_url(Image.new("1", size))]})
    assert response.json()["error"]["message"].startswith("image is not a picture that can be read")
