"""What can be asked of the API: three frozen requests, valid or not made at all.

One request is one HTTP call. An order of more pictures than a model gives in one call is several requests: `split`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, TypeVar

from . import catalog
from .catalog import PROVIDER, Catalog, Kind, Model, Task
from .checks import (
    check_choice,
    check_reference,
    check_switch,
    checked_number,
    checked_size,
    checked_text,
    is_visible,
    whole,
)
from .errors import InvalidRequest, shorten

AnyRequest = TypeVar("AnyRequest", bound="ImageRequest")
STAND_IN = "data:image/png;base64,…"
"""What a request holds in a picture's place where that is not here yet, or not any more."""


@dataclass(frozen=True, kw_only=True)
class ImageRequest:
    """What all three kinds share. None means absent, and only None: seed 0, False and "" are values.

    What a model has no switch for and nobody asked for is absent: the size of results that travel one way only, a seed,
    a watermark that isn't wanted, rewriting.

    Attributes:
        prompt: what to draw or to change, up to the model's limit.
        model: a model of the catalog that can be asked for this; by default the first.
        size: one that its model takes, such as `1664x928`, rounded as the engine rounds; None leaves it to the API.
        n: pictures in this one call, 1 up to the model's limit.
        response_format: how results travel, `url` or `b64_json`; in another way if the model has only that.
        seed: 0 to 2147483647; None lets the API draw one.
        watermark: whether the provider puts its mark on the picture.
        optimize_prompt: whether the provider rewrites the prompt; None for what is usual with the model.
        negative_prompt: what should not be in the picture, up to 500 characters.
        steps: of the engine's work on a picture, 1 to 200; None leaves it to the engine.
        guidance: how closely the engine follows the prompt, 0 to 20; None leaves it to the engine.
        catalog: the models there are.

    Raises:
        InvalidRequest: a field breaks its rule; the error names field, rule and value.
    """

    task: ClassVar[Task]
    kind: ClassVar[Kind]

    prompt: str
    model: str = ""
    size: str | None = None
    n: int = 1
    response_format: str = "url"
    seed: int | None = None
    watermark: bool | None = False
    optimize_prompt: bool | None = True
    negative_prompt: str | None = None
    steps: int | None = None
    guidance: float | None = None
    catalog: Catalog = field(default=PROVIDER, repr=False, compare=False)

    def __post_init__(self) -> None:
        models = [model.name for model in self.catalog.doing(self.kind)]
        if not models:
            raise InvalidRequest("model", "no_model", self.model)
        self._put("model", models[0] if self.model in (None, "") else self.model)
        check_choice("model", self.model, models)
        self._put("prompt", self._prompt())
        if self.size is not None:
            self._put("size", checked_size(self.row, self.size))
        self._put("n", whole("n", self.n, 1, self.row.max_n))
        check_choice("response_format", self.response_format, catalog.RESPONSE_FORMATS)
        if self.row.formats and self.response_format not in self.row.formats:
            self._put("response_format", self.row.formats[0])
        if self.seed is not None:
            self._put("seed", whole("seed", self.seed, 0, catalog.MAX_SEED) if self.row.seeded else None)
        check_switch("watermark", self.watermark)
        check_switch("optimize_prompt", self.optimize_prompt)
        if not self.row.rewrites:
            self._put("optimize_prompt", None)
        if self.negative_prompt is not None:
            self._put(
                "negative_prompt", checked_text("negative_prompt", self.negative_prompt, catalog.MAX_NEGATIVE_PROMPT)
            )
        if self.steps is not None:
            self._put("steps", whole("steps", self.steps, 1, catalog.MAX_STEPS))
        if self.guidance is not None:
            self._put("guidance", checked_number("guidance", self.guidance, 0, catalog.MAX_GUIDANCE))
        self._leave_out("watermark", self.row.watermark)
        self._leave_out("negative_prompt", self.row.negative)
        self._leave_out("steps", self.row.tunable)
        self._leave_out("guidance", self.row.tunable)

    @property
    def row(self) -> Model:
        """Its model, with all that can be asked of it."""
        return next(model for model in self.catalog.doing(self.kind) if model.name == self.model)

    @property
    def references(self) -> tuple[str, ...]:
        """The reference pictures in their order (图1, 图2, …), each an https:// address or a data: text."""
        return ()

    def holding(self: AnyRequest, references: Sequence[str]) -> AnyRequest:
        """The same request with these reference pictures, as many as it has."""
        return self

    def shaped(self: AnyRequest, shape: tuple[int, int]) -> AnyRequest:
        """The same request, whose pictures shall have that shape where no size is chosen: what Auto promises.

        A model that doesn't keep a picture's shape by itself is told it.
        """
        if self.size or self.row.keeps_shape or shape == (1, 1):
            return self
        return replace(self, size=self.row.at_a_megapixel(*shape))

    def light(self: AnyRequest) -> AnyRequest:
        """The same request with its embedded pictures cut short: to be shown to people, or kept for long."""
        return self.holding(tuple(map(_shown, self.references)))

    @property
    def is_light(self) -> bool:
        """Whether it has a picture that was cut short, or a stand-in for one."""
        return any(reference.endswith("…") for reference in self.references)

    def _prompt(self) -> str:
        row = self.row
        prompt = checked_text("prompt", self.prompt, 10**9 if row.in_tokens else row.max_prompt)
        if not any(map(is_visible, prompt)):
            raise InvalidRequest("prompt", "required", prompt)
        if (length := row.length(prompt)) > row.max_prompt:
            raise InvalidRequest("prompt", "too_many_tokens", prompt, limit=row.max_prompt, count=length)
        return prompt

    def _leave_out(self, name: str, able: bool) -> None:
        """What the model has no switch for: nobody may ask for it, and it isn't sent."""
        if able:
            return
        if getattr(self, name) not in (None, False, ""):
            raise InvalidRequest(name, "not_offered", getattr(self, name), model=self.model)
        self._put(name, None)

    def _put(self, name: str, value: object) -> None:
        """Correct a field while the request is made; from then on it is frozen."""
        object.__setattr__(self, name, value)


