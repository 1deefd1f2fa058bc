"""Where number plates may be: rows of dense upright strokes, brighter and darker in turn. Pure.

It is no plate reader and ships no model: it finds places that look like a line of characters, in any colour and
script, and prefers one too many (a shop sign is blurred too) to one too few. docs/privacy.md gives what it misses.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Grey = NDArray[np.uint8] | NDArray[np.float32]
Rectangle = tuple[int, int, int, int]
"""left, top, right, bottom in pixels."""

# Windows in pixels, tried at each scale: plates of 35 to 200 pixels' width. Chinese ones are 440 x 140 mm (GA 36-2018).
HEIGHTS = (11, 15)
ASPECT = 2.6  # a little narrower than the plate: its ends are covered by the margin that is blurred around
SCALES = (1, 2, 4)
# Own choices, tried on rendered plates and on street pictures (docs/privacy.md).
STROKES = 12.0
UPRIGHT = 1.0
CROSSINGS = 9.0
# The brightness that nine tenths of a picture by day stay below; and the most that a dark one is brightened by, because
# sensor noise is brightened too.
DAYLIGHT, MOST_GAIN = 180.0, 5.0
# Rows that are looked through together: the sums of a whole frame of 1280 x 720 took 50 MB. A multiple of every step.
BAND = 60
_WIDE = 9
_CONTRAST = 6.0
MOST = 40


def find(grey: Grey) -> list[Rectangle]:
    """Likely plates in a picture (H, W) of 0 to 255, the likeliest first, at most MOST."""
    found: list[tuple[float, Rectangle]] = []
    gain = _gain(grey)
    for scale in SCALES:
        for top in range(0, len(grey) // scale, BAND):
            for score, box in _in_band(grey, gain, scale, top):
                found.append((score, (box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale)))
    return _apart(found)


def _in_band(grey: Grey, gain: float, scale: int, top: int) -> Iterator[tuple[float, Rectangle]]:
    """The windows that begin in the BAND rows from `top` on, in pixels of `scale`; a row more on each side tells the
    change there."""
    above = min(top, 1)
    band = grey[(top - above) * scale : (top + BAND + max(HEIGHTS) + 1) * scale]
    sums = _measures(_smaller(np.minimum(band.astype(np.float32) * np.float32(gain), 255.0), scale))
    for height in HEIGHTS:
        for score, (left, first, right, last) in _windows(sums, above, height, round(height * ASPECT)):
            yield score, (left, first + top - above, right, last + top - above)


def _gain(grey: Grey) -> float:
    """What makes a dark picture one by day: strokes are told by their contrast, which at night is a third of it."""
    bright = float(np.percentile(grey[::4, ::4].astype(np.float32), 90))
    return min(max(DAYLIGHT / max(bright, 1.0), 1.0), MOST_GAIN)


def _smaller(grey: Floats, scale: int) -> Floats:
    height, width = grey.shape[0] // scale, grey.shape[1] // scale
    cut = grey[: height * scale, : width * scale]
    return np.asarray(cut.reshape(height, scale, width, scale).mean((1, 3)), np.float32)


def _measures(grey: Floats) -> list[NDArray[np.float64]]:
    """Sums from the corner of: change along rows, change along columns, crossings of a row's own mean."""
    across = np.zeros_like(grey)
    across[:, 1:-1] = np.abs(grey[:, 2:] - grey[:, :-2]) / 2
    down = np.zeros_like(grey)
    down[1:-1] = np.abs(grey[2:] - grey[:-2]) / 2
    return [_sums(one) for one in (across, down, _turns(grey))]


def _turns(grey: Floats) -> Floats:
    """1 where a row crosses its surroundings' mean with some contrast: strokes make many crossings."""
    padded = np.pad(grey, ((0, 0), (_WIDE, _WIDE)), mode="edge")
    run = np.cumsum(padded, axis=1, dtype=np.float64)
    mean = ((run[:, 2 * _WIDE :] - run[:, : -2 * _WIDE]) / (2 * _WIDE)).astype(np.float32)
    state = np.where(grey > mean + _CONTRAST, 1, np.where(grey < mean - _CONTRAST, -1, 0)).astype(np.int8)
    turns = np.zeros_like(grey)
    turns[:, 2:] = (state[:, 2:] * state[:, :-2]) < 0  # two apart: the step between may be neither
    return turns


def _sums(values: Floats) -> NDArray[np.float64]:
    return np.pad(values.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))


def _windows(sums: list[NDArray[np.float64]], first: int, height: int, width: int) -> list[tuple[float, Rectangle]]:
    """Windows of that size which begin in the BAND rows from row `first` of the sums on."""
    step = max(2, height // 4)
    rows = np.arange(first, min(first + BAND, sums[0].shape[0] - height), step)
    columns = np.arange(0, sums[0].shape[1] - width, step)
    if not len(rows) or not len(columns):
        return []

    def mean(one: NDArray[np.float64]) -> NDArray[np.float64]:
        below, above = one[rows + height], one[rows]
        whole = below[:, columns + width] - below[:, columns] - above[:, columns + width] + above[:, columns]
        return np.asarray(whole / (height * width), np.float64)

    across, down, turns = (mean(one) for one in sums)
    likely = (across > STROKES) & (across > UPRIGHT * down) & (turns * width > CROSSINGS)
    return [
        (float(across[r, c]), (int(columns[c]), int(rows[r]), int(columns[c]) + width, int(rows[r]) + height))
        for r, c in np.argwhere(likely)
    ]


def _apart(found: list[tuple[float, Rectangle]]) -> list[Rectangle]:
    kept: list[Rectangle] = []
    for _, box in sorted(found, reverse=True)[:2000]:
        if len(kept) >= MOST:
            break
        if not any(_mostly_inside(box, other) for other in kept):
            kept.append(box)
    return kept


def _mostly_inside(box: Rectangle, other: Rectangle) -> bool:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return width > 0 and height > 0 and width * height > 0.6 * (box[2] - box[0]) * (box[3] - box[1])
