"""The functions for programs: five named endpoints beside the page, callable with gradio_client."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any, cast

import gradio as gr

from ..api.dialects import Prepared
from ..api.engine import Engine
from ..api.errors import InvalidRequest
from ..api.requests import ImageEdit, ImageFusion, TextToImage
from ..axes import MOST, Axes, wordings
from ..library import Library
from ..order import Order, Photo
from ..order import Picture as Finished
from ..service import Service, draw_seed
from ..snippets import grouped
from .events import in_words, visitor
from .files import publish, publish_entry, uploaded
from .given import SENT
from .messages import describe
from .parameters import (
    Count,
    EditModel,
    EditSize,
    Guidance,
    Mask,
    Models,
    NegativePrompt,
    OptimizePrompt,
    Photos,
    Picture,
    Pictures,
    Prompt,
    ResponseFormat,
    Rewritings,
    Seed,
    Seeds,
    Sizes,
    Steps,
    TextModel,
    TextSize,
    Watermark,
    Wordings,
)

Answer = tuple[list[gr.FileData], dict[str, Any]]
Endpoint = Callable[..., Awaitable[Answer] | AsyncIterator[Answer]]
KINDS = {
    "text_to_image": TextToImage.kind,
    "edit_image": ImageEdit.kind,
    "fuse_images": ImageFusion.kind,
    "batch_edit": ImageEdit.kind,
    "vary": TextToImage.kind,
}
"""The endpoints by their names, and what each asks for."""
LONGEST_NAME = 120  # characters of a file's that are told


def add_endpoints(service: Service) -> None:
    """Add the endpoints to the page that is being built, as far as any model can do what they are for."""
    for name, endpoint in make_endpoints(service).items():
        gr.events.api(in_words(endpoint, "en"), api_name=name, concurrency_limit=None)


def make_endpoints(service: Service) -> dict[str, Endpoint]:
    """What programs can ask for, by the names in `KINDS`.

    Each answers with files and a dict of `request_id, model, size, seed, n, usage, seconds, request{endpoint, body}`
    (embedded pictures in `body` cut short, no key), and `pictures` and `problems`, a row each. With a mask there is
    `region{box, sent, changed, cut, identical_pixels, answer}` besides, and in each row of `pictures`. Those for many
    pictures answer so in the end; before, for each picture as it comes, with its file and `place, of, come` and its
    row, or in place of that with the `problem`.
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

    async def batch_edit(
        http: gr.Request,
        prompt: Prompt,
        images: Photos,
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
    ) -> AsyncIterator[Answer]:
        """Change many pictures by the same words, each by itself. Those that can't be read are left out, and told."""
        fields = _usual(service, ImageEdit.kind, _shared(locals()))
        photos, problems = await _taken_in(service, images if isinstance(images, list) else [images], http)
        order = await service.order_from(ImageEdit.kind, [], n, visitor(http), photos=photos, **fields)
        async for answer in _as_they_come(service, order, problems):
            yield answer

    async def vary(
        http: gr.Request,
        prompt: Wordings,
        models: Models = [text_model],  # noqa: B006 - is only read
        sizes: Sizes = None,
        seeds: Seeds = None,
        rewritings: Rewritings = None,
        negative_prompt: NegativePrompt = "",
        watermark: Watermark = False,
        response_format: ResponseFormat = "url",
        steps: Steps = None,
        guidance: Guidance = None,
    ) -> AsyncIterator[Answer]:
        """Make pictures from words in several ways: all prompts with all models, sizes and seeds, to compare."""
        drawn = {"seed": None, "model": models[0] if models else "", "optimize_prompt": None, "size": None}
        fields = _usual(service, TextToImage.kind, _shared(locals() | drawn))
        if not sizes and (known := service.engine.catalog.find(fields["model"], TextToImage.kind)):
            fields["size"] = known.default_size
        axes = Axes(wordings(prompt), tuple(models), tuple(sizes or ()), tuple(rewritings or ()), tuple(seeds or ()))
        words = prompt if len(axes.prompt) > 1 else ""
        order = await service.order_from(TextToImage.kind, [], 1, visitor(http), axes=axes, words=words, **fields)
        async for answer in _as_they_come(service, order):
            yield answer

    # Gradio reads from a signature what an answer is made of, and a generator's is one of many.
    many: tuple[Any, ...] = (batch_edit, vary)
    for endpoint in many:
        endpoint.__signature__ = inspect.signature(endpoint).replace(return_annotation=Answer)
    every: tuple[Endpoint, ...] = (text_to_image, edit_image, fuse_images, *many)
    able = [endpoint for endpoint in every if models.doing(KINDS[endpoint.__name__])]
    if not any(model.tunable for model in models.models):
        able = [_without(endpoint, "steps", "guidance") for endpoint in able]
    return {endpoint.__name__: endpoint for endpoint in able}


