"""What the outbox needs to know of an uplink and of its own limits. Types and defaults only."""

from dataclasses import dataclass
from typing import Protocol

from gateway.filters import Filter


class Route(Protocol):
    """One uplink's settings, as far as they concern the outbox."""

    @property
    def name(self) -> str: ...

    @property
    def acks(self) -> bool:
        """Keep records until the receiver acknowledges, instead of until the broker does."""
        ...

    @property
    def max_delay(self) -> float:
        """Seconds that a reading may wait to share a message."""
        ...

    @property
    def filter(self) -> Filter | None:
        """What the uplink wants; None is everything."""
        ...

    @property
    def whole_blocks(self) -> bool:
        """Whether large blocks may leave packed, as they lie."""
        ...

    @property
    def repeats(self) -> bool:
        """Whether records that had an untrusted time are sent once more when the true one is known."""
        ...


class Keep(Protocol):
    """The keys of `[store]`."""

    @property
    def replay_window(self) -> float:
        """Seconds for which a delivered message can be sent again."""
        ...

    @property
    def max_bytes(self) -> int:
        """The most that the database may take on disk."""
        ...


@dataclass(frozen=True)
class Keeping:
    """The defaults of `[store]`, contract section 2."""

    replay_window: float = 3600.0
    max_bytes: int = 2 * 10**9
