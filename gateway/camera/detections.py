"""Rules over what an operator's own detectors find: so many of a thing, in a zone, for so long. Pure."""

from collections.abc import Mapping
from typing import Literal, Protocol

from PIL import Image

from gateway.camera import zones
from gateway.camera.detector import Box
from gateway.config.camera_tables import Camera, Detector


class Finder(Protocol):
    """A detector at work."""

    def find(self, image: Image.Image) -> list[Box]:
        """The boxes in an upright RGB picture."""
        ...


class Detections:
    """The detectors of one camera. `finders` by the detector's name; `open_kinds`: events open before a restart."""

    def __init__(self, camera: Camera, finders: Mapping[str, Finder], open_kinds: set[str]) -> None:
        self._rules = [rule for rule in camera.detector if rule.name in finders]
        self._finders = finders
        self._zones = {zone.name: [(x, y) for x, y in zone.polygon] for zone in camera.zone}
        self._open = {rule.name for rule in self._rules if f"camera.{rule.name}" in open_kinds}
        self._state: dict[str, tuple[bool, float]] = {}

    def step(self, image: Image.Image, now: float) -> list[tuple[Literal["raise", "clear"], Detector, int]]:
        """What this look (monotonic seconds) raises and clears, with how many were there."""
        changes: list[tuple[Literal["raise", "clear"], Detector, int]] = []
        for rule in self._rules:
            count = sum(self._counts(rule, box) for box in self._finders[rule.name].find(image))
            there = count >= rule.count
            was, since = self._state.get(rule.name, (not there, now))
            if was != there:
                since = now
            self._state[rule.name] = (there, since)
            if there != (rule.name in self._open) and now - since >= rule.seconds:
                (self._open.add if there else self._open.discard)(rule.name)
                changes.append(("raise" if there else "clear", rule, count))
        return changes

    def _counts(self, rule: Detector, box: Box) -> bool:
        """A thing stands where the middle of its lower edge is."""
        foot = ((box.left + box.right) / 2, box.bottom)
        return box.label == rule.label and (rule.zone is None or zones.holds(self._zones[rule.zone], foot))
