"""The functions for programs: three named endpoints beside the page, callable with gradio_client."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import gradio as gr
from pydantic import Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from ..api import catalog
from ..api.catalog import Catalog
from ..api.dialects import Prepared
from ..api.engine import Engine
from ..api.requests import ImageEdit, ImageFusion, TextToImage
from ..library import Library
from ..order import Order
from ..order import Picture as Finished
from ..service import Service, draw_seed
from ..snippets import grouped
from .events import in_words, visitor
from .files import publish, publish_entry, uploaded
from .given import SENT
from .messages import describe

Answer = tuple[list[gr.FileData], dict[str, Any]]
Endpoint = Callable[..., Awaitable[Answer]]


# What programs can say. Gradio sees the bare types; agents and the README have ranges, choices and meanings from here,
# and what depends on the models from `narrowed`.
Absent = SkipJsonSchema[None]  # left out, and never spelled: a schema without null is one that every agent reads
Prompt = Annotated[str, Field(min_length=1, description="what to draw or to change")]
Picture = Annotated[
    str | gr.FileData,
    WithJsonSchema({"type": "string", "description": "an https:// address, or a data: URL with the picture in base64"}),
]
Mask = (
    Annotated[
        str | gr.FileData,
        WithJsonSchema(
            {
                "type": "string",
                "description": "white (or transparent) where alone the picture may change, in its shape; every other "
                "pixel then stays as it is, at the picture's size. A data: URL with the mask in base64",
            }
        ),
    ]
    | Absent
)
Pictures = Annotated[
    list[Picture],
    Field(min_length=2, description="the pictures, which the prompt calls 图1 to 图{most} in their order"),
]
TextModel = Annotated[str, Field(description="the model that draws")]
EditModel = Annotated[str, Field(description="the model that edits")]
TextSize = Annotated[str, Field(description="in pixels; else the model's default")] | Absent
EditSize = Annotated[str, Field(description="in pixels; else the shape of the (last) picture")] | Absent
Count = Annotated[int, Field(ge=1, le=catalog.MAX_PICTURES, description="how many pictures")]
Seed = Annotated[int, Field(ge=0, le=catalog.MAX_SEED, description="the first picture's, then +1; else drawn")] | Absent
NegativePrompt = Annotated[str, Field(max_length=catalog.MAX_NEGATIVE_PROMPT, description="what should not be seen")]
OptimizePrompt = (
    Annotated[bool, Field(description="whether the provider rewrites the prompt for a better picture")] | Absent
)
Watermark = Annotated[bool, Field(description="whether the provider puts its mark on the picture")]
ResponseFormat = Annotated[
    str,
    Field(description="how results travel from the API", json_schema_extra={"enum": list(catalog.RESPONSE_FORMATS)}),
]
Steps = Annotated[int, Field(ge=1, le=catalog.MAX_STEPS, description="of the engine's work; else its own")] | Absent
Guidance = (
    Annotated[
        float, Field(ge=0, le=catalog.MAX_GUIDANCE, description="how closely it follows the prompt; else its own")
    ]
    | Absent
)
_NEEDS = {
    "negative_prompt": "negative", "optimize_prompt": "rewrites", "watermark": "watermark", "seed": "seeded",
    "steps": "tunable", "guidance": "tunable",
}  # fmt: skip
"""The parameters that not every model has, and what their models are called to have."""


def narrowed(schema: dict[str, Any], models: Catalog, kind: str) -> dict[str, Any]:
    """An endpoint's schema with what its models can do: parameters that none of them has are gone."""
    able = models.doing(kind)
    properties = {
        name: dict(part)
        for name, part in schema["properties"].items()
        if name not in _NEEDS or any(getattr(model, _NEEDS[name]) for model in able)
    }
    properties["model"]["enum"] = [model.name for model in able]
    if not any(model.in_tokens for model in able):
        properties["prompt"]["maxLength"] = max((model.max_prompt for model in able), default=0)
    if not any(model.any_size for model in able):
        if names := list(models.sizes(kind)):
            properties["size"]["enum"] = names
        else:
            del properties["size"]
    if "images" in properties:
        most = properties["images"]["maxItems"] = models.most_references
        properties["images"]["description"] = properties["images"]["description"].format(most=most)
    return {**schema, "properties": properties}


