"""Two languages with the same keys, the same facts, and nothing that no one uses."""

import re
from pathlib import Path

import pytest

from qwen_demo.api.errors import FAILINGS, RULES
from qwen_demo.i18n import LANGUAGES, preferred, texts, translate

PACKAGE = Path(__file__).parents[1] / "qwen_demo"


def facts(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))


def test_both_languages_have_the_same_keys_with_the_same_facts() -> None:
    english, chinese = (texts(language) for language in LANGUAGES)
    assert {key: facts(text) for key, text in english.items()} == {key: facts(text) for key, text in chinese.items()}


def test_every_key_is_used() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    # Keys that are put together in the code from a prefix and a name.
    families = tuple(re.findall(r'f"([a-z_]+_){', code))
    named = set(re.findall(r'"([a-z_0-9]+)"', code))
    unused = [key for key in texts("en") if key not in named and not key.startswith(families)]
    assert unused == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_and_failing_has_words(language: str) -> None:
    assert [rule for rule in RULES if f"invalid_{rule}" not in texts(language)] == []
    assert [failing for failing in FAILINGS if f"failing_{failing}" not in texts(language)] == []


def test_facts_are_filled_in() -> None:
    assert translate("en", "status_waiting", place=3, seconds=7) == "Place 3 in line · 7 s"
    assert translate("zh-CN", "status_waiting", place=3, seconds=7) == "排在第 3 位 · 7 秒"


@pytest.mark.parametrize(
    ("header", "chosen", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh-CN"),
        ("zh", "", "zh-CN"),
        ("zh-HK", "", "zh-CN"),
        ("en-US,zh", "", "en"),
        ("fr", "", "en"),
        ("", "", "en"),
        ("zh-CN", "en", "en"),
        ("en", "zh-CN", "zh-CN"),
        ("en", "klingon", "en"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_browsers_first(header: str, chosen: str, language: str) -> None:
    assert preferred(header, chosen) == language
