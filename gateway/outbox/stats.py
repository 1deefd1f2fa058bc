"""What the outbox holds, counted so that accepted = delivered + queued + dropped always."""

import sqlite3
from pathlib import Path

import msgspec

from gateway.intervals import Intervals
from gateway.outbox import facts, readings
from gateway.outbox.database import FILE_NAME
from gateway.outbox.forgetting import next_number, oldest_number
from gateway.outbox.lane import Lane
from gateway.outbox.streams import NAMES, NUMBERED, READINGS

_INBOX = "inbox."  # the keys of its notes


class Stats(msgspec.Struct, frozen=True):
    """Counts of records (readings, events, cases). `delivered`: by every uplink. Contract section 1, `outbox stats`.

    `oldest` is the time of the oldest queued record in Unix milliseconds; `bytes` is what the files take on disk;
    `inbox` counts the messages from above that wait for whoever consumes them.
    """

    accepted: int
    delivered: int
    queued: int
    dropped: int
    oldest: int | None
    bytes: int
    inbox: int


class Queue(msgspec.Struct, frozen=True):
    """How many records wait, and the time of the oldest in Unix milliseconds."""

    queued: int
    oldest: int | None


def measure(connection: sqlite3.Connection, lanes: list[Lane], folder: Path) -> Stats:
    """Count from the numbers alone: no record is read, however long the queue."""
    accepted = sum(next_number(connection, stream) - 1 for stream in NUMBERED)
    dropped = sum(_dropped(connection, stream) for stream in NUMBERED)
    waits = queue(connection, lanes)
    return Stats(
        accepted=accepted,
        delivered=accepted - waits.queued - dropped,
        queued=waits.queued,
        dropped=dropped,
        oldest=waits.oldest,
        bytes=_size(folder),
        inbox=facts.count_notes(connection, _INBOX),
    )


def queue(connection: sqlite3.Connection, lanes: list[Lane]) -> Queue:
    """What waits for at least one of `lanes`."""
    queued, oldest = 0, []
    for stream in NUMBERED:
        waiting = _waiting(connection, lanes, stream, next_number(connection, stream))
        queued += waiting.count()
        queued -= _dropped_within(connection, stream, waiting) if _dropped(connection, stream) else 0
        first = next(iter(waiting), None)
        when = None if first is None else _time(connection, stream, first[0])
        oldest += [] if when is None else [when]
    return Queue(queued, min(oldest, default=None))


def _dropped(connection: sqlite3.Connection, stream: int) -> int:
    return int(connection.execute("SELECT dropped FROM stream WHERE id = ?", (stream,)).fetchone()[0])


def _time(connection: sqlite3.Connection, stream: int, number: int) -> int | None:
    """The time of the first record kept from `number` on."""
    if stream == READINGS:
        return readings.oldest_time(connection, number)
    found = connection.execute(
        "SELECT at FROM record WHERE stream = ? AND n >= ? ORDER BY n LIMIT 1", (stream, number)
    ).fetchone()
    return None if found is None else int(found[0])


def _waiting(connection: sqlite3.Connection, lanes: list[Lane], stream: int, following: int) -> Intervals:
    """The numbers that at least one uplink has not delivered; with no uplink, all that is kept waits for one."""
    waiting = Intervals()
    if not lanes:
        waiting.add(oldest_number(connection, stream) or following, following - 1)
    for lane in lanes:
        waiting.add(lane.cursor[stream], following - 1)
        for first, last in lane.behind if stream == READINGS else ():
            waiting.add(first, last)
        for span in lane.undelivered.values():
            if span.stream == stream:
                waiting.add(span.first, span.last)
    return waiting


def _dropped_within(connection: sqlite3.Connection, stream: int, waiting: Intervals) -> int:
    dropped = Intervals(
        connection.execute(
            "SELECT first, last FROM gap WHERE uplink IS NULL AND stream = ?", (NAMES[stream],)
        ).fetchall()
    )
    return dropped.count() + waiting.count() - dropped.union(waiting).count()


def _size(folder: Path) -> int:
    files = [folder / (FILE_NAME + suffix) for suffix in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())
