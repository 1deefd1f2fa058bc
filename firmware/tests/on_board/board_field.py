"""What is fitted beside the metering chip: roles into registers."""

import os

import harness
import micropython
import settings
import table
from field_breaker import FieldOfBreaker
from field_sensor import FieldOfSensor
from fitted import Bus, Converter, Wire, run, with_crc
from memory import Memory
from panel import Panel
from reading import UNKNOWN
from registers import INPUT, Bank
from slots import Slots


class Edge(harness.Pin):
    """A pin with a counter, as board.Edges."""

    count = 0


class Meter:
    armed = True


class Board(harness.Board):
    """Every input is the test's own."""

    def __init__(self):
        super().__init__()
        self.adc = {"ntc": Converter(600), "gas": Converter(300), "residual": Converter(250)}
        self.edge = {}
        self.bus = Bus()
        self.wire = Wire()
        with_crc(self.wire, self.wire.pad)
        self.opened = False

    def analogue(self, name):
        return self.adc[name]

    def edges(self, name, quiet):
        return self.edge.setdefault(name, Edge(0))

    def i2c(self):
        return self.bus

    def onewire(self):
        return self.wire

    def open_siren(self):
        self.opened = True


ALL_OF_A_SENSOR = ["ds18b20", "sht3x", "smoke", "water", "door", "sos", "motion", "pulse", "gas", "arc", "siren"]
ALL_OF_A_BREAKER = ["residual", "residual_output", "fast_output", "arc", "ntc", "siren"]


def chosen(role, fitted):
    given = {"role": role, "serial": "GW-1", "address": 7, "rating": 16, "fitted": fitted}
    if "gas" in fitted:
        given["gas_alarm_mv"] = 1500
        given["gas_warm_s"] = 0
    if "residual" in fitted:
        given["residual_ua_per_mv"] = 7
    return settings.parse(given)


class Of:
    def __init__(self, role, fitted):
        for name in os.listdir():
            os.remove(name)
        self.board = Board()
        self.bank = Bank(table.BREAKER if role == "breaker" else table.SENSOR)
        self.memory = Memory(0)
        self.now = 0
        given = chosen(role, fitted)
        if role == "breaker":
            self.field = FieldOfBreaker(self.board, given, Meter(), self.bank, 0)
        else:
            for name in ("smoke", "water", "sos", "arc"):
                self.board.input(name).level = 1
            self.board.input("door").level = 0
            self.board.input("motion").level = 0
            self.field = FieldOfSensor(self.board, given, self.memory, self.bank, 0)

    def run(self, ms):
        self.now = run(self.field, self.now, ms)

    def word(self, name):
        return self.bank.cells[INPUT][self.bank.at(name)]


def test_a_sensor_with_nothing_fitted_says_so():
    of = Of("sensor", [])
    of.run(5000)
    assert of.word(b"temperature") == of.word(b"probe_temperature") == 0x8000
    assert of.word(b"humidity") == of.word(b"gas_level") == 0xFFFF
    assert of.word(b"climate_age") == of.word(b"probe_age") == of.word(b"gas_age") == 0xFFFF
    assert of.word(b"inputs") == of.word(b"sensors") == 0
    assert not of.board.opened


def test_a_sensor_shows_all_that_is_fitted():
    of = Of("sensor", ALL_OF_A_SENSOR)
    of.run(100)
    assert of.word(b"temperature") == of.word(b"probe_temperature") == 0x8001  # nothing heard yet
    of.run(4000)
    assert of.word(b"inputs") == 0
    assert of.word(b"sensors") == 0x7FF
    assert (of.word(b"temperature"), of.word(b"humidity")) == (250, 400)
    assert of.word(b"probe_temperature") == 250
    assert of.word(b"gas_level") == 300
    assert of.field.alarms == 0
    for index, name in enumerate(("smoke", "water", "door", "sos")):
        of.board.input(name).level ^= 1
        of.run(200)
        assert of.word(b"inputs") == of.field.alarms == (2 << index) - 1, name
    of.board.input("motion").level = 1
    of.board.adc["gas"].mv = 1800
    of.board.input("arc").level = 0
    of.run(1000)
    assert of.word(b"inputs") == 0xFF
    assert of.field.alarms == 0xCF  # motion is no alarm
    assert of.word(b"sos_count") == 1
    of.board.bus.there = False
    of.board.wire.there = False
    of.run(15000)
    assert of.word(b"sensors") & 0xC000 == 0xC000
    assert of.word(b"temperature") == of.word(b"probe_temperature") == 0x8001
    assert of.word(b"humidity") == 0xFFFE


