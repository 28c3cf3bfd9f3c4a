"""What is typed into the library's search, and what it finds."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from qwen_demo.library import Entry, Library
from qwen_demo.recipe import Recipe
from qwen_demo.search import Search
from tests.test_library import picture

AT = datetime(2026, 11, 22, 15, 30, 12)
CAT = Recipe(kind="text_to_image", prompt="a cute cat", model="qwen-image-plus", seed=42)
RECIPES = {
    "cat": CAT,
    "hat": replace(CAT, kind="edit", prompt="A cat with a HAT", model="qwen-image-edit-plus", seed=7),
    "chinese": replace(CAT, prompt="水墨画，一只猫", model="qwen-image", seed=420),
    "fusion": replace(CAT, kind="fusion", prompt="Straße (50% off) [a-z]* $x", model="qwen-image-edit", seed=None),
}
"""A day apart, the last one is the newest, of 2026-11-25."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library(tmp_path_factory.mktemp("search"))
    for days, recipe in enumerate(RECIPES.values()):
        library.save(picture(), recipe, 1, AT + timedelta(days=days))
    (library.root / "2026-11-21").mkdir()
    (library.root / "2026-11-21" / "foreign.png").write_bytes(picture().data)
    library.star((named(library)["hat"], named(library)["foreign"]), True)
    return library


def named(library: Library) -> dict[str, Entry]:
    names = {recipe.prompt: name for name, recipe in RECIPES.items()}
    return {names[entry.recipe.prompt] if entry.recipe else "foreign": entry for entry in library.newest_first()}


def found(library: Library, search: Search, limit: int | None = None) -> list[str]:
    names = {entry.id: name for name, entry in named(library).items()}
    return [names[entry.id] for entry in search.find(library, limit)]


ALL = ["fusion", "chinese", "hat", "cat", "foreign"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ALL),
        ("  \t\n ", ALL),
        ("CAT", ["hat", "cat"]),
        ("hat cat", ["hat"]),
        ("ca", ["hat", "cat"]),
        ("猫", ["chinese"]),
        ("dog", []),
        ("STRASSE", ["fusion"]),
        ("model:edit", ["fusion", "hat"]),
        ("model:PLUS", ["hat", "cat"]),
        ("model:edit model:plus", ["hat"]),
        ("seed:42", ["cat"]),
        ("seed:420", ["chinese"]),
        ("seed:4", []),
        ("seed:None", []),
        ("seed:042", []),
        ("Seed:7 cat", ["hat"]),
        ("seed:7 seed:42", []),
        ("before:2026-11-24", ["hat", "cat", "foreign"]),
        ("before:2026-11-22", ["foreign"]),
        ("before:2026-11", []),
        ("before:2026", []),
        ("before:2027", ALL),
        ("before:2026-12 before:2026-11-23", ["cat", "foreign"]),
        ("cat model:plus before:2026-11-23", ["cat"]),
        ("cat seed:42 dog", []),
        ("before:yesterday", ALL),
    ],
)
def test_all_that_is_typed_is_true_of_what_is_found_newest_first(library: Library, text: str, names: list[str]) -> None:
    assert found(library, Search.parse(text)) == names


@pytest.mark.parametrize("text", ["seed:", "model:", "before:", "seed: model: before:", "SEED:"])
def test_a_name_with_nothing_behind_it_asks_for_nothing(library: Library, text: str) -> None:
    assert Search.parse(text) == Search()
    assert found(library, Search.parse(text)) == ALL


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (".*", []),
        ("[a-z]*", ["fusion"]),
        ("(50%", ["fusion"]),
        ("$x", ["fusion"]),
        ("(", ["fusion"]),
        ("(a+)+$" * 50, []),
        ("model:.*", []),
        ("model:(", []),
        ("seed:[", []),
        ("seed:\\", []),
        ("before:\\d", ALL),
        ("\\", []),
        ("\0", []),
        ("a\ud800", []),
        ("seed:42seed:7", []),
        ("myseed:42", []),
    ],
)
def test_what_is_typed_is_looked_for_as_it_is(library: Library, text: str, names: list[str]) -> None:
    assert found(library, Search.parse(text)) == names


def test_kind_model_and_stars_are_chosen_beside_the_words(library: Library) -> None:
    assert found(library, Search.parse("", "edit")) == ["hat"]
    assert found(library, Search.parse("", "nonsense")) == []
    assert found(library, Search.parse("", "", "qwen-image-plus")) == ["cat"]
    assert found(library, Search.parse("", "", "qwen-image")) == ["chinese"]
    assert found(library, Search.parse("model:image", "", "edit")) == []
    assert found(library, Search.parse("model:image", "", "qwen-image-edit")) == ["fusion"]
    assert found(library, Search.parse("", starred=True)) == ["hat", "foreign"]
    assert found(library, Search.parse("cat", "edit", "qwen-image-edit-plus", starred=True)) == ["hat"]
    assert found(library, Search.parse("cat", "text_to_image", "qwen-image-plus", starred=True)) == []


def test_no_more_are_given_than_are_asked_for(library: Library) -> None:
    assert [found(library, Search(), limit) for limit in (0, 1, 3, 100)] == [[], ALL[:1], ALL[:3], ALL]
    assert found(library, Search.parse("cat"), 1) == ["hat"]


def test_what_is_typed_is_taken_apart() -> None:
    assert Search.parse("Two WORDS seed:1 model:A before:2026 seed:2", "edit", "b", True) == Search(
        words=("two", "words"), kind="edit", model="b", models=("a",), seeds=("1", "2"), before=("2026",), starred=True
    )


def test_an_empty_library_has_nothing_to_find(tmp_path: Path) -> None:
    library = Library(tmp_path / "not there yet")
    assert list(Search.parse("cat", starred=True).find(library)) == []
