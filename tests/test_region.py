from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from qwen_demo.region import (
    SHAPES,
    Box,
    Match,
    levelled,
    match,
    part_to_send,
    paste,
    sharpness,
    straightened,
    touched,
)
from qwen_demo.registration import STAY

from .drifts import Drift, answer_to, left_over, one_megapixel, some_drift

PHOTOS = Path(__file__).parents[1] / "qwen_demo" / "ui" / "photos"
NOTHING = Image.new("L", (8, 8))


def photo(name: str, times: int = 3) -> Image.Image:
    with Image.open(PHOTOS / name) as image:
        return image.convert("RGB").resize((image.width * times, image.height * times), Image.Resampling.LANCZOS)


def bricks(differ: float) -> Image.Image:
    """A wall in which each brick's tone differs by about so much."""
    dice, wall = np.random.default_rng(0), Image.new("RGB", (1536, 1024), (150, 140, 130))
    draw = ImageDraw.Draw(wall)
    for row in range(26):
        for column in range(-1, 17):
            x, y, tone = column * 96 + row % 2 * 48, row * 40, dice.normal(0, differ)
            draw.rectangle((x, y, x + 90, y + 34), (int(150 + tone), int(70 + tone), int(55 + tone)))
    return wall


def kind(name: str) -> Image.Image:
    """A picture of a kind."""
    if name == "portrait 9:16":
        return photo("astronaut.png").crop((300, 0, 1164, 1536))
    if name == "grey":
        return ImageOps.grayscale(photo("chelsea.png")).convert("RGB")
    if name == "low contrast":
        return Image.blend(Image.new("RGB", (1800, 1200), (128, 128, 128)), photo("coffee.png"), 0.25)
    if name == "dark":
        return photo("coffee.png").point(lambda value: 22 + value // 8)
    return bricks(8 if name == "bricks" else 0) if "bricks" in name else photo(name)


def painted(size: tuple[int, int], part: tuple[float, float, float, float], side: int = 1024) -> Image.Image:
    """A mask with an ellipse in that part of it."""
    mask = Image.new("L", (side, round(side * size[1] / size[0])))
    left, top, right, bottom = part
    corners = left * mask.width, top * mask.height, right * mask.width, bottom * mask.height
    ImageDraw.Draw(mask).ellipse(corners, 255)
    return mask


def sent_of(picture: Image.Image, box: Box, size: tuple[int, int]) -> Image.Image:
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS, box)


def plain(picture: Image.Image, answer: Image.Image) -> Match:
    """The match of a plain edit, of which nothing was painted."""
    box, size = part_to_send(ImageOps.invert(NOTHING), picture.size)
    return match(sent_of(picture, box, size), NOTHING, picture.size, box, answer)


def sketch(picture: Image.Image) -> Image.Image:
    """A pencil drawing of it: paper, and a line at each edge."""
    grey = np.asarray(picture.convert("L"), np.float32)
    soft = np.asarray(ImageOps.invert(picture.convert("L")).filter(ImageFilter.GaussianBlur(8)), np.float32)
    return Image.fromarray(np.clip(grey * 255 / (256 - soft), 0, 255).astype(np.uint8))


def seam(picture: Image.Image, mask: Image.Image) -> float:
    """How much neighbours along the outline of the mask, one inside and one outside, differ on average."""
    values, inside = np.asarray(picture.convert("RGB"), np.float32), np.asarray(mask) > 127
    across, down = inside[:, 1:] != inside[:, :-1], inside[1:] != inside[:-1]
    return float(np.concatenate([abs(np.diff(values, axis=1))[across], abs(np.diff(values, axis=0))[down]]).mean())


KINDS = ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "portrait 9:16", "grey", "bricks", "same bricks"]
REGION = (0.35, 0.4, 0.6, 0.7)


# The part that is sent


