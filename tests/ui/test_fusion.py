"""How prompts name pictures."""

import pytest

from qwen_demo.ui.fusion import named, renumbered


@pytest.mark.parametrize(
    ("prompt", "numbers"),
    [
        ("图1中的女生穿着图2中的裙子", {1, 2}),
        ("the cat of image 2, image3 and Image 1", {1, 2, 3}),
        ("图 3", {3}),
        ("图12 has 2 images and a subimage 1", set()),
        ("", set()),
    ],
)
def test_a_picture_is_named_by_its_number(prompt: str, numbers: set[int]) -> None:
    assert named(prompt) == numbers


@pytest.mark.parametrize(
    ("prompt", "swapped"),
    [
        ("图1 and 图2 and 图3", "图2 and 图1 and 图3"),
        ("image 1 beside Image 2, image 1 again", "image 2 beside Image 1, image 2 again"),
        ("2 cats in image 2", "2 cats in image 1"),
        ("nothing named", "nothing named"),
    ],
)
def test_swapping_pictures_renumbers_the_prompt(prompt: str, swapped: str) -> None:
    assert renumbered(prompt, 1, 2) == swapped
    assert renumbered(swapped, 1, 2) == prompt
