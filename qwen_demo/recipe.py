"""The recipe: what a picture was asked with, inside the picture's own PNG, added without touching its pixels.

It stands in two text chunks before the end of the file: `qwen-image-demo`, JSON that this app reads back, and
`parameters`, plain text in the form that other image tools read.
"""

import base64
import hashlib
import json
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from . import __version__
from .api.catalog import widest
from .api.errors import QwenDemoError
from .api.requests import ASKED, ImageRequest, asked, make
from .api.responses import ImagesResponse, ResultImage
from .containers import MOST_PARTS, PNG
from .inpaint import Region
from .strokes import mask_of

KEYWORD = b"qwen-image-demo"
MAX_BYTES = 100_000
"""Of a recipe that is read. Ours have some 2 KB."""

_MARKUP = re.compile(r"<[a-zA-Z/!?]|\0")


class BadRecipe(QwenDemoError):
    """What should be a recipe is none; `problem` says how: `missing`, `large`, `broken` or `markup`."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"recipe: {problem}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What a picture was asked with and what the API said of it. Never a key.

    Attributes:
        kind: `text_to_image`, `edit` or `fusion`.
        n: pictures of the one request that this picture came from.
        references: the reference pictures in their order: the SHA-256 of each one's bytes, or its https:// address.
        sources: which pictures of the library those are, by their ids; "" for one that is none.
        region: where alone the first of them was to change.
        usage: what the API reported for that request, as it came.
        revised_prompt: what the API made of the prompt, as far as it said so.
        created: local time, ISO 8601 to the second.
    """

    kind: str
    prompt: str
    model: str
    n: int = 1
    size: str | None = None
    seed: int | None = None
    response_format: str = "url"
    watermark: bool | None = None
    optimize_prompt: bool | None = None
    negative_prompt: str | None = None
    steps: int | None = None
    guidance: float | None = None
    references: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    region: Region | None = None
    request_id: str | None = None
    usage: Mapping[str, Any] | None = None
    revised_prompt: str | None = None
    created: str = ""
    app_version: str = ""

    @classmethod
    def of(
        cls,
        request: ImageRequest,
        references: Sequence[str],
        sources: Sequence[str],
        response: ImagesResponse,
        image: ResultImage,
        at: datetime,
        region: Region | None = None,
    ) -> "Recipe":
        """What goes into a picture of an answer that came at that local time; the others as above."""
        return cls(
            kind=request.kind,
            **asked(request),
            references=tuple(references),
            sources=tuple(sources),
            region=region,
            request_id=response.request_id,
            usage=response.usage,
            revised_prompt=image.prompt,
            created=f"{at:%Y-%m-%dT%H:%M:%S}",
            app_version=__version__,
        )

    def parameters(self) -> str:
        """The recipe as other image tools write theirs: prompt, negative prompt, then a line of facts."""
        facts = {
            "Steps": self.steps,
            "CFG scale": self.guidance,
            "Seed": self.seed,
            "Size": self.size,
            "Model": self.model,
            "Created": self.created,
        }
        line = ", ".join(f"{name}: {value}" for name, value in facts.items() if value is not None)
        negative = [f"Negative prompt: {self.negative_prompt}"] if self.negative_prompt else []
        return "\n".join([self.prompt, *negative, line])


def embed(png: bytes, recipe: Recipe) -> bytes:
    """The PNG with the recipe in it. Its pixels stay as they are, byte by byte.

    Args:
        png: a whole PNG file.
        recipe: what goes in.
    """
    end = png.rindex(b"IEND") - 4  # in front of the chunk's length
    text = json.dumps(asdict(recipe), ensure_ascii=False)
    told = _text_chunk(KEYWORD, text) + _text_chunk(b"parameters", recipe.parameters())
    return b"".join((png[:end], told, png[end:]))  # in one go: several sums would copy the pixels as often


def read(path: Path) -> Recipe:
    """The recipe of a picture. Reads the file's chunk heads, as many as a picture may have, and no pixels.

    Raises:
        BadRecipe: there is none, or it is broken or hostile.
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        for _ in range(MOST_PARTS if file.read(8) == PNG else 0):
            if len(head := file.read(8)) < 8:
                break
            length, name = struct.unpack(">I4s", head)
            after = file.tell() + length + 4  # the checksum
            if name == b"iTXt" and (chunk := file.read(min(length, MAX_BYTES))).startswith(KEYWORD + b"\0"):
                if length > MAX_BYTES:
                    raise BadRecipe("large")
                return parse(_text_of(chunk))
            file.seek(after)
    raise BadRecipe("missing")


def parse(text: bytes) -> Recipe:
    """A recipe from its JSON, every field of the right type.

    Raises:
        BadRecipe: it isn't so.
    """
    try:
        return _RECIPE.validate_json(text, strict=True)
    except ValidationError as error:
        raise BadRecipe("broken") from error


def check_foreign(recipe: Recipe) -> None:
    """A closer look at a recipe out of a file from elsewhere: could it be ordered as it is?

    Raises:
        BadRecipe: it could not, or there is markup in its words. Nothing here would run it, and none is needed.
    """
    named = {name: getattr(recipe, name) for name in ASKED}
    try:
        make(recipe.kind, ["https://"] * len(recipe.references), **named, catalog=widest(recipe.model))
        mask_of(recipe.region.strokes if recipe.region else (), (1, 1))
    except ValueError as error:
        raise BadRecipe("broken") from error
    words = recipe.region.words if recipe.region else ""
    if _MARKUP.search(f"{recipe.prompt} {recipe.negative_prompt or ''} {words}"):
        raise BadRecipe("markup")


_RECIPE = TypeAdapter(Recipe)


def names_of(references: Sequence[str]) -> tuple[str, ...]:
    """How a recipe names reference pictures: an address by itself, an embedded one by the SHA-256 of its bytes."""
    return tuple(map(_name_of, references))


def _name_of(reference: str) -> str:
    if reference.startswith("https://"):
        return reference
    return hashlib.sha256(base64.b64decode(reference.partition(";base64,")[2])).hexdigest()


def _text_of(chunk: bytes) -> bytes:
    """What an iTXt chunk says. Ours is not compressed, but programs that make PNGs smaller do that.

    Raises:
        BadRecipe: it is broken, or too large once it is decompressed.
    """
    compressed, rest = chunk[len(KEYWORD) + 1 : len(KEYWORD) + 2] == b"\1", chunk[len(KEYWORD) + 3 :]
    text = rest.split(b"\0", 2)[-1]  # behind a language and a translated keyword
    if not compressed:
        return text
    try:
        unpacked = zlib.decompressobj().decompress(text, MAX_BYTES + 1)
    except zlib.error as error:
        raise BadRecipe("broken") from error
    if len(unpacked) > MAX_BYTES:
        raise BadRecipe("large")
    return unpacked


def _text_chunk(keyword: bytes, text: str) -> bytes:
    """An uncompressed iTXt chunk: unlike tEXt it is UTF-8."""
    # A lone surrogate, which JSON may bring, has no UTF-8 of its own.
    body = b"iTXt" + keyword + b"\0\0\0\0\0" + text.encode("utf-8", "replace")
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
