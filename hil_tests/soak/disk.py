"""The soak's disk: SQLite as the outbox uses it, which for a while refuses as a full, broken or read-only disk does.

The file lies in memory where there is a place for that: what a sync costs is measured by `gewu bench store`.
"""

import os
import sqlite3
from pathlib import Path
from typing import Any

from hil_tests.soak.world import World

# When the fault strikes: the statement, and what SQLite says then.
_REFUSALS = {
    "disk full": ("COMMIT", sqlite3.SQLITE_FULL, "database or disk is full"),
    "disk broken": ("COMMIT", sqlite3.SQLITE_IOERR, "disk I/O error"),
    "disk read-only": ("BEGIN IMMEDIATE", sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
}
_STATEMENTS = {statement for statement, _, _ in _REFUSALS.values()}


def memory_folder() -> Path | None:
    """A folder in memory, where there is one."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and os.access(shared, os.W_OK) else None


class Disk:
    """Opens databases for the outbox; `drop` is what a killed process leaves of them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._opened: list[sqlite3.Connection] = []
        self._kind = _refusing(world)

    def connect(self, path: Path) -> sqlite3.Connection:
        """See `gateway.outbox.database.Connect`."""
        opened = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=self._kind)
        self._opened = [opened]  # the outbox closes one that failed before it opens another
        return opened

    def drop(self) -> None:
        """End the connection with what it had not committed, as the kernel does for a process that was killed."""
        for connection in self._opened:
            connection.close()
        self._opened.clear()


def _refusing(world: World) -> type[sqlite3.Connection]:
    """Connections that refuse while the world's disk is sick."""

    class Refusing(sqlite3.Connection):
        """In autocommit, as the outbox has it."""

        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql in _STATEMENTS:
                for fault, (statement, code, words) in _REFUSALS.items():
                    if sql == statement and world.holds(fault):
                        error = sqlite3.OperationalError(words)
                        error.sqlite_errorcode = code
                        raise error
            return super().execute(sql, *parameters)

    return Refusing
