"""What surrounds the soaked gateway: its clock, and which faults stand until when. No input or output.

A fault is a moment of the simulated time until which something is wrong, so that every fault ends by itself.
"""

import threading
from collections import defaultdict
from math import inf

from gateway.records import ClockState

BEGAN_MS = 1_795_000_000_000
_LEAST_S = 0.001  # a wait always moves the time, so that nothing can wait for ever for itself


class World:
    """See `gateway.clock.Clock`. A wait lets the time pass at once, but never beyond `horizon` by much.

    `boot` stays: the machine runs on, only the gateway's process may die.
    """

    def __init__(self) -> None:
        self.boot = "soak"
        self.now = 100.0
        self.horizon = inf
        self.aside: float | None = None  # while a number: a wait is somebody's own, is added here and holds up nobody
        self.jumped_ms = 0
        self.distrusted_until = 0.0
        self.until: dict[str, float] = defaultdict(float)  # of what holds for everything, by its name
        self.devices: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))  # of one unit

    def holds(self, fault: str) -> bool:
        """Whether the fault stands now."""
        return self.until[fault] > self.now

    def strikes(self, fault: str, unit: int) -> bool:
        """Whether it stands now for this unit."""
        return self.devices[fault][unit] > self.now

    def wall_ms(self) -> int:
        return BEGAN_MS + self.jumped_ms + int((self.now - 100.0) * 1000)

    def mono_ms(self) -> int:
        return int(self.now * 1000)

    def monotonic(self) -> float:
        return self.now

    def state(self) -> ClockState:
        return "untrusted" if self.distrusted_until > self.now else "trusted"

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if self.aside is not None:
            self.aside += seconds
        elif not event.is_set():
            self.sleep(max(min(seconds, self.horizon - self.now), _LEAST_S))
        return event.is_set()

    def sleep(self, seconds: float) -> None:
        self.now += seconds
