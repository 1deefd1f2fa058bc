"""Overvoltage after EN 50550 / IEC 63052 and the undervoltage release after IEC 60947-2. Pure.

Levels and times lie between the points of electrical reference "Power-frequency overvoltage" and "Undervoltage
release". Voltages are in 0.1 V. A meter that refreshes every 400 ms (BL0942) cannot meet the 350 V and 400 V points;
it acts there as soon as it can, and `protection_hardware` reports them as not met.
"""

from micropython import const
from protection_delay import Delay

# (level 0.1 V, ms, from the peaks). 255 V must not trip; 275 V: 3 to 15 s; 300 V: 1 to 5 s; 350 V: 0.25 to 0.75 s;
# 400 V: 0.07 to 0.2 s. Levels lie half-way between two points, times near the geometric mean less the meter's own
# delay. A quick meter looks at the peaks every 75 ms: the two highest levels take those, and 90 ms are more than one
# look, so that a single spike passes.
_SLOW = ((2650, 6000, False), (2880, 1800, False), (3250, 200, False))
_QUICK = ((2650, 6500, False), (2880, 2100, False), (3250, 300, True), (3750, 90, True))

_UNDER_MS = const(300)  # more than one refresh of the meter
_CLOSES = const(85)  # percent of Un from which closing is allowed


class Overvoltage:
    """`quick`: the meter's RMS follows within 100 ms (ADE7953). `used` False never trips."""

    def __init__(self, quick: bool, used: bool) -> None:
        stages = _QUICK if quick else _SLOW
        self._stages = tuple([(level, wait, peaks, Delay()) for level, wait, peaks in stages])
        self._used = used

    def step(self, elapsed: int, voltage: int, surge: int, alive: bool) -> bool:
        """`surge`: the highest voltage since the last look, as the RMS of a sine with that peak."""
        trips = False
        for level, wait, peaks, delay in self._stages:
            if delay.step(elapsed, alive and (surge if peaks else voltage) >= level, wait):
                trips = True
        return trips and self._used


class Undervoltage:
    """Opens at or below `percent` of `nominal` V; 0 never opens. `closable` from 85 % on, whatever `percent` is."""

    def __init__(self, nominal: int, percent: int) -> None:
        self._level = nominal * percent // 10  # 0.1 V
        self._closes = nominal * _CLOSES // 10
        self._used = percent > 0
        self._delay = Delay()
        self.closable = False

    def step(self, elapsed: int, voltage: int, alive: bool) -> bool:
        self.closable = alive and voltage >= self._closes
        return self._delay.step(elapsed, self._used and alive and voltage <= self._level, _UNDER_MS)
