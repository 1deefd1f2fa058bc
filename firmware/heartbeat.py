"""The watchdog's keeper: feeds it only when every part gave a sign of life since the last feeding.

A part beats by calling `beat` with its number after its step ran through. One part that hangs, or whose step
fails again and again, starves the watchdog, and the board restarts.
"""

import time

from micropython import const

# Often enough for a watchdog of some seconds, seldom enough to cost nothing.
_FEED_MS = const(500)
TIMEOUT_MS = 8000


class Heartbeat:
    """`parts` is how many must beat, at most 30."""

    def __init__(self, watchdog, parts: int, now: int) -> None:
        self.watchdog = watchdog
        self._all = (1 << parts) - 1
        self._seen = 0
        self._fed_at = now

    def beat(self, part: int) -> None:
        self._seen |= 1 << part

    def step(self, now: int) -> None:
        if self._seen == self._all and time.ticks_diff(now, self._fed_at) >= _FEED_MS:
            self.watchdog.feed()
            self._fed_at = now
            self._seen = 0
