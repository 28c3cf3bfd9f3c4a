"""What can be asked of an image API, as data: models, their sizes and limits. One row is a model's whole truth.

Rows come from here (this provider's and the maker's), from the engine itself (`engine.py`), and from the owner
(`with_rows`). Requests, dialects, the page, endpoints, snippets and the offline backend follow them.
Rules are the provider's page's; those marked (maker) come from the model maker's documents.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Task = Literal["generations", "edits"]
"""What a model does: pictures from words, or from pictures and words."""
Kind = Literal["text_to_image", "edit", "fusion"]
"""What is asked of it; a tab each. The last two are edits, of one picture and of several."""

MAX_PICTURES = 6  # of one order, with any model: several requests where one gives fewer
MAX_SEED = 2_147_483_647  # API: "随机数种子范围：[0,2147483647]"
MAX_NEGATIVE_PROMPT = 500  # characters, API: "长度不超过500字符"
MOST_REFERENCES = 9  # reference pictures that the page has places for, and prompts have names for
MAX_STEPS, MAX_GUIDANCE = 200, 20
RESPONSE_FORMATS = ("url", "b64_json")
DEFAULT_SIZE = "1328x1328"
_SIZE = re.compile(r"\s*(\d{1,5})(?:\s*[x×*,，]\s*|\s+)(\d{1,5})\s*", re.IGNORECASE)
_ONE_TOKEN = re.compile(r"[\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


@dataclass(frozen=True, slots=True)
class Size:
    """A size of result, in pixels."""

    width: int
    height: int
    ratio: str

    @property
    def name(self) -> str:
        """As the API spells it, such as `1664x928`."""
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class AnySize:
    """Sizes by hand: any within these bounds, both ends included.

    Attributes:
        multiple: px; sides are rounded down to a multiple of it, as the engine does.
        sides: px of a side.
        pixels: of the whole picture.
        ratio: of the longer side to the shorter, at most.
    """

    multiple: int = 16
    sides: tuple[int, int] = (256, 4096)
    pixels: tuple[int, int] = (256 * 256, 2048 * 2048)
    ratio: int = 8

    def rounded(self, width: int, height: int) -> tuple[int, int] | None:
        """The size that comes of it; None where it is out of bounds."""
        width, height = (side // self.multiple * self.multiple for side in (width, height))
        within = all(self.sides[0] <= side <= self.sides[1] for side in (width, height))
        within = within and self.pixels[0] <= width * height <= self.pixels[1]
        return (width, height) if within and max(width, height) <= self.ratio * min(width, height) else None


# API: "必须精确匹配以下允许的尺寸". The maker's newer pages say 1104 where this provider takes 1140.
SIZES = (
    Size(1664, 928, "16:9"),
    Size(1472, 1140, "4:3"),
    Size(1328, 1328, "1:1"),
    Size(1140, 1472, "3:4"),
    Size(928, 1664, "9:16"),
)
MAKER_SIZES = tuple(
    Size(1104 if size.width == 1140 else size.width, 1104 if size.height == 1140 else size.height, size.ratio)
    for size in SIZES
)


def _one_megapixel(ratio: str) -> Size:
    across, down = map(int, ratio.split(":"))
    side = math.sqrt(2**20 / (across * down))
    # Multiples of 32 are what all engines leave as they are.
    return Size(round(across * side / 32) * 32, round(down * side / 32) * 32, ratio)


MEGAPIXEL_SIZES = tuple(_one_megapixel(size.ratio) for size in SIZES)
"""The same five shapes where sizes are free."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model: what it does, and what one request to it may ask for.

    Attributes:
        name: as the API spells it.
        tasks: what it does.
        max_n: pictures that one request may ask for (API: "n 参数限制").
        sizes: that are offered by name. With none, the result has the shape of its picture, or the model chooses.
        any_size: those that may be asked for besides; None for no others.
        chooses: whether a picture from words may leave the size to the model.
        references: reference pictures that one edit takes, at most.
        keeps_shape: whether an edit without a size has the shape of its picture.
        addresses: whether these may be https:// addresses, which the engine fetches.
        rewrites: whether it can optimize the prompt.
        rewrites_unasked: whether it should, where nothing is said of it.
        negative: whether it takes a negative prompt.
        watermark: whether the provider can put its mark on the picture.
        seeded: whether it takes a seed.
        tunable: whether it takes steps and guidance.
        formats: how results can travel, the usual one first; with none, the engine decides.
        max_prompt: characters of a prompt, or tokens; what is longer, upstream cuts silently (maker).
        in_tokens: whether these are tokens, see `length`.
        price: of a delivered picture, in the owner's currency; None where it isn't known.
        extra: fields that every request to it carries.
    """

    name: str
    tasks: tuple[Task, ...]
    max_n: int = 1
    sizes: tuple[Size, ...] = SIZES
    any_size: AnySize | None = None
    chooses: bool = False
    references: int = 3
    keeps_shape: bool = True
    addresses: bool = True
    rewrites: bool = True
    rewrites_unasked: bool = True
    negative: bool = True
    watermark: bool = True
    seeded: bool = True
    tunable: bool = False
    formats: tuple[str, ...] = RESPONSE_FORMATS
    max_prompt: int = 800
    in_tokens: bool = False
    price: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def does(self, kind: str) -> bool:
        """Whether it can be asked for that kind: a fusion needs two reference pictures."""
        if kind == "text_to_image":
            return "generations" in self.tasks
        return "edits" in self.tasks and self.references >= (2 if kind == "fusion" else 1)

    @property
    def size_names(self) -> tuple[str, ...]:
        """What is offered by name."""
        return tuple(size.name for size in self.sizes)

    @property
    def default_size(self) -> str | None:
        """What it draws where none is asked for; None where it takes none, or chooses."""
        square = next((size.name for size in self.sizes if size.ratio == "1:1"), None)
        return None if self.chooses else square or next(iter(self.size_names), None)

    def sized(self, size: str) -> str | None:
        """That size as the API spells it, rounded as the engine rounds; None where it can't be asked for."""
        if size in self.size_names:
            return size
        written = _SIZE.fullmatch(size) if self.any_size else None
        rounded = self.any_size.rounded(int(written[1]), int(written[2])) if self.any_size and written else None
        return f"{rounded[0]}x{rounded[1]}" if rounded else None

    def at_a_megapixel(self, width: int, height: int) -> str | None:
        """The size of about one megapixel in that shape; None where it takes none by hand."""
        scale = math.sqrt(2**20 / (width * height))
        rounded = self.any_size.rounded(round(width * scale), round(height * scale)) if self.any_size else None
        return f"{rounded[0]}x{rounded[1]}" if rounded else None

    def like(self, size: str) -> str | None:
        """The size that it offers by name in about the shape of that one; None where it offers none."""
        written = _SIZE.fullmatch(size)
        if not written:
            return None
        ratio = int(written[1]) / max(1, int(written[2]))
        close = [offered for offered in self.sizes if abs(offered.width / offered.height / (ratio or 1) - 1) < 0.06]
        return min(close, key=lambda offered: abs(offered.width / offered.height - ratio)).name if close else None

    def length(self, prompt: str) -> int:
        """How long a prompt is, in what `max_prompt` counts: a Chinese character is a token, four others are one."""
        if not self.in_tokens:
            return len(prompt)
        own = len(_ONE_TOKEN.findall(prompt))
        return own + math.ceil((len(prompt) - own) / 4)


