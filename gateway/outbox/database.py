"""The file outbox.db: opening, migrating, checking and setting it aside. It knows no record and no uplink.

One connection, exclusive lock, WAL without shared memory, synchronous=FULL, no mmap: one writer and no
other, so a SQLite bug between several WAL writers (3.7.0 to 3.51.2) cannot touch us.
"""

import logging
import os
import sqlite3
import uuid
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from gateway import points
from gateway.errors import StoreError

_log = logging.getLogger(__name__)

FILE_NAME = "outbox.db"
Connect = Callable[[Path], sqlite3.Connection]


def connect(path: Path) -> sqlite3.Connection:
    """The one connection of a running gateway, in autocommit so that every transaction is ours to see."""
    return sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)


def open_database(folder: Path, connect: Connect = connect) -> tuple[sqlite3.Connection, str | None]:
    """The opened, checked and migrated database of `folder`, and a sentence when a damaged one was set aside.

    Raises StoreError when the folder cannot be used or a newer release wrote the file.
    """
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {folder} for the outbox cannot be made: {error.strerror}.") from error
    try:
        return _prepare(path, connect), None
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise StoreError(sentence(path, error)) from error
        kept = _set_aside(path)
        trouble = (
            f"The outbox {path} was damaged ({error}); it is kept as {kept.name}, and a new one was begun "
            "with a new epoch. Records that had not been delivered are in the kept file only."
        )
        _log.error("%s", trouble)
    try:
        return _prepare(path, connect), trouble
    except sqlite3.DatabaseError as error:
        raise StoreError(sentence(path, error)) from error


def open_for_reading(folder: Path) -> sqlite3.Connection | None:
    """A read-only connection while no gateway runs; None when there is no outbox yet. Raises StoreError."""
    path = folder / FILE_NAME
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2.0, isolation_level=None)
        _refuse_newer(path, connection)
    except sqlite3.DatabaseError as error:
        raise StoreError(sentence(path, error)) from error
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, so that trying again on it is of no use."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_full(error: sqlite3.Error) -> bool:
    """Whether the disk (or a limit on the file) is full; the connection itself is still good."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def sentence(path: Path, error: sqlite3.Error) -> str:
    """What a technician can do about `error`."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return f"The disk with {path} is full: free some space; nothing that was accepted is lost."
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"The outbox {path} is in use by another program, probably a running gateway: stop that one first."
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return f"The outbox {path} cannot be written ({error}): check the rights and whether the disk is read-only."
    return f"The outbox {path} failed ({error}): check the disk or the card."


def _prepare(path: Path, connect: Connect) -> sqlite3.Connection:
    connection = connect(path)
    try:
        # Before the first read: with the exclusive lock the WAL index lives in our heap, not in shared memory.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA mmap_size=0")
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
            # A commit of a second's readings fills 2 or 3 pages: small ones spare the card (docs/outbox.md).
            connection.execute("PRAGMA page_size=1024")
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA journal_size_limit=4194304")
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            damage = sqlite3.DatabaseError(found)
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
        _migrate(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrations() -> list[tuple[int, str]]:
    folder = resources.files("gateway.outbox").joinpath("schema")
    files = sorted((file.name, file) for file in folder.iterdir() if file.name.endswith(".sql"))
    return [(int(name.removesuffix(".sql")), file.read_text(encoding="utf-8")) for name, file in files]


def _refuse_newer(path: Path, connection: sqlite3.Connection) -> int:
    """The schema's version; raises StoreError when this release does not know it."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    known = _migrations()[-1][0]
    if version > known:
        raise StoreError(
            f"The outbox {path} was written by a newer gewu (schema {version}, this one knows {known}): "
            "install that release again, or move the file away to begin a new outbox."
        )
    return version


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    version = _refuse_newer(path, connection)
    for number, script in _migrations():
        if number <= version:
            continue
        # One transaction a step, its number included: after a power cut it is before or after, never between.
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements(script):
                connection.execute(statement)
                points.reach("migrate")
            if number == 1:
                connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (str(uuid.uuid4()),))
            connection.execute(f"PRAGMA user_version={number}")
            points.reach("migrate")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def statements(script: str) -> list[str]:
    """The SQL statements of a script, one by one (sqlite3.executescript would commit between them)."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current.strip())
            current = ""
    return found


def _set_aside(path: Path) -> Path:
    """Rename the database and its companions to the first free name `outbox.db.damaged-N`."""
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return kept
