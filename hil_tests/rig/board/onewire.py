"""The `onewire` module of a virtual board: one DS18B20 at the end of the wire. Runs in MicroPython.

The ESP32's own moves bits; here commands are understood a byte at a time. The scratchpad that the rig has put on
the pin (nothing: nobody answers the reset) is what the next conversion finds.
"""

import machine

__file__ = "built in"  # as `machine`

_SKIP_ROM = 0xCC
_CONVERT = 0x44
_READ_SCRATCHPAD = 0xBE
_POWER_ON = b"\x50\x05\x4b\x46\x7f\xff\x0c\x10\x1c"  # 85 degrees: nothing converted yet


class OneWireError(Exception):
    pass


class OneWire:
    SEARCH_ROM = 0xF0
    MATCH_ROM = 0x55
    SKIP_ROM = 0xCC

    def __init__(self, pin):
        self.pin = pin
        self._scratchpad = _POWER_ON
        self._addressed = False
        self._reading = b""

    def _there(self):
        machine._listen()
        return machine._scratchpads.get(self.pin._id, b"")

    def reset(self, required=False):
        self._addressed = False
        self._reading = b""
        if self._there():
            return True
        self._scratchpad = _POWER_ON  # whoever is plugged in anew has lost its power
        if required:
            raise OneWireError
        return False

    def writebyte(self, value):
        if not self._addressed:
            self._addressed = value == _SKIP_ROM
        elif value == _CONVERT:
            self._scratchpad = self._there() or _POWER_ON
        elif value == _READ_SCRATCHPAD:
            self._reading = self._scratchpad

    def write(self, buf):
        for value in buf:
            self.writebyte(value)

    def readbyte(self):
        if not self._reading:
            return 0xFF
        value = self._reading[0]
        self._reading = self._reading[1:]
        return value

    def readinto(self, buf):
        for index in range(len(buf)):
            buf[index] = self.readbyte()

    def crc8(self, data):
        crc = 0
        for value in data:
            crc ^= value
            for _ in range(8):
                crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
        return crc
