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


def preferred(accept_language: str) -> str:
    """The page's language for a browser's `Accept-Language`: its first, as Gradio chooses in the browser."""
    first = accept_language.split(",")[0].split(";")[0].strip().lower()
    return next((language for language in LANGUAGES if language.lower() == first), "en")
