"""A prompt becomes a picture: a scene and a palette chosen by its words, else by its hash."""

from collections.abc import Callable, Collection
from functools import partial
from math import cos, sin, tau
from random import Random

from PIL import Image

from .canvas import Canvas, dice, mix
from .vocabulary import named


def draw(prompt: str, seed: int, size: tuple[int, int]) -> Image.Image:
    """A picture of the size (px). The same prompt, seed and size give the same pixels."""
    rng = dice(prompt, seed)
    paint = SCENES[_most_named(SCENES, prompt, dice(prompt))]
    colours = [f"#{colour}" for colour in PALETTES[_most_named(PALETTES, prompt, rng)].split()]
    canvas = Canvas(size, colours, rng)
    paint(canvas)
    if CAT in named([CAT, "熊猫"], prompt):  # a panda is no cat
        _cat(canvas)
    return canvas.sheet.reduce(2)


def _most_named(choices: Collection[str], prompt: str, rng: Random) -> str:
    found = named(choices, prompt)
    return max(choices, key=found.count) if found else rng.choice([*choices])


PALETTES = {  # words: the colours of the sky from top to horizon, of far and near land, of the sun or moon; accents
    "水墨 国画 工笔 宣纸 墨 ink": "e9e1d0 f1ebdf e6ddcb  bdbcb3 24282c c8402f  c8402f d98b7a 5d6b66 f4ede0",
    "夜 月 星 night midnight moon* star*": "080d2b 1c2f63 5d83b3  3d5c92 080c20 f6f2da  ffd27a 7ad3ff b79cff ff9eb5",
    "日落 夕阳 黄昏 晚霞 傍晚 sunset* dusk": "2a2352 c4486c ffb56b  b3567b 1c1432 ffe6ad  ffd166 ff7a5c 8e5bd0 ffe8c7",
    "日出 清晨 早晨 sunrise dawn morning": "6d86b8 ecb9b9 ffe7c9  d2a9b6 34405f fff4d9  ef8a7a f6c177 fbe9dd 8fb3c9",
    "秋 枫 autumn maple*": "7fa9bc f1dcb4 ffecd0  dca86e 5f2a1c fff3d6  e4572e f3a712 ffdf8c a23b2a",
    "春 樱 桃花 spring cherry blossom*": "8cc6dc f6d5de fff5e4  bcd6b2 3d6e52 fffaf0  ff8fab ffc2d1 ffffff f9a03f",
    "阳光 晴 夏 蓝天 sunny summer": "3f97d8 9fd6ee f3f8ea  a8d0c6 1d5c4c fffbe0  ff7b89 ffc857 ffffff c77dff",
}


def _mountains(canvas: Canvas, shore: float = 1) -> None:
    """Five ranges with mist between them, down to the shore (a share of the height), and pines in front."""
    for near in (0, 0.25, 0.5, 0.75, 1):
        base, swell = canvas.height * shore * (0.52 + 0.4 * near), canvas.height * (0.13 - 0.09 * near)
        canvas.land(canvas.skyline(base, swell, 0.53), mix(canvas.far, canvas.near, near**1.2 * 0.8))
        canvas.mist(base - swell, base + 2 * swell, canvas.horizon, 0.55 - 0.2 * near)
    if shore < 1:
        canvas.water(canvas.height * shore)
    _wood(canvas, canvas.height * 0.96, canvas.near, trees=14, tall=16)


def _wood(canvas: Canvas, base: float, colour: str, trees: int, tall: float) -> None:
    """A row of pines, `tall` in units, on a ground of the same colour around the height `base` (px)."""
    ground = canvas.skyline(base, 3 * canvas.unit, 0.45)
    for _ in range(trees):
        pine = (*canvas.rng.choice(ground), canvas.unit * tall * canvas.rng.uniform(0.5, 1.3))
        for tier in range(7):
            reach, low = 0.035 + 0.028 * tier, 0.83 - tier / 7
            canvas.shape(pine, [(-reach, low), (0, low + 0.3), (reach, low)], colour)
    canvas.land(ground, colour)


