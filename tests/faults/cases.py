"""The faults, as a table: how the server answers, what the user then reads, and how many POSTs went out."""

import base64
import io
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

from PIL import Image

from qwen_demo.api.requests import ImageEdit, ImageRequest, TextToImage
from tests.faults.server import (
    Behaviour,
    close,
    drip,
    endless,
    hang,
    http,
    in_turn,
    raw,
    refusal,
    reset,
    results,
    told,
    zipped,
)

KEY = "sk-test-faults-90cd4e"


def picture(kind: str = "PNG", side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), "teal").save(buffer, kind)
    return buffer.getvalue()


PNG = picture()
FINE = results("/fine.png")
SERVED = http(200, PNG, "image/png")
WISH = TextToImage(prompt="a secret wish", seed=1)
ANSWER = b'{"data": [{"url": "https://x.example/"}]}'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SOON = format_datetime(datetime.now(timezone.utc) + timedelta(days=3650))
BILLED, FREE = "This may have been billed.", "Nothing was billed."
LOST = f"The API was not reached, or the line broke. Check the network and try again. {BILLED}"
UNREACHED = f"The API was not reached, or the line broke. Check the network and try again. {FREE}"
SLOW = f"The API did not answer in time. Try again in a while. {BILLED}"
BUSY = f"The model is down or busy. Try again in a while, or choose another model. {FREE}"
RATE = f"Too many requests this minute. Wait a little and try again. {FREE}"
OVERDUE = f"The account behind this key is overdue, or its quota is used up. Its owner has to see to it. {FREE}"
REFUSED = f"The prompt or a picture was refused for its content. Change it and try again. {FREE}"
WRONG_KEY = f"The key is missing or wrong. Check the one you entered, or QWEN_API_KEY. {FREE}"
DONE = ""
"""What is as it should be needs no words."""
NOT_COME = "This one did not come."


def bad(failing: str) -> str:
    return f"The API's answer could not be understood: {failing}. {BILLED}"


def said_no(status: int, message: str, billed: str = FREE) -> str:
    return f"The API said no (HTTP {status}): {message}. {billed}"


async def image(exchange: object) -> None:
    raise AssertionError("nothing is to be fetched")


def b64(data: bytes) -> Behaviour:
    return told(200, {"data": [{"b64_json": base64.b64encode(data).decode()}]})


def bomb(side: int) -> bytes:
    """A small PNG that says it is so wide and high."""
    header = b"IHDR" + side.to_bytes(4, "big") * 2 + PNG[24:29]
    return PNG[:12] + header + zlib.crc32(header).to_bytes(4, "big") + PNG[33:]


@dataclass(frozen=True)
class Case:
    """A fault, the words that the user reads in the end, and what was sent.

    Attributes:
        post: how the server answers an order.
        words: what the user reads on the order's card, or how it begins; a failed picture's place says it too.
        posts: how many orders the server got.
        get: how it answers when a picture is fetched.
        pictures: how many arrive all the same.
        asked: the order.
    """

    post: Behaviour
    words: str
    posts: int = 1
    get: Behaviour = SERVED
    pictures: int = 0
    asked: ImageRequest = WISH


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


