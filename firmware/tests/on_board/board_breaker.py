"""The role of a breaker: measurements and pins in, trip coil and registers out. Runs in an empty folder."""

import harness
import micropython
import table
from breaker import Breaker
from field_breaker import FieldOfBreaker
from live import Live
from memory import Memory
from registers import DISCRETE, HOLDING, Bank
from running import Bus, Running


def test_a_breaker_shows_what_it_measures():
    board = Running()
    board.feel(6, 1)
    assert board.word(b"sequence") == 10
    assert board.word(b"measure_age") == 0
    assert abs(board.long(b"current") - 6000) <= 2
    assert abs(board.word(b"voltage") - 2300) <= 1
    assert abs(board.long(b"power") - 13110) <= 5
    assert board.word(b"frequency") == 5000
    assert board.state(b"closed")
    assert not board.state(b"tripped")
    assert board.word(b"rating", HOLDING) == 16
    assert board.word(b"curve", HOLDING) == ord("C")
    assert board.word(b"boot_count") == 1
    assert board.word(b"reset_cause") == 1
    assert board.bank.cells[DISCRETE][board.bank.at(b"contact")] == 1


def test_negative_power_is_in_twos_complement():
    board = Running()
    board.feel(6, 1, watts=-1000)
    assert abs(board.long(b"power") - (0x100000000 - 10000)) <= 5


def test_a_trip_opens_latches_and_is_dated():
    board = Running()
    board.feel(6, 1)
    board.feel(200, 0.4)
    assert board.board.trip.highs == 1
    assert board.board.contact.level == 0
    assert board.state(b"tripped")
    assert not board.state(b"closed")
    assert (board.word(b"cause"), board.word(b"trip_count")) == (2, 1)
    assert abs(board.long(b"trip_current") - 200000) < 40
    board.feel(0, 3)
    assert 2900 <= board.long(b"trip_age") <= 3300
    assert not board.state(b"breaker_failure")


def test_a_restart_keeps_the_trip_and_dates_it_from_the_start():
    board = Running()
    board.feel(200, 0.4)
    board.memory.step(board.now)
    memory = Memory(0)
    board.bank = Bank(table.BREAKER)
    live = Live(board.bank, board.settings, memory.boots, 3, 0)
    field = FieldOfBreaker(board.board, board.settings, board.meter, board.bank, 0)
    again = Breaker(board.board, board.settings, board.meter, memory, live, 0, field)
    again.step(1500)
    again.step(3000)
    assert (board.word(b"cause"), board.word(b"trip_count"), board.word(b"boot_count")) == (2, 1, 2)
    assert board.long(b"trip_age") == 3000
    assert board.board.trip.highs == 1


def test_a_breakers_step_allocates_nothing():
    board = Running()
    board.feel(6, 1)
    frame = harness.meter_frame(200, 230, 40000)
    micropython.heap_lock()
    try:
        for now in range(1100, 9000, 100):
            board.uart.feed(frame)
            board.meter.step(now)
            board.uart.size = 0
            board.role.step(now)
            board.live.running(Bus, now)
    finally:
        micropython.heap_unlock()
    assert board.state(b"breaker_failure")
    assert board.word(b"cause") == 2


def test_a_residual_current_trips_and_waits_for_a_person():
    board = Running(protection={"residual": 30, "reclose_wait": 1}, fitted=["acknowledge"])
    board.feel(6, 1)
    assert board.word(b"close_refusal") == 0
    board.role.field.residual = 25
    board.feel(6, 0.3)
    assert (board.word(b"cause"), board.word(b"trip_by"), board.word(b"trip_residual")) == (3, 1, 25)
    assert abs(board.word(b"trip_voltage") - 2300) <= 1
    assert board.word(b"trip_temperature") == 0
    board.role.field.residual = 0
    board.feel(0, 3)
    assert board.word(b"protection") == board.live.mask(b"acknowledge_needed", b"protection")
    assert board.word(b"close_refusal") == 2
    board.board.pins["acknowledge"].level = 0
    board.feel(0, 0.1)
    assert board.word(b"protection") == 0
    assert board.word(b"close_refusal") == 0


def test_the_chips_pin_is_told_its_threshold_and_believed():
    board = Running(fitted=["fast_output"])
    assert board.role.fast_ma == 113120  # 7.07 In
    board.feel(6, 1)
    board.role.look(board.now, board.role.inputs)
    board.role.inputs.fast_current = True
    board.role.protection.step(board.now + 1, board.role.inputs)
    board.role.publish(board.now + 1, True, 0)
    assert (board.word(b"cause"), board.word(b"trip_by")) == (2, 2)
    assert Running().role.fast_ma == 0


def test_bits_are_those_of_the_profile():
    board = Running(fitted=["lockout"], protection={"capacity": 20})
    board.board.pins["lockout"].level = 0
    guard = board.role.protection
    for number, (name, alarm) in enumerate(
        (
            (b"residual_alarm", guard.residual_alarm),
            (b"overvoltage_alarm", guard.overvoltage_alarm),
            (b"undervoltage_alarm", guard.undervoltage_alarm),
            (b"temperature_alarm", guard.temperature_alarm),
            (b"arc_alarm", guard.arc),
        )
    ):
        alarm.on = True
        assert guard.bits() == board.live.mask(name, b"protection") == 1 << number
        alarm.on = False
    board.board.pins["lockout"].level = 1
    board.feel(0, 0.5)
    assert board.word(b"protection") == board.live.mask(b"locked_out", b"protection")
    assert board.word(b"cause") == 9
    board.board.pins["lockout"].level = 0
    board.role.self_test.state = 3
    guard.opening.withheld = True
    guard.reclose.needs_acknowledgement = True
    board.role.publish(board.now, False, 0)
    mask = board.live.mask
    names = (b"withheld", b"hardware_fault", b"acknowledge_needed")
    assert board.word(b"protection") & ~mask(b"locked_out", b"protection") == sum(
        [mask(name, b"protection") for name in names]
    )


def test_what_the_board_is_stands_in_its_registers():
    board = Running(protection={"residual": 30, "capacity": 3000})
    assert board.word(b"residual_rated", HOLDING) == 30
    assert board.word(b"breaking_capacity", HOLDING) == 3000
    assert board.word(b"without_gateway") == 1
    for name in (
        b"not_met_short_circuit",
        b"not_met_350_v",
        b"not_met_400_v",
        b"not_met_residual",
        b"not_met_capacity",
    ):
        assert board.word(b"not_met") & board.live.mask(name, b"not_met"), name


def test_the_module_is_tested_at_its_pins():
    board = Running(protection={"residual": 30}, fitted=["residual_test", "residual_output"])
    pins = board.board.pins
    board.feel(6, 0.2)
    assert (pins["residual_test"].level, pins["latch_block"].level) == (1, 1)
    pins["residual_output"].level = 1
    board.feel(6, 0.1)
    assert (pins["residual_test"].level, pins["latch_block"].level) == (0, 1)
    pins["residual_output"].level = 0
    board.feel(6, 0.2)
    assert (pins["residual_test"].level, pins["latch_block"].level) == (0, 0)
    assert (board.word(b"self_test"), board.word(b"cause")) == (2, 0)
    pins["residual_output"].level = 1
    board.feel(6, 0.1)
    assert (board.word(b"cause"), board.word(b"trip_by")) == (3, 3)


harness.run(globals())
