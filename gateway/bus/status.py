"""What a bus says about itself: plain values for the live table, `gewu doctor` and the console."""

import msgspec

from gateway.records import Mark, Value


class DeviceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A device now. `online` is None until it was first asked; times are Unix milliseconds.

    `mismatched`: something answers at its address, but it is another device.
    `ages` and `sent` are the seconds since a value was read and since it was last worth sending.
    """

    id: str
    address: int
    place: str
    profile: str
    online: bool | None
    last_seen: int | None
    first_reading: int | None
    values: dict[str, Value]
    marks: dict[str, Mark]
    trouble: str | None
    mismatched: bool
    ages: dict[str, float] = {}
    sent: dict[str, float] = {}


class BusStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A bus now. `polls` counts requests, `errors` those without a usable answer, by cause.

    `utilisation` is the wire time of answered requests by the formula, over the time since the start.
    """

    name: str
    port: str
    baud: int
    open: bool
    polls: int
    errors: dict[str, int]
    utilisation: float
    trouble: str | None
    devices: list[DeviceStatus]
