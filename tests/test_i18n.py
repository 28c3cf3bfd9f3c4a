"""Languages with the same keys, the same facts, and nothing that no one uses."""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from qwen_demo import service
from qwen_demo.api import catalog
from qwen_demo.api.errors import FAILINGS, RULES, QwenDemoError
from qwen_demo.api.requests import ASKED, ImageEdit, ImageFusion, TextToImage
from qwen_demo.i18n import LANGUAGES, browser_codes, preferred, texts, translate
from qwen_demo.ui import examples, parts
from qwen_demo.ui.words import NEGATIVES, QUICK, STYLES

PACKAGE = Path(service.__file__).parent
REQUESTS = (TextToImage, ImageEdit, ImageFusion)
EXAMPLES = (*examples.TEXT_TO_IMAGE, *examples.EDIT, *examples.FUSION)
NUMBERS = [str(number) for number in range(1, catalog.MOST_REFERENCES + 1)]
REPORTED = ("total_tokens", "output_tokens", "input_tokens", "image_count", "width", "height")
"""What the API tells of usage by these names has words of its own."""


def facts(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))


def called(function: str, path: str) -> list[str]:
    """The texts that a file calls a function with."""
    return re.findall(rf'\b{function}\("([\w-]+)"\)', (PACKAGE / path).read_text(encoding="utf-8"))


def boards_code() -> str:
    """All of the board's modules, without their comments."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted((PACKAGE / "ui" / "board").glob("*.js")))
    return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", code, flags=re.DOTALL)


def said_on_the_board() -> set[str]:
    """The keys that the board's modules name: `words.key`, `words["key"]`, `say("key"`, `say(one ? "key" : "other"`."""
    code = boards_code()
    said = re.findall(r"\bwords\[([^\]`]*)\]|\bsay\(([^,`)]*)", code)
    return {*re.findall(r"\bwords\.(\w+)", code), *re.findall(r'"(\w+)"', " ".join(map("".join, said)))}


def families() -> dict[str, Iterable[str]]:
    """The keys that the code puts together: by what they begin with, what can follow."""
    return {
        "invalid": RULES,
        "failing": FAILINGS,
        "field": {"tab", "image", "images", "mask", "photos", *ASKED},
        "field_image": NUMBERS,
        "name": NUMBERS,
        "swap": NUMBERS[:-1],
        "kind": [kind.kind for kind in REQUESTS],
        "no_model": [kind.kind for kind in REQUESTS],
        "response_format": catalog.RESPONSE_FORMATS,
        "usage": REPORTED,
        "recipe": called("BadRecipe", "recipe.py"),
        "proof_lost": ("depth", "colours"),
        "board": [key for key in said_on_the_board() if f"board_{key}" in texts("en")],
        "board_quick": [f"{edit}{end}" for edit in QUICK for end in ("", "_words")],
        "board_ordinal": ["one", "two", "few", "other"],
        "style": [f"{style}{end}" for style in STYLES for end in ("", "_words")],
        "negative": [f"{name}{end}" for name in NEGATIVES for end in ("", "_words")],
        "example": [
            f"{example.key}{end}"
            for example in EXAMPLES
            for end in ("", "_prompt", *(["_negative"] if example.negative else []))
        ],
    }


def error_keys(kind: type[QwenDemoError] = QwenDemoError) -> Iterator[str]:
    """The keys that errors are looked for under; not each has a text, but each has a parent with one."""
    yield f"error_{kind.__name__}"
    yield from (f"error_{kind.__name__}_{whose}" for whose in ("visitor", "total", "own"))
    for child in kind.__subclasses__():
        yield from error_keys(child)


def written() -> set[str]:
    """Every text that stands in the code by itself."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
    nodes = (node for tree in trees for node in ast.walk(tree))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


MADE = {f"{family}_{name}" for family, names in families().items() for name in names}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_keys_of_english_with_the_same_facts(language: str) -> None:
    own, english = texts(language), texts("en")
    assert {key: facts(text) for key, text in own.items()} == {key: facts(text) for key, text in english.items()}


def test_every_key_is_used() -> None:
    assert sorted(texts("en").keys() - MADE - set(error_keys()) - written()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_that_is_put_together_has_words(language: str) -> None:
    assert sorted(MADE - texts(language).keys()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_that_the_board_says_is_in_the_file_that_it_loads(language: str) -> None:
    words = json.loads(parts._files()[f"words.{language}.json"])
    assert len(said_on_the_board()) > 50
    assert sorted(said_on_the_board() - words.keys()) == []
    # Keys that it puts together: of these families, all of which are there.
    assert {*re.findall(r"(?:\bwords\[|\bsay\()`(\w+)_\$", boards_code())} == {"example", "kind", "ordinal", "quick"}
    made = {*(f"example_{example.key}" for example in examples.SHOWN), *(f"kind_{kind.kind}" for kind in REQUESTS)}
    assert sorted({*made, *(f"ordinal_{name}" for name in families()["board_ordinal"])} - words.keys()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_boards_words_are_text_and_no_html(language: str) -> None:
    assert [text for text in json.loads(parts._files()[f"words.{language}.json"]).values() if "<" in text] == []


def test_english_is_the_first_and_no_two_languages_answer_to_one_code() -> None:
    assert LANGUAGES[0] == "en"
    assert len(browser_codes()) == sum(len(texts(language)["browser_codes"].split()) for language in LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_calls_pictures_by_their_numbers(language: str) -> None:
    named = [texts(language)[f"{family}_2"] for family in ("name", "field_image")]
    assert [name.lower() for name in named] == [translate(language, "name", number=2).lower()] * 2
    assert texts(language)["swap_2"] == translate(language, "swap", one=2, other=3)


def test_facts_are_filled_in() -> None:
    assert translate("en", "status_partly", count=2, n=3, seconds="7.5") == "2 of 3 pictures came, in 7.5 s."
    assert translate("zh-CN", "status_partly", count=2, n=3, seconds="7.5") == "共 3 张，收到 2 张，用时 7.5 秒。"


@pytest.mark.parametrize(
    ("header", "chosen", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh-CN"),
        ("zh", "", "zh-CN"),
        ("zh-HK", "", "zh-CN"),
        ("ZH-Hant-HK;q=0.5", "", "zh-CN"),
        ("en-US,zh", "", "en"),
        ("fr", "", "en"),
        ("zhx", "", "en"),
        ("", "", "en"),
        ("zh-CN", "en", "en"),
        ("en", "zh-CN", "zh-CN"),
        ("en", "klingon", "en"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_browsers_first(header: str, chosen: str, language: str) -> None:
    assert preferred(header, chosen) == language
