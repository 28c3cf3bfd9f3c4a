"""How the pictures of an order are told that differ in more than their seeds."""

from typing import Any

from qwen_demo.api.requests import STAND_IN
from qwen_demo.axes import Axes, expand, grid_of
from qwen_demo.call import Photo
from qwen_demo.order import Order, Terms
from qwen_demo.ui.grids import captions, table
from qwen_demo.visitors import Visitor

ANN = Visitor("ann", ("cookie ann",))
TEXT: dict[str, Any] = {"prompt": "a hat", "seed": 7, "size": "1664x928"}


def grid(axes: Axes, n: int = 1, fields: dict[str, Any] = TEXT) -> Any:
    return grid_of(Order(expand("text_to_image", [], n, axes, fields), ANN))


def test_two_axes_are_a_table_with_headings_that_tell_what_differs() -> None:
    told = table(grid(Axes(prompt=("a red hat", "a blue hat"), model=("qwen-image", "qwen-image-plus"))), "en")
    assert told == {
        "rows": ["red", "blue"],
        "columns": ["qwen-image", "qwen-image-plus"],
        "whole_rows": ["a red hat", "a blue hat"],
        "whole_columns": ["qwen-image", "qwen-image-plus"],
        "cells": [[0, 0], [0, 1], [1, 0], [1, 1]],
    }


def test_several_axes_share_the_columns_and_are_said_in_each_language() -> None:
    axes = Axes(prompt=("a", "b"), size=("1664x928", "1328x1328"), optimize_prompt=(True, False))
    english, chinese = (table(grid(axes), language) for language in ("en", "zh-CN"))
    assert english
    assert chinese
    assert english["columns"] == [
        "16:9 · 1664×928 · Rewritten",
        "16:9 · 1664×928 · Not rewritten",
        "1:1 · 1328×1328 · Rewritten",
        "1:1 · 1328×1328 · Not rewritten",
    ]
    assert chinese["columns"][0] == "16:9 · 1664×928 · 智能改写"
    assert english["cells"] == [[row, column] for row in (0, 1) for column in range(4)]


def test_one_axis_is_no_table_and_its_places_have_names() -> None:
    found = grid(Axes(prompt=("a red hat", "a blue hat")))
    assert table(found, "en") is None
    assert captions(found, "en") == {
        0: {"name": "red", "title": "a red hat", "label": "a red hat"},
        1: {"name": "blue", "title": "a blue hat", "label": "a blue hat"},
    }


def test_photos_have_their_names_and_shapes() -> None:
    photos = (Photo("beach.jpg", "1" * 64, shape=(300, 200)), Photo("hill.jpg", "2" * 64, shape=(200, 300)))
    requests = expand("edit", [STAND_IN], 1, Axes(), {"prompt": "warmer", "seed": 1}, 2)
    assert captions(grid_of(Order(requests, ANN, Terms(photos=photos))), "en") == {
        0: {"name": "beach.jpg", "title": "beach.jpg", "label": "beach.jpg", "shape": (300, 200)},
        1: {"name": "hill.jpg", "title": "hill.jpg", "label": "hill.jpg", "shape": (200, 300)},
    }


def test_pictures_that_differ_in_their_seeds_alone_have_neither() -> None:
    found = grid(Axes(), n=4)
    assert (table(found, "en"), captions(found, "en")) == (None, {})


def test_listed_seeds_are_told_beside_words() -> None:
    told = table(grid(Axes(prompt=("a", "b"), seed=(7, 99))), "en")
    assert told
    assert told["columns"] == ["seed 7", "seed 99"]
