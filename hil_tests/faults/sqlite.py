"""sqlite3 as the outbox knows it, over apsw: so that the same outbox runs on a disk that fails on demand.

Only what the gateway uses of a connection is here; every apsw error becomes the sqlite3 error with the same
code. SQLite under apsw is a newer one than Debian's, which opens the same files.

WAL here needs the exclusive lock before the first read, as the outbox takes it: a VFS in Python has no
shared memory. Automatic checkpoints work as usual; their failures are not reported, as in SQLite itself.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import apsw

from hil_tests.faults.disk import Disk

_CLASSES: dict[int, type[sqlite3.Error]] = {
    sqlite3.SQLITE_CORRUPT: sqlite3.DatabaseError,
    sqlite3.SQLITE_NOTADB: sqlite3.DatabaseError,
    sqlite3.SQLITE_CONSTRAINT: sqlite3.IntegrityError,
}


def connecting(disk: Disk) -> Callable[[Path], sqlite3.Connection]:
    """A `connect` for the outbox whose files lie on `disk`."""

    def connect(path: Path) -> sqlite3.Connection:
        return cast("sqlite3.Connection", Connection(path, disk))

    return connect


class Cursor:
    """What `execute` returns."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self.rowcount = -1

    def execute(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> "Cursor":
        before = self._connection.total_changes()
        try:
            self._cursor.execute(statement, values)
        except apsw.Error as error:
            if not (statement.startswith("COMMIT") and self._only_checkpoint(error)):
                raise _translated(error) from error
        self.rowcount = self._connection.total_changes() - before
        return self

    def _only_checkpoint(self, error: apsw.Error) -> bool:
        return getattr(error, "hidden", False) and not self._connection.in_transaction

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> "Cursor":
        try:
            self._cursor.executemany(statement, [tuple(row) for row in rows])
        except apsw.Error as error:
            raise _translated(error) from error
        return self

    def fetchone(self) -> Any:
        try:
            return self._cursor.fetchone()
        except apsw.Error as error:
            raise _translated(error) from error

    def fetchall(self) -> list[Any]:
        return list(self)

    def fetchmany(self, count: int) -> list[Any]:
        return [row for _, row in zip(range(count), self, strict=False)]

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._cursor
        except apsw.Error as error:
            raise _translated(error) from error

    @property
    def lastrowid(self) -> int:
        return self._connection.last_insert_rowid()

    def close(self) -> None:
        self._cursor.close(True)


class Connection:
    """A connection in autocommit, exclusive to one thread at a time by its owner's lock."""

    def __init__(self, path: Path, disk: Disk) -> None:
        try:
            self._connection = apsw.Connection(str(path), vfs=disk.name)
        except apsw.Error as error:
            raise _translated(error) from error
        self._connection.set_busy_timeout(1000)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    @property
    def total_changes(self) -> int:
        return self._connection.total_changes()

    def cursor(self) -> Cursor:
        return Cursor(self._connection)

    def execute(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> Cursor:
        return self.cursor().execute(statement, values)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> Cursor:
        return self.cursor().executemany(statement, rows)

    def close(self) -> None:
        try:
            self._connection.close(True)
        except apsw.Error:
            pass  # the last checkpoint failed: the next connection finds the journal


def _translated(error: apsw.Error) -> sqlite3.Error:
    """The error of sqlite3 with the same code."""
    code = getattr(error, "extendedresult", 0) or _code(error)
    translated = _CLASSES.get(code & 0xFF, sqlite3.OperationalError)(str(error))
    translated.sqlite_errorcode = code
    return translated


def _code(error: apsw.Error) -> int:
    """The result code of an error that apsw raised itself."""
    return next((code for kind, code in _RESULTS.items() if isinstance(error, kind)), apsw.SQLITE_ERROR)


_RESULTS: dict[type[apsw.Error], int] = {
    apsw.BusyError: apsw.SQLITE_BUSY,
    apsw.ConstraintError: apsw.SQLITE_CONSTRAINT,
    apsw.CorruptError: apsw.SQLITE_CORRUPT,
    apsw.NotADBError: apsw.SQLITE_NOTADB,
}
