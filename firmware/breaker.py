"""The role of a breaker: measurements and pins into protection, protection onto the trip coil, all into registers."""

from time import ticks_diff

from closing import Closing
from protection import LOCKOUT, NONE, REMOTE, UNKNOWN, Inputs, Protection
from protection_hardware import FAILED, SelfTest, not_met
from protection_record import NOBODY
from registers import DISCRETE, HOLDING, INPUT

_PROTECT_AND_HOLD = 1  # the one behaviour without a gateway

# Bits of the register `protection` by what they say, and where that is found.
_BITS = (
    b"residual_alarm",
    b"overvoltage_alarm",
    b"undervoltage_alarm",
    b"temperature_alarm",
    b"arc_alarm",
    b"locked_out",
    b"withheld",
    b"hardware_fault",
    b"acknowledge_needed",
)


class Unfelt:
    """A breaker with nothing fitted beside its metering chip."""

    residual = -1
    temperature = UNKNOWN
    fast = module = arc = False

    def step(self, now: int) -> None:
        """Nothing to look at."""


class Breaker:
    """`alarms` has a bit for each alarm that stands, as the registers `state` and, above them, `protection` have them.

    `field` gives what is fitted beside the chip: `residual` mA (-1 unknown), `temperature` 0.1 degree Celsius
    (UNKNOWN), `fast` and `module` (those outputs have acted since the last step), `arc`.
    """

    def __init__(self, board, settings, meter, memory, live, now: int, field=None) -> None:
        self.board = board
        self.meter = meter
        self.memory = memory
        self.live = live
        self.field = field or Unfelt()
        self.alarms = 0
        self.attention = False
        self.inputs = Inputs()
        quick = settings.meter == "ade7953"
        self.protection = Protection(settings.rating, settings.curve, settings.protection, quick, now)
        self._quick = quick
        self._open_pins(settings)
        closed = board.contact.value() == 1
        self.protection.restore(memory.cause, memory.trips, memory.current, closed)
        self.protection.thermal.assume(memory.hot)
        self._find(live)
        self._declare(settings, quick)
        self._seen_trips = self.protection.trip_count
        self._last = now

    def _open_pins(self, settings) -> None:
        board = self.board
        fitted = settings.fitted
        self._over_capacity = board.input("over_capacity") if "over_capacity" in fitted else None
        self._lockout = board.input("lockout") if "lockout" in fitted else None
        self._acknowledge = board.input("acknowledge") if "acknowledge" in fitted else None
        tested = "residual_test" in fitted and "residual_output" in fitted
        self.self_test = SelfTest(tested)
        fitted_to_close = board.pins.get("close", -1) != -1
        self._closing = Closing(board.output("close"), fitted_to_close)
        self._test_pin = board.output("residual_test") if tested else None
        self._block_pin = board.output("latch_block") if tested else None

    def _find(self, live) -> None:
        bank = live.bank
        self._cause = bank.at(b"cause")
        self._trips = bank.at(b"trip_count")
        self._age = bank.at(b"trip_age")
        self._current = bank.at(b"trip_current")
        self._thermal = bank.at(b"thermal")
        self._contact = bank.at(b"contact")
        self._state = bank.at(b"protection")
        self._by = bank.at(b"trip_by")  # and the voltage, residual, temperature, thermal after it
        self._tested = bank.at(b"self_test")
        self._refusal = bank.at(b"close_refusal")
        self._closed = live.mask(b"closed")
        self._tripped = live.mask(b"tripped")
        self._overload = live.mask(b"overload")
        self._failure = live.mask(b"breaker_failure")
        self._fault = live.mask(b"meter_fault")
        self._masks = [live.mask(name, b"protection") for name in _BITS]

    def _declare(self, settings, quick: bool) -> None:
        """What does not change while the board runs."""
        bank = self.live.bank
        chosen = settings.protection
        fitted = settings.fitted
        missing = not_met(
            quick, "fast_output" in fitted, chosen.residual, "residual_output" in fitted, "over_capacity" in fitted
        )
        bank.put(INPUT, bank.at(b"not_met"), missing)
        bank.put(INPUT, bank.at(b"without_gateway"), _PROTECT_AND_HOLD)
        bank.put(HOLDING, bank.at(b"residual_rated"), chosen.residual)
        bank.put(HOLDING, bank.at(b"breaking_capacity"), chosen.capacity)
        record = self.protection.record
        if record.number:
            record.by = NOBODY  # not kept over a restart

    def step(self, now: int) -> None:
        guard = self.protection
        seen = self.inputs
        self._look(now, seen)
        guard.step(now, seen)
        self.board.trip.value(guard.opening.output)
        self.memory.note(
            now, guard.cause, guard.trip_count, guard.record.current, self.meter.energy, guard.thermal.permille()
        )
        self._closing.step(now, guard.close_refusal())
        self._publish(now, seen.closed)

    def _look(self, now: int, seen) -> None:
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
        # One pin for both: what the meter saw last tells which it was.
        seen.fast_voltage = field.fast and self._quick and meter.voltage >= 3250
        seen.fast_current = field.fast and not seen.fast_voltage
        seen.over_capacity = self._over_capacity is not None and self._over_capacity.value() == 1
        seen.lockout = self._lockout is not None and self._lockout.value() == 1
        if self._acknowledge is not None and self._acknowledge.value() == 0:
            self.protection.acknowledge()
        testing = self.self_test.step(ticks_diff(now, self._last), field.module, self.protection.cause == NONE)
        seen.module = field.module and not testing
        if self._test_pin:
            self._test_pin.value(1 if self.self_test.drive == 1 else 0)
            self._block_pin.value(1 if self.self_test.drive else 0)

    def remote_open(self, now: int) -> None:
        """An authorised command; the latch has the cause REMOTE."""
        self.protection.remote_open(now, self.inputs)

    def remote_close(self, now: int) -> int:
        """An authorised command; 0, or what stands against it (protection_reclose, closing)."""
        return self._closing.begin(now, self.protection.close_refusal())

    def _protection_bits(self) -> int:
        guard = self.protection
        masks = self._masks
        return (
            (masks[0] if guard.residual_alarm.on else 0)
            | (masks[1] if guard.overvoltage_alarm.on else 0)
            | (masks[2] if guard.undervoltage_alarm.on else 0)
            | (masks[3] if guard.temperature_alarm.on else 0)
            | (masks[4] if guard.arc.on else 0)
            | (masks[5] if guard.reclose.locked_out else 0)
            | (masks[6] if guard.opening.withheld else 0)
            | (masks[7] if self.self_test.state == FAILED else 0)
            | (masks[8] if guard.reclose.needs_acknowledgement else 0)
        )

    def _publish(self, now: int, closed: bool) -> None:
        guard = self.protection
        bank = self.live.bank
        state = (
            (self._tripped if guard.cause else 0)
            | (self._overload if guard.alarm.on else 0)
            | (self._failure if guard.opening.failed else 0)
            | (self._fault if self.meter.fault else 0)
        )
        bits = self._protection_bits()
        # What a person has asked for, and waiting for a person, are states and no alarms.
        lasting = self._masks[5] | self._masks[8]
        told = guard.cause == REMOTE or guard.cause == LOCKOUT
        self.alarms = (state & ~self._tripped if told else state) | (bits & ~lasting) << 16
        self.live.state(state | (self._closed if closed else 0))
        self.live.measured(self.meter, now)
        bank.put(INPUT, self._state, bits)
        bank.put(INPUT, self._cause, guard.cause)
        bank.put(INPUT, self._thermal, guard.thermal.permille())
        bank.put(INPUT, self._tested, self.self_test.state)
        bank.put(INPUT, self._refusal, guard.close_refusal())
        bank.put_bit(DISCRETE, self._contact, closed)
        self._date(now)

    def _date(self, now: int) -> None:
        """The latest trip and its age. Over a restart the age counts from the start: at least that old."""
        guard = self.protection
        record = guard.record
        bank = self.live.bank
        bank.put_long(INPUT, self._current, record.current)
        bank.put(INPUT, self._by, record.by)
        if record.by != NOBODY:
            bank.put(INPUT, self._by + 1, record.voltage)
            bank.put(INPUT, self._by + 2, record.residual)
            bank.put(INPUT, self._by + 3, (0 if record.temperature == UNKNOWN else record.temperature) & 0xFFFF)
            bank.put(INPUT, self._by + 4, record.thermal)
        if guard.trip_count != self._seen_trips:
            self._seen_trips = guard.trip_count
            bank.put_long(INPUT, self._age, 0)
        elif guard.trip_count:
            bank.add_long(INPUT, self._age, min(ticks_diff(now, self._last), 0xFFFF))
        bank.put(INPUT, self._trips, guard.trip_count)
        self._last = now
