"""What a format may know of its gateway beyond the messages: devices, how they stand now, what is open, notes.

Births, discovery and availability speak of now, and a backlog speaks of the past: this is the now. A format
asks; it never writes anything but its own notes.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from gateway.clock import Clock
from gateway.filters import Filter, within
from gateway.profile import Profile, Register
from gateway.records import Event, Mark, Value
from gateway.uplink.store import Notes

GLANCE_S = 1.0


class KnownDevice(NamedTuple):
    """A device of the configuration, as far as an uplink's filter shows it."""

    id: str
    place: str
    profile: Profile
    filter: Filter = Filter()

    def values(self) -> dict[str, Register]:
        """The values that are read of such a device by themselves, with the register behind each."""
        return {
            name: register
            for name, register in self.profile.by_value.items()
            if register.readable and register.poll != "never" and self._shows(name)
        }

    def _shows(self, name: str) -> bool:
        return self.filter.wants("readings") and (not self.filter.names or name in self.filter.names)

    def events(self) -> tuple[str, ...]:
        """The kinds of events that its profile can raise."""
        rules = [
            rule
            for rule in self.profile.events
            if self.filter.wants("events") and (not self.filter.grades or rule.grade in self.filter.grades)
        ]
        return tuple(dict.fromkeys(rule.kind for rule in rules))


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


class Now(NamedTuple):
    """One look: how the devices stand, and which kinds of events are open at each of them."""

    standing: Mapping[str, Standing]
    raised: Mapping[str | None, frozenset[str]]

    def of(self, device: str) -> Standing:
        """One that is not configured is not there."""
        return self.standing.get(device, Standing(online=False))


class Glance:
    """A look at the present that serves for a second: asking every bus and the outbox has its price."""

    def __init__(self, present: Present, clock: Clock) -> None:
        self._present = present
        self._clock = clock
        self._until = -1e9
        self._now = Now({}, {})

    def now(self, fresh: bool = False) -> Now:
        """The latest look; a new one when it has grown old, or when it must be `fresh`."""
        if fresh or self._clock.monotonic() >= self._until:
            raised: dict[str | None, frozenset[str]] = {}
            for event in self._present.open_events():
                raised[event.device] = raised.get(event.device, frozenset()) | {event.kind}
            self._now = Now(self._present.standing(), raised)
            self._until = self._clock.monotonic() + GLANCE_S
        return self._now


class Filtered:
    """A gateway as a filtered uplink may show it: what its filter keeps back is told in no birth either."""

    def __init__(self, present: Present, chosen: Filter) -> None:
        self.devices: Sequence[KnownDevice] = [
            device._replace(filter=chosen)
            for device in present.devices
            if (not chosen.devices or device.id in chosen.devices)
            and (not chosen.places or any(within(device.place, place) for place in chosen.places))
        ]
        self.note = present.note
        self.set_note = present.set_note
        self._present = present
        self._chosen = chosen

    def standing(self) -> Mapping[str, Standing]:
        stands = self._present.standing()
        return {
            device.id: self._narrowed(stands[device.id], device.values().keys())
            for device in self.devices
            if device.id in stands
        }

    def _narrowed(self, stands: Standing, names: Collection[str]) -> Standing:
        values = {name: value for name, value in stands.values.items() if name in names}
        marks = {name: mark for name, mark in stands.marks.items() if name in names}
        return stands._replace(values=values, marks=marks)

    def open_events(self) -> Sequence[Event]:
        return [event for event in self._present.open_events() if self._chosen.event(event)]


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
