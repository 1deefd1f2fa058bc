"""What is worth sending: a value that moved by its deadband, that was silent for long, or whose mark changed.

One object a device; pure state, the time is handed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.profile import Profile
from gateway.records import Mark, Value


@dataclass
class _Sent:
    value: Value
    mark: Mark | None
    at: float


class Deadband:
    """Remembers what was sent of one device, by its profile's `deadband` and `at_least`."""

    def __init__(self, profile: Profile) -> None:
        self._registers = profile.by_value
        self._sent: dict[str, _Sent] = {}

    def worth(self, values: Mapping[str, Value], marks: Mapping[str, Mark], now: float) -> dict[str, Value]:
        """Those of `values` that are worth sending at `now` (monotonic seconds); remembers them as sent.

        The first value is always worth it, and so is a changed mark. A number is, when it moved by `deadband`
        or more; anything else, when it changed; everything, when `at_least` seconds have passed.
        """
        chosen = {name: value for name, value in values.items() if self._worth(name, value, marks.get(name), now)}
        for name, value in chosen.items():
            self._sent[name] = _Sent(value, marks.get(name), now)
        return chosen

    def since(self, now: float) -> dict[str, float]:
        """Seconds since each value was last sent."""
        return {name: round(now - sent.at, 1) for name, sent in self._sent.items()}

    def forget(self) -> None:
        """What was sent did not arrive in the store: everything is worth sending again."""
        self._sent.clear()

    def _worth(self, name: str, value: Value, mark: Mark | None, now: float) -> bool:
        last, register = self._sent.get(name), self._registers[name]
        if last is None or last.mark != mark or now - last.at >= register.at_least:
            return True
        if isinstance(value, bool | str) or isinstance(last.value, bool | str):
            return value != last.value
        # 1e-9 of the deadband: 230.6 - 230.1 is a hair less than 0.5 in binary
        return value != last.value and abs(value - last.value) >= register.deadband * (1 - 1e-9)