@pytest.mark.parametrize(
    ("whole", "paint", "expected"),
    [
        ((4000, 3000), (100, 100, 300, 300), ((0, 0, 512, 512), (1024, 1024))),
        ((4000, 3000), (3800, 2800, 4000, 3000), ((3488, 2488, 4000, 3000), (1024, 1024))),
        ((4000, 3000), (1500, 1000, 2300, 1200), ((1080, 600, 2720, 1600), (1312, 800))),
        ((4000, 3000), (0, 0, 4000, 3000), ((0, 0, 4000, 3000), (1184, 896))),
        ((8000, 1000), (100, 100, 1000, 800), ((0, 0, 1957, 1000), (1440, 736))),
        ((400, 300), (5, 5, 9, 9), ((0, 0, 400, 300), (1184, 896))),
        ((3, 2), (0, 0, 1, 1), ((0, 0, 3, 2), (1248, 832))),
    ],
)
def test_the_paint_is_sent_with_what_is_around_it(
    whole: tuple[int, int], paint: Box, expected: tuple[Box, tuple[int, int]]
) -> None:
    mask = Image.new("L", whole)
    mask.paste(255, paint)
    assert part_to_send(mask, whole) == expected


@pytest.mark.parametrize("seed", range(40))
def test_a_part_holds_the_paint_lies_in_the_photo_and_keeps_its_shape(seed: int) -> None:
    dice = np.random.default_rng(seed)
    whole = int(dice.integers(300, 6000)), int(dice.integers(300, 6000))
    mask = Image.new("L", (whole[0] // 3, whole[1] // 3))
    x, y = (int(dice.integers(0, side)) for side in mask.size)
    right, bottom = (int(dice.integers(at + 1, side + 1)) for at, side in zip((x, y), mask.size, strict=True))
    mask.paste(255, (x, y, right, bottom))
    box, size = part_to_send(mask, whole)
    assert (box[0] >= 0, box[1] >= 0, box[2] <= whole[0], box[3] <= whole[1]) == (True,) * 4
    assert box[0] <= 3 * x
    assert box[1] <= 3 * y
    assert box[2] >= min(3 * right, whole[0])
    assert box[3] >= min(3 * bottom, whole[1])
    assert size in SHAPES or box == (0, 0, *whole)
    stretch = (box[2] - box[0]) / size[0] / ((box[3] - box[1]) / size[1])
    assert stretch == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("whole", "size"),
    [
        ((4000, 3000), (1184, 896)),
        ((400, 300), (1184, 896)),
        ((8000, 1000), (3072, 384)),
        ((375, 3000), (384, 3072)),
        ((512, 512), (1024, 1024)),
        ((1080, 1920), (768, 1376)),
    ],
)
def test_everything_is_sent_at_a_megapixel_in_the_photos_shape(whole: tuple[int, int], size: tuple[int, int]) -> None:
    assert part_to_send(Image.new("L", (1, 1), 255), whole, everything=True) == ((0, 0, *whole), size)


@pytest.mark.parametrize("value", [0, 100])
def test_a_mask_without_white_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="nothing is white"):
        part_to_send(Image.new("L", (40, 30), value), (400, 300))


def test_sharpness_is_what_is_sent_of_a_photos_pixel() -> None:
    assert sharpness((0, 0, 512, 512), (1024, 1024)) == 1
    assert sharpness((100, 0, 2148, 2048), (1024, 1024)) == 0.5


# Where the answer shows what was sent


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_a_drift_is_found_to_a_fraction_of_a_pixel(name: str, seed: int) -> None:
    picture, drift = kind(name), some_drift(seed)
    mask = painted(picture.size, REGION)
    box, size = part_to_send(mask, picture.size)
    sent = sent_of(picture, box, size)
    answer = answer_to(sent, drift)
    found = match(sent, mask, picture.size, box, answer)
    assert left_over(found.place, drift, answer.size) < 0.3
    assert (found.changed, found.cut, found.same_scene) == (0, 0, True)
    straight = levelled(straightened(answer, size, found.place), found)
    assert np.asarray(ImageChops.difference(straight, sent).crop((60, 60, size[0] - 60, size[1] - 60))).mean() < 6


