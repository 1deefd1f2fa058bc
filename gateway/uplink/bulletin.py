"""The gateway's own events about an uplink: raised once, cleared once, also over restarts.

It says what is the matter; where the event goes is the store's business. A store that refuses makes it wait.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway import own_events
from gateway.clock import Clock
from gateway.records import Event, OpenEvent, Value

KINDS = ("gateway.uplink", "gateway.certificate")


class Events(Protocol):
    """What it asks of the outbox."""

    def accept_event(self, event: Event, key: str) -> None: ...
    def open_events(self) -> list[OpenEvent]: ...


class Bulletin:
    """Open events of one uplink, by `what` they are about (a key such as `budget`); `new_id` makes UUIDs."""

    def __init__(
        self, uplink: str, events: Events, clock: Clock, new_id: Callable[[], str] = own_events.new_id
    ) -> None:
        self._uplink = uplink
        self._events = events
        self._clock = clock
        self._new_id = new_id
        self._open: dict[str, Event] | None = None

    def set(self, what: str, kind: str, grade: int | None, values: dict[str, Value]) -> None:
        """Have the event about `what` open with this grade, or closed when `grade` is None.

        A changed grade clears the old event and raises a new one. Raises StoreError; the next call tries again.
        """
        opened = self._recalled()
        before = opened.get(what)
        if before is not None and before.grade != grade:
            self._record(own_events.ended(before, self._clock), what)
            del opened[what]
            before = None
        if before is None and grade is not None:
            event = self._event(kind, grade, values)
            self._record(event, what)
            opened[what] = event

    def tell(self, what: str, kind: str, grade: int, values: dict[str, Value]) -> None:
        """Something that happened and is over: one event, raised and cleared. Raises StoreError."""
        event = self._event(kind, grade, values)
        self._record(event, what)
        self._record(msgspec.structs.replace(event, cleared=event.raised), what)

    def _event(self, kind: str, grade: int, values: dict[str, Value]) -> Event:
        about = {"uplink": self._uplink, **values}
        return own_events.begun(self._clock, kind, grade, about, name=self._new_id)

    def _record(self, event: Event, what: str) -> None:
        self._events.accept_event(event, f"{self._uplink}.{what}")

    def _recalled(self) -> dict[str, Event]:
        if self._open is None:
            head = f"{self._uplink}."
            self._open = {
                known.key.removeprefix(head): known.event
                for known in self._events.open_events()
                if known.event.kind in KINDS and known.key.startswith(head)
            }
        return self._open
