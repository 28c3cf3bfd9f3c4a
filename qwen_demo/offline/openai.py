"""OpenAI's images API as an engine of one's own speaks it: pictures from words in JSON, edits as a form with files.

Like vLLM-Omni, but stricter: a field that none of the known engines takes is refused.
"""

import base64
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..api.catalog import Catalog, pixels
from ..api.dialects import DEFAULT, SELF_TELLING
from ..api.errors import InvalidRequest
from ..api.requests import ImageRequest, make
from .front import Drawn, Front, parsed

NAMES = ("Qwen/Qwen-Image", "Qwen/Qwen-Image-Edit-2511")
SERVED = {
    "object": "list",
    "api": DEFAULT.name,  # what this server is asked in by whoever leaves it to the server
    "data": [
        {"id": name, "object": "model", "owned_by": "offline", "task_type": task}
        for name, task in zip(NAMES, ("T2I", "I2I"), strict=True)
    ],
}
"""What it answers to `GET /v1/models`."""
FIELDS = {
    "prompt": "prompt", "model": "model", "size": "size", "n": "n", "response_format": "response_format",
    "seed": "seed", "negative_prompt": "negative_prompt", "num_inference_steps": "steps", "true_cfg_scale": "guidance",
}  # fmt: skip
"""Its fields, and what a request calls them."""
_NUMBERS = ("n", "seed", "num_inference_steps", "true_cfg_scale")
_PICTURES = ("image", "image[]", "url", "url[]")


async def _models(call: Request) -> Response:
    return JSONResponse(SERVED)


MODELS = Route("/v1/models", _models)


PATHS = ("/v1/images/generations", "/v1/images/edits")


def is_meant(call: Request, body: bytes) -> bool:
    """Whether a call at the provider's paths is for this one: it is a form, or names one of these models."""
    if call.url.path not in PATHS:
        return False
    if "form" in call.headers.get("content-type", ""):
        return True
    try:
        return parsed(body).get("model") in NAMES
    except (ValueError, RecursionError):
        return False


async def _read(call: Request, body: bytes) -> ImageRequest:
    served = SELF_TELLING.served(SERVED) if SELF_TELLING.served else None
    catalog = Catalog(served.models if served else ())
    pictures: list[str] = []
    if call.url.path.endswith("generations"):
        given = parsed(body)
    else:
        given, pictures = await _form(call)
    if unknown := given.keys() - {*FIELDS, "output_format", "guidance_scale"}:
        raise InvalidRequest(min(unknown), "choice", given[min(unknown)], allowed=", ".join(FIELDS))
    if given.get("n", 1) is None:
        raise InvalidRequest("n", "range", None, low=1, high=10)
    if given.get("response_format", "b64_json") != "b64_json":
        raise InvalidRequest("response_format", "choice", given["response_format"], allowed="b64_json")
    if (size := given.get("size")) and not re.fullmatch(r"\d+x\d+|auto", str(size)):
        raise InvalidRequest("size", "choice", size, allowed="WIDTHxHEIGHT")
    values = {FIELDS[name]: value for name, value in given.items() if name in FIELDS and value is not None}
    values = {"prompt": "", "response_format": "b64_json", **values, "optimize_prompt": None, "watermark": None}
    if call.url.path.endswith("generations"):
        return make("text_to_image", (), **values, catalog=catalog)
    values["size"] = None if values.get("size") == "auto" else values.get("size")
    if not pictures:
        raise InvalidRequest("image", "picture_missing", "")
    return make("edit" if len(pictures) == 1 else "fusion", pictures, **values, catalog=catalog)


async def _form(call: Request) -> tuple[dict[str, Any], list[str]]:
    """The texts and numbers of a form, and its pictures as requests have them."""
    fields: dict[str, Any] = {}
    pictures: list[str] = []
    async with call.form(max_part_size=20_000_000) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                encoded = base64.b64encode(await value.read()).decode()
                pictures.append(f"data:{value.content_type};base64,{encoded}")
            elif name in _PICTURES:
                pictures.append(value)
            else:
                fields[name] = json.loads(value) if name in _NUMBERS else value
    return fields, pictures


def _answer(request: ImageRequest, pictures: list[Drawn]) -> Mapping[str, Any]:
    data = [{"b64_json": picture.b64, "url": None, "revised_prompt": None} for picture in pictures]
    size = "x".join(map(str, pixels(request.size) if request.size else pictures[0].size))
    return {"created": int(time.time()), "data": data, "output_format": "png", "size": size, "metrics": {}}


def _refusal(status: int, message: str, field: str | None) -> tuple[int, Mapping[str, Any]]:
    kind = "Unprocessable Entity" if status == 422 else "Bad Request"
    return status, {"error": {"message": message, "type": kind, "param": field, "code": status}}


FRONT = Front(read=_read, answer=_answer, refusal=_refusal, locked=False, missing_picture=422)
