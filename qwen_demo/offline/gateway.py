"""The provider's API: `/v1/images/generations` and `/v1/images/edits`, one flat JSON body."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request

from ..api.catalog import Catalog
from ..api.errors import InvalidRequest
from ..api.requests import ImageRequest, make
from .front import Drawn, Front, as_object, parsed, there
from .openai import PATHS as PATHS

FIELDS = ("prompt", "model", "size", "n", "response_format", "seed", "watermark")


def front(catalog: Catalog) -> Front:
    """With these models."""
    return Front(read=partial(_read, catalog), answer=_answer, refusal=refusal)


async def _read(catalog: Catalog, call: Request, body: bytes) -> ImageRequest:
    """The request in a JSON body; null is absent."""
    fields = there(parsed(body))
    options = there(as_object(fields.get("optimize_prompt_options", {}), "optimize_prompt_options"))
    values = {"prompt": "", "size": None} | {name: fields[name] for name in FIELDS if name in fields}
    values |= {"optimize_prompt": options.get("enable"), "negative_prompt": options.get("negative_prompt")}
    if call.url.path.endswith("generations"):
        return make("text_to_image", (), **values, catalog=catalog)
    given = fields.get("image")
    images = given if isinstance(given, list) else []
    most = max(model.references for model in catalog.doing("edit"))
    if not 1 <= len(images) <= most:
        raise InvalidRequest("image", "picture_count", given, low=1, high=most, count=len(images))
    return make("edit" if len(images) == 1 else "fusion", images, **values, catalog=catalog)


def _answer(request: ImageRequest, pictures: list[Drawn]) -> Mapping[str, Any]:
    data = [there({"url": picture.url, "b64_json": picture.b64}) for picture in pictures]
    usage = {"total_tokens": request.n, "output_tokens": request.n, "input_tokens_details": {}}
    return {"created": int(time.time()), "data": data, "usage": usage}


def refusal(status: int, message: str, field: str | None) -> tuple[int, Mapping[str, Any]]:
    """The provider's error, with its code."""
    kind = {401: "authentication_error", 404: "not_found_error"}.get(status, "invalid_request_error")
    code = "2101" if status == 401 else str(status) if field is None else "2004" if field else "2005"
    return status, {"error": {"message": message, "type": kind, "code": code, "param": field or None}}
