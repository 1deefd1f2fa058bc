"""What befell the store, as an event for people: damage that was set aside and salvaged. It repairs nothing itself."""

from typing import Protocol

from gateway import own_events
from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.records import Event, OpenEvent

KIND = "gateway.store"
_GRADE = 2  # records may be missing: people should know today


class Store(Protocol):
    """What this needs of the outbox."""

    repaired: str | None

    def open_events(self) -> list[OpenEvent]: ...
    def accept_event(self, event: Event, key: str) -> None: ...


class StoreEvents:
    """Raises an event for each damage, and clears it when a gateway starts with a sound store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._told: str | None = None
        self._looked = False

    def look(self) -> None:
        """Tell what is new. Raises nothing: what cannot be committed now is told at the next look."""
        try:
            if not self._looked and self._store.repaired is None:
                self._clear()
            self._looked = True
            if self._store.repaired not in (None, self._told):
                self._raise(self._store.repaired or "")
                self._told = self._store.repaired
        except StoreError:
            pass  # the outbox says it in its own log

    def _raise(self, sentence: str) -> None:
        self._store.accept_event(own_events.begun(self._clock, KIND, _GRADE, {"what": sentence}), sentence)

    def _clear(self) -> None:
        for found in self._store.open_events():
            if found.event.kind == KIND:
                self._store.accept_event(own_events.ended(found.event, self._clock), found.key)
