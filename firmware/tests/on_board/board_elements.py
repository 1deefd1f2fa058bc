"""The elements beside overcurrent, each alone: voltage, residual, temperature, arc, lock-out, reclosing, self-test.

Points and provenance are those of electrical reference; the rows with their times are in ../test_standard_rows.py.
"""

import harness
import protection_hardware
from bench import ARC, LOCKOUT, MODULE, NONE, OVERVOLTAGE, RESIDUAL, TEMPERATURE, UNDERVOLTAGE, Bench
from protection import UNKNOWN

# What stands against closing, states of the self-test, bits of what is not met: as the registers have them.
ALLOWED, LOCKED_OUT, NOT_ACKNOWLEDGED, FAILED_TO_OPEN, TOO_SOON, TOO_OFTEN, NO_VOLTAGE = range(7)
UNTESTED, RUNS, PASSED, FAILED = range(4)


def test_overvoltage_alarms_before_it_trips_and_can_be_told_to_alarm_only():
    bench = Bench()
    assert bench.wait(3000, 5000, voltage=2560) == NONE
    assert bench.guard.overvoltage_alarm.on
    assert bench.wait(7000, 5000, voltage=2750) == OVERVOLTAGE
    bench = Bench(overvoltage_trip=0)
    assert bench.wait(20000, 5000, voltage=4000) == NONE
    assert bench.guard.overvoltage_alarm.on
    bench.wait(1000, 5000, voltage=2300)
    assert not bench.guard.overvoltage_alarm.on


def test_a_short_overvoltage_is_let_pass():
    bench = Bench()
    for _ in range(20):
        assert bench.wait(2500, 5000, voltage=2750) == NONE
        bench.wait(300, 5000, voltage=2500)


def test_undervoltage_opens_only_where_it_is_told_to():
    """IEC 60947-2 (source): at or below 0.35 Un it opens, above 0.7 Un never; closing from 0.85 Un on."""
    bench = Bench()
    assert bench.wait(60000, 5000, voltage=0) == NONE
    assert bench.guard.undervoltage_alarm.on
    for percent in (36, 50, 69):
        bench = Bench(undervoltage_trip=percent)
        assert bench.wait(60000, 5000, voltage=1611) == NONE
        assert bench.wait(1000, 5000, voltage=805) == UNDERVOLTAGE


def test_a_meter_that_hears_nothing_is_no_undervoltage():
    bench = Bench(undervoltage_trip=50)
    bench.seen.voltage = 0
    for _ in range(100):
        bench.step(0, alive=False)
    assert bench.guard.cause == NONE


def test_residual_trips_between_half_and_rated_and_alarms_apart():
    """IEC 61008-1 (source): no trip at 0.5 of the rated residual current, a trip at 1."""
    bench = Bench(residual=30)
    assert bench.wait(60000, 5000, residual=15) == NONE
    assert bench.wait(300, 5000, residual=30) == RESIDUAL
    bench = Bench(residual_alarm=300)
    assert bench.wait(60000, 5000, residual=239) == NONE
    assert not bench.guard.residual_alarm.on  # below 80 % of the setting
    bench.wait(30000, 5000, residual=300)
    assert bench.guard.residual_alarm.on  # within 30 s (memory)
    assert bench.guard.cause == NONE
    bench.wait(1000, 5000, residual=-1)
    assert bench.guard.residual_alarm.on  # an unknown value calms nobody


def test_type_s_lets_a_short_residual_current_pass():
    bench = Bench(residual=100, residual_type="S")
    assert bench.wait(100, 5000, residual=100) == NONE
    bench.wait(100, 5000, residual=0)
    assert bench.wait(300, 5000, residual=100) == RESIDUAL


def test_the_modules_output_is_latched_as_its_own():
    bench = Bench(residual=30)
    assert bench.wait(100, 5000, module=True) == RESIDUAL
    assert bench.guard.record.by == MODULE


def test_temperature_alarms_at_90_and_trips_only_where_told():
    bench = Bench()
    bench.wait(40000, 5000, temperature=905)  # alarm within 40 s (memory)
    assert bench.guard.temperature_alarm.on
    assert bench.wait(60000, 5000, temperature=1500) == NONE
    bench = Bench(temperature_trip=110)
    assert bench.wait(60000, 5000, temperature=UNKNOWN) == NONE
    assert bench.wait(10000, 5000, temperature=1100) == TEMPERATURE


