"""Requests as code: each text is run as a reader would run it, and brings the very pictures that the client brings."""

import ast
import base64
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from qwen_demo.api.client import QwenClient
from qwen_demo.api.engine import PROVIDER_ENGINE, Engine
from qwen_demo.api.requests import ImageEdit, ImageFusion, ImageRequest, TextToImage, split
from qwen_demo.api.responses import ResultImage
from qwen_demo.snippets import as_curl, as_json, as_openai, as_python
from tests.conftest import images_of, payload

KEY = "sk-test-4f1c9a2b-snippets"
BASE_URL = "https://api.example/v1"
ENGINE = replace(PROVIDER_ENGINE, base_url=BASE_URL)
NASTY = (
    'it\'s a "cat" for $5, $HOME, ${n}, $seed, $(touch hacked) and `touch hacked`!!\n'
    "JSON\nREQUESTS\n'''\\\"\"\" \\n \\\\ \\$ \\` \\u0041 %s {prompt} {{}} \0\t\r\x7f\x85\u2028\u2029\n"
    '  "seed": 7,\n    "data:image/png;base64,…(image-1.png)"\n: true\n]\n猫 🐱 图1 \ufeff\\'
)


def picture(form: str, color: str) -> bytes:
    image = Image.blend(Image.radial_gradient("L").convert("RGB"), Image.new("RGB", (256, 256), color), 0.5)
    image.resize((480, 400)).save(buffer := io.BytesIO(), form)
    return buffer.getvalue()


FILES = {"image-1.png": picture("PNG", "red"), "image-2.jpg": picture("JPEG", "blue")}
PNG, JPEG = (
    f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    for kind, data in zip(("png", "jpeg"), FILES.values(), strict=True)
)
EDIT: dict[str, Any] = {"image": PNG, "model": "qwen-image-edit", "optimize_prompt": None, "watermark": None}
ORDERS: dict[str, Sequence[ImageRequest]] = {
    "text to image": [TextToImage(prompt="a cat", seed=5)],
    "a nasty prompt in base64": [
        TextToImage(prompt=NASTY, negative_prompt=NASTY, seed=0, response_format="b64_json", size="928x1664")
    ],
    "three pictures of a nasty prompt": split(TextToImage(prompt=NASTY, seed=2147483646, watermark=True), 3),
    "an edit": [ImageEdit(prompt="油画风格", image=PNG, seed=7, optimize_prompt=False)],
    "an edit in two pictures with a size": split(
        ImageEdit(prompt=NASTY, image=PNG, seed=8, size="1472x1140", response_format="b64_json"), 2
    ),
    "two requests of an edit": split(ImageEdit(prompt=NASTY, seed=3, **EDIT), 2),
    "a fusion": [ImageFusion(prompt="图1 左右翻转 图2", images=(PNG, JPEG), seed=9)],
}
ALL = pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
TEXTS: list[Callable[[Sequence[ImageRequest]], str]] = [
    lambda requests: as_json(ENGINE, requests),
    lambda requests: as_curl(ENGINE, requests),
    lambda requests: as_python(ENGINE, requests),
    lambda requests: as_openai(ENGINE, requests),
]


def run(command: list[str], folder: Path) -> str:
    """What a program prints that runs in a folder with the reference pictures and an environment without proxies."""
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "QWEN_API_KEY": KEY}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout.decode()


async def expected(base_url: str, requests: Sequence[ImageRequest]) -> list[bytes]:
    """The pictures as the client brings them."""
    async with QwenClient(KEY, base_url) as client:
        return await fetched(client, [(await client.send(request)).images for request in requests])


async def fetched(client: QwenClient, answers: Sequence[Sequence[ResultImage]]) -> list[bytes]:
    return [await client.fetch(image) for images in answers for image in images]


def at(base_url: str) -> Engine:
    return replace(PROVIDER_ENGINE, base_url=base_url)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@ALL
async def test_the_curl_command_brings_the_pictures_of_the_client(
    order: Sequence[ImageRequest], offline_server: str, tmp_path: Path
) -> None:
    assert shutil.which("curl")
    printed = run(["bash", "-c", as_curl(at(offline_server), order)], tmp_path)
    answers = [images_of(json.loads(line)) for line in printed.splitlines()]
    async with QwenClient(KEY, offline_server) as client:
        assert await fetched(client, answers) == await expected(offline_server, order)
    assert files(tmp_path) == FILES


@ALL
async def test_the_python_program_saves_the_pictures_of_the_client(
    order: Sequence[ImageRequest], offline_server: str, tmp_path: Path
) -> None:
    run([sys.executable, "-c", as_python(at(offline_server), order)], tmp_path)
    pictures = await expected(offline_server, order)
    saved = {f"picture-{number}.png": data for number, data in enumerate(pictures, start=1)}
    assert files(tmp_path) == FILES | saved


@ALL
def test_what_the_shell_gives_to_curl_is_the_payload(order: Sequence[ImageRequest], tmp_path: Path) -> None:
    printed = run(["bash", "-c", f"curl() {{ cat; echo ,; }}\n{as_curl(ENGINE, order)}"], tmp_path)
    assert json.loads(f"[{printed.rstrip().rstrip(',')}]") == [payload(request) for request in order]


def calls(program: str) -> dict[str, ast.Call]:
    """The calls in a program, by what they call."""
    compile(program, "order.py", "exec")
    return {ast.unparse(node.func): node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Call)}


