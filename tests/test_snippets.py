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
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from qwen_demo.api.client import QwenClient
from qwen_demo.api.requests import ImageEdit, ImageFusion, ImageRequest, TextToImage, next_seed, split
from qwen_demo.api.responses import parse
from qwen_demo.snippets import as_curl, as_json, as_openai, as_python

KEY = "sk-test-4f1c9a2b-snippets"
BASE_URL = "https://api.example/v1"
NASTY = (
    'it\'s a "cat" for $5, $HOME, ${n}, $seed, $(touch hacked) and `touch hacked`!!\n'
    "JSON\nREQUESTS\n'''\\\"\"\" \\n \\\\ \\$ \\` \\u0041 %s {prompt} {{}} \0\t\r\x7f\x85\u2028\u2029\n"
    '  "seed": 7,\n    "data:image/png;base64,…(image-1.png)"\n: true\n]\n猫 🐱 图1 \ufeff\\'
)


def picture(form: str, color: str) -> bytes:
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((480, 400)).convert("RGB").point(list(range(256)) * 3).save(buffer, form)
    Image.blend(Image.open(buffer), Image.new("RGB", (480, 400), color), 0.5).save(into := io.BytesIO(), form)
    return into.getvalue()


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
    as_json,
    lambda requests: as_curl(BASE_URL, requests),
    lambda requests: as_python(BASE_URL, requests),
    lambda requests: as_openai(BASE_URL, requests),
]


def run(command: list[str], folder: Path) -> str:
    """What a program prints that runs in a folder with the reference pictures and an environment without proxies."""
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "QWEN_API_KEY": KEY}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout.decode()


async def pictures(base_url: str, requests: Sequence[ImageRequest]) -> list[bytes]:
    async with QwenClient(KEY, base_url) as client:
        answers = [await client.send(request) for request in requests]
        return [await client.fetch(image) for answer in answers for image in answer.images]


@ALL
async def test_the_curl_command_brings_the_pictures_of_the_client(
    order: Sequence[ImageRequest], offline_server: str, tmp_path: Path
) -> None:
    assert shutil.which("curl")
    printed = run(["bash", "-c", as_curl(offline_server, order)], tmp_path)
    answers = [parse(json.loads(line), {}) for line in printed.splitlines()]
    async with QwenClient(KEY, offline_server) as client:
        brought = [await client.fetch(image) for answer in answers for image in answer.images]
    assert brought == await pictures(offline_server, order)
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


@ALL
async def test_the_python_program_saves_the_pictures_of_the_client(
    order: Sequence[ImageRequest], offline_server: str, tmp_path: Path
) -> None:
    program = tmp_path / "order.py"
    program.write_text(as_python(offline_server, order), encoding="utf-8", newline="")
    run([sys.executable, program.name], tmp_path)
    expected = await pictures(offline_server, order)
    saved = {f"picture-{number}.png": data for number, data in enumerate(expected, start=1)}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path != program} == FILES | saved


@pytest.mark.parametrize("body", [ORDERS[name][0].payload() for name in ORDERS if "nasty" in name])
@pytest.mark.parametrize("heredoc", ["plain", "with values put in"])
def test_the_shell_hands_every_character_on(body: dict[str, Any], heredoc: str, tmp_path: Path) -> None:
    """The server draws the same for prompts that differ in a space; so look at what curl is given."""
    request = TextToImage(prompt=body["prompt"], negative_prompt=NASTY, seed=1)
    requests = [request] if heredoc == "plain" else split(request, 2)
    given = run(["bash", "-c", f"curl() {{ cat; }}\n{as_curl(BASE_URL, requests)}"], tmp_path)
    decoder, found = json.JSONDecoder(), []
    while given:
        sent, end = decoder.raw_decode(given)
        found.append(sent)
        given = given[end:].lstrip()
    assert found == [one.payload() for one in requests]


