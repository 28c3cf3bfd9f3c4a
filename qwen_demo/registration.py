"""Where, and in which colours, one picture shows another: found by what both show, on small copies of them.

Pictures are arrays here, of one channel, rows first, values from 0 to 255, sides that are multiples of 16. `ours` is
the source, `theirs` the answer that shows it moved, zoomed and tinted. `free` is what may be compared.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Place = tuple[float, float, float, float]
"""Move and zoom along x, then along y: what is x half-sides from the middle is found at x + move + zoom * x."""
Level = tuple[float, float]
"""Gain and offset of a channel."""
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

STAY: Place = (0, 0, 0, 0)
MAX_DRIFT = 0.06  # of half a side: beyond it no place is believed
SAME: Level = (1, 0)
MEANT = 6.0  # of 255: colours that are further apart than a model drifts were meant to be
MIN_CLEAR = 0.02  # of all cells: with fewer that can be compared, no colours are believed
CELL = 8  # px: colours are compared by the means of such squares
_ROUNDS = {16: 6, 8: 5, 4: 4, 2: 4, 1: 3}
"""From coarse to fine: px of a cell, and how often the place is bettered on such cells."""
_STARTS = [(x, 0.0, y, 0.0) for x in (-0.03, 0.0, 0.03) for y in (-0.03, 0.0, 0.03)]
_APART = 0.004  # of half a side: places closer to each other become the same


def register(ours: Floats, theirs: Floats, free: Flags) -> Place:
    """Move and zoom by least squares on the brightness, from coarse to fine (the way of Lucas and Kanade).

    What repeats, as bricks do, fits in wrong places too. So several starts are followed, and the best fit is taken.
    `STAY` where nothing fits clearly better than that: on a flat sky it would be noise that is followed.
    """
    sizes = {step: (cells(ours, step), cells(theirs, step), cells(free, step) == 1) for step in _ROUNDS}

    def followed(place: Place, *steps: int) -> Place:
        for step in steps:
            for _ in range(_ROUNDS[step]):
                place = _nearer(*sizes[step], place, step)
        return place

    def unlike(place: Place) -> float:
        return _unlike(*sizes[1], place)

    found = [followed(STAY, 16, 8, 4), *(followed(start, 4) for start in _STARTS)]
    apart = {tuple(round(value / _APART) for value in place): place for place in found}
    place = followed(min((followed(place, 2) for place in apart.values()), key=unlike), 1)
    return place if max(map(abs, place)) <= MAX_DRIFT and unlike(place) < 0.92 * unlike(STAY) else STAY


def cells(values: NDArray[np.generic], step: int = CELL) -> Floats:
    """The means of squares of `step` by `step`."""
    height, width = values.shape[0] // step, values.shape[1] // step
    return np.asarray(values.reshape(height, step, width, step).mean((1, 3), np.float32))


def shown(shape: tuple[int, ...], place: Place) -> Flags:
    """What of the source the answer shows."""
    (x, zoom_x, y, zoom_y), (rows, columns) = place, _middles(shape)
    inside = abs(rows + y + zoom_y * rows) <= 1 - 1 / shape[0], abs(columns + x + zoom_x * columns) <= 1 - 1 / shape[1]
    return np.outer(*inside)


def laid_over(values: Floats, place: Place) -> Floats:
    """One channel of an answer, laid over the source."""
    (height, width), (x, zoom_x, y, zoom_y) = values.shape, place
    how = 1 + zoom_x, 0, (x - zoom_x) * width / 2, 0, 1 + zoom_y, (y - zoom_y) * height / 2
    image = Image.fromarray(np.ascontiguousarray(values))
    return np.asarray(image.transform(image.size, Image.Transform.AFFINE, how, Image.Resampling.BICUBIC))


def levels_of(ours: Floats, theirs: Floats, free: Flags) -> tuple[Level, Level, Level]:
    """The gain, 0.8 to 1.25, and the offset, within ±40, that make an answer, laid over the source, the source's.

    Where even these leave them far apart, it was the words that changed the colours, such as into black and white: they
    stay as they came.
    """
    fits = [_level(ours[..., channel], theirs[..., channel], free) for channel in range(3)]
    red, green, blue = (level for level, _ in fits)
    return (red, green, blue) if max(rest for _, rest in fits) < MEANT else (SAME, SAME, SAME)


def _level(ours: Floats, theirs: Floats, free: Flags) -> tuple[Level, float]:
    """A channel's gain and offset, and how far these usually leave the two apart, of 255.

    Tones that differ little, or fit badly, say little about the gain: that then stays near 1.
    """
    whole = cells(free & ~clipped(ours) & ~clipped(theirs)) > 0.9
    if whole.mean() < MIN_CLEAR:
        return SAME, 0
    mine, other = cells(ours)[whole], cells(theirs)[whole]
    rest = mine - other - np.median(mine - other)
    for _ in range(4):
        usual = 3 * np.median(abs(rest)) + 1
        trust = _trust(rest / usual)
        x, y = np.average(other, weights=trust), np.average(mine, weights=trust)
        both, alone = (np.average((other - x) * values, weights=trust) for values in (mine - y, other - x))
        gain = float(np.clip((both + usual**2) / (alone + usual**2), 0.8, 1.25))
        rest = mine - y - gain * (other - x)
    offset = float(np.clip(y - gain * x, -40, 40))
    return (gain, offset), float(np.median(abs(mine - gain * other - offset)))


def clipped(values: Floats) -> Flags:
    """What is as dark or as bright as can be, and so may have been meant darker or brighter."""
    return (values < 3) | (values > 252)


def _unlike(ours: Floats, theirs: Floats, free: Flags, place: Place) -> float:
    """How unlike the two are where the source has its strongest edges, whatever the tint: 0 is the same, 1 anything."""
    seen = free & shown(free.shape, place)
    if seen.sum() < 64:
        return math.inf
    steep = np.hypot(*np.gradient(ours))[seen]
    edges = steep >= np.percentile(steep, 98)
    a, b = (values[seen][edges] for values in (ours, laid_over(theirs, place)))
    return float(1 - np.mean((a - a.mean()) * (b - b.mean())) / (a.std() * b.std() + 1))


def _nearer(ours: Floats, theirs: Floats, free: Flags, place: Place, step: int) -> Place:
    """A place where the answer fits better."""
    if (seen := free & shown(free.shape, place)).sum() < 64:
        return place
    laid = laid_over(theirs, place)
    laid = (laid - laid[seen].mean()) * np.clip(ours[seen].std() / (laid[seen].std() + 0.1), 0.5, 2)
    rest = (ours - ours[seen].mean() - laid)[seen]
    down, right = np.gradient((ours + laid) / 2)
    steep = (right * right + down * down)[seen]
    # What is off by much more than the edges usually are was drawn anew: it has little say.
    usual = 3 * np.median(abs(rest[steep >= np.percentile(steep, 95)])) + 0.3
    rows, columns = _middles(ours.shape)
    right, down = right * ours.shape[1] / 2, down * ours.shape[0] / 2
    slopes = np.stack([values[seen] for values in (right, right * columns, down, down * rows[:, None])])
    trusted = slopes * _trust(rest / usual)
    # Where no texture tells, drift is likely as small as it usually is, some 1.5 % of half a side.
    prior = 16 / step * (usual / 0.015) ** 2
    x, zoom_x, y, zoom_y = place + np.linalg.solve(
        trusted @ slopes.T + prior * np.eye(4), trusted @ rest - prior * np.array(place)
    )
    return float(x), float(zoom_x), float(y), float(zoom_y)


def _middles(sides: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Where the middles of rows and of columns are, in half-sides."""
    rows, columns = (((2 * np.arange(side) + 1) / side - 1).astype(np.float32) for side in sides)
    return rows, columns


def _trust(off: Floats) -> Floats:
    return np.asarray(1 / (1 + off**2) ** 2, np.float32)
