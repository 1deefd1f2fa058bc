"""The breaker's protection: the elements together, the latch, and what a trip leaves behind.

Pure: measurements, pin levels and time are handed in, levels come out; every result fits a 31-bit small integer, and
a step allocates nothing. It needs no bus and no gateway: without one it protects and holds what it has. It owns what
may take 100 ms or longer. Anything faster is hardware (the metering chip's pin, the residual-current module's trip
output, both on the trip latch): that has opened when this module hears of it, and here it is latched and recorded.
Alarms move nothing and have settings of their own.
"""

from time import ticks_diff

from micropython import const
from protection_current import Instantaneous, Overload, Thermal
from protection_delay import Alarm
from protection_opening import Opening
from protection_reclose import Reclose
from protection_record import Record
from protection_voltage import Overvoltage

# Causes, as the register `cause` and the events of the profile have them.
_NONE = const(0)
_OVERCURRENT = const(1)  # the thermal element
_INSTANTANEOUS = const(2)
_RESIDUAL = const(3)
_OVERVOLTAGE = const(4)
_UNDERVOLTAGE = const(5)
_TEMPERATURE = const(6)
_ARC = const(7)
_REMOTE = const(8)
_LOCKOUT = const(9)

# Who opened, as the register trip_by has it.
_FIRMWARE = const(1)
_CHIP = const(2)
_MODULE = const(3)

_ACKNOWLEDGED = const(1 << 2 | 1 << 3 | 1 << 6)  # causes after which closing waits for a person at the device

UNKNOWN = const(-32768)  # a temperature that nobody measures
_NOT_LOW = const(10_000)  # 0.1 V: a meter that is not heard tells of no undervoltage
_HALF_CYCLES = const(10)  # arcing, in 1 s: 9 must not alarm (IEC 62606 as quoted in electrical reference)
_OPEN_MS = const(300)  # the contact must show open for so long: contacts bounce


class Inputs:
    """What one step sees. `current` and `residual` mA, `voltage` 0.1 V, `temperature` 0.1 degree Celsius.

    `surge` is the highest voltage since the last look, as the RMS of a sine with that peak (0.1 V).
    `sample` numbers the measurement, `saturated`: the chip was at full scale, `alive`: the measurement is fresh,
    `closed`: the auxiliary contact. `residual` -1 and `temperature` UNKNOWN where nobody measures. The rest are pins:
    the chip's fast element, the module's trip output, the arc detector's contact (or its
    `half_cycles` in the last second), the comparator for the breaking capacity, the local lock-out.
    """

    def __init__(self) -> None:
        self.current = 0
        self.voltage = 0
        self.surge = 0
        self.saturated = False
        self.sample = -1
        self.alive = False
        self.closed = True
        self.residual = -1
        self.temperature = UNKNOWN
        self.fast_current = False
        self.module = False
        self.arc = False
        self.half_cycles = 0
        self.over_capacity = False
        self.lockout = False