@ALL
def test_the_openai_program_compiles_and_its_arguments_are_the_payload(order: Sequence[ImageRequest]) -> None:
    text = as_openai(BASE_URL, order)
    compile(text, "order.py", "exec")
    values: dict[str, Any] = {"seed": order[0].seed, "n": order[0].n}

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Dict():
                names = [ast.literal_eval(key) for key in node.keys if key]
                return dict(zip(names, map(value, node.values), strict=True))
            case ast.List():
                return [value(entry) for entry in node.elts]
            case ast.Name():
                return values[node.id]
            case ast.BinOp(left=left, right=ast.Call(args=[file])):
                return ast.literal_eval(left) + base64.b64encode(FILES[ast.literal_eval(file)]).decode()
        return ast.literal_eval(node)

    calls = {ast.unparse(node.func): node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}
    assert ast.unparse(calls["OpenAI"]) == (
        f"OpenAI(base_url='{BASE_URL}', api_key=os.environ['QWEN_API_KEY'], max_retries=0)"
    )
    if order[0].task == "generations":
        sent = {str(keyword.arg): value(keyword.value) for keyword in calls["client.images.generate"].keywords}
        extra = sent.pop("extra_body")
        assert set(sent) == {"prompt", "model", "n", "size", "response_format"}
        assert sent | extra == order[0].payload()
    else:
        call = calls["client.post"]
        assert ast.literal_eval(call.args[0]) == "/images/edits"
        arguments = {keyword.arg: keyword.value for keyword in call.keywords}
        assert ast.unparse(arguments["cast_to"]) == "ImagesResponse"
        assert value(arguments["body"]) == order[0].payload()


def test_the_json_of_a_request_is_its_body_with_files_in_place_of_pictures() -> None:
    addresses = ("https://pictures.example/a.png", JPEG, PNG)
    request = ImageFusion(prompt="图1 坐在 图2", images=addresses, seed=0)
    shown = [addresses[0], "data:image/jpeg;base64,…(image-2.jpg)", "data:image/png;base64,…(image-3.png)"]
    assert json.loads(as_json([request])) == request.payload() | {"image": shown}
    assert '\n  "prompt": "图1 坐在 图2",\n' in as_json([request])


def test_the_json_of_several_requests_is_a_list() -> None:
    requests = ORDERS["three pictures of a nasty prompt"]
    assert json.loads(as_json(requests)) == [request.payload() for request in requests]


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


@pytest.mark.parametrize("text", TEXTS[1:], ids=["curl", "python", "openai"])
def test_the_key_comes_from_the_environment(text: Callable[[Sequence[ImageRequest]], str]) -> None:
    written = text(ORDERS["text to image"])
    assert ("Bearer $QWEN_API_KEY" in written) != ('os.environ["QWEN_API_KEY"]' in written)


@pytest.mark.parametrize("text", TEXTS, ids=["json", "curl", "python", "openai"])
def test_the_type_of_a_picture_can_not_smuggle_in_commands(text: Callable[[Sequence[ImageRequest]], str]) -> None:
    smuggler = ImageEdit(prompt="a", image='data:image/$(reboot)`"\\\n;base64,AAAA')
    assert text([smuggler]) == text([ImageEdit(prompt="a", image=PNG)])


def test_without_a_seed_none_is_sent() -> None:
    requests = split(TextToImage(prompt="a"), 2)
    assert next_seed(requests[0].seed, 1) is None
    assert "seed" not in "".join(text(requests) for text in TEXTS)
    assert "\nfor n in [1, 1]:\n" in as_python(BASE_URL, requests)
    assert as_curl(BASE_URL, requests).startswith("while read -r n; do\n")
    assert as_curl(BASE_URL, requests).endswith("\ndone <<'REQUESTS'\n1\n1\nREQUESTS\n")


def test_a_short_command_reads_as_if_written_by_hand() -> None:
    assert as_curl(BASE_URL, [TextToImage(prompt="a cat for $5", seed=5, watermark=None, optimize_prompt=None)]) == (
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
