"""What real servers answered, exchange by exchange: 46 requests each to three vLLM-Omni and three SGLang servers.

Each of our requests is one that its server answered with 200; each answer is read, and each refusal becomes words.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwen_demo.api.catalog import Model
from qwen_demo.api.dialects import SELF_TELLING, Prepared
from qwen_demo.api.engine import Engine, find
from qwen_demo.api.errors import APIError, OtherModel, OutOfMemory
from qwen_demo.api.refusals import parse_error
from qwen_demo.api.requests import ImageEdit, ImageFusion, ImageRequest, TextToImage
from qwen_demo.i18n import LANGUAGES
from qwen_demo.ui.messages import describe
from tests.conftest import images_of

FOLDER = Path(__file__).parent / "recordings"
SERVERS = sorted(path.stem for path in FOLDER.glob("*.jsonl"))
PNG = "data:image/png;base64,iVBORw0KGgo="
Exchange = dict[str, Any]


def exchanges(server: str) -> list[Exchange]:
    return [json.loads(line) for line in (FOLDER / f"{server}.jsonl").read_text(encoding="utf-8").splitlines()]


def of_images() -> Iterator[tuple[str, Exchange]]:
    """All of them that ask for pictures."""
    for server in SERVERS:
        yield from ((server, one) for one in exchanges(server) if one["path"].startswith("/v1/images/"))


def named(server: str, exchange: Exchange) -> str:
    return f"{server}: {exchange['case']}"


ANSWERED = [pytest.param(one, id=named(server, one)) for server, one in of_images() if one["status"] == 200]
REFUSED = [pytest.param(one, id=named(server, one)) for server, one in of_images() if one["status"] != 200]


def test_all_of_them_are_here() -> None:
    assert [len(exchanges(server)) for server in SERVERS] == [46] * 6
    assert (len(ANSWERED), len(REFUSED)) == (120, 138)


@pytest.mark.parametrize("exchange", ANSWERED)
def test_an_answer_is_read(exchange: Exchange) -> None:
    data = exchange["got"]["data"]
    images = images_of(exchange["got"])
    assert [image.b64 for image in images] == [entry["b64_json"] for entry in data]
    assert [image.url for image in images] == [entry["url"] for entry in data]
    assert all(image.b64 or image.url for image in images)


@pytest.mark.parametrize("exchange", REFUSED)
def test_a_refusal_becomes_words(exchange: Exchange) -> None:
    error = parse_error(exchange["status"], exchange["got"], exchange["headers"])
    got = json.dumps(exchange["got"])
    other = re.search("mismatch|input_reference is not supported|requires an .image_path", got)
    kind = OtherModel if other else OutOfMemory if "out of memory" in got else APIError
    assert type(error) is kind
    assert error.may_be_billed == (exchange["status"] == 500)
    for language in LANGUAGES:
        words = describe(error, language)
        assert kind is OutOfMemory or error.message.rstrip(". ") in words


async def engine_of(server: str) -> Engine:
    """The engine, as it is found by what it says of itself."""
    (told,) = (one["got"] for one in exchanges(server) if one["case"] == "GET models")
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=told)

    engine = await find("http://my-gpu:8091/v1", "", transport=httpx.MockTransport(answer))
    assert [(one.method, str(one.url), one.headers.get("authorization")) for one in asked] == [
        ("GET", "http://my-gpu:8091/v1/models", None)
    ]
    return engine


# What each server can do: tasks, references, and the multiple to which it rounds sides.
ABLE = {
    "sglang-0.5.23_qwen-image": (("generations",), 4, 16),
    "sglang-0.5.23_qwen-image-2.1": (("generations", "edits"), 4, 32),
    "sglang-0.5.23_qwen-image-edit-2511": (("edits",), 4, 16),
    "vllm-omni-0.30.0_qwen-image": (("generations",), 4, 16),
    "vllm-omni-0.30.0_qwen-image-edit": (("edits",), 1, 16),
    "vllm-omni-0.30.0_qwen-image-edit-2511": (("edits",), 4, 16),
}


@pytest.mark.parametrize("server", SERVERS)
async def test_an_engine_is_known_by_what_it_says_of_itself(server: str) -> None:
    engine = await engine_of(server)
    (model,) = engine.catalog.models
    assert (engine.dialect, engine.billed, engine.wants_key) == (SELF_TELLING, False, False)
    assert engine.title == ("SGLang" if "sglang" in server else "vLLM-Omni")
    assert model.name.lower() == "qwen/" + server.partition("_")[2]
    assert model.any_size
    assert (model.tasks, model.references, model.any_size.multiple) == ABLE[server]
    assert (model.rewrites, model.watermark, model.negative, model.tunable) == (False, False, True, True)


ASK: dict[str, Any] = {"prompt": "a cat", "size": "512x512", "n": 2, "seed": 7, "negative_prompt": "blur"}
ASK |= {"steps": 20, "guidance": 4.0, "watermark": False, "optimize_prompt": True, "response_format": "url"}


def asks_of(model: Model, engine: Engine) -> Iterator[tuple[str, ImageRequest]]:
    """A request of each kind that a model does, and the recorded exchange that it should be like."""
    asked = {**ASK, "model": model.name, "catalog": engine.catalog}
    if model.does("text_to_image"):
        yield "gen output_format png", TextToImage(**asked)
    if model.does("edit"):
        yield "edit image", ImageEdit(image=PNG, **asked)
        yield "edit no size", ImageEdit(image=PNG, **asked | {"size": None})
        yield "edit url = data:", ImageEdit(image="https://pictures.example/a.png", **asked)
    if model.does("fusion"):
        yield "edit image[] x2", ImageFusion(images=(PNG, PNG), **asked)
        yield "edit url[] = data: x2", ImageFusion(images=(PNG, "https://pictures.example/a.png"), **asked)


def parts(multipart: str) -> tuple[dict[str, str], list[str]]:
    """The texts of a recorded form, and the names of its files or addresses."""
    found = re.findall(r'name="([^"]+)"(; filename[^\r]*)?\r\n(?:[^\r]+\r\n)*\r\n([^\r]*)', multipart)
    texts = {name: value for name, file, value in found if not file and not name.startswith("url")}
    return texts, [name for name, file, _ in found if file or name.startswith("url")]


@pytest.mark.parametrize("server", SERVERS)
async def test_what_is_asked_was_answered_with_200(server: str) -> None:
    engine = await engine_of(server)
    recorded = {one["case"]: one for one in exchanges(server)}
    (model,) = engine.catalog.models
    png = {"output_format": "png"}  # asked for by name: SGLang makes a JPEG otherwise, vLLM-Omni a PNG
    assert recorded["gen output_format png" if "generations" in model.tasks else "edit png"]["status"] == 200
    for case, request in asks_of(model, engine):
        exchange, prepared = recorded[case], engine.dialect.prepare(request)
        assert exchange["status"] == 200, case
        assert f"/v1/{prepared.path}" == exchange["path"]
        if isinstance(sent := exchange["sent"], dict):
            assert prepared.json == {name: value for name, value in sent.items() if name != "guidance_scale"}
        else:
            texts, pictures = parts(sent)
            ours = {name: str(value) for name, value in prepared.form if not name.startswith("url")}
            assert ours == {name: value for name, value in texts.items() if name != "guidance_scale"} | png
            assert set(pictures_of(prepared)) == set(pictures)  # the recorded forms are cut short


def pictures_of(prepared: Prepared) -> list[str]:
    return [name for name, _ in (*prepared.files, *prepared.form) if name.startswith(("image", "url"))]


@pytest.mark.parametrize("server", SERVERS)
async def test_traps_that_these_servers_are_known_for_are_not_stepped_into(server: str) -> None:
    engine = await engine_of(server)
    (model,) = engine.catalog.models
    for _, request in asks_of(model, engine):
        prepared = engine.dialect.prepare(request)
        sent = {**(prepared.json or {}), **dict(prepared.form)}
        assert sent["seed"] == 7  # without one, SGLang takes 42 each time
        assert sent["response_format"] == "b64_json"  # vLLM-Omni refuses `url`, and SGLang's is relative
        assert sent["output_format"] == "png"
        assert sent.get("size", "512x512") == "512x512"  # "auto" is a 400 at SGLang
        assert sent["n"] == 2  # null is a 400 at vLLM-Omni
        assert sent["model"] == model.name  # another one is a 400 at vLLM-Omni
        assert prepared.headers == {"Connection": "close"}  # SGLang loses what follows a 500 on the same connection
        assert "watermark" not in sent
        assert "optimize_prompt_options" not in sent
