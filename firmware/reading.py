"""One value of one sensor with its age, and how it stands in a register: what every driver beside the meter offers."""

from time import ticks_add, ticks_diff

from micropython import const

_OLDEST_MS = const(60_000)  # an age grows no further: ticks wrap after six days

UNKNOWN = const(-32768)

# What a register says instead of a value; outside every profile's `valid`.
UNFITTED = const(0xFFFF)
FAULT = const(0xFFFE)
SIGNED_UNFITTED = const(0x8000)
SIGNED_FAULT = const(0x8001)

# The registers that may say so.
MARKED = (
    b"residual", b"terminal_temperature", b"residual_age", b"terminal_age",
    b"temperature", b"humidity", b"probe_temperature", b"gas_level", b"climate_age", b"probe_age", b"gas_age",
)  # fmt: skip


class Reading:
    """`value` is the last plausible one, `known` that there was one, `fault` that none came for `stale_ms`."""

    def __init__(self, stale_ms: int, now: int) -> None:
        self.value = 0
        self.known = False
        self.fault = False
        self.heard_at = now
        self._stale = stale_ms

    def heard(self, value: int, now: int) -> None:
        self.value = value
        self.heard_at = now
        self.known = True
        self.fault = False

    def watch(self, now: int) -> None:
        """To be called often: finds out that the value grew old."""
        age = ticks_diff(now, self.heard_at)
        if age > self._stale:
            self.fault = True
        if age > _OLDEST_MS:
            self.heard_at = ticks_add(now, -_OLDEST_MS)

    def age(self, now: int) -> int:
        """ms since the last plausible value, at most a minute."""
        return ticks_diff(now, self.heard_at)


def word(reading, unfitted: int, fault: int) -> int:
    """The register of a reading."""
    if reading is None:
        return unfitted
    if reading.fault or not reading.known:
        return fault
    return reading.value & 0xFFFF


def age_word(reading, now: int) -> int:
    return UNFITTED if reading is None else reading.age(now)
