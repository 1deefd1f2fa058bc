"""Time that a condition must hold, and the alarm of a value beyond a level. Pure; a step allocates nothing.

Time is summed up and not taken as a difference of ticks: a condition that stands for weeks would outlive those.
"""

from micropython import const

_LONGEST_MS = const(1_000_000)


class Delay:
    """Holds how long a condition has stood without a break."""

    def __init__(self) -> None:
        self.held = -1  # ms, -1 while it does not stand

    def stands(self, elapsed: int, on: bool, needed: int) -> bool:
        """Whether `on` has stood for `needed` ms; the step that first sees it counts from then."""
        if not on:
            self.held = -1
            return False
        self.held = 0 if self.held < 0 else min(self.held + elapsed, _LONGEST_MS)
        return self.held >= needed


class Alarm(Delay):
    """A value at or above `level` for `wait` ms; it clears `back` below. It moves nothing. `level` 0 is off.

    For an alarm below a level both are handed in negative.
    """

    def __init__(self, level: int, back: int, wait: int) -> None:
        self.held = -1
        self.on = False
        self._level = level
        self._back = back
        self._wait = wait

    def step(self, elapsed: int, value: int, known: bool) -> bool:
        """A value that is not `known` changes nothing: what stood, stands."""
        if self._level == 0 or not known:
            return self.on
        if self.on:
            self.on = value > self._level - self._back
            self.held = -1
        else:
            self.on = self.stands(elapsed, value >= self._level, self._wait)
        return self.on
