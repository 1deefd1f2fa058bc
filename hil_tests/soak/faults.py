"""The faults of the soak, one every 30 simulated seconds, drawn by a seed. No input or output.

The numbers are those of the list in docs/faults.md. Each says what goes wrong for how long; nothing here knows what
the gateway does about it.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hil_tests.soak.meters import Meter
from hil_tests.soak.world import World

EVERY_S = 30.0
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Fault:
    """`name` in the list of faults; drawn `weight` times as often as the rarest; lasts `least` to `most` seconds."""

    number: str
    name: str
    weight: int
    least: float = 0.0
    most: float = 0.0


# What holds for one device, for all of them, and what is done once.
OF_A_DEVICE = (
    Fault("D2", "doubled", 3, 1, 40),
    Fault("D3", "silent", 6, 1, 180),
    Fault("D4", "frozen", 3, 5, 120),
    Fault("D4", "absurd", 3, 5, 120),
)
OF_ALL = (
    Fault("D1", "unplugged", 2, 0.5, 20),
    Fault("D2", "noise", 4, 1, 20),
    Fault("D2", "cut", 4, 1, 20),
    Fault("D2", "late", 4, 1, 20),
    Fault("B1", "disk full", 2, 1, 90),
    Fault("B2", "disk broken", 2, 1, 60),
    Fault("B3", "disk read-only", 2, 1, 60),
    Fault("C1", "black hole", 3, 1, 600),
    Fault("C2", "unconfirmed", 3, 1, 120),
    Fault("C3", "forgetful", 3, 1, 60),
    Fault("C4", "flapping", 5, 1, 1),
    Fault("C4", "refused", 3, 1, 1200),
)
AT_ONCE = (
    Fault("A1", "kill", 3),
    Fault("A8", "restart", 2),
    Fault("D5", "clock", 2, 10, 300),
    Fault("D7", "trip", 12, 15, 180),
    Fault("D7", "reboot", 6),
)
ALL: tuple[Fault, ...] = (*OF_A_DEVICE, *OF_ALL, *AT_ONCE)


class Trouble:
    """Draws the next fault. `kill` and `restart` are done by whoever runs the gateway."""

    def __init__(self, world: World, meters: dict[int, Meter], seed: int, ends: dict[str, Callable[[], None]]) -> None:
        self.struck: Counter[str] = Counter()
        self._world, self._meters, self._ends = world, meters, ends
        self._dice = random.Random(seed)
        self._units: Sequence[int] = tuple(meters)
        self._weights = [fault.weight for fault in ALL]

    def strike(self) -> tuple[Fault, int, float]:
        """One fault; with its unit (0: none) and its length in seconds."""
        fault = self._dice.choices(ALL, self._weights)[0]
        seconds = self._dice.uniform(fault.least, fault.most)
        unit = 0
        self.struck[f"{fault.number} {fault.name}"] += 1
        if fault in OF_ALL:
            self._world.until[fault.name] = max(self._world.until[fault.name], self._world.now + seconds)
        elif fault in OF_A_DEVICE:
            unit = self._dice.choice(self._units)
            until = self._world.devices[fault.name]
            until[unit] = max(until[unit], self._world.now + seconds)
        else:
            unit = self._at_once(fault, seconds)
        return fault, unit, seconds

    def heal(self) -> None:
        """All well from now on."""
        self._world.until.clear()
        self._world.devices.clear()
        self._world.distrusted_until = 0.0

    def _at_once(self, fault: Fault, seconds: float) -> int:
        unit = self._dice.choice(self._units)
        meter = self._meters[unit]
        if fault.name in self._ends:
            self._ends[fault.name]()
            return 0
        if fault.name == "clock":  # it jumps, is believed again only when it was set, and then jumps back
            self._world.jumped_ms = self._dice.choice((-HOUR_MS, 0, HOUR_MS))
            self._world.distrusted_until = self._world.now + seconds
            return 0
        if fault.name == "reboot":
            meter.boots += 1
        elif self._world.now >= meter.tripped_until:
            meter.trip(self._world.now, seconds)
        return unit
