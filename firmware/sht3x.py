"""Sensirion SHT3x on I2C: temperature and humidity of the air, each word with its CRC-8.

Single shots of high repeatability without clock stretching (2400h): the chip needs at most 15 ms (data sheet).
A sensor that does not answer, or answers with a wrong CRC, grows old and becomes a fault; it never stops the loop.
"""

from time import ticks_diff

from micropython import const
from reading import Reading

_ADDRESS = const(0x44)
_SINGLE_SHOT = b"\x24\x00"
_EVERY_MS = const(2000)
_READY_MS = const(20)
_LATEST_MS = const(200)
_STALE_MS = const(10_000)


def crc8(data: bytearray, start: int) -> int:
    """CRC-8 of two bytes: polynomial 31h, start value FFh; of BEEFh it is 92h (data sheet)."""
    crc = 0xFF
    for index in range(start, start + 2):
        crc ^= data[index]
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc


class Sht3x(Reading):
    """`value` in 0.1 degrees Celsius, `humidity` in 0.1 %. `damaged` counts what was thrown away."""

    def __init__(self, i2c, now: int) -> None:
        super().__init__(_STALE_MS, now)
        self.i2c = i2c
        self.humidity = 0
        self.damaged = 0
        self._data = bytearray(6)
        self._asked = False
        self._at = now

    def step(self, now: int) -> None:
        self.watch(now)
        since = ticks_diff(now, self._at)
        try:
            if self._asked and since >= _READY_MS:
                self.i2c.readfrom_into(_ADDRESS, self._data)
                self._asked = False
                self._use(now)
            elif since >= _EVERY_MS:
                self._at = now
                self._asked = False
                self.i2c.writeto(_ADDRESS, _SINGLE_SHOT)
                self._asked = True
        except OSError:
            # While it measures it does not acknowledge: asked again until it is surely too late.
            if not self._asked or since >= _LATEST_MS:
                self._asked = False
                self.damaged += 1

    def _use(self, now: int) -> None:
        data = self._data
        if crc8(data, 0) != data[2] or crc8(data, 3) != data[5]:
            self.damaged += 1
            return
        celsius = (data[0] << 8 | data[1]) * 1750 // 65535 - 450
        if not -400 <= celsius <= 1250:  # what the sensor can measure
            self.damaged += 1
            return
        self.humidity = (data[3] << 8 | data[4]) * 1000 // 65535
        self.heard(celsius, now)
