"""Small facts beside the records: notes, the audit's chain, results of commands. SQL on a connection handed in.

It never begins or ends a transaction, and knows nothing of what the bodies mean.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple


class Entry(NamedTuple):
    """One entry of the audit: its number from 1, Unix milliseconds, content, and the hash of the chain up to here."""

    n: int
    at: int
    body: bytes
    hash: bytes


def chained(before: bytes, body: bytes) -> bytes:
    """The hash of an entry: SHA-256 over the hash before it (empty before the first) and its body."""
    return hashlib.sha256(before + body).digest()


def append(connection: sqlite3.Connection, at: int, body: bytes) -> int:
    """Add an entry to the audit and return its number."""
    last, before = connection.execute("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1").fetchone() or (0, b"")
    entry = Entry(last + 1, at, body, chained(before, body))
    connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?)", entry)
    return entry.n


def entries(connection: sqlite3.Connection, first: int, limit: int) -> list[Entry]:
    """Up to `limit` entries from number `first` on."""
    found = connection.execute("SELECT n, at, body, hash FROM audit WHERE n >= ? ORDER BY n LIMIT ?", (first, limit))
    return [Entry(*row) for row in found]


def head(connection: sqlite3.Connection) -> Entry | None:
    """The last entry, None before the first."""
    found = connection.execute("SELECT n, at, body, hash FROM audit ORDER BY n DESC LIMIT 1").fetchone()
    return None if found is None else Entry(*found)


def note(connection: sqlite3.Connection, key: str) -> bytes | None:
    """The value noted under `key`."""
    found = connection.execute("SELECT value FROM note WHERE key = ?", (key,)).fetchone()
    return None if found is None else bytes(found[0])


def set_note(connection: sqlite3.Connection, key: str, value: bytes | None) -> None:
    """Note `value` under `key`; None forgets it."""
    if value is None:
        connection.execute("DELETE FROM note WHERE key = ?", (key,))
    else:
        connection.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (key, value))


def notes(connection: sqlite3.Connection, prefix: str) -> dict[str, bytes]:
    """Every note whose key begins with `prefix`."""
    found = connection.execute("SELECT key, value FROM note WHERE substr(key, 1, ?) = ?", (len(prefix), prefix))
    return {key: bytes(value) for key, value in found}


def count_notes(connection: sqlite3.Connection, prefix: str) -> int:
    """How many notes there are whose key begins with `prefix`, which ends in an ASCII character."""
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    (count,) = connection.execute("SELECT count(*) FROM note WHERE key >= ? AND key < ?", (prefix, end)).fetchone()
    return int(count)


def put_command(connection: sqlite3.Connection, id: str, at: int, body: bytes) -> None:
    """Keep what became of the command `id`, in place of what was kept of it before."""
    connection.execute("INSERT OR REPLACE INTO command VALUES (?, ?, ?)", (id, at, body))


def command(connection: sqlite3.Connection, id: str) -> bytes | None:
    """What is kept of the command `id`."""
    found = connection.execute("SELECT body FROM command WHERE id = ?", (id,)).fetchone()
    return None if found is None else bytes(found[0])


def commands(connection: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    """Every command kept, oldest first."""
    yield from connection.execute("SELECT id, body FROM command ORDER BY at, id").fetchall()


def forget_commands(connection: sqlite3.Connection, before: int) -> int:
    """Forget what was put before `before` (Unix milliseconds); returns how many."""
    return connection.execute("DELETE FROM command WHERE at < ?", (before,)).rowcount
