"""What stands against closing: local lock-out, acknowledgement, waiting time, number of closings, voltage. Pure.

It only refuses. Nothing closes a breaker by itself; a person does at the lever, or an authorised command where a
closing actuator is fitted. The local lock-out wins over everything: while it stands, nothing may be closed.
"""

from micropython import const
from protection_delay import Delay

# The register close_refusal; docs/firmware.md lists them.
_ALLOWED = const(0)
_LOCKED_OUT = const(1)
_NOT_ACKNOWLEDGED = const(2)  # after residual, short-circuit, temperature trips: at the device only
_FAILED = const(3)  # told to open and current still flowed, or left to the upstream device
_TOO_SOON = const(4)
_TOO_OFTEN = const(5)
_NO_VOLTAGE = const(6)  # below 0.85 Un or not measured

_MANY_MS = const(1_000_000)
_BOUNCE_MS = const(100)  # of the lock-out's switch


class Reclose:
    """`wait` s after a trip, at most `count` closings in `window` s."""

    def __init__(self, wait: int, count: int, window: int) -> None:
        self.locked_out = False
        self.needs_acknowledgement = False
        self._wait = wait
        self._count = count
        self._window = window
        self._since_trip = wait  # s, as far as it matters
        self._budget_left = count
        self._since_closing = 0
        self._rest = 0  # ms
        self._lockout = Delay()

    def step(self, elapsed: int, lockout: bool) -> None:
        self.locked_out = self._lockout.stands(elapsed, lockout, _BOUNCE_MS)
        self._rest += min(elapsed, _MANY_MS)
        seconds = self._rest // 1000
        self._rest -= seconds * 1000
        self._since_trip = min(self._since_trip + seconds, self._wait)
        self._since_closing += seconds
        if self._since_closing >= self._window:
            self._since_closing = 0
            self._budget_left = self._count

    def tripped(self, needs_acknowledgement: bool) -> None:
        self._since_trip = 0
        self.needs_acknowledgement = needs_acknowledgement

    def closed(self) -> None:
        """The contact was open and is closed again."""
        if self._budget_left == self._count:
            self._since_closing = 0  # the window begins with its first closing
        self._budget_left = max(0, self._budget_left - 1)

    def acknowledge(self) -> None:
        """By a person at the device."""
        self.needs_acknowledgement = False

    def refusal(self, opening, closable: bool) -> int:
        """The first of the reasons above, 0 when nothing stands against closing."""
        if self.locked_out:
            return _LOCKED_OUT
        if opening.failed or opening.withheld or opening.active:
            return _FAILED
        if self.needs_acknowledgement:
            return _NOT_ACKNOWLEDGED
        if self._since_trip < self._wait:
            return _TOO_SOON
        if self._budget_left == 0:
            return _TOO_OFTEN
        return _ALLOWED if closable else _NO_VOLTAGE
