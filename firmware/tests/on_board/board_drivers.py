"""Drivers of what is fitted beside the metering chip, against true byte sequences and levels."""

import harness
from analogue import Gas, Residual, Thermistor
from contacts import Contact, Motion
from ds18b20 import Ds18b20
from fitted import Bus, Converter, Wire, run, with_crc
from sht3x import Sht3x, crc8


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


harness.run(globals())
