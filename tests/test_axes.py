"""One form, many requests: wordings, axes, and the grid that comes of them."""

from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest

from qwen_demo import axes as module
from qwen_demo.api.catalog import Catalog, widest
from qwen_demo.api.errors import InvalidRequest
from qwen_demo.api.requests import STAND_IN, ImageEdit, TextToImage
from qwen_demo.axes import MOST, Axes, differences, expand, grid_of, literal, wordings
from qwen_demo.call import Photo
from qwen_demo.order import Order, Terms
from qwen_demo.visitors import Visitor

ANN = Visitor("ann", ("cookie ann",))
TEXT: dict[str, Any] = {"prompt": "a hat", "seed": 7, "size": "1664x928"}


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("a hat", ("a hat",)),
        ("", ("",)),
        ("{red|blue|no} hat", ("red hat", "blue hat", "no hat")),
        ("a {red |}hat", ("a red hat", "a hat")),
        ("{a|b} {1|2}", ("a 1", "a 2", "b 1", "b 2")),
        ("{a|{b|c} d}", ("a", "b d", "c d")),
        ("{{a|b}}", ("{a}", "{b}")),
        (r"\{red|blue\} hat", ("{red|blue} hat",)),
        (r"{a\|b|c}", ("a|b", "c")),
        (r"{\{|\}}", ("{", "}")),
        (r"C:\new \| x", (r"C:\new | x",)),
        ("{red} hat", ("{red} hat",)),
        ("{red|blue hat", ("{red|blue hat",)),
        ("red|blue} hat", ("red|blue} hat",)),
        ("} {a|b} {", ("} a {", "} b {")),
        ('{"a": {"b": [1, 2]}}', ('{"a": {"b": [1, 2]}}',)),
        ("｛红｜蓝｝帽子", ("红帽子", "蓝帽子")),
        ("{红|蓝｝帽子", ("红帽子", "蓝帽子")),
        ("{a|a} {b|b|c}", ("a b", "a c")),
        ("a\n{b|c}", ("a\nb", "a\nc")),
        ("{🐈|🐕}", ("🐈", "🐕")),
    ],
)
def test_a_prompt_stands_for_its_wordings(prompt: str, found: tuple[str, ...]) -> None:
    assert wordings(prompt) == found


def test_each_line_is_a_prompt_on_request_and_may_stand_for_several() -> None:
    text = " a cat \r\n\n{a|no} dog\n\t\na cat\n"
    assert wordings(text, lines=True) == ("a cat", "a dog", "no dog")
    assert wordings(text) == ("a cat \r\n\na dog\n\t\na cat", "a cat \r\n\nno dog\n\t\na cat")
    assert wordings(" \n ", lines=True) == (" \n ",)  # which the request refuses


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1. a cat\n2. a dog\n10. an owl", ("a cat", "a dog", "an owl")),
        ("1、猫\n2、{黑|白}狗", ("猫", "黑狗", "白狗")),
        ("1) a cat\n\n2) a dog", ("a cat", "a dog")),
        ("- a cat\n* a dog\n• an owl", ("a cat", "a dog", "an owl")),
        ("1. a cat\na dog", ("1. a cat", "a dog")),
        ("1.5 litres\n2.5 litres", ("1.5 litres", "2.5 litres")),
        ("3 cats\n4 cats", ("3 cats", "4 cats")),
        ("2. a cat", ("2. a cat",)),
        ("-5 °C\n-7 °C", ("-5 °C", "-7 °C")),
        ("1.\n2.", ("1.", "2.")),
    ],
)
def test_the_numbers_of_a_list_are_no_part_of_its_prompts(text: str, found: tuple[str, ...]) -> None:
    assert wordings(text, lines=True) == found


def test_what_an_alternative_leaves_has_no_blanks_too_many() -> None:
    assert wordings("{ red | blue |} hat") == ("red hat", "blue hat", "hat")
    assert wordings("a  {x} hat ") == ("a  {x} hat ",)  # which stands for itself alone


def test_a_text_that_would_take_long_to_take_apart_is_refused_before() -> None:
    assert wordings("x" * 50_000) == ("x" * 50_000,)
    with pytest.raises(InvalidRequest) as refused:
        wordings("{" * 50_001)
    assert (refused.value.problem, refused.value.facts) == ("too_long", {"limit": 50_000, "count": 50_001})