def _sea(canvas: Canvas) -> None:
    width, height, unit, rng = canvas.width, canvas.height, canvas.unit, canvas.rng
    horizon, deep = height * 0.55, mix(canvas.zenith, canvas.near, 0.45)
    canvas.land(canvas.skyline(horizon - height * 0.02, height * 0.05, 0.5), canvas.far)
    for row in range(16):
        t = row / 15
        swell, turns, phase = unit * 1.4 * t * t, (7 - 5 * t) * tau / width, rng.random() * tau
        base = horizon + (height - horizon) * 0.94 * t**1.3
        waves = [(x, base + swell * (sin(turns * x + phase) + 0.5 * sin(2.3 * turns * x))) for x in range(0, width, 8)]
        canvas.land([*waves, (width, base)], mix(canvas.horizon, deep, 0.2 + 0.75 * t))
    boat = (width * rng.uniform(0.15, 0.85), horizon + height * rng.uniform(0.05, 0.1), unit * 6)
    canvas.shape(boat, [(-0.05, 0.3), (-0.05, 2), (-0.95, 0.3)], "#fffdf6")
    canvas.shape(boat, [(0.06, 0.3), (0.06, 1.7), (0.7, 0.3)], mix("#fffdf6", canvas.far, 0.3))
    canvas.shape(boat, [(-1, 0.2), (1, 0.2), (0.65, -0.18), (-0.7, -0.18)], canvas.near)


def _forest(canvas: Canvas) -> None:
    for near in (0, 0.25, 0.5, 0.75, 1):
        ground = canvas.height * (0.62 + 0.43 * near)
        canvas.mist(ground - canvas.height * 0.25, ground + canvas.height * 0.03, canvas.horizon, 0.6)
        _wood(canvas, ground, mix(canvas.far, canvas.near, near), trees=round(46 - 26 * near), tall=17 + 19 * near)


def _garden(canvas: Canvas) -> None:
    far, near = mix(canvas.far, "#cfe39a", 0.35), mix(canvas.near, "#3f7d34", 0.45)
    for row in range(4):
        colour, crown = mix(far, near, row / 3.6), mix(far, near, 0.45 + row / 6.5)
        line = canvas.skyline(canvas.height * (0.5 + 0.1 * row), canvas.height * 0.045, 0.36)
        canvas.land(line, mix(colour, canvas.light, 0.1))
        for _ in range(9 - 2 * row):
            tree = (*canvas.rng.choice(line), canvas.unit * canvas.rng.uniform(1.4, 2.6) * (1 + row))
            canvas.line(tree, [(0, -0.2), (0, 2)], 0.25, mix(crown, "#3b2a20", 0.5))
            for x, y, r, light in ((-0.6, 2.1, 0.8, 0), (0.6, 2.2, 0.8, 0), (0, 2.8, 1, 0.08), (-0.25, 3, 0.6, 0.2)):
                canvas.oval(tree, x, y, r, r, mix(crown, canvas.light, light))
    _flowers(canvas, 0.8, 64, near)


