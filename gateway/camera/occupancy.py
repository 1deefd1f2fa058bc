"""How full a zone is, how much flows through it, how long it dwells; and whether it is crowded or blocked. Pure.

It compares the zone with the camera's own empty scene. It counts no persons and follows nobody: its index is the
share of the zone that something stands on, over the share at which people of this place call it full.
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gateway.camera.grey import Cells, Grey, changed

LEAST = 18.0  # grey levels between the empty scene and what stands there; own choice, above most shadows
# Own choice: when most of the frame differs at once, the light or the camera changed, not the people.
_NEW_SCENE = 0.7
_NEW_SCENE_LOOKS = 10
_RATE = 0.02
_RECENT = 5


@dataclass(frozen=True)
class Zone:
    """`full`: the share of the zone that counts as full (crowding) or as obstructed (blocked), 0 to 1, found with
    `gewu camera try`. `seconds`: how long it must last."""

    name: str
    watch: Literal["crowding", "blocked"]
    cells: Cells
    full: float
    seconds: float


@dataclass(frozen=True)
class Level:
    """`index`: occupied share over `full`. `flow`: share that moves, 0 to 1. `dwell`: mean seconds that what is
    occupied now has been."""

    index: float
    flow: float
    dwell: float


@dataclass
class Occupancy:
    """All zones of one camera. The empty scene is learned from the first look and follows what is not occupied."""

    zones: list[Zone]
    open_: set[str] = field(default_factory=set)
    levels: dict[str, Level] = field(default_factory=dict)
    _empty: Grey | None = None
    _since: NDArray[np.float64] | None = None
    _strange: int = 0
    _over: dict[str, float] = field(default_factory=dict)
    _recent: dict[str, deque[float]] = field(default_factory=dict)

    def step(self, grey: Grey, moving: Cells | None, now: float) -> list[tuple[Literal["raise", "clear"], Zone, Level]]:
        """What this look (monotonic seconds) raises and clears."""
        if self._empty is None or self._since is None:
            self._begin(grey)
            return []
        occupied = changed(grey, self._empty, LEAST)
        if self._new_scene(grey, occupied):
            return []
        self._since = np.where(occupied, np.where(np.isnan(self._since), now, self._since), np.nan)
        self._empty = np.where(occupied, self._empty, self._empty + _RATE * (grey - self._empty)).astype(np.float32)
        changes: list[tuple[Literal["raise", "clear"], Zone, Level]] = []
        for zone in self.zones:
            level = self._level(zone, occupied, moving, now)
            self.levels[zone.name] = level
            change = self._judge(zone, level, now)
            if change is not None:
                changes.append((change, zone, level))
        return changes

    def _begin(self, grey: Grey) -> None:
        self._empty = grey.copy()
        self._since = np.full(grey.shape, np.nan)
        self._strange = 0

    def _new_scene(self, grey: Grey, occupied: Cells) -> bool:
        """After a lasting change of nearly everything the empty scene is learned anew."""
        if occupied.mean() < _NEW_SCENE:
            self._strange = 0
            return False
        self._strange += 1
        if self._strange >= _NEW_SCENE_LOOKS:
            self._begin(grey)
        return True

    def _level(self, zone: Zone, occupied: Cells, moving: Cells | None, now: float) -> Level:
        assert self._since is not None
        here = occupied & zone.cells
        size = max(int(zone.cells.sum()), 1)
        dwell = float((now - self._since[here]).mean()) if here.any() else 0.0
        flow = 0.0 if moving is None else float((moving & zone.cells).sum() / size)
        return Level(float(here.sum() / size) / zone.full, flow, dwell)

    def _judge(self, zone: Zone, level: Level, now: float) -> Literal["raise", "clear"] | None:
        recent = self._recent.setdefault(zone.name, deque(maxlen=_RECENT))
        # A way is blocked by what stays; what passes through is traffic.
        still = zone.watch == "crowding" or level.flow < 0.5 * min(level.index * zone.full, 1.0)
        recent.append(level.index if still else 0.0)
        if zone.name in self.open_:
            if median(recent) < 0.7:  # own choice: well below what raises, so that it does not flicker
                self.open_.discard(zone.name)
                self._over.pop(zone.name, None)
                return "clear"
            return None
        if median(recent) < 1.0:
            self._over.pop(zone.name, None)
            return None
        if now - self._over.setdefault(zone.name, now) < zone.seconds:
            return None
        self.open_.add(zone.name)
        return "raise"
