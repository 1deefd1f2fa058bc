"""Entries of a Gewu board's journal as function 14h gives them. Pure; the layout is docs/firmware.md, "Journal"."""

import struct
from dataclasses import dataclass

from gateway.bus.wire import intact

ENTRY_BYTES = 32
_LAYOUT = struct.Struct(">IHHIHIHIIH")

KINDS = {
    1: "start",
    2: "trip",
    3: "state",
    4: "command",
    5: "refused",
    6: "update",
    7: "clock",
    8: "values",
    9: "sample",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. `at_s` seconds since that start, `clock` Unix time or 0, `lost` entries dropped before this one."""

    number: int
    boot: int
    kind: str
    at_s: float
    clock: int
    a: int
    b: int
    c: int
    lost: int


def decode(data: bytes) -> Entry | None:
    """The entry in 32 bytes; None where none was written or the CRC is wrong."""
    if len(data) != ENTRY_BYTES or not any(data) or not intact(data):
        return None
    number, boot, kind, seconds, milliseconds, clock, a, b, c, lost = _LAYOUT.unpack(data[:30])
    name = KINDS.get(kind, f"kind {kind}")
    return Entry(number, boot, name, seconds + milliseconds / 1000, clock, a, b, c, lost)
