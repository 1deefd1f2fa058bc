"""Parts of a picture in the frame's own coordinates, 0 to 1 from its upper left corner. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Polygon = Sequence[Point]
Cells = NDArray[np.bool_]


def cells_of(polygon: Polygon, height: int, width: int) -> Cells:
    """The cells (height, width) whose middle lies inside `polygon` by the even-odd rule."""
    y, x = np.mgrid[:height, :width]
    px, py = (x + 0.5) / width, (y + 0.5) / height
    inside = np.zeros((height, width), np.bool_)
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if y1 == y2:
            continue
        crosses = (py < y1) != (py < y2)
        inside ^= crosses & (px < x1 + (py - y1) / (y2 - y1) * (x2 - x1))
    return inside


def holds(polygon: Polygon, point: Point) -> bool:
    """Whether `point` lies inside `polygon`."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y < y1) != (y < y2) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            inside = not inside
    return inside
