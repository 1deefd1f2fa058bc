"""A tour of cameras (一键轮巡): each stop looked at, classified and listed; who cannot be reached is a finding too.

A camera with presets (`onvif`) is turned to each in turn and left at its home. The tour decides nothing and raises no
event: it makes a report for a person. The pictures come blurred.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from PIL import Image

from gateway.camera.classifier import NORMAL
from gateway.camera.onvif import Preset
from gateway.camera.source import SourceTrouble
from gateway.config import Camera, Config
from gateway.errors import GewuError

Look = Callable[[Camera], tuple[dict[str, Any], Image.Image]]
Pause = Callable[[float], None]


class Head(Protocol):
    """What turns a camera; every call may raise SourceTrouble."""

    def presets(self) -> list[Preset]: ...
    def go(self, preset: Preset) -> None: ...
    def home(self) -> None: ...


HeadOf = Callable[[Camera], Head]
# A running gateway answers with its latest look, which may be an interval old, and half of one more where only key
# frames are decoded (stream.py): the picture must be of after the turn.
LATE = 1.5


@dataclass(frozen=True)
class Stop:
    """One stop. `finding` is None where all is well; `sight` and `image` are None where there was no picture.

    `preset` is the name of the place that the camera was turned to; `note` is what its head refused.
    """

    camera: str
    place: str
    finding: str | None
    sight: dict[str, Any] | None
    image: Image.Image | None
    preset: str = ""
    note: str = ""


def tour(config: Config, stops: Sequence[str], look: Look, between: Pause, dwell: float, head_of: HeadOf) -> list[Stop]:
    """Look at each stop in turn, `between` (given `dwell` seconds) from one to the next and after a head's turn."""
    cameras = {camera.id: camera for camera in config.camera}
    made: list[Stop] = []
    for number, name in enumerate(stops):
        if number:
            between(dwell)
        camera = cameras.get(name)
        if camera is None:
            made.append(Stop(name, "", f'there is no camera "{name}" in the configuration', None, None))
        elif camera.onvif is None:
            made.append(_stop(camera, look))
        else:
            made += _around(camera, look, partial(between, dwell + LATE * camera.interval), head_of)
    return made


def _around(camera: Camera, look: Look, settle: Callable[[], None], head_of: HeadOf) -> list[Stop]:
    """A stop for each preset; one as the camera stands, with a finding, where it cannot be turned."""
    try:
        head = head_of(camera)
        presets = head.presets()
        if not presets:
            raise SourceTrouble("no presets", f"The camera {camera.id} has no presets: store some, or take onvif out.")
    except SourceTrouble as error:
        return [_noted(_stop(camera, look), str(error))]
    made: list[Stop] = []
    try:
        for preset in presets:
            try:
                head.go(preset)
            except SourceTrouble as error:
                made.append(Stop(camera.id, camera.place, str(error), None, None, preset.name))
                continue
            settle()
            made.append(replace(_stop(camera, look), preset=preset.name))
    finally:
        refused = _home(head)
    return made if refused is None else [*made[:-1], _noted(made[-1], f"it was not left at its home: {refused}")]


def _home(head: Head) -> str | None:
    try:
        head.home()
    except SourceTrouble as error:
        return str(error)
    return None


def _noted(stop: Stop, note: str) -> Stop:
    return replace(stop, note=note, finding=f"{stop.finding}; {note}" if stop.finding else note)


def _stop(camera: Camera, look: Look) -> Stop:
    try:
        sight, image = look(camera)
    except GewuError as error:
        return Stop(camera.id, camera.place, str(error), None, None)
    return Stop(camera.id, camera.place, _finding(sight), sight, image)


def _finding(sight: dict[str, Any]) -> str | None:
    if sight["trouble"]:
        return str(sight["trouble"])
    if sight["blind"]:
        return f"blind: {sight['blind']}"
    label = sight["label"]
    return None if label in (NORMAL, None) else str(label)


def as_json(name: str, at: str, stops: Sequence[Stop]) -> dict[str, Any]:
    """What `gewu patrol run --json` prints."""
    return {
        "patrol": name,
        "at": at,
        "findings": sum(stop.finding is not None for stop in stops),
        "stops": [
            {
                "camera": stop.camera,
                "preset": stop.preset or None,
                "place": stop.place,
                "finding": stop.finding,
                "label": stop.sight["label"] if stop.sight else None,
                "score": stop.sight["score"] if stop.sight else None,
            }
            for stop in stops
        ],
    }
