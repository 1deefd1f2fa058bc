"""A broker that answers pings and confirms nothing: the connection is ended, for a new one may do better. Pure.

A TCP connection loses nothing, so this is a broker in trouble or a middle box. A slow line must not be taken
for it: each time that a new connection brings no confirmation either, the wait doubles.
"""

from gateway.errors import TryAgain

_LEAST_S = 30.0
_MOST_S = 600.0


class Stall:
    """The wait for confirmations of one uplink; times in monotonic seconds, `keepalive` in seconds."""

    def __init__(self, keepalive: float) -> None:
        self._first = max(_LEAST_S, 1.5 * keepalive)
        self._wait = self._first
        self._since = 0.0

    def begin(self, now: float) -> None:
        """A new connection."""
        self._since = now

    def progress(self, now: float) -> None:
        """A message was confirmed."""
        self._since = now
        self._wait = self._first

    def quiet(self, now: float) -> float:
        """Seconds since the last confirmation, or since the connection began."""
        return now - self._since

    def due_in(self, now: float) -> float:
        """Seconds until patience ends."""
        return max(0.0, self._since + self._wait - now)

    def look(self, waiting: bool, now: float) -> None:
        """Raises TryAgain when messages wait for a confirmation for too long."""
        if not waiting:
            self._since = now
        elif self.due_in(now) <= 0:
            seconds, self._wait = self._wait, min(self._wait * 2, _MOST_S)
            raise TryAgain(f"the broker has confirmed nothing for {seconds:.0f} s; connecting anew")
