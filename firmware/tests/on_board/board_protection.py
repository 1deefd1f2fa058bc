"""Protection against the points of electrical reference "Overcurrent, IEC 60898-1 (GB/T 10963.1)", in virtual time.

Provenance of the limits: rows a, b, c and e: source; row d: C source, B weak source, D memory.
"""

import harness
import micropython
from protection import INSTANTANEOUS, NONE, OVERCURRENT, Overload, Protection

STEP_MS = 100
RATINGS = (6, 10, 16, 32, 63)
HOUR_MS = 3600000


class Bench:
    """One protection with its circuit: the current flows while the contact is closed."""

    def __init__(self, rating=16, curve="C"):
        self.now = 1000
        self.rating = rating
        self.guard = Protection(rating, curve, self.now)
        self.closed = True
        self.sample = 0
        self.welded = False

    def step(self, current, saturated=False, alive=True):
        self.now += STEP_MS
        self.sample += 1
        flows = current if self.closed or self.welded else 0
        self.guard.step(self.now, flows, saturated and flows > 0, self.sample, alive, self.closed)
        if self.guard.output and not self.welded:
            self.closed = False

    def time_to_trip(self, times, limit_ms=HOUR_MS, saturated=False):
        """ms until it trips at `times` In (hundredths), None where it does not within the limit."""
        start = self.now
        while self.now - start < limit_ms:
            self.step(times * self.rating * 10, saturated)
            if self.guard.cause:
                return self.now - start
        return None


def test_row_a_no_trip_at_1_13_in_for_the_conventional_time():
    for rating in RATINGS:
        assert Bench(rating).time_to_trip(113) is None, rating


def test_row_a_holds_for_two_hours_above_63_a():
    assert Bench(125).time_to_trip(113, 2 * HOUR_MS) is None


def test_row_b_trips_at_1_45_in_straight_after_row_a():
    for rating in RATINGS:
        bench = Bench(rating)
        assert bench.time_to_trip(113) is None
        after = bench.time_to_trip(145)
        assert 40000 < (after or 0) < 60000, (rating, after)  # the model: 49.7 s
        assert bench.guard.cause == OVERCURRENT


def test_row_c_trips_at_2_55_in_between_one_second_and_the_limit():
    for rating in RATINGS:
        after = Bench(rating).time_to_trip(255)
        assert 1000 <= after <= (60000 if rating <= 32 else 120000), (rating, after)
        assert 27600 <= after <= 28800, (rating, after)  # the model: 28.2 s


def test_row_d_is_no_instantaneous_trip_and_thermal_within_its_limit():
    for curve, times, limit in (("B", 300, 45000), ("C", 500, 15000), ("D", 1000, 4000)):
        for rating in RATINGS:
            bench = Bench(rating, curve)
            after = bench.time_to_trip(times)
            assert 100 <= after <= limit, (curve, rating, after)
            assert bench.guard.cause == OVERCURRENT, (curve, rating)


def test_row_e_is_instantaneous_after_two_measurements():
    # The standard's 0.1 s is out of this element's reach: the chip refreshes every 400 ms. It belongs to hardware.
    for curve, times in (("B", 500), ("C", 1000), ("D", 2000)):
        for rating in RATINGS:
            bench = Bench(rating, curve)
            # 20 In is beyond the chip's full scale of 18.5 In: it reads that, and says so.
            after = bench.time_to_trip(min(times, 1856), saturated=times > 1856)
            assert bench.guard.cause == INSTANTANEOUS, (curve, rating)
            assert after == 2 * STEP_MS


def test_trip_time_falls_with_current():
    before = HOUR_MS
    for times in (128, 145, 200, 255, 300, 500, 700, 900, 1300):
        after = Bench(16, "D").time_to_trip(times)
        assert after <= before, times
        before = after


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
    guard = Protection(16, "C", 0)
    for now in range(0, 400, 20):
        guard.step(now, 160000, False, 7, True, True)
    assert guard.cause == NONE


def test_a_trip_latches_its_values_and_pulses_the_coil():
    bench = Bench()
    bench.time_to_trip(255)
    guard = bench.guard
    assert (guard.trip_current, guard.trip_count) == (40800, 1)
    assert 1000 <= guard.trip_thermal <= 1003  # permille of the trip value
    assert guard.output == 1
    for _ in range(3):
        bench.step(40800)
    assert guard.output == 0
    for _ in range(100):
        bench.step(40800)
    assert guard.cause == OVERCURRENT
    assert not guard.failed
    assert guard.trip_count == 1


def test_the_lever_rearms_and_count_and_current_stay():
    bench = Bench()
    bench.time_to_trip(1000)
    for _ in range(50):
        bench.step(0)
    assert bench.guard.cause == INSTANTANEOUS
    bench.closed = True
    bench.step(5000)
    assert bench.guard.cause == NONE
    assert (bench.guard.trip_count, bench.guard.trip_current) == (1, 160000)


def test_a_bouncing_contact_is_no_lever():
    bench = Bench()
    bench.time_to_trip(1000)
    for closed in (False, True, False, False, True, False):
        bench.closed = closed
        bench.step(0)
    assert bench.guard.cause == INSTANTANEOUS


def test_a_lever_closed_at_once_onto_a_fault_trips_again():
    bench = Bench()
    bench.time_to_trip(1000)
    for _ in range(5):
        bench.step(160000)
    bench.closed = True
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
        pulses += bench.guard.output and not before
        before = bench.guard.output
    assert bench.guard.failed
    assert pulses == 5
    bench.closed = bench.welded = False  # the upstream breaker opened, and a person the lever
    bench.step(0)
    assert not bench.guard.failed
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
    guard = Protection(16, "C", 0)
    now = 0
    while not guard.cause:
        now += 1730
        guard.step(now, 40800, False, now, True, True)
    assert 27000 < now < 31000, now


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
    bench.closed = True
    bench.step(10000)
    assert bench.guard.alarm.on  # closed while hot: little is left until the next trip


def test_a_lever_closed_after_the_check_is_no_breaker_failure():
    bench = Bench()
    bench.time_to_trip(255)
    for _ in range(16):
        bench.step(40800)
    bench.closed = True
    for _ in range(3):
        bench.step(20000)
        assert not bench.guard.failed
        assert bench.guard.cause == NONE


def test_the_alarm_also_comes_from_a_warm_memory():
    alarm = Overload(16, 0)
    assert not alarm.step(100, 16000, 799)
    assert alarm.step(200, 16000, 800)
    assert alarm.step(300, 16000, 760)  # stays until 75 %
    assert not alarm.step(400, 16000, 740)


def test_a_restart_remembers_the_trip_while_the_lever_is_open():
    guard = Protection(16, "C", 0)
    guard.restore(OVERCURRENT, 4, 40800, False)
    guard.thermal.assume(1000)
    guard.step(100, 0, False, 1, True, False)
    assert (guard.cause, guard.trip_count, guard.trip_current, guard.output) == (OVERCURRENT, 4, 40800, 0)
    guard.step(200, 9000, False, 2, True, True)
    assert guard.cause == NONE
    assert 900 < guard.thermal.permille() <= 950


def test_a_step_allocates_nothing():
    bench = Bench()
    guard = bench.guard
    guard.step(0, 0, False, 0, True, True)
    micropython.heap_lock()
    try:
        for now in range(0, 60000, 100):
            guard.step(now, 40800 if now < 40000 else 200000, False, now, True, True)
    finally:
        micropython.heap_unlock()
    assert guard.cause
    assert guard.failed


harness.run(globals())
