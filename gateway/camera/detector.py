"""Detection models of the SSD family, described by a card: pixels in, boxes of things out.

The product ships none for people or vehicles; an operator brings a signed one. The shipped face detector runs through
the same adapter, to blur and for nothing else. It remembers no box from one picture to the next.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gateway.camera import shipment
from gateway.camera.inference import Network
from gateway.errors import GewuError
from gateway.prepared import prepared

Floats = NDArray[np.floating[Any]]


class Pixels(msgspec.Struct, frozen=True):
    """How pixels become input: (pixel - mean) / std for float models; as they are for uint8, minus 128 for int8.

    `fit`: "letterbox" keeps the shape and fills up with black, "squeeze" does not.
    """

    mean: float = 127.5
    std: float = 127.5
    fit: Literal["letterbox", "squeeze"] = "squeeze"


@prepared
class DetectorCard(msgspec.Struct, frozen=True):
    """A detector's card. `decode`: "postprocess" is TFLite_Detection_PostProcess, whose outputs `order` names in the
    order of the model; "anchors" is boxes against a fixed grid of `stride` pixels, with sigmoid scores.

    `score`: the least score (0 to 1) that counts; `overlap`: boxes that share more are one (0 to 1).
    """

    labels: list[str]
    decode: Literal["postprocess", "anchors"]
    input: Pixels = Pixels()
    order: tuple[Literal["boxes", "classes", "scores", "count"], ...] = ("boxes", "classes", "scores", "count")
    stride: int = 4
    score: float = 0.5
    overlap: float = 0.3


@dataclass(frozen=True)
class Box:
    """A thing in a picture; corners are 0 to 1 from the upper left, `score` 0 to 1."""

    label: str
    score: float
    left: float
    top: float
    right: float
    bottom: float


class Detector:
    """The signed model whose card is `card`. Raises AlteredModel, GewuError."""

    def __init__(self, card: Path, keys: Iterable[str]) -> None:
        shipped = shipment.read(card, keys)
        self.card = shipment.as_card(shipped, DetectorCard)
        self._shipped = shipped
        self._loaded: Network | None = None

    @property
    def _network(self) -> Network:
        """Loaded at first use: a camera that never raises an event never needs what blurs its stills."""
        if self._loaded is None:
            try:
                self._loaded = Network(self._shipped.content)
            except ValueError as error:
                raise GewuError(f"The model {self._shipped.name} does not run here: {error}.") from error
        return self._loaded

    def find(self, image: Image.Image) -> list[Box]:
        """What is in an upright RGB picture, the surest first. Raises GewuError when the model does not run here."""
        tensor, share_x, share_y = self._tensor(image)
        raw = self._network.run(tensor, [int(out["index"]) for out in self._network.outputs])
        if self.card.decode == "postprocess":
            boxes, scores, classes = postprocessed(dict(zip(self.card.order, raw, strict=False)))
        else:
            boxes, scores, classes = from_anchors(raw, self._network.shape[2], self.card.stride)
        boxes = boxes / np.array([share_x, share_y, share_x, share_y])
        sure = scores >= self.card.score
        boxes, scores, classes = boxes[sure].clip(0, 1), scores[sure], classes[sure]
        return [
            Box(self._label(int(classes[i])), float(scores[i]), *(float(edge) for edge in boxes[i]))
            for i in apart(boxes, scores, classes, self.card.overlap)
        ]

    def _label(self, number: int) -> str:
        return self.card.labels[number] if 0 <= number < len(self.card.labels) else str(number)

    def _tensor(self, image: Image.Image) -> tuple[NDArray[Any], float, float]:
        """The input, and the shares of it that the picture fills in x and y."""
        _, full_height, full_width, _ = self._network.shape
        width, height = full_width, full_height
        if self.card.input.fit == "letterbox":
            scale = min(width / image.width, height / image.height)
            width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        canvas = np.zeros((full_height, full_width, 3), np.uint8)
        canvas[:height, :width] = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.uint8)
        kind = self._network.dtype
        if kind == np.uint8:
            tensor: NDArray[Any] = canvas
        elif kind == np.int8:
            tensor = (canvas ^ 128).view(np.int8)
        else:
            tensor = ((canvas - self.card.input.mean) / self.card.input.std).astype(np.float32)
        return tensor[None], width / full_width, height / full_height


def postprocessed(raw: dict[str, Floats]) -> tuple[Floats, Floats, NDArray[Any]]:
    """Boxes (N, 4) as left, top, right, bottom of 0 to 1, scores (N,) and classes (N,)."""
    count = round(float(raw["count"].reshape(-1)[0])) if "count" in raw else raw["scores"].shape[-1]
    boxes = raw["boxes"].reshape(-1, 4)[:count]
    return boxes[:, [1, 0, 3, 2]], raw["scores"].reshape(-1)[:count], raw["classes"].reshape(-1)[:count]


def from_anchors(raw: list[Floats], side: int, stride: int) -> tuple[Floats, Floats, NDArray[Any]]:
    """The same from boxes (1, A, 4 or more) as centre and size in pixels from each anchor, and logits (1, A, C)."""
    wide, logits = sorted((one[0] for one in raw), key=lambda one: -one.shape[-1])
    cells = side // stride
    y, x = np.mgrid[:cells, :cells]
    each = len(wide) // (cells * cells)
    middles = np.repeat(np.stack([x.ravel() + 0.5, y.ravel() + 0.5], 1) / cells, each, axis=0)
    centre = wide[:, :2] / side + middles
    half = wide[:, 2:4] / side / 2
    scores = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
    return np.concatenate([centre - half, centre + half], 1), scores.max(1), scores.argmax(1)


def apart(boxes: Floats, scores: Floats, classes: NDArray[Any], overlap: float) -> list[int]:
    """The rows that stay, surest first, when boxes of a class sharing more than `overlap` (0 to 1) are one."""
    kept: list[int] = []
    for row in np.argsort(-scores):
        if all(classes[row] != classes[other] or shared(boxes[row], boxes[other]) <= overlap for other in kept):
            kept.append(int(row))
    return kept


def shared(a: Floats, b: Floats) -> float:
    """The area that two boxes have in common over the area of both together, 0 to 1."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return float(common / both)
