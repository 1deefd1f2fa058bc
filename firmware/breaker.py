"""The role of a breaker: measurements and pins into protection, protection onto the trip coil, all into registers."""

from time import ticks_diff

from closing import Closing
from micropython import const
from protection import UNKNOWN, Inputs, Protection
from protection_hardware import SelfTest, not_met
from registers import DISCRETE, HOLDING, INPUT

_PROTECT_AND_HOLD = const(1)  # the one behaviour without a gateway

# Bits of the registers `state` and `protection`, as the profile has them (a test compares).
_CLOSED = const(1)
_TRIPPED = const(2)
_OVERLOAD = const(4)
_FAILURE = const(8)
_FAULT = const(16)
_HARDWARE = const(128)
_ALARMS = const(0x00DF)  # of `protection`: all but locked_out and acknowledge_needed, which a person knows of


_REMOTE = const(8)  # causes that a person asked for
_LOCKOUT = const(9)
_FAILED = const(3)  # state of the self-test


class Breaker:
    """`alarms` has a bit for each alarm that stands: those of the register `state` and, 16 higher, of `protection`.

    `field` is what is fitted beside the chip (FieldOfBreaker). `fast_ma` is what the chip's own fast element shall act
    at. Its overvoltage element stays unused: on the same pin it would open sooner than EN 50550 allows.
    """

    def __init__(self, board, settings, meter, memory, live, now: int, field) -> None:
        self.board = board
        self.meter = meter
        self.memory = memory
        self.live = live
        self.field = field
        self.alarms = 0
        self.attention = False
        self.inputs = Inputs()
        guard = Protection(settings.rating, settings.curve, settings.protection, settings.meter == "ade7953", now)
        self.protection = guard
        self.record = guard.record  # of the latest trip, for the journal
        self.open_pins(board, settings.fitted)
        guard.restore(memory.cause, memory.trips, memory.current, board.contact.value() == 1)
        guard.thermal.assume(memory.hot)
        self.fast_ma = guard.instantaneous.threshold if "fast_output" in settings.fitted else 0
        self.find_places(live.bank)
        self.declare(settings)
        self._seen_trips = guard.trip_count
        self._last = now

    def open_pins(self, board, fitted) -> None:
        self._over_capacity = board.input("over_capacity") if "over_capacity" in fitted else None
        self._lockout = board.input("lockout") if "lockout" in fitted else None
        self._acknowledge = board.input("acknowledge") if "acknowledge" in fitted else None
        tested = "residual_test" in fitted and "residual_output" in fitted
        self.self_test = SelfTest(tested)
        self._test_pin = board.output("residual_test") if tested else None
        self._block_pin = board.output("latch_block") if tested else None
        self._closing = Closing(board.output("close"), board.pins.get("close", -1) != -1)

    def find_places(self, bank) -> None:
        self._cause = bank.at(b"cause")  # and the number of trips after it
        self._age = bank.at(b"trip_age")
        self._current = bank.at(b"trip_current")
        self._thermal = bank.at(b"thermal")
        self._contact = bank.at(b"contact")
        self._state = bank.at(b"protection")  # and by whom, voltage, residual, temperature, thermal after it
        self._tested = bank.at(b"self_test")  # and close_refusal after it

    def declare(self, settings) -> None:
        """What does not change while the board runs."""
        bank = self.live.bank
        chosen = settings.protection
        bank.put(INPUT, bank.at(b"not_met"), not_met(self.meter.has_overvoltage, settings.fitted, chosen.residual))
        bank.put(INPUT, bank.at(b"without_gateway"), _PROTECT_AND_HOLD)
        bank.put(HOLDING, bank.at(b"residual_rated"), chosen.residual)
        bank.put(HOLDING, bank.at(b"breaking_capacity"), chosen.capacity)

    def step(self, now: int) -> None:
        guard = self.protection
        seen = self.inputs
        self.look(now, seen)
        guard.step(now, seen)
        self.board.trip.value(guard.opening.output)
        self.memory.note(
            now, guard.cause, guard.trip_count, guard.record.current, self.meter.energy, guard.thermal.permille()
        )
        refusal = guard.close_refusal()
        self._closing.step(now, refusal)
        self.publish(now, seen.closed, refusal)

    def look(self, now: int, seen) -> None:
        """All that this step sees, at one moment."""
        meter = self.meter
        field = self.field
        field.step(now)
        seen.current = meter.current
        seen.voltage = meter.voltage
        seen.surge = meter.surge
        seen.saturated = meter.saturated
        seen.sample = meter.sequence
        seen.alive = meter.alive
        seen.closed = self.board.contact.value() == 1
        seen.residual = field.residual
        seen.temperature = field.temperature
        seen.arc = field.arc
        seen.fast_current = field.fast
        seen.over_capacity = self._over_capacity is not None and self._over_capacity.value() == 1
        seen.lockout = self._lockout is not None and self._lockout.value() == 1
        if self._acknowledge and self._acknowledge.value() == 0:
            self.protection.acknowledge()
        test = self.self_test
        testing = test.step(ticks_diff(now, self._last), field.module, self.protection.cause == 0)
        seen.module = field.module and not testing
        if self._test_pin:
            self._test_pin.value(1 if test.drive == 1 else 0)
            self._block_pin.value(1 if test.drive else 0)

    def remote_open(self, now: int) -> None:
        """An authorised command; the latch has the cause REMOTE."""
        self.protection.remote_open(now, self.inputs)

    def remote_close(self, now: int) -> int:
        """An authorised command; 0, or what stands against it (protection_reclose, closing)."""
        return self._closing.begin(now, self.protection.close_refusal())

    def publish(self, now: int, closed: bool, refusal: int) -> None:
        guard = self.protection
        bank = self.live.bank
        state = (
            (_TRIPPED if guard.cause else 0)
            | (_OVERLOAD if guard.alarm.on else 0)
            | (_FAILURE if guard.opening.failed else 0)
            | (_FAULT if self.meter.fault else 0)
        )
        bits = guard.bits() | (_HARDWARE if self.self_test.state == _FAILED else 0)
        told = guard.cause == _REMOTE or guard.cause == _LOCKOUT
        self.alarms = (state & ~_TRIPPED if told else state) | (bits & _ALARMS) << 16
        self.live.state(state | (_CLOSED if closed else 0))
        self.live.measured(self.meter, now)
        bank.put(INPUT, self._state, bits)
        bank.put(INPUT, self._cause, guard.cause)
        bank.put(INPUT, self._thermal, guard.thermal.permille())
        bank.put(INPUT, self._tested, self.self_test.state)
        bank.put(INPUT, self._tested + 1, refusal)
        bank.put_bit(DISCRETE, self._contact, closed)
        self._date(now)

    def _date(self, now: int) -> None:
        """The latest trip and its age. Over a restart the age counts from the start: at least that old."""
        guard = self.protection
        record = guard.record
        bank = self.live.bank
        bank.put_long(INPUT, self._current, record.current)
        if record.by:
            at = self._state + 1
            bank.put(INPUT, at, record.by)
            bank.put(INPUT, at + 1, record.voltage)
            bank.put(INPUT, at + 2, record.residual)
            bank.put(INPUT, at + 3, (0 if record.temperature == UNKNOWN else record.temperature) & 0xFFFF)
            bank.put(INPUT, at + 4, record.thermal)
        if guard.trip_count != self._seen_trips:
            self._seen_trips = guard.trip_count
            bank.put_long(INPUT, self._age, 0)
        elif guard.trip_count:
            bank.add_long(INPUT, self._age, min(ticks_diff(now, self._last), 0xFFFF))
        bank.put(INPUT, self._cause + 1, guard.trip_count)
        self._last = now