@pytest.mark.parametrize(
    "prompt",
    ["{a|b}" * 6, "{" + "|".join(map(str, range(51))) + "}", "{a|b}" * 5000, "{|" * 60 + "}" * 60],
)
def test_what_stands_for_too_many_is_refused_before_it_is_written_out(prompt: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        wordings(prompt)
    assert (refused.value.field, refused.value.problem) == ("prompt", "too_many_wordings")
    with pytest.raises(InvalidRequest):
        wordings("\n".join(map(str, range(51))), lines=True)
    assert wordings("{a|a}" * 5000) == ("a" * 5000,)  # which is one


def test_braces_that_stay_are_no_more_work_than_other_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = Mock(wraps=module._joined)
    monkeypatch.setattr(module, "_joined", joined)
    assert wordings("{a}" * 16_000) == ("{a}" * 16_000,)
    assert joined.call_count == 1
    assert wordings("{" * 60 + "a|b" + "}" * 60) == tuple("{" * 59 + word + "}" * 59 for word in "ab")


@pytest.mark.parametrize(
    "text", ["a hat", "{a|b}", r"\{", "{a|{b|c}}", "｛红｜蓝｝", "a|b", "{x", r"\\{a|b}", "{a|b}" * 9]
)
def test_any_text_can_be_written_so_that_it_stands_for_itself_alone(text: str) -> None:
    assert wordings(literal(text)) == (text,)


def test_what_stands_for_itself_is_written_as_it_is() -> None:
    assert [literal(text) for text in ("a|b", "{x}", r"C:\x")] == ["a|b", "{x}", r"C:\x"]


def test_all_combinations_share_the_seed_and_the_last_axis_runs_fastest() -> None:
    axes = Axes(prompt=("red", "blue"), model=("qwen-image", "qwen-image-plus"), optimize_prompt=(True, False))
    requests = expand("text_to_image", [], 1, axes, TEXT)
    assert [(one.prompt, one.model, one.optimize_prompt) for one in requests] == [
        ("red", "qwen-image", True),
        ("red", "qwen-image", False),
        ("red", "qwen-image-plus", True),
        ("red", "qwen-image-plus", False),
        ("blue", "qwen-image", True),
        ("blue", "qwen-image", False),
        ("blue", "qwen-image-plus", True),
        ("blue", "qwen-image-plus", False),
    ]
    assert {(one.seed, one.size) for one in requests} == {(7, "1664x928")}


def test_several_pictures_of_each_count_on_from_the_seed_and_listed_seeds_are_taken_as_they_are() -> None:
    requests = expand("text_to_image", [], 2, Axes(prompt=("red", "blue")), TEXT)
    assert [(one.prompt, one.seed) for one in requests] == [("red", 7), ("red", 8), ("blue", 7), ("blue", 8)]
    assert [one.seed for one in expand("text_to_image", [], 1, Axes(seed=(0, 5, 3)), TEXT)] == [0, 5, 3]


def test_without_axes_it_is_one_request_or_as_many_as_its_pictures_need() -> None:
    assert expand("text_to_image", [], 1, Axes(), TEXT) == (TextToImage(**TEXT),)
    edits = expand("edit", [STAND_IN], 6, Axes(), {"prompt": "warmer", "seed": 1})
    assert [(one.n, one.seed) for one in edits] == [(6, 1)]


def test_photos_are_asked_for_one_after_the_other() -> None:
    requests = expand("edit", [STAND_IN], 1, Axes(prompt=("a", "b")), {"prompt": "a"}, photos=3)
    assert [one.prompt for one in requests] == ["a", "b"] * 3


def test_what_would_be_the_same_request_is_asked_once() -> None:
    """A model that doesn't rewrite makes the same picture with it and without."""
    axes = Axes(model=("qwen-image-edit-plus", "qwen-image-edit"), optimize_prompt=(True, False))
    requests = expand("edit", [STAND_IN], 1, axes, {"prompt": "warmer"})
    assert [(one.model, one.optimize_prompt) for one in requests] == [
        ("qwen-image-edit-plus", True),
        ("qwen-image-edit-plus", False),
        ("qwen-image-edit", None),
    ]


@pytest.mark.parametrize(
    ("n", "axes", "photos", "count"),
    [
        (1, Axes(seed=tuple(range(51))), 1, 51),
        (6, Axes(seed=tuple(range(9))), 1, 54),
        (2, Axes(), 26, 52),
        (1, Axes(prompt=("a", "b"), seed=tuple(range(10**5))), 1, 200_000),
    ],
)
def test_an_order_has_at_most_fifty_pictures(n: int, axes: Axes, photos: int, count: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        expand("edit", [STAND_IN], n, axes, {"prompt": "warmer"}, photos)
    assert refused.value.facts == {"count": count, "limit": MOST}


@pytest.mark.parametrize(
    ("axes", "field", "problem"),
    [
        (Axes(model=("qwen-image", "gpt")), "model", "choice"),
        (Axes(size=("1664x928", "9x9")), "size", "choice"),
        (Axes(prompt=("a", " ")), "prompt", "required"),
        (Axes(seed=(1, -1)), "seed", "range"),
    ],
)
def test_one_wrong_value_refuses_all(axes: Axes, field: str, problem: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        expand("text_to_image", [], 1, axes, TEXT)
    assert (refused.value.field, refused.value.problem) == (field, problem)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["a red hat", "a blue hat", "a hat"], ["red", "blue", "–"]),
        (["a redwood hat", "a red hat"], ["redwood", "red"]),
        (["一顶红色的帽子", "一顶蓝色的帽子"], ["红", "蓝"]),
        (["in the style of a linocut", "in the style of a comic strip"], ["linocut", "comic strip"]),
        (["a a", "a a a"], ["–", "a"]),
        (["cat", "dog"], ["cat", "dog"]),
        (["a cat"], ["a cat"]),
        ([], []),
    ],
)
def test_what_tells_texts_apart_is_what_they_have_not_in_common(texts: list[str], found: list[str]) -> None:
    assert differences(texts) == found


