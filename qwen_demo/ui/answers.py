"""What programs are answered: each picture as it comes, and all of them in the end."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, cast

import gradio as gr

from ..api.dialects import Prepared
from ..api.engine import Engine
from ..api.errors import QwenDemoError
from ..call import Picture
from ..library import Library
from ..logs import InternalError
from ..order import Order
from ..service import Service
from ..snippets import grouped
from .files import publish, publish_entry
from .gradio_patch import is_heard
from .messages import describe

Answer = tuple[list[gr.FileData], dict[str, Any]]
Endpoint = Callable[..., AsyncGenerator[Answer, None]]


class Stopped(QwenDemoError):
    """Somebody stopped the order before anything of it was sent."""


class Placed(NamedTuple):
    """An order that was placed for a program.

    Attributes:
        order: it.
        images: of a batch, which of the images that were given it is about, from 0.
        left_out: a row for each of the others.
    """

    order: Order
    images: Sequence[int] = ()
    left_out: Sequence[dict[str, Any]] = ()


Ordering = Callable[..., Awaitable[Placed]]


def answering(service: Service, ordering: Ordering, hidden: Collection[str]) -> Endpoint:
    """The endpoint that orders so, without the parameters that are hidden, which have defaults."""
    whole = inspect.signature(ordering)
    seen = [parameter for name, parameter in whole.parameters.items() if name not in hidden]
    signature = whole.replace(parameters=seen, return_annotation=Answer)  # Gradio reads there what an answer is made of

    @wraps(ordering)
    async def endpoint(*args: Any, **named: Any) -> AsyncGenerator[Answer, None]:  # Gradio gives all by their places
        placed = await ordering(**signature.bind(*args, **named).arguments)
        order, told = placed.order, dict[int, Answer]()
        with _ordered(order):
            try:
                async for _ in order.watch():
                    for place in sorted({*order.numbered, *order.reasons, *order.dropped} - told.keys()):
                        files, row = told[place] = await _of_place(service, placed, place)
                        yield files, {"of": order.n, "come": sum(len(files) for files, _ in told.values()), **row}
                    if not is_heard():
                        return
            finally:
                if not order.finished:  # whoever asked is gone
                    order.cancel()
            yield _in_the_end(service.engine, placed, [answer for _, answer in sorted(told.items())])

    shown: Any = endpoint
    shown.__signature__ = signature
    shown.__annotations__ = {name: kind for name, kind in ordering.__annotations__.items() if name not in hidden}
    return cast(Endpoint, shown)


@contextmanager
def _ordered(order: Order) -> Iterator[None]:
    """What no one foresaw, once something is ordered, may be billed."""
    try:
        yield
    except QwenDemoError:
        raise
    except Exception as error:
        raise InternalError(error, may_be_billed=order.terms.billed or None) from error


def once(endpoint: Endpoint) -> Callable[..., Awaitable[Answer]]:
    """The same endpoint, which answers in the end only."""

    @wraps(endpoint)
    async def answered(*args: Any, **named: Any) -> Answer:
        answer: Answer = [], {}
        async for answer in endpoint(*args, **named):  # noqa: B007 - the last one
            pass
        return answer

    return answered


async def _of_place(service: Service, placed: Placed, place: int) -> Answer:
    """The file of a place, if there is one, and the place's row."""
    order, images = placed.order, placed.images
    call = next(call for call in order.calls if place in call.places)
    row: dict[str, Any] = {"place": place}
    row |= {"prompt": call.request.prompt, "model": call.request.model, "size": call.request.size}
    if call.photo:
        row |= {"image": images[place * len(images) // order.n], "name": call.photo.name}
    if problem := order.reasons.get(place) or (Stopped() if call.dropped else None):
        row["problem"] = describe(problem, "en")
    if not (picture := order.numbered.get(place)):
        return [], row
    library = service.library(order.visitor)
    file = await asyncio.to_thread(_published, library, picture.path)
    return [file], row | await asyncio.to_thread(_row, library, picture)


def _published(library: Library, path: Path) -> gr.FileData:
    entry = library.entry_of(path)
    return gr.FileData(path=publish_entry(entry) if entry else publish(path), orig_name=path.name)


def _row(library: Library, picture: Picture) -> dict[str, Any]:
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


def _in_the_end(engine: Engine, placed: Placed, answers: Sequence[Answer]) -> Answer:
    """All that an order has brought, and what is told of it.

    Args:
        engine: that it went to.
        placed: the order.
        answers: of its places.

    Raises:
        QwenDemoError: it has brought nothing.
    """
    order, left_out = placed.order, placed.left_out
    files = [file for files, _ in answers for file in files]
    if not files:
        raise next(iter(order.problems), Stopped())
    pictures = [row for files, row in answers if files]
    prepared = engine.dialect.prepare(order.calls[0].sent)
    return files, {
        "request_id": order.request_ids[0] if order.request_ids else None,
        "model": ", ".join(order.models),
        "size": order.request.size,
        "seed": order.request.seed,
        "n": order.n,
        "usage": order.usage,
        "seconds": round(order.seconds, 3),
        # gradio_client takes any dict with a "path" for a file, and would try to fetch it.
        "request": {"endpoint": f"/{prepared.path}", "body": body_of(prepared)},
        "pictures": pictures,
        **({"region": pictures[0]["region"]} if "region" in pictures[0] else {}),
        "failed": [*left_out, *(row for files, row in answers if not files)],
        "problems": [*map(_named, left_out), *(describe(problem, "en") for problem in order.problems)],
    }


def _named(row: Mapping[str, Any]) -> str:
    """What is wrong with a picture that was left out, with its name."""
    problem = str(row["problem"])
    return problem if row["name"] in problem else f"{row['name']}: {problem}"


def body_of(prepared: Prepared) -> dict[str, Any]:
    """What was sent, as a dict; embedded pictures are cut short by now."""
    if prepared.json is not None:
        return dict(prepared.json)
    return grouped([*prepared.form, *((name, "…") for name, _ in prepared.files)])
