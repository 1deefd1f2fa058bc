"""The design load of an uplink: 100 devices with ten noisy values each, every 10 s; and an outbox filled with it."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from gateway.outbox import Outbox
from gateway.records import Event, Reading

DEVICES = 100
PERIOD_S = 10.0
VALUES = 10
# What a meter shows: each value's mean, its noise (standard deviation) and its decimals.
_METER: tuple[tuple[str, float, float, int], ...] = (
    ("voltage", 230.0, 1.0, 1),
    ("current", 6.0, 0.2, 2),
    ("power", 1300.0, 40.0, 0),
    ("energy", 4000.0, 0.5, 2),
    ("frequency", 50.0, 0.01, 2),
    ("power_factor", 0.95, 0.01, 2),
    ("residual_current", 4.0, 0.4, 1),
    ("temperature", 41.0, 0.3, 1),
    ("temperature_terminal", 47.0, 0.3, 1),
    ("thd", 4.0, 0.2, 1),
)
READINGS_A_DAY = int(DEVICES * 86400 / PERIOD_S)


class Load:
    """Readings of the design load, one after the other; the same seed gives the same values."""

    def __init__(self, seed: int = 1, name: str = "b") -> None:
        self._chance = random.Random(seed)
        self._name = name
        self._count = 0

    def reading(self, at: int) -> Reading:
        """The next device's reading at `at`, in Unix milliseconds."""
        device = f"{self._name}{self._count % DEVICES:04d}"
        self._count += 1
        gauss = self._chance.gauss
        values = {name: round(gauss(mean, noise), decimals) for name, mean, noise, decimals in _METER}
        return Reading(device=device, at=at, mono=at, clock="trusted", values=dict(values))


def past(count: int, until: int) -> Iterator[Reading]:
    """`count` readings of the design load that end at `until`, in Unix milliseconds."""
    load = Load()
    step = PERIOD_S * 1000 / DEVICES
    return (load.reading(int(until - (count - number) * step)) for number in range(count))


def fill(outbox: Outbox, count: int, until: int) -> None:
    """Put a backlog of `count` readings into `outbox`, committed."""
    for number, reading in enumerate(past(count, until), 1):
        outbox.put_reading(reading)
        if number % 2000 == 0:
            outbox.flush()
    outbox.flush()


def lengthen(folder: Path, readings: int) -> None:
    """Make the backlog of a closed outbox at least `readings` long with copies of its packed blocks.

    The last readings, which are too few for a block, go: in the middle of an outage there are none such.
    """
    file = sqlite3.connect(folder / "outbox.db", isolation_level=None)
    file.execute("BEGIN")
    file.execute("DELETE FROM block WHERE grade = 0")
    kept = file.execute(
        'SELECT last - first + 1, boot, start, "end", grade, body FROM block WHERE grade > 0'
    ).fetchall()
    following = file.execute("SELECT max(last) + 1 FROM block").fetchone()[0]
    while following <= readings:
        for count, *rest in kept:
            file.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)", (following, following + count - 1, *rest))
            following += count
    file.execute("COMMIT")
    file.close()


def alarm(number: int, at: int) -> Event:
    """An event of the highest grade, raised at `at`."""
    return Event(
        id=f"alarm-{number}", kind="trip.residual", grade=1, device="b0001", place="street/community", raised=at,
        cleared=None, mono=at, clock="trusted", values={"residual_current": 35.0},
    )  # fmt: skip