@dataclass(frozen=True, kw_only=True)
class TextToImage(ImageRequest):
    """A picture from words."""

    task: ClassVar[Task] = "generations"
    kind: ClassVar[Kind] = "text_to_image"

    size: str | None = catalog.DEFAULT_SIZE


@dataclass(frozen=True, kw_only=True)
class ImageEdit(ImageRequest):
    """One picture, changed by words. Without a size the result has the picture's shape.

    Attributes:
        image: the picture, as an https:// address or a `data:image/…;base64,` text.
    """

    task: ClassVar[Task] = "edits"
    kind: ClassVar[Kind] = "edit"

    image: str = field(repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_reference("image", self.image, self.row)

    @property
    def references(self) -> tuple[str, ...]:
        return (self.image,)

    def holding(self, references: Sequence[str]) -> "ImageEdit":
        return replace(self, image=references[0])


@dataclass(frozen=True, kw_only=True)
class ImageFusion(ImageRequest):
    """Several pictures, fused by words that call them 图1, 图2, ….

    Attributes:
        images: the pictures in that order, two up to the model's limit, each an https:// address or a
            `data:image/…;base64,` text. Without a size the result has the shape of the last one.
    """

    task: ClassVar[Task] = "edits"
    kind: ClassVar[Kind] = "fusion"

    images: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.images, tuple) or not 2 <= len(self.images) <= self.row.references:
            count = len(self.images) if isinstance(self.images, tuple | list) else 0
            facts = {"low": 2, "high": self.row.references, "count": count}
            raise InvalidRequest("images", "picture_count", count, **facts)
        for number, image in enumerate(self.images, start=1):
            check_reference(f"image {number}", image, self.row)

    @property
    def references(self) -> tuple[str, ...]:
        return self.images

    def holding(self, references: Sequence[str]) -> "ImageFusion":
        return replace(self, images=tuple(references))


NEEDED = {TextToImage.kind: 0, ImageEdit.kind: 1, ImageFusion.kind: 2}
"""How many reference pictures each kind has at least."""


def make(kind: str, references: Sequence[str], **fields: Any) -> ImageRequest:
    """The request of that kind: `text_to_image`, `edit` or `fusion`, with its reference pictures in their order.

    Of the fields, `catalog` may be one.

    Raises:
        InvalidRequest: there is no such kind, or a field breaks its rule.
    """
    check_choice("kind", kind, NEEDED)
    if kind == TextToImage.kind:
        return TextToImage(**fields)
    if kind == ImageFusion.kind:
        return ImageFusion(images=tuple(references), **fields)
    whole("images", len(references), 0, 1)  # none is told as such
    return ImageEdit(image=next(iter(references), ""), **fields)


ASKED = tuple(field.name for field in fields(ImageRequest) if field.name != "catalog")
"""What can be asked for in words and numbers, by its names."""


def asked(request: ImageRequest) -> dict[str, Any]:
    """What all kinds share, by the names of `ASKED`: everything but the reference pictures."""
    return {name: getattr(request, name) for name in ASKED}


def split(request: AnyRequest, n: int) -> tuple[AnyRequest, ...]:
    """The fewest requests that bring `n` pictures (1 to 6), together, with the seeds s, s+1, … from request to request.

    Seeds wrap at the top, 2147483647 → 0. Without a seed none is set.

    Raises:
        InvalidRequest: n is not a whole number from 1 to 6.
    """
    n = whole("n", n, 1, catalog.MAX_PICTURES)
    most = request.row.max_n
    starts = range(0, n, most)
    return tuple(replace(request, n=min(most, n - start), seed=next_seed(request.seed, start)) for start in starts)


def next_seed(seed: int | None, steps: int) -> int | None:
    """The seed so many steps on, wrapping at the top; None stays None."""
    return None if seed is None else (seed + steps) % (catalog.MAX_SEED + 1)


def _shown(reference: str) -> str:
    return shorten(reference, 64) if reference.startswith("data:") else reference
