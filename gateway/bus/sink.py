"""Where a bus puts what it found. The outbox is one; the bus knows no more of it than this."""

from typing import Protocol

from gateway.records import Event, OpenEvent, Reading


class Sink(Protocol):
    """Takes accepted records. May be called by several threads, one a bus."""

    def put_reading(self, reading: Reading) -> None:
        """Take a reading, to be committed within a second. Raises StoreError when it cannot."""
        ...

    def accept_event(self, event: Event, key: str) -> None:
        """Take an event; returns once it is committed. Raises StoreError when it could not be: the bus then
        hands it in again, in order, until it is, so the same event twice must be harmless.

        `key` tells this occurrence from the next. An event with `cleared` None is open from now on, and its
        clearing record, with the same id, ends that.
        """
        ...

    def open_events(self) -> list[OpenEvent]:
        """The events that were raised and have not cleared, as committed."""
        ...
