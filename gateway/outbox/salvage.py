"""What can still be read of a damaged outbox, taken over into a new one. It never writes into the damaged file.

Every table is walked from both ends and around the places that cannot be read. What is missing then shows in the
numbers, and is announced.
"""

import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gateway.outbox import epochs

_log = logging.getLogger(__name__)

# Tables by a number of their own, and the rest of their key where they have one.
_BY_NUMBER = {
    "block": ("first", [""]),
    "record": ("n", [f"stream = {stream} AND " for stream in (1, 2, 3)]),
    "audit": ("n", [""]),
    "gap": ("id", [""]),
    "boot": ("id", [""]),
    "uplink": ("id", [""]),
    "filter": ("id", [""]),
}
_WHOLE = ("stream", "progress", "message", "open_event", "note", "command", "known", "unreadable")
_LONGEST_JUMP = 1 << 26


class Saved(NamedTuple):
    """How many records were taken over, and how many numbers are missing."""

    records: int
    missing: int


def salvage(
    connect: Callable[[Path], sqlite3.Connection], kept: Path, new: sqlite3.Connection, now_ms: int
) -> Saved:  # fmt: skip
    """Copy what can be read of `kept` into `new`, under a new epoch. Raises sqlite3.Error when `new` is not written."""
    try:
        old = connect(kept)
    except sqlite3.Error as error:
        _log.error("nothing can be read of %s: %s", kept, error)
        return Saved(0, 0)
    try:
        old.execute("PRAGMA locking_mode=EXCLUSIVE")
        old.execute("PRAGMA writable_schema=ON")  # one table's entry that makes no sense must not hide the others
        new.execute("BEGIN IMMEDIATE")
        try:
            records = sum(_copy(old, new, table) for table in (*_BY_NUMBER, *_WHOLE))
            epochs.begin(new, now_ms)
            missing = epochs.announce_holes(new, now_ms, "damaged")
            new.execute("COMMIT")
        except BaseException:
            new.execute("ROLLBACK")
            raise
        return Saved(records, missing)
    finally:
        old.close()


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> int:
    """Copy the rows of a table; returns how many records were among them."""
    known = [name for _, name, *_ in new.execute(f"PRAGMA table_info({table})")]
    try:
        columns = [name for _, name, *_ in old.execute(f"PRAGMA table_info({table})") if name in known]
    except (sqlite3.Error, UnicodeDecodeError):
        return 0
    if not columns:
        return 0
    names = ", ".join(f'"{name}"' for name in columns)
    insert = f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"
    records = 0
    for row in _rows(old, table, names):
        count = _records(table, dict(zip(columns, row, strict=True)))
        if count is not None:
            try:
                new.execute(insert, row)
            except sqlite3.IntegrityError:
                continue  # nobody wrote such a row
            records += count
    return records


def _records(table: str, row: dict[str, Any]) -> int | None:
    """How many records a row holds; None when it is not what it was written as."""
    if table == "record":
        return 1 if isinstance(row["body"], bytes) else None
    if table != "block":
        return 0
    body, count = row["body"], 0
    if isinstance(body, bytes) and isinstance(row["last"], int):
        count = row["last"] - row["first"] + 1
    sound = 0 < count <= 1 << 16 and zlib.crc32(body[4:]).to_bytes(4, "big") == body[:4]
    return count if sound else None


def _rows(old: sqlite3.Connection, table: str, names: str) -> Iterator[tuple[Any, ...]]:
    if table not in _BY_NUMBER:
        yield from _until_damage(old, f"SELECT {names} FROM {table}")
        yield from _until_damage(old, f"SELECT {names} FROM {table} ORDER BY 1 DESC, 2 DESC")
        return
    key, parts = _BY_NUMBER[table]
    for part in parts:
        yield from _around_damage(old, table, names, key, part)


def _until_damage(old: sqlite3.Connection, query: str, parameters: tuple[int, ...] = ()) -> Iterator[tuple[Any, ...]]:
    try:
        yield from old.execute(query, parameters)
    except (sqlite3.Error, UnicodeDecodeError):
        return


def _around_damage(
    old: sqlite3.Connection, table: str, names: str, key: str, part: str
) -> Iterator[tuple[Any, ...]]:  # fmt: skip
    """Rows in the order of their numbers; at a place that cannot be read, on behind it, and back to it."""
    upward = f"SELECT {names}, {key} FROM {table} WHERE {part}{key} > ? ORDER BY {key}"
    downward = f"SELECT {names}, {key} FROM {table} WHERE {part}{key} > ? AND {key} <= ? ORDER BY {key} DESC"
    reached, jump = -1, 0
    while jump <= _LONGEST_JUMP:
        before = reached
        start = reached + jump
        try:
            for row in old.execute(upward, (start,)):
                if jump:
                    yield from (r[:-1] for r in _until_damage(old, downward, (reached, row[-1] - 1)))
                    jump = 0
                yield row[:-1]
                reached = row[-1]
            return
        except (sqlite3.Error, UnicodeDecodeError):
            jump = 1 if reached > before else max(1, jump * 2)
