"""All rules of one camera in one place: a picture in, what changed out. It draws nothing, keeps nothing on disk.

The order matters: masks first, then whether the camera can see at all, then what moves, then what is to be seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image, ImageDraw

from gateway.camera import zones
from gateway.camera.blind import Blindness
from gateway.camera.classifier import Classifier, Verdict
from gateway.camera.detections import Detections, Finder
from gateway.camera.grey import HEIGHT, WIDTH, grey_of
from gateway.camera.hazard import Hazards
from gateway.camera.motion import SHARE, Motion
from gateway.camera.occupancy import Level, Occupancy, Zone
from gateway.config.camera_tables import Camera
from gateway.config.camera_tables import Zone as ZoneTable
from gateway.records import Value

PREFIX = "camera."
BLIND = PREFIX + "blind"
# Own choice: a scene in which nothing moves is classified all the same every so many seconds.
AT_LEAST_S = 30.0
# 1 red to 4 blue; governance's table of suggested grades where it names the thing, its nearest kin elsewhere.
GRADES: Mapping[str, int] = {
    "fire_smoke": 1,
    "flood": 3,
    "road_damage": 3,
    "rubbish": 4,
    "crowding": 3,
    "blocked": 3,
    "blind": 4,
}


@dataclass(frozen=True)
class Change:
    """An event to raise or to clear; `key` tells two of one kind apart (the zone's name), "" where there is one."""

    do: Literal["raise", "clear"]
    kind: str
    key: str
    grade: int
    values: dict[str, Value]


@dataclass(frozen=True)
class Sight:
    """What one look found. `verdict` is None where the classifier did not look; `motion` is a share of 0 to 1."""

    changes: list[Change]
    blind: str | None
    motion: float
    verdict: Verdict | None
    levels: dict[str, Level] = field(default_factory=dict)


Open = tuple[str, str]
"""Kind and key of an event that is open."""


class Eye:
    """One camera. `classifier` is None where its model may not be loaded; `finders` by detector name."""

    def __init__(
        self,
        camera: Camera,
        classifier: Classifier | None,
        finders: Mapping[str, Finder] | None = None,
        live: bool = True,
        open_: Iterable[Open] = (),
    ) -> None:
        known = set(open_)
        self._camera = camera
        self._classifier = classifier
        self._blindness = Blindness(live=live, reason="before the restart" if (BLIND, "") in known else None)
        self._motion = Motion()
        watched = [_zone(one) for one in camera.zone if one.watch]
        self._occupancy = Occupancy(
            watched, {zone.name for zone in watched if (PREFIX + zone.watch, zone.name) in known}
        )
        hazards = classifier.card.hazards if classifier else []
        self._hazards = Hazards(
            hazards,
            classifier.card.alarm if classifier else 1.0,
            camera.agree,
            camera.agree + 2,
            {name for name in hazards if (PREFIX + name, "") in known},
        )
        self._detections = Detections(camera, finders or {}, {kind for kind, _ in known})
        self._classified_at: float | None = None

    def see(self, image: Image.Image, now: float) -> Sight:
        """What a picture shows at `now` (monotonic seconds). The picture must be masked."""
        grey, sharpness = grey_of(image)
        before = self._blindness.reason
        blind = self._blindness.step(grey, sharpness, now)
        changes = _blind_changes(before, blind)
        motion, cells = self._motion.step(grey)
        if blind is not None:
            return Sight(changes, blind, motion, None)
        for change, zone, level in self._occupancy.step(grey, cells, now):
            changes.append(_zone_change(change, zone, level))
        verdict = self._classify(image, motion, now)
        if verdict is not None:
            changes += [
                Change(do, PREFIX + label, "", GRADES.get(label, 3), {"score": round(score, 3)})
                for do, label, score in self._hazards.step(verdict)
            ]
        for do, rule, count in self._detections.step(image, now):
            changes.append(Change(do, PREFIX + rule.name, "", rule.grade, {"count": count, "label": rule.label}))
        return Sight(changes, blind, motion, verdict, dict(self._occupancy.levels))

    def cannot_see(self, reason: str, now: float) -> Sight:
        """There is no picture, for `reason`."""
        before = self._blindness.reason
        blind = self._blindness.no_picture(reason, now)
        return Sight(_blind_changes(before, blind), blind, 0.0, None)

    def _classify(self, image: Image.Image, motion: float, now: float) -> Verdict | None:
        if self._classifier is None:
            return None
        old = self._classified_at is None or now - self._classified_at >= AT_LEAST_S
        if not (old or motion >= SHARE or self._hazards.curious()):
            return None
        self._classified_at = now
        return self._classifier.classify(image)


def masked(camera: Camera, image: Image.Image) -> Image.Image:
    """The picture with the camera's masks blacked out; the same picture where there are none."""
    if not camera.mask:
        return image
    result = image.copy()
    draw = ImageDraw.Draw(result)
    for polygon in camera.mask:
        draw.polygon([(x * image.width, y * image.height) for x, y in polygon], fill=(0, 0, 0))
    return result


def _zone(table: ZoneTable) -> Zone:
    corners = [(x, y) for x, y in table.polygon]
    cells = zones.cells_of(corners, HEIGHT, WIDTH)
    assert table.watch is not None
    return Zone(table.name, table.watch, cells, table.full, table.seconds)


def _zone_change(do: Literal["raise", "clear"], zone: Zone, level: Level) -> Change:
    values: dict[str, Value] = {
        "zone": zone.name,
        "index": round(level.index, 2),
        "flow": round(level.flow, 2),
        "dwell": round(level.dwell, 1),
    }
    return Change(do, PREFIX + zone.watch, zone.name, GRADES[zone.watch], values)


def _blind_changes(before: str | None, now: str | None) -> list[Change]:
    if before is None and now is not None:
        return [Change("raise", BLIND, "", GRADES["blind"], {"reason": now})]
    if before is not None and now is None:
        return [Change("clear", BLIND, "", GRADES["blind"], {"reason": before})]
    return []
