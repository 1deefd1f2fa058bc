"""A disk under SQLite that can be looked at and made to fail: an apsw VFS over the real files.

It records every change (write, truncation, removal) and every sync in order, for `power` to cut the power
anywhere among them, and fails where a test says: full, broken on read, write or sync, read-only. It changes
nothing else, and knows nothing of what SQLite keeps there.
"""

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import apsw

Kind = Literal["read", "write", "sync", "truncate", "delete"]
Failure = Literal["full", "io", "readonly"]

_names = itertools.count(1)
_CODES: dict[tuple[Failure, Kind], int] = {
    ("io", "read"): apsw.SQLITE_IOERR_READ,
    ("io", "write"): apsw.SQLITE_IOERR_WRITE,
    ("io", "sync"): apsw.SQLITE_IOERR_FSYNC,
    ("io", "truncate"): apsw.SQLITE_IOERR_TRUNCATE,
    ("io", "delete"): apsw.SQLITE_IOERR_DELETE,
}
_PLAIN: dict[Failure, int] = {"full": apsw.SQLITE_FULL, "io": apsw.SQLITE_IOERR, "readonly": apsw.SQLITE_READONLY}

_CLASSES: dict[Failure, type[apsw.Error]] = {"full": apsw.FullError, "io": apsw.IOError, "readonly": apsw.ReadOnlyError}


class Change(NamedTuple):
    """One thing that reached the system: `data` of a write, `size` of a truncation. `file` is the path."""

    kind: Kind
    file: str
    offset: int = 0
    data: bytes = b""


def memory_folder() -> Path | None:
    """A folder in memory, where there is one."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and os.access(shared, os.W_OK) else None


# Asked before each operation: what fails now, if anything.
Plan = Callable[[Kind, str], Failure | None]


class Disk:
    """A VFS of its own name. `fail` decides on failures; `changes` is the record while `recording`."""

    def __init__(self) -> None:
        self.fail: Plan | None = None
        self.recording = False
        self.changes: list[Change] = []
        self.operations = 0
        self.written = 0
        self.name = f"gewu-disk-{next(_names)}"
        self._vfs = _Vfs(self)

    def ask(self, kind: Kind, file: str, main: bool = False) -> None:
        """Count an operation, and fail it where the plan says so."""
        self.operations += 1
        failure = self.fail(kind, file) if self.fail else None
        if failure is not None:
            # SQLite does not report a failed checkpoint after a commit, for the commit itself is safe.
            raise _error(failure, kind, hidden=main and Path(file + "-wal").exists())

    def did(self, change: Change) -> None:
        self.written += len(change.data)
        if self.recording:
            self.changes.append(change)

    def close(self) -> None:
        """Take the VFS out of SQLite; its connections must be closed."""
        self._vfs.unregister()


def _error(failure: Failure, kind: Kind, hidden: bool) -> apsw.Error:
    error: Any = _CLASSES[failure](f"{failure} on {kind}")
    error.extendedresult = _CODES.get((failure, kind), _PLAIN[failure])
    error.result = error.extendedresult & 0xFF
    error.hidden = hidden
    return cast("apsw.Error", error)


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(disk.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> "_File":
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self._disk.ask("delete", filename)
        super().xDelete(filename, syncdir)
        self._disk.did(Change("delete", filename))


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._file = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._main = bool(flags[0] & apsw.SQLITE_OPEN_MAIN_DB)
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._disk.ask("read", self._file)
        return super().xRead(amount, offset)

    def xWrite(self, data: Any, offset: int) -> None:
        self._disk.ask("write", self._file, self._main)
        super().xWrite(data, offset)
        self._disk.did(Change("write", self._file, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        self._disk.ask("truncate", self._file, self._main)
        super().xTruncate(newsize)
        self._disk.did(Change("truncate", self._file, newsize))

    def xSync(self, flags: int) -> None:
        self._disk.ask("sync", self._file, self._main)
        super().xSync(flags)
        self._disk.did(Change("sync", self._file))
