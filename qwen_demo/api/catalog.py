"""What the API offers, as data: models, sizes, limits.

A new model is one new row in `MODELS`, a new size one in `SIZES`; requests, the offline backend and the page follow.
Rules come from the provider's page; those marked (maker) from the model maker's documents.
"""

from dataclasses import dataclass
from typing import Literal

Task = Literal["generations", "edits"]
"""What a model does; the last segment of its endpoint, `/images/{task}`."""


@dataclass(frozen=True, slots=True)
class Size:
    """A size of result that the API takes, in pixels."""

    width: int
    height: int
    ratio: str

    @property
    def name(self) -> str:
        """As the API spells it, such as `1664x928`."""
        return f"{self.width}x{self.height}"


# API: "必须精确匹配以下允许的尺寸". The maker's newer pages say 1104 where this provider takes 1140.
SIZES = (
    Size(1664, 928, "16:9"),
    Size(1472, 1140, "4:3"),
    Size(1328, 1328, "1:1"),
    Size(1140, 1472, "3:4"),
    Size(928, 1664, "9:16"),
)
DEFAULT_SIZE = "1328x1328"


@dataclass(frozen=True, slots=True)
class Model:
    """A model: what it does, and what one request to it may ask for."""

    name: str
    task: Task
    max_n: int = 1
    """Pictures that one request may ask for (API: "n 参数限制")."""
    sizes: tuple[Size, ...] = SIZES
    """Empty where the result always takes the shape of its picture."""
    rewrites: bool = True
    """Whether it can optimize the prompt."""

    @property
    def size_names(self) -> tuple[str, ...]:
        return tuple(size.name for size in self.sizes)

    @property
    def default_size(self) -> str | None:
        """What it draws where none is asked for; None where it takes no size."""
        return DEFAULT_SIZE if DEFAULT_SIZE in self.size_names else next(iter(self.size_names), None)


MODELS = (  # the first of a task is its default
    Model("qwen-image-plus", "generations"),
    Model("qwen-image", "generations"),
    Model("qwen-image-edit-plus", "edits", max_n=6),
    Model("qwen-image-edit-plus-2025-10-30", "edits", max_n=6),
    Model("qwen-image-edit", "edits", sizes=(), rewrites=False),  # (maker)
)

MAX_PICTURES = 6  # of one order, with any model: several requests where one gives fewer
MAX_SEED = 2_147_483_647  # API: "随机数种子范围：[0,2147483647]"
MAX_PROMPT = 800  # characters (maker); upstream cuts the rest silently
MAX_NEGATIVE_PROMPT = 500  # characters, API: "长度不超过500字符"
MAX_REFERENCES = 3  # reference pictures of one request (maker)
RESPONSE_FORMATS = ("url", "b64_json")


def models_for(task: Task) -> tuple[Model, ...]:
    """The models of a task, its default first."""
    return tuple(model for model in MODELS if model.task == task)


def find_model(name: object, task: Task) -> Model | None:
    """The model of that name, or None if this task has none."""
    return next((model for model in models_for(task) if model.name == name), None)


def pixels(size: str) -> tuple[int, int]:
    """Width and height out of a size's name, such as `1664x928`."""
    width, _, height = size.partition("x")
    return int(width), int(height)
