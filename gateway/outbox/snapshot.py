"""The outbox as one file at one moment, while it goes on working, and its new life after a restore.

A snapshot is SQLite's online backup in small steps, between which others use the connection. It holds every
record with its number; what is restored begins a new epoch, as `epochs` does.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from gateway.errors import StoreError
from gateway.outbox import database, epochs

_PAGES = 64  # 256 KiB a step: a poll's commit waits for no more


def copy(connection: sqlite3.Connection, file: Path, between: Callable[[], None]) -> None:
    """Write the state of `connection`, which its caller holds, to the new `file`; `between` steps others may have it.

    What they commit meanwhile is in the copy as well, each commit whole. Raises StoreError.
    """
    try:
        target = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        try:
            connection.backup(target, pages=_PAGES, progress=lambda *_: between(), sleep=0.0)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, which needs nothing beside it
            found = target.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            target.close()
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"The snapshot {file} cannot be written ({error}): free some space.") from error
    if found != "ok":
        raise StoreError(f"The snapshot {file} is damaged ({found}): the outbox it was taken from is, too.")


def copy_at_rest(folder: Path, file: Path) -> bool:
    """The snapshot of an outbox that no gateway has open; False when there is none in `folder`. Raises StoreError."""
    connection = database.open_for_reading(folder)
    if connection is None:
        return False
    try:
        copy(connection, file, lambda: None)
    finally:
        connection.close()
    return True


def renew(folder: Path, now_ms: int) -> str:
    """Let the restored outbox in `folder` begin a new epoch, which is returned. Raises StoreError."""
    connection, trouble = database.open_database(folder)
    try:
        if trouble:
            raise StoreError(f"The restored outbox cannot be used: {trouble}")
        connection.execute("BEGIN IMMEDIATE")
        epoch = epochs.begin(connection, now_ms)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreError(database.sentence(folder / database.FILE_NAME, error)) from error
    finally:
        connection.close()
    return epoch
