"""Finding words in prompts, Chinese and English."""

import re
from collections.abc import Iterable


def any_of(words: Iterable[str]) -> str:
    """A pattern that finds any of these words, a longer one before one that it contains.

    English is matched by whole words, so that "cool" is not found in "school"; "blur*" takes any ending.
    Chinese has no spaces between words and is found anywhere.
    """
    return "|".join(_pattern(word) for word in sorted(words, key=len, reverse=True))


def count(words: str, prompt: str) -> int:
    """How often the prompt uses any of these words, which are parted by spaces."""
    return len(re.findall(any_of(words.split()), prompt.lower()))


def _pattern(word: str) -> str:
    ending = "[a-z]*" if word.endswith("*") else "(?![a-z])"
    return rf"(?<![a-z]){word.rstrip('*')}{ending}" if word.isascii() else word
