"""Recipes inside pictures: written next to the pixels, read back whole, and looked at with mistrust."""

import base64
import hashlib
import io
import json
import struct
import zlib
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from qwen_demo import __version__
from qwen_demo.api.requests import ImageEdit, ImageFusion, ImageRequest, TextToImage
from qwen_demo.api.responses import ImagesResponse, ResultImage
from qwen_demo.recipe import KEYWORD, MAX_BYTES, BadRecipe, Recipe, check_foreign, embed, names_of, parse, read

ASKED: dict[str, Any] = {"n": 6, "size": "1664x928", "seed": 0, "response_format": "b64_json", "watermark": False}
ASKED |= {"steps": None, "guidance": None}
TOLD = {"request_id": "r-1", "usage": {"image_count": 6}, "revised_prompt": "a finer cat"}
TOLD |= {"created": "2026-11-22T15:30:12", "app_version": __version__}
WORDS = {"prompt": "图1 的猫\n坐在 图2 🐱", "negative_prompt": "模糊", "optimize_prompt": True}
PICTURE = "data:image/png;base64," + base64.b64encode(b"picture").decode()
HASH, ADDRESS = hashlib.sha256(b"picture").hexdigest(), "https://example.com/b.png"
EDIT = "qwen-image-edit-plus"
SOURCE = "2026-11-21-0123456789abcdef01234567"
SOURCES = {"references": (ADDRESS, HASH), "sources": ("", SOURCE), "region": None}
FACTS: dict[str, Any] = {**ASKED, **TOLD, **WORDS, "kind": "fusion", "model": EDIT, **SOURCES}
FULL = Recipe(**FACTS)
DRAWN = Recipe(kind="text_to_image", prompt="a cat", model="qwen-image-plus", size="1328x1328")


def png() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((40, 30), 90).convert("RGB").save(buffer, "PNG", dpi=(72, 72))
    return buffer.getvalue()


def chunks(data: bytes) -> list[bytes]:
    """Every chunk with its head and its checksum, which is right."""
    found, place = [], 8
    while place < len(data):
        found.append(data[place : place + int.from_bytes(data[place : place + 4], "big") + 12])
        assert zlib.crc32(found[-1][4:-4]) == int.from_bytes(found[-1][-4:], "big")
        place += len(found[-1])
    return found


def with_text(text: bytes, keyword: bytes = KEYWORD) -> bytes:
    """A PNG with that text where a recipe stands."""
    data, body = png(), b"iTXt" + keyword + b"\0\0\0\0\0" + text
    return data[:-12] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + data[-12:]


def problem(data: bytes, tmp_path: Path) -> str:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(BadRecipe) as bad:
        read(tmp_path / "a.png")
    return bad.value.problem


RECIPES = [
    FULL,
    DRAWN,
    replace(FULL, prompt="<b>&\"'\\\0\t\r\n", negative_prompt="", references=(), usage=None),
    replace(FULL, prompt="猫" * 800, negative_prompt="🐱" * 500),
]


HALF_A_CHARACTER = b'{"kind": "edit", "prompt": "a\\ud800b", "model": "m"}'


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_read_back_as_it_was_and_every_byte_of_the_picture_stays(recipe: Recipe, tmp_path: Path) -> None:
    original, path = png(), tmp_path / "a.png"
    path.write_bytes(embed(original, recipe))
    before, after = chunks(original), chunks(path.read_bytes())
    assert read(path) == recipe
    assert [*after[:-3], after[-1]] == before
    assert [chunk[4:8] for chunk in after[-3:]] == [b"iTXt", b"iTXt", b"IEND"]
    assert Image.open(path).tobytes() == Image.open(io.BytesIO(original)).tobytes()


