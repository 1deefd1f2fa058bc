"""What stands in for fitted parts: a converter, an SHT3x on I2C, a DS18B20 on 1-Wire; and time that runs."""


class Converter:
    def __init__(self, mv=0):
        self.mv = mv

    def read_uv(self):
        return self.mv * 1000


def run(thing, start, ms, each=20):
    for now in range(start, start + ms, each):
        thing.step(now)
    return start + ms


class Bus:
    """An I2C bus with an SHT3x: 0x6666 is 25.0 degrees and 40.0 %."""

    def __init__(self):
        self.frame = b"\x66\x66\x93\x66\x66\x93"
        self.there = True
        self.busy = 0
        self.commands = []

    def writeto(self, address, data):
        if not self.there:
            raise OSError(19)
        self.commands.append((address, bytes(data)))

    def readfrom_into(self, address, data):
        if not self.there or self.busy:
            self.busy = max(0, self.busy - 1)
            raise OSError(19)
        for index in range(6):
            data[index] = self.frame[index]


class Wire:
    """A 1-Wire bus with a DS18B20. The scratchpad is the data sheet's +25.0625 degrees (0191h) with its CRC."""

    def __init__(self):
        self.pad = bytearray(b"\x91\x01\x4b\x46\x7f\xff\x0f\x10\x25")
        self.there = True
        self.sent = []
        self.most = 0
        self.moved = 0

    def reset(self):
        self.at = 0
        return self.there

    def writebyte(self, value):
        self.sent.append(value)

    def readbyte(self):
        self.moved += 1
        self.at += 1
        return self.pad[self.at - 1]

    def crc8(self, data):
        crc = 0
        for value in data:
            crc ^= value
            for _ in range(8):
                crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
        return crc


def with_crc(wire, pad):
    pad[8] = 0
    pad[8] = wire.crc8(pad[:8])
    return pad
