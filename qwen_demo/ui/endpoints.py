"""The functions for programs: three named endpoints beside the page, callable with gradio_client."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr

from ..api import catalog
from ..api.requests import ImageEdit, ImageFusion, ImageRequest, TextToImage
from ..job import Job, Progress
from ..service import Service, draw_seed
from .events import told
from .visit import publish, uploaded, visitor
from .words import describe

TEXT_MODEL = catalog.models_for("generations")[0].name
EDIT_MODEL = catalog.models_for("edits")[0].name

Source = str | gr.FileData
Answer = tuple[list[gr.FileData], dict[str, Any]]
Endpoint = Callable[..., Awaitable[Answer]]


def add_endpoints(service: Service) -> None:
    """Add `/text_to_image`, `/edit_image` and `/fuse_images` to the page that is being built."""
    for endpoint in make_endpoints(service):
        gr.events.api(told(endpoint, "en"), api_name=endpoint.__name__, concurrency_limit=None)


def make_endpoints(service: Service) -> tuple[Endpoint, ...]:
    """What programs can ask for: `text_to_image`, `edit_image` and `fuse_images`.

    Each answers with files and a dict of `request_id, model, size, seed, n, usage, seconds, request{endpoint, body}`
    (embedded pictures in `body` cut short, no key), and `pictures` and `problems`, a row each.
    """

    async def text_to_image(
        http: gr.Request,
        prompt: str,
        model: str = TEXT_MODEL,
        size: str = catalog.DEFAULT_SIZE,
        n: int = 1,
        seed: int | None = None,
        negative_prompt: str = "",
        optimize_prompt: bool = True,
        watermark: bool = False,
        response_format: str = "url",
    ) -> Answer:
        """Make pictures from words.

        Args:
            prompt: what to draw, 1 to 800 characters.
            model: `qwen-image-plus` or `qwen-image`.
            size: `1664x928`, `1472x1140`, `1328x1328`, `1140x1472` or `928x1664`.
            n: how many pictures, 1 to 6.
            seed: 0 to 2147483647; none draws one. Several pictures have the seeds from here on.
            negative_prompt: what should not be in the picture, up to 500 characters.
            optimize_prompt: whether the prompt is rewritten for a better picture.
            watermark: whether the provider puts its mark on the picture.
            response_format: how results travel from the API, `url` or `b64_json`.
        """
        request = TextToImage(
            prompt=prompt,
            **_fields(model, size, seed, negative_prompt, optimize_prompt, watermark, response_format),
        )
        return await _deliver(service, request, n, http)

    async def edit_image(
        http: gr.Request,
        prompt: str,
        image: Source,
        model: str = EDIT_MODEL,
        size: str | None = None,
        n: int = 1,
        seed: int | None = None,
        negative_prompt: str = "",
        optimize_prompt: bool = True,
        watermark: bool = False,
        response_format: str = "url",
    ) -> Answer:
        """Change a picture by words.

        Args:
            prompt: what to change, 1 to 800 characters.
            image: the picture, an upload or an https:// address that is passed on as it is.
            model: `qwen-image-edit-plus`, `qwen-image-edit-plus-2025-10-30` or `qwen-image-edit`.
            size: as for text_to_image; none gives the result the picture's shape.
            n: how many pictures, 1 to 6.
            seed: 0 to 2147483647; none draws one.
            negative_prompt: what should not be in the picture, up to 500 characters.
            optimize_prompt: whether the prompt is rewritten for a better picture.
            watermark: whether the provider puts its mark on the picture.
            response_format: how results travel from the API, `url` or `b64_json`.
        """
        request = ImageEdit(
            prompt=prompt,
            image=await _reference(service, image, http),
            **_fields(model, size, seed, negative_prompt, optimize_prompt, watermark, response_format),
        )
        return await _deliver(service, request, n, http)

    async def fuse_images(
        http: gr.Request,
        prompt: str,
        images: list[Source],
        model: str = EDIT_MODEL,
        size: str | None = None,
        n: int = 1,
        seed: int | None = None,
        negative_prompt: str = "",
        optimize_prompt: bool = True,
        watermark: bool = False,
        response_format: str = "url",
    ) -> Answer:
        """Make one picture out of two or three.

        Args:
            prompt: what to make of them; it calls them 图1, 图2, 图3 in their order.
            images: the pictures, each an upload or an https:// address that is passed on as it is.
            model: `qwen-image-edit-plus`, `qwen-image-edit-plus-2025-10-30` or `qwen-image-edit`.
            size: as for text_to_image; none gives the result the last picture's shape.
            n: how many pictures, 1 to 6.
            seed: 0 to 2147483647; none draws one.
            negative_prompt: what should not be in the picture, up to 500 characters.
            optimize_prompt: whether the prompt is rewritten for a better picture.
            watermark: whether the provider puts its mark on the picture.
            response_format: how results travel from the API, `url` or `b64_json`.
        """
        sources = images if isinstance(images, list) else [images]
        request = ImageFusion(
            prompt=prompt,
            # More than fit are counted and refused by the request; they need not be read first.
            images=tuple(
                [await _reference(service, image, http) for image in sources]
                if len(sources) <= catalog.MAX_REFERENCES
                else [""] * len(sources)
            ),
            **_fields(model, size, seed, negative_prompt, optimize_prompt, watermark, response_format),
        )
        return await _deliver(service, request, n, http)

    return text_to_image, edit_image, fuse_images


def _fields(
    model: str,
    size: str | None,
    seed: int | None,
    negative_prompt: str,
    optimize_prompt: bool,
    watermark: bool,
    response_format: str,
) -> dict[str, Any]:
    """The fields that all three requests share, with the seed drawn where none is given."""
    return {
        "model": model,
        "size": size,
        "seed": draw_seed() if seed is None else seed,
        "negative_prompt": negative_prompt or None,
        "optimize_prompt": optimize_prompt,
        "watermark": watermark,
        "response_format": response_format,
    }


async def _reference(service: Service, source: object, http: gr.Request) -> str:
    """An address as it is, an upload made ready."""
    if isinstance(source, dict):
        return await service.reference(uploaded(source), visitor(http).name)
    return source if isinstance(source, str) else ""


async def _deliver(service: Service, request: ImageRequest, n: int, http: gr.Request) -> Answer:
    job = await service.order(request, n, visitor(http))
    try:
        progress = await job.finish()
    except asyncio.CancelledError:
        job.cancel()
        raise
    if not progress.pictures:
        raise progress.problems[0]
    files = [gr.FileData(path=publish(picture.path)) for picture in progress.pictures]
    return files, _details(job, progress)


def _details(job: Job, progress: Progress) -> dict[str, Any]:
    request = job.request
    return {
        "request_id": progress.request_ids[0] if progress.request_ids else None,
        "model": request.model,
        "size": request.size,
        "seed": request.seed,
        "n": job.n,
        "usage": progress.usage,
        "seconds": round(progress.seconds, 3),
        # gradio_client takes any dict with a "path" for a file, and would try to fetch it.
        "request": {"endpoint": f"/{request.path}", "body": request.payload()},
        "pictures": [
            {"seed": picture.seed, "width": picture.width, "height": picture.height, "request_id": picture.request_id}
            for picture in progress.pictures
        ],
        "problems": [describe(problem, "en") for problem in progress.problems],
    }
