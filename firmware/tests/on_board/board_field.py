"""What is fitted beside the metering chip: drivers against true byte sequences and levels, roles into registers."""

import os

import harness
import micropython
import settings
import table
from analogue import Gas, Residual, Thermistor
from contacts import Contact, Motion
from ds18b20 import Ds18b20
from field_breaker import FieldOfBreaker
from field_sensor import FieldOfSensor
from memory import Memory
from panel import Panel
from reading import UNKNOWN
from registers import INPUT, Bank
from sht3x import Sht3x, crc8
from slots import Slots


class Converter:
    def __init__(self, mv=0):
        self.mv = mv

    def read_uv(self):
        return self.mv * 1000


class Edge(harness.Pin):
    """A pin with a counter, as board.Edges."""

    count = 0


class Meter:
    armed = True


def run(thing, start, ms, each=20):
    for now in range(start, start + ms, each):
        thing.step(now)
    return start + ms


def thermistor(mv):
    adc = Converter(mv)
    return adc, Thermistor(adc, 10000, 3950, 2200, 0)


def test_a_thermistor_follows_the_beta_formula():
    # 10 kohm, B 3950 to 3.3 V, 2200 ohm to ground; resistances computed by hand from the formula.
    for celsius, ohm in ((0, 33620), (25, 10000), (50, 3588), (71, 1714), (90, 916.6), (120, 400.7), (140, 247.6)):
        mv = int(3300 * 2200 / (2200 + ohm) + 0.5)
        _adc, probe = thermistor(mv)
        run(probe, 0, 600)
        assert abs(probe.value - 10 * celsius) <= 12, (celsius, probe.value)


def test_a_thermistor_that_is_open_or_shorted_is_a_fault():
    for mv in (0, 142, 3150, 3300):
        adc, probe = thermistor(600)
        now = run(probe, 0, 1000)
        assert not probe.fault
        adc.mv = mv
        now = run(probe, now, 2600)
        assert probe.fault, mv
        assert 2000 < probe.age(now) < 3000
        adc.mv = 600
        run(probe, now, 600)
        assert not probe.fault


def test_the_residual_module_s_output_becomes_milliamperes():
    adc = Converter(250)
    sensor = Residual(adc, 500, 7, 2000, 0)
    now = run(sensor, 0, 100)
    assert sensor.value == 0
    for mv, wanted in ((964, 10), (1679, 20), (2425, 30)):
        adc.mv = mv
        now = run(sensor, now, 100)
        assert abs(sensor.value - wanted) <= 1, (mv, sensor.value)
    for mv in (142, 2700):  # broken wire; above what the module gives
        adc.mv = 600
        now = run(sensor, now, 100)
        assert not sensor.fault
        adc.mv = mv
        now = run(sensor, now, 2200)
        assert sensor.fault, mv


def test_gas_warms_up_alarms_and_calms_down():
    adc = Converter(2000)
    sensor = Gas(adc, 1500, 3, 0)
    now = run(sensor, 0, 2900)
    assert sensor.fault
    assert not sensor.alarm
    now = run(sensor, now, 1000)
    assert not sensor.fault
    assert sensor.alarm
    adc.mv = 1400
    now = run(sensor, now, 1000)
    assert sensor.alarm
    adc.mv = 1340
    run(sensor, now, 1000)
    assert not sensor.alarm


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


def test_sht3x_s_crc_is_the_data_sheet_s():
    assert crc8(bytearray(b"\xbe\xef"), 0) == 0x92


def test_sht3x_measures_by_single_shots():
    bus = Bus()
    sensor = Sht3x(bus, 0)
    run(sensor, 0, 2100)
    assert bus.commands == [(0x44, b"\x24\x00")]
    assert (sensor.value, sensor.humidity) == (250, 400)
    bus.busy = 3  # not ready yet: asked again
    now = run(sensor, 2100, 2100)
    assert sensor.damaged == 0
    assert sensor.age(now) < 300


def test_sht3x_that_is_damaged_absurd_or_gone_is_a_fault():
    for change in (
        lambda bus: setattr(bus, "frame", b"\x66\x66\x94\x66\x66\x93"),
        lambda bus: setattr(bus, "frame", b"\x66\x66\x93\x66\x67\x93"),
        lambda bus: setattr(bus, "frame", b"\xff\xff\xac\x66\x66\x93"),  # 130 degrees: beyond the sensor
        lambda bus: setattr(bus, "there", False),
    ):
        bus = Bus()
        sensor = Sht3x(bus, 0)
        now = run(sensor, 0, 2200)
        change(bus)
        now = run(sensor, now, 13000)
        assert sensor.fault
        assert sensor.damaged >= 4
        assert sensor.value == 250


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


def test_ds18b20_converts_waits_and_reads():
    wire = Wire()
    with_crc(wire, wire.pad)
    sensor = Ds18b20(wire, 0)
    for now in range(0, 3200, 20):
        before = wire.moved
        sensor.step(now)
        wire.most = max(wire.most, wire.moved - before)
    assert wire.sent == [0xCC, 0x44, 0xCC, 0xBE]
    assert wire.most == 3
    assert sensor.value == 250
    wire.pad[0:2] = b"\x6f\xfe"  # -25.0625
    with_crc(wire, wire.pad)
    run(sensor, 3200, 3000)
    assert sensor.value == -251, sensor.value


def test_ds18b20_that_is_gone_damaged_dead_or_just_started_is_a_fault():
    def gone(wire):
        wire.there = False

    def damaged(wire):
        wire.pad[8] ^= 1

    def dead(wire):
        wire.pad[:] = bytes(9)

    def started(wire):
        wire.pad[0:2] = b"\x50\x05"  # 85.0 degrees, the scratchpad at power-on
        with_crc(wire, wire.pad)

    for change in (gone, damaged, dead, started):
        wire = Wire()
        with_crc(wire, wire.pad)
        sensor = Ds18b20(wire, 0)
        now = run(sensor, 0, 3200)
        assert sensor.known
        change(wire)
        run(sensor, now, 14000)
        assert sensor.fault, change
        assert sensor.value == 250


def test_a_contact_bounces_and_holds():
    pin = harness.Pin(1)
    contact = Contact(pin, 0, 2000, 0)
    now = run(contact, 0, 200, 10)
    assert not contact.on
    for level in (0, 1, 0, 1, 0, 1):  # bounces of 20 ms are none
        pin.level = level
        now = run(contact, now, 20, 10)
    assert not contact.on
    pin.level = 0
    now = run(contact, now, 80, 10)
    assert contact.on
    assert contact.count == 1
    pin.level = 1
    now = run(contact, now, 1900, 10)
    assert contact.on
    now = run(contact, now, 300, 10)
    assert not contact.on
    assert contact.count == 1


def test_every_press_counts_while_the_alarm_is_held():
    pin = harness.Pin(1)
    contact = Contact(pin, 0, 60000, 0)
    now = 0
    for _ in range(3):
        pin.level = 0
        now = run(contact, now, 150, 10)
        pin.level = 1
        now = run(contact, now, 150, 10)
    assert contact.on
    assert contact.count == 3


def test_motion_makes_a_room_occupied_for_a_while():
    pin = harness.Pin(0)
    motion = Motion(pin, 10, 0)
    now = run(motion, 0, 1000)
    assert not motion.occupied
    pin.level = 1
    now = run(motion, now, 1000)
    assert motion.occupied
    pin.level = 0
    now = run(motion, now, 9000)
    assert motion.occupied
    now = run(motion, now, 5000)
    assert not motion.occupied
    assert 10 <= motion.seconds <= 14, motion.seconds
    assert motion.contact.count == 1


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
