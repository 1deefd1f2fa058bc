"""What the fields of a breaker and of a sensor share: the temperature probe, and how a reading stands in a register."""

from analogue import Thermistor
from micropython import const

UNKNOWN = const(-32768)

# What a register says instead of a value; outside every profile's `valid`.
UNFITTED, FAULT = const(0xFFFF), const(0xFFFE)
SIGNED_UNFITTED, SIGNED_FAULT = const(0x8000), const(0x8001)


def probe(board, settings, now: int):
    """The temperature probe that is fitted, or None."""
    if "ntc" in settings.fitted:
        return Thermistor(board.analogue("ntc"), settings.ntc_ohm, settings.ntc_beta, settings.ntc_series_ohm, now)
    if "ds18b20" in settings.fitted:
        from ds18b20 import Ds18b20

        return Ds18b20(board.onewire(), now)
    return None


def word(reading, unfitted: int, fault: int) -> int:
    """The register of a reading."""
    if reading is None:
        return unfitted
    if reading.fault or not reading.known:
        return fault
    return reading.value & 0xFFFF


def age_word(reading, now: int) -> int:
    return UNFITTED if reading is None else reading.age(now)
