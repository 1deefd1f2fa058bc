"""Two ways to the level above: the second is taken while the first is gone, and left when the first is back.

It decides which way an attempt takes; the brokers it is given make the connections. While the second way
carries, a thread of its own knocks at the first now and then, so that nothing waits for a dead network.
"""

import threading
from collections.abc import Callable

from gateway.errors import TryAgain
from gateway.uplink.link import Broker, Link, Publication

# A knock costs a handshake on a network that may be paid by the byte; a first way that comes and goes is left alone.
KNOCK_FIRST_S = 60.0
KNOCK_LATE_S = 600.0


class OneWay:
    """What a broker without a second way answers."""

    fallback = False

    def better(self) -> bool:
        return False


class TwoWays:
    """See `Broker`. `knock` says whether the first way's broker can be reached now, and may take seconds."""

    def __init__(self, first: Broker, second: Broker, knock: Callable[[], bool], now: Callable[[], float]) -> None:
        self._first = first
        self._second = second
        self._knock = knock
        self._now = now
        self._wait = KNOCK_FIRST_S
        self._knock_at = 0.0
        self._knocking: threading.Thread | None = None
        self._answered = False
        self.fallback = False

    def connect(self, will: Publication | None, wake: Callable[[], None]) -> Link:
        """Try the first way, then at once the second. Raises TryAgain with both reasons."""
        self._answered = False
        try:
            link = self._first.connect(will, wake)
        except TryAgain as error:
            first = error
        else:
            self.fallback = False
            self._wait = KNOCK_FIRST_S
            return link
        try:
            link = self._second.connect(will, wake)
        except TryAgain as error:
            raise TryAgain(f"{first} The second way: {error}") from error
        if self.fallback:  # it answered the knock and then refused: knock less often
            self._wait = min(self._wait * 2, KNOCK_LATE_S)
        self.fallback = True
        self._knock_at = self._now() + self._wait
        return link

    def better(self) -> bool:
        """Whether the second way carries while the first can be reached again: a reason to connect anew."""
        if not self.fallback:
            return False
        if self._answered:
            return True
        idle = self._knocking is None or not self._knocking.is_alive()
        if idle and self._now() >= self._knock_at:
            self._knock_at = self._now() + self._wait
            self._knocking = threading.Thread(target=self._try, name="uplink knock", daemon=True)
            self._knocking.start()
        return False

    def _try(self) -> None:
        self._answered = self._knock()
