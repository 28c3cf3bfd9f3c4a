"""Requests as code in every dialect: each text is run, and sends and brings what the client sends and brings.

What every order has to stand is in `test_snippets.py`, for this provider's API; here are the forms, messages and
packages of the others.
"""

import ast
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qwen_demo.api.catalog import Catalog
from qwen_demo.api.client import QwenClient
from qwen_demo.api.dialects import DIALECTS
from qwen_demo.api.engine import Engine, find, of_dialect
from qwen_demo.api.requests import ImageEdit, ImageFusion, ImageRequest, TextToImage, split
from qwen_demo.offline import create_app
from qwen_demo.snippets import all_forms, as_curl
from tests.conftest import images_of, serve
from tests.test_snippets import FILES, JPEG, KEY, NASTY, PNG

ADDRESS = "https://pictures.example/it's%20$(touch hacked)`touch hacked`\"/1.png"
PICTURE = "data:image/png;base64,…(image-1.png)"  # how JSON shows a picture
EXTRA: dict[str, Any] = {"strict": True, "mask": None, "tags": [True, None, -1.5, {}, [], {"$a": "b`\\"}]}

Order = Sequence[ImageRequest]


def edit(catalog: Catalog, image: str = PNG, **fields: Any) -> ImageEdit:
    return ImageEdit(image=image, catalog=catalog, **{"prompt": "油画风格", "seed": 7, **fields})


def fusion(catalog: Catalog, *images: str) -> ImageFusion:
    return ImageFusion(prompt="图1 左右翻转 图2", images=images, seed=9, catalog=catalog)


def drawing(catalog: Catalog, **fields: Any) -> TextToImage:
    """Small where a model takes that, for small pictures are drawn soon."""
    rows = catalog.doing("text_to_image")
    small = next((row for row in rows if row.sized("512x512")), None)
    sized = {"model": small.name, "size": "512x512"} if small else {"size": rows[0].default_size}
    return TextToImage(catalog=catalog, **{"prompt": "a cat", "seed": 5, **sized, **fields})


def finely(catalog: Catalog, kind: str) -> dict[str, Any]:
    """Everything that can be asked for besides, of the model that is asked."""
    tunable = catalog.doing(kind)[0].tunable
    return {"prompt": NASTY, "negative_prompt": NASTY, "seed": 0} | (
        {"steps": 12, "guidance": 4.5} if tunable else {"watermark": True}
    )


ORDERS: dict[str, Callable[[Catalog], Order]] = {
    "text to image": lambda catalog: [drawing(catalog, watermark=False, optimize_prompt=False)],
    "nasty words": lambda catalog: [drawing(catalog, **finely(catalog, "text_to_image"))],
    "several requests": lambda catalog: split(drawing(catalog, prompt=NASTY, seed=2147483647), 2),
    "an edit with nasty words": lambda catalog: [edit(catalog, **finely(catalog, "edit"))],
    "an edit of an address": lambda catalog: [edit(catalog, ADDRESS)],
    "several requests of an edit": lambda catalog: split(edit(catalog, prompt=NASTY, seed=3), 2),
    "a fusion": lambda catalog: [fusion(catalog, PNG, JPEG)],
    "a fusion with an address": lambda catalog: [fusion(catalog, ADDRESS, JPEG)],
}
ALL = pytest.mark.parametrize("write", ORDERS.values(), ids=ORDERS)
# Those that the offline backend speaks.
EVERY_DIALECT = pytest.mark.parametrize("dialect", [name for name, one in DIALECTS.items() if one.offline])


@dataclass
class Recorder:
    """An app, with every call to it written down: its path, its key, its texts, and its files with their types."""

    app: ASGIApp
    calls: list[Any]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            body = await Request(scope, receive).body()

            async def replay() -> Message:
                return {"type": "http.request", "body": body}

            self.calls.append(await told(Request(scope, replay)))
            receive = replay
        await self.app(scope, receive, send)


async def told(call: Request) -> Any:
    key = call.headers.get("authorization", "").removesuffix("Bearer none")  # the packages want one in any case
    if call.headers["content-type"].startswith("application/json"):
        return call.url.path, key, json.loads(await call.body())
    async with call.form(max_part_size=20_000_000) as form:
        texts = sorted((name, value) for name, value in form.multi_items() if isinstance(value, str))
        files = [
            (name, value.content_type, await value.read())
            for name, value in form.multi_items()
            if isinstance(value, UploadFile)
        ]
    return call.url.path, key, texts, files


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder(create_app(seconds=0), [])