def test_an_arc_detector_alarms_and_trips_only_where_told():
    """At most 9 arcing half-cycles in 1 s must not alarm (IEC 62606, source)."""
    bench = Bench()
    bench.wait(1000, 5000, half_cycles=9)
    assert not bench.guard.arc.on
    assert bench.wait(1000, 5000, half_cycles=10) == NONE
    assert bench.guard.arc.on
    bench = Bench(arc_trip=1)
    assert bench.wait(300, 5000, arc=True) == ARC


def test_the_local_lock_out_wins_over_everything():
    bench = Bench()
    bench.wait(1000, 0, closed=False)
    bench.wait(500, 0, lockout=True)
    guard = bench.guard
    assert guard.close_refusal() == LOCKED_OUT
    assert guard.cause == NONE
    bench.seen.closed = True  # somebody closes it all the same
    bench.step(5000)
    assert guard.cause == LOCKOUT
    assert not bench.seen.closed
    bench.wait(61000, 0, lockout=False)
    assert guard.close_refusal() == ALLOWED


def test_closing_waits_for_a_person_after_a_residual_trip():
    bench = Bench(residual=30)
    bench.wait(300, 5000, residual=30)
    bench.wait(70000, 0, residual=0)
    guard = bench.guard
    assert guard.close_refusal() == NOT_ACKNOWLEDGED
    guard.acknowledge()
    assert guard.close_refusal() == ALLOWED
    bench.wait(1000, 0, voltage=1900)
    assert guard.close_refusal() == NO_VOLTAGE  # below 0.85 Un


def test_a_restart_still_waits_for_that_person():
    bench = Bench()
    bench.guard.restore(TEMPERATURE, 3, 9000, False)
    bench.wait(61000, 0, closed=False)
    assert bench.guard.close_refusal() == NOT_ACKNOWLEDGED


def test_closing_waits_for_what_has_not_opened():
    bench = Bench()
    bench.welded = True
    bench.time_to_trip(1000)
    for _ in range(300):
        bench.step(100000)
    bench.guard.acknowledge()
    assert bench.guard.close_refusal() == FAILED_TO_OPEN


def test_reclosing_is_limited_in_time_and_number():
    bench = Bench(reclose_wait=10, reclose_count=2, reclose_window=60)
    guard = bench.guard
    guard.remote_open(bench.now, bench.seen)
    bench.wait(3000)
    assert guard.close_refusal() == TOO_SOON
    bench.wait(10000)
    assert guard.close_refusal() == ALLOWED
    bench.lever()
    bench.lever()
    assert guard.close_refusal() == TOO_OFTEN
    bench.wait(60000)
    assert guard.close_refusal() == ALLOWED


def test_what_is_not_fitted_is_reported():
    report = protection_hardware.not_met
    assert report(True, ("fast_output", "residual_output", "over_capacity"), 30) == 0
    slow = report(False, ("fast_output", "over_capacity"), 0)
    assert slow == 2 | 4
    assert report(True, (), 30) == 1 | 8 | 16


def run_test(test, answers):
    """The states of a self-test whose output follows the list, 100 ms each."""
    return [test.step(100, output, True) for output in answers]


def test_the_module_is_tested_with_the_latch_blocked():
    test = protection_hardware.SelfTest(True)
    assert run_test(test, [False, False]) == [True, True]
    assert (test.state, test.drive) == (RUNS, 1)
    run_test(test, [True])
    assert test.drive == 2  # the button rests, the block stays
    run_test(test, [False])
    assert (test.state, test.drive) == (PASSED, 0)
    assert run_test(test, [True]) == [False]  # from here on it is a trip


def test_a_module_that_does_not_answer_or_sticks_has_failed():
    for answers in ([False] * 20, [False] + [True] * 20, [True]):
        test = protection_hardware.SelfTest(True)
        run_test(test, answers)
        assert (test.state, test.drive) == (FAILED, 0), answers
    unfitted = protection_hardware.SelfTest(False)
    run_test(unfitted, [True])
    assert unfitted.state == UNTESTED


def test_the_module_is_not_tested_while_a_trip_stands():
    test = protection_hardware.SelfTest(True)
    assert not test.step(100, False, False)
    assert test.drive == 0


harness.run(globals())