def order(requests: Any, **terms: Any) -> Order:
    return Order(requests, ANN, Terms(**terms))


def test_two_axes_are_a_grid_and_its_columns_are_the_last() -> None:
    axes = Axes(prompt=("red", "blue"), model=("qwen-image", "qwen-image-plus"))
    grid = grid_of(order(expand("text_to_image", [], 1, axes, TEXT)))
    assert grid.axes == {"prompt": ["red", "blue"], "model": ["qwen-image", "qwen-image-plus"]}
    assert grid.across == ("model",)
    assert grid.keys == [
        ("red", "qwen-image"),
        ("red", "qwen-image-plus"),
        ("blue", "qwen-image"),
        ("blue", "qwen-image-plus"),
    ]


def test_what_is_long_runs_down_and_not_across() -> None:
    wide = Axes(prompt=("a", "b"), seed=tuple(range(9)))
    grid = grid_of(order(expand("text_to_image", [], 1, wide, TEXT)))
    assert (grid.across, grid.axes["seed"], grid.each) == (("prompt",), [*range(9)], 9)
    both = Axes(prompt=tuple("abcdefgh"[:7]), seed=tuple(range(7)))
    assert grid_of(order(expand("text_to_image", [], 1, both, TEXT))).across == ("prompt",)


def test_as_many_axes_run_across_as_fit() -> None:
    axes = Axes(prompt=tuple("abcdef"), model=("qwen-image", "qwen-image-plus"), size=("1664x928", "1328x1328"))
    assert grid_of(order(expand("text_to_image", [], 1, axes, TEXT))).across == ("model", "size")


def test_pictures_that_differ_in_their_seeds_alone_stand_in_no_grid() -> None:
    grid = grid_of(order(expand("text_to_image", [], 4, Axes(), TEXT)))
    assert (grid.axes, grid.apart) == ({"seed": [7, 8, 9, 10]}, False)
    alone = grid_of(order(expand("text_to_image", [], 1, Axes(), TEXT)))
    assert (alone.axes, alone.keys) == ({}, [()])


def test_what_follows_from_something_else_is_no_axis() -> None:
    """A model that doesn't rewrite has no other value than that."""
    axes = Axes(model=("qwen-image-edit-plus", "qwen-image-edit"))
    grid = grid_of(order(expand("edit", [STAND_IN], 1, axes, {"prompt": "warmer", "optimize_prompt": True})))
    assert grid.axes == {"model": ["qwen-image-edit-plus", "qwen-image-edit"]}
    both = replace(axes, optimize_prompt=(True, False))
    grid = grid_of(order(expand("edit", [STAND_IN], 1, both, {"prompt": "warmer"})))
    assert grid.axes["optimize_prompt"] == [True, False, None]


def test_a_model_without_seeds_makes_as_many_as_are_asked_for() -> None:
    model = replace(widest("any").models[0], max_n=1, seeded=False)
    requests = expand("text_to_image", [], 4, Axes(), {"prompt": "a", "catalog": Catalog((model,))})
    assert [(one.n, one.seed) for one in requests] == [(1, None)] * 4
    grid = grid_of(order(requests))
    assert (grid.axes, grid.each) == ({"number": [0, 1, 2, 3]}, 4)


def test_photos_of_one_name_are_told_apart_by_what_they_are() -> None:
    photos = (Photo("a.jpg", "1" * 64), Photo("a.jpg", "2" * 64))
    batch = order(expand("edit", [STAND_IN], 2, Axes(), {"prompt": "warmer", "seed": 1}, 2), photos=photos)
    assert [call.photo for call in batch.calls] == [*photos]
    assert [batch.references(call) for call in batch.calls] == [("1" * 64,), ("2" * 64,)]
    assert grid_of(batch).axes == {"photo": [*photos], "number": [0, 1]}  # of one request


def test_a_model_that_does_not_keep_a_photos_shape_is_told_it() -> None:
    model = replace(widest("any").models[0], keeps_shape=False)
    fields = {"prompt": "warmer", "catalog": Catalog((model,))}
    photos = (Photo("a.jpg", "1" * 64, shape=(3000, 2000)), Photo("b.jpg", "2" * 64))
    batch = order(expand("edit", [STAND_IN], 1, Axes(), fields, 2), photos=photos)
    assert [call.sent.size for call in batch.calls] == [model.at_a_megapixel(3000, 2000), None]
    assert isinstance(batch.request, ImageEdit)
