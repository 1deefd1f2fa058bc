"""The latch around the elements: trips, lever, breaker failure, restart, and that a step allocates nothing.

The rows of the standards are tested by ../test_standard_rows.py, with the chip and the module at their pins.
"""

import harness
import micropython
from bench import CHIP, FIRMWARE, INSTANTANEOUS, NONE, OVERCURRENT, REMOTE, STEP_MS, Bench
from protection import UNKNOWN
from protection_current import Overload

WIDTH = 4  # numbers of one sample


def test_saturation_counts_as_instantaneous_below_the_threshold_too():
    bench = Bench()
    assert bench.time_to_trip(600, saturated=True) == 2 * STEP_MS
    assert bench.guard.cause == INSTANTANEOUS


def test_one_high_measurement_is_no_trip():
    bench = Bench()
    bench.step(160000)
    bench.step(6000)
    bench.step(160000)
    assert bench.guard.cause == NONE


def test_the_same_measurement_seen_twice_counts_once():
    bench = Bench()
    bench.seen.current = 160000
    for now in range(1000, 1400, 20):
        bench.guard.step(now, bench.seen)
    assert bench.guard.cause == NONE


def test_a_trip_latches_its_values_and_pulses_the_coil():
    bench = Bench()
    bench.time_to_trip(255)
    guard = bench.guard
    assert (guard.record.current, guard.trip_count, guard.record.number) == (40800, 1, 1)
    assert 1000 <= guard.record.thermal <= 1003  # permille of the trip value
    assert guard.opening.output == 1
    for _ in range(3):
        bench.step(40800)
    assert guard.opening.output == 0
    for _ in range(100):
        bench.step(40800)
    assert guard.cause == OVERCURRENT
    assert not guard.opening.failed
    assert guard.trip_count == 1


def test_the_lever_rearms_and_count_and_current_stay():
    bench = Bench()
    bench.time_to_trip(1000)
    for _ in range(50):
        bench.step(0)
    assert bench.guard.cause == INSTANTANEOUS
    bench.seen.closed = True
    bench.step(5000)
    assert bench.guard.cause == NONE
    assert (bench.guard.trip_count, bench.guard.record.current) == (1, 160000)


def test_a_bouncing_contact_is_no_lever():
    bench = Bench()
    bench.time_to_trip(1000)
    for closed in (False, True, False, False, True, False):
        bench.seen.closed = closed
        bench.step(0)
    assert bench.guard.cause == INSTANTANEOUS


def test_a_lever_closed_at_once_onto_a_fault_trips_again():
    bench = Bench()
    bench.time_to_trip(1000)
    for _ in range(5):
        bench.step(160000)
    bench.seen.closed = True
    bench.step(160000)
    assert bench.guard.cause == NONE
    assert bench.time_to_trip(1000) <= 2 * STEP_MS
    assert (bench.guard.cause, bench.guard.trip_count) == (INSTANTANEOUS, 2)


def test_a_current_that_goes_on_is_a_breaker_failure_and_five_pulses():
    bench = Bench()
    bench.welded = True
    bench.time_to_trip(255)
    pulses = 1
    before = 1
    for _ in range(300):
        bench.step(40800)
        pulses += bench.guard.opening.output and not before
        before = bench.guard.opening.output
    assert bench.guard.opening.failed
    assert pulses == 5
    bench.seen.closed = bench.welded = False  # the upstream breaker opened, and a person the lever
    bench.step(0)
    assert not bench.guard.opening.failed
    assert bench.guard.cause == OVERCURRENT


def test_a_blind_meter_holds_the_heat_and_heats_on():
    bench = Bench()
    for _ in range(1000):
        bench.step(20000)
    hot = bench.guard.thermal.theta
    for _ in range(1000):
        bench.step(0, alive=False)
    assert bench.guard.thermal.theta == hot
    for _ in range(3000):
        bench.step(40000, alive=False)
    assert bench.guard.cause == OVERCURRENT


def test_a_late_loop_loses_no_heat():
    after = Bench().time_to_trip(255, elapsed=1730)
    assert 27000 < after < 31000, after


def test_the_alarm_comes_before_the_trip_and_goes_after_it():
    bench = Bench()
    bench.step(18000)
    assert not bench.guard.alarm.on
    for _ in range(105):
        bench.step(18500)  # 1.16 In
    assert bench.guard.alarm.on
    assert not bench.guard.cause
    for _ in range(600):
        bench.step(10000)
    assert not bench.guard.alarm.on


def test_a_tripped_breaker_is_hot_but_not_overloaded():
    bench = Bench()
    bench.time_to_trip(255)
    assert bench.guard.alarm.on
    for _ in range(3):
        bench.step(40800)
    assert bench.guard.thermal.permille() > 900
    assert not bench.guard.alarm.on
    bench.step(40800)
    bench.step(40800)
    bench.seen.closed = True
    bench.step(10000)
    assert bench.guard.alarm.on  # closed while hot: little is left until the next trip


def test_a_lever_closed_at_once_is_no_breaker_failure_and_is_opened_again():
    bench = Bench()
    bench.time_to_trip(255, elapsed=20)
    for _ in range(12):
        bench.step(40800, elapsed=20)  # open for 240 ms: longer than a bounce, not yet a person's re-arming
    bench.seen.closed = True
    for _ in range(200):
        bench.step(20000, elapsed=20)
        assert not bench.guard.opening.failed
    assert not bench.seen.closed
    assert (bench.guard.cause, bench.guard.trip_count) == (OVERCURRENT, 1)
    bench.seen.closed = True
    bench.step(20000)
    assert bench.guard.cause == NONE