def test_a_drift_is_usually_found_to_a_tenth_of_a_pixel() -> None:
    left = []
    for name in ("astronaut.png", "chelsea.png", "coffee.png"):
        picture = photo(name)
        box, size = part_to_send(Image.new("L", (1, 1), 255), picture.size)
        sent = sent_of(picture, box, size)
        for seed in range(10, 14):
            answer = answer_to(sent, drift := some_drift(seed))
            left.append(left_over(plain(picture, answer).place, drift, answer.size))
    assert np.median(left) < 0.1


@pytest.mark.parametrize("name", ["low contrast", "dark"])
def test_a_faint_photo_is_laid_over_itself_too(name: str) -> None:
    picture = kind(name)
    answer = answer_to(sent_of(picture, (0, 0, 1800, 1200), (1248, 832)), drift := some_drift(2))
    found = plain(picture, answer)
    assert left_over(found.place, drift, answer.size) < 0.5
    assert found.changed == 0


def test_strong_noise_is_no_change() -> None:
    picture = photo("astronaut.png")
    drift = Drift((0.02, -0.01, -0.03, 0.015), noise=15)
    answer = answer_to(sent_of(picture, (0, 0, *picture.size), (1024, 1024)), drift)
    found = plain(picture, answer)
    assert left_over(found.place, drift, answer.size) < 0.3
    assert found.changed == 0


def test_a_large_new_object_within_the_paint_does_not_mislead() -> None:
    picture, drift = photo("coffee.png"), some_drift(5)
    mask = painted(picture.size, (0.2, 0.15, 0.8, 0.85))
    box, size = part_to_send(mask, picture.size)
    sent = sent_of(picture, box, size)
    answer = answer_to(sent, drift)
    other = photo("astronaut.png").resize(answer.size)
    answer.paste(other, (0, 0), painted(picture.size, (0.22, 0.17, 0.78, 0.83)).resize(answer.size))
    found = match(sent, mask, picture.size, box, answer)
    assert left_over(found.place, drift, answer.size) < 0.3
    assert (found.changed, found.cut) == (0, 0)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
@pytest.mark.parametrize("size", [(1024, 704), (1040, 688), (312, 208), (2496, 1664)])
def test_an_answer_of_any_size_and_mode_is_laid_over(size: tuple[int, int], mode: str) -> None:
    picture, drift = kind("grey").crop((0, 0, 1350, 900)), Drift((0.02, -0.01, 0.01, 0.015))
    sent = sent_of(picture, (0, 0, 1350, 900), (1248, 832))
    answer = answer_to(sent, drift, size).convert(mode)
    assert left_over(plain(picture, answer).place, drift, size) < 0.3 * max(1, size[0] / 1024)


@pytest.mark.parametrize("drift", [Drift(noise=3), some_drift(1)])
@pytest.mark.parametrize("sky", ["black", "flat", "gradient"])
def test_what_shows_nothing_stays_in_its_place(sky: str, drift: Drift) -> None:
    picture = Image.new("RGB", (1200, 900), "black" if sky == "black" else (110, 160, 220))
    if sky == "gradient":
        rows = np.linspace(100, 220, 900)[:, None, None] * [0.5, 0.8, 1] + np.zeros((900, 1200, 3))
        picture = Image.fromarray(rows.astype(np.uint8))
    found = plain(picture, answer_to(picture, drift))
    assert found.place[:2] == (0, 0)
    assert found.place == STAY or sky == "gradient"
    assert found.changed == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_tint_is_undone(seed: int) -> None:
    picture, drift = photo("astronaut.png"), some_drift(seed)
    answer = answer_to(picture.resize((1024, 1024), Image.Resampling.LANCZOS), drift)
    mended = levelled(Image.new("RGB", (1, 1), (100, 100, 100)), found := plain(picture, answer))
    truth = [(100 - offset) / gain for gain, offset in zip(drift.gain, drift.offset, strict=True)]
    assert mended.getpixel((0, 0)) == pytest.approx(truth, abs=3)
    assert all(0.8 <= gain <= 1.25 and abs(offset) <= 40 for gain, offset in found.levels)


