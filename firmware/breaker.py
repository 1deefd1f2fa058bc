"""The role of a breaker: current into protection, protection onto the trip coil, all of it into the registers."""

from time import ticks_diff

from protection import Protection
from registers import DISCRETE, INPUT


class Breaker:
    """`alarms` has a bit for each alarm that stands, as the state register has them."""

    def __init__(self, board, settings, meter, memory, live, now: int) -> None:
        self.board = board
        self.meter = meter
        self.memory = memory
        self.live = live
        self.alarms = 0
        self.attention = False
        self.protection = Protection(settings.rating, settings.curve, now)
        closed = board.contact.value() == 1
        self.protection.restore(memory.cause, memory.trips, memory.current, closed)
        self.protection.thermal.assume(memory.hot)
        bank = live.bank
        self._cause = bank.at(b"cause")
        self._trips = bank.at(b"trip_count")
        self._age = bank.at(b"trip_age")
        self._current = bank.at(b"trip_current")
        self._thermal = bank.at(b"thermal")
        self._contact = bank.at(b"contact")
        self._closed = live.mask(b"closed")
        self._tripped = live.mask(b"tripped")
        self._overload = live.mask(b"overload")
        self._failure = live.mask(b"breaker_failure")
        self._fault = live.mask(b"meter_fault")
        self._seen_trips = self.protection.trip_count
        self._last = now

    def step(self, now: int) -> None:
        meter = self.meter
        guard = self.protection
        closed = self.board.contact.value() == 1
        guard.step(now, meter.current, meter.saturated, meter.sequence, meter.alive, closed)
        self.board.trip.value(guard.output)
        self.memory.note(now, guard.cause, guard.trip_count, guard.trip_current, meter.energy, guard.thermal.permille())
        self._publish(now, closed)

    def _publish(self, now: int, closed: bool) -> None:
        guard = self.protection
        bank = self.live.bank
        self.alarms = (
            (self._tripped if guard.cause else 0)
            | (self._overload if guard.alarm.on else 0)
            | (self._failure if guard.failed else 0)
            | (self._fault if self.meter.fault else 0)
        )
        self.live.state(self.alarms | (self._closed if closed else 0))
        self.live.measured(self.meter, now)
        bank.put(INPUT, self._cause, guard.cause)
        bank.put_long(INPUT, self._current, guard.trip_current)
        bank.put(INPUT, self._thermal, guard.thermal.permille())
        bank.put_bit(DISCRETE, self._contact, closed)
        self._date(now)

    def _date(self, now: int) -> None:
        """The age of the latest trip. Over a restart it counts from the start: at least that old."""
        guard = self.protection
        bank = self.live.bank
        if guard.trip_count != self._seen_trips:
            self._seen_trips = guard.trip_count
            bank.put_long(INPUT, self._age, 0)
        elif guard.trip_count:
            bank.add_long(INPUT, self._age, min(ticks_diff(now, self._last), 0xFFFF))
        bank.put(INPUT, self._trips, guard.trip_count)
        self._last = now