def test_a_contact_that_bounces_and_does_not_open_is_a_breaker_failure():
    bench = Bench()
    bench.welded = True
    bench.time_to_trip(255, elapsed=20)
    for _ in range(100):
        bench.seen.closed = not bench.seen.closed
        bench.step(40800, elapsed=20)
    assert bench.guard.opening.failed


def test_a_lever_closed_after_the_check_is_no_breaker_failure():
    bench = Bench()
    bench.time_to_trip(255)
    for _ in range(16):
        bench.step(40800)
    bench.seen.closed = True
    for _ in range(3):
        bench.step(20000)
        assert not bench.guard.opening.failed
        assert bench.guard.cause == NONE


def test_the_alarm_also_comes_from_a_warm_memory():
    alarm = Overload(16)
    assert not alarm.step(100, 16000, 799)
    assert alarm.step(100, 16000, 800)
    assert alarm.step(100, 16000, 760)  # stays until 75 %
    assert not alarm.step(100, 16000, 740)
    assert not Overload(16, 0).step(100, 16000, 900)


def test_a_restart_remembers_the_trip_while_the_lever_is_open():
    bench = Bench()
    guard = bench.guard
    guard.restore(OVERCURRENT, 4, 40800, False)
    guard.thermal.assume(1000)
    bench.seen.closed = False
    bench.step()
    assert (guard.cause, guard.trip_count, guard.record.current) == (OVERCURRENT, 4, 40800)
    assert guard.opening.output == 0
    bench.seen.closed = True
    bench.step(9000)
    assert guard.cause == NONE
    assert 900 < guard.thermal.permille() <= 950


def test_a_trip_keeps_the_eight_measurements_before_it():
    bench = Bench()
    for number in range(12):
        bench.wait(STEP_MS, 1000 + number, residual=number)
    bench.seen.fast_current = True
    bench.step(150000)
    record = bench.guard.record
    assert (record.cause, record.by, record.held) == (INSTANTANEOUS, CHIP, 8)
    assert (record.voltage, record.temperature, record.at) == (2300, UNKNOWN, bench.now)
    rows = [tuple(record.samples[at : at + WIDTH]) for at in range(0, 8 * WIDTH, WIDTH)]
    assert rows[0] == (700, 1005, 2300, 5)
    assert rows[-2:] == [(100, 1011, 2300, 11), (0, 150000, 2300, 11)]


def test_a_young_board_keeps_fewer_measurements():
    bench = Bench()
    bench.seen.fast_current = True
    bench.step(150000)
    assert bench.guard.record.held == 1
    assert list(bench.guard.record.samples[WIDTH:]) == [0] * 28


def test_above_the_breaking_capacity_it_stays_closed_until_upstream_has_opened():
    bench = Bench(capacity=200)
    for _ in range(30):
        bench.step(250000)
    guard = bench.guard
    assert (guard.cause, guard.record.withheld, guard.opening.withheld) == (INSTANTANEOUS, True, True)
    assert bench.seen.closed
    assert guard.opening.output == 0
    assert not guard.opening.failed
    bench.step(0)  # upstream has opened
    assert guard.opening.output == 1
    assert not bench.seen.closed


def test_the_comparator_withholds_what_the_meter_cannot_see():
    bench = Bench()
    bench.seen.over_capacity = bench.seen.fast_current = True
    bench.step(290000, True)
    assert bench.guard.record.withheld
    assert bench.seen.closed
    bench.seen.over_capacity = False
    bench.step(0)
    assert not bench.seen.closed


def test_a_command_opens_and_never_hides_a_trip():
    bench = Bench()
    bench.step(5000)
    bench.guard.remote_open(bench.now, bench.seen)
    bench.step(5000)
    assert (bench.guard.cause, bench.guard.record.by) == (REMOTE, FIRMWARE)
    bench = Bench()
    bench.time_to_trip(1000)
    bench.guard.remote_open(bench.now, bench.seen)
    assert (bench.guard.cause, bench.guard.trip_count) == (INSTANTANEOUS, 1)


def test_a_step_allocates_nothing():
    """Every element at work: heat, voltage, residual, temperature, arc, pins, latch, record."""
    for quick in (False, True):
        bench = Bench(
            quick=quick, residual=30, residual_alarm=300, temperature_trip=120, arc_trip=1, undervoltage_trip=50
        )
        guard = bench.guard
        seen = bench.seen
        bench.step()
        micropython.heap_lock()
        try:
            for turn in range(600):
                seen.sample = turn
                seen.current = 40800 if turn < 400 else 200000
                seen.voltage = 2300 if turn < 100 else 4000
                seen.residual = turn
                seen.temperature = turn * 3
                seen.arc = turn & 1 == 1
                seen.fast_current = turn == 300
                seen.over_capacity = turn == 500
                seen.lockout = turn > 550
                guard.step(1100 + turn * 100, seen)
                guard.close_refusal()
        finally:
            micropython.heap_unlock()
        assert guard.cause
        assert guard.opening.failed


harness.run(globals())
