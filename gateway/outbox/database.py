"""The file outbox.db: opening, checking and setting it aside. It knows no record and no uplink.

One connection, exclusive lock, WAL without shared memory, synchronous=FULL, no mmap: one writer and no
other, so a SQLite bug between several WAL writers (3.7.0 to 3.51.2) cannot touch us.
"""

import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from gateway.errors import StoreError
from gateway.outbox.migrations import migrate, refuse_newer
from gateway.outbox.salvage import salvage

_log = logging.getLogger(__name__)

FILE_NAME = "outbox.db"
_CHECKED_BYTES = 100 * 10**6  # as much is read through within some seconds, also from a card
Connect = Callable[[Path], sqlite3.Connection]


def connect(path: Path) -> sqlite3.Connection:
    """The one connection of a running gateway, in autocommit so that every transaction is ours to see."""
    return sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)


def open_database(
    folder: Path, connect: Connect = connect, now_ms: int = 0, *, suspected: bool = False
) -> tuple[sqlite3.Connection, str | None]:
    """The opened, checked and migrated database of `folder`, and a sentence when a damaged one was set aside.

    A large one is read through only when it is `suspected`: damage shows itself when it is met. `now_ms` stamps what
    is announced as missing. Raises StoreError when the folder cannot be used or a newer release wrote the file.
    """
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {folder} for the outbox cannot be made: {error.strerror}.") from error
    try:
        return _prepare(path, connect, suspected), None
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise StoreError(sentence(path, error)) from error
        damage = error
    try:
        kept = _set_aside(path)
        connection = _prepare(path, connect, suspected=False)
        saved = salvage(connect, kept, connection, now_ms)
    except OSError as error:
        raise StoreError(f"The damaged outbox {path} cannot be set aside: {error.strerror}.") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(sentence(path, error)) from error
    trouble = (
        f"The outbox {path} was damaged ({damage}); it is kept as {kept.name}, and a new one was begun with a new "
        f"epoch: {saved.records} records were taken over, {saved.missing} are missing and announced as gaps."
    )
    _log.error("%s", trouble)
    return connection, trouble


def reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2.0, isolation_level=None)


def open_for_reading(folder: Path, connect: Connect = reading) -> sqlite3.Connection | None:
    """A read-only connection while no gateway runs; None when there is no outbox yet. Raises StoreError."""
    path = folder / FILE_NAME
    if not path.exists():
        return None
    try:
        return _opened(path, connect)
    except sqlite3.DatabaseError as error:
        if not _is_refused(error):
            raise StoreError(sentence(path, error)) from error
    # On a read-only disk SQLite cannot make the index of the write-ahead log: a copy elsewhere can be read.
    try:
        with tempfile.TemporaryDirectory(prefix="gewu-outbox-") as elsewhere:
            copy = Path(elsewhere) / path.name
            for suffix in ("", "-wal"):
                if (part := path.with_name(path.name + suffix)).exists():
                    shutil.copyfile(part, copy.with_name(copy.name + suffix))
            return _opened(copy, connect)  # its files stay until the connection is closed, though their names go
    except OSError as error:
        raise StoreError(f"The outbox {path} cannot be read: {error.strerror}.") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(sentence(path, error)) from error


def _opened(path: Path, connect: Connect) -> sqlite3.Connection:
    connection = connect(path)
    try:
        refuse_newer(path, connection)
    except UnicodeDecodeError as error:
        connection.close()
        raise _damage("its schema is no text") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _is_refused(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


def page_size(connection: sqlite3.Connection) -> int:
    """Bytes of a page."""
    return int(connection.execute("PRAGMA page_size").fetchone()[0])


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
    if _is_refused(error):
        return f"The outbox {path} cannot be written ({error}): check the rights and whether the disk is read-only."
    return f"The outbox {path} failed ({error}): check the disk or the card."


def _prepare(path: Path, connect: Connect, suspected: bool) -> sqlite3.Connection:
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
        connection.execute("PRAGMA cache_size=-512")  # kB: what is read once is not kept
        small = path.stat().st_size <= _CHECKED_BYTES
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if small or suspected else "ok"
        if found != "ok":
            raise _damage(found)
        migrate(path, connection)
    except UnicodeDecodeError as error:
        # SQLite's own words quote the schema, and where that is damaged they are no text.
        connection.close()
        raise _damage("its schema is no text") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _damage(what: str) -> sqlite3.DatabaseError:
    damage = sqlite3.DatabaseError(what)
    damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return damage


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
