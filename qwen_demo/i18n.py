"""The page's words in two languages: one JSON file each in `locales/`, with the same keys."""

import json
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "zh-CN")


@cache
def texts(language: str) -> dict[str, str]:
    """All words of a language, by key."""
    text = (Path(__file__).parent / "locales" / f"{language}.json").read_text(encoding="utf-8")
    loaded: dict[str, str] = json.loads(text)
    return loaded


def translate(language: str, key: str, **facts: object) -> str:
    """The text of that key, filled with facts.

    Raises:
        KeyError: there is no such key, or a fact is missing.
    """
    return texts(language)[key].format(**facts)


def preferred(accept_language: str, chosen: str = "") -> str:
    """The page's language: the one that was chosen there, else the first of the browser's `Accept-Language`.

    Any Chinese is simplified Chinese, and any other language English. The page's head script decides the same.
    """
    if chosen in LANGUAGES:
        return chosen
    return "zh-CN" if accept_language.lower().startswith("zh") else "en"
