"""A small grey copy of a frame, which the rules look at: light, detail, change. Pure.

A grey is (90, 160) float32 with 0 black and 255 white, whatever the camera's size and shape.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.float32]
Cells = NDArray[np.bool_]
HEIGHT, WIDTH = 90, 160
# A look at detail needs finer pixels than one at change.
_FINE = 2


def grey_of(image: Image.Image) -> tuple[Grey, float]:
    """The grey of a picture and its sharpness: the mean absolute Laplacian of its 180 x 320 copy, in grey levels."""
    fine = image.resize((WIDTH * _FINE, HEIGHT * _FINE), Image.Resampling.BOX).convert("L")
    values = np.asarray(fine, np.float32)
    inner = values[1:-1, 1:-1]
    around = values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:]
    small = values.reshape(HEIGHT, _FINE, WIDTH, _FINE).mean((1, 3), dtype=np.float32)
    return small, float(np.abs(around - 4 * inner).mean())


def changed(now: Grey, before: Grey, least: float) -> Cells:
    """Cells that differ by more than `least` grey levels once the light of the whole frame is made equal."""
    difference: NDArray[Any] = now - before
    return np.asarray(np.abs(difference - np.median(difference)) > least)