class Protection:
    """The protection of one breaker. `cause` latches until the lever has been opened and closed."""

    def __init__(self, rating: int, curve: str, chosen, quick: bool, now: int) -> None:
        """`chosen`: protection_settings.Chosen; `quick`: the meter follows within 100 ms (ADE7953)."""
        self.thermal = Thermal(rating)
        self.instantaneous = Instantaneous(rating, curve)
        self.overvoltage = Overvoltage(quick) if chosen.overvoltage_trip else None
        nominal = chosen.nominal_voltage
        # For longer than one refresh of the meter.
        self.undervoltage = Alarm(-nominal * chosen.undervoltage_trip // 10, 1, 300)
        # Half-way between "must not" (0.5) and "must" (1). The module's own output is faster; type S may not act before
        # 130 ms at the rated current and 60 ms at twice of it, and the value is older than 20 ms.
        self.residual = Alarm(chosen.residual * 3 // 4, 1, 150 if chosen.residual_type == "S" else 100)
        self.heat = Alarm(chosen.temperature_trip * 10, 1, 5_000)
        self.arc = Alarm(_HALF_CYCLES, 1, 100)  # contacts bounce
        self._arc_trips = chosen.arc_trip == 1
        self._closes = nominal * 17 // 2  # 0.85 Un in 0.1 V: IEC 60947-2
        self.alarm = Overload(rating, chosen.overload_alarm)
        # 90 % of the setting lies between the 80 % and 100 % of electrical reference "Electrical-fire detection".
        self.residual_alarm = Alarm(chosen.residual_alarm * 9 // 10, chosen.residual_alarm // 5, 10_000)
        self.overvoltage_alarm = Alarm(chosen.overvoltage_alarm * 10, 30, 2_000)
        self.undervoltage_alarm = Alarm(-nominal * chosen.undervoltage_alarm // 10, 50, 2_000)
        self.temperature_alarm = Alarm(chosen.temperature_alarm * 10, 50, 10_000)
        # "Still flows": 2 % of In and above the chip's noise.
        self.opening = Opening(chosen.capacity, max(rating * 20, 100))
        self.reclose = Reclose(chosen.reclose_wait, chosen.reclose_count, chosen.reclose_window)
        self.record = Record()
        self.cause = _NONE
        self.trip_count = 0
        self._mains = False
        self._last = now
        self._sample = -1
        self._seen_open = False
        self._closed_at = now  # last time that the contact showed closed

    def step(self, now: int, seen) -> int:
        """One step at `now` (ticks_ms) with what is `seen` (Inputs); returns the latched cause."""
        elapsed = ticks_diff(now, self._last)
        self._last = now
        if seen.sample != self._sample:
            self._sample = seen.sample
            self.instantaneous.step(seen.current, seen.saturated)
            self.record.measured(now, seen)
        self.thermal.step(elapsed, seen.current, seen.alive)
        self.reclose.step(elapsed, seen.lockout)
        self._rearm(now, seen.closed)
        self._mains = seen.alive and seen.voltage >= self._closes
        wanted = self._judge(elapsed, seen)
        if self.cause == _NONE:
            self._fast(now, seen)
            if self.cause == _NONE and wanted != _NONE:
                self.trip(now, wanted, _FIRMWARE, seen)
        self._alarms(elapsed, seen)
        self.opening.step(now, seen)
        return self.cause

    def trip(self, now: int, cause: int, by: int, seen) -> None:
        """Latches and opens."""
        self.cause = cause
        self.trip_count = (self.trip_count + 1) & 0xFFFF
        self.opening.begin(now, seen.current, seen.over_capacity)
        self.reclose.tripped(_ACKNOWLEDGED >> cause & 1 == 1)
        self._seen_open = False
        self.record.latch(now, self.trip_count, cause, by, seen, self.thermal.permille(), self.opening.withheld)

    def remote_open(self, now: int, seen) -> None:
        """An authorised command; what has tripped already stays as it is."""
        if self.cause == _NONE:
            self.trip(now, _REMOTE, _FIRMWARE, seen)

    def acknowledge(self) -> None:
        """By a person at the device, who has cleared the cause."""
        self.reclose.acknowledge()

    def bits(self) -> int:
        """The register `protection`, as the profile has its bits, but for the hardware's (7)."""
        return (
            (1 if self.residual_alarm.on else 0)
            | (2 if self.overvoltage_alarm.on else 0)
            | (4 if self.undervoltage_alarm.on else 0)
            | (8 if self.temperature_alarm.on else 0)
            | (16 if self.arc.on else 0)
            | (32 if self.reclose.locked_out else 0)
            | (64 if self.opening.withheld else 0)
            | (256 if self.reclose.needs_acknowledgement else 0)
        )

    def close_refusal(self) -> int:
        """0 when nothing stands against closing, else a reason of protection_reclose."""
        return self.reclose.refusal(self.opening, self._mains)

    def restore(self, cause: int, count: int, current: int, closed: bool) -> None:
        """What the memory kept over a restart. A lever found closed was closed by a person meanwhile."""
        self.trip_count = count
        self.record.number = count
        self.record.current = current
        if not closed:
            self.cause = cause
            self._seen_open = True
            if cause != _NONE:
                self.reclose.tripped(_ACKNOWLEDGED >> cause & 1 == 1)

    def _judge(self, elapsed: int, seen) -> int:
        """Steps every element of the firmware; the cause that wants to trip, the most dangerous first."""
        alive = seen.alive
        residual = self.residual.step(elapsed, seen.residual, True)
        over = self.overvoltage is not None and self.overvoltage.step(
            elapsed, seen.voltage if alive else 0, seen.surge if alive else 0
        )
        under = self.undervoltage.step(elapsed, -seen.voltage if alive else -_NOT_LOW, True)
        heat = self.heat.step(elapsed, seen.temperature, True)
        arc = self.arc.step(elapsed, _HALF_CYCLES if seen.arc else seen.half_cycles, True)
        if self.reclose.locked_out and seen.closed:
            return _LOCKOUT
        if self.instantaneous.high >= 2:
            return _INSTANTANEOUS
        if residual:
            return _RESIDUAL
        if self.thermal.trips():
            return _OVERCURRENT
        if over:
            return _OVERVOLTAGE
        if heat:
            return _TEMPERATURE
        if arc and self._arc_trips:
            return _ARC
        return _UNDERVOLTAGE if under else _NONE

    def _fast(self, now: int, seen) -> None:
        """What the hardware has done already."""
        if seen.fast_current:
            self.trip(now, _INSTANTANEOUS, _CHIP, seen)
        elif seen.module:
            self.trip(now, _RESIDUAL, _MODULE, seen)

    def _alarms(self, elapsed: int, seen) -> None:
        # An open breaker is not overloaded, however hot it still is: a current through it would be its failure.
        self.alarm.step(elapsed, seen.current, self.thermal.permille() if seen.closed else 0)
        self.residual_alarm.step(elapsed, seen.residual, seen.residual >= 0)
        self.overvoltage_alarm.step(elapsed, seen.voltage, seen.alive)
        self.undervoltage_alarm.step(elapsed, -seen.voltage, seen.alive)
        self.temperature_alarm.step(elapsed, seen.temperature, seen.temperature != UNKNOWN)

    def _rearm(self, now: int, closed: bool) -> None:
        """A lever that was open and is closed again was moved by a person, or by a command that nothing refused."""
        if not closed:
            if ticks_diff(now, self._closed_at) >= _OPEN_MS:
                self._seen_open = True
            return
        self._closed_at = now
        if not self._seen_open:
            return
        self._seen_open = False
        self.reclose.closed()
        if self.cause != _NONE:
            self.cause = _NONE
            self.reclose.acknowledge()
            self.opening.end()
            self.instantaneous.high = 0