CASES: dict[str, Case] = {
    # The line
    "closed before the answer": Case(close, LOST),
    "closed within the head": Case(raw(b"HTTP/1.1 200 OK\r\nconte"), LOST),
    "closed within the answer": Case(raw(HEAD + b"content-length: 500\r\n\r\n" + ANSWER), LOST),
    "closed within a chunk": Case(raw(HEAD + b"transfer-encoding: chunked\r\n\r\nff\r\n{"), LOST),
    "reset": Case(reset, LOST),
    "not HTTP at all": Case(raw(b"220 mail.example ESMTP\r\n"), LOST),
    "hangs": Case(hang, SLOW),
    "drips": Case(drip, SLOW),
    "300 KB of headers": Case(raw(HEAD + b"x: " + b"y" * 300_000 + b"\r\n\r\n"), LOST),
    # The answer
    "JSON cut short": Case(http(200, ANSWER[:-5]), bad("the answer is not a JSON object")),
    "HTML with 200": Case(http(200, b"<html>", "text/html"), "Nothing like the API answers at 127.0.0.1."),
    "nothing at all with 200": Case(http(200), bad("the answer is not a JSON object")),
    "HTML with 502": Case(http(502, b"<html>Bad", "text/html"), said_no(502, "Bad Gateway", BILLED)),
    "nothing at all with 500": Case(http(500), said_no(500, "Internal Server Error", BILLED)),
    "504": Case(http(504), said_no(504, "Gateway Timeout", BILLED)),
    "an error with 200": Case(told(200, {"error": {"code": "2101", "message": "no key"}}), WRONG_KEY),
    "the wrong content type": Case(in_turn(results("/fine.png")), DONE, get=http(200, PNG, "text/html"), pictures=1),
    "no pictures in it": Case(told(200, {"data": []}), bad("the answer holds no picture")),
    "data that is no list": Case(told(200, {"data": {"url": 1}}), bad("the answer holds no picture")),
    "fewer pictures than asked": Case(
        results("/one.png"),
        "1 of 3 pictures came",
        pictures=1,
        asked=ImageEdit(prompt="a secret wish", image="https://pictures.example/a.png", n=3),
    ),
    "NaN": Case(http(200, b'{"created": NaN, "data": []}'), bad("the answer is not a JSON object")),
    "100 levels of JSON": Case(http(200, deep(100)), bad("the answer holds no picture")),
    "100,000 levels of JSON": Case(http(200, deep(100_000)), bad("the answer is not a JSON object")),
    "a gzip bomb": Case(zipped(b" " * 120_000_000), bad("what came is larger than 100 MB")),
    "broken gzip": Case(
        http(200, b"no gzip", content_encoding="gzip"), bad("what came can't be decoded, or leads nowhere")
    ),
    "an endless answer": Case(endless, bad("what came is larger than 100 MB")),
    # What the API says no with
    "401 that repeats the key": Case(refusal(401, "2101", f"bad key {KEY}"), WRONG_KEY),
    "400 that repeats the key": Case(refusal(400, "9999", f"bad key {KEY}"), said_no(400, "bad key …")),
    "400 with HTML inside": Case(refusal(400, "9999", "<b>no</b>"), said_no(400, "<b>no</b>")),
    "400 with a novel inside": Case(refusal(400, "9999", "a" * 999), said_no(400, "a" * 299 + "…")),
    "2001, unclassified": Case(refusal(400, "2001", "odd"), said_no(400, "odd")),
    "2001, refused content": Case(refusal(400, "2001", "DataInspectionFailed: no"), REFUSED),
    "2004": Case(refusal(400, "2004", "size is wrong"), said_no(400, "size is wrong")),
    "2005": Case(refusal(400, "2005", "unreadable"), said_no(400, "unreadable")),
    "2101": Case(refusal(401, "2101"), WRONG_KEY),
    "2102": Case(
        refusal(403, "2102"), f"This key has no access to this model. Choose another model, or ask for access. {FREE}"
    ),
    "2103": Case(refusal(403, "2103"), OVERDUE),
    "2002": Case(refusal(424, "2002"), BUSY),
    "2003": Case(refusal(424, "2003"), BUSY),
    "2006": Case(refusal(424, "2006"), BUSY),
    "2007": Case(refusal(429, "2007"), RATE, posts=3),
    "2008": Case(refusal(429, "2008"), RATE, posts=3),
    "another gateway's shape": Case(told(403, {"code": "2103", "message": "x", "request_id": "r"}), OVERDUE),
    "msg, and a number for a code": Case(told(400, {"code": 2004, "msg": "bad size"}), said_no(400, "bad size")),
    "a text for an error": Case(told(400, {"error": "just so"}), said_no(400, "just so")),
    "429, wait 1 s": Case(in_turn(http(429, retry_after="1"), FINE), DONE, posts=2, pictures=1),
    "429, wait 9999 s": Case(
        http(429, retry_after="9999"), f"The API is busy and asks to wait 2 h 47 min. Try again then. {FREE}"
    ),
    "429, wait until a date": Case(http(429, retry_after=SOON), "The API is busy and asks to wait 3650 days"),
    "429, wait for rubbish": Case(in_turn(http(429, retry_after="soon"), FINE), DONE, posts=2, pictures=1),
    "429, quota used up": Case(refusal(429, "insufficient_quota", "You exceeded your quota"), OVERDUE),
    "503, then well": Case(in_turn(http(503), FINE), DONE, posts=2, pictures=1),
    "503, and again": Case(http(503, b"<html>", "text/html"), BUSY, posts=3),
    "503 for a missing model": Case(refusal(503, "x", "model qwen-x does not exist"), BUSY),
    # The pictures
    "a result that is forbidden": Case(
        FINE, bad("the picture's address has expired or is gone (HTTP 403)"), get=http(403)
    ),
    "a result that is gone": Case(FINE, bad("the picture's address has expired or is gone (HTTP 404)"), get=http(404)),
    "a result that fails twice": Case(FINE, DONE, get=in_turn(http(500), reset, http(200, PNG)), pictures=1),
    "a result that is always cut short": Case(FINE, LOST, get=raw(HEAD + b"content-length: 500\r\n\r\n" + PNG)),
    "a result that leads to 10.0.0.1": Case(
        FINE, bad("the picture's address leads to another host"), get=http(302, location="http://10.0.0.1/")
    ),
    "a result in the cloud's own network": Case(
        results("http://169.254.169.254/latest"), bad("the picture's address is http, not https")
    ),
    "a result at a link-local address": Case(
        results("https://169.254.169.254/latest"), bad("the picture's address is not a public one")
    ),
    "a result in a shared network": Case(
        results("https://100.100.100.200/"), bad("the picture's address is not a public one")
    ),
    "a result in a file": Case(results("file:///etc/passwd"), bad("the picture's address is file, not https")),
    "a result whose name means this machine": Case(
        results("https://localhost/a.png"), bad("the picture's address is not a public one")
    ),
    "a result at a mapped address": Case(
        results("https://[::ffff:127.0.0.1]/"), bad("the picture's address is not a public one")
    ),
    "bad base64": Case(
        told(200, {"data": [{"b64_json": "%%%"}]}), bad("a picture of the answer is not base64"), get=image
    ),
    "not a picture": Case(FINE, bad("what came is not a picture"), get=http(200, b"hello")),
    "SVG": Case(FINE, bad("what came is not a picture"), get=http(200, b"<svg xmlns='http://www.w3.org/2000/svg'/>")),
    "a PNG named .jpg": Case(results("/fine.jpg"), DONE, pictures=1),
    "a JPEG in base64": Case(b64(picture("JPEG")), DONE, get=image, pictures=1),
    "a decompression bomb": Case(FINE, bad("what came is not a picture"), get=http(200, bomb(50_000))),
    "too many pixels": Case(FINE, bad("the picture has 8000×8000 pixels, too many to open"), get=http(200, bomb(8000))),
    "a picture cut short": Case(FINE, bad("what came is not a picture"), get=http(200, picture(side=99)[:-30])),
    "an endless picture": Case(FINE, bad("what came is larger than 40 MB"), get=endless),
    # As the maker, gateways and people's own engines say it
    "a rate limit whose code speaks of a quota": Case(
        in_turn(told(429, {"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded"}), FINE),
        DONE,
        posts=2,
        pictures=1,
    ),
    "a debt with 429": Case(told(429, {"error": {"code": "insufficient_quota", "message": "x"}}), OVERDUE),
    "a balance that is used up": Case(
        told(403, {"error": {"code": "insufficient_user_quota", "message": "x"}}), OVERDUE
    ),
    "refused in the maker's words": Case(told(400, {"error": {"code": "data_inspection_failed"}}), REFUSED),
    "refused in OpenAI's words": Case(told(400, {"error": {"code": "content_policy_violation"}}), REFUSED),
    "a reason in detail": Case(
        told(422, {"detail": [{"loc": ["body", "size"], "msg": "no"}]}), said_no(422, "size: no")
    ),
    "half a character in a reason": Case(http(400, rb'{"message": "half \ud83d"}'), said_no(400, "half \ufffd")),
    "a task": Case(
        told(200, {"output": {"task_id": "t1", "task_status": "PENDING"}}),
        bad("it began a task, t1, in place of a picture"),
    ),
    "a web server's 404": Case(http(404, b"<html>", "text/html"), "Nothing like the API answers at 127.0.0.1."),
    "base64 in lines": Case(told(200, {"data": [{"b64_json": base64.encodebytes(PNG).decode()}]}), DONE, pictures=1),
    "base64 for addresses, unpadded": Case(
        told(200, {"images": [base64.urlsafe_b64encode(PNG).decode().rstrip("=")]}), DONE, pictures=1
    ),
    "an address without a host": Case(told(200, {"data": [{"url": "/fine.png"}]}), DONE, pictures=1),
    "an AVIF": Case(FINE, DONE, get=http(200, picture("AVIF"), "image/avif"), pictures=1),
}