def add_endpoints(service: Service) -> None:
    """Add `/text_to_image`, `/edit_image` and `/fuse_images` to the page that is being built."""
    kinds = (TextToImage.kind, ImageEdit.kind, ImageFusion.kind)
    for kind, endpoint in zip(kinds, make_endpoints(service), strict=True):
        if not service.engine.catalog.doing(kind):
            continue
        gr.events.api(in_words(endpoint, "en"), api_name=endpoint.__name__, concurrency_limit=None)


def make_endpoints(service: Service) -> tuple[Endpoint, ...]:
    """What programs can ask for: `text_to_image`, `edit_image` and `fuse_images`.

    Each answers with files and a dict of `request_id, model, size, seed, n, usage, seconds, request{endpoint, body}`
    (embedded pictures in `body` cut short, no key), and `pictures` and `problems`, a row each. With a mask there is
    `region{box, sent, changed, cut, identical_pixels, answer}` besides, and in each row of `pictures`.
    """
    models = service.engine.catalog

    def default(kind: str) -> str:
        return next((model.name for model in models.doing(kind)), "")

    # Where one model rewrites only when it is asked to, nothing said means as is usual with each.
    usually = True if all(model.rewrites_unasked for model in models.models) else None
    text_model, edit_model, fusion_model = map(default, (TextToImage.kind, ImageEdit.kind, ImageFusion.kind))

    async def text_to_image(
        http: gr.Request,
        prompt: Prompt,
        model: TextModel = text_model,
        size: TextSize = None,
        n: Count = 1,
        seed: Seed = None,
        negative_prompt: NegativePrompt = "",
        optimize_prompt: OptimizePrompt = usually,
        watermark: Watermark = False,
        response_format: ResponseFormat = "url",
        steps: Steps = None,
        guidance: Guidance = None,
    ) -> Answer:
        """Make pictures from words."""
        if size is None and (known := models.find(model, TextToImage.kind)):
            size = known.default_size
        return await _deliver(service, TextToImage.kind, [], n, http, _shared(locals()))

    async def edit_image(
        http: gr.Request,
        prompt: Prompt,
        image: Picture,
        model: EditModel = edit_model,
        size: EditSize = None,
        n: Count = 1,
        seed: Seed = None,
        negative_prompt: NegativePrompt = "",
        optimize_prompt: OptimizePrompt = usually,
        watermark: Watermark = False,
        response_format: ResponseFormat = "url",
        steps: Steps = None,
        guidance: Guidance = None,
        mask: Mask = None,
    ) -> Answer:
        """Change a picture by words."""
        where = {"mask": None if mask is None else _source(mask)}
        return await _deliver(service, ImageEdit.kind, [image], n, http, _shared(locals()) | where)

    async def fuse_images(
        http: gr.Request,
        prompt: Prompt,
        images: Pictures,
        model: EditModel = fusion_model,
        size: EditSize = None,
        n: Count = 1,
        seed: Seed = None,
        negative_prompt: NegativePrompt = "",
        optimize_prompt: OptimizePrompt = usually,
        watermark: Watermark = False,
        response_format: ResponseFormat = "url",
        steps: Steps = None,
        guidance: Guidance = None,
    ) -> Answer:
        """Make one picture out of several."""
        pictures = images if isinstance(images, list) else [images]
        return await _deliver(service, ImageFusion.kind, pictures, n, http, _shared(locals()))

    endpoints = (text_to_image, edit_image, fuse_images)
    if not any(model.tunable for model in models.models):
        return tuple(_without(endpoint, "steps", "guidance") for endpoint in endpoints)
    return endpoints


