"""What the API answers: any shape in which somebody has seen a picture becomes one `ImagesResponse`."""

import base64
import binascii
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import BadResponse, NotTheAPI
from .refusals import is_page, parse_error, request_id

# A field of one of these names is a picture, or holds some, wherever it stands (the maker, OpenAI, SGLang, relays).
_BASE64 = ("b64_json", "b64", "base64", "image_base64", "image_b64", "b64_image")
_ADDRESS = ("url", "image_url", "img_url", "image", "uri")
_PICTURES = ("data", "images", "image_urls", "output_images", "results", "artifacts", "output")
_HOLDERS = ("choices", "message", "content", "result", "response")
_REWRITTEN = ("revised_prompt", "actual_prompt", "text", "optimized_prompt")
ENDED = ("FAILED", "CANCELED")
"""What a task is called that brings no picture, and costs nothing (maker)."""
_RELATIVE = re.compile(r"(?!/9j/)\.{0,2}/[^\s]{1,2000}")  # base64 of a JPEG begins with /9j/
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


@dataclass(frozen=True, slots=True)
class ResultImage:
    """One picture of an answer.

    Attributes:
        url: the address to fetch it from. It may be relative to the API's.
        b64: the base64 text itself; beside an address it is the safer one.
        prompt: what the API made of the prompt for this picture, None where it doesn't say.
    """

    url: str | None = None
    b64: str | None = field(default=None, repr=False)
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class ImagesResponse:
    """An answer with at least one picture.

    Attributes:
        images: in the order in which they came.
        usage: what the API reported, as it came (tokens, `image_count`, `width`, `height`, …); empty if nothing.
        request_id: from the body, else from the header `x-request-id`, else None.
        created: Unix time in seconds, or None.
    """

    images: tuple[ResultImage, ...]
    usage: Mapping[str, Any]
    request_id: str | None
    created: int | None


@dataclass(frozen=True, slots=True)
class Begun:
    """What the API began in place of an answer: it is asked after by its id until it has pictures (maker)."""

    id: str
    request_id: str | None


def parse(body: object, headers: Mapping[str, str]) -> ImagesResponse | Begun:
    """Read the body of a 200.

    Raises:
        BadResponse: there is no picture in it.
        APIError: it is an error in spite of its status.
    """
    id = request_id(body, headers)
    if is_page(body):
        raise NotTheAPI(200, None, "a page", request_id=id)
    if not isinstance(body, Mapping | list):
        raise BadResponse("not_json", request_id=id)
    images = tuple(_images(body))
    outer: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    if not images:
        return _without_pictures(outer, headers, id)
    usage, created = outer.get("usage"), outer.get("created")
    return ImagesResponse(
        images=images,
        usage=dict(usage) if isinstance(usage, Mapping) else {},
        request_id=id,
        created=created if isinstance(created, int) and not isinstance(created, bool) else None,
    )


def holds_pictures(body: object) -> bool:
    """Whether there is a picture in an answer."""
    return any(_images(body))


def task_status(body: object) -> str:
    """How a task is, in the maker's words, such as `RUNNING`; "" where an answer is about none."""
    task = _task(body) if isinstance(body, Mapping) else {}
    return str(task.get("task_status") or "")


def decode(text: str) -> bytes:
    """The bytes of a picture in base64: any alphabet, in lines or not, padded or not, after a `data:…;base64,` or not.

    Raises:
        BadResponse: the text is not base64.
    """
    text = "".join(text.rpartition(",")[2].split()).replace("-", "+").replace("_", "/").rstrip("=")
    if not text or _NO_BASE64.search(text):
        raise BadResponse("not_base64")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:  # one letter alone at the end
        raise BadResponse("not_base64") from error


def add_usage(usages: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The usage of several answers as one: tokens and counts are added up, what says how big a picture is, is not."""
    total: dict[str, Any] = {}
    for usage in usages:
        for name, value in usage.items():
            summed = name.rpartition("_")[2] not in ("width", "height") and _is_number(value)
            total[name] = total[name] + value if summed and _is_number(total.get(name)) else value
    return total


def _images(node: object, rewritten: str | None = None, deep: int = 12) -> Iterator[ResultImage]:
    """The pictures in an answer, or in a part of it. A rewritten prompt that stands above or beside them is theirs."""
    if not deep:
        return
    if isinstance(node, str):
        yield from _image(node, rewritten)
    elif isinstance(node, list):
        texts = [entry["text"] for entry in node if isinstance(entry, Mapping) and _is_text(entry.get("text"))]
        for entry in node:
            yield from _images(entry, next(iter(texts), rewritten), deep - 1)
    elif isinstance(node, Mapping):
        rewritten = next((node[name] for name in _REWRITTEN if _is_text(node.get(name))), rewritten)
        b64 = next((node[name] for name in _BASE64 if _is_text(node.get(name))), None)
        address = next((node[name] for name in _ADDRESS if _is_text(node.get(name))), None)
        if b64:
            yield ResultImage(url=address if address and _is_address(address) else None, b64=b64, prompt=rewritten)
        elif address:
            yield from _image(address, rewritten)
        for name in (*_ADDRESS, *_PICTURES, *_HOLDERS):
            inner = node.get(name)
            # A plain text is a picture only in a list of pictures: `content` and `message` hold words.
            if isinstance(inner, Mapping) or (isinstance(inner, list) and name in (*_PICTURES, *_ADDRESS)):
                yield from _images(inner, rewritten, deep - 1)
            elif isinstance(inner, list):
                yield from _images([entry for entry in inner if not isinstance(entry, str)], rewritten, deep - 1)


def _image(text: str, rewritten: str | None) -> Iterator[ResultImage]:
    if text:
        yield ResultImage(url=text, prompt=rewritten) if _is_address(text) else ResultImage(b64=text, prompt=rewritten)


def _is_address(text: str) -> bool:
    return not text.startswith("data:") and ("://" in text[:16] or bool(_RELATIVE.fullmatch(text)))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _without_pictures(body: Mapping[str, Any], headers: Mapping[str, str], id: str | None) -> Begun:
    """Why there is no picture: a task was begun, the answer is a refusal in spite of its status, or nobody knows."""
    task = _task(body)
    if (number := task.get("task_id")) and task_status(body) not in (*ENDED, "UNKNOWN"):
        return Begun(str(number)[:128], id)
    if task_status(body) in ENDED:
        raise parse_error(200, {"message": f"the task has {task_status(body)}", **task, "request_id": id}, headers)
    for holder in (body, task):
        if holder.keys() & {"error", "errors", "code", "detail"}:
            raise parse_error(200, {**holder, "request_id": id}, headers)
    raise BadResponse("no_picture", request_id=id)


def _task(body: Mapping[str, Any]) -> Mapping[str, Any]:
    output = body.get("output")
    return output if isinstance(output, Mapping) else body


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
