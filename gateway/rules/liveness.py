"""Values that are read well and yet tell nothing new: frozen behind a dead sensor, or stuck. Pure.

A profile says which values show that: `age` names the milliseconds since a value was measured, `counter` the
count of its measurements, and `stuck_after` how long it may stay exactly the same. What it finds is marked
stale and never dropped; events are not touched by it, for a trip stays true when the meter has died.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.profile import Profile
from gateway.records import Value

OLDEST_MS = 5000
"""A measurement older than this is no measurement of now; a metering chip gives several a second."""
FROZEN_AFTER_S = 5.0
"""A counter of measurements that stands still for so long, while it is read, has stopped."""


@dataclass
class _Seen:
    value: Value
    since: float  # when it took this value
    last: float  # when it was last read


class Liveness:
    """What one device's values did. Times are monotonic seconds."""

    def __init__(self, profile: Profile) -> None:
        self._rules = [register for register in profile.registers if _watched(profile, register.name)]
        self._names = {name for r in self._rules for name in (r.name, r.age, r.counter) if name is not None}
        self._seen: dict[str, _Seen] = {}
        self._moved = 0.0  # when any watched value last changed

    def take(self, values: Mapping[str, Value], now: float) -> None:
        """Fresh values from the wire."""
        for name in self._names & values.keys():
            seen = self._seen.get(name)
            if seen is None or seen.value != values[name]:
                self._seen[name] = _Seen(values[name], now, now)
                self._moved = now
            else:
                seen.last = now

    def forget(self) -> None:
        """The device was away: what stood still meanwhile proves nothing."""
        self._seen.clear()

    def standing(self) -> set[str]:
        """The values that were read and are not live."""
        found = set()
        for register in self._rules:
            seen = self._seen.get(register.name)
            if seen is not None and (
                self._old(register.age) or self._stopped(register.counter) or self._stuck(seen, register.stuck_after)
            ):
                found.add(register.name)
        return found

    def _old(self, age: str | None) -> bool:
        seen = self._seen.get(age) if age else None
        return seen is not None and isinstance(seen.value, int | float) and seen.value > OLDEST_MS

    def _stopped(self, counter: str | None) -> bool:
        seen = self._seen.get(counter) if counter else None
        return seen is not None and seen.last - seen.since >= FROZEN_AFTER_S

    def _stuck(self, seen: _Seen, after: float | None) -> bool:
        # Nothing flows: 0 may stay 0. And when nothing else moves either, the whole circuit may be at rest.
        return after is not None and seen.value != 0 and seen.last - seen.since >= after and self._moved > seen.since


def _watched(profile: Profile, name: str) -> bool:
    register = profile.by_value.get(name)
    return register is not None and (register.age, register.counter, register.stuck_after) != (None, None, None)
