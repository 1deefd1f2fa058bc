"""Contacts and the PIR motion sensor: debounced, held long enough for a slow bus, counted.

Pure: a pin with `value()` and the time are handed in. A step allocates nothing.
"""

from time import ticks_diff

from micropython import const

_STEADY_MS = const(50)  # contacts bounce for some milliseconds
HOLD_MS = const(2000)  # a poll of a busy bus comes seldom
SOS_MS = const(60_000)  # a press is an alarm for a minute
_SECOND = const(1000)


class Contact:
    """`on` once the pin has been at `active` for 50 ms, until it left it and `hold_ms` went by. `count` of rises."""

    def __init__(self, pin, active: int, hold_ms: int, now: int) -> None:
        self.pin = pin
        self.on = False
        self._steady = False
        self.count = 0
        self._active = active
        self._hold = hold_ms
        self._raw = False
        self._since = now
        self._last = now

    def step(self, now: int) -> None:
        raw = self.pin.value() == self._active
        if raw != self._raw:
            self._raw = raw
            self._since = now
        elif raw != self._steady and ticks_diff(now, self._since) >= _STEADY_MS:
            self._steady = raw
            if raw:
                self.on = True
                self.count = (self.count + 1) & 0xFFFF
        if self._steady:
            self._last = now
        elif self.on and ticks_diff(now, self._last) >= self._hold:
            self.on = False


class Motion:
    """A PIR sensor (high is motion). `occupied` from the first motion until none came for `hold_s`.

    `seconds` of occupation since the last look are for the caller to add up and to set back.
    """

    def __init__(self, pin, hold_s: int, now: int) -> None:
        self.contact = Contact(pin, 1, HOLD_MS, now)
        self.occupied = False
        self.seconds = 0
        self._hold_ms = hold_s * 1000
        self._moved_at = now
        self._second_at = now

    def step(self, now: int) -> None:
        self.contact.step(now)
        if self.contact.on:
            if not self.occupied:
                self._second_at = now
            self.occupied = True
            self._moved_at = now
        elif self.occupied and ticks_diff(now, self._moved_at) >= self._hold_ms:
            self.occupied = False
        if self.occupied and ticks_diff(now, self._second_at) >= _SECOND:
            self._second_at = now
            self.seconds += 1