OwnRows = Mapping[str, Mapping[str, Any]]
"""What the owner says of models: fields of `Model`, by the models' names."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The models that an engine has. Of those that can be asked for something, the first is the default."""

    models: tuple[Model, ...] = ()

    def doing(self, kind: str) -> tuple[Model, ...]:
        """The models that can be asked for that kind, the default first."""
        return tuple(model for model in self.models if model.does(kind))

    def find(self, name: object, kind: str) -> Model | None:
        """The model of that name, or None if there is none that can be asked for that kind."""
        return next((model for model in self.doing(kind) if model.name == name), None)

    def sizes(self, kind: str) -> tuple[str, ...]:
        """What any of its models offers by name; the request knows which one takes what."""
        return tuple(dict.fromkeys(name for model in self.doing(kind) for name in model.size_names))

    @property
    def most_references(self) -> int:
        """Of all its models; at least as many as a fusion needs."""
        return max((min(model.references, MOST_REFERENCES) for model in self.doing("fusion")), default=2)

    def with_rows(self, rows: OwnRows, usual: Model) -> "Catalog":
        """The same with what the owner says of its models. Others that the owner names come first, made of `usual`."""
        known = {model.name for model in self.models}
        new = [_row(usual, name, told) for name, told in rows.items() if name not in known]
        return Catalog((*new, *(replace(model, **rows.get(model.name, {})) for model in self.models)))


