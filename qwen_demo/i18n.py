"""The page's words, a language a file in `locales/`: all with the keys of `en.json`.

A file also says what its language is called in the switch (`language_name`), which browsers it is for (`browser_codes`,
such as `zh`, which stands for zh-TW too where no file names that one), and how a picture is called (`name`).
"""

import json
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path

from .api.catalog import MOST_REFERENCES

FOLDER = Path(__file__).parent / "locales"
LANGUAGES = tuple(sorted((path.stem for path in FOLDER.glob("*.json")), key=lambda name: (name != "en", name)))
"""English first: it is spoken where nothing else fits."""


@cache
def texts(language: str) -> dict[str, str]:
    """All words of a language, by key. The names of the reference pictures are made here, from `name` and `swap`."""
    loaded: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    numbers = range(1, MOST_REFERENCES + 1)
    names = {f"name_{number}": loaded["name"].format(number=number) for number in numbers}
    labels = {f"field_image_{key.removeprefix('name_')}": name[:1].upper() + name[1:] for key, name in names.items()}
    swaps = {f"swap_{one}": loaded["swap"].format(one=one, other=other) for one, other in pairwise(numbers)}
    return loaded | names | labels | swaps


def translate(language: str, key: str, **facts: object) -> str:
    """The text of that key, filled with facts.

    Raises:
        KeyError: there is no such key, or a fact is missing.
    """
    return texts(language)[key].format(**facts)


def listed(names: Iterable[str], language: str) -> str:
    """Several names as a list in that language."""
    return translate(language, "listed").join(names)


@cache
def browser_codes() -> dict[str, str]:
    """The language for each code of browsers, in lower case, English first."""
    return {code: language for language in LANGUAGES for code in texts(language)["browser_codes"].lower().split()}


def preferred(accept_language: str, chosen: str = "") -> str:
    """The page's language: the one that was chosen there, else the first of the browser's `Accept-Language`.

    For zh-Hant-HK it is that of this code, else of zh-Hant, else of zh. The page's head script decides the same.
    """
    if chosen in LANGUAGES:
        return chosen
    code = accept_language.partition(",")[0].partition(";")[0].strip().lower()
    while code and code not in browser_codes():
        code = code.rpartition("-")[0]
    return browser_codes().get(code, LANGUAGES[0])
