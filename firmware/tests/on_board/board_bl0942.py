"""The driver of the metering chip against frames made by the data sheet's formulas."""

import harness
import micropython
from bl0942 import Bl0942
from factor import Factor

NO_GAINS = (1_000_000, 1_000_000, 1_000_000)


def bench(shunt=100, gains=NO_GAINS):
    uart = harness.Uart()
    return uart, Bl0942(uart, shunt, 3824, 0, gains)


def near(value, wanted):
    return abs(value - wanted) <= 1 + abs(wanted) // 5000


def test_it_asks_the_chip_five_times_a_second():
    uart, meter = bench()
    for now in range(0, 1001, 10):
        meter.step(now)
    assert uart.sent() == b"\x58\xaa" * 5


def test_values_come_out_in_milliampere_decivolt_deciwatt_and_centihertz():
    for shunt in (12, 25, 100, 266, 1600):
        for amps, volts, watts, hertz in (
            (0.05, 231.7, 9.0, 50.02),
            (6.0, 230.0, 1311.0, 49.97),
            (17.9, 198.2, 3500.0, 60.0),
        ):
            uart, meter = bench(shunt)
            uart.feed(harness.meter_frame(amps, volts, watts, hertz, shunt))
            meter.step(10)
            assert meter.sequence == 1
            if amps * shunt < 29600:
                assert near(meter.current, int(amps * 1000 + 0.5)), (shunt, amps, meter.current)
            assert near(meter.voltage, int(volts * 10 + 0.5)), meter.voltage
            assert near(meter.power, int(watts * 10 + 0.5)), (watts, meter.power)
            assert abs(meter.frequency - hertz * 100) < 1.5, meter.frequency


def test_calibration_is_finer_than_a_microohm():
    for shunt, gains in ((12, (1_003_000, 995_000, 997_985)), (100, (970_000, 1_020_000, 989_400))):
        uart, meter = bench(shunt, gains)
        current, voltage, power = [gain / 1_000_000 for gain in gains]
        uart.feed(harness.meter_frame(16.0 / current, 230.0 / voltage, 3600.0 / power, 50.0, shunt))
        meter.step(10)
        assert abs(meter.current - 16000) <= 2, meter.current
        assert abs(meter.voltage - 2300) <= 1, meter.voltage
        assert abs(meter.power - 36000) <= 2, meter.power


def test_the_chips_own_element_acts_at_the_calibrated_current():
    thresholds = []
    for gains in (NO_GAINS, (1_050_000, 1_000_000, 1_050_000)):
        uart, meter = bench(100, gains)
        meter.arm(160_000)
        for now in range(0, 2000, 10):
            meter.step(now)
        said = uart.sent()
        at = said.find(b"\xa8\x15")
        thresholds.append(said[at + 2] | said[at + 3] << 8)
    assert abs(thresholds[0] / thresholds[1] - 1.05) < 0.001, thresholds


def test_power_is_signed():
    uart, meter = bench()
    uart.feed(harness.meter_frame(6, 230, -1200))
    meter.step(10)
    assert near(meter.power, -12000), meter.power
    assert meter.energy == 0


def test_full_scale_is_saturation():
    uart, meter = bench()
    uart.feed(harness.meter_frame(290, 230, 60000))
    meter.step(10)
    assert not meter.saturated
    uart.feed(harness.meter_frame(400, 230, 80000))
    meter.step(20)
    assert meter.saturated


def test_a_frame_is_found_at_every_place_in_garbage():
    frame = harness.meter_frame(6, 230, 1300)
    for before in range(60):
        uart, meter = bench()
        uart.feed(bytes(0x55 if index % 7 == 3 else index * 37 & 0xFF for index in range(before)) + frame + frame)
        meter.step(10)
        assert meter.sequence >= 1, before
        assert near(meter.current, 6000)


def test_a_false_head_costs_nothing():
    frame = harness.meter_frame(6, 230, 1300)
    for before in range(1, 23):
        uart, meter = bench()
        uart.feed(b"\x55" + bytes(before - 1) + frame)
        meter.step(10)
        assert (meter.sequence, meter.damaged) == (1, 1), before


def test_split_frames_are_put_together():
    frame = harness.meter_frame(6, 230, 1300)
    for cut in range(1, 23):
        uart, meter = bench()
        uart.feed(frame[:cut])
        meter.step(10)
        uart.feed(frame[cut:])
        meter.step(20)
        assert meter.sequence == 1, cut


