"""Faces and number plates made unrecognisable in a still, in memory, before anything else may see it.

It takes what the detectors point at, with a margin, and replaces it by a coarse mosaic from which nothing can be
computed back. It never keeps where a face was.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from PIL import Image, ImageFilter

from gateway.camera import plates
from gateway.camera.detector import Box

Find = Callable[[Image.Image], list[Box]]
Rectangle = tuple[int, int, int, int]

# A face box ends at brow and chin; hair, ears and collar tell people apart too.
_FACE_MARGIN = 0.35
_PLATE_MARGIN = 0.25
_CELLS = 5  # across the shorter side: published attacks on mosaics need some 8 and more
_TILE = 480  # the face detector was made for faces of at least a tenth of its picture
_OVERLAP = 96


def blurred(image: Image.Image, faces: Find) -> tuple[Image.Image, dict[str, int]]:
    """A copy with everything found made unrecognisable, and how many of what."""
    found_faces = [_grown(box, image.size, _FACE_MARGIN) for box in _everywhere(image, faces)]
    grey = np.asarray(image.convert("L"), np.uint8)
    found_plates = [_margin(box, image.size, _PLATE_MARGIN) for box in plates.find(grey)]
    result = image.copy()
    for rectangle in [*found_faces, *found_plates]:
        _mosaic(result, rectangle)
    return result, {"faces": len(found_faces), "plates": len(found_plates)}


def _everywhere(image: Image.Image, find: Find) -> Iterator[Rectangle]:
    """Boxes in pixels, from the whole picture and from overlapping parts of it, for faces that are small."""
    for left, top, right, bottom in [(0, 0, *image.size), *tiles(*image.size)]:
        width, height = right - left, bottom - top
        part = image if (width, height) == image.size else image.crop((left, top, right, bottom))
        for box in find(part):
            yield (
                left + int(box.left * width),
                top + int(box.top * height),
                left + round(box.right * width),
                top + round(box.bottom * height),
            )


def tiles(width: int, height: int) -> Iterable[Rectangle]:
    """Overlapping parts of at most _TILE pixels' side that cover the picture; none when it is small."""
    if max(width, height) <= _TILE:
        return []
    across, down = _starts(width), _starts(height)
    return [(x, y, min(x + _TILE, width), min(y + _TILE, height)) for y in down for x in across]


def _starts(length: int) -> list[int]:
    if length <= _TILE:
        return [0]
    count = -(-(length - _OVERLAP) // (_TILE - _OVERLAP))
    return [round(i * (length - _TILE) / (count - 1)) for i in range(count)]


def _grown(box: Rectangle, size: tuple[int, int], share: float) -> Rectangle:
    side = max(box[2] - box[0], box[3] - box[1])
    return _clipped(box, round(side * share), round(side * share), size)


def _margin(box: Rectangle, size: tuple[int, int], share: float) -> Rectangle:
    height = box[3] - box[1]
    return _clipped(box, round(height * 2 * share) + 2, round(height * share) + 1, size)


def _clipped(box: Rectangle, x: int, y: int, size: tuple[int, int]) -> Rectangle:
    return max(0, box[0] - x), max(0, box[1] - y), min(size[0], box[2] + x), min(size[1], box[3] + y)


def _mosaic(image: Image.Image, box: Rectangle) -> None:
    width, height = box[2] - box[0], box[3] - box[1]
    if width < 1 or height < 1:
        return
    cell = max(2, min(width, height) // _CELLS)
    part = image.crop(box)
    coarse = part.resize((max(1, width // cell), max(1, height // cell)), Image.Resampling.BOX)
    soft = coarse.resize((width, height), Image.Resampling.NEAREST).filter(ImageFilter.BoxBlur(cell / 2))
    image.paste(soft, box)
