"""How records lie in the database and come back out: streams, bodies, gaps. SQL on a connection handed in.

It never begins or ends a transaction; its caller does.
"""

import logging
import math
import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

from gateway.records import Event, Gap, Mark, Reading, Value

_log = logging.getLogger(__name__)

READINGS, EVENTS, CASES, GAPS = 1, 2, 3, 4
NAMES = {READINGS: "readings", EVENTS: "events", CASES: "cases", GAPS: "gaps"}
NUMBERED = (READINGS, EVENTS, CASES)

_encode = msgspec.json.Encoder().encode
_decoders: dict[int, msgspec.json.Decoder[Reading] | msgspec.json.Decoder[Event]] = {
    READINGS: msgspec.json.Decoder(Reading),
    EVENTS: msgspec.json.Decoder(Event),
}


class Row(msgspec.Struct, frozen=True):
    """One record with its number; `size` is that of its body in bytes."""

    n: int
    boot: str
    at: int
    size: int
    record: Reading | Event


def finite(values: dict[str, Value]) -> tuple[dict[str, Value], dict[str, Mark]]:
    """The values that JSON can carry, and a mark "bad" for each that it cannot (NaN, infinity)."""
    kept = {name: value for name, value in values.items() if not isinstance(value, float) or math.isfinite(value)}
    return kept, {name: "bad" for name in values if name not in kept}


def as_row(stream: int, n: int, boot: int, record: Reading | Event) -> tuple[int, int, int, int, bytes]:
    """What `insert` takes."""
    kept, bad = finite(record.values)
    if bad and isinstance(record, Reading):
        record = msgspec.structs.replace(record, values=kept, marks=record.marks | bad)
    elif bad:
        record = msgspec.structs.replace(record, values=kept)
    at = record.at if isinstance(record, Reading) else (record.cleared or record.raised)
    return stream, n, boot, at, _encode(record)


def insert(connection: sqlite3.Connection, rows: Iterable[tuple[int, int, int, int, bytes]]) -> None:
    """Add records; the transaction is the caller's."""
    connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?)", rows)


def read(connection: sqlite3.Connection, stream: int, first: int, limit: int, last: int | None = None) -> list[Row]:
    """Up to `limit` records from number `first` on (and not beyond `last`), in order.

    A row that cannot be decoded is set aside, counted as dropped and announced as a gap, so that it
    never holds up the rows behind it.
    """
    found = connection.execute(
        "SELECT n, name, at, body FROM record LEFT JOIN boot ON boot.id = record.boot"
        " WHERE stream = ? AND n >= ? AND n <= ? ORDER BY n LIMIT ?",
        (stream, first, last if last is not None else 2**62, limit),
    ).fetchall()
    rows = []
    for n, boot, at, body in found:
        try:
            rows.append(Row(n, boot or "unknown", at, len(body), _decoders[stream].decode(body)))
        except (msgspec.MsgspecError, TypeError, UnicodeDecodeError) as error:
            _set_aside(connection, stream, n, at, body, str(error))
    return rows


def _set_aside(connection: sqlite3.Connection, stream: int, n: int, at: int, body: bytes, why: str) -> None:
    _log.error("record %d of the %s could not be read back and was set aside: %s", n, NAMES[stream], why)
    connection.execute("INSERT INTO unreadable VALUES (?, ?, ?, ?)", (stream, n, body, why))
    connection.execute("DELETE FROM record WHERE stream = ? AND n = ?", (stream, n))
    drop(connection, stream, Gap(stream=NAMES[stream], first=n, last=n, start=at, end=at, reason="unreadable"))


def drop(connection: sqlite3.Connection, stream: int, gap: Gap) -> None:
    """Count the numbers of `gap` as dropped and announce them to every uplink."""
    announce(connection, None, gap)
    connection.execute(
        "UPDATE stream SET dropped = dropped + ?, next = max(next, ?) WHERE id = ?",
        (gap.last - gap.first + 1, gap.last + 1, stream),
    )


def announce(connection: sqlite3.Connection, uplink: int | None, gap: Gap) -> None:
    """Queue a gap message for one uplink, or for all when `uplink` is None."""
    connection.execute(
        'INSERT INTO gap (uplink, stream, first, last, start, "end", reason) VALUES (?, ?, ?, ?, ?, ?, ?)',
        (uplink, gap.stream, gap.first, gap.last, gap.start, gap.end, gap.reason),
    )


def gaps(connection: sqlite3.Connection, uplink: int, first: int, limit: int) -> list[tuple[int, Gap]]:
    """Up to `limit` gaps with their ids, from id `first` on, that concern `uplink`."""
    found = connection.execute(
        'SELECT id, stream, first, last, start, "end", reason FROM gap'
        " WHERE id >= ? AND (uplink IS NULL OR uplink = ?) ORDER BY id LIMIT ?",
        (first, uplink, limit),
    )
    return [
        (row[0], Gap(stream=row[1], first=row[2], last=row[3], start=row[4], end=row[5], reason=row[6]))
        for row in found
    ]


def next_number(connection: sqlite3.Connection, stream: int) -> int:
    """The number that the next record of `stream` gets."""
    kept, highest = connection.execute(
        "SELECT next, (SELECT max(n) FROM record WHERE stream = ?1) FROM stream WHERE id = ?1", (stream,)
    ).fetchone()
    return max(int(kept), (highest or 0) + 1)


def oldest_number(connection: sqlite3.Connection, stream: int) -> int | None:
    """The lowest number still kept of `stream`, None when it is empty."""
    found = connection.execute("SELECT min(n) FROM record WHERE stream = ?", (stream,)).fetchone()[0]
    return None if found is None else int(found)


def dump(connection: sqlite3.Connection, stream: int, first: int, limit: int) -> Iterator[tuple[int, bytes]]:
    """Records as JSON lines (without the line's end), each with its number: for `gewu outbox export`."""
    for n, boot, body in connection.execute(
        "SELECT n, name, body FROM record LEFT JOIN boot ON boot.id = record.boot"
        " WHERE stream = ? AND n >= ? ORDER BY n LIMIT ?",
        (stream, first, limit),
    ):
        head = {"stream": NAMES[stream], "n": n, "boot": boot}
        try:
            yield n, _encode(head | msgspec.json.decode(body))
        except (msgspec.MsgspecError, TypeError):
            yield n, _encode(head | {"unreadable": bytes(body).hex()})
