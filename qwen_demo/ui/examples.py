"""What a newcomer can try with one click: the samples of the API's page, and some with photos that are shipped."""

from dataclasses import dataclass
from pathlib import Path

_PHOTOS = Path(__file__).parent / "photos"
_SAMPLES = "https://help-static-aliyun-doc.aliyuncs.com/file-manage-files/zh-CN/20250925"


@dataclass(frozen=True)
class Example:
    """A click's worth of input: the words stand in the locales as `example_{key}`, `…_prompt`, `…_negative`."""

    key: str
    size: str | None = None
    seed: int | None = None
    negative: bool = False
    watermark: bool = False
    pictures: tuple[Path | str, ...] = ()


TEXT_TO_IMAGE = (
    Example("text_cat", negative=True),
    Example("text_zoo", size="1664x928", seed=12345, negative=True),
    Example("text_garden", size="1140x1472", negative=True),
)
EDIT = (
    Example("edit_cat", pictures=(_PHOTOS / "chelsea.png",)),
    Example("edit_coffee", pictures=(_PHOTOS / "coffee.png",)),
    Example("edit_bicycle", size="1328x1328", negative=True, pictures=(f"{_SAMPLES}/fpakfo/image36.webp",)),
)
FUSION = (
    Example("fusion_space", pictures=(_PHOTOS / "astronaut.png", _PHOTOS / "coffee.png", _PHOTOS / "rocket.jpg")),
    Example("fusion_pets", pictures=(_PHOTOS / "astronaut.png", _PHOTOS / "chelsea.png")),
    Example(
        "fusion_dress",
        size="1328x1328",
        watermark=True,
        pictures=(f"{_SAMPLES}/thtclx/input1.png", f"{_SAMPLES}/iclsnx/input2.png", f"{_SAMPLES}/gborgw/input3.png"),
    ),
)

KINDS = {"text_to_image": TEXT_TO_IMAGE, "edit": EDIT, "fusion": FUSION}
"""All of them, by what they ask for."""
SHOWN = (TEXT_TO_IMAGE[0], TEXT_TO_IMAGE[2], *EDIT[:2], *FUSION[:2])
"""What an empty feed offers, with pictures in `board/`, drawn by the offline backend."""