def _row(usual: Model, name: str, told: Mapping[str, Any]) -> Model:
    by_name: tuple[Task, ...] = ("edits",) if "edit" in name.lower() else ("generations",)
    return replace(usual, **{"tasks": by_name, **told, "name": name})


def widest(*names: str) -> Catalog:
    """A catalog for what was made elsewhere or before: models of these names, which can do anything."""
    free = AnySize(1, (1, 99_999), (1, 10**10), 99_999)
    able: dict[str, Any] = {"any_size": free, "references": MOST_REFERENCES, "tunable": True, "max_prompt": 100_000}
    return Catalog(tuple(Model(name, ("generations", "edits"), MAX_PICTURES, **able) for name in names))


PROVIDER = Catalog((
    Model("qwen-image-plus", ("generations",)),
    Model("qwen-image", ("generations",)),
    Model("qwen-image-edit-plus", ("edits",), max_n=6),
    Model("qwen-image-edit-plus-2025-10-30", ("edits",), max_n=6),
    Model("qwen-image-edit", ("edits",), sizes=(), rewrites=False),  # (maker)
))  # fmt: skip
"""The models of this provider."""


def _maker() -> Iterable[Model]:
    """Its models, all that it says of them (maker)."""
    listed: dict[str, Any] = {"sizes": MAKER_SIZES, "formats": ("url",)}
    free = AnySize(1, (1, 99_999), (512 * 512, 2048 * 2048), 8)
    newer: dict[str, Any] = {
        "tasks": ("generations", "edits"), "max_n": 6, "sizes": MEGAPIXEL_SIZES, "any_size": free,
        "formats": ("url",), "in_tokens": True,
    }  # fmt: skip
    edits: dict[str, Any] = {
        "tasks": ("edits",), "max_n": 6, "sizes": MEGAPIXEL_SIZES, "formats": ("url",),
        "any_size": AnySize(16, (512, 2048), (512 * 512, 2048 * 2048), 8),
    }  # fmt: skip
    for name in ("qwen-image-plus", "qwen-image-max", "qwen-image-plus-2026-01-09", "qwen-image"):
        yield Model(name, ("generations",), **listed)
    yield Model("qwen-image-edit-plus", **edits)
    yield Model("qwen-image-edit-max", **edits)
    for name in ("qwen-image-3.0", "qwen-image-3.0-pro"):
        yield Model(name, **newer, chooses=True, max_prompt=4500)
    for name in ("qwen-image-2.0", "qwen-image-2.0-pro"):
        yield Model(name, **newer, max_prompt=1300)
    yield Model("qwen-image-edit-plus-2025-12-15", **edits)
    yield Model("qwen-image-edit-plus-2025-10-30", **edits)
    yield Model("qwen-image-edit", ("edits",), sizes=(), rewrites=False, formats=("url",))
    yield Model(
        "z-image-turbo", ("generations",), sizes=MEGAPIXEL_SIZES, any_size=free, formats=("url",), negative=False,
        watermark=False, rewrites_unasked=False,
    )  # fmt: skip


MAKER = Catalog(tuple(_maker()))
"""The models of the maker's Model Studio."""


def pixels(size: str) -> tuple[int, int]:
    """Width and height out of a size's name, such as `1664x928`."""
    width, _, height = size.partition("x")
    return int(width), int(height)
