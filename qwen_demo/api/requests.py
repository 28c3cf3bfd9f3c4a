"""What can be asked of the API: three frozen requests, valid or not made at all.

One request is one HTTP call. An order of more pictures than a model gives in one call is several requests: `split`.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, TypeVar

from . import catalog
from .catalog import Model, Task
from .errors import InvalidRequest, shorten

_INVISIBLE = ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me")
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # fillers of Hangul, and Braille's empty cell
AnyRequest = TypeVar("AnyRequest", bound="ImageRequest")


@dataclass(frozen=True, kw_only=True)
class ImageRequest:
    """What all three kinds share. None means absent, and only None: seed 0, False and "" are values.

    Attributes:
        prompt: what to draw or to change, 1 to 800 characters.
        model: a model of the catalog that does this task.
        size: the name of one of its model's sizes, such as `1664x928`; None leaves it to the API.
        n: pictures in this one call, 1 up to the model's limit.
        response_format: how results travel, `url` or `b64_json`.
        seed: 0 to 2147483647; None lets the API draw one.
        watermark: whether the provider puts its mark on the picture.
        optimize_prompt: whether the provider rewrites the prompt. Left out for a model that can't.
        negative_prompt: what should not be in the picture, up to 500 characters.

    Raises:
        InvalidRequest: a field breaks its rule; the error names field, rule and value.
    """

    task: ClassVar[Task]
    kind: ClassVar[str]

    prompt: str
    model: str
    size: str | None = None
    n: int = 1
    response_format: str = "url"
    seed: int | None = None
    watermark: bool | None = False
    optimize_prompt: bool | None = True
    negative_prompt: str | None = None

    def __post_init__(self) -> None:
        self._put("prompt", _text("prompt", self.prompt, catalog.MAX_PROMPT))
        if not any(map(_is_visible, self.prompt)):
            raise InvalidRequest("prompt", "required", self.prompt)
        models = [model.name for model in catalog.models_for(self.task)]
        _check_choice("model", self.model, models)
        if self.size is not None:
            if not self._model.sizes:
                raise InvalidRequest("size", "no_size", self.size, model=self.model)
            _check_choice("size", self.size, self._model.size_names)
        self._put("n", whole("n", self.n, 1, self._model.max_n))
        _check_choice("response_format", self.response_format, catalog.RESPONSE_FORMATS)
        if self.seed is not None:
            self._put("seed", whole("seed", self.seed, 0, catalog.MAX_SEED))
        _check_switch("watermark", self.watermark)
        _check_switch("optimize_prompt", self.optimize_prompt)
        if self.negative_prompt is not None:
            self._put("negative_prompt", _text("negative_prompt", self.negative_prompt, catalog.MAX_NEGATIVE_PROMPT))

    @property
    def path(self) -> str:
        """The endpoint, below the base URL."""
        return f"images/{self.task}"

    @property
    def references(self) -> tuple[str, ...]:
        """The reference pictures in their order (图1, 图2, 图3), each an https:// address or a data: text."""
        return ()

    def light(self: AnyRequest) -> AnyRequest:
        """The same request with its embedded pictures cut short: to be shown to people, or kept for long."""
        return self

    def payload(self) -> dict[str, Any]:
        """The exact JSON body of the call."""
        options = _without_none(
            enable=self.optimize_prompt if self._model.rewrites else None, negative_prompt=self.negative_prompt
        )
        return _without_none(
            prompt=self.prompt,
            model=self.model,
            image=list(self.references) or None,
            size=self.size,
            n=self.n,
            response_format=self.response_format,
            seed=self.seed,
            watermark=self.watermark,
            optimize_prompt_options=options or None,
        )

    def _put(self, name: str, value: object) -> None:
        """Correct a field while the request is made; from then on it is frozen."""
        object.__setattr__(self, name, value)

    @property
    def _model(self) -> Model:
        return next(model for model in catalog.models_for(self.task) if model.name == self.model)


@dataclass(frozen=True, kw_only=True)
class TextToImage(ImageRequest):
    """A picture from words."""

    task: ClassVar[Task] = "generations"
    kind: ClassVar[str] = "text_to_image"

    model: str = catalog.models_for("generations")[0].name
    size: str | None = catalog.DEFAULT_SIZE


@dataclass(frozen=True, kw_only=True)
class ImageEdit(ImageRequest):
    """One picture, changed by words. Without a size the result has the picture's shape.

    Attributes:
        image: the picture, as an https:// address or a `data:image/…;base64,` text.
    """

    task: ClassVar[Task] = "edits"
    kind: ClassVar[str] = "edit"

    image: str = field(repr=False)
    model: str = catalog.models_for("edits")[0].name

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_reference("image", self.image)

    @property
    def references(self) -> tuple[str, ...]:
        return (self.image,)

    def light(self) -> "ImageEdit":
        return replace(self, image=_shown(self.image))


