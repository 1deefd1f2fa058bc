"""Fills the registers that every role has: the measurement, how long the board runs, what it heard on the bus.

It copies and adds up; it judges nothing. Values that a role's profile does not have are let go by the bank.
"""

from time import ticks_add, ticks_diff

from framer import COUNTER
from micropython import const
from registers import HOLDING, INPUT

_SECOND = const(1000)


class Live:
    """`mask(name, register)` is a bit of a register by its profile name, 0 where the role has none."""

    def __init__(self, bank, settings, boots: int, reset_cause: int, now: int) -> None:
        self.bank = bank
        at = bank.at
        self._state = at(b"state")
        self._sequence = at(b"sequence")
        self._age = at(b"measure_age")
        self._current = at(b"current")
        self._voltage = at(b"voltage")
        self._power = at(b"power")
        self._frequency = at(b"frequency")
        self._energy = at(b"energy")
        self._uptime = at(b"uptime")
        self._frames = at(b"bus_frames")
        self._errors = at(b"bus_crc_errors")
        self._second = ticks_add(now, _SECOND)
        self._seen_frames = 0
        self._seen_errors = 0
        bank.put(INPUT, at(b"boot_count"), boots)
        bank.put(INPUT, at(b"reset_cause"), reset_cause)
        bank.put(HOLDING, at(b"rating"), settings.rating if settings.configured else 0)
        bank.put(HOLDING, at(b"curve"), ord(settings.curve))
        bank.put_text(HOLDING, at(b"serial"), settings.serial, 8)

    def mask(self, name: bytes, register: bytes = b"state") -> int:
        number = self.bank.fields.bit(register, name)
        return 0 if number < 0 else 1 << number

    def state(self, bits: int) -> None:
        self.bank.put(INPUT, self._state, bits)

    def measured(self, meter, now: int) -> None:
        bank = self.bank
        bank.put(INPUT, self._sequence, meter.sequence)
        bank.put(INPUT, self._age, meter.age(now))
        bank.put_long(INPUT, self._current, meter.current)
        bank.put(INPUT, self._voltage, meter.voltage)
        bank.put_long(INPUT, self._power, meter.power)
        bank.put(INPUT, self._frequency, meter.frequency)
        bank.put_long(INPUT, self._energy, meter.energy)

    def running(self, slave, now: int) -> None:
        """Uptime and the counters of the bus."""
        bank = self.bank
        while ticks_diff(now, self._second) >= 0:
            self._second = ticks_add(self._second, _SECOND)
            bank.add_long(INPUT, self._uptime, 1)
        bank.add_long(INPUT, self._frames, (slave.frames - self._seen_frames) & COUNTER)
        self._seen_frames = slave.frames
        bank.add_long(INPUT, self._errors, (slave.framer.broken - self._seen_errors) & COUNTER)
        self._seen_errors = slave.framer.broken
