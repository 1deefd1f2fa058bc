"""Overvoltage after EN 50550 / IEC 63052 and the undervoltage release after IEC 60947-2. Pure.

Levels and times lie between the points of electrical reference "Power-frequency overvoltage" and "Undervoltage
release". Voltages are in 0.1 V. A meter that refreshes every 400 ms (BL0942) cannot meet the 350 V and 400 V points;
it acts there as soon as it can, and `protection_hardware` reports them as not met.
"""

from micropython import const
from protection_delay import Delay

# (level 0.1 V, ms). 255 V must not trip; 275 V: 3 to 15 s; 300 V: 1 to 5 s; 350 V: 0.25 to 0.75 s; 400 V: 0.07 to
# 0.2 s. Levels lie half-way between two points, times near the geometric mean less the meter's own delay.
_SLOW = ((2650, 6000), (2880, 1800), (3250, 200))
_QUICK = ((2650, 6500), (2880, 2100), (3250, 300), (3750, 60))

_UNDER_MS = const(300)  # more than one refresh of the meter
_CLOSES = const(85)  # percent of Un from which closing is allowed


class Overvoltage:
    """`quick`: the meter's RMS follows within 100 ms (ADE7953). `used` False never trips."""

    def __init__(self, quick: bool, used: bool) -> None:
        stages = _QUICK if quick else _SLOW
        self._stages = tuple([(level, wait, Delay()) for level, wait in stages])
        self._used = used

    def step(self, elapsed: int, voltage: int, alive: bool) -> bool:
        trips = False
        for level, wait, delay in self._stages:
            if delay.step(elapsed, alive and voltage >= level, wait):
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
