"""Change only here: a part of a photo goes to a model that redraws all of it, and only what was painted comes back.

The model knows no mask. It redraws everything at about one megapixel and drifts on the way: it moves and zooms by up to
2 %, tints, softens. So its answer is laid over what was sent, by what was not painted; its place and its colours are
found there. Then the painted part is pasted, with a soft edge around it. No other pixel of the photo is touched.

Pictures are upright. A mask is "L", white where the photo may change, in the whole photo's shape and of any size. A box
is left, top, right, bottom in px of the photo: the part that was sent. What a mask says outside of the box is ignored.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from .registration import SAME, STAY, Flags, Floats, Level, Place, cells, clipped, laid_over, levels_of, register, shown

Box = tuple[int, int, int, int]
Size = tuple[int, int]

MARGIN = 0.5  # of the painted part's longer side, on each side of it: what the model sees around it
MIN_CROP = 512  # px of the photo that are sent at least, where it has as many
NEARLY_ALL = 0.6  # of the photo: who needs more of it sends all of it
MIN_SENT = 384  # px of a side that is sent at least (maker)
FEATHER = 12  # px of a 1 MP answer: as far the paint is grown; the edge is soft from 0.5 to 1.5 times as far
STRIP = 256  # rows that are pasted at once: 40 MP at once would take another 200 MB
GRID = 480  # place, colours and changes are found on so many px squared
CHANGED, CONTRAST = 12, 0.7  # a cell was drawn anew that is off by more of 255, and by more of its own contrast
MIN_FREE, MIN_TOLD = 0.02, 0.1  # of what was sent, unpainted: under these nothing is found, or no share is told
SAME_SCENE = 0.35  # of what was not painted: a picture that shows more than that anew shows something else
# A model that makes 1 MP in its input's shape and rounds sides to multiples of 16 or 32 keeps just these as they are.
_WIDE = ((1056, 992), (1088, 960), (1120, 928), (1184, 896), (1216, 864), (1248, 832), (1312, 800), (1376, 768),
         (1440, 736), (1504, 704), (1568, 672), (1632, 640), (1728, 608), (1824, 576), (1920, 544))  # fmt: skip
SHAPES = ((1024, 1024), *_WIDE, *((height, width) for width, height in _WIDE))


@dataclass(frozen=True)
class Match:
    """Where and in which colours an answer shows what was sent, and what else the model drew anew.

    Attributes:
        place: the drift. (0, 0, 0, 0) as well where none could be told.
        levels: gain and offset of each channel that make the answer's values the source's.
        changed: the share of the unpainted part that was drawn anew; None where too little is unpainted to tell.
        cut: the same, of what is next to the paint, None as well where nothing was painted: a new thing that goes on
            there wants to be larger than was painted.
    """

    place: Place = STAY
    levels: tuple[Level, ...] = (SAME, SAME, SAME)
    changed: float | None = None
    cut: float | None = None

    @property
    def same_scene(self) -> bool:
        """Whether most of what was not painted is seen in the answer, drift aside. False if none can tell."""
        return self.changed is not None and self.changed <= SAME_SCENE

    @property
    def shows(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """What of the source the answer shows, along x and along y, from 0 to 1."""
        x, zoom_x, y, zoom_y = self.place
        ends = [[(1 + (end - move) / (1 + zoom)) / 2 for end in (-1, 1)] for move, zoom in ((x, zoom_x), (y, zoom_y))]
        (left, right), (top, bottom) = ends
        return (max(0, left), min(1, right)), (max(0, top), min(1, bottom))

    def moved(self, box: Box) -> float:
        """How far the answer's content moved at most within the part that was sent, in px of the photo."""
        x, zoom_x, y, zoom_y = map(abs, self.place)
        return float(np.hypot((x + zoom_x) * (box[2] - box[0]) / 2, (y + zoom_y) * (box[3] - box[1]) / 2))


def part_to_send(mask: Image.Image, whole: Size, *, everything: bool = False) -> tuple[Box, Size]:
    """The part of a photo to send, what is around the paint included, and the size to send it in, about 1 MP.

    Args:
        mask: where the photo may change.
        whole: the photo's width and height in px.
        everything: send the whole photo, wherever it was painted.

    Raises:
        ValueError: nothing was painted.
    """
    if not (painted := mask.point(_white).getbbox()):
        raise ValueError("nothing is white in the mask")
    crop = None if everything else _crop(painted, mask.size, whole)
    return crop or ((0, 0, *whole), _sent_whole(whole))


def sharpness(box: Box, size: Size) -> float:
    """How sharp an answer of that size can be at most, as a share of the photo's own sharpness, up to 1."""
    return min(1.0, size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1]))


