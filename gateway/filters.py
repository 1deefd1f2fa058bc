"""Which records one uplink or sink gets. Pure; it knows no configuration file and no database.

A filter is part of what a message is: it is stored with the message that it made, so that the same number
always has the same content.
"""

from typing import Literal

import msgspec

from gateway.prepared import prepared
from gateway.records import Event, Reading, Stream


@prepared
class Filter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What passes; an empty tuple lets everything of its sort through.

    `devices` are ids; `places` are heads of places, whole levels; `kinds` are streams; `names` are values of
    readings; `grades` are those of events. What concerns no device and no place (the gateway itself) passes
    both `devices` and `places`.
    """

    devices: tuple[str, ...] = ()
    kinds: tuple[Stream, ...] = ()
    grades: tuple[Literal[1, 2, 3, 4], ...] = ()
    places: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def wants(self, stream: Stream) -> bool:
        """Whether any record of `stream` can pass."""
        return not self.kinds or stream in self.kinds

    def reading(self, reading: Reading) -> Reading | None:
        """The reading with the values that pass; None when none does."""
        if not self.wants("readings") or (self.devices and reading.device not in self.devices):
            return None
        if not self.names:
            return reading
        values = {name: value for name, value in reading.values.items() if name in self.names}
        marks = {name: mark for name, mark in reading.marks.items() if name in self.names}
        if not values and not marks:
            return None
        return msgspec.structs.replace(reading, values=values, marks=marks)

    def event(self, event: Event) -> bool:
        """Whether an event passes."""
        return (
            self.wants("events")
            and (not self.grades or event.grade in self.grades)
            and (not self.devices or event.device is None or event.device in self.devices)
            and (not self.places or not event.place or any(within(event.place, place) for place in self.places))
        )


def within(place: str, head: str) -> bool:
    """Whether `place` is `head` or lies in it: whole levels, split by "/"."""
    return place == head or place.startswith(head.rstrip("/") + "/")
