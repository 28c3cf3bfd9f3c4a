"""The functions for programs: five named endpoints beside the page, callable with gradio_client."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ..api.errors import InvalidRequest
from ..api.requests import STAND_IN, ImageEdit, ImageFusion, TextToImage
from ..axes import Axes, expand, wordings
from ..call import Photo
from ..service import Service, draw_seed
from .answers import Endpoint, Ordering, Placed, answering, once
from .events import in_words, visitor
from .files import uploaded
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
from .photos import apart, plain

KINDS = {
    "text_to_image": TextToImage.kind,
    "edit_image": ImageEdit.kind,
    "fuse_images": ImageFusion.kind,
    "batch_edit": ImageEdit.kind,
    "vary": TextToImage.kind,
}
"""The endpoints by their names, and what each asks for."""
STREAMED = ("batch_edit", "vary")
"""Those whose callers hear of each picture as it comes; the others' hear of all in the end."""


def add_endpoints(service: Service) -> None:
    """Add the endpoints to the page that is being built, as far as any model can do what they are for."""
    for name, endpoint in make_endpoints(service).items():
        answered = endpoint if name in STREAMED else once(endpoint)
        gr.events.api(in_words(answered, "en"), api_name=name, concurrency_limit=None)


def make_endpoints(service: Service) -> dict[str, Endpoint]:
    """What programs can ask for, by the names in `KINDS`.

    Each answers for every picture as soon as it is known what came of it: with its file, if there is one, with `of` and
    `come` (pictures ordered, and here), and its row. In the end it answers for all, with the files and `request_id,
    model, size, seed, n, usage, seconds, request{endpoint, body}` (embedded pictures in `body` cut short, no key), the
    rows of its `pictures`, those of what `failed`, and all `problems` in words.

    A row has `place` (from 0), `prompt, model, size`, in a batch `image` (which of them, from 0) and `name`, and then
    `seed, width, height, request_id, revised_prompt`, or a `problem`. With a mask it has `region{box, sent, changed,
    cut, identical_pixels, answer}`, and so has the last answer.
    """
    catalog = service.engine.catalog

    def default(kind: str) -> str:
        return next((model.name for model in catalog.doing(kind)), "")

    # Where one model rewrites only when it is asked to, nothing said means as is usual with each.
    usually = True if all(model.rewrites_unasked for model in catalog.models) else None
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
    ) -> Placed:
        """Make pictures from words."""
        if size is None and (known := catalog.find(model, TextToImage.kind)):
            size = known.default_size
        return await _placed(service, TextToImage.kind, [], n, http, _shared(locals()))

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
    ) -> Placed:
        """Change a picture by words."""
        where = {"mask": None if mask is None else _source(mask)}
        return await _placed(service, ImageEdit.kind, [image], n, http, _shared(locals()) | where)

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
    ) -> Placed:
        """Make one picture out of several."""
        pictures = images if isinstance(images, list) else [images]
        return await _placed(service, ImageFusion.kind, pictures, n, http, _shared(locals()))

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
    ) -> Placed:
        """Change many pictures by the same words, each by itself. Those that can't be read are left out, and told."""
        fields = _usual(service, ImageEdit.kind, _shared(locals()))
        given = images if isinstance(images, list) else [images]
        photos, left_out = await _taken_in(service, given, n, http, fields)
        order = await service.order_from(ImageEdit.kind, [], n, visitor(http), photos=[*photos.values()], **fields)
        return Placed(order, [*photos], left_out)

    async def vary(
        http: gr.Request,
        prompt: Wordings,
        models: Models = None,
        sizes: Sizes = None,
        seeds: Seeds = None,
        rewritings: Rewritings = None,
        negative_prompt: NegativePrompt = "",
        watermark: Watermark = False,
        response_format: ResponseFormat = "url",
        steps: Steps = None,
        guidance: Guidance = None,
    ) -> Placed:
        """Make pictures from words in several ways, to compare: all prompts with all models, sizes and seeds."""
        prompts = wordings(prompt) if isinstance(prompt, str) else ()
        axes = Axes(prompts, _several(models), _several(sizes), _several(rewritings), _several(seeds))
        names = axes.model or (text_model,)
        rows = [row for name in names if (row := catalog.find(name, TextToImage.kind))]
        usual_sizes = {row.default_size for row in rows}
        size = usual_sizes.pop() if len(usual_sizes) == 1 else None
        one = {"model": names[0], "size": size, "seed": None, "optimize_prompt": usually}
        fields, words = _shared(locals() | one), prompt if len(prompts) > 1 else ""
        order = await service.order_from(TextToImage.kind, [], 1, visitor(http), axes=axes, words=words, **fields)
        return Placed(order)

    every: tuple[Ordering, ...] = (text_to_image, edit_image, fuse_images, batch_edit, vary)
    hidden = () if any(model.tunable for model in catalog.models) else ("steps", "guidance")
    able = [ordering for ordering in every if catalog.doing(KINDS[ordering.__name__])]
    return {ordering.__name__: answering(service, ordering, hidden) for ordering in able}