def test_pulses_outlive_a_power_cut_and_do_not_wear_the_flash():
    of = Of("sensor", ["pulse"])
    of.board.edge["pulse"].count = 65530
    of.run(40)
    of.memory.pulses = 100
    of.board.edge["pulse"].count = 4  # wrapped at 16 bits: ten more
    of.run(40)
    assert of.memory.pulses == 110
    for now in (0, 3600001):
        of.memory.note(now, 0, 0, 0, 0, 0)
        of.memory.step(now)
    assert Memory(0).pulses == 110
    before = [os.stat(name)[8] for name in os.listdir()], Slots("memory").load()["seq"]
    for now in range(3600001, 7100000, 60000):
        of.memory.note(now, 0, 0, 0, 0, 0)
        of.memory.step(now)
    assert Slots("memory").load()["seq"] == before[1]


def test_a_breaker_shows_all_that_is_fitted():
    of = Of("breaker", ALL_OF_A_BREAKER)
    of.board.input("arc").level = 1
    of.run(1000)
    assert of.word(b"sensors") == 0x3F
    assert of.word(b"residual") == of.field.residual == 0
    assert of.word(b"inputs") == 8  # the chip's thresholds stand
    assert abs(of.field.temperature - 251) <= 10, of.field.temperature
    of.board.adc["residual"].mv = 1679
    of.board.input("arc").level = 0
    of.board.edge["residual_output"].count += 1  # shorter than a look
    of.run(20)
    assert of.field.module
    of.run(100)
    assert not of.field.module
    assert abs(of.field.residual - 20) <= 1
    assert of.field.arc
    of.board.edge["fast_output"].level = 1
    of.run(20)
    assert of.field.fast
    of.board.adc["residual"].mv = 142
    of.board.adc["ntc"].mv = 142
    of.run(3000)
    assert (of.field.residual, of.field.temperature) == (-1, UNKNOWN)
    assert of.word(b"residual") == 0xFFFE
    assert of.word(b"terminal_temperature") == 0x8001
    assert of.word(b"sensors") == 0x33F


def test_the_chip_s_pin_means_nothing_before_its_thresholds_stand():
    of = Of("breaker", ["fast_output"])
    Meter.armed = False
    try:
        of.board.edge["fast_output"].level = 1
        of.run(100)
        assert not of.field.fast
        assert of.board.output("fast_enable").level == 0
    finally:
        Meter.armed = True
    of.run(20)
    assert of.field.fast
    assert of.board.output("fast_enable").level == 1


def test_a_breaker_with_nothing_fitted_says_so():
    of = Of("breaker", [])
    of.run(1000)
    assert of.word(b"residual") == of.word(b"residual_age") == of.word(b"terminal_age") == 0xFFFF
    assert of.word(b"terminal_temperature") == 0x8000
    assert (of.field.residual, of.field.temperature) == (-1, UNKNOWN)


def test_the_siren_sounds_with_no_gateway_and_is_silenced():
    of = Of("sensor", ["smoke", "door", "siren"])
    panel = Panel(of.board, of.bank, 0)
    panel.quiet = 4 << 16
    panel.step(0, 4 << 16, False)
    assert (of.board.lamp.level, of.board.siren.level) == (1, 0)  # a door lights the lamp only
    panel.step(20, 5 << 16, False)
    assert (of.board.lamp.level, of.board.siren.level) == (1, 1)
    panel.silenced = True
    panel.step(40, 5 << 16, False)
    assert (of.board.lamp.level, of.board.siren.level) == (0, 0)


def test_a_step_allocates_nothing():
    sensor = Of("sensor", ALL_OF_A_SENSOR)
    breaker = Of("breaker", ALL_OF_A_BREAKER)
    sensor.run(4000)
    breaker.run(4000)
    sensor.board.bus.writeto = lambda _address, _data: None
    sensor.board.wire.writebyte = lambda _value: None
    micropython.heap_lock()
    try:
        for now in range(4000, 12000, 20):
            sensor.field.step(now)
            breaker.field.step(now)
    finally:
        micropython.heap_unlock()
    assert sensor.word(b"temperature") == 250


harness.run(globals())
