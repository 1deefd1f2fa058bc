"""What a format may know of its gateway beyond the messages: its devices, how they stand now, small notes. Types only.

Births, discovery and availability speak of now, and a backlog speaks of the past: this is the now. A format
asks; it never writes anything but its own notes.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from gateway.profile import Profile
from gateway.records import Event, Mark, Value
from gateway.uplink.store import Notes


class KnownDevice(NamedTuple):
    """A device of the configuration."""

    id: str
    place: str
    profile: Profile


class Standing(NamedTuple):
    """A device now: `online` is None until it was first asked; `at` is Unix milliseconds of its latest answer."""

    online: bool | None = None
    at: int | None = None
    values: Mapping[str, Value] = {}
    marks: Mapping[str, Mark] = {}


class Present(Notes, Protocol):
    """The gateway as it is now. May be asked from an uplink's thread."""

    @property
    def devices(self) -> Sequence[KnownDevice]:
        """Those of the configuration."""
        ...

    def standing(self) -> Mapping[str, Standing]:
        """Every configured device by its id."""
        ...

    def open_events(self) -> Sequence[Event]:
        """The events that were raised and have not cleared, as they could last be read."""
        ...


class NoDevices:
    """A gateway without devices, whose notes are those of `notes`."""

    devices: Sequence[KnownDevice] = ()

    def __init__(self, notes: Notes) -> None:
        self.note = notes.note
        self.set_note = notes.set_note

    def standing(self) -> Mapping[str, Standing]:
        return {}

    def open_events(self) -> Sequence[Event]:
        return ()
