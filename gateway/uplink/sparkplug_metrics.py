"""What a device or the gateway itself is in Sparkplug: its metrics with alias, data type and unit. Pure; no session.

A table begins with what the profile knows. A name that turns up later (an event kind of another release, a value of
a device that is no longer configured) gets a metric of its own, and the device has then to be born again.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from gateway.profile import Register
from gateway.profile.model import BIT_KINDS
from gateway.records import Correction, Event, Gap, Mark, Reading, Value, rfc3339
from gateway.rules.events import LOST, MISMATCH
from gateway.uplink.present import KnownDevice, Standing
from gateway.uplink.sparkplug_payload import (
    BOOLEAN,
    DOUBLE,
    INT32,
    INT64,
    STRING,
    UINT16,
    UINT32,
    UINT64,
    Metric,
    fits,
)  # fmt: skip

# Specification 6.4.14: the property Quality is an Int32 of these three.
GOOD, BAD, STALE = 192, 0, 500
_QUALITY: dict[Mark | None, int] = {None: GOOD, "bad": BAD, "stale": STALE}
_WHOLE = {"u16": UINT16, "u32": UINT32, "u64": UINT64, "i16": INT32, "i32": INT32, "i64": INT64}
# Such an event is the device's death itself; it is told as an event of the node.
DEATHS = (LOST, MISMATCH)

Properties = Mapping[str, tuple[int, Value]]


class Column(NamedTuple):
    """One metric of a birth. The properties are those that never change."""

    alias: int
    datatype: int
    properties: Properties = MappingProxyType({})


class Table:
    """The metrics of one device, or of the node. `next_alias` gives numbers that are unique in the whole node."""

    def __init__(self, next_alias: Callable[[], int]) -> None:
        self._next_alias = next_alias
        self._columns: dict[str, Column] = {}
        self._quality: dict[str, int] = {}

    @classmethod
    def of(cls, device: KnownDevice | None, next_alias: Callable[[], int]) -> "Table":
        """The table of a device; of an unknown one it begins empty."""
        table = cls(next_alias)
        for name, register in device.values().items() if device else ():
            table.add(name, datatype(register), _properties(register))
        for kind in device.events() if device else ():
            table.add(f"Events/{kind}", BOOLEAN)
        return table

    def add(self, name: str, kind: int, properties: Properties | None = None) -> None:
        """One more metric."""
        self._columns[name] = Column(self._next_alias(), kind, properties or {})

    def grow(self, values: Mapping[str, Value]) -> bool:
        """Make room for names that are not known yet; True when there were any: the births so far miss them."""
        unknown = [name for name in values if name not in self._columns]
        for name in unknown:
            self.add(name, _guess(values[name]))
        return bool(unknown)

    def birth(self, now: int, standing: Standing, events: Iterable[str]) -> list[Metric]:
        """Every metric by name, with its value as the gateway has it now; null where it has none."""
        raised = {f"Events/{kind}" for kind in events}
        self._quality.clear()
        return [self._born(name, column, now, standing, raised) for name, column in self._columns.items()]

    def _born(self, name: str, column: Column, now: int, standing: Standing, raised: set[str]) -> Metric:
        at, value = standing.at or now, standing.values.get(name)
        if name.startswith("Events/"):
            at, value = now, name in raised
        held = None if value is None else fits(column.datatype, value)
        quality = BAD if value is not None and held is None else _QUALITY[standing.marks.get(name)]
        self._quality[name] = quality
        properties = {**column.properties, "Quality": (INT32, quality)}
        return Metric(name, column.alias, column.datatype, held, at, properties=properties)

    def data(self, reading: Reading, historical: bool) -> list[Metric]:
        """The values of a reading by alias; their names are known (see `grow`)."""
        return [
            self.datum(name, value, reading.at, historical, quality=_QUALITY[reading.marks.get(name)])
            for name, value in reading.values.items()
        ]

    def datum(
        self, name: str, value: Value | None, at: int, historical: bool = False, *,
        quality: int = GOOD, properties: Properties | None = None,
    ) -> Metric:  # fmt: skip
        """One value by alias. Its quality is said when it is not good, or was not the last time."""
        column = self._columns[name]
        held = None if value is None else fits(column.datatype, value)
        quality = BAD if value is not None and held is None else quality
        said = dict(properties or {})
        if quality != GOOD or self._quality.get(name, GOOD) != GOOD:
            said["Quality"] = (INT32, quality)
        if not historical:
            self._quality[name] = quality
        return Metric(None, column.alias, column.datatype, held, at, historical, properties=said)


def datatype(register: Register) -> int:
    """The Sparkplug type of a register's values: the wire's own type where it is not scaled, so that none is lost."""
    if register.kind in BIT_KINDS or register.type in ("bool", "bits"):
        return BOOLEAN
    if register.type == "string":
        return STRING
    plain = register.scale == 1 and register.offset == 0
    return _WHOLE.get(register.type, DOUBLE) if plain else DOUBLE


def event_properties(event: Event) -> Properties:
    """What travels with an event's metric."""
    found: dict[str, tuple[int, Value]] = {"grade": (INT32, event.grade), "id": (STRING, event.id)}
    return found | {name: (_guess(value), value) for name, value in event.values.items()}


def event_text(event: Event) -> str:
    """An event whole, as JSON in one metric of the node."""
    times = {"raised": rfc3339(event.raised), "cleared": None if event.cleared is None else rfc3339(event.cleared)}
    whole = {"id": event.id, "kind": event.kind, "grade": event.grade, "device": event.device, "place": event.place}
    return json.dumps({**whole, **times, "values": event.values}, ensure_ascii=False)


def gap_text(gap: Gap) -> str:
    """A gap record as JSON in one metric of the node."""
    times = {"from": rfc3339(gap.start), "to": rfc3339(gap.end)}
    return json.dumps({"stream": gap.stream, "first": gap.first, "last": gap.last, **times, "reason": gap.reason})


def correction_text(told: Correction) -> str:
    """A correction of times as JSON in one metric of the node."""
    times = {"from": rfc3339(told.start), "to": rfc3339(told.end)}
    return json.dumps({"boot": told.boot, "offset_ms": told.offset_ms, **times})


def _properties(register: Register) -> Properties:
    """The unit and the range under the names that SCADA systems read (Ignition's engUnit, engLow, engHigh)."""
    found: dict[str, tuple[int, Value]] = {}
    if register.unit:
        found["engUnit"] = (STRING, register.unit)
    if register.valid:
        found |= {"engLow": (DOUBLE, float(register.valid[0])), "engHigh": (DOUBLE, float(register.valid[1]))}
    return found


def _guess(value: Value) -> int:
    """The type of a value that no profile describes; a number is a Double, because the next one may have a point."""
    if isinstance(value, bool):
        return BOOLEAN
    return STRING if isinstance(value, str) else DOUBLE