@pytest.fixture(scope="module")
def engines(recorder: Recorder) -> Iterator[Mapping[str, Engine]]:
    """The offline backend in each dialect; its models give one picture a call, so that more are several requests."""
    with serve(recorder) as address:
        found = {
            "gateway": of_dialect(DIALECTS["gateway"], f"{address}/v1"),
            "openai": asyncio.run(find(f"{address}/v1", "", DIALECTS["openai"])),
            "dashscope": of_dialect(DIALECTS["dashscope"], address),
        }
        yield {name: with_rows(engine, max_n=1) for name, engine in found.items()}


def with_rows(engine: Engine, **fields: Any) -> Engine:
    return replace(engine, catalog=Catalog(tuple(replace(row, **fields) for row in engine.catalog.models)))


def run(form: str, text: str, folder: Path, engine: Engine) -> str:
    """What a text prints in a folder with the reference pictures, with a key only where one is asked for."""
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    command = ["bash", "-c", text] if form == "curl" else [sys.executable, "-c", text]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)} | (
        {"QWEN_API_KEY": KEY} if engine.wants_key else {}
    )
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout.decode()


async def check(engine: Engine, order: Order, recorder: Recorder, folder: Path, forms: Sequence[str]) -> None:
    """Runs each form of an order, and compares what is sent and what comes with the client's."""
    texts, recorder.calls = all_forms(engine, order), []
    async with QwenClient(KEY if engine.wants_key else "", engine.base_url, dialect=engine.dialect) as client:
        expected = [await client.fetch(image) for request in order for image in (await client.send(request)).images]
        sent, recorder.calls = recorder.calls, []
        for form in forms:
            printed = await asyncio.to_thread(run, form, texts[form], folder / form, engine)
            assert recorder.calls == sent
            recorder.calls = []
            saved = {path.name: path.read_bytes() for path in (folder / form).iterdir()}
            answers = [images_of(json.loads(line)) for line in printed.splitlines()]
            came = [await client.fetch(image) for images in answers for image in images]
            if form == "curl":
                assert came == expected
                assert saved == FILES
            else:
                assert printed == ""
                assert saved == FILES | {f"picture-{number}.png": data for number, data in enumerate(expected, start=1)}


