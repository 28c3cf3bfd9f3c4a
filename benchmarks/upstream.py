"""The API of all rows, a process of its own: answers after 1.0 s with pictures of about 4 MB that were made in advance.

`python -m benchmarks.upstream --port 8100`. A prompt with the word `photo` brings photograph-like pictures, one with
`slow` results whose addresses answer after another 0.5 s.
"""

import argparse
import asyncio
import base64
import io
import os
from itertools import count
from pathlib import Path

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LATENCY, SLOW = 1.0, 0.5  # seconds
SIDE, PICTURES = 1328, 16
PHOTO = Path(__file__).parents[1] / "qwen_demo" / "ui" / "photos" / "astronaut.png"
_SIX_BITS = bytes(value & 0xFC for value in range(256))  # what of noise PNG can't pack is about 4 MB
_GRAIN = bytes(value & 0x07 for value in range(256))


def noise_png() -> bytes:
    """A PNG of noise, about 4 MB."""
    return _png(Image.frombytes("RGB", (SIDE, SIDE), os.urandom(SIDE * SIDE * 3).translate(_SIX_BITS)))


def photo_png() -> bytes:
    """A PNG of about 4 MB that looks like a photograph: smooth areas, edges, and a sensor's grain."""
    with Image.open(PHOTO) as photo:
        smooth = photo.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    grain = os.urandom(SIDE * SIDE * 3).translate(_GRAIN)
    grained = bytes(value & 0xF8 | bits for value, bits in zip(smooth.tobytes(), grain, strict=True))
    return _png(Image.frombytes("RGB", (SIDE, SIDE), grained))


def create_app() -> Starlette:
    noise = [noise_png() for _ in range(PICTURES)]
    photos = [photo_png()]
    numbers = count()

    async def answer(request: Request) -> Response:
        body = await request.json()
        prompt, wanted = body["prompt"], body.get("n", 1)
        await asyncio.sleep(LATENCY)
        chosen = [next(numbers) for _ in range(wanted)]
        if body.get("response_format") == "b64_json":
            data = [{"b64_json": base64.b64encode(noise[number % PICTURES]).decode()} for number in chosen]
        else:
            kind = "photo" if "photo" in prompt else "slow" if "slow" in prompt else "noise"
            data = [{"url": f"{request.base_url}{kind}/{number % PICTURES}.png"} for number in chosen]
        return JSONResponse({"created": 1, "data": data, "usage": {"total_tokens": wanted}})

    async def picture(request: Request) -> Response:
        kind, number = request.path_params["kind"], request.path_params["number"]
        if kind == "slow":
            await asyncio.sleep(SLOW)
        pictures = photos if kind == "photo" else noise
        return Response(pictures[number % len(pictures)], media_type="image/png")

    return Starlette(
        routes=[
            Route("/v1/images/{task}", answer, methods=["POST"]),
            Route("/{kind}/{number:int}.png", picture),
            Route("/healthz", lambda _: Response("ok")),
        ]
    )


def _png(image: Image.Image) -> bytes:
    image.save(buffer := io.BytesIO(), "PNG", compress_level=1)
    return buffer.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(create_app(), host="127.0.0.1", port=parser.parse_args().port, log_level="warning")
