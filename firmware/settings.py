"""What this board is: role, address, bus, rating. Read from two slots in the root of the flash.

A board without valid settings still answers, on address 247 at 9600 8N1, with `configured` False: it says what
it is missing and moves nothing. This module never decides what a role does.
"""

from slots import Slots

NAME = "settings"
UNCONFIGURED_ADDRESS = 247


class Settings:
    """Plain values, already checked. See docs/firmware.md for each."""

    def __init__(self) -> None:
        self.configured = False
        self.trouble = "no settings"
        self.role = "sensor"
        self.serial = b""
        self.address = UNCONFIGURED_ADDRESS
        self.baud = 9600
        self.parity = "N"
        self.stopbits = 1
        self.rating = 1
        self.curve = "C"
        self.shunt_uohm = 1600
        self.divider = 3824
        self.meter_baud = 9600
        self.pins = {}


def _choice(record: dict, key: str, default, allowed):
    value = record.get(key, default)
    if value not in allowed:
        raise ValueError("%s is %s" % (key, value))
    return value


def _whole(record: dict, key: str, default, low: int, high: int) -> int:
    value = record.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError("%s is %s" % (key, value))
    return value


def parse(record: dict) -> Settings:
    """Settings from the JSON object. Raises ValueError naming the key that is wrong."""
    result = Settings()
    result.role = _choice(record, "role", None, ("breaker", "sensor"))
    serial = record.get("serial", "")
    if not isinstance(serial, str) or not 1 <= len(serial.encode()) <= 16:
        raise ValueError("serial is %s" % serial)
    result.serial = serial.encode()
    result.address = _whole(record, "address", None, 1, 247)
    result.baud = _whole(record, "baud", 9600, 300, 1_000_000)
    result.parity = _choice(record, "parity", "N", ("N", "E"))
    result.stopbits = _whole(record, "stopbits", 1, 1, 2)
    result.rating = _whole(record, "rating", None, 1, 125)
    result.curve = _choice(record, "curve", "C", ("B", "C", "D"))
    # 1600 uohm / In puts 1 In at 1.6 mV, and the chip's full scale of 29.7 mV at 18.5 In.
    result.shunt_uohm = _whole(record, "shunt_uohm", 1600 // result.rating, 10, 100_000)
    result.divider = _whole(record, "divider", 3824, 100, 20_000)
    result.meter_baud = _choice(record, "meter_baud", 9600, (4800, 9600, 19200, 38400))
    result.pins = record.get("pins", {})
    if not isinstance(result.pins, dict):
        raise ValueError("pins is no object")
    for name in result.pins:
        _whole(result.pins, name, None, -1, 39)
    result.configured = True
    result.trouble = ""
    return result


def load() -> Settings:
    """The settings of this board; never raises for what lies in the slots."""
    slots = Slots(NAME)
    record = slots.load()
    if record is None:
        result = Settings()
        if slots.damaged:
            result.trouble = "settings damaged"
        return result
    try:
        return parse(record)
    except ValueError as error:
        result = Settings()
        result.trouble = str(error)
        return result
