"""The words of edits that take one click."""

import re

import pytest

from qwen_demo.i18n import LANGUAGES, texts
from qwen_demo.ui.words import QUICK


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("edit", QUICK)
def test_an_edit_has_at_most_one_gap_and_the_same_in_every_language(edit: str, language: str) -> None:
    marks = re.findall(r"[][]", texts(language)[f"board_quick_{edit}_words"])
    assert marks == (["[", "]"] if edit in ("season", "text") else [])


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_edits_have_the_same_name_or_words(language: str) -> None:
    for end in ("", "_words"):
        assert len({texts(language)[f"board_quick_{edit}{end}"] for edit in QUICK}) == len(QUICK)
