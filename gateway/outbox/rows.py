"""Records that lie one in a row: events, cases, and readings of schema 1. SQL on a connection handed in.

It never begins or ends a transaction; its caller does.
"""

import logging
import math
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from gateway.outbox import blocks, gaps
from gateway.outbox.blocks import Block
from gateway.outbox.streams import EVENTS, NAMES, READINGS
from gateway.records import Event, Gap, Mark, Reading, Value

_log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_decoders: dict[int, msgspec.json.Decoder[Reading] | msgspec.json.Decoder[Event]] = {
    READINGS: msgspec.json.Decoder(Reading),
    EVENTS: msgspec.json.Decoder(Event),
}


class Row(msgspec.Struct, frozen=True):
    """One record with its number."""

    n: int
    boot: str
    record: Reading | Event


def finite(values: dict[str, Value]) -> tuple[dict[str, Value], dict[str, Mark]]:
    """The values that JSON can carry, and a mark "bad" for each that it cannot (NaN, infinity)."""
    kept = {name: value for name, value in values.items() if not isinstance(value, float) or math.isfinite(value)}
    return kept, {name: "bad" for name in values if name not in kept}


def clean(reading: Reading) -> Reading:
    """The reading with a mark "bad" in place of each value that JSON cannot carry."""
    for value in reading.values.values():
        if isinstance(value, float) and not math.isfinite(value):
            kept, bad = finite(reading.values)
            return msgspec.structs.replace(reading, values=kept, marks=reading.marks | bad)
    return reading


def as_row(n: int, boot: int, event: Event) -> tuple[int, int, int, int, bytes]:
    """What `insert` takes."""
    kept, bad = finite(event.values)
    if bad:
        event = msgspec.structs.replace(event, values=kept)
    return EVENTS, n, boot, event.cleared or event.raised, _encode(event)


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
            rows.append(Row(n, boot or "unknown", _decoders[stream].decode(body)))
        except (msgspec.MsgspecError, TypeError, UnicodeDecodeError) as error:
            _set_aside(connection, stream, n, at, body, str(error))
    return rows


def _set_aside(connection: sqlite3.Connection, stream: int, n: int, at: int, body: bytes, why: str) -> None:
    _log.error("record %d of the %s could not be read back and was set aside: %s", n, NAMES[stream], why)
    connection.execute("INSERT INTO unreadable VALUES (?, ?, ?, ?)", (stream, n, body, why))
    connection.execute("DELETE FROM record WHERE stream = ? AND n = ?", (stream, n))
    gaps.drop(connection, stream, Gap(stream=NAMES[stream], first=n, last=n, start=at, end=at, reason="unreadable"))


def set_block_aside(connection: sqlite3.Connection, block: Block, why: str) -> None:
    """Readings `block.first` to `block.last` cannot be read back: kept for a look, counted and announced."""
    _log.error("the readings %d to %d could not be read back and were set aside: %s", block.first, block.last, why)
    connection.execute(
        "INSERT INTO unreadable VALUES (?, ?, ?, ?)",
        (READINGS, block.first, blocks.body(connection, block.first), why),
    )
    blocks.delete(connection, block.first)
    gap = Gap(
        stream="readings", first=block.first, last=block.last, start=block.start, end=block.end, reason="unreadable"
    )
    gaps.drop(connection, READINGS, gap)


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


def oldest_from(connection: sqlite3.Connection, stream: int, number: int) -> int | None:
    """The lowest number kept from `number` on."""
    found = connection.execute("SELECT min(n) FROM record WHERE stream = ? AND n >= ?", (stream, number)).fetchone()[0]
    return None if found is None else int(found)


def dump(
    connection: sqlite3.Connection, stream: int, first: int, limit: int, last: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """Records as JSON lines (without the line's end), each with its number: for `gewu outbox export`."""
    for n, boot, body in connection.execute(
        "SELECT n, name, body FROM record LEFT JOIN boot ON boot.id = record.boot"
        " WHERE stream = ? AND n >= ? AND n <= ? ORDER BY n LIMIT ?",
        (stream, first, last if last is not None else 2**62, limit),
    ):
        head = {"stream": NAMES[stream], "n": n, "boot": boot}
        try:
            yield n, line(head, msgspec.json.decode(body))
        except (msgspec.MsgspecError, TypeError):
            yield n, line(head | {"unreadable": bytes(body).hex()})


def line(head: dict[str, Any], content: Any = None) -> bytes:
    """One line of JSON: `head`, and then what the record holds."""
    return _encode(head | (msgspec.to_builtins(content) if content is not None else {}))
