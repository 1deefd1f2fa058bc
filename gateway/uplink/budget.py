"""What an uplink may send: bytes a second and bytes a calendar month. Alarms count, but never wait. Pure.

The count of the month outlives a restart without a commit for each message: it is written ahead in steps, so
that a power cut makes the gateway count a little too much, never too little.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from gateway.prepared import prepared
from gateway.uplink.link import Publication

# Beside topic and payload a publication costs MQTT 5's header (9), a TLS record (22), TCP and IP (40), and the
# confirmation that comes back costs the last two again with its own 5 bytes.
OVERHEAD_BYTES = 9 + 22 + 40 + 5 + 22 + 40
_STEPS = 200
_LEAST_STEP = 4096


@prepared
class _Month(msgspec.Struct):
    month: str
    bytes: int


def cost(publication: Publication) -> int:
    """Bytes on the network for one publication and its confirmation."""
    return len(publication.topic.encode()) + len(publication.payload) + OVERHEAD_BYTES


class Budget:
    """The account of one uplink. None is no limit; `recall` and `remember` read and commit its small note."""

    def __init__(
        self,
        per_second: int | None,
        per_month: int | None,
        recall: Callable[[], bytes | None],
        remember: Callable[[bytes], None],
    ) -> None:
        self._rate = per_second
        self._limit = per_month
        self._remember = remember
        self._room = float(per_second or 0)
        self._at: float | None = None
        note = recall() if per_month is not None else None
        self._month = msgspec.json.decode(note, type=_Month) if note else _Month("", 0)
        self._written = self._month.bytes

    @property
    def month_bytes(self) -> int:
        """Bytes counted in this month; 0 without a monthly budget."""
        return self._month.bytes

    def look(self, wall_ms: int, trusted: bool) -> None:
        """Begin a new month when it is one; a clock that is not believed, or runs back, begins none."""
        month = f"{datetime.fromtimestamp(wall_ms / 1000, tz=UTC):%Y-%m}"
        if self._limit is not None and trusted and month > self._month.month:
            self._month = _Month(month, 0)
            self._written = 0

    def spent(self) -> bool:
        """Whether the month's bytes are gone."""
        return self._limit is not None and self._month.bytes >= self._limit

    def wait(self, now: float) -> float:
        """Seconds (monotonic `now`) until the rate has room again; 0.0 when it has."""
        if self._rate is None:
            return 0.0
        if self._at is not None:
            self._room = min(float(self._rate), self._room + (now - self._at) * self._rate)
        self._at = now
        # One message may be larger than a second's room: it goes when there is any, and those behind it pay.
        return 0.0 if self._room > 0 else -self._room / self._rate + 0.001

    def pay(self, publication: Publication) -> None:
        """Count a publication that leaves. Raises StoreError when the month's count cannot be written ahead."""
        size = cost(publication)
        if self._rate is not None:
            self._room -= size
        if self._limit is None:
            return
        if self._month.bytes + size > self._written:
            step = max(self._limit // _STEPS, _LEAST_STEP, size)
            self._remember(msgspec.json.encode(_Month(self._month.month, self._month.bytes + step)))
            self._written = self._month.bytes + step
        self._month.bytes += size

    def close(self) -> None:
        """Write the exact count. Raises StoreError."""
        if self._limit is not None and self._written != self._month.bytes:
            self._remember(msgspec.json.encode(self._month))
            self._written = self._month.bytes
