"""The gateway as it is now, for the uplinks that tell more than the records: devices, how they stand, what is open.

It reads what the buses say of themselves and what the outbox keeps; it changes nothing but an uplink's own notes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from gateway.bus.status import BusStatus
from gateway.config.model import Bus
from gateway.errors import StoreError
from gateway.records import Event, OpenEvent
from gateway.uplink.present import KnownDevice, Standing


class Kept(Protocol):
    """What is asked of the outbox."""

    def open_events(self) -> list[OpenEvent]: ...
    def note(self, key: str) -> bytes | None: ...
    def set_note(self, key: str, value: bytes) -> None: ...


class Presence:
    """See `gateway.uplink.present.Present`. `statuses` gives the buses' own reports; it may be called by any thread."""

    def __init__(self, buses: Iterable[Bus], statuses: Callable[[], Iterable[BusStatus]], kept: Kept) -> None:
        self.devices: Sequence[KnownDevice] = [
            KnownDevice(device.id, device.place, device.definition) for bus in buses for device in bus.device
        ]
        self._statuses = statuses
        self._kept = kept
        self._open: Sequence[Event] = ()

    def standing(self) -> Mapping[str, Standing]:
        """Every configured device by its id."""
        return {
            device.id: Standing(device.online, device.last_seen, device.values, device.marks)
            for bus in self._statuses()
            for device in bus.devices
        }

    def open_events(self) -> Sequence[Event]:
        """The open events; while the store cannot be read, those that it had when it could."""
        try:
            self._open = [known.event for known in self._kept.open_events()]
        except StoreError:
            pass  # whoever sends next meets the same error and says it
        return self._open

    def note(self, key: str) -> bytes | None:
        """See `Notes`. Raises StoreError."""
        return self._kept.note(key)

    def set_note(self, key: str, value: bytes) -> None:
        """See `Notes`. Raises StoreError."""
        self._kept.set_note(key, value)