def match(sent: Image.Image, mask: Image.Image, whole: Size, box: Box, answer: Image.Image) -> Match:
    """Find what was not painted in the answer. Takes some 0.3 s, whatever the sizes.

    Args:
        sent: the part that was sent, RGB, without transparency and in the answer's colours (sRGB).
        mask: where the photo may change; all black if it was not painted at all.
        whole: the photo's width and height in px.
        box: the part that was sent.
        answer: what the model made of it, in any size and mode.
    """
    size = _grid(box)
    free = np.asarray(_opacity(mask, whole, box, size)) == 0
    if free.mean() < MIN_FREE:
        return Match()
    ours, theirs = _pixels(sent, size), _pixels(answer, size)
    place = register(ours.mean(2), theirs.mean(2), free)
    laid = np.stack([laid_over(theirs[..., channel], place) for channel in range(3)], 2)
    seen = free & shown(free.shape, place)
    levels = levels_of(ours, laid, seen)
    counted = cells(seen)
    if counted.mean() < MIN_TOLD:
        return Match(place, levels)
    told, anew = counted > 0.5, _drawn_anew(ours, laid, levels, seen)
    beside = np.array(Image.fromarray(cells(free) < 1).convert("L").filter(ImageFilter.MaxFilter(3)), bool) & told
    return Match(place, levels, float(anew[told].mean()), float(anew[beside].mean()) if beside.any() else None)


def levelled(answer: Image.Image, match: Match) -> Image.Image:
    """The answer in RGB, its colours made the source's."""
    values = np.arange(256)
    table = [np.clip(np.rint(gain * values + offset), 0, 255).astype(int) for gain, offset in match.levels]
    return answer.convert("RGB").point(np.concatenate(table).tolist())


def paste(source: Image.Image, mask: Image.Image, box: Box, answer: Image.Image, place: Place, edge: float = 1) -> None:
    """Put the painted part of an answer into the photo, in place. Every other pixel stays as it is, bit for bit.

    Args:
        source: the photo, RGB or RGBA. What is pasted into a transparent part is opaque.
        mask: where the photo may change.
        box: the part that was sent.
        answer: what the model made of it, RGB, in the photo's colours.
        place: where the answer shows what was sent.
        edge: how soft the edge is, 0 to 3. At 1 the answer is seen alone up to 6 px of a 1 MP answer beyond the paint,
            and no more from 18 px on; 0 ends it just where the paint does.
    """
    sides = box[2] - box[0], box[3] - box[1]
    opacity = _opacity(mask, source.size, box, _paste_grid(sides, edge), edge)
    if not (part := _bounds(opacity, sides)):
        return
    x, y = opacity.width / sides[0], opacity.height / sides[1]
    for top, strip in _strips(answer, sides, place, part):
        area = part[0] * x, top * y, part[2] * x, (top + strip.height) * y
        soft = opacity.resize(strip.size, Image.Resampling.BILINEAR, area)
        at = box[0] + part[0], box[1] + top
        if source.mode == "RGBA":
            strip.putalpha(soft)
            source.alpha_composite(strip, at)
        else:
            source.paste(strip, at, soft)


def touched(mask: Image.Image, whole: Size, box: Box, edge: float = 1) -> Box | None:
    """The smallest box outside of which `paste` changes nothing, in px of the photo. None if it changes nothing."""
    sides = box[2] - box[0], box[3] - box[1]
    part = _bounds(_opacity(mask, whole, box, _paste_grid(sides, edge), edge), sides)
    return part and (box[0] + part[0], box[1] + part[1], box[0] + part[2], box[1] + part[3])


def straightened(answer: Image.Image, size: Size, place: Place) -> Image.Image:
    """The whole answer in RGB with its drift undone, in that size. What it doesn't show is mirrored at its sides."""
    straight = Image.new("RGB", size)
    for top, strip in _strips(answer, size, place, (0, 0, *size)):
        straight.paste(strip, (0, top))
    return straight


def _crop(painted: Box, grid: Size, whole: Size) -> tuple[Box, Size] | None:
    """The smallest part of one of the shapes that holds the paint and enough around it. None: it is nearly all."""
    start, end = (tuple(painted[at + i] * whole[i] / grid[i] for i in (0, 1)) for at in (0, 2))
    around = 2 * MARGIN * max(end[0] - start[0], end[1] - start[1])
    need = [min(max(end[i] - start[i] + around, MIN_CROP), whole[i]) for i in (0, 1)]
    scaled = [(max(need[0] / size[0], need[1] / size[1]), size) for size in SHAPES]
    fitting = [(scale, size) for scale, size in scaled if scale <= min(whole[0] / size[0], whole[1] / size[1])]
    if not fitting:
        return None
    scale, size = min(fitting, key=lambda fit: fit[0] ** 2 * fit[1][0] * fit[1][1])
    width, height = size[0] * scale, size[1] * scale
    if width * height > NEARLY_ALL * whole[0] * whole[1]:
        return None
    left = min(max((start[0] + end[0] - width) / 2, 0), whole[0] - width)
    top = min(max((start[1] + end[1] - height) / 2, 0), whole[1] - height)
    return (round(left), round(top), round(left + width), round(top + height)), size