def value(node: ast.expr, request: ImageRequest) -> Any:
    """What an expression of a program stands for while it sends that request."""
    match node:
        case ast.Dict(keys=keys, values=values):
            return {
                ast.literal_eval(key): value(entry, request) for key, entry in zip(keys, values, strict=True) if key
            }
        case ast.List(elts=entries):
            return [value(entry, request) for entry in entries]
        case ast.Name(id=name):
            return getattr(request, name)
        case ast.BinOp(left=start, right=ast.Call(func=ast.Name(id="base64_of"), args=[file])):
            return ast.literal_eval(start) + base64.b64encode(FILES[ast.literal_eval(file)]).decode()
    return ast.literal_eval(node)


def arguments(call: ast.Call) -> dict[str, ast.expr]:
    return {str(keyword.arg): keyword.value for keyword in call.keywords}


@ALL
def test_what_the_python_program_sends_is_the_payload(order: Sequence[ImageRequest]) -> None:
    call = calls(as_python(ENGINE, order))["httpx.post"]
    assert ast.literal_eval(call.args[0]) == f"{BASE_URL}/images/{order[0].task}"
    assert [value(arguments(call)["json"], request) for request in order] == [payload(one) for one in order]


@ALL
def test_what_the_openai_program_sends_is_the_payload(order: Sequence[ImageRequest]) -> None:
    found = calls(as_openai(ENGINE, order))
    assert ast.unparse(found["OpenAI"]) == (
        f"OpenAI(base_url='{BASE_URL}', api_key=os.environ['QWEN_API_KEY'], max_retries=0)"
    )
    if order[0].task == "generations":
        standard = arguments(found["client.images.generate"])
        extra = standard.pop("extra_body")
        assert set(standard) == {"prompt", "model", "n", "size", "response_format"}
        sent = [{name: value(node, one) for name, node in standard.items()} | value(extra, one) for one in order]
    else:
        call = found["client.post"]
        assert ast.literal_eval(call.args[0]) == "/images/edits"
        assert ast.unparse(arguments(call)["cast_to"]) == "ImagesResponse"
        sent = [value(arguments(call)["body"], request) for request in order]
    assert sent == [payload(request) for request in order]


def test_the_json_of_a_request_is_its_body_with_files_in_place_of_pictures() -> None:
    addresses = ("https://pictures.example/a.png", JPEG, PNG)
    request = ImageFusion(prompt="图1 坐在 图2", images=addresses, seed=0)
    shown = [addresses[0], "data:image/jpeg;base64,…(image-2.jpg)", "data:image/png;base64,…(image-3.png)"]
    assert json.loads(as_json(ENGINE, [request])) == payload(request) | {"image": shown}
    assert '\n  "prompt": "图1 坐在 图2",\n' in as_json(ENGINE, [request])


def test_the_json_of_several_requests_is_a_list() -> None:
    requests = ORDERS["three pictures of a nasty prompt"]
    assert json.loads(as_json(ENGINE, requests)) == [payload(request) for request in requests]


@pytest.mark.parametrize("text", TEXTS, ids=["json", "curl", "python", "openai"])
@ALL
def test_no_text_holds_a_key_or_a_picture(
    text: Callable[[Sequence[ImageRequest]], str], order: Sequence[ImageRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_API_KEY", KEY)
    written = text(order)
    assert KEY not in written
    assert PNG[30:60] not in written
    assert JPEG[30:60] not in written
    assert written == text([request.light() for request in order])


def test_the_key_comes_from_the_environment_and_goes_to_the_api_alone() -> None:
    request = ORDERS["text to image"]
    curl, python, openai = (text(request) for text in TEXTS[1:])
    assert [text.count("QWEN_API_KEY") for text in (curl, python, openai)] == [1, 1, 1]
    assert '-H "Authorization: Bearer $QWEN_API_KEY"' in curl
    headers = arguments(calls(python)["httpx.post"])["headers"]
    assert ast.unparse(headers) == "{'Authorization': 'Bearer ' + os.environ['QWEN_API_KEY']}"


@pytest.mark.parametrize("text", TEXTS, ids=["json", "curl", "python", "openai"])
def test_the_type_of_a_picture_can_not_smuggle_in_commands(text: Callable[[Sequence[ImageRequest]], str]) -> None:
    smuggler = ImageEdit(prompt="a", image='data:image/$(reboot)`"\\\n;base64,AAAA')
    assert text([smuggler]) == text([ImageEdit(prompt="a", image=PNG)])


def test_without_a_seed_none_is_sent() -> None:
    requests = split(TextToImage(prompt="a"), 2)
    assert "seed" not in "".join(text(requests) for text in TEXTS)
    assert "\nfor n in [1, 1]:\n" in as_python(ENGINE, requests)
    assert as_curl(ENGINE, requests).startswith("while read -r n; do\n")
    assert as_curl(ENGINE, requests).endswith("\ndone <<'REQUESTS'\n1\n1\nREQUESTS\n")


def test_a_short_command_reads_as_if_written_by_hand() -> None:
    assert as_curl(ENGINE, [TextToImage(prompt="a cat for $5", seed=5, watermark=None, optimize_prompt=None)]) == (
        r"""curl -sS -w '\n' https://api.example/v1/images/generations \
  -H "Authorization: Bearer $QWEN_API_KEY" \
  -H "Content-Type: application/json" \
  --data-binary @- <<'JSON'
{
  "prompt": "a cat for $5",
  "model": "qwen-image-plus",
  "size": "1328x1328",
  "n": 1,
  "response_format": "url",
  "seed": 5
}
JSON
"""
    )
