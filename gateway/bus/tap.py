"""What a line says, kept for those who listen: the latest exchanges of a bus, for `gewu bus sniff` on its port.

It keeps nothing while nobody has asked for some seconds, so that it costs a busy bus nothing.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_LISTENED_S = 10.0
_KEPT = 2000


@dataclass(frozen=True)
class Heard:
    """A request and what followed it (empty: nothing), as they were on the wire, with their moments in seconds."""

    asked_at: float
    request: bytes
    answered_at: float
    answer: bytes


class Tap:
    """Belongs to one bus; its thread hears, any thread listens. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._now = monotonic
        self._lock = threading.Lock()
        self._heard: deque[Heard] = deque(maxlen=_KEPT)
        self._count = 0
        self._wanted_until = float("-inf")

    def hear(self, asked_at: float, request: bytes, answer: bytes) -> None:
        """One exchange, just ended."""
        now = self._now()
        if now < self._wanted_until:
            with self._lock:
                self._heard.append(Heard(asked_at, request, now, answer))
                self._count += 1

    def since(self, number: int) -> tuple[int, list[Heard]]:
        """The number to ask with next, and what was heard from `number` on (as far as it is kept)."""
        now = self._now()
        with self._lock:
            if now >= self._wanted_until:
                self._heard.clear()
            self._wanted_until = now + _LISTENED_S
            fresh = min(max(0, self._count - number), len(self._heard))
            return self._count, list(self._heard)[len(self._heard) - fresh :]