@dataclass(frozen=True, kw_only=True)
class ImageFusion(ImageRequest):
    """Two or three pictures, fused by words that call them 图1, 图2, 图3.

    Attributes:
        images: the pictures in that order, each an https:// address or a `data:image/…;base64,` text. Without a size
            the result has the shape of the last one.
    """

    task: ClassVar[Task] = "edits"
    kind: ClassVar[str] = "fusion"

    images: tuple[str, ...] = field(repr=False)
    model: str = catalog.models_for("edits")[0].name

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.images, tuple) or not 2 <= len(self.images) <= catalog.MAX_REFERENCES:
            count = len(self.images) if isinstance(self.images, tuple | list) else 0
            facts = {"low": 2, "high": catalog.MAX_REFERENCES, "count": count}
            raise InvalidRequest("images", "picture_count", count, **facts)
        for number, image in enumerate(self.images, start=1):
            _check_reference(f"image {number}", image)

    @property
    def references(self) -> tuple[str, ...]:
        return self.images

    def light(self) -> "ImageFusion":
        return replace(self, images=tuple(map(_shown, self.images)))


def make(kind: str, references: Sequence[str], **fields: Any) -> ImageRequest:
    """The request of that kind: `text_to_image`, `edit` or `fusion`, with its reference pictures in their order.

    Raises:
        InvalidRequest: there is no such kind, or a field breaks its rule.
    """
    _check_choice("kind", kind, (TextToImage.kind, ImageEdit.kind, ImageFusion.kind))
    if kind == TextToImage.kind:
        return TextToImage(**fields)
    if kind == ImageFusion.kind:
        return ImageFusion(images=tuple(references), **fields)
    whole("images", len(references), 0, 1)  # none is told as such
    return ImageEdit(image=next(iter(references), ""), **fields)


def asked(request: ImageRequest) -> dict[str, Any]:
    """What all kinds share, by its names: everything but the reference pictures."""
    return {field.name: getattr(request, field.name) for field in fields(ImageRequest)}


def split(request: AnyRequest, n: int) -> tuple[AnyRequest, ...]:
    """The fewest requests that bring `n` pictures (1 to 6), together, with the seeds s, s+1, … from request to request.

    Seeds wrap at the top, 2147483647 → 0. Without a seed none is set.

    Raises:
        InvalidRequest: n is not a whole number from 1 to 6.
    """
    n = whole("n", n, 1, catalog.MAX_PICTURES)
    most = request._model.max_n
    starts = range(0, n, most)
    return tuple(replace(request, n=min(most, n - start), seed=next_seed(request.seed, start)) for start in starts)


def next_seed(seed: int | None, steps: int) -> int | None:
    """The seed so many steps on, wrapping at the top; None stays None."""
    return None if seed is None else (seed + steps) % (catalog.MAX_SEED + 1)


def whole(name: str, value: object, low: int, high: int) -> int:
    """A whole number within its bounds, both included. Agents also write it 1.0.

    Raises:
        InvalidRequest: it is none, or out of bounds.
    """
    # bool is an int in Python, and True is no seed.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high or value % 1:
        raise InvalidRequest(name, "range", value, low=low, high=high)
    return int(value)


def _shown(reference: str) -> str:
    return shorten(reference, 64) if reference.startswith("data:") else reference


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _text(name: str, value: object, limit: int) -> str:
    """A text without NULs, which some that pass it on would take for its end."""
    # Half of an emoji's two surrogates can come in JSON, and can't be sent on in UTF-8.
    if not isinstance(value, str) or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise InvalidRequest(name, "text", value)
    value = value.replace("\0", "")
    if len(value) > limit:
        raise InvalidRequest(name, "too_long", value, limit=limit, count=len(value))
    return value


def _is_visible(letter: str) -> bool:
    """Not a space, a control or format mark, an accent without a letter, nor a letter that is drawn as nothing."""
    return unicodedata.category(letter) not in _INVISIBLE and letter not in _BLANK


def _check_choice(name: str, value: object, allowed: Iterable[str]) -> None:
    allowed = tuple(allowed)
    if value not in allowed:
        raise InvalidRequest(name, "choice", value, allowed=", ".join(allowed))


def _check_switch(name: str, value: object) -> None:
    if value is not None and not isinstance(value, bool):
        raise InvalidRequest(name, "switch", value)


def _check_reference(name: str, value: object) -> None:
    if value is None or value == "":
        raise InvalidRequest(name, "picture_missing", value)
    if not isinstance(value, str) or not value.startswith(("https://", "data:image/")):
        raise InvalidRequest(name, "picture_form", value)