def test_one_flipped_bit_is_thrown_away():
    frame = harness.meter_frame(6, 230, 1300)
    for bit in range(23 * 8):
        bad = bytearray(frame)
        bad[bit // 8] ^= 1 << bit % 8
        uart, meter = bench()
        uart.feed(bad)
        meter.step(10)
        assert meter.sequence == 0, bit
        uart.feed(frame + frame)
        meter.step(20)
        assert meter.sequence >= 1, bit


def test_a_half_frame_does_not_spoil_the_next_answer():
    uart, meter = bench()
    uart.feed(harness.meter_frame(6, 230, 1300)[:15])
    meter.step(10)
    meter.step(210)
    uart.feed(harness.meter_frame(7, 230, 1300))
    meter.step(220)
    assert near(meter.current, 7000)


def test_values_against_physics_are_not_believed():
    for amps, volts, watts, hertz in (
        (6, 230, 3000, 50),
        (0.1, 230, 900, 50),
        (6, 230, 1300, 20),
        (6, 230, 1300, 90),
        (6, 650, 1300, 50),
    ):
        uart, meter = bench()
        uart.feed(harness.meter_frame(amps, volts, watts, hertz))
        meter.step(10)
        assert (meter.sequence, meter.implausible) == (0, 1), (amps, volts, watts, hertz)


def test_without_mains_there_is_no_frequency_and_no_fault():
    uart, meter = bench()
    uart.feed(harness.meter_frame(0, 3, 0, 20))
    meter.step(10)
    assert (meter.sequence, meter.frequency) == (1, 0)


def test_values_age_and_a_silent_chip_is_a_fault():
    uart, meter = bench()
    uart.feed(harness.meter_frame(6, 230, 1300))
    meter.step(100)
    assert meter.alive
    assert meter.age(350) == 250
    meter.step(2100)
    assert meter.alive
    assert not meter.fault
    meter.step(2101)
    assert not meter.alive
    assert meter.fault
    uart.feed(harness.meter_frame(6, 230, 1300))
    meter.step(2200)
    assert meter.alive
    assert not meter.fault


def test_energy_is_power_over_time_and_gaps_count_a_second():
    uart, meter = bench()
    for now in range(0, 3600001, 400):
        uart.feed(harness.meter_frame(10, 230, 2000))
        meter.step(now)
        uart.sent()
    assert 1995 <= meter.energy <= 2001, meter.energy
    before = meter.energy
    meter.step(7200000)
    uart.feed(harness.meter_frame(10, 230, 2000))
    meter.step(7200001)
    assert meter.energy - before <= 1


def armed_by(meter, uart, threshold, until=1500, reply=None):
    """Plays the chip to `meter` while it configures its fast element; the messages that it sent."""
    messages = []
    for now in range(0, until, 10):
        meter.step(now)
        sent = uart.sent()
        if sent == b"\x58\xaa":
            uart.feed(harness.meter_frame(6, 230, 1300))
        elif sent:
            messages.append(sent)
            if sent[0] == 0x58:
                body = bytes((threshold & 0xFF, threshold >> 8, 0))
                uart.feed(reply or body + bytes((~(0x58 + 0x15 + sum(body)) & 0xFF,)))
    return messages


def test_the_fast_element_gets_its_threshold_and_is_read_back():
    uart, meter = bench()
    meter.arm(113000)
    # 113 A * 0.1 mV/A, 305978 / 1.218 counts a millivolt, 0.363 of them, without the low byte.
    threshold = int(11.3 * 305978 / 1.218 * 0.363) >> 8
    messages = armed_by(meter, uart, threshold)
    th, top = threshold & 0xFF, threshold >> 8
    assert messages[0] == b"\xa8\x1d\x55\x00\x00\xe5"
    assert messages[1][:5] == bytes((0xA8, 0x15, th, top, 0))
    for message in messages[:4]:
        assert ~sum(message[:5]) & 0xFF == message[5]
    assert messages[4] == b"\x58\x15"
    assert len(messages) == 5
    assert meter.armed
    assert meter.sequence > 5  # it went on measuring


def test_another_threshold_than_wanted_is_not_armed_and_is_written_again():
    uart, meter = bench()
    meter.arm(113000)
    messages = armed_by(meter, uart, 0xFFFF, 2500)
    assert not meter.armed
    assert messages.count(messages[1]) >= 2
    uart, meter = bench()
    meter.arm(113000)
    armed_by(meter, uart, 0, 1500, b"\x00\x00\x00\x00")
    assert not meter.armed


def test_factors_keep_five_digits_over_the_whole_range():
    for numerator, denominator in ((1218000, 305978 * 100), (1483524 * 3824, 353700000 * 12), (1, 300)):
        factor = Factor(numerator, denominator)
        for raw in (1, 4095, 4096, 100000, 7386000, 0xFFFFFF):
            wanted = raw * numerator // denominator
            assert abs(factor.of(raw) - wanted) <= 1 + wanted // 30000, (numerator, raw)


def test_a_step_allocates_nothing():
    uart, meter = bench()
    frame = harness.meter_frame(6, 230, 1300)
    bad = frame[:10] + b"\x55" + frame[11:]
    uart.feed(bad + frame)
    micropython.heap_lock()
    try:
        meter.step(100)
        meter.step(300)
    finally:
        micropython.heap_unlock()
    assert meter.sequence == 1
    assert meter.damaged >= 1


harness.run(globals())
