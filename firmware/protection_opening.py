"""What happens between "open" and an open circuit: coil pulses, the look whether it helped, breaking capacity. Pure.

Above the breaking capacity the contact never opens: the upstream device does, and this one opens after it. Told to
open and current still flows is a breaker failure, the gravest event there is; but a contact that was open and was
closed again before the trip could be re-armed did what it was told, and is opened anew.
"""

from time import ticks_diff

from micropython import const

_PULSE_MS = const(200)  # trip coil energised
_CHECK_MS = const(1500)  # two refreshes of the chip's RMS (400 ms each), a poll, and the contact's own time
_RETRY_MS = const(2000)
_TRIES = const(5)  # a trip coil is not made for more
_BOUNCE_MS = const(60)  # open for longer, the contact has opened


class Opening:
    """`output` is the level of the trip coil, `withheld` that the current is left to the upstream device."""

    def __init__(self, capacity: int, flows: int) -> None:
        self.output = 0
        self.failed = False
        self.withheld = False
        self.active = False
        self._capacity = capacity * 1000  # mA
        self._flows = flows
        self._told_at = 0
        self._tries = 0
        self._closed_at = 0  # last time since the pulse that the contact showed closed
        self._opened = False

    def begin(self, now: int, current: int, beyond: bool) -> None:
        """`beyond`: the comparator for the breaking capacity has answered."""
        self.active = True
        self.withheld = beyond or current > self._capacity
        self._tries = 0
        if not self.withheld:
            self._pulse(now)

    def end(self) -> None:
        """A person has closed the lever: what was is over."""
        self.active = self.failed = self.withheld = False
        self.output = 0

    def step(self, now: int, seen) -> None:
        flows = seen.current > self._flows if seen.alive else seen.closed
        if not self.active:
            if self.failed and not seen.closed and not flows:
                self.failed = False
            return
        beyond = seen.over_capacity or seen.current > self._capacity
        if self._tries == 0:
            if not beyond:
                self._pulse(now)
            return
        since = ticks_diff(now, self._told_at)
        if since >= _PULSE_MS or beyond:
            self.output = 0
        if self._reclosed(now, seen.closed) and not self.output and not beyond:
            self._tries = 0  # it can open
            self._pulse(now)
            return
        if since < _CHECK_MS:
            return
        self.failed = flows
        if not flows and not seen.closed:
            self.active = False
        elif since >= _RETRY_MS:
            if self._tries >= _TRIES:
                self.active = False
            elif not beyond:
                self._pulse(now)

    def _reclosed(self, now: int, closed: bool) -> bool:
        """Whether the contact was open since the pulse, and is no more."""
        if closed:
            self._closed_at = now
        elif ticks_diff(now, self._closed_at) > _BOUNCE_MS:
            self._opened = True
        return closed and self._opened

    def _pulse(self, now: int) -> None:
        self._closed_at = now
        self._opened = False
        self._tries += 1
        self._told_at = now
        self.output = 1
