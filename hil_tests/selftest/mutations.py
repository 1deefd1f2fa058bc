"""The mutants: one small wound each, by the exact text that it replaces, and the suite's check that must see it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """`old` stands exactly once in `file` (relative to the tree) and becomes `new`; `check` must then be red."""

    name: str
    says: str
    file: str
    old: str
    new: str
    check: str


MUTATIONS = (
    Mutation(
        "crc",
        "the board takes a request of the right length, whatever its checksum",
        "firmware/framer.py",
        "if self._crc == 0 and size >= 4:",
        "if (self._crc == 0 or size == self._request) and size >= 4:",
        "modbus/test_wrong_crc",
    ),
    Mutation(
        "hysteresis",
        "an alarm ends the moment that its value is below the level",
        "firmware/protection_delay.py",
        "self.on = value > self._level - self._back",
        "self.on = value >= self._level",
        "alarms/test_hysteresis",
    ),
    Mutation(
        "trip latch",
        "a trip is forgotten as soon as the breaker is open",
        "firmware/protection.py",
        "                self._seen_open = True\n            return\n",
        "                self._seen_open = True\n                self.cause = _NONE\n            return\n",
        "protection/test_latch",
    ),
    Mutation(
        "outbox commit",
        "what the gateway accepted is not committed",
        "gateway/outbox/ground.py",
        'points.reach("commit.before")\n        connection.execute("COMMIT")\n',
        'points.reach("commit.before")\n        connection.execute("ROLLBACK")\n',
        "store/test_accepted_is_committed",
    ),
    Mutation(
        "authority window",
        "a command is carried out however late it comes",
        "firmware/authority.py",
        "return _LATE if age > until * 100 else DONE",
        "return DONE",
        "authority/test_window",
    ),
)
