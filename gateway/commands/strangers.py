"""How often a message that nobody known has signed is worth a row: at once, then a count each ten seconds. Pure.

Whoever can publish on a command topic could otherwise fill the disk with refusals.
"""

EVERY_S = 10.0
"""security.md of the references: a refused command is a security event within 10 s."""


class Strangers:
    """`now` is in monotonic seconds."""

    def __init__(self) -> None:
        self._row_at: float | None = None
        self._more = 0

    def one(self, now: float) -> bool:
        """One more came; True when it is to be told by itself."""
        if self._row_at is None or now - self._row_at >= EVERY_S:
            self._row_at = now
            return True
        self._more += 1
        return False

    def due(self, now: float) -> int:
        """How many came since the last row and are to be told now; 0 for none."""
        if not self._more or self._row_at is None or now - self._row_at < EVERY_S:
            return 0
        count, self._more, self._row_at = self._more, 0, now
        return count
