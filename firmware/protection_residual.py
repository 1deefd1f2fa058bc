"""Residual current, general and S, as far as software reaches; terminal temperature; the arc detector's input. Pure.

IEC 61008-1 wants 40 ms at five times the rated residual current: that is the residual-current module's trip output
on the trip latch. What software sees is the module's measured value, and there it is the second line, from 100 ms on.
An arc detector is an external device that has judged already (electrical reference "Arc faults"): its contact or
its count of arcing half-cycles in the last second arrives here.
"""

from micropython import const
from protection_delay import Delay

# Type S may not act before 130 ms at the rated current and 60 ms at twice of it; the value is at least 20 ms old.
_GENERAL_MS = const(100)
_S_MS = const(150)
_HEAT_MS = const(5_000)
_ARC_MS = const(100)  # contacts bounce
_HALF_CYCLES = const(9)  # so many in 1 s must not alarm: IEC 62606 as quoted in electrical reference


class Residual:
    """Trips at 0.75 of `rated` mA, half-way between must not (0.5) and must (1). `rated` 0 is not fitted."""

    def __init__(self, rated: int, kind: str) -> None:
        self._level = rated * 3 // 4
        self._wait = _S_MS if kind == "S" else _GENERAL_MS
        self._delay = Delay()

    def step(self, elapsed: int, residual: int) -> bool:
        """`residual` mA, negative when not known."""
        return self._delay.step(elapsed, self._level > 0 and residual >= self._level, self._wait)


class Heat:
    """Terminal temperature at or above `level` degrees Celsius for 5 s; 0 never trips."""

    def __init__(self, level: int) -> None:
        self._level = level * 10
        self._delay = Delay()

    def step(self, elapsed: int, temperature: int) -> bool:
        """`temperature` 0.1 degree Celsius."""
        return self._delay.step(elapsed, self._level > 0 and temperature >= self._level, _HEAT_MS)


class Arc:
    """`on` is the alarm; `trips` only where the settings say so."""

    def __init__(self, used: bool) -> None:
        self.on = False
        self._used = used
        self._delay = Delay()

    def step(self, elapsed: int, contact: bool, half_cycles: int) -> bool:
        self.on = self._delay.step(elapsed, contact, _ARC_MS) or half_cycles > _HALF_CYCLES
        return self.on and self._used
