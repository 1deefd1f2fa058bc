"""One DS18B20 on a 1-Wire bus of its own: a conversion, then the scratchpad with its CRC.

`wire` is MicroPython's OneWire. A bit takes 70 us with interrupts off, so a step moves at most three bytes and a
reset: it never holds the loop for more than 3 ms. One that is not there grows old and becomes a fault.
"""

from time import ticks_diff

from micropython import const
from reading import Reading

_SKIP_ROM = const(0xCC)
_CONVERT = const(0x44)
_READ = const(0xBE)
_EVERY_MS = const(2000)
_CONVERTS_MS = const(800)  # 12 bits: 750 ms (data sheet)
_STALE_MS = const(10_000)
_POWER_ON = const(850)  # 85.0 degrees: the scratchpad of a sensor that has not converted
_NEAR = const(50)  # 5 degrees

_IDLE = const(0)
_CONVERTING = const(1)
_READING = const(2)


class Ds18b20(Reading):
    """`value` in 0.1 degrees Celsius. `damaged` counts what was thrown away."""

    def __init__(self, wire, now: int) -> None:
        super().__init__(_STALE_MS, now)
        self.wire = wire
        self.damaged = 0
        self._data = bytearray(9)
        self._state = _IDLE
        self._got = 0
        self._at = now

    def step(self, now: int) -> None:
        self.watch(now)
        since = ticks_diff(now, self._at)
        if self._state == _IDLE:
            if since >= _EVERY_MS:
                self._at = now
                self._command(_CONVERT, _CONVERTING)
        elif self._state == _CONVERTING:
            if since >= _CONVERTS_MS:
                self._got = 0
                self._command(_READ, _READING)
        else:
            for _ in range(3):
                self._data[self._got] = self.wire.readbyte()
                self._got += 1
            if self._got == 9:
                self._state = _IDLE
                self._use(now)

    def _command(self, command: int, then: int) -> None:
        self._state = _IDLE
        if not self.wire.reset():
            self.damaged += 1
            return
        self.wire.writebyte(_SKIP_ROM)
        self.wire.writebyte(command)
        self._state = then

    def _use(self, now: int) -> None:
        data = self._data
        raw = data[0] | data[1] << 8
        if raw & 0x8000:
            raw -= 0x10000
        celsius = raw * 10 // 16
        jumped = celsius == _POWER_ON and not (self.known and abs(self.value - _POWER_ON) <= _NEAR)
        # A bus held to ground reads zeros, and their CRC is zero too: the configuration byte ends in ones.
        if self.wire.crc8(data) != 0 or data[4] & 0x1F != 0x1F or jumped or not -550 <= celsius <= 1250:
            self.damaged += 1
            return
        self.heard(celsius, now)
