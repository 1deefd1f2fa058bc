"""A tour of cameras (一键轮巡): each stop looked at, classified and listed; who cannot be reached is a finding too.

It decides nothing and raises no event: it makes a report for a person. The pictures come blurred.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from gateway.camera.classifier import NORMAL
from gateway.config import Camera, Config
from gateway.errors import GewuError

Look = Callable[[Camera], tuple[dict[str, Any], Image.Image]]


@dataclass(frozen=True)
class Stop:
    """One stop. `finding` is None where all is well; `sight` and `image` are None where there was no picture."""

    camera: str
    place: str
    finding: str | None
    sight: dict[str, Any] | None
    image: Image.Image | None


def tour(
    config: Config, stops: Sequence[str], look: Look, between: Callable[[float], None], dwell: float
) -> list[Stop]:
    """Look at each stop in turn, `between` (given `dwell` seconds) from one to the next."""
    cameras = {camera.id: camera for camera in config.camera}
    made: list[Stop] = []
    for number, name in enumerate(stops):
        if number:
            between(dwell)
        made.append(_stop(name, cameras.get(name), look))
    return made


def _stop(name: str, camera: Camera | None, look: Look) -> Stop:
    if camera is None:
        return Stop(name, "", f'there is no camera "{name}" in the configuration', None, None)
    try:
        sight, image = look(camera)
    except GewuError as error:
        return Stop(name, camera.place, str(error), None, None)
    return Stop(name, camera.place, _finding(sight), sight, image)


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
                "place": stop.place,
                "finding": stop.finding,
                "label": stop.sight["label"] if stop.sight else None,
                "score": stop.sight["score"] if stop.sight else None,
            }
            for stop in stops
        ],
    }
