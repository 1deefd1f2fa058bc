"""Picture to label: the shipped classifier's preparation of pixels, its scores, its rule and its "unsure".

What it computes is fixed by models/hazard.json and must agree with models/reference.py label by label. It reads
no picture files and keeps no picture.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gateway.camera import shipment, trust
from gateway.camera.inference import Network
from gateway.errors import GewuError
from gateway.prepared import prepared

Floats = NDArray[np.float32]
NORMAL = "normal"
UNSURE = "unsure"
CARD = "hazard.json"


class Input(msgspec.Struct, frozen=True):
    """`side`: the square in pixels that the whole frame is squeezed to."""

    side: int


@prepared
class Card(msgspec.Struct, frozen=True):
    """What of hazard.json the rule needs. `alarm`: the score of the likeliest hazard must reach it; `calm`: the
    score of normal must reach it for normal. Both 0 to 1."""

    labels: list[str]
    input: Input
    temperature: float
    alarm: float
    calm: float

    @property
    def hazards(self) -> list[str]:
        """The labels that are no good news."""
        return [label for label in self.labels if label != NORMAL]


@dataclass(frozen=True)
class Verdict:
    """`label` is a class or "unsure"; `score` is its own score, the highest where unsure; `scores` 0 to 1, sum 1."""

    label: str
    score: float
    scores: dict[str, float]

    @property
    def hazard(self) -> str:
        """The likeliest hazard, however unlikely."""
        return max((label for label in self.scores if label != NORMAL), key=self.scores.__getitem__)


@dataclass(frozen=True)
class Head:
    """The last layer: logits = embedding @ weight.T + bias. `weight` (classes, 1280), `bias` (classes,)."""

    weight: Floats
    bias: Floats

    def logits(self, embeddings: Floats) -> Floats:
        """(..., 1280) to (..., classes)."""
        return embeddings @ self.weight.T + self.bias


def squeeze(image: Image.Image, side: int) -> NDArray[np.int8]:
    """An upright RGB picture as the model takes it: the whole frame, (1, side, side, 3), pixel - 128."""
    pixels = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR), np.uint8)
    return (pixels ^ 128).view(np.int8)[None]  # the same as pixel - 128, without a wider type in between


def judge(logits: NDArray[np.floating[Any]], card: Card) -> Verdict:
    """The rule of the card: the likeliest hazard where its score reaches `alarm`, else normal at `calm`, or unsure."""
    z = np.asarray(logits, np.float64) / card.temperature
    shares = np.exp(z - z.max())
    scores = dict(zip(card.labels, (shares / shares.sum()).tolist(), strict=True))
    found = Verdict(UNSURE, max(scores.values()), scores)
    if scores[found.hazard] >= card.alarm:
        return Verdict(found.hazard, scores[found.hazard], scores)
    if scores[NORMAL] >= card.calm:
        return Verdict(NORMAL, scores[NORMAL], scores)
    return found


class Classifier:
    """The signed model in `folder`, or ConfigurationError's cousins: AlteredModel, GewuError with what is missing.

    `head`, where given, replaces the last layer (a site's own, see `learning`).
    """

    def __init__(self, folder: Path, keys: Iterable[str] = (trust.MAKER,), head: Head | None = None) -> None:
        shipped = shipment.read(folder / CARD, keys)
        self.card = shipment.as_card(shipped, Card)
        self.sha256 = trust.sha256(shipped.content)
        try:
            self._network = Network(shipped.content)
        except ValueError as error:
            raise GewuError(f"The model {shipped.name} does not run here: {error}.") from error
        self.head = head
        ends = {int(out["shape"][-1]): int(out["index"]) for out in self._network.outputs}
        self._logits = ends[len(self.card.labels)]
        self._embedding = next(index for size, index in ends.items() if size != len(self.card.labels))

    def classify(self, image: Image.Image) -> Verdict:
        """The verdict on an upright RGB picture."""
        tensor = squeeze(image, self.card.input.side)
        if self.head is None:
            return judge(self._network.run(tensor, [self._logits])[0][0], self.card)
        return judge(self.head.logits(self._network.run(tensor, [self._embedding])[0][0]), self.card)

    def shipped_head(self) -> Head:
        """The last layer of the shipped model. Raises GewuError when it cannot be told."""
        size = next(int(out["shape"][-1]) for out in self._network.outputs if int(out["index"]) == self._embedding)
        classes = len(self.card.labels)
        try:
            return Head(self._network.constant((classes, size)), self._network.constant((classes,)))
        except ValueError as error:
            raise GewuError(f"The model's last layer cannot be told ({error}): it does not adapt.") from None

    def look(self, image: Image.Image) -> tuple[Floats, Floats]:
        """The embedding (1280,) and the shipped logits (classes,) of an upright RGB picture."""
        embedding, logits = self._network.run(squeeze(image, self.card.input.side), [self._embedding, self._logits])
        return embedding[0], logits[0]
