"""Pictures become another picture: operations named by the prompt, and the fusion of several."""

import re
import threading
from collections.abc import Callable, Sequence
from io import BytesIO
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from ..api.errors import InvalidRequest
from ..api.responses import decode
from ..preparing import MAX_SIDE, MIN_SIDE
from .canvas import NEAREST, dice
from .draw import draw
from .vocabulary import named

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF")  # (maker)
MAX_PIXELS = 40_000_000  # of a reference picture; ours, to keep a small machine alive
ONE_AT_A_TIME = threading.Lock()  # large pictures fill the memory


def retouch(prompt: str, pictures: Sequence[Image.Image], seed: int, size: tuple[int, int] | None) -> Image.Image:
    """What the prompt asks for, done to the pictures (RGB) in their order; all is redrawn, as the real models do it.

    The result has the given size (px), or about 1 megapixel in the shape of the last picture. The same arguments give
    the same pixels.
    """
    rng = dice(prompt, seed)
    target = size or redrawn_size(pictures[-1].size)
    if len(pictures) > 1:
        image = _fuse(pictures, target)
    else:
        image = ImageOps.fit(pictures[0], target) if size else pictures[0].resize(target)
    image = drift(image, rng)
    background = re.search("[^,.;，。；]{0,8}(背景|background)[^,.;，。；]{0,24}", prompt.lower().replace("黑白", ""))
    hues, steps = named(HUES, background[0]) if background else [], dict.fromkeys(named(OPERATIONS, prompt))
    if hues:
        image = _recolour_background(image, HUES[hues[0]])
    for step in steps:
        image = OPERATIONS[step](image, rng.uniform(0.8, 1.25))
    if len(pictures) == 1 and not hues and not steps:
        _set_in(draw(prompt, seed, (image.width // 2, image.height // 2)), image)
    return image


def redrawn_size(size: tuple[int, int]) -> tuple[int, int]:
    """About 1 megapixel in that shape, in sides (px) that are multiples of 16 and will do for the next edit."""
    scale = 64 / (size[0] * size[1]) ** 0.5
    width, height = (min(max(round(side * scale) * 16, MIN_SIDE), MAX_SIDE) for side in size)
    return width, height


def drift(image: Image.Image, rng: Random) -> Image.Image:
    """The picture (RGB) in its size as a model redraws it: a little moved, zoomed, softer, and in other tones.

    No point of it moves by more than 1.5 % of a side. A channel's values change by at most 3 % and 6 of 255.
    """
    left, top, right, bottom = (rng.uniform(0, 0.015) for _ in range(4))
    box = left * image.width, top * image.height, (1 - right) * image.width, (1 - bottom) * image.height
    red, green, blue = (rng.uniform(0.97, 1.03) for _ in range(3))
    light = [rng.uniform(-6, 6) for _ in range(3)]
    tint = (red, 0, 0, light[0], 0, green, 0, light[1], 0, 0, blue, light[2])
    return image.resize(image.size, box=box).filter(ImageFilter.BoxBlur(0.4)).convert("RGB", tint)


def open_reference(entry: str) -> Image.Image:
    """The RGB picture in a `data:` text, upright and on white; for an address, which is not fetched, a drawn one."""
    if entry.startswith("https://"):
        return draw(entry, 0, (1024, 1024))
    try:
        with ONE_AT_A_TIME:
            picture = Image.open(BytesIO(decode(entry)), formats=FORMATS)
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError(f"more than {MAX_PIXELS} pixels")
            upright = ImageOps.exif_transpose(picture).convert("RGBA")
    except Exception as error:  # of any kind: Pillow's readers raise what a damaged file makes them raise
        raise InvalidRequest("image", "not_a_picture", entry) from error
    return Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")


def _fuse(pictures: Sequence[Image.Image], size: tuple[int, int]) -> Image.Image:
    """Panels from left to right in the order of the pictures, with soft diagonal seams."""
    width, height = size
    panel, lean = width / len(pictures), width / 16
    image = Image.new("RGB", size)
    for number, picture in enumerate(pictures):
        left = round(number * panel - 2 * lean) if number else 0
        layer = ImageOps.fit(picture, (round(panel + 4 * lean), height))
        mask = Image.new("L", layer.size, 0 if number else 255)
        ImageDraw.Draw(mask).polygon([(3 * lean, 0), (layer.width, 0), layer.size, (lean, height)], fill=255)
        image.paste(layer, (left, 0), mask.filter(ImageFilter.BoxBlur(9)))
    return image


def _recolour_background(image: Image.Image, hue: str) -> Image.Image:
    """Paints what is connected with the border and looks like it; if that is little, what surrounds the middle."""
    small = ImageOps.contain(image, (160, 160)).filter(ImageFilter.MedianFilter(3))
    flooded, right, low = small.copy(), small.width - 1, small.height - 1
    for corner in ((0, 0), (right // 2, 0), (right, 0), (0, low // 2), (right, low // 2), (0, low), (right, low)):
        ImageDraw.floodfill(flooded, corner, (255, 0, 254), thresh=60)  # a colour that photos hardly have
    mask = ImageChops.difference(small, flooded).convert("L").point(lambda v: 255 * v)
    if mask.histogram()[255] < 0.1 * small.width * small.height:
        mask = Image.radial_gradient("L").point(lambda v: (v - 110) * 6).resize(small.size)
    mask = mask.filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.GaussianBlur(1)).resize(image.size)
    paint = ImageChops.soft_light(Image.new("RGB", image.size, hue), image.convert("L").convert("RGB"))
    return Image.composite(paint, image, mask)


def _set_in(drawn: Image.Image, image: Image.Image) -> None:
    """Lays a picture into the middle of an image, as an oval with a rim and a shadow."""
    place = (image.width - drawn.width) // 2, (image.height - drawn.height) // 2
    for layer, inset, softness in (("#120c0a", 0.05, 0.02), ("#f7f2e7", 0.05, 0), (drawn, 0.07, 0)):
        mask = Image.new("L", (4 * drawn.width, 4 * drawn.height))  # reduced, for a smooth edge
        edge = inset * min(mask.size)
        ImageDraw.Draw(mask).ellipse((edge, edge, mask.width - edge, mask.height - edge), fill=255)
        mask = mask.reduce(4).filter(ImageFilter.GaussianBlur(softness * min(drawn.size)))
        image.paste(layer if isinstance(layer, Image.Image) else Image.new("RGB", drawn.size, layer), place, mask)


def _sketch(image: Image.Image, strength: float) -> Image.Image:
    """What is darker than its surroundings, as pencil lines."""
    grey = image.convert("L")
    lines = ImageChops.subtract(grey.filter(ImageFilter.GaussianBlur(6 * strength)), grey)
    return ImageOps.colorize(ImageOps.autocontrast(ImageOps.invert(lines), cutoff=(2, 0)), "#2b2a33", "#fbf8f1")


def _oil(image: Image.Image, strength: float) -> Image.Image:
    """The commonest tone of each spot, as with a broad brush, in richer colours."""
    daubs = ImageOps.contain(image, (520, 520)).filter(ImageFilter.ModeFilter(9)).filter(ImageFilter.EDGE_ENHANCE)
    return ImageEnhance.Color(daubs.resize(image.size)).enhance(1.3 * strength)


def _vignette(image: Image.Image, strength: float) -> Image.Image:
    shade = Image.radial_gradient("L").point(lambda v: (v / 180) ** 2.2 * 150 * strength).resize(image.size)
    return Image.composite(Image.new("RGB", image.size, "#0c0a10"), image, shade)


def _vintage(image: Image.Image, strength: float) -> Image.Image:
    faded = ImageOps.colorize(image.convert("L"), "#2e1d12", "#f6e7c8", mid="#a3835b")
    return _vignette(Image.blend(image, faded, min(1, 0.85 * strength)), 0.6 * strength)


HUES = {
    "红 red": "#d8433b",
    "黄 金 yellow gold*": "#f5cf4e",
    "绿 green": "#4fa35f",
    "蓝 blue": "#3f7fd0",
    "粉 pink": "#f29bb7",
    "白 white": "#f7f7f5",
    "黑 black": "#1d1d20",
    "灰 gray grey": "#9a9c9f",
}
# A picture and a strength around 1.0 become a picture of the same size.
OPERATIONS: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "黑白 单色 灰度 black.and.white monochrome": lambda image, s: image.convert("L").convert("RGB"),
    "模糊 虚化 blur*": lambda image, s: image.filter(ImageFilter.GaussianBlur(s * min(image.size) / 110)),
    "锐化 清晰 sharp*": lambda image, s: image.filter(ImageFilter.UnsharpMask(3, round(220 * s), 1)),
    "暖 warm*": lambda image, s: image.convert("RGB", (1.2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0.8, 0)),
    "冷 cold* cool*": lambda image, s: image.convert("RGB", (0.8, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1.2, 0)),
    "素描 铅笔 线稿 sketch* pencil*": _sketch,
    "油画 oil.paint*": _oil,
    "上下翻转 垂直翻转 倒置 upside.down": lambda image, s: ImageOps.flip(image),
    "翻转 镜像 flip* mirror*": lambda image, s: ImageOps.mirror(image),
    "暗角 vignett*": _vignette,
    "像素 pixel*": lambda image, s: image.reduce(round(min(image.size) / 48 * s)).resize(image.size, NEAREST),
    "亮 bright* lighter": lambda image, s: ImageEnhance.Brightness(image).enhance(1 + 0.35 * s),
    "暗 dark*": lambda image, s: ImageEnhance.Brightness(image).enhance(1 - 0.35 * s),
    "反色 反相 负片 invert* negative": lambda image, s: ImageOps.invert(image),
    "复古 老照片 怀旧 sepia vintage retro": _vintage,
}