def _sent_whole(whole: Size) -> Size:
    """About 1 MP in the photo's shape, or as much more as its shorter side needs."""
    scale = max(1024 / (whole[0] * whole[1]) ** 0.5, MIN_SENT / min(whole))
    return round(whole[0] * scale / 32) * 32, round(whole[1] * scale / 32) * 32


def _strips(answer: Image.Image, sides: Size, place: Place, part: Box) -> Iterator[tuple[int, Image.Image]]:
    """A part of the answer, laid over what was sent in the size `sides`: strips of it, from each one's top on."""
    beyond = max(answer.size) // 12  # px mirrored at the answer's sides, for what has moved out of it
    pixels = np.pad(np.asarray(answer.convert("RGB")), ((beyond, beyond), (beyond, beyond), (0, 0)), "symmetric")
    mirrored = Image.fromarray(pixels)

    def there(at: float, axis: int) -> float:
        x, (move, zoom) = 2 * at / sides[axis] - 1, place[2 * axis : 2 * axis + 2]
        return beyond + (1 + x + move + zoom * x) / 2 * answer.size[axis]

    for top in range(part[1], part[3], STRIP):
        bottom = min(top + STRIP, part[3])
        area = there(part[0], 0), there(top, 1), there(part[2], 0), there(bottom, 1)
        yield top, mirrored.resize((part[2] - part[0], bottom - top), Image.Resampling.LANCZOS, area)


def _white(value: int) -> int:
    return 255 * (value > 127)


def _opacity(mask: Image.Image, whole: Size, box: Box, size: Size, edge: float = 1) -> Image.Image:
    """How much of the answer is seen in the box, 0 to 255: all of it where it was painted, and a soft edge around."""
    x, y = mask.width / whole[0], mask.height / whole[1]
    area = box[0] * x, box[1] * y, min(box[2] * x, mask.width), min(box[3] * y, mask.height)
    smaller = size[0] < area[2] - area[0]  # there a thin line is only a tint of its pixels, and counts nevertheless
    how, least = (Image.Resampling.BOX, 1) if smaller else (Image.Resampling.BILINEAR, 128)
    paint = mask.point(_white).resize(size, how, area).point(lambda value: 255 * (value >= least))
    if edge == 0:
        return paint
    feather = FEATHER * edge * (size[0] * size[1]) ** 0.5 / 1024
    for along in ((1, 0), (0, 1)):
        grow = max(2, round(feather))
        paint = paint.filter(ImageFilter.BoxBlur((grow * along[0], grow * along[1]))).point(lambda v: 255 * (v > 0))
    return paint.filter(ImageFilter.BoxBlur(feather / 4)).filter(ImageFilter.BoxBlur(feather / 4))


def _bounds(opacity: Image.Image, size: Size) -> Box | None:
    """What is not transparent, in px of `size`."""
    if not (box := opacity.getbbox()):
        return None
    x, y = size[0] / opacity.width, size[1] / opacity.height
    soft = 0 if opacity.size == size else 1  # px around that, where the opacity is enlarged
    return (
        max(0, math.floor((box[0] - soft) * x)),
        max(0, math.floor((box[1] - soft) * y)),
        min(size[0], math.ceil((box[2] + soft) * x)),
        min(size[1], math.ceil((box[3] + soft) * y)),
    )


def _paste_grid(sides: Size, edge: float) -> Size:
    """The size in which a soft edge is drawn, at most 1 MP; a hard one is drawn as it is."""
    scale = min(1, 1024 / (sides[0] * sides[1]) ** 0.5) if edge else 1
    return max(1, round(sides[0] * scale)), max(1, round(sides[1] * scale))


def _grid(box: Box) -> Size:
    scale = GRID / ((box[2] - box[0]) * (box[3] - box[1])) ** 0.5
    width, height = (max(64, round(side * scale / 16) * 16) for side in (box[2] - box[0], box[3] - box[1]))
    return width, height


def _pixels(image: Image.Image, size: Size) -> Floats:
    return np.asarray(image.convert("RGB").resize(size, Image.Resampling.HAMMING), np.float32)


def _drawn_anew(ours: Floats, theirs: Floats, levels: tuple[Level, ...], seen: Flags) -> Flags:
    """The cells that differ by more than noise and softness do, in what is seen of them."""
    counted = cells(seen)
    anew = np.zeros(counted.shape, bool)
    for channel, (gain, offset) in enumerate(levels):
        mine, other = ours[..., channel], theirs[..., channel]
        rest = mine - np.clip(gain * other + offset, 0, 255)
        # A clipped value does not tell how much brighter or darker it was meant.
        rest[clipped(other) & ((rest > 0) == (other > 127))] = 0
        off = cells(rest**2 * seen) / np.maximum(counted, 0.01)
        anew |= off > CHANGED**2 + CONTRAST**2 * (cells(mine**2) - cells(mine) ** 2)
    return anew