def _without(endpoint: Endpoint, *names: str) -> Endpoint:
    """An endpoint that hasn't these parameters, as callers, Gradio and agents see it. They have defaults."""
    whole = inspect.signature(endpoint)
    signature = whole.replace(parameters=[one for name, one in whole.parameters.items() if name not in names])

    @wraps(endpoint)
    async def narrower(*args: Any, **named: Any) -> Answer:  # Gradio gives all by their places
        return await endpoint(**signature.bind(*args, **named).arguments)

    narrower.__signature__ = signature  # type: ignore[attr-defined]
    narrower.__annotations__ = {name: kind for name, kind in endpoint.__annotations__.items() if name not in names}
    return narrower


def _shared(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that all requests share, out of an endpoint's parameters, with the seed drawn where none is given."""
    shared = {name: given[name] for name in SENT}
    seed = draw_seed() if shared["seed"] is None else shared["seed"]
    return {**shared, "seed": seed, "negative_prompt": shared["negative_prompt"] or None}


def _source(picture: object) -> Path | str:
    """An upload, or a text; "" for what is neither."""
    if isinstance(picture, dict):
        return uploaded(picture)
    return picture if isinstance(picture, str) else ""


async def _deliver(
    service: Service, kind: str, pictures: Iterable[object], n: int, http: gr.Request, fields: dict[str, Any]
) -> Answer:
    known = service.engine.catalog.find(fields["model"], kind)
    if fields["optimize_prompt"] is None and known:
        fields["optimize_prompt"] = known.rewrites_unasked
    order = await service.order_from(kind, list(map(_source, pictures)), n, visitor(http), **fields)
    try:
        await order.finish()
    except asyncio.CancelledError:
        order.cancel()
        raise
    if not order.pictures:
        raise order.problems[0]
    library = service.library(order.visitor)

    def published(path: Path) -> gr.FileData:
        entry = library.entry_of(path)
        return gr.FileData(path=publish_entry(entry) if entry else publish(path), orig_name=path.name)

    files = [await asyncio.to_thread(published, picture.path) for picture in order.pictures]
    rows = [await asyncio.to_thread(_row, library, picture) for picture in order.pictures]
    return files, _details(order, service.engine, rows)


def _row(library: Library, picture: Finished) -> dict[str, Any]:
    """What is told of a picture, where it is aside."""
    row = {name: value for name, value in asdict(picture).items() if name not in ("path", "region")}
    if not (region := picture.region):
        return row
    answer = library.reference(region.answer)
    told = {
        "box": region.box,
        "sent": region.size,
        "changed": region.changed,
        "cut": region.cut,
        "identical_pixels": region.identical,
        "answer": gr.FileData(path=publish_entry(answer)).model_dump() if answer else None,
    }
    return row | {"region": told}


def _details(order: Order, engine: Engine, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    request = order.request
    prepared = engine.dialect.prepare(order.calls[0].sent)
    return {
        "request_id": order.request_ids[0] if order.request_ids else None,
        "model": request.model,
        "size": request.size,
        "seed": request.seed,
        "n": order.n,
        "usage": order.usage,
        "seconds": round(order.seconds, 3),
        # gradio_client takes any dict with a "path" for a file, and would try to fetch it.
        "request": {"endpoint": f"/{prepared.path}", "body": _body(prepared)},
        "pictures": rows,
        **({"region": rows[0]["region"]} if "region" in rows[0] else {}),
        "problems": [describe(problem, "en") for problem in order.problems],
    }


def _body(prepared: Prepared) -> dict[str, Any]:
    """What was sent, as a dict; embedded pictures are cut short by now."""
    if prepared.json is not None:
        return dict(prepared.json)
    return grouped([*prepared.form, *((name, "…") for name, _ in prepared.files)])
