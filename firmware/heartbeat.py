"""The watchdog's keeper: feeds it only when every part gave a sign of life since the last feeding.

A part beats by calling `beat` with its number after its step ran through. One part that hangs, or whose step
fails again and again, starves the watchdog, and the board restarts.
"""

import time

# Often enough for a watchdog of some seconds, seldom enough to cost nothing.
FEED_MS = 500
TIMEOUT_MS = 8000


class Heartbeat:
    """`parts` is how many must beat, at most 30."""

    def __init__(self, watchdog, parts: int, now: int) -> None:
        self.watchdog = watchdog
        self.all = (1 << parts) - 1
        self.seen = 0
        self.fed_at = now

    def beat(self, part: int) -> None:
        self.seen |= 1 << part

    def step(self, now: int) -> None:
        if self.seen == self.all and time.ticks_diff(now, self.fed_at) >= FEED_MS:
            self.watchdog.feed()
            self.fed_at = now
            self.seen = 0
