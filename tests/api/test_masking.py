"""Whatever a gateway makes of the key, nobody reads it."""

import base64
import html
import json
import logging
import random
import time
from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest

from qwen_demo.api.answer import as_json
from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import Unauthorized
from qwen_demo.api.masking import hidden, hidden_text
from qwen_demo.api.requests import TextToImage
from qwen_demo.logs import Formatter

KEY = "sk-Own/7f3e9A0b5c1D8e2F6a4B"
OWNERS = "sk-owner-0123456789abcdef"


def each(form: str) -> Callable[[str], str]:
    return lambda key: "".join(form.format(ord(letter)) for letter in key)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "literal": str,
    "JSON": each(r"\u{:04x}"),
    "JSON in capitals": each(r"\u{:04X}"),
    "JSON, some of it": lambda key: key.replace("O", r"\u004f").replace("/", r"\/"),
    "JSON in JSON": each(r"\\u{:04x}"),
    "JSON in JSON in JSON": each(r"\\\\u{:04x}"),
    "a program's": each(r"\x{:02x}"),
    "a script's": each(r"\u{{{:x}}}"),
    "an address's": each("%{:02X}"),
    "an address's, as far as there is need": lambda key: quote(key, safe=""),
    "an address's in an address": lambda key: quote(each("%{:02x}")(key)),
    "HTML": each("&#{};"),
    "HTML in hex": each("&#x{:x};"),
    "HTML in capitals, with noughts": each("&#X{:04X};"),
    "HTML by name": lambda key: key.replace("/", "&sol;"),
    "HTML in HTML": lambda key: html.escape(each("&#{};")(key)),
    "HTML in JSON": lambda key: each("&#{};")(key).replace("&", r"\u0026"),
    "UTF-16": lambda key: key.encode("utf-16-le").decode(),
    "UTF-16, the other way round": lambda key: key.encode("utf-16-be").decode(),
    "JSON in UTF-16": lambda key: each(r"\u{:04x}")(key).encode("utf-16-le").decode(),
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("shown", [KEY, KEY[:-4], KEY[4:], KEY[5:17]])
def test_a_key_is_masked_in_every_spelling_whole_or_in_part(spell: Callable[[str], str], shown: str) -> None:
    assert hidden_text(f"** {spell(shown)} **", KEY).replace("\0", "") == "** … **"


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_it_is_masked_within_a_page_and_behind_a_picture(spell: Callable[[str], str]) -> None:
    page = f"<p>Bad key <b>{spell(KEY)}</b>, 错误</p>"
    assert hidden_text(page, KEY).replace("\0", "") == "<p>Bad key <b>…</b>, 错误</p>"
    grown = "A" * 20_000
    assert hidden_text(f"{grown}{spell(KEY[:-1])}*", KEY).replace("\0", "") == f"{grown}…*"
    assert hidden_text(f"{grown}{spell(KEY)}{grown}", KEY).replace("\0", "") == f"{grown}…{grown}"


def test_what_is_left_of_it_is_too_little_to_guess_the_rest() -> None:
    assert hidden_text(f"{KEY[:11]}***{KEY[-11:]}", KEY) == f"{KEY[:11]}***{KEY[-11:]}"
    assert hidden_text(f"{KEY[:12]}***{KEY[-12:]}", KEY) == "…***…"


def test_it_is_found_where_one_look_ends_and_the_next_begins() -> None:
    for before in range(99_700, 100_001, 25):
        text = f"{'é' * (before // 2)}{SPELLINGS['JSON'](KEY)}"
        assert hidden_text(text, KEY) == f"{'é' * (before // 2)}…"


def test_what_is_masked_is_still_json() -> None:
    body = {"error": {"message": f"no: {KEY}", "request_id": SPELLINGS["JSON"](KEY)}, "n": 7}
    assert as_json(hidden(json.dumps(body).encode(), KEY)) == {
        "error": {"message": "no: …", "request_id": "…"},
        "n": 7,
    }


def test_a_short_key_is_no_secret() -> None:
    assert hidden(b"an offline answer", "offline") == b"an offline answer"


def pictures(size: int) -> list[str]:
    return [base64.b64encode(random.Random(seed).randbytes(size)).decode() for seed in range(6)]  # noqa: S311


@pytest.mark.parametrize(
    ("name", "escape"),
    [("plain", ("", "")), ("PHP's", ("/", r"\/")), (".NET's", ("+", r"\u002B")), ("in lines", ("Q", r"\r\n"))],
)
def test_an_answer_with_pictures_stays_as_it_is_and_costs_little(name: str, escape: tuple[str, str]) -> None:
    told = [picture.replace(*escape) if escape[0] else picture for picture in pictures(3_700_000)]
    url = "https://x.example/a%20b.png?Expires=17&Signature=aB%2Bc%3D"
    data = ",".join(f'{{"b64_json":"{picture}","url":"{url}","revised_prompt":"一只猫\\n"}}' for picture in told)
    body = f'{{"data":[{data}]}}'.encode()
    assert len(body) > 29_000_000
    began = time.thread_time()
    assert hidden(body, KEY) == body, name
    assert time.thread_time() - began < 1.0  # some 0.1 s on a computer that has nothing else to do


async def test_what_a_gateway_repeats_is_neither_shown_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Of the key that was sent: the visitor's own, in the body, in its headers, and starred."""

    def answer(request: httpx.Request) -> httpx.Response:
        key = request.headers["authorization"].removeprefix("Bearer ")
        body = f'{{"code":2101,"message":"{SPELLINGS["JSON"](key)} and {key[:-4]}****","request_id":"{key}"}}'
        headers = {"x-request-id": quote(key, safe=""), "location": f"/login?{key}", "retry-after": "1"}
        return httpx.Response(401, text=body, headers=headers)

    caplog.set_level(logging.INFO, "qwen_demo")
    async with QwenClient(OWNERS, "https://api.example/v1", transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(Unauthorized) as caught:
            await client.send(TextToImage(prompt="a"), KEY)
        assert (caught.value.message, caught.value.request_id) == ("… and …****", "…")
        (line,) = caplog.records
        assert vars(line)["facts"]["upstream_id"] == "…"
        with pytest.raises(Unauthorized, match=r"… and …\*\*\*\*"):
            await client.send(TextToImage(prompt="a"))
    assert not any(key[:12] in caplog.text for key in (KEY, OWNERS))


async def test_its_headers_are_kept_without_the_key() -> None:
    headers = {"x-request-id": f"id-{KEY}", "location": each("%{:02x}")(KEY), "content-type": "application/json"}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}, headers=headers))
    async with (
        QwenClient(OWNERS, "https://api.example/v1", transport=transport) as client,
        client.open(TextToImage(prompt="a"), KEY) as answer,
    ):
        assert answer.headers == {"x-request-id": "id-…", "location": "…", "content-type": "application/json"}


@pytest.mark.parametrize("as_json", [False, True])
def test_the_log_has_it_in_no_spelling(as_json: bool) -> None:
    formatter = Formatter(as_json=as_json, key=KEY)
    for spell in SPELLINGS.values():
        record = logging.LogRecord("elsewhere", logging.INFO, __file__, 1, f"said {spell(KEY)}!", (), None)
        assert "said …!" in formatter.format(record).replace("\\u0000", "").replace("\0", "")
