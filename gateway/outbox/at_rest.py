"""Looking into the outbox of a gateway that does not run: read-only, for `gewu outbox` and `gewu audit`."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import StoreError
from gateway.filters import Filter
from gateway.outbox import facts, readings, rows
from gateway.outbox.database import FILE_NAME, open_for_reading, sentence
from gateway.outbox.lane import Lane
from gateway.outbox.stats import Stats, measure
from gateway.outbox.streams import NUMBERED, READINGS

_BATCH = 1000


@dataclass(frozen=True)
class _Route:
    """What counts of an uplink for whoever only looks."""

    name: str = ""
    acks: bool = False
    max_delay: float = 0.0
    filter: Filter | None = None
    whole_blocks: bool = False
    repeats: bool = False


def stats_at_rest(folder: Path) -> Stats | None:
    """The stats for the uplinks that were configured last; None when there is no outbox. Raises StoreError."""
    connection = open_for_reading(folder)
    if connection is None:
        return None
    try:
        active = connection.execute("SELECT id FROM uplink WHERE active = 1").fetchall()
        lanes = [Lane(connection, uplink, _Route(), now=0.0) for (uplink,) in active]
        return measure(connection, lanes, folder)
    except sqlite3.Error as error:
        raise StoreError(sentence(folder / FILE_NAME, error)) from error
    finally:
        connection.close()


def export_at_rest(folder: Path) -> Iterator[bytes] | None:
    """Every kept record as a JSON line; None when there is no outbox. Raises StoreError."""
    connection = open_for_reading(folder)
    return None if connection is None else _lines(connection, folder)


def audit_at_rest(folder: Path) -> Iterator[facts.Entry] | None:
    """Every entry of the audit; None when there is no outbox. Raises StoreError."""
    connection = open_for_reading(folder)
    return None if connection is None else _entries(connection, folder)


def _entries(connection: sqlite3.Connection, folder: Path) -> Iterator[facts.Entry]:
    first = 1
    try:
        while batch := facts.entries(connection, first, _BATCH):
            yield from batch
            first = batch[-1].n + 1
    except sqlite3.Error as error:
        raise StoreError(sentence(folder / FILE_NAME, error)) from error
    finally:
        connection.close()


def _lines(connection: sqlite3.Connection, folder: Path) -> Iterator[bytes]:
    try:
        for stream in NUMBERED:
            first = 1
            while batch := _batch(connection, stream, first):
                yield from (line + b"\n" for _, line in batch)
                first = batch[-1][0] + 1
    except sqlite3.Error as error:
        raise StoreError(sentence(folder / FILE_NAME, error)) from error
    finally:
        connection.close()


def _batch(connection: sqlite3.Connection, stream: int, first: int) -> list[tuple[int, bytes]]:
    if stream == READINGS:
        return list(readings.dump(connection, first, _BATCH))
    return list(rows.dump(connection, stream, first, _BATCH))
