"""Payloads as values, and every rule that refuses one."""

from typing import Any

import pytest

from qwen_demo.api import catalog
from qwen_demo.api.dialects import DEFAULT
from qwen_demo.api.errors import InvalidRequest
from qwen_demo.api.requests import ImageEdit, ImageFusion, ImageRequest, TextToImage, split
from tests.conftest import payload

A, B, C = (f"https://pictures.example/{name}.png" for name in "abc")


def test_the_pages_curl_sample_is_this_request() -> None:
    request = TextToImage(
        prompt="一只可爱的小猫在花园里玩耍，阳光明媚，油画风格",
        negative_prompt="低分辨率、错误、最差质量",
        watermark=None,
    )
    assert DEFAULT.prepare(request).path == "images/generations"
    assert payload(request) == {
        "prompt": "一只可爱的小猫在花园里玩耍，阳光明媚，油画风格",
        "model": "qwen-image-plus",
        "size": "1328x1328",
        "n": 1,
        "response_format": "url",
        "optimize_prompt_options": {"enable": True, "negative_prompt": "低分辨率、错误、最差质量"},
    }


def test_the_pages_edit_sample_is_this_request() -> None:
    request = ImageEdit(prompt="红色的自行车", image=A, size="1328x1328", negative_prompt="错误")
    assert DEFAULT.prepare(request).path == "images/edits"
    assert payload(request) == {
        "prompt": "红色的自行车",
        "model": "qwen-image-edit-plus",
        "image": [A],
        "size": "1328x1328",
        "n": 1,
        "response_format": "url",
        "watermark": False,
        "optimize_prompt_options": {"enable": True, "negative_prompt": "错误"},
    }


def test_the_pages_fusion_sample_keeps_the_order_of_its_pictures() -> None:
    request = ImageFusion(
        prompt="图1中的女生穿着图2中的黑色裙子按图3的姿势坐下", images=(C, A, B), watermark=True, size="1328x1328"
    )
    assert payload(request) == {
        "prompt": "图1中的女生穿着图2中的黑色裙子按图3的姿势坐下",
        "model": "qwen-image-edit-plus",
        "image": [C, A, B],
        "size": "1328x1328",
        "n": 1,
        "response_format": "url",
        "watermark": True,
        "optimize_prompt_options": {"enable": True},
    }


def test_seed_zero_false_and_empty_text_are_values() -> None:
    request = TextToImage(prompt="a", seed=0, watermark=False, optimize_prompt=False, negative_prompt="")
    assert payload(request) == {
        "prompt": "a",
        "model": "qwen-image-plus",
        "size": "1328x1328",
        "n": 1,
        "response_format": "url",
        "seed": 0,
        "watermark": False,
        "optimize_prompt_options": {"enable": False, "negative_prompt": ""},
    }


def test_only_none_is_left_out() -> None:
    request = TextToImage(prompt="a", size=None, watermark=None, optimize_prompt=None)
    assert payload(request) == {"prompt": "a", "model": "qwen-image-plus", "n": 1, "response_format": "url"}


def test_an_edit_without_a_size_sends_none() -> None:
    assert "size" not in payload(ImageEdit(prompt="a", image=A))


def test_a_model_that_cant_rewrite_is_not_told_to() -> None:
    request = ImageEdit(prompt="a", image=A, model="qwen-image-edit", negative_prompt="blur")
    assert payload(request)["optimize_prompt_options"] == {"negative_prompt": "blur"}


@pytest.mark.parametrize("size", [size.name for size in catalog.SIZES])
def test_every_size_of_the_page_is_taken(size: str) -> None:
    assert payload(TextToImage(prompt="a", size=size))["size"] == size


@pytest.mark.parametrize("seed", [0, 1, 2_147_483_647])
def test_both_ends_of_the_seeds_are_taken(seed: int) -> None:
    assert payload(TextToImage(prompt="a", seed=seed))["seed"] == seed


def test_a_prompt_of_800_characters_is_taken() -> None:
    assert TextToImage(prompt="字" * 800, negative_prompt="字" * 500).prompt == "字" * 800


def test_a_request_is_frozen() -> None:
    with pytest.raises(AttributeError):
        TextToImage(prompt="a").seed = 1  # type: ignore[misc]


