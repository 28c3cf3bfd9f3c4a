"""Links that carry settings: what they hold, and what is left out of them."""

from collections.abc import Iterator
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from qwen_demo.api.catalog import PROVIDER
from qwen_demo.api.requests import ImageEdit, TextToImage
from qwen_demo.recipe import Recipe
from qwen_demo.ui.form import Form
from qwen_demo.ui.link import read, write
from qwen_demo.ui.slot import Slot


@pytest.fixture(scope="module")
def forms() -> Iterator[list[Form]]:
    with gr.Blocks():
        text = Form("text", TextToImage, PROVIDER, [], "prompt_text_hint", "run")
        slot = Slot("edit-image", "field_image", height=200)
        yield [text, Form("edit", ImageEdit, PROVIDER, [], "prompt_edit_hint", "run_edit", slots=[slot])]


def test_a_link_brings_back_what_it_was_made_of(forms: list[Form]) -> None:
    recipe = Recipe(
        kind="edit",
        prompt="图1 & <b>?\n100%",
        model="qwen-image-edit-plus",
        size="928x1664",
        n=2,
        seed=0,
        negative_prompt="模糊",
        watermark=True,
        optimize_prompt=False,
    )
    form, found, ignored = read(dict(parse_qsl(write(recipe, "edit")[1:])), forms)
    assert (form.tab, ignored) == ("edit", [])
    assert found == recipe


@pytest.mark.parametrize(
    ("query", "ignored"),
    [
        ({"tab": "admin"}, ["tab"]),
        ({"seed": "-1"}, ["seed"]),
        ({"seed": "1e9"}, ["seed"]),
        ({"n": "7"}, ["n"]),
        ({"size": "1x1", "model": "dall-e", "watermark": "maybe"}, ["model", "size", "watermark"]),
        ({"prompt": "x" * 801}, ["prompt"]),
        ({"tab": "edit", "model": "qwen-image"}, ["model"]),
        ({"key": "sk-1", "__theme": "dark"}, []),
    ],
)
def test_wrong_values_are_left_out_by_name(forms: list[Form], query: dict[str, str], ignored: list[str]) -> None:
    _, recipe, names = read(query, forms)
    assert names == ignored
    assert (recipe.prompt, recipe.seed, recipe.size, recipe.watermark) == ("", None, None, None)
