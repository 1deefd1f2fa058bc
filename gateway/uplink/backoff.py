"""How long to wait before the next attempt to reach a broker. Pure: time and chance are handed in.

Contract section 2: first retry within 1 s, doubling with jitter, to at most 15 s in the first ten minutes
of an outage and 120 s after.
"""

from collections.abc import Callable

from gateway.uplink.settings import Waits

EARLY_S = 600.0


class Backoff:
    """The waits of one outage. `chance` returns a number from 0 up to 1, as random.random does."""

    def __init__(self, chance: Callable[[], float], waits: Waits = Waits()) -> None:  # noqa: B008  # frozen
        self._chance = chance
        self._waits = waits
        self._began: float | None = None
        self._failures = 0

    def failed(self, now: float) -> float:
        """One more attempt failed, or the link was lost, at `now` (monotonic seconds): seconds to wait."""
        if self._began is None:
            self._began = now
        cap = self._waits.early if now - self._began < EARLY_S else self._waits.late
        # min() on the exponent only keeps the power small; the cap is reached long before.
        longest: float = min(cap, self._waits.first * 2 ** min(self._failures, 10))
        self._failures += 1
        # Half fixed, half chance: many gateways that lost one broker must not all come back at once.
        return longest * (0.5 + 0.5 * self._chance())

    def succeeded(self) -> None:
        """The link has proved itself: the next outage begins anew."""
        self._began = None
        self._failures = 0