def _flowers(canvas: Canvas, top: float, number: int, stem: str) -> None:
    """A bed of flowers in grass from `top`, a share of the height, down to the lower edge."""
    width, height, unit, rng = canvas.width, canvas.height, canvas.unit, canvas.rng
    for _ in range(4 * number):
        blade = (width * rng.random(), height * rng.uniform(0.93, 1.03), unit)
        tip = (rng.uniform(-1.5, 1.5), rng.uniform(3, 8))
        canvas.shape(blade, [(-0.25, 0), tip, (0.25, 0)], mix(stem, canvas.far, rng.uniform(0, 0.45)))
    for i in range(number):
        t, tall, petals = i / number, rng.uniform(3, 5), rng.choice((5, 6, 8))
        y, size = height * (top + (1.02 - top) * t), unit * (0.7 + 1.9 * t) * rng.uniform(0.8, 1.2)
        flower, colour = (width * rng.random(), y, size), rng.choice(canvas.accents)
        canvas.line(flower, [(0, 0), (0.2, tall / 2), (0, tall)], 0.16, mix(stem, canvas.far, 0.25))
        for petal in range(petals):
            angle, shade = petal * tau / petals, mix(colour, "#ffffff", 0.12 * (petal % 2))
            canvas.oval(flower, 0.6 * cos(angle), tall + 0.6 * sin(angle), 0.45, 0.45, shade)
        canvas.oval(flower, 0, tall, 0.36, 0.36, mix(canvas.accents[1], "#8a4b08", 0.15))


def _cat(canvas: Canvas) -> None:
    """A cat that sits in front of it all, among flowers, and looks at you."""
    coat = canvas.rng.choice(("#e8964a", "#f0b26b", "#8c8a93", "#c9a37c", "#f1e4d3"))
    shade, belly, dark, pink = mix(coat, "#5a2d12", 0.3), mix(coat, "#fffaf2", 0.65), "#2c2430", "#f29ca0"
    cat = (canvas.width * canvas.rng.choice((0.36, 0.64)), canvas.height * 0.95, canvas.unit * 36)
    for t in range(21):
        canvas.oval(cat, 0.2 + 0.2 * sin(t * 0.13), 0.05 + 0.02 * t, 0.045, 0.045, shade)
    canvas.oval(cat, 0, 0.27, 0.25, 0.3, coat)
    canvas.oval(cat, 0, 0.27, 0.13, 0.22, belly)
    for side in (-1, 1):
        canvas.oval(cat, side * 0.19, 0.1, 0.11, 0.13, shade)
        canvas.oval(cat, side * 0.09, -0.01, 0.075, 0.05, belly)
        canvas.shape(cat, [(side * 0.235, 0.68), (side * 0.2, 0.98), (side * 0.04, 0.82)], coat)
        canvas.shape(cat, [(side * 0.2, 0.75), (side * 0.185, 0.91), (side * 0.1, 0.83)], pink)
    canvas.oval(cat, 0, 0.68, 0.25, 0.2, coat)
    canvas.oval(cat, 0, 0.6, 0.11, 0.085, belly)
    for stripe in (-0.07, 0, 0.07):
        canvas.line(cat, [(stripe, 0.865), (stripe * 0.75, 0.79)], 0.022, shade)
    for side in (-1, 1):
        canvas.oval(cat, side * 0.1, 0.69, 0.045, 0.052, dark)
        canvas.oval(cat, side * 0.1 + 0.015, 0.71, 0.016, 0.016, "#ffffff")
        canvas.line(cat, [(0, 0.605), (side * 0.03, 0.575), (side * 0.06, 0.59)], 0.01, dark)
        canvas.line(cat, [(side * 0.31, 0.59), (side * 0.12, 0.61), (side * 0.31, 0.64)], 0.006, belly)
    canvas.oval(cat, 0, 0.627, 0.025, 0.016, pink)
    _flowers(canvas, 0.95, 16, canvas.near)


CAT = "猫 cat cats kitten* kitty"
SCENES: dict[str, Callable[[Canvas], None]] = {  # where a prompt names several as often, the first of them
    "湖 江 河 溪 倒影 lake* river*": partial(_mountains, shore=0.72),
    "山 峰 峡谷 mountain* hill* valley*": _mountains,
    "海 浪 帆 船 岛 sea ocean* beach* boat* ship* island*": _sea,
    "林 树 竹 熊猫 bamboo* forest* wood* tree* jungle": _forest,
    f"花 园 草 田野 春 garden* flower* meadow* field* {CAT}": _garden,
}
