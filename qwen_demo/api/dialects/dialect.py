"""What a dialect is: how one kind of API is spoken to, as pure functions and data."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..catalog import Catalog, Model
from ..requests import ImageRequest


def with_version(url: str) -> str:
    """An address with its version: people forget it."""
    return url if re.search(r"://[^/]+/", url) else f"{url}/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request as it is sent with POST: a JSON body, or a form with files.

    Attributes:
        path: the endpoint, below the base URL.
        json: the body; None where a form is sent.
        form: the form's texts and numbers, as names and values.
        files: the form's pictures, as names and `data:` texts, whose bytes are sent.
        headers: besides the key and the body's type.
    """

    path: str
    json: Mapping[str, Any] | None = None
    form: tuple[tuple[str, str | int | float], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What an engine tells of itself.

    Attributes:
        models: that it has, and that make pictures.
        row: a model of which nothing is known, as it is taken for there.
        title: its name, for people; "" where it doesn't say.
        own: whether it is one that people run themselves, so that nobody bills what it does.
    """

    models: tuple[Model, ...]
    row: Model
    title: str
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one kind of API is spoken to.

    Attributes:
        name: as `QWEN_API` spells it.
        prepare: what a request becomes.
        catalog: the models that it is known to have; an engine may tell more.
        row: a model of which nothing is known, as it is taken for here, whatever its name and tasks.
        base_url: where it is spoken, unless another address is given; "" where there is no such place.
        hosts: that are known to speak it, by name or suffix.
        served: reads the answer to `GET /models`; None where that isn't worth asking.
        regional: whether a key works at its own region's host alone.
        package: the Python package that people use with it; "" for none.
        picture: where an answer's pictures are, in Python:
            an expression with `{body}`, and their field, with `{format}`.
        offline: whether the offline backend speaks it too.
        task_path: where a task that it began is asked for, with `{task}`; "" where none can be.
        at: the base URL, out of an address as people write it.
    """

    name: str
    prepare: Callable[[ImageRequest], Prepared]
    catalog: Catalog = field(default_factory=Catalog)
    row: Model = field(default_factory=partial(Model, "", ("generations",)))
    base_url: str = ""
    hosts: tuple[str, ...] = ()
    served: Callable[[object], Served | None] | None = None
    regional: bool = False
    package: str = "openai"
    picture: tuple[str, str] = ('{body}["data"]', '["{format}"]')
    offline: bool = True
    task_path: str = ""
    at: Callable[[str], str] = with_version


def without_none(**fields: Any) -> dict[str, Any]:
    """The fields that are there: absent is None, and only None."""
    return {name: value for name, value in fields.items() if value is not None}