def test_a_lone_surrogate_becomes_a_question_mark(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(embed(png(), replace(FULL, prompt="a\ud83d b")))
    assert read(tmp_path / "a.png") == replace(FULL, prompt="a? b")


def test_other_tools_read_the_parameters(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(embed(png(), FULL))
    texts: dict[str, str] = Image.open(tmp_path / "a.png").text  # type: ignore[attr-defined]
    facts = f"Seed: 0, Size: 1664x928, Model: {EDIT}, Created: 2026-11-22T15:30:12"
    assert texts["parameters"] == f"图1 的猫\n坐在 图2 🐱\nNegative prompt: 模糊\n{facts}"
    assert (sorted(texts), json.loads(texts["qwen-image-demo"]).keys()) == (["parameters", KEYWORD.decode()], {*FACTS})
    assert DRAWN.parameters() == "a cat\nSize: 1328x1328, Model: qwen-image-plus, Created: "


def test_what_is_no_recipe_of_ours_is_missing(tmp_path: Path) -> None:
    jpeg = io.BytesIO()
    Image.new("RGB", (9, 9)).save(jpeg, "JPEG", comment=KEYWORD)
    others = [png(), jpeg.getvalue(), b"", b"\x89PNG", with_text(b"{}", b"qwen-image-demo-2"), b"<html>"]
    assert [problem(data, tmp_path) for data in others] == ["missing"] * 6


def test_a_recipe_of_10_mb_is_large_and_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    monkeypatch.setattr("qwen_demo.recipe.parse", lambda text: parsed.append(len(text)))
    most = MAX_BYTES - len(KEYWORD) - 5
    (tmp_path / "limit.png").write_bytes(with_text(b" " * most))
    read(tmp_path / "limit.png")
    assert [problem(with_text(b" " * size), tmp_path) for size in (most + 1, 10_000_000)] == ["large"] * 2
    assert parsed == [most]


NO_OBJECTS = [
    b"",
    b"{",
    b"not JSON",
    b"[]",
    b"null",
    b'"text"',
    b"\xff\xfe\xfa",
    b"[" * 90_000,
    b'{"kind": "edit", "prompt": "a\\ud800b", "model": "m"}',
    b"9" * 9_000,
]


@pytest.mark.parametrize("text", [*NO_OBJECTS, b'{"kind": "edit", "prompt": "no model"}'])
def test_what_is_no_json_object_with_the_fields_of_a_recipe_is_broken(text: bytes, tmp_path: Path) -> None:
    assert problem(with_text(text), tmp_path) == "broken"


WRONG: dict[str, list[object]] = {
    "kind prompt model response_format created app_version": [None, 1, ["a"]],
    "n seed": ["1", 1.5, []],
    "size negative_prompt request_id": [1, ["a"], {}],
    "watermark optimize_prompt": [0, "true"],
    "references sources": [None, 1, "abc", {"a": 1}, [1], [None], [["a"]]],
    "usage": [[], "a", 1],
}


@pytest.mark.parametrize(("name", "wrong"), [(n, w) for names, ws in WRONG.items() for n in names.split() for w in ws])
def test_a_field_of_the_wrong_type_is_broken(name: str, wrong: object) -> None:
    assert parse(json.dumps(FACTS | {"api_key": "passed over"}).encode()) == FULL
    with pytest.raises(BadRecipe, match="broken"):
        parse(json.dumps(FACTS | {name: wrong}).encode())


def test_a_recipe_that_could_be_ordered_is_taken_from_elsewhere() -> None:
    check_foreign(FULL)
    check_foreign(replace(DRAWN, prompt="3 < 4, a <3 b, 猫 >_<", negative_prompt="x" * 500))
    check_foreign(replace(DRAWN, kind="edit", model=EDIT, n=6, references=(HASH,)))
    # Made with another engine, whose models and sizes this one doesn't know.
    check_foreign(replace(DRAWN, model="Qwen/Qwen-Image-2.1", size="992x992", steps=30, guidance=4.5, prompt="a" * 900))


MARKUP = ["<script>alert(1)</script>", "a cat <img src=x onerror=alert(1)>", "<!-- a -->", "</div>"]
UNORDERABLE: dict[str, list[object]] = {
    "size": ["wide", ""],
    "n": [7, 0, True],
    "seed": [-1, 2_147_483_648],
    "kind": ["unknown", "", "edit", "fusion"],
    "steps": [0, 201],
    "guidance": [-1.0, 21.0],
    "response_format": ["file"],
    "prompt": ["a" * 100_001, " "],
    "negative_prompt": ["a" * 501],
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        *[({name: text}, "markup") for name in ("prompt", "negative_prompt") for text in MARKUP],
        *[({name: value}, "broken") for name, values in UNORDERABLE.items() for value in values],
        *[({"kind": "edit", "model": EDIT, "references": (HASH,) * count}, "broken") for count in (0, 2)],
        *[({"kind": "fusion", "model": EDIT, "references": (HASH,) * count}, "broken") for count in (1, 10)],
    ],
)
def test_what_could_not_be_ordered_is_not_taken_from_elsewhere(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(BadRecipe) as bad:
        check_foreign(replace(DRAWN, **changes))
    assert bad.value.problem == expected


ALL: dict[str, Any] = {**WORDS, **ASKED}
MORE: dict[str, tuple[ImageRequest, dict[str, Any]]] = {  # request, and what differs from FULL
    "text_to_image": (
        TextToImage(**ALL | {"n": 1}),
        {"n": 1, "model": "qwen-image-plus", "references": (), "sources": ()},
    ),
    "edit": (
        ImageEdit(image=PICTURE, **ALL | {"watermark": None}),
        {"watermark": None, "references": (HASH,), "sources": (SOURCE,)},
    ),
    "fusion": (ImageFusion(images=(ADDRESS, PICTURE), **ALL), {}),
}


@pytest.mark.parametrize("kind", MORE)
def test_a_recipe_says_all_that_was_asked_and_names_references_by_hash_or_address(kind: str) -> None:
    request, differs = MORE[kind]
    sources = differs.get("sources", FACTS["sources"])
    response = ImagesResponse(images=(), usage={"image_count": 6}, request_id="r-1", created=1)
    image = ResultImage(prompt="a finer cat")
    at = datetime(2026, 11, 22, 15, 30, 12, 999)
    recipe = Recipe.of(request, names_of(request.references), sources, response, image, at)
    assert asdict(recipe) == FACTS | {"kind": kind, **differs}
