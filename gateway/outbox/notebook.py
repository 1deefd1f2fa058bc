"""The small facts that other parts keep in the outbox: notes, the audit, what became of commands."""

import sqlite3
from collections.abc import Callable, Iterator
from typing import TypeVar

from gateway.outbox import facts
from gateway.outbox.ground import Ground

T = TypeVar("T")


class Notebook(Ground):
    """Each of these is committed with a sync before the call returns; StoreError says that nothing has changed."""

    def note(self, key: str) -> bytes | None:
        """The value noted under `key`, None when there is none. Raises StoreError."""
        with self._lock, self._reading() as connection:
            return facts.note(connection, key)

    def notes(self, prefix: str) -> dict[str, bytes]:
        """Every note whose key begins with `prefix`. Raises StoreError."""
        with self._lock, self._reading() as connection:
            return facts.notes(connection, prefix)

    def set_note(self, key: str, value: bytes | None) -> None:
        """Commit a note (None forgets it) before returning. Raises StoreError with nothing changed."""
        self._kept(lambda connection: facts.set_note(connection, key, value))

    def append_audit(self, body: bytes) -> int:
        """Commit an entry of the hash-chained audit and return its number. Raises StoreError with nothing changed."""
        return self._kept(lambda connection: facts.append(connection, self._clock.wall_ms(), body))

    def audit_head(self) -> facts.Entry | None:
        """The last entry of the audit, None before the first. Raises StoreError."""
        with self._lock, self._reading() as connection:
            return facts.head(connection)

    def audit(self, first: int = 1) -> Iterator[facts.Entry]:
        """The entries of the audit from number `first` on, never holding up others long. Raises StoreError."""
        while batch := self._entries(first):
            yield from batch
            first = batch[-1].n + 1

    def _entries(self, first: int) -> list[facts.Entry]:
        with self._lock, self._reading() as connection:
            return facts.entries(connection, first, 500)

    def put_command(self, id: str, body: bytes) -> None:
        """Commit what became of a command, in place of what was kept of it before. Raises StoreError."""
        self._kept(lambda connection: facts.put_command(connection, id, self._clock.wall_ms(), body))

    def command(self, id: str) -> bytes | None:
        """What is kept of the command `id`, None when nothing is. Raises StoreError."""
        with self._lock, self._reading() as connection:
            return facts.command(connection, id)

    def commands(self) -> list[tuple[str, bytes]]:
        """Every command kept, oldest first. Raises StoreError."""
        with self._lock, self._reading() as connection:
            return list(facts.commands(connection))

    def forget_commands(self, before_ms: int) -> int:
        """Forget the commands put before `before_ms` (Unix milliseconds); returns how many. Raises StoreError."""
        return self._kept(lambda connection: facts.forget_commands(connection, before_ms))

    def _kept(self, change: Callable[[sqlite3.Connection], T]) -> T:
        made: list[T] = []
        with self._lock:
            self._critical(lambda connection: made.append(change(connection)))
        return made[-1]
