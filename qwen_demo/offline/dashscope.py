"""The maker's Model Studio: a message with pictures and words, and parameters (maker)."""

import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request

from ..api.catalog import Catalog
from ..api.errors import InvalidRequest
from ..api.requests import ImageRequest, make
from .front import Drawn, Front, WrongModel, as_object, parsed, there

PATHS = ("/api/v1/services/aigc/multimodal-generation/generation",)
PARAMETERS = {
    "size": "size", "n": "n", "seed": "seed", "negative_prompt": "negative_prompt",
    "prompt_extend": "optimize_prompt", "watermark": "watermark",
}  # fmt: skip
"""Its parameters, and what a request calls them."""


def front(catalog: Catalog) -> Front:
    """With these models."""
    return Front(read=partial(_read, catalog), answer=_answer, refusal=_refusal)


async def _read(catalog: Catalog, call: Request, body: bytes) -> ImageRequest:
    fields = parsed(body)
    model = fields.get("model")
    if not any(row.name == model for row in catalog.models):
        raise WrongModel("Model not exist.")
    texts, pictures = _content(as_object(fields.get("input"), "input").get("messages"))
    given = there(as_object(fields.get("parameters", {}), "parameters"))
    if unknown := given.keys() - PARAMETERS.keys():
        raise InvalidRequest(min(unknown), "choice", given[min(unknown)], allowed=", ".join(PARAMETERS))
    if isinstance(size := given.get("size"), str):
        if "x" in size:
            raise InvalidRequest("size", "choice", size, allowed="width*height")
        given["size"] = size.replace("*", "x")
    values = {"size": None, "optimize_prompt": None, **{PARAMETERS[name]: value for name, value in given.items()}}
    kind = ("text_to_image", "edit", "fusion")[min(len(pictures), 2)]
    return make(kind, pictures, prompt=texts[0] if texts else "", model=model, **values, catalog=catalog)


def _content(messages: object) -> tuple[list[str], list[str]]:
    """The texts and the pictures of the one message that there may be."""
    if not isinstance(messages, list) or len(messages) != 1:
        raise ValueError("input.messages must be a list of one message")
    content = as_object(messages[0], "a message").get("content")
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ValueError("content must be a list of objects")
    parts = [(name, str(value)) for part in content for name, value in part.items()]
    return [value for name, value in parts if name == "text"], [value for name, value in parts if name == "image"]


def _answer(request: ImageRequest, pictures: list[Drawn]) -> Mapping[str, Any]:
    content = [{"image": picture.url} for picture in pictures]
    width, height = pictures[0].size
    return {
        "output": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": content}}]},
        "usage": {"image_count": len(pictures), "width": width, "height": height},
        "request_id": secrets.token_hex(16),
    }


def _refusal(status: int, message: str, field: str | None) -> tuple[int, Mapping[str, Any]]:
    code = {401: "InvalidApiKey", 404: "ModelNotFound"}.get(status, "InvalidParameter")
    return status, {"code": code, "message": message, "request_id": secrets.token_hex(16)}
