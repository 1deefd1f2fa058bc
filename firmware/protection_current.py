"""Overcurrent: thermal memory, the instantaneous element, the overload alarm that stands apart from both. Pure.

Model: theta' = ((I/In)^2 - theta)/tau, trip at theta = 1.6, tau = 100 s. This is the design aid of
electrical reference "Overcurrent, IEC 60898-1 (GB/T 10963.1)"; it meets rows a, b, c and the upper limits of d.
Every intermediate result fits a 31-bit small integer (the ESP32's), so a step allocates nothing.
"""

from micropython import const
from protection_delay import Delay

# theta and (I/In)^2 are counted in 1/2^22, so I/In is counted in 1/2^11.
_TRIP = const(6710886)  # 1.6
_CEILING = const(13421772)  # 3.2: 200 % of the trip value; more would only slow the cooling
_RATIO_MAX = const(32767)  # 15.99 In: its square is the largest that fits 31 bits
_QUANTUM_MS = const(100)  # one step of integration
_QUANTA_TAU = const(1000)  # tau = 100 s
_QUANTA_MAX = const(100)  # after a stall longer than 10 s the rest is let go

_ALARM_PERMILLE = const(800)  # of the thermal trip value; 1.13 In for ever settles at 798
_CALM_PERMILLE = const(750)
_ALARM_MS = const(10_000)  # above the alarm's current for this long alarms, before the memory is warm

# Hundredths of In: the geometric mean of the curve's band (B 3-5, C 5-10, D 10-20 In), the same distance in percent
# from "must not trip" and "must trip". Bands: IEC 60898-1 as quoted in electrical reference "Overcurrent", rows d, e.
_BANDS = {"B": 387, "C": 707, "D": 1414}


class Thermal:
    """Thermal memory of a conductor of `rating` A (1..125)."""

    def __init__(self, rating: int) -> None:
        self.theta = 0
        self._divisor = rating * 125
        self._limit = rating * 1000 * 15  # mA, keeps I * 256 within 31 bits
        self._left = 0

    def step(self, elapsed: int, current: int, cools: bool) -> None:
        """`elapsed` ms with `current` mA. `cools` False holds the memory where it would sink (meter blind)."""
        if current > self._limit:
            ratio = _RATIO_MAX
        else:
            ratio = current * 256 // self._divisor
        heat = ratio * ratio
        self._left += elapsed
        quanta = self._left // _QUANTUM_MS
        self._left -= quanta * _QUANTUM_MS
        if quanta > _QUANTA_MAX:
            quanta = _QUANTA_MAX
        while quanta > 0:
            quanta -= 1
            change = (heat - self.theta) // _QUANTA_TAU
            if change > 0 or cools:
                self.theta += change
        if self.theta > _CEILING:
            self.theta = _CEILING

    def trips(self) -> bool:
        return self.theta >= _TRIP

    def permille(self) -> int:
        """Of the trip value: 1000 trips, 2000 is the most."""
        return (self.theta >> 8) * 1000 // (_TRIP >> 8)

    def assume(self, permille: int) -> None:
        """Sets the memory after a restart, at most to 95 %: hot, but no trip without a current."""
        self.theta = (_TRIP >> 8) * min(permille, 950) // 1000 << 8


class Overload:
    """The alarm: above `percent` of In (113) for 10 s, or the thermal memory at 80 % of the trip value.

    It clears 8 % of In lower and at 75 %. `percent` 0 is off.
    """

    def __init__(self, rating: int, percent: int = 113) -> None:
        self.on = False
        self._used = percent > 0
        self._above = rating * percent * 10
        self._calm = rating * (percent - 8) * 10
        self._delay = Delay()

    def step(self, elapsed: int, current: int, permille: int) -> bool:
        high = self._delay.stands(elapsed, current > self._above, _ALARM_MS)
        if not self._used:
            return False
        if high or permille >= _ALARM_PERMILLE:
            self.on = True
        elif current < self._calm and permille < _CALM_PERMILLE:
            self.on = False
        return self.on


class Instantaneous:
    """The second line of the standard's row e, which belongs to the metering chip's pin and the trip latch.

    Two measurements in a row, because one frame with a good checksum may carry fantasy. A meter at full scale counts
    as above. `threshold` mA is what the chip's pin acts at, too.
    """

    def __init__(self, rating: int, curve: str) -> None:
        self.threshold = rating * 10 * _BANDS[curve]
        self.high = 0  # measurements in a row above the threshold

    def step(self, current: int, saturated: bool) -> None:
        """One new measurement, mA."""
        self.high = self.high + 1 if saturated or current >= self.threshold else 0
