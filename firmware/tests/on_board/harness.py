"""Runs the tests of one script inside MicroPython and gives them the outside of a board.

A test is a function whose name begins with test_. Each prints one line, "ok NAME" or "FAIL NAME" with the
traceback, which ../test_on_board.py reads.
"""

import sys


class Uart:
    """A UART whose other end is the test: `feed` what arrives, read `sent`. Neither end allocates."""

    def __init__(self):
        self.waiting = bytearray(1024)
        self.head = 0
        self.tail = 0
        self.out = bytearray(4096)
        self.size = 0

    def feed(self, data):
        for byte in data:
            self.waiting[self.tail] = byte
            self.tail += 1

    def readinto(self, buffer):
        count = 0
        while self.head < self.tail and count < len(buffer):
            buffer[count] = self.waiting[self.head]
            self.head += 1
            count += 1
        if self.head == self.tail:
            self.head = self.tail = 0
        return count or None

    def write(self, data):
        for index in range(len(data)):
            self.out[self.size] = data[index]
            self.size += 1
        return len(data)

    def txdone(self):
        return True

    def sent(self):
        data = bytes(self.out[: self.size])
        self.size = 0
        return data


class Pin:
    def __init__(self, level=0):
        self.level = level
        self.highs = 0

    def value(self, level=None):
        if level is None:
            return self.level
        if level and not self.level:
            self.highs += 1
        self.level = level
        return None


class Board:
    """The pins of a board, contact closed."""

    def __init__(self):
        self.trip = Pin()
        self.lamp = Pin()
        self.led = Pin()
        self.siren = Pin()
        self.bus_de = Pin()
        self.contact = Pin(1)
        self.pins = {}

    def output(self, name):
        return self.pins.setdefault(name, Pin())

    def input(self, name):
        """High, as a pull-up leaves it, unless a test has set it before."""
        return self.pins.setdefault(name, Pin(1))

    def edges(self, name, level):
        """Low and never risen."""
        pin = self.pins.setdefault(name, Pin())
        pin.count = 0
        return pin


def meter_frame(amps, volts, watts, hertz=50.0, shunt_uohm=100, divider=3824):
    """23 bytes of a BL0942 that sees these values, by the formulas of the data sheet."""
    current = int(min(amps * shunt_uohm / 1000, 29.698485) * 305978 / 1.218 + 0.5)
    voltage = int(volts * 1000 / divider * 73989 / 1.218 + 0.5)
    watt = int(watts * shunt_uohm / divider * 3537 / 1.483524 + (0.5 if watts >= 0 else -0.5)) & 0xFFFFFF
    period = int(1000000 / hertz + 0.5)
    frame = bytearray(b"\x55")
    for number in (current, voltage, 0, watt, 0):
        frame += bytes((number & 0xFF, number >> 8 & 0xFF, number >> 16 & 0xFF))
    frame += bytes((period & 0xFF, period >> 8, 0, 0, 0, 0))
    frame.append(~(0x58 + sum(frame)) & 0xFF)
    return bytes(frame)


def run(names):
    for name in sorted(names):
        if not name.startswith("test_"):
            continue
        try:
            names[name]()
            print("ok", name)
        except Exception as error:
            print("FAIL", name)
            sys.print_exception(error, sys.stdout)
