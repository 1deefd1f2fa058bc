"""With acknowledgements: when a receiver that makes no progress is asked again. Pure: time is handed in.

The first time-out repeats everything; while nothing at all is heard, only the oldest message goes, as a
question, at doubling intervals: nobody may be there.
"""

_CAP_S = 300.0


class Patience:
    """The wait for one receiver; times in monotonic seconds, `timeout` in seconds."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._since = 0.0
        self._wait = timeout
        self._heard = True

    def begin(self, now: float) -> None:
        """A new connection: the receiver gets its time anew."""
        self._heard = True
        self.progress(now)

    def heard(self) -> None:
        """The receiver said something."""
        self._heard = True

    def progress(self, now: float) -> None:
        """Something new was acknowledged."""
        self._since = now
        self._wait = self._timeout

    def due_in(self, now: float) -> float:
        """Seconds until patience ends."""
        return self._since + self._wait - now

    def ask(self, waiting: list[int], now: float) -> list[int]:
        """The messages of `waiting` (without an acknowledgement, and not on their way) that go again now."""
        if not waiting:
            self._since = now
            return []
        if self.due_in(now) > 0:
            return []
        again = waiting if self._heard else [min(waiting)]
        self._heard = False
        self._wait = min(self._wait * 2, _CAP_S)
        self._since = now
        return again