def _shared(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that all requests share, out of an endpoint's parameters, with the seed drawn where none is given."""
    shared = {name: given[name] for name in SENT}
    seed = draw_seed() if shared["seed"] is None else shared["seed"]
    negative = None if shared["negative_prompt"] == "" else shared["negative_prompt"]
    return {**shared, "seed": seed, "negative_prompt": negative}


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


def _several(values: object) -> tuple[Any, ...]:
    """What a list holds, or one value by itself. What is absent is none."""
    return tuple(value for value in (values if isinstance(values, list) else [values]) if value is not None)


async def _placed(
    service: Service, kind: str, pictures: Iterable[object], n: int, http: gr.Request, fields: dict[str, Any]
) -> Placed:
    sources = list(map(_source, pictures))
    return Placed(await service.order_from(kind, sources, n, visitor(http), **_usual(service, kind, fields)))


async def _taken_in(
    service: Service, given: Sequence[object], n: int, http: gr.Request, fields: Mapping[str, Any]
) -> tuple[dict[int, Photo], list[dict[str, Any]]]:
    """The photos of a batch, by their places among the images that were given, and a row for each that is left out.

    Raises:
        InvalidRequest: a field breaks its rule, or none can be used.
        QwenDemoError: as for `order_from`; that is seen before any image is looked at.
    """
    everything = {**fields, "catalog": service.engine.catalog}
    requests = expand(ImageEdit.kind, [STAND_IN], n, Axes(), everything, max(1, len(given)))
    await service.admit(requests, visitor(http))

    async def take(image: object, name: str) -> Photo | InvalidRequest:
        try:
            photo = await service.uploads.photo(_source(image), name, visitor(http))
            if photo.is_address:
                requests[0].holding([photo.reference])  # which not every model takes
            return photo
        except InvalidRequest as error:
            return error

    names = apart([_file_name(image) or f"image {number}" for number, image in enumerate(given, 1)])
    taking = list(map(asyncio.ensure_future, map(take, given, names)))
    try:
        found = dict(enumerate(await asyncio.gather(*taking)))
    finally:  # what one is refused for, the others need not be made ready for
        for one in taking:
            one.cancel()
        await asyncio.gather(*taking, return_exceptions=True)
    photos = {at: photo for at, photo in found.items() if isinstance(photo, Photo)}
    refused = {at: error for at, error in found.items() if isinstance(error, InvalidRequest)}
    if not photos:
        raise next(iter(refused.values()), InvalidRequest("images", "picture_missing", ""))
    left_out = [{"image": at, "name": names[at], "problem": describe(error, "en")} for at, error in refused.items()]
    return photos, left_out


def _file_name(image: object) -> str:
    """What an image's file is called where it comes from; "" where nobody says."""
    if isinstance(image, dict):
        return plain(str(image.get("orig_name") or ""))
    return plain(image.partition("?")[0]) if isinstance(image, str) and image.startswith("https://") else ""
