"""The provider's image API as an ASGI app: same paths, same bodies, same answers, pictures of its own."""

import asyncio
import base64
import json
import secrets
import time
import uuid
from functools import partial
from io import BytesIO
from typing import Any, get_args

from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..api.catalog import MAX_REFERENCES, MAX_SEED, SIZES, Task
from ..api.errors import InvalidRequest
from ..api.requests import ImageEdit, ImageFusion, ImageRequest, TextToImage
from .canvas import sign
from .draw import draw
from .edit import edit, open_reference

KEPT_RESULTS = 64
FIELDS = ("prompt", "model", "size", "n", "response_format", "seed", "watermark")


def create_app(seconds: float = 0.5) -> Starlette:
    """The API as an ASGI app. A call takes at least `seconds`, as one to the provider takes a while.

    Errors have the provider's shape and codes. Results are kept in memory, the last 64 of them.
    """
    app = Starlette(
        routes=[
            *(Route(f"/v1/images/{task}", partial(_answer, task), methods=["POST"]) for task in get_args(Task)),
            Route("/v1/results/{name}.png", _result, name="result"),
        ],
        exception_handlers={404: _not_offered, 405: _not_offered},
    )
    app.router.redirect_slashes = False
    app.state.results = {}
    app.state.seconds = seconds
    return app


async def _answer(task: Task, call: Request) -> Response:
    began = time.monotonic()
    scheme, _, key = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return _error(401, "The Authorization header must be: Bearer, a space, and an API key.", "2101")
    try:
        request = read_request(await call.body(), task)
        references = [await asyncio.to_thread(open_reference, entry) for entry in request.references]
    except InvalidRequest as error:
        return _error(400, str(error), "2004", error.field)
    except (ValueError, RecursionError) as error:
        return _error(400, f"The body can't be read: {error}.", "2005")
    first = secrets.randbelow(MAX_SEED + 1) if request.seed is None else request.seed
    seeds = [(first + number) % (MAX_SEED + 1) for number in range(request.n)]
    pictures = await asyncio.gather(*(asyncio.to_thread(_make, request, references, seed) for seed in seeds))
    await asyncio.sleep(max(0.0, began + call.app.state.seconds - time.monotonic()))
    usage = {"total_tokens": request.n, "output_tokens": request.n, "input_tokens_details": {}}
    data = [_datum(call, request.response_format, picture) for picture in pictures]
    return _json({"created": int(time.time()), "data": data, "usage": usage})


def read_request(body: bytes, task: Task) -> ImageRequest:
    """The request in a JSON body; null is absent. Raises InvalidRequest, or ValueError where the form is wrong."""
    fields = _object(json.loads(body), "the body")
    options = _object(fields.get("optimize_prompt_options", {}), "optimize_prompt_options")
    values = {"prompt": ""} | {name: fields[name] for name in FIELDS if name in fields}
    values |= {"optimize_prompt": options.get("enable"), "negative_prompt": options.get("negative_prompt")}
    if task == "generations":
        return TextToImage(**values)
    given = fields.get("image")
    images = tuple(given) if isinstance(given, list) else ()
    if not 1 <= len(images) <= MAX_REFERENCES:
        raise InvalidRequest("image", "picture_count", given, low=1, high=MAX_REFERENCES, count=len(images))
    return ImageEdit(image=images[0], **values) if len(images) == 1 else ImageFusion(images=images, **values)


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a JSON object")
    return {name: entry for name, entry in value.items() if entry is not None}


def _make(request: ImageRequest, pictures: list[Image.Image], seed: int) -> bytes:
    """The request's picture for a seed, as PNG."""
    size = next(((size.width, size.height) for size in SIZES if size.name == request.size), None)
    image = draw(request.prompt, seed, size) if size and not pictures else edit(request.prompt, pictures, seed, size)
    if request.watermark:
        sign(image, "offline preview")
    png = BytesIO()
    image.save(png, "PNG", compress_level=2)  # 6, the default, takes twice as long for a tenth fewer bytes
    return png.getvalue()


def _datum(call: Request, response_format: str, picture: bytes) -> dict[str, str]:
    if response_format == "b64_json":
        return {"b64_json": base64.b64encode(picture).decode()}
    results = call.app.state.results
    name = secrets.token_urlsafe(18)  # nobody can guess it
    results[name] = picture
    if len(results) > KEPT_RESULTS:
        del results[next(iter(results))]
    return {"url": str(call.url_for("result", name=name))}


async def _result(call: Request) -> Response:
    picture = call.app.state.results.get(call.path_params["name"])
    if picture is None:
        raise HTTPException(404)
    return Response(picture, media_type="image/png")


async def _not_offered(call: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return _error(status, f"{call.method} {call.url.path[:80]} is not offered here.", str(status))


def _error(status: int, message: str, code: str, param: str | None = None) -> Response:
    kind = {401: "authentication_error", 404: "not_found_error"}.get(status, "invalid_request_error")
    return _json({"error": {"message": message, "type": kind, "code": code, "param": param}}, status)


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return JSONResponse(body, status, headers={"x-request-id": str(uuid.uuid4())})
