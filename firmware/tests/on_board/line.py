"""A slave on a bus in virtual time, for the scripts that talk to it. It tests nothing by itself."""

import harness
import table
from crc16 import crc16
from inbox import Inbox
from journal import Journal
from modbus import Slave
from registers import INPUT, Bank

UNIT = 5
NUMBER = b"\x24\x0a\xc4\x12\x34\x56"  # of the chip
PAUSE_US = 4000  # t3.5 at 9600 baud is 3646 us
SILENCE_US = 50000


class Bus:
    """A slave and the test as everybody else on the pair. `ask` gives what the slave says, without CRC."""

    def __init__(self, echo=False):
        self.uart = harness.Uart()
        self.de = harness.Pin()
        self.bank = Bank(table.BREAKER)
        self.writes = []
        self.now = 1000
        objects = {0: b"Gewu", 1: b"gewu-breaker", 2: b"1.2", 4: b"gewu-breaker", 5: b"x", 0x80: b"GW-000001"}
        objects[256] = bytearray(b"\0\x41\0\1" + NUMBER + b"GW-000001" + bytes(7))
        self.journal = Journal(1, 0)
        self.inbox = Inbox(self.journal)
        self.slave = Slave(self.uart, self.de, self.bank, UNIT, 1042, objects, self.written, self.inbox, self.now)
        self.echo = echo
        for address in range(len(self.bank.cells[INPUT])):
            self.bank.cells[INPUT][address] = 0x100 * address + 7

    def written(self, kind, address, count):
        self.writes.append((kind, address, count))

    def pass_time(self, us):
        self.now += us
        self.slave.step(self.now)

    def hear(self, data):
        self.uart.feed(data)
        self.pass_time(100)

    def said(self):
        """What the slave sends within t3.5 of now; its echo comes back where the transceiver hears itself."""
        self.pass_time(PAUSE_US)
        data = self.uart.sent()
        if data:
            self.pass_time(len(data) * 1042)
            if self.echo:
                self.hear(data)
        return data

    def ask(self, body):
        self.hear(frame(body))
        data = self.said()
        if not data:
            return None
        assert crc16(data, 0, len(data)) == 0
        return data[:-2]


def frame(body):
    crc = crc16(body, 0, len(body))
    return bytes(body) + bytes((crc & 0xFF, crc >> 8))


def words(function, address, count, unit=UNIT):
    return bytes((unit, function, address >> 8, address & 0xFF, count >> 8, count & 0xFF))


def refused(bus, body, code):
    assert bus.ask(body) == bytes((UNIT, body[1] | 0x80, code)), (body, code)
