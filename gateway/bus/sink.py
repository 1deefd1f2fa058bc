"""Where a bus puts what it found. The outbox is one; the bus knows no more of it than this."""

from collections.abc import Sequence
from typing import Protocol

from gateway.records import Note, OpenEvent, Reading


class Sink(Protocol):
    """Takes accepted records. May be called by several threads, one a bus."""

    def put_reading(self, reading: Reading) -> None:
        """Take a reading, to be committed within a second. Raises StoreError when it cannot."""
        ...

    def accept_events(self, records: Sequence[OpenEvent], note: Note | None = None) -> None:
        """Take events, and with them a note; returns once they are committed, all or none. Raises StoreError when
        they could not be: the bus then hands them in again, in order, until they are, so the same twice must be
        harmless.

        `key` tells this occurrence from the next. An event with `cleared` None is open from now on, and its
        clearing record, with the same id, ends that.
        """
        ...

    def keep_note(self, note: Note) -> None:
        """Take a note, to be committed within a second, in place of the one under the same key."""
        ...

    def note(self, key: str) -> bytes | None:
        """What was noted under `key`, in UTF-8, also before a restart. Raises StoreError."""
        ...

    def open_events(self) -> list[OpenEvent]:
        """The events that were raised and have not cleared, as committed."""
        ...
