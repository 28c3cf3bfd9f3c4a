"""A key, taken out of what others say, in any spelling that a gateway may use."""

import html
import re
from collections.abc import Sequence

SHORTEST_SECRET = 16  # characters of a key that is worth hiding: a shorter one may stand in a picture by chance
SHORTEST_PART = 12  # characters in a row that would help to guess the rest
DEEPEST = 4  # spellings within each other, such as JSON in JSON
WINDOW, OVERLAP = 100_000, 5_000  # bytes that are read at once, so that a long text needs no more memory
EDGE = 2_000  # bytes at both ends of a picture in which a part of the key may stand
_MASK = "…".encode()
_PICTURE = re.compile(rb"(?<![A-Za-z0-9+/=\\_-])[A-Za-z0-9+/=\\_-]{8192,}")  # base64; in JSON with its escapes
_NO_PICTURE = re.compile(rb"\\[uUxX](?!00(?:2[bBfF]|3[dD]))")  # what base64 has no need to escape
_ESCAPED = re.compile(
    rb"\\(?:(?:[uU](?:00|\{0{0,6})|[xX])(?P<json>[0-9a-fA-F]{2})\}?|(?P<plain>[\\/]))|%(?P<url>[0-9a-fA-F]{2})"
    rb"|&(?P<html>(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8}(?=;));?)|\0"  # NULs: of UTF-16
)


def hidden(content: bytes, key: str) -> bytes:
    """The same with `…` in place of any 12 or more characters of the key in a row, whatever they are written as.

    That is: as they are, `\\u0073`, `\\x73`, `%73`, `&#115;` or `&#x73;`, in UTF-16, or one of these within another. A
    key of less than 16 characters is no secret. Of pictures in base64 only the ends are looked at.
    """
    secret = key.encode()
    if len(secret) < SHORTEST_SECRET:
        return content
    content = content.replace(secret, _MASK)
    parts = {secret[at : at + SHORTEST_PART] for at in range(len(secret) - SHORTEST_PART + 1)}
    pieces, at = [], 0
    for run in _PICTURE.finditer(content):
        if not _NO_PICTURE.search(content, *run.span()):
            start, end = run.start() + EDGE, run.end() - EDGE
            pieces += [_masked(content[at:start], parts), content[start:end]]
            at = end
    return b"".join([*pieces, _masked(content[at:], parts)])


def hidden_text(text: str, key: str) -> str:
    """As `hidden`, for text."""
    return hidden(text.encode(errors="surrogatepass"), key).decode(errors="surrogatepass")


def _masked(text: bytes, parts: set[bytes]) -> bytes:
    found = bytearray(len(text))  # 1 where a part of the key stands
    for begin in range(0, len(text), WINDOW):
        read = text[begin : begin + WINDOW + OVERLAP]
        places: Sequence[int] = range(begin, begin + len(read) + 1)  # in the text, of each character and of the end
        for _ in range(1 + DEEPEST):
            for part in parts:
                at = read.find(part)
                while at >= 0:
                    start, end = places[at], places[at + SHORTEST_PART]
                    found[start:end] = b"\1" * (end - start)
                    at = read.find(part, at + SHORTEST_PART)
            if not _ESCAPED.search(read):
                break
            read, places = _unescaped(read, places)
    pieces, at = [], 0
    for run in re.finditer(b"\1+", found):
        pieces += [text[at : run.start()], _MASK]
        at = run.end()
    return b"".join([*pieces, text[at:]]) if pieces else text


def _unescaped(text: bytes, places: Sequence[int]) -> tuple[bytes, Sequence[int]]:
    """A text with its escapes read once, and the place of each character of it."""
    pieces: list[bytes] = []
    kept: list[int] = []
    at = 0
    for escape in _ESCAPED.finditer(text):
        character = _meaning(escape)
        pieces += [text[at : escape.start()], character]
        kept += [*places[at : escape.start()], *places[escape.start() : escape.start() + len(character)]]
        at = escape.end()
    return b"".join([*pieces, text[at:]]), [*kept, *places[at:]]


def _meaning(escape: re.Match[bytes]) -> bytes:
    """One character, or none for a NUL. What is no ASCII is none of a key's."""
    if code := escape["json"] or escape["url"]:
        return bytes([int(code, 16)])
    if entity := escape["html"]:
        character = html.unescape(f"&{entity.decode()}")
        return character.encode() if len(character) == 1 and character.isascii() else b"?"
    return escape["plain"] or b""