@EVERY_DIALECT
@ALL
async def test_each_form_sends_and_brings_what_the_client_does(
    write: Callable[[Catalog], Order],
    dialect: str,
    engines: Mapping[str, Engine],
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    engine = engines[dialect]
    # The gateway's other forms are run in `test_snippets.py`.
    forms = ["OpenAI"] if dialect == "gateway" else [*all_forms(engine, write(engine.catalog))][1:]
    await check(engine, write(engine.catalog), recorder, tmp_path, forms)


@pytest.mark.parametrize("model", ["Qwen/Qwen-Image", "qwen-image-plus"], ids=["base64", "addresses"])
async def test_the_programs_take_what_comes_where_the_engine_decides(
    model: str, engines: Mapping[str, Engine], recorder: Recorder, tmp_path: Path
) -> None:
    row = replace(DIALECTS["openai"].row, name=model)
    assert row.formats == ()
    engine = replace(engines["openai"], wants_key=True, catalog=Catalog((row,)))
    await check(engine, [drawing(engine.catalog, size="928x1664")], recorder, tmp_path, ["Python", "OpenAI"])


@pytest.mark.parametrize("prompt", [
    "@image-1.png", "<image-1.png", "a cat;type=text/html", "=a;filename=\"x\"\r\n--\n\n@", PICTURE,
])  # fmt: skip
async def test_no_prompt_means_anything_to_a_form(
    prompt: str, engines: Mapping[str, Engine], recorder: Recorder, tmp_path: Path
) -> None:
    engine = engines["openai"]
    order = [edit(engine.catalog, prompt=prompt, negative_prompt=prompt)]
    await check(engine, order, recorder, tmp_path, ["curl"])


@EVERY_DIALECT
@ALL
def test_no_text_holds_a_key_or_a_picture(
    write: Callable[[Catalog], Order], dialect: str, engines: Mapping[str, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_API_KEY", KEY)
    engine, order = engines[dialect], write(engines[dialect].catalog)
    texts = all_forms(engine, order)
    together = "".join(texts.values())
    assert not any(secret in together for secret in (KEY, PNG[30:60], JPEG[30:60]))
    assert [text.count("QWEN_API_KEY") for text in texts.values()] == [0, *[int(engine.wants_key)] * 3]
    assert texts == all_forms(engine, [request.light() for request in order])


@EVERY_DIALECT
def test_the_type_of_a_picture_can_not_smuggle_in_commands(dialect: str, engines: Mapping[str, Engine]) -> None:
    engine = engines[dialect]
    smugglers = ['data:image/$(reboot)`"\\\n;base64,AAAA', "data:image/';reboot #;base64,AAAA"]
    smuggled = [all_forms(engine, [edit(engine.catalog, image)]) for image in smugglers]
    assert smuggled == [all_forms(engine, [edit(engine.catalog)])] * 2


@EVERY_DIALECT
def test_words_that_look_like_a_picture_are_words(dialect: str, engines: Mapping[str, Engine]) -> None:
    engine = engines[dialect]
    texts = all_forms(engine, [drawing(engine.catalog, prompt=PICTURE, negative_prompt=PICTURE)])
    assert [text.count(PICTURE) for text in texts.values()] == [2] * 4
    assert [text.count("base64 <") + text.count("base64_of") for text in texts.values()] == [0] * 4


@EVERY_DIALECT
def test_without_a_seed_none_is_sent(dialect: str, engines: Mapping[str, Engine]) -> None:
    engine = engines[dialect]
    texts = all_forms(engine, split(drawing(engine.catalog, seed=None), 2))
    assert "seed" not in "".join(texts.values())


@EVERY_DIALECT
def test_the_owners_own_fields_are_written_as_python(dialect: str, engines: Mapping[str, Engine]) -> None:
    engine = with_rows(engines[dialect], extra=EXTRA)
    for text in [*all_forms(engine, [drawing(engine.catalog)]).values()][2:]:
        found = {
            ast.literal_eval(key): value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Dict)
            for key, value in zip(node.keys, node.values, strict=True)
            if key
        }
        found |= {node.arg: node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.keyword)}
        assert {name: ast.literal_eval(found[name]) for name in EXTRA} == EXTRA


@EVERY_DIALECT
def test_the_owners_own_fields_are_written_for_the_shell(
    dialect: str, engines: Mapping[str, Engine], tmp_path: Path
) -> None:
    engine = with_rows(engines[dialect], extra=EXTRA)
    order = split(drawing(engine.catalog), 2)
    instead = f"curl() {{ cat; echo ,; }}\n{as_curl(engine, order)}"
    printed = run("curl", instead, tmp_path / "shell", engine)
    assert json.loads(f"[{printed.rstrip().rstrip(',')}]") == [engine.dialect.prepare(one).json for one in order]


def test_a_form_reads_as_if_written_by_hand(engines: Mapping[str, Engine]) -> None:
    engine = replace(engines["openai"], base_url="http://127.0.0.1:8000/v1")
    assert as_curl(engine, [edit(engine.catalog, prompt="a cat's hat")]) == (
        r"""curl -sS -w '\n' http://127.0.0.1:8000/v1/images/edits \
  --form-string 'prompt=a cat'"'"'s hat' \
  --form-string model=Qwen/Qwen-Image-Edit-2511 \
  --form-string n=1 \
  --form-string response_format=b64_json \
  --form-string seed=7 \
  --form-string output_format=png \
  -F image=@image-1.png
"""
    )
    assert json.loads(all_forms(engine, [fusion(engine.catalog, PNG, JPEG)])["JSON"])["image[]"] == [
        "@image-1.png", "@image-2.jpg",
    ]  # fmt: skip


@pytest.mark.parametrize("formats", [(), ("b64_json", "url")])
def test_a_picture_that_comes_at_an_address_in_any_case_is_fetched(
    formats: tuple[str, ...], engines: Mapping[str, Engine]
) -> None:
    engine = engines["dashscope"]
    row = replace(engine.catalog.models[0], formats=formats)
    engine = replace(engine, catalog=Catalog((row,)))
    texts = all_forms(engine, [drawing(engine.catalog, response_format="b64_json")])
    assert [text.count("b64") for text in texts.values()] == [0] * 4
    assert 'httpx.get(picture["image"]' in texts["Python"]
