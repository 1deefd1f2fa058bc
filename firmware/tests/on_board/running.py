"""A board of a role with its meter fed by the test, 100 ms a step. For the scripts beside it."""

import os

import harness
import settings
import table
from bl0942 import Bl0942
from live import Live
from memory import Memory
from registers import INPUT, Bank


class Bus:
    frames = 0

    class framer:
        broken = 0


class Running:
    """A board of a role with its meter fed by the test, 100 ms a step."""

    def __init__(self, role="breaker", **more):
        for name in os.listdir():
            os.remove(name)
        self.now = 0
        self.board = harness.Board()
        self.uart = harness.Uart()
        given = {"role": role, "serial": "GW-000001", "address": 7, "rating": 16}
        given.update(more)
        self.settings = settings.parse(given)
        self.bank = Bank(table.BREAKER if role == "breaker" else table.SENSOR)
        self.meter = Bl0942(self.uart, 100, 3824, 0)
        self.memory = Memory(0)
        self.live = Live(self.bank, self.settings, self.memory.boots, 1, 0)
        if role == "breaker":
            from breaker import Breaker
            from field_breaker import FieldOfBreaker

            field = FieldOfBreaker(self.board, self.settings, self.meter, self.bank, 0)
            self.role = Breaker(self.board, self.settings, self.meter, self.memory, self.live, 0, field)
        else:
            from sensor import Sensor

            self.role = Sensor(self.settings, self.meter, self.memory, self.live, 0)

    def feel(self, amps, seconds=0.1, watts=None):
        for _ in range(int(seconds * 10 + 0.5)):
            self.now += 100
            flows = amps if self.board.contact.level else 0
            power = flows * 230 * 0.95 if watts is None else watts
            self.uart.feed(harness.meter_frame(flows, 230, power))
            self.meter.step(self.now)
            self.uart.sent()
            self.role.step(self.now)
            self.live.running(Bus, self.now)
            if self.board.trip.level:
                self.board.contact.level = 0

    def word(self, name, kind=INPUT):
        return self.bank.cells[kind][self.bank.at(name)]

    def long(self, name, kind=INPUT):
        address = self.bank.at(name)
        return self.bank.cells[kind][address] << 16 | self.bank.cells[kind][address + 1]

    def state(self, name):
        return bool(self.word(b"state") & self.live.mask(name))