REFUSED: list[tuple[type[ImageRequest], dict[str, Any], str]] = [
    (TextToImage, {"prompt": ""}, "prompt must not be empty; got ''"),
    (TextToImage, {"prompt": " \n"}, "prompt must not be empty; got ' \\n'"),
    (TextToImage, {"prompt": None}, "prompt must be text; got None"),
    (
        TextToImage,
        {"prompt": "x" * 801},
        f"prompt takes at most 800 characters, not 801; got '{'x' * 78}…",
    ),
    (
        TextToImage,
        {"negative_prompt": "x" * 501},
        f"negative_prompt takes at most 500 characters, not 501; got '{'x' * 78}…",
    ),
    (TextToImage, {"model": "dall-e"}, "model must be one of qwen-image-plus, qwen-image; got 'dall-e'"),
    (
        TextToImage,
        {"model": "qwen-image-edit"},
        "model must be one of qwen-image-plus, qwen-image; got 'qwen-image-edit'",
    ),
    (
        TextToImage,
        {"size": "1024x1024"},
        "size must be one of 1664x928, 1472x1140, 1328x1328, 1140x1472, 928x1664; got '1024x1024'",
    ),
    (TextToImage, {"seed": -1}, "seed must be a whole number from 0 to 2147483647; got -1"),
    (TextToImage, {"seed": 2_147_483_648}, "seed must be a whole number from 0 to 2147483647; got 2147483648"),
    (TextToImage, {"seed": True}, "seed must be a whole number from 0 to 2147483647; got True"),
    (TextToImage, {"seed": 1.5}, "seed must be a whole number from 0 to 2147483647; got 1.5"),
    (TextToImage, {"n": 2}, "n must be a whole number from 1 to 1; got 2"),
    (TextToImage, {"watermark": "yes"}, "watermark must be true or false; got 'yes'"),
    (TextToImage, {"optimize_prompt": 1}, "optimize_prompt must be true or false; got 1"),
    (TextToImage, {"response_format": "png"}, "response_format must be one of url, b64_json; got 'png'"),
    (ImageEdit, {"image": ""}, "image needs a picture; got ''"),
    (
        ImageEdit,
        {"image": "http://pictures.example/a.png"},
        "image must be an https:// address or a data:image/…;base64, text; got 'http://pictures.example/a.png'",
    ),
    (
        ImageEdit,
        {"image": "file:///etc/passwd"},
        "image must be an https:// address or a data:image/…;base64, text; got 'file:///etc/passwd'",
    ),
    (ImageEdit, {"image": A, "n": 7}, "n must be a whole number from 1 to 6; got 7"),
    (
        ImageEdit,
        {"image": A, "model": "qwen-image-edit", "size": "1328x1328"},
        "size can't be chosen with qwen-image-edit: the result has the shape of its picture; got '1328x1328'",
    ),
    (ImageFusion, {"images": ()}, "images takes 2 to 3 pictures, not 0; got 0"),
    (ImageFusion, {"images": (A,)}, "images takes 2 to 3 pictures, not 1; got 1"),
    (ImageFusion, {"images": (A, B, C, A)}, "images takes 2 to 3 pictures, not 4; got 4"),
    (ImageFusion, {"images": (A, "", C)}, "image 2 needs a picture; got ''"),
]


@pytest.mark.parametrize(("kind", "fields", "message"), REFUSED)
def test_a_broken_rule_names_field_rule_and_value(
    kind: type[ImageRequest], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        kind(**{"prompt": "a", **fields})
    assert str(caught.value) == message
    assert not caught.value.may_be_billed


def test_four_pictures_of_a_one_picture_model_are_four_requests_with_seeds_in_a_row() -> None:
    request = TextToImage(prompt="a", seed=7)
    assert split(request, 4) == tuple(TextToImage(prompt="a", seed=seed) for seed in (7, 8, 9, 10))


def test_seeds_wrap_at_the_top() -> None:
    request = TextToImage(prompt="a", seed=catalog.MAX_SEED)
    assert [part.seed for part in split(request, 3)] == [catalog.MAX_SEED, 0, 1]


def test_edit_plus_gets_one_request_with_its_n() -> None:
    assert split(ImageEdit(prompt="a", image=A, seed=7), 6) == (ImageEdit(prompt="a", image=A, seed=7, n=6),)


def test_without_a_seed_none_is_invented_here() -> None:
    assert [part.seed for part in split(TextToImage(prompt="a"), 2)] == [None, None]


@pytest.mark.parametrize("n", [0, 7, True, 2.5, "2", float("nan")])
def test_an_order_is_of_1_to_6_pictures(n: Any) -> None:
    with pytest.raises(InvalidRequest, match="n must be a whole number from 1 to 6"):
        split(TextToImage(prompt="a"), n)


def test_half_an_emoji_is_neither_text_nor_address() -> None:
    with pytest.raises(InvalidRequest, match="prompt must be text"):
        TextToImage(prompt="a \ud83d")
    with pytest.raises(InvalidRequest, match="image must be an https:// address"):
        ImageEdit(prompt="a", image=f"{A}?\ud83d")


def test_embedded_pictures_are_cut_short_for_people() -> None:
    embedded = "data:image/png;base64," + "A" * 1000
    request = ImageFusion(prompt="a", images=(embedded, B))
    assert payload(request.light())["image"] == ["data:image/png;base64," + "A" * 41 + "…", B]
    assert payload(request)["image"] == [embedded, B]
