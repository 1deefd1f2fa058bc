"""Numbers that no receiver will see: counted, and announced to those who would wait for them. SQL on a connection.

It never begins or ends a transaction; its caller does.
"""

import sqlite3
from collections.abc import Collection

from gateway.outbox.streams import GAPS
from gateway.records import Gap


def announce(connection: sqlite3.Connection, uplink: int | None, gap: Gap) -> int:
    """Queue a gap message for one uplink, or for all when `uplink` is None; returns its id."""
    done = connection.execute(
        'INSERT INTO gap (uplink, stream, first, last, start, "end", reason) VALUES (?, ?, ?, ?, ?, ?, ?)',
        (uplink, gap.stream, gap.first, gap.last, gap.start, gap.end, gap.reason),
    )
    assert done.lastrowid is not None
    return done.lastrowid


def drop(connection: sqlite3.Connection, stream: int, gap: Gap, known_to: Collection[int] = ()) -> None:
    """Count the numbers of `gap` as dropped and announce them to every uplink but those that had them before.

    A gap that continues one which nobody has been told of yet makes that one longer.
    """
    connection.execute(
        "UPDATE stream SET dropped = dropped + ?, next = max(next, ?) WHERE id = ?",
        (gap.last - gap.first + 1, gap.last + 1, stream),
    )
    for neighbour, id in _untold(connection, gap, set(known_to)):
        gap = _joined(gap, neighbour)
        _forget(connection, id)
    told = announce(connection, None, gap)
    connection.executemany("INSERT INTO known VALUES (?, ?)", [(told, uplink) for uplink in known_to])


def _untold(connection: sqlite3.Connection, gap: Gap, known_to: set[int]) -> list[tuple[Gap, int]]:
    """The gaps right before and after that no uplink has composed a message of, and the same uplinks know."""
    composed = connection.execute("SELECT max(last) FROM message WHERE stream = ?", (GAPS,)).fetchone()[0] or 0
    looked = connection.execute("SELECT max(max(done - 1, looked - 1)) FROM progress WHERE stream = ?", (GAPS,))
    beyond = max(composed, looked.fetchone()[0] or 0)
    found = connection.execute(
        'SELECT stream, first, last, start, "end", reason, id FROM gap'
        " WHERE id > ? AND uplink IS NULL AND stream = ? AND (last = ? OR first = ?)",
        (beyond, gap.stream, gap.first - 1, gap.last + 1),
    ).fetchall()
    return [(_gap(row[:6]), row[6]) for row in found if _knowing(connection, row[6]) == known_to]


def _knowing(connection: sqlite3.Connection, id: int) -> set[int]:
    return {uplink for (uplink,) in connection.execute("SELECT uplink FROM known WHERE gap = ?", (id,))}


def _joined(gap: Gap, other: Gap) -> Gap:
    return Gap(
        stream=gap.stream,
        first=min(gap.first, other.first),
        last=max(gap.last, other.last),
        start=min(gap.start, other.start),
        end=max(gap.end, other.end),
        reason=gap.reason,
    )


def _forget(connection: sqlite3.Connection, id: int) -> None:
    connection.execute("DELETE FROM known WHERE gap = ?", (id,))
    connection.execute("DELETE FROM gap WHERE id = ?", (id,))


def listed(connection: sqlite3.Connection, uplink: int, first: int, limit: int) -> list[tuple[int, Gap]]:
    """Up to `limit` gaps with their ids, from id `first` on, that are news to `uplink`."""
    found = connection.execute(
        'SELECT stream, first, last, start, "end", reason, id FROM gap'
        " WHERE id >= ? AND (uplink IS NULL OR uplink = ?)"
        " AND NOT EXISTS (SELECT 1 FROM known WHERE known.gap = gap.id AND known.uplink = ?) ORDER BY id LIMIT ?",
        (first, uplink, uplink, limit),
    )
    return [(row[6], _gap(row[:6])) for row in found]


def forget(connection: sqlite3.Connection, stream: str, told: int, below: int) -> None:
    """Forget gaps of `stream` that all were told of (ids below `told`), once no number near them is queued."""
    connection.execute(
        "DELETE FROM gap WHERE id < ? AND uplink IS NULL AND stream = ? AND last < ?", (told, stream, below)
    )
    connection.execute("DELETE FROM known WHERE gap < ? AND gap NOT IN (SELECT id FROM gap)", (told,))


def _gap(row: tuple[str, int, int, int, int, str]) -> Gap:
    return Gap(stream=row[0], first=row[1], last=row[2], start=row[3], end=row[4], reason=row[5])