def _without(endpoint: Endpoint, *names: str) -> Endpoint:
    """An endpoint that hasn't these parameters, as callers, Gradio and agents see it. They have defaults."""
    whole = inspect.signature(endpoint)
    signature = whole.replace(parameters=[one for name, one in whole.parameters.items() if name not in names])

    def called(*args: Any, **named: Any) -> Any:  # Gradio gives all by their places
        return endpoint(**signature.bind(*args, **named).arguments)

    @wraps(endpoint)
    async def once(*args: Any, **named: Any) -> Answer:
        answer: Answer = await called(*args, **named)
        return answer

    @wraps(endpoint)
    async def many(*args: Any, **named: Any) -> AsyncIterator[Answer]:
        async with aclosing(called(*args, **named)) as answers:
            async for answer in answers:
                yield answer

    narrower: Any = many if inspect.isasyncgenfunction(endpoint) else once
    narrower.__signature__ = signature
    narrower.__annotations__ = {name: kind for name, kind in endpoint.__annotations__.items() if name not in names}
    return cast(Endpoint, narrower)


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


def _usual(service: Service, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, with rewriting as is usual with their model where nothing is said."""
    known = service.engine.catalog.find(fields["model"], kind)
    if fields["optimize_prompt"] is None and known:
        fields["optimize_prompt"] = known.rewrites_unasked
    return fields


async def _taken_in(service: Service, pictures: Sequence[object], http: gr.Request) -> tuple[list[Photo], list[str]]:
    """The photos of an order, and in words which of the pictures can't be used.

    Raises:
        InvalidRequest: none of them can.
    """
    if len(pictures) > MOST:  # before any of them is looked at
        raise InvalidRequest("n", "too_many_pictures", len(pictures), count=len(pictures), limit=MOST)
    photos: list[Photo] = []
    refused: dict[str, InvalidRequest] = {}
    for number, picture in enumerate(pictures, 1):
        name = _file_name(picture) or f"image {number}"
        try:
            photos.append(await service.uploads.photo(_source(picture), name, visitor(http)))
        except InvalidRequest as error:
            refused[name] = error
    if not photos:
        raise next(iter(refused.values()), InvalidRequest("images", "picture_missing", ""))
    return photos, [f"{name}: {describe(error, 'en')}" for name, error in refused.items()]


def _file_name(picture: object) -> str:
    """What a picture's file is called where it comes from; "" where nobody says."""
    if isinstance(picture, dict):
        return str(picture.get("orig_name") or "")[:LONGEST_NAME]
    address = picture if isinstance(picture, str) and picture.startswith("https://") else ""
    return address.partition("?")[0].rpartition("/")[2][:LONGEST_NAME]


async def _as_they_come(service: Service, order: Order, problems: Sequence[str] = ()) -> AsyncIterator[Answer]:
    """An answer for each place of an order as it is known what came of it, and in the end one for all."""
    told: set[int] = set()
    try:
        async for _ in order.watch():
            for place in sorted((order.numbered.keys() | order.reasons.keys()) - told):
                told.add(place)
                files, details = await _of_place(service, order, place)
                yield files, {"place": place, "of": order.n, "come": len(order.pictures), **details}
    finally:
        if not order.finished:  # whoever asked is gone
            order.cancel()
    files, details = await _in_the_end(service, order)
    yield files, {**details, "problems": [*problems, *details["problems"]]}


async def _of_place(service: Service, order: Order, place: int) -> Answer:
    call = next(call for call in order.calls if place in call.places)
    asked = {"prompt": call.request.prompt, "model": call.request.model, "size": call.request.size}
    asked |= {"name": call.photo.name} if call.photo else {}
    picture = order.numbered.get(place)
    if picture is None:
        return [], {**asked, "problem": describe(order.reasons[place], "en")}
    library = service.library(order.visitor)
    file = await asyncio.to_thread(_published, library, picture.path)
    return [file], {**asked, "picture": await asyncio.to_thread(_row, library, picture)}


async def _deliver(
    service: Service, kind: str, pictures: Iterable[object], n: int, http: gr.Request, fields: dict[str, Any]
) -> Answer:
    fields = _usual(service, kind, fields)
    order = await service.order_from(kind, list(map(_source, pictures)), n, visitor(http), **fields)
    try:
        await order.finish()
    except asyncio.CancelledError:
        order.cancel()
        raise
    return await _in_the_end(service, order)


async def _in_the_end(service: Service, order: Order) -> Answer:
    """All pictures of an order that has ended, and what is told of them.

    Raises:
        QwenDemoError: there is none.
    """
    if not order.pictures:
        raise order.problems[0]
    library = service.library(order.visitor)
    files = [await asyncio.to_thread(_published, library, picture.path) for picture in order.pictures]
    rows = [await asyncio.to_thread(_row, library, picture) for picture in order.pictures]
    return files, _details(order, service.engine, rows)


def _published(library: Library, path: Path) -> gr.FileData:
    entry = library.entry_of(path)
    return gr.FileData(path=publish_entry(entry) if entry else publish(path), orig_name=path.name)


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
        "model": ", ".join(order.models),
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
