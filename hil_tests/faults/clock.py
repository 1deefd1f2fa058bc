"""A clock that moves only when it is told to: a month of outage in no time."""

import threading

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
