"""What was painted becomes a mask, whoever says what was painted."""

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from qwen_demo.strokes import MAX_POINTS, MAX_STROKES, mask_of

DOT = [50, 0, 500, 250]


def white(mask: Image.Image) -> tuple[int, int, int, int] | None:
    return mask.getbbox()


def test_a_dot_is_a_disc_of_its_radius_at_its_place() -> None:
    mask = mask_of([DOT], (4000, 2000))
    assert (mask.mode, mask.size) == ("L", (1024, 512))
    assert set(np.unique(np.asarray(mask))) == {0, 255}
    left, top, right, bottom = white(mask) or (0, 0, 0, 0)
    assert (left + right) / 2 == pytest.approx(512, abs=1)
    assert (top + bottom) / 2 == pytest.approx(256, abs=1)
    assert np.count_nonzero(np.asarray(mask)) == pytest.approx(math.pi * 51.2**2, rel=0.04)


def test_the_mask_has_the_photos_shape_wide_or_tall() -> None:
    assert mask_of([], (4000, 3000)).size == (1024, 768)
    assert mask_of([], (300, 400)).size == (768, 1024)
    assert mask_of([], (100000, 1)).size == (1024, 1)
    assert white(mask_of([], (3, 4))) is None


def test_a_stroke_is_as_wide_everywhere_also_where_it_turns() -> None:
    mask = np.asarray(mask_of([[20, 0, 200, 200, 600, 200, 600, 600]], (1, 1)))
    ys, xs = np.mgrid[:1024, :1024] / 1.024
    along = np.hypot(xs - np.clip(xs, 200, 600), ys - 200)
    down = np.hypot(xs - 600, ys - np.clip(ys, 200, 600))
    distance = np.minimum(along, down)
    assert (mask[distance < 18] == 255).all()
    assert (mask[distance > 22] == 0).all()


def test_an_eraser_takes_away_what_came_before_it_and_nothing_after() -> None:
    erase = [60, 1, *DOT[2:]]
    assert white(mask_of([DOT, erase], (4, 2))) is None
    assert mask_of([erase, DOT], (4, 2)).tobytes() == mask_of([DOT], (4, 2)).tobytes()


def test_paint_beyond_the_photo_is_cut_off_at_its_sides() -> None:
    assert white(mask_of([[100, 0, -50, 250]], (4, 2))) == (0, 167, 52, 345)
    assert white(mask_of([[100, 0, -900, 250]], (4, 2))) is None


@pytest.mark.parametrize(
    "strokes",
    [
        None,
        {},
        5,
        "strokes",
        [[]],
        ["abcd"],
        [DOT, None],
        [[50, 0, 500]],
        [[50, 0, 500, 250, 1]],
        [[50, 0, 500, "250"]],
        [[50, 0, 500, [250]]],
        [[50, 0, 500, None]],
        [[50, 0, 500, math.nan]],
        [[50, 0, 500, math.inf]],
        [[50, 0, 500, 10**400]],
        [[50, 0, True, 250]],
        [[50, True, 500, 250]],
        [[50, 2, 500, 250]],
        [[50, 0.5, 500, 250]],
        [[0, 0, 500, 250]],
        [[-5, 0, 500, 250]],
        [[201, 0, 500, 250]],
        [[math.nan, 0, 500, 250]],
        [[50, 0, -1001, 250]],
        [DOT] * (MAX_STROKES + 1),
        [[50, 0] + [1] * (2 * MAX_POINTS + 2)],
        [[50, 0] + [1] * (2 * MAX_POINTS), DOT],
    ],
)
def test_what_is_not_made_of_strokes_is_refused(strokes: Any) -> None:
    with pytest.raises(ValueError, match="strokes"):
        mask_of(strokes, (4, 2))


def test_as_much_as_may_be_painted_is_painted() -> None:
    assert white(mask_of([DOT] * MAX_STROKES, (4, 2))) == white(mask_of([DOT], (4, 2)))
    assert white(mask_of([[50, 0] + [500, 250] * MAX_POINTS], (4, 2))) == white(mask_of([DOT], (4, 2)))
