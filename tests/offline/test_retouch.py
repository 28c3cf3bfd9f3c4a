"""Pictures to picture: each operation by its words, the drift, the shape, the seed, the fusion."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from qwen_demo.offline.canvas import dice
from qwen_demo.offline.retouch import OPERATIONS, drift, redrawn_size, retouch
from qwen_demo.region import SHAPES


def mean(image: Image.Image, box: tuple[int, int, int, int] | None = None) -> tuple[int, int, int]:
    red, green, blue = ImageStat.Stat(image.crop(box)).mean
    return round(red), round(green), round(blue)


def difference(one: Image.Image, other: Image.Image) -> float:
    return ImageStat.Stat(ImageChops.difference(one, other).convert("L")).mean[0]


def difference_from_afar(one: Image.Image, other: Image.Image) -> float:
    """Without what is small and may have moved."""
    return difference(one.reduce(16), other.reduce(16))


@pytest.fixture
def photo() -> Image.Image:
    """A dark red disc, finely striped, to the left on a light ground that darkens to its foot."""
    image = Image.linear_gradient("L").resize((480, 400)).point(lambda v: 235 - v // 6).convert("RGB")
    disc = Image.new("RGB", (280, 280), "#701818")
    for y in range(0, 280, 8):
        disc.paste("#c04030", (0, y, 280, y + 4))
    image.paste(disc, (40, 40), Image.radial_gradient("L").resize((280, 280)).point(lambda v: 255 if v < 150 else 0))
    return image


@pytest.mark.parametrize(
    ("chinese", "english"),
    [
        ("变成黑白照片", "make it black and white"),
        ("模糊", "blurred"),
        ("清晰", "sharpened"),
        ("暖色调", "warmer tones"),
        ("冷色调", "cooler tones"),
        ("铅笔素描", "a pencil sketch"),
        ("油画风格", "an oil painting"),
        ("左右翻转", "flipped"),
        ("上下翻转", "upside down"),
        ("加暗角", "with a vignette"),
        ("像素风", "pixelated"),
        ("更亮", "brighter"),
        ("更暗", "darker"),
        ("反色", "inverted"),
        ("复古", "vintage"),
        ("换成蓝色背景", "change the background to blue"),
    ],
)
def test_an_operation_changes_the_picture_by_its_chinese_and_its_english_name(
    photo: Image.Image, chinese: str, english: str
) -> None:
    by_chinese, by_english = (retouch(prompt, [photo], 1, photo.size) for prompt in (chinese, english))
    assert by_chinese.size == by_english.size == photo.size
    assert difference(drift(photo, dice(chinese, 1)), by_chinese) > 4
    assert difference(drift(photo, dice(english, 1)), by_english) > 4
    assert difference_from_afar(by_chinese, by_english) < 26


def test_every_operation_has_words_of_its_own() -> None:
    words = " ".join(OPERATIONS).split()
    assert len(words) == len(set(words))


def test_warm_is_redder_and_cool_is_bluer(photo: Image.Image) -> None:
    cool, before, warm = (
        red - blue
        for red, _, blue in (
            mean(image)
            for image in (retouch("冷", [photo], 1, photo.size), photo, retouch("暖", [photo], 1, photo.size))
        )
    )
    assert cool + 20 < before < warm - 20


def test_a_vignette_darkens_the_corners_and_not_the_middle() -> None:
    image = retouch("暗角", [Image.new("RGB", (480, 400), "#808080")], 1, (480, 400))
    assert mean(image, (0, 0, 20, 20))[0] < 70
    assert abs(mean(image, (230, 190, 250, 210))[0] - 128) < 12


def test_flipped_left_is_right_and_above_is_below(photo: Image.Image) -> None:
    assert difference_from_afar(retouch("翻转", [photo], 1, photo.size), ImageOps.mirror(photo)) < 12
    assert difference_from_afar(retouch("上下翻转", [photo], 1, photo.size), ImageOps.flip(photo)) < 12


@pytest.mark.parametrize("prompt", ["in school", "漂亮的月亮", "一辆红色的自行车，背景是茂密的森林"])
def test_what_names_no_operation_is_drawn_into_the_middle_and_nowhere_else(photo: Image.Image, prompt: str) -> None:
    image, drifted = retouch(prompt, [photo], 1, photo.size), drift(photo, dice(prompt, 1))
    changed = ImageChops.difference(image, drifted)
    left, top, right, bottom = changed.getbbox() or (0, 0, 0, 0)
    assert 120 <= left < 140 < 340 < right <= 360
    assert 100 <= top < 120 < 280 < bottom <= 300
    assert min(mean(changed, (200, 160, 280, 240))) > 20
    assert difference_from_afar(photo, drifted) < 12


def test_a_redrawn_picture_moves_and_zooms_by_at_most_a_hundredth_and_a_half_of_its_sides() -> None:
    square = Image.new("RGB", (1200, 800))
    square.paste("white", (120, 80, 1080, 720))
    redrawn = [drift(square, dice("", seed)).convert("1", dither=Image.Dither.NONE) for seed in range(24)]
    lefts, tops, rights, bottoms = zip(*(image.getbbox() or () for image in redrawn), strict=True)
    for now, was, most in ((lefts, 120, 18), (tops, 80, 12), (rights, 1080, 18), (bottoms, 720, 12)):
        assert most / 4 < max(abs(side - was) for side in now) <= most
    along_x = [(right - left) / 960 for left, right in zip(lefts, rights, strict=True)]
    along_y = [(bottom - top) / 640 for top, bottom in zip(tops, bottoms, strict=True)]
    assert all(1 <= zoom <= 1.032 for zoom in (*along_x, *along_y))
    assert any(abs(x - y) > 0.005 for x, y in zip(along_x, along_y, strict=True))


def test_a_redrawn_picture_is_slightly_tinted_and_softened(photo: Image.Image) -> None:
    grey = Image.new("RGB", (64, 64), "#808080")
    tones = [mean(drift(grey, dice("", seed))) for seed in range(24)]
    assert all(abs(value - 128) <= 10 for tone in tones for value in tone)
    assert len(set(tones)) > 20
    stripes = (130, 110, 190, 170)
    sharp, soft = (
        ImageStat.Stat(image.convert("L").crop(stripes)).stddev[0] for image in (photo, drift(photo, dice("", 1)))
    )
    assert 0.7 * sharp < soft < 0.97 * sharp


@pytest.mark.parametrize("prompt", ["黑白", "a hat"])
def test_a_seed_and_a_prompt_give_the_same_pixels_and_another_seed_others(photo: Image.Image, prompt: str) -> None:
    one, same, other = (retouch(prompt, [photo], seed, None).tobytes() for seed in (0, 0, 1))
    assert one == same != other


def test_operations_combine_in_their_order(photo: Image.Image) -> None:
    red, green, blue = retouch("复古，黑白", [photo], 1, photo.size).split()
    assert red.tobytes() == green.tobytes() == blue.tobytes()
    sepia = mean(retouch("黑白，复古", [photo], 1, photo.size))
    assert sepia[0] > sepia[2] + 15


@pytest.mark.parametrize("prompt", ["把背景换成蓝色", "蓝色背景", "a blue background", "make the background blue"])
def test_a_background_takes_the_colour_and_the_subject_keeps_its_own(photo: Image.Image, prompt: str) -> None:
    image = retouch(prompt, [photo], 1, photo.size)
    red, _, blue = mean(image, (400, 20, 470, 380))
    assert blue > red + 80
    disc = (130, 110, 190, 170)
    assert difference(drift(photo, dice(prompt, 1)).crop(disc), image.crop(disc)) < 8


async def test_seeds_of_one_answer_follow_each_other_and_wrap(edit: Any, data_url: Any, photo: Image.Image) -> None:
    together = await edit("黑白", image=[data_url(photo)], seed=2147483647, n=2)
    alone = [(await edit("黑白", image=[data_url(photo)], seed=seed))[0] for seed in (2147483647, 0)]
    assert together == alone
    assert len(set(together)) == 2


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ((500, 400), (1152, 912)),
        ((4000, 3000), (1184, 880)),
        ((3000, 4000), (880, 1184)),
        ((64, 48), (1184, 880)),
        ((1600, 200), (2896, 384)),
        ((3200, 100), (3072, 384)),
        ((1, 1), (1024, 1024)),
    ],
)
def test_with_no_size_the_result_has_a_megapixel_in_the_shape_of_its_picture_within_the_limits(
    given: tuple[int, int], result: tuple[int, int]
) -> None:
    assert retouch("暖", [Image.new("RGB", given, "#336699")], 1, None).size == result


@pytest.mark.parametrize("shape", SHAPES)
def test_a_megapixel_in_sides_of_sixteen_keeps_its_size(shape: tuple[int, int]) -> None:
    assert redrawn_size(shape) == shape


@pytest.mark.parametrize("size", [(928, 1664), (512, 500)])
def test_a_size_asked_for_is_given_to_the_pixel(photo: Image.Image, size: tuple[int, int]) -> None:
    assert retouch("a hat", [photo], 1, size).size == size


async def test_a_fusion_has_the_size_asked_for_else_the_shape_of_the_last_picture(edit: Any, data_url: Any) -> None:
    images = [data_url(Image.new("RGB", size)) for size in ((500, 400), (400, 600))]
    results = [await edit("融合", image=images, **fields) for fields in ({}, {"size": "928x1664"})]
    assert [Image.open(BytesIO(png)).size for (png,) in results] == [(832, 1248), (928, 1664)]


@pytest.mark.parametrize("colours", [("red", "blue"), ("blue", "lime", "red")])
def test_a_fusion_shows_the_pictures_from_left_to_right(colours: tuple[str, ...]) -> None:
    image = retouch("融合", [Image.new("RGB", (600, 400), colour) for colour in colours], 1, (600, 400))
    width = 600 // len(colours)
    middles = [mean(image, (x, 0, x + 9, 400)) for x in range(width // 2, 600, width)]
    assert [("red", "lime", "blue")[middle.index(max(middle))] for middle in middles] == list(colours)


async def test_an_address_is_not_fetched_and_always_stands_for_the_same_picture(edit: Any) -> None:
    one, same, other = [
        await edit("黑白", image=[f"https://example.com/{name}.png"], seed=1) for name in ("one", "one", "other")
    ]
    assert one == same != other


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF"])
async def test_each_format_of_the_api_is_read(edit: Any, data_url: Any, photo: Image.Image, kind: str) -> None:
    (png,) = await edit("更亮", image=[data_url(photo, kind)])
    assert Image.open(BytesIO(png)).size == redrawn_size(photo.size)


async def test_a_photo_taken_sideways_is_turned_upright(edit: Any, data_url: Any, photo: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees
    (png,) = await edit("更亮", image=[data_url(photo, "JPEG", exif=exif)])
    assert Image.open(BytesIO(png)).size == redrawn_size((400, 480))


async def test_what_is_transparent_becomes_white(edit: Any, data_url: Any) -> None:
    (png,) = await edit("清晰", image=[data_url(Image.new("RGBA", (400, 400), (0, 0, 0, 0)))])
    assert min(mean(Image.open(BytesIO(png)))) > 240
