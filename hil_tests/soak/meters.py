"""The boards of the soak: meters that know at every moment what they would say, and so what is true. Pure.

A value follows from the unit and the number of the measurement alone, so that whoever reads one anywhere later can
tell whether it is true without having been told.
"""

import struct
from dataclasses import dataclass

from gateway.bus.wire import crc
from gateway.profile import Profile

VALUES = 10
"""Noisy values of a meter, as in the design load."""
_BLOCK = struct.Struct(f">IHHIH{VALUES}H")
ABSURD = 0xFFFF
_HEAD = (
    ("sequence", "u32"),
    ("cause", "u16"),
    ("trip_count", "u16"),
    ("trip_age", "u32"),
    ("boot_count", "u16"),
)
_NAMES = b"\x00\x04Gewu\x01\x0asoak-meter"


def value(unit: int, sequence: int, index: int) -> int:
    """Value `index` of measurement `sequence` of `unit`, in tenths: some noise about a mean of its own."""
    return 1000 + 150 * index + ((unit * 31 + sequence * 17 + index * 13) * 2654435761 >> 9) % 41


def profile() -> Profile:
    """The meter's profile: one request reads all; a tenth is the unit of its values."""
    registers: list[dict[str, object]] = []
    address = 0
    for name, kind in _HEAD:
        registers.append({"name": name, "kind": "input", "address": address, "type": kind, "poll": "normal"})
        address += 2 if kind == "u32" else 1
    for index in range(VALUES):
        registers.append(
            {"name": f"v{index}", "kind": "input", "address": address + index, "type": "u16", "poll": "normal",
             "scale": 0.1, "valid": [0, 6000]}
        )  # fmt: skip
    registers[3] |= {"deadband": 4294967295, "at_least": 86400}
    return Profile.model_validate(
        {
            "profile": {
                "name": "soak-meter", "gap": False, "identity": {"object0": "Gewu", "object1": "soak-meter"}
            },
            "register": registers,
            "event": [
                {"kind": "trip.overcurrent", "when": "cause", "equals": 1, "grade": 2, "age": "trip_age",
                 "counter": "trip_count", "values": ["v0"]},
                {"kind": "device.restarted", "counter": "boot_count", "grade": 4, "values": ["boot_count"]},
            ],
        }
    )  # fmt: skip


@dataclass
class Meter:
    """One board. `tripped_until` is when somebody re-arms it."""

    unit: int
    sequence: int = 0
    boots: int = 1
    trips: int = 0
    tripped_at: float = 0.0
    tripped_until: float = 0.0

    def answer(self, request: bytes, now: float, *, frozen: bool = False, absurd: bool = False) -> bytes:
        """The frame that it answers with; a frozen one measures no more, an absurd one shows what cannot be."""
        function = request[1]
        if function == 0x2B:
            return _framed(bytes((self.unit, 0x2B, 0x0E, 1, 1, 0, 0, 2)) + _NAMES)
        if function != 4:
            return _framed(bytes((self.unit, function | 0x80, 1)))
        start, count = struct.unpack(">HH", request[2:6])
        if start + count > _BLOCK.size // 2:
            return _framed(bytes((self.unit, 0x84, 2)))
        self.sequence += not frozen
        words = [value(self.unit, self.sequence, index) for index in range(VALUES)]
        if absurd:
            words[self.sequence % VALUES] = ABSURD
        block = _BLOCK.pack(
            self.sequence,
            now < self.tripped_until,
            self.trips,
            round((now - self.tripped_at) * 1000),
            self.boots,
            *words,
        )
        return _framed(bytes((self.unit, 4, 2 * count)) + block[2 * start : 2 * (start + count)])

    def trip(self, now: float, seconds: float) -> None:
        """It trips now and is re-armed after `seconds`."""
        self.trips, self.tripped_at, self.tripped_until = self.trips + 1, now, now + seconds


def _framed(body: bytes) -> bytes:
    return body + crc(body)
