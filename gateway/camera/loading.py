"""The models of one gateway, loaded once and shared by its cameras; an altered one becomes an event, not a crash."""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from gateway.camera import learning, trust
from gateway.camera.blur import blurred
from gateway.camera.classifier import Classifier, Verdict
from gateway.camera.detector import Box, Detector
from gateway.camera.still import opened
from gateway.camera.trust import AlteredModel
from gateway.camera.turns import IN_TURN
from gateway.config.camera_tables import Camera
from gateway.errors import GewuError

_log = logging.getLogger(__name__)
FACES = "faces.json"


class SharedClassifier(Classifier):
    """One interpreter for many cameras' threads: one picture at a time."""

    def __init__(self, folder: Path, keys: Iterable[str]) -> None:
        super().__init__(folder, keys)
        self._lock = threading.Lock()

    def classify(self, image: Image.Image) -> Verdict:
        with self._lock:
            return super().classify(image)


class SharedDetector(Detector):
    """The same for a detector."""

    def __init__(self, card: Path, keys: Iterable[str]) -> None:
        super().__init__(card, keys)
        self._lock = threading.Lock()

    def find(self, image: Image.Image) -> list[Box]:
        with self._lock:
            return super().find(image)


@dataclass
class Models:
    """What could be loaded. `altered`: a sentence by the name of each model that was refused."""

    classifier: Classifier | None = None
    faces: Detector | None = None
    finders: dict[str, Detector] = field(default_factory=dict)
    altered: dict[str, str] = field(default_factory=dict)

    def blur(self, camera: Camera) -> Callable[[Image.Image | bytes], Image.Image] | None:
        """What makes a still of `camera` fit to be kept; None when it is missing, and then nothing may be kept.

        It takes a picture, or a still, which it opens when its turn comes.
        """
        if not camera.blur:
            return _opened
        if self.faces is None:
            return None
        faces = self.faces

        def blur(picture: Image.Image | bytes) -> Image.Image:
            with IN_TURN:
                return blurred(_opened(picture), faces.find)[0]

        return blur

    def finders_of(self, camera: Camera) -> dict[str, Detector]:
        """The camera's detectors by their names in its configuration."""
        found = {one.name: self.finders.get(str(one.model)) for one in camera.detector}
        return {name: detector for name, detector in found.items() if detector is not None}


def load(folder: Path, site: Path, cameras: Sequence[Camera], trusted: Sequence[str]) -> Models:
    """Everything that `cameras` need; what is refused is logged, named, and left out."""
    models = Models()
    keys = (trust.MAKER, *trusted)

    def guarded(name: str, do: Callable[[], None]) -> None:
        try:
            do()
        except AlteredModel as error:
            models.altered[name] = str(error)
            _log.error("%s", error)
        except GewuError as error:
            _log.error("%s", error)

    def classifier() -> None:
        models.classifier = SharedClassifier(folder, keys)

    def head() -> None:
        if models.classifier is not None:
            models.classifier.head = learning.current_head(site)

    def faces() -> None:
        models.faces = SharedDetector(folder / FACES, keys)

    guarded("hazard", classifier)
    guarded("head", head)
    if any(camera.blur for camera in cameras):
        guarded("faces", faces)
    for path in {str(one.model) for camera in cameras for one in camera.detector}:
        guarded(Path(path).stem, lambda path=path: models.finders.update({path: SharedDetector(Path(path), keys)}))  # type: ignore[misc]
    return models


def _opened(picture: Image.Image | bytes) -> Image.Image:
    return opened(picture) if isinstance(picture, bytes) else picture
