"""The image APIs as one ASGI app: their paths, bodies and answers, with pictures of its own.

How each is spoken is a file beside this one with a `Front`; what they share is here.
"""

import asyncio
import base64
import secrets
from collections import deque
from collections.abc import Mapping
from functools import partial
from io import BytesIO
from typing import Any

from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..api.catalog import DEFAULT_SIZE, MAKER, MAX_SEED, PROVIDER, Catalog, pixels
from ..api.errors import InvalidRequest
from ..api.requests import ImageRequest
from . import dashscope, gateway, openai
from .canvas import sign
from .draw import draw
from .front import Drawn, Front, WrongModel
from .retouch import open_reference, retouch


def create_app(seconds: float = 0.5, *, provider: Catalog = PROVIDER, maker: Catalog = MAKER) -> Starlette:
    """The APIs as an ASGI app. A call takes at least `seconds`, as one to a real one takes a while.

    Errors have the shapes and codes of those whose paths are asked. Results are kept in memory, the last 64 of them.

    Args:
        seconds: of a call.
        provider: the models at `/v1/images`, besides the engine's own.
        maker: the models at `/api/v1/services`.
    """
    fronts = {
        gateway.PATHS: gateway.front(provider),
        dashscope.PATHS: dashscope.front(maker),
    }
    calls = [
        Route(path, partial(_answer, front), methods=["POST"]) for paths, front in fronts.items() for path in paths
    ]
    app = Starlette(
        routes=[*calls, openai.MODELS, Route("/v1/results/{name}.png", _result, name="result")],
        exception_handlers={HTTPException: _not_offered},
    )
    app.router.redirect_slashes = False
    app.state.seconds, app.state.results = seconds, deque(maxlen=64)
    return app


async def _answer(front: Front, call: Request) -> Response:
    body = await call.body()
    if openai.is_meant(call, body):  # at the provider's paths
        front = openai.FRONT
    scheme, _, key = call.headers.get("authorization", "").partition(" ")
    if front.locked and (scheme.lower() != "bearer" or not key.strip()):
        return _json(*front.refusal(401, "The Authorization header must be: Bearer, a space, and an API key.", None))
    try:
        request = await front.read(call, body)
        references = [await asyncio.to_thread(open_reference, entry) for entry in request.references]
    except WrongModel as error:
        return _json(*front.refusal(404, str(error), "model"))
    except InvalidRequest as error:
        status = front.missing_picture if error.problem == "picture_missing" else 400
        return _json(*front.refusal(status, str(error), error.field))
    except (ValueError, RecursionError) as error:
        return _json(*front.refusal(400, f"The body can't be read: {error}.", ""))
    first = secrets.randbelow(MAX_SEED + 1) if request.seed is None else request.seed
    seeds = [(first + number) % (MAX_SEED + 1) for number in range(request.n)]
    drawn = (asyncio.to_thread(_drawn, call, request, references, seed) for seed in seeds)
    _, pictures = await asyncio.gather(asyncio.sleep(call.app.state.seconds), asyncio.gather(*drawn))
    return _json(200, front.answer(request, pictures))


def _drawn(call: Request, request: ImageRequest, pictures: list[Image.Image], seed: int) -> Drawn:
    """The request's picture for a seed, a PNG, at an address or in base64."""
    size = pixels(request.size) if request.size else None
    if pictures:
        image = retouch(request.prompt, pictures, seed, size)
    else:
        image = draw(request.prompt, seed, size or pixels(DEFAULT_SIZE))
    if request.watermark:
        sign(image, "offline preview")
    image.save(png := BytesIO(), "PNG", compress_level=2)  # 6, the default, takes twice as long for a tenth fewer bytes
    if request.response_format == "b64_json":
        return Drawn(image.size, b64=base64.b64encode(png.getvalue()).decode())
    name = secrets.token_urlsafe(18)  # nobody can guess it
    call.app.state.results.append((name, png.getvalue()))
    return Drawn(image.size, url=str(call.url_for("result", name=name)))


async def _result(call: Request) -> Response:
    if picture := dict(call.app.state.results).get(call.path_params["name"]):
        return Response(picture, media_type="image/png")
    raise HTTPException(404)


async def _not_offered(call: Request, error: Any) -> Response:
    status = error.status_code
    return _json(*gateway.refusal(status, f"{call.method} {call.url.path[:80]} is not offered here.", None))


def _json(status: int, body: Mapping[str, Any]) -> Response:
    return JSONResponse(body, status, headers={"x-request-id": secrets.token_hex(16)})
