"""`QWEN_MODELS`: the owner's own rows of the catalog, as JSON or in a file."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .api.catalog import MEGAPIXEL_SIZES, MOST_REFERENCES, AnySize, OwnRows, Size, pixels

RULE = (
    'JSON such as [{"name": "qwen-image-max", "tasks": ["generations"], "sizes": ["1664x928"], "n": 1, '
    '"references": 0, "prompt": 800, "price": 0.5}], or the path of a file with it'
)
_Size = Annotated[str, Field(pattern=r"^[1-9]\d{1,4}x[1-9]\d{1,4}$")]
_Count = Annotated[int, Field(ge=1, le=100_000)]


class Row(BaseModel):
    """A model as its owner describes it. What is left out is as with the model of that name, or as usual."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=200)]
    tasks: Annotated[list[Literal["generations", "edits"]], Field(min_length=1)] | None = None
    sizes: list[_Size] | Literal["any"] | None = None
    n: Annotated[int, Field(ge=1, le=10)] | None = None
    references: Annotated[int, Field(ge=0, le=MOST_REFERENCES)] | None = None
    prompt: _Count | None = None
    in_tokens: bool | None = None
    price: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    rewrites: bool | None = None
    negative: bool | None = None
    watermark: bool | None = None
    seeded: bool | None = None
    tunable: bool | None = None
    addresses: bool | None = None
    formats: list[Literal["url", "b64_json"]] | None = None
    extra: dict[str, Any] | None = None


_NAMES = {"n": "max_n", "prompt": "max_prompt"}
_ROWS = TypeAdapter(list[Row])


def read_models(text: str) -> OwnRows:
    """The rows of a variable's text, by their models' names.

    Raises:
        ValueError: it can't be read; in words, after "must be".
    """
    try:
        written = text if text.lstrip().startswith("[") else Path(text).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError, ValueError) as error:
        raise ValueError(f"{RULE} that can be read") from error
    try:
        rows = _ROWS.validate_json(written)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{RULE} ({f'{place}: ' * bool(place)}{first['msg']})") from error
    names = [row.name for row in rows]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{RULE}, a row for each model ({min(twice)} has several)")
    return {row.name: _fields(row) for row in rows}


def _fields(row: Row) -> Mapping[str, Any]:
    """What the row says, as `Model` has it."""
    told = {_NAMES.get(name, name): value for name, value in row.model_dump(exclude_none=True).items()}
    told |= {name: tuple(told[name]) for name in ("tasks", "formats") if name in told}
    if told.get("sizes") == "any":
        return told | {"sizes": MEGAPIXEL_SIZES, "any_size": AnySize()}
    return told | {"sizes": tuple(map(_size, told["sizes"])), "any_size": None} if "sizes" in told else told


def _size(name: str) -> Size:
    width, height = pixels(name)
    common = math.gcd(width, height)
    return Size(width, height, f"{width // common}:{height // common}")
