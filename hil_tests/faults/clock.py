"""Clocks for faults: one that moves only when it is told to, one whose wall time jumps."""

import threading

from gateway.clock import SystemClock
from gateway.records import ClockState


class FakeClock:
    """See `gateway.clock.Clock`. Waiting lets the time pass at once."""

    def __init__(self, wall_ms: int = 1_795_000_000_000) -> None:
        self.boot = "boot-1"
        self.now = 100.0
        self._start = wall_ms

    def wall_ms(self) -> int:
        return self._start + int((self.now - 100.0) * 1000)

    def mono_ms(self) -> int:
        return int(self.now * 1000)

    def monotonic(self) -> float:
        return self.now

    def state(self) -> ClockState:
        return "trusted"

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.now += seconds
        return event.is_set()

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class SteppedClock(SystemClock):
    """The machine's clock, whose wall time stands `offset_ms` off, and is believed or not."""

    def __init__(self) -> None:
        super().__init__()
        self.offset_ms = 0
        self.believed: ClockState = "trusted"

    def wall_ms(self) -> int:
        return super().wall_ms() + self.offset_ms

    def state(self) -> ClockState:
        return self.believed
