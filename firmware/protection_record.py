"""What a trip leaves behind: cause, by whom, values, time, and the eight measurements before it.

It keeps the latest trip in memory that is there from the start; a step allocates nothing. The journal makes it last.
"""

from array import array
from time import ticks_diff

from micropython import const

_SAMPLES = const(8)
_WIDTH = const(4)  # of each: ms before the trip, mA, 0.1 V, residual mA (-1 not known)


class Record:
    """The latest trip. `number` rises by one with each; 0 is none yet. `samples` are the oldest first.

    `at` ticks_ms, `current` mA, `voltage` 0.1 V, `residual` mA and `temperature` 0.1 degree Celsius (as handed in),
    `thermal` permille of the trip value. `by` as the register trip_by: 0 not known, 1 firmware, 2 chip, 3 module.
    `held` samples are valid, the others 0.
    """

    def __init__(self) -> None:
        self.number = 0
        self.cause = 0
        self.by = 0
        self.at = 0
        self.current = 0
        self.voltage = 0
        self.residual = 0
        self.temperature = 0
        self.thermal = 0
        self.withheld = False
        self.held = 0
        self.samples = array("i", [0] * (_SAMPLES * _WIDTH))
        self._ring = array("i", [0] * (_SAMPLES * _WIDTH))
        self._next = 0
        self._count = 0

    def measured(self, now: int, seen) -> None:
        """One new measurement."""
        ring = self._ring
        at = self._next * _WIDTH
        ring[at] = now
        ring[at + 1] = seen.current
        ring[at + 2] = seen.voltage
        ring[at + 3] = seen.residual
        self._next = (self._next + 1) % _SAMPLES
        self._count = min(self._count + 1, _SAMPLES)

    def latch(self, now: int, number: int, cause: int, by: int, seen, thermal: int, withheld: bool) -> None:
        self.number = number
        self.cause = cause
        self.by = by
        self.at = now
        self.current = seen.current
        self.voltage = seen.voltage
        self.residual = seen.residual
        self.temperature = seen.temperature
        self.thermal = thermal
        self.withheld = withheld
        self.held = self._count
        for index in range(_SAMPLES):
            source = (self._next - self._count + index) % _SAMPLES * _WIDTH
            known = index < self._count
            for part in range(_WIDTH):
                self.samples[index * _WIDTH + part] = self._ring[source + part] if known else 0
            if known:
                self.samples[index * _WIDTH] = ticks_diff(now, self._ring[source])
