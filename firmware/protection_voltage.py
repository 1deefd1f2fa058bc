"""Overvoltage after EN 50550 / IEC 63052, in steps. Pure.

Levels and times lie between the points of electrical reference "Power-frequency overvoltage". Voltages are in 0.1 V.
A meter that refreshes every 400 ms (BL0942) cannot meet the 350 V and 400 V points; it acts there as soon as it can,
and `protection_hardware` reports them as not met.
"""

from protection_delay import Alarm

# (level 0.1 V, ms, from the peaks). 255 V must not trip; 275 V: 3 to 15 s; 300 V: 1 to 5 s; 350 V: 0.25 to 0.75 s;
# 400 V: 0.07 to 0.2 s. Levels lie half-way between two points, times near the geometric mean less the meter's own
# delay. A quick meter looks at the peaks every 75 ms: the two highest levels take those, and 90 ms are more than one
# look, so that a single spike passes.
_SLOW = ((2650, 6000, False), (2880, 1800, False), (3250, 200, False))
_QUICK = ((2650, 6500, False), (2880, 2100, False), (3250, 300, True), (3750, 90, True))


class Overvoltage:
    """`quick`: the meter sees peaks every 75 ms (ADE7953)."""

    def __init__(self, quick: bool) -> None:
        self._stages = tuple([(Alarm(level, 1, wait), peaks) for level, wait, peaks in (_QUICK if quick else _SLOW)])

    def step(self, elapsed: int, voltage: int, surge: int) -> bool:
        """Whether it wants to trip. `surge`: the highest voltage since the last look, as the RMS of such a sine."""
        trips = False
        for stage, peaks in self._stages:
            if stage.step(elapsed, surge if peaks else voltage, True):
                trips = True
        return trips