@pytest.mark.parametrize("name", ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"])
@pytest.mark.parametrize(
    "colours",
    [
        (0.3, 0.59, 0.11, 0, 0.3, 0.59, 0.11, 0, 0.3, 0.59, 0.11, 0),
        (0.4, 0, 0, 0, 0, 0.4, 0, 0, 0, 0, 0.5, 0),
        (-1, 0, 0, 255, 0, -1, 0, 255, 0, 0, -1, 255),
    ],
    ids=["grey", "night", "negative"],
)
def test_colours_that_the_words_asked_for_stay(name: str, colours: tuple[float, ...]) -> None:
    before = photo(name, 1)
    found = plain(before, before.convert("RGB", colours))
    assert (found.levels, found.same_scene) == (((1, 0), (1, 0), (1, 0)), False)


def test_colours_are_levelled_by_gain_and_offset_and_never_wrap() -> None:
    found = Match(levels=((1.2, 10), (1, 0), (0.9, -20)))
    answer = Image.new("RGBA", (1, 1), (50, 77, 100, 0))
    assert levelled(answer, found).getpixel((0, 0)) == (70, 77, 70)
    assert levelled(Image.new("RGB", (1, 1), (250, 0, 5)), found).getpixel((0, 0)) == (255, 0, 0)


def test_what_moved_is_told_in_pixels_of_the_photo() -> None:
    assert Match((0.02, 0.01, 0, 0)).moved((100, 0, 2100, 1000)) == pytest.approx(30)
    assert Match((0.03, 0, 0.04, 0)).moved((0, 0, 200, 200)) == pytest.approx(5)
    assert Match().moved((0, 0, 200, 200)) == 0


# What the model drew anew


def anew(part: tuple[float, float, float, float]) -> Match:
    """What is found where a part of the photo shows another photo, and the middle was painted."""
    picture = photo("astronaut.png")
    mask = painted(picture.size, (0.4, 0.4, 0.6, 0.6))
    box, size = part_to_send(mask, picture.size, everything=True)
    sent = sent_of(picture, box, size)
    other = sent.copy()
    other.paste(photo("chelsea.png").resize(size), (0, 0), painted(size, part))
    return match(sent, mask, picture.size, box, answer_to(other, some_drift(3)))


def test_what_was_drawn_anew_away_from_the_paint_is_told() -> None:
    found = anew((0.05, 0.05, 0.35, 0.35))  # an ellipse of 7.1 % of the picture; 4 % and what is around are painted
    assert found.changed == pytest.approx(0.07, abs=0.02)
    assert (found.cut, found.same_scene) == (0, True)


def test_what_the_paint_cuts_is_told() -> None:
    found = anew((0.35, 0.35, 0.8, 0.65))
    assert found.changed is not None
    assert found.changed < 0.12
    assert found.cut is not None
    assert found.cut > 0.3


def test_what_stays_within_the_paint_is_no_change() -> None:
    found = anew((0.41, 0.41, 0.59, 0.59))
    assert (found.changed, found.cut) == (0, 0)


def test_too_little_that_is_unpainted_tells_nothing() -> None:
    picture = photo("coffee.png")
    sent = sent_of(picture, (0, 0, 1800, 1200), (1248, 832))
    answer = answer_to(sent, drift := some_drift(0))
    mask = Image.new("L", (1800, 1200), 255)
    assert match(sent, mask, picture.size, (0, 0, 1800, 1200), answer) == Match()
    mask.paste(0, (0, 0, 1800, 130))
    found = match(sent, mask, picture.size, (0, 0, 1800, 1200), answer)
    assert (found.changed, found.cut, found.same_scene) == (None, None, False)
    assert left_over(found.place, drift, answer.size) < left_over(STAY, drift, answer.size)


@pytest.mark.parametrize("name", ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"])
def test_a_plain_edit_shows_the_same_scene_or_another(name: str) -> None:
    picture = photo(name)
    others = [photo(other) for other in ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg") if other != name]
    assert plain(picture, answer_to(picture, some_drift(7))).same_scene
    for answer in (*others, ImageOps.mirror(picture), ImageOps.flip(picture), sketch(picture), picture.rotate(180)):
        assert not plain(picture, answer).same_scene


# What is pasted


def allowed(mask: Image.Image, size: tuple[int, int], box: Box, edge: float) -> NDArray[np.bool_]:
    """Where a paste may change the photo: the paint, grown by what the edge may reach, within the box."""
    unit = ((box[2] - box[0]) * (box[3] - box[1])) ** 0.5 / 1024
    reach = 0 if edge == 0 else int(18 * edge * unit + 4 * max(1, unit))
    enlarged = size[0] >= mask.width
    how, least = (Image.Resampling.BILINEAR, 128) if enlarged else (Image.Resampling.BOX, 1)
    paint = mask.resize(size, how).point(lambda value: 255 * (value >= least))
    part = Image.new("L", (size[0] + 2 * reach, size[1] + 2 * reach))
    part.paste(paint.crop(box), (box[0] + reach, box[1] + reach))
    for along in ((reach, 0), (0, reach)):
        part = part.filter(ImageFilter.BoxBlur(along)).point(lambda value: 255 * (value > 0))
    within = Image.new("L", size)
    within.paste(255, box)
    grown = part.crop((reach, reach, size[0] + reach, size[1] + reach))
    return np.asarray(ImageChops.multiply(grown, within)) > 0


PAINTS = {
    "a corner": (0, 0, 90, 60),
    "the other corner": (590, 370, 640, 400),
    "a border": (200, 0, 300, 40),
    "a line": (320, 50, 321, 350),
    "a pixel": (320, 200, 321, 201),
    "all": (0, 0, 640, 400),
}


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("edge", [0, 0.1, 1, 3])
@pytest.mark.parametrize("paint", PAINTS)
@pytest.mark.parametrize("times", [1, 2, 4])
def test_no_pixel_changes_away_from_the_paint(mode: str, edge: float, paint: str, times: int) -> None:
    dice = np.random.default_rng(0)
    size = 640 * times // 2, 400 * times // 2
    mask = Image.new("L", (640, 400))
    mask.paste(255, PAINTS[paint])
    source = Image.fromarray(dice.integers(0, 256, (size[1], size[0], len(mode)), np.uint8))
    before = np.asarray(source).copy()
    box, _ = part_to_send(mask, size)
    paste(source, mask, box, Image.new("RGB", (1024, 640), "red"), (0.02, 0, -0.01, 0.01), edge)
    after = np.asarray(source)
    differs = np.any(before != after, 2)
    may = allowed(mask, size, box, edge)
    assert not (differs & ~may).any()
    middle = mask.resize(size, Image.Resampling.BILINEAR).point(lambda value: 255 * (value > 127))
    red = np.array([255, 0, 0, 255][: len(mode)], np.uint8)
    assert (after[np.asarray(middle) > 0] == red).all()
    assert differs.any()
    left, top, right, bottom = touched(mask, size, box, edge) or (0, 0, 0, 0)
    outside = np.ones(differs.shape, bool)
    outside[top:bottom, left:right] = False
    assert not differs[outside].any()


def test_a_hard_edge_is_just_the_paint() -> None:
    source = Image.new("RGB", (800, 600), "blue")
    mask = painted((800, 600), REGION, side=800)
    box, _ = part_to_send(mask, source.size)
    paste(source, mask, box, Image.new("RGB", (500, 500), "red"), STAY, edge=0)
    assert ((np.asarray(source)[..., 0] == 255) == (np.asarray(mask) == 255)).all()


@pytest.mark.parametrize("edge", [0.5, 1, 2])
def test_the_edge_is_soft_from_half_to_three_halves_of_its_width(edge: float) -> None:
    source, mask = Image.new("RGB", (1024, 1024), "black"), Image.new("L", (1024, 1024))
    mask.paste(255, (0, 0, 300, 1024))
    paste(source, mask, (0, 0, 1024, 1024), Image.new("RGB", (1024, 1024), "white"), STAY, edge)
    row = np.asarray(source)[500, :, 0]
    full, gone = int(np.argmin(row == 255)), int(np.argmax(row == 0))
    assert full == pytest.approx(300 + 6 * edge, abs=2)
    assert gone == pytest.approx(300 + 18 * edge, abs=2)
    assert (np.diff(row.astype(int)) <= 0).all()


def test_a_pasted_part_is_opaque_and_its_edge_takes_no_hidden_colour() -> None:
    source, mask = Image.new("RGBA", (1024, 1024), (0, 0, 0, 0)), Image.new("L", (1024, 1024))
    source.putpixel((900, 900), (12, 34, 56, 0))
    mask.paste(255, (300, 300, 500, 500))
    paste(source, mask, (0, 0, 1024, 1024), Image.new("RGB", (64, 64), "white"), STAY)
    assert source.getpixel((400, 400)) == (255, 255, 255, 255)
    assert source.getpixel((900, 900)) == (12, 34, 56, 0)
    edge = np.asarray(source)[400, 500:520]
    assert (edge[(edge[:, 3] > 0)][:, :3] == 255).all()
    assert len(set(edge[:, 3].tolist())) > 5


def test_paint_outside_of_what_was_sent_is_ignored() -> None:
    source, mask = Image.new("RGB", (800, 600), "blue"), Image.new("L", (800, 600))
    mask.paste(255, (0, 0, 100, 100))
    box = (200, 200, 600, 500)
    assert touched(mask, source.size, box) is None
    paste(source, mask, box, Image.new("RGB", (64, 64), "red"), STAY)
    assert source.getcolors() == [(480_000, (0, 0, 255))]


@pytest.mark.parametrize("name", ["astronaut.png", "chelsea.png", "coffee.png"])
@pytest.mark.parametrize("side", [512, 1024, 3000])
def test_no_seam_is_seen_where_the_answer_begins(name: str, side: int) -> None:
    picture = photo(name)
    drift = Drift((0.03, -0.01, -0.03, 0.015), (0.92, 0.95, 0.9), (8, 8, 20), soft=0.5)
    mask = painted(picture.size, REGION, side)
    box, size = part_to_send(mask, picture.size)
    sent = sent_of(picture, box, size)
    answer = answer_to(sent, drift)
    found = match(sent, mask, picture.size, box, answer)
    outline = mask.resize(picture.size, Image.Resampling.BILINEAR)

    ours, theirs = picture.copy(), picture.copy()
    paste(ours, mask, box, levelled(answer, found), found.place, edge=0)
    paste(theirs, mask, box, answer, STAY, edge=0)
    truth = seam(picture, outline)
    assert seam(ours, outline) < 1.1 * truth
    assert seam(theirs, outline) > 1.75 * truth

    soft = picture.copy()
    paste(soft, mask, box, levelled(answer, found), found.place)
    assert seam(soft, outline) == pytest.approx(truth, rel=0.1)


def test_an_unpainted_edit_is_brought_back_to_the_photo() -> None:
    picture, drift = photo("chelsea.png"), Drift((0.03, -0.01, -0.02, 0.015))
    answer = answer_to(picture.resize(one_megapixel(picture.size), Image.Resampling.LANCZOS), drift)
    straight = straightened(answer, picture.size, plain(picture, answer).place)
    assert straight.size == picture.size
    off = np.asarray(ImageChops.difference(straight, picture), np.float32)
    assert off[60:-60, 60:-60].mean() < 1.5
    assert off.mean() < 2.5  # what had moved out of the answer is mirrored
    aside = np.asarray(ImageChops.difference(answer.resize(picture.size), picture), np.float32)
    assert aside.mean() > 5
