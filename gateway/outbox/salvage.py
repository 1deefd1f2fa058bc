"""What can still be read of a damaged outbox, taken over into a new one. It never writes into the damaged file.

Every table is walked from both ends and around the places that cannot be read; then the leaves are looked through for
what no tree leads to any more. What is missing shows in the numbers, and is announced.
"""

import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gateway.intervals import Intervals
from gateway.outbox import epochs, leaves

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
_DIGEST = 32  # bytes of a SHA-256


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
            records += _from_leaves(kept, new)
            for table in ("progress", "message", "gap"):  # of an uplink whose name is lost: it begins as a new one
                new.execute(f"DELETE FROM {table} WHERE uplink NOT IN (SELECT id FROM uplink)")
            epochs.begin(new, now_ms)
            missing = epochs.announce_holes(new, now_ms, "damaged")
            new.execute("COMMIT")
        except BaseException:
            new.execute("ROLLBACK")
            raise
        return Saved(records, missing)
    finally:
        old.close()


def _from_leaves(kept: Path, new: sqlite3.Connection) -> int:
    """Add what the tables' own trees did not lead to; returns how many records that was.

    Deleted rows may come up again: of groups that were packed since, the numbers are there already; what every uplink
    had leaves again with the next pruning. Facts that change are taken from the trees alone.
    """
    there = Intervals(new.execute("SELECT first, last FROM block").fetchall())
    known = [tuple(row) for row in new.execute("SELECT id FROM boot")]
    groups: list[tuple[int, list[Any]]] = []
    records = 0
    try:
        for rowid, values in leaves.rows(kept):
            match values:
                case [None, int(last), int(), int(), int(), int(), bytes()] if rowid is not None and rowid <= last:
                    groups.append((rowid, values))
                case [1 | 2 | 3, int(), int(), int(), bytes() as body] if rowid is None and body[:1] == b"{":
                    records += new.execute("INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?)", values).rowcount
                case [None, int(), bytes(), bytes() as digest] if rowid is not None and len(digest) == _DIGEST:
                    new.execute("INSERT OR IGNORE INTO audit VALUES (?, ?, ?, ?)", (rowid, *values[1:]))
                case [None, str() as name, None | int() as zero] if rowid is not None and (rowid,) not in known:
                    new.execute("INSERT OR IGNORE INTO boot (id, name, zero) VALUES (?, ?, ?)", (rowid, name, zero))
    except OSError as error:
        _log.error("the pages of %s cannot be read: %s", kept, error)
    for first, values in sorted(groups, key=lambda group: group[0] - group[1][1]):  # the longest first
        row = {"first": first, "last": values[1], "body": values[6]}
        free = there.union(Intervals([(first, values[1])])).count() == there.count() + values[1] - first + 1
        if free and _records("block", row):
            new.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)", (first, *values[1:]))
            there.add(first, values[1])
            records += values[1] - first + 1
    return records


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
