"""Text to picture: the size, the seed, the prompt, the watermark."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from qwen_demo.api.catalog import SIZES, Size
from qwen_demo.offline.draw import SCENES, draw
from qwen_demo.offline.vocabulary import named

SMALL = (416, 290)


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures, from 0 to 255."""
    return ImageStat.Stat(ImageChops.difference(one, other).convert("L")).mean[0]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
async def test_a_picture_has_the_size_asked_for(generate: Any, size: Size) -> None:
    (png,) = await generate("海", size=size.name)
    image = Image.open(BytesIO(png))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (size.width, size.height))


async def test_without_a_seed_each_picture_is_another(generate: Any) -> None:
    assert await generate("海") != await generate("海")


@pytest.mark.parametrize("prompt", [*SCENES, "a cat", "hello"])
def test_a_seed_gives_the_same_picture_and_another_seed_visibly_another(prompt: str) -> None:
    one, same, other = (draw(prompt, seed, SMALL) for seed in (0, 0, 1))
    assert one.tobytes() == same.tobytes()
    assert difference(one, other) > 4


def test_another_prompt_is_visibly_another_picture() -> None:
    assert difference(draw("hello", 1, SMALL), draw("world", 1, SMALL)) > 4


def test_a_panda_is_not_drawn_as_a_cat(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[object] = []
    monkeypatch.setattr("qwen_demo.offline.draw._cat", drawn.append)
    for prompt in ("熊猫", "小猫", "a kitten", "category"):
        draw(prompt, 1, SMALL)
    assert len(drawn) == 2


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("size", [(96, 384), (384, 96), (96, 96)])
def test_every_scene_fits_any_shape(scene: str, size: tuple[int, int]) -> None:
    assert draw(scene, 3, size).size == size


async def test_a_watermark_marks_the_lower_right_corner_only(generate: Any) -> None:
    plain, marked = [
        Image.open(BytesIO((await generate("海", seed=1, watermark=watermark))[0])) for watermark in (False, True)
    ]
    left, top, right, bottom = ImageChops.difference(plain, marked).getbbox() or (0, 0, 0, 0)
    assert 900 < left < right < 1328
    assert 1200 < top < bottom < 1328


@pytest.mark.parametrize(
    ("words", "text", "number"),
    [
        ("cool*", "the school is cooler", 1),
        ("cat", "category of cats", 0),
        ("blur*", "blurred, BLURRY, unblurred", 2),
        ("暗 暗角", "暗角，暗", 2),
        ("cat", "一只cat在花园", 1),
        ("oil.paint*", "an oil painting, oil-painted, oily paint", 2),
        ("亮", "漂亮的月亮更亮", 1),
    ],
)
def test_words_are_found_whole(words: str, text: str, number: int) -> None:
    assert named([words], text) == [words] * number
