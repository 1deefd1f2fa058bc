"""What this board is: role, address, bus, rating. Read from two slots in the root of the flash.

A board without valid settings still answers, on address 247 at 9600 8N1, with `configured` False: it says what
it is missing and moves nothing. This module never decides what a role does.
"""

from binascii import crc32

import protection_settings
from micropython import const
from slots import Slots

NAME = "settings"
_UNCONFIGURED_ADDRESS = const(247)
_PPM = "_ppm"

# What may be fitted beside the metering chip, by role. One text each: the names would stay in the heap for ever.
FITTED = {
    "breaker": "residual residual_output residual_test fast_output over_capacity arc lockout acknowledge "
    "ntc ds18b20 siren",
    "sensor": "ntc ds18b20 sht3x smoke water door sos motion pulse gas arc siren",
}


class Settings:
    """Plain values, already checked. See docs/firmware.md for each.

    The defaults belong to the class and no function does, so that a board that has read its settings can let go of
    this module: its heap needs the room.
    """

    configured = False
    digest = 0
    trouble = "no settings"
    role = "sensor"
    serial = b""
    address = _UNCONFIGURED_ADDRESS
    baud = 9600
    parity = "N"
    stopbits = 1
    rating = 1
    curve = "C"
    shunt_uohm = 1600
    divider = 5789
    factor = (1_000_000, 1_000_000, 1_000_000)
    meter_baud = 9600
    pins: "dict | tuple" = ()
    key = ""
    signer = ""
    meter = "bl0942"
    fitted: tuple = ()
    ntc_ohm = 10_000
    ntc_beta = 3950
    ntc_series_ohm = 2200
    residual_zero_mv = 500
    residual_ua_per_mv = 0
    residual_divider = 2000
    gas_alarm_mv = 0
    gas_warm_s = 180
    occupied_s = 300
    protection = protection_settings.Chosen()


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


def _hex(record: dict, key: str, sizes) -> str:
    """So many hexadecimal digits, or none. Its value is not said: it may be secret."""
    value = record.get(key, "")
    try:
        if value == "" or (len(value) in sizes and int(value, 16) > 0):
            return value
    except (TypeError, ValueError):
        pass  # said below
    raise ValueError("%s is not %s hexadecimal digits" % (key, " or ".join([str(size) for size in sizes])))


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
    # 1.91 Mohm over 330 ohm: the BL0942 reaches 409 V, so that overvoltage is seen.
    result.divider = _whole(record, "divider", 5789, 100, 20_000)
    result.factor = _parse_gains(record)
    result.meter_baud = _choice(record, "meter_baud", 9600, (4800, 9600, 19200, 38400))
    result.pins = record.get("pins", {})
    if not isinstance(result.pins, dict):
        raise ValueError("pins is no object")
    for name in result.pins:
        _whole(result.pins, name, None, -1, 39)
    result.key = _hex(record, "key", (64,))
    result.signer = _hex(record, "signer", (512, 768))
    _parse_fitted(record, result)
    result.protection = protection_settings.parse(record.get("protection", {}))
    result.configured = True
    result.trouble = ""
    return result


def _parse_gains(record: dict) -> tuple:
    """Millionths of the design's current, voltage and power; settings from before calibration have none."""
    current = _whole(record, "current" + _PPM, 0, -100_000, 100_000)
    voltage = _whole(record, "voltage" + _PPM, 0, -100_000, 100_000)
    # The chip multiplies what it has measured, so its power is off by both.
    # No new word: "power" is one already, and each costs the heap.
    power = _whole(record, "power" + _PPM, current + voltage + current * voltage // 1_000_000, -220_000, 220_000)
    return 1_000_000 + current, 1_000_000 + voltage, 1_000_000 + power


def _parse_fitted(record: dict, result: Settings) -> None:
    """The metering chip and what is fitted beside it."""
    result.meter = _choice(record, "meter", "bl0942", ("bl0942", "ade7953"))
    if result.meter == "ade7953" and result.divider * result.factor[2] > 1_900_000_000 * result.shunt_uohm:
        raise ValueError("divider is %s" % result.divider)  # its power would outgrow the board's integers
    fitted = record.get("fitted", [])
    if not isinstance(fitted, list):
        raise ValueError("fitted is no list")
    for name in fitted:
        if name not in FITTED[result.role].split():
            raise ValueError("fitted has %s" % name)
    result.fitted = tuple(fitted)
    # A 10 kohm thermistor of B 3950 to 3.3 V and 2200 ohm to ground: 0.16 V at -5 degrees, 2.96 V at 140.
    result.ntc_ohm = _whole(record, "ntc_ohm", 10_000, 100, 1_000_000)
    result.ntc_beta = _whole(record, "ntc_beta", 3950, 2000, 6000)
    result.ntc_series_ohm = _whole(record, "ntc_series_ohm", 2200, 100, 100_000)
    result.residual_zero_mv = _whole(record, "residual_zero_mv", 500, 0, 5000)
    # No default: it stands in the data sheet of the module that is fitted.
    least = 1 if "residual" in fitted else 0
    result.residual_ua_per_mv = _whole(record, "residual_ua_per_mv", 0, least, 10_000)
    result.residual_divider = _whole(record, "residual_divider", 2000, 1000, 10_000)
    if "residual" in fitted and result.residual_zero_mv * 1000 // result.residual_divider < 200:
        raise ValueError("residual_zero_mv is below what the converter sees")
    least = 150 if "gas" in fitted else 0
    result.gas_alarm_mv = _whole(record, "gas_alarm_mv", 0, least, 3000)
    result.gas_warm_s = _whole(record, "gas_warm_s", 180, 0, 3600)
    result.occupied_s = _whole(record, "occupied_s", 300, 10, 3600)


def digest(record: dict) -> int:
    """CRC-32 over what holds, sorted by name: is a board set as somebody thinks? Nothing secret goes into it."""
    found = 0
    for name in sorted(record):
        if name not in ("seq", "key", "signer"):
            found = crc32(("%s=%s;" % (name, _flat(record[name]))).encode(), found)
    return found & 0xFFFFFFFF


def _flat(value):
    if isinstance(value, dict):
        return ",".join(["%s:%s" % (name, value[name]) for name in sorted(value)])
    return ",".join(value) if isinstance(value, list) else value


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
        result = parse(record)
        result.digest = digest(record)
    except ValueError as error:
        result = Settings()
        result.trouble = str(error)
    return result
