"""The design load as the outbox gets it: one reading every 0.1 s, an uplink that confirms, on a clock that jumps.

The committing thread's work is done step by step at the moments at which the thread would do it.
"""

import msgspec

from gateway.filters import Filter
from gateway.outbox import Outbox
from hil_tests.bench.uplink_load import DEVICES, PERIOD_S, Load
from hil_tests.faults.clock import FakeClock

BETWEEN_S = PERIOD_S / DEVICES
_CONFIRMED_S = 0.05


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """See `gateway.outbox.route.Route`."""

    name: str = "county"
    acks: bool = False
    max_delay: float = 2.0
    filter: Filter | None = None
    whole_blocks: bool = False
    repeats: bool = False


WAY = Way()


class Day:
    """A stretch of a day at design load, on `outbox` and its clock."""

    def __init__(self, outbox: Outbox, clock: FakeClock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._load = Load()
        self._step_at = clock.now + outbox.pause()
        self._confirm: list[tuple[float, list[int]]] = []

    def live(self, seconds: float, connected: bool = True) -> int:
        """Let `seconds` pass; returns how many readings were put."""
        end = self._clock.now + seconds
        count = 0
        while self._clock.now < end:
            self._outbox.put_reading(self._load.reading(self._clock.wall_ms()))
            count += 1
            next_at = self._clock.now + BETWEEN_S
            while self._clock.now < next_at:
                self._until(min(next_at, self._step_at, *self._uplink_at(connected)))
                self._deliver(connected)
                if self._clock.now >= self._step_at:
                    self._outbox.step()
                    self._step_at = self._clock.now + self._outbox.pause()
        return count

    def _until(self, when: float) -> None:
        self._clock.now = max(self._clock.now, when) + 1e-6

    def _uplink_at(self, connected: bool) -> list[float]:
        if not connected:
            return []
        due = self._outbox.due_in(WAY.name)
        return [when for when, _ in self._confirm[:1]] + ([] if due is None else [self._clock.now + due])

    def _deliver(self, connected: bool) -> None:
        while self._confirm and self._confirm[0][0] <= self._clock.now:
            self._outbox.mark_delivered(WAY.name, self._confirm.pop(0)[1])
        if connected and self._outbox.due_in(WAY.name) == 0:
            made = self._outbox.next_messages(WAY.name, 20, 20)
            if made:
                self._confirm.append((self._clock.now + _CONFIRMED_S, [message.seq for message in made]))
