"""The provider's image API as an ASGI app: same paths, same bodies, same answers, pictures of its own."""

import asyncio
import base64
import json
import secrets
import time
from collections import deque
from functools import partial
from io import BytesIO
from typing import Any, get_args

from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..api.catalog import DEFAULT_SIZE, MAX_REFERENCES, MAX_SEED, Task, pixels
from ..api.errors import InvalidRequest
from ..api.requests import ImageRequest, make
from .canvas import sign
from .draw import draw
from .retouch import open_reference, retouch

FIELDS = ("prompt", "model", "size", "n", "response_format", "seed", "watermark")


def create_app(seconds: float = 0.5) -> Starlette:
    """The API as an ASGI app. A call takes at least `seconds`, as one to the provider takes a while.

    Errors have the provider's shape and codes. Results are kept in memory, the last 64 of them.
    """
    calls = [Route(f"/v1/images/{task}", partial(_answer, task), methods=["POST"]) for task in get_args(Task)]
    results = Route("/v1/results/{name}.png", _result, name="result")
    app = Starlette(routes=[*calls, results], exception_handlers={HTTPException: _not_offered})
    app.router.redirect_slashes = False
    app.state.seconds, app.state.results = seconds, deque(maxlen=64)
    return app


async def _answer(task: Task, call: Request) -> Response:
    scheme, _, key = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return _error(401, "The Authorization header must be: Bearer, a space, and an API key.", "2101")
    try:
        request = _request(await call.body(), task)
        references = [await asyncio.to_thread(open_reference, entry) for entry in request.references]
    except InvalidRequest as error:
        return _error(400, str(error), "2004", error.field)
    except (ValueError, RecursionError) as error:
        return _error(400, f"The body can't be read: {error}.", "2005")
    first = secrets.randbelow(MAX_SEED + 1) if request.seed is None else request.seed
    seeds = [(first + number) % (MAX_SEED + 1) for number in range(request.n)]
    drawn = (asyncio.to_thread(_datum, call, request, references, seed) for seed in seeds)
    _, *data = await asyncio.gather(asyncio.sleep(call.app.state.seconds, {}), *drawn)
    usage = {"total_tokens": request.n, "output_tokens": request.n, "input_tokens_details": {}}
    return _json({"created": int(time.time()), "data": data, "usage": usage})


def _request(body: bytes, task: Task) -> ImageRequest:
    """The request in a JSON body; null is absent. Raises InvalidRequest, or ValueError where the form is wrong."""
    fields = _object(json.loads(body), "the body")
    options = _object(fields.get("optimize_prompt_options", {}), "optimize_prompt_options")
    values = {"prompt": "", "size": None} | {name: fields[name] for name in FIELDS if name in fields}
    values |= {"optimize_prompt": options.get("enable"), "negative_prompt": options.get("negative_prompt")}
    if task == "generations":
        return make("text_to_image", (), **values)
    given = fields.get("image")
    images = given if isinstance(given, list) else []
    if not 1 <= len(images) <= MAX_REFERENCES:
        raise InvalidRequest("image", "picture_count", given, low=1, high=MAX_REFERENCES, count=len(images))
    return make("edit" if len(images) == 1 else "fusion", images, **values)


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a JSON object")
    return {name: entry for name, entry in value.items() if entry is not None}


def _datum(call: Request, request: ImageRequest, pictures: list[Image.Image], seed: int) -> dict[str, str]:
    """The request's picture for a seed, a PNG, as the answer brings it."""
    size = pixels(request.size) if request.size else None
    if pictures:
        image = retouch(request.prompt, pictures, seed, size)
    else:
        image = draw(request.prompt, seed, size or pixels(DEFAULT_SIZE))
    if request.watermark:
        sign(image, "offline preview")
    image.save(png := BytesIO(), "PNG", compress_level=2)  # 6, the default, takes twice as long for a tenth fewer bytes
    if request.response_format == "b64_json":
        return {"b64_json": base64.b64encode(png.getvalue()).decode()}
    name = secrets.token_urlsafe(18)  # nobody can guess it
    call.app.state.results.append((name, png.getvalue()))
    return {"url": str(call.url_for("result", name=name))}


async def _result(call: Request) -> Response:
    if picture := dict(call.app.state.results).get(call.path_params["name"]):
        return Response(picture, media_type="image/png")
    raise HTTPException(404)


async def _not_offered(call: Request, error: Any) -> Response:
    status = error.status_code
    return _error(status, f"{call.method} {call.url.path[:80]} is not offered here.", str(status))


def _error(status: int, message: str, code: str, param: str | None = None) -> Response:
    kind = {401: "authentication_error", 404: "not_found_error"}.get(status, "invalid_request_error")
    return _json({"error": {"message": message, "type": kind, "code": code, "param": param}}, status)


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return JSONResponse(body, status, headers={"x-request-id": secrets.token_hex(16)})
