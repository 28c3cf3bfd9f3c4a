"""Finding words in prompts, Chinese and English."""

import re
from collections.abc import Collection


def named(entries: Collection[str], text: str) -> list[str]:
    """The entries of which the text uses a word, in its order and as often. An entry is words parted by spaces.

    English is matched by whole words, so that "cool" is not found in "school"; "blur*" takes any ending, a dot is any
    sign. Chinese has no spaces between words and is found anywhere.
    """
    groups = "|".join(f"({'|'.join(map(_pattern, words.split()))})" for words in entries)
    found = re.finditer(f"{groups}|漂亮|月亮", text.lower())  # the last two contain a name and mean something else
    return [[*entries][match.lastindex - 1] for match in found if match.lastindex]


def _pattern(word: str) -> str:
    return rf"(?<![a-z]){word.replace('*', '[a-z]*')}(?![a-z])" if word.isascii() else word
