"""The role of a metering sensor. It moves nothing."""

from time import ticks_diff

from protection_current import Overload, Thermal


class Sensor:
    """Measures, and alarms when its circuit carries more than its rating for long, or `field` saw something.

    `alarms` has the bits of the register `state`, and above them those of `inputs`.
    """

    def __init__(self, settings, meter, memory, live, now: int, field=None) -> None:
        self.meter = meter
        self.field = field
        self.memory = memory
        self.live = live
        self.alarms = 0
        self.attention = False
        self.thermal = Thermal(settings.rating)
        self.thermal.assume(memory.hot)
        self.overload = Overload(settings.rating, settings.protection.overload_alarm)
        self._overload = live.mask(b"overload")
        self._fault = live.mask(b"meter_fault")
        self._last = now

    def step(self, now: int) -> None:
        meter = self.meter
        elapsed = ticks_diff(now, self._last)
        self._last = now
        self.thermal.step(elapsed, meter.current, meter.alive)
        permille = self.thermal.permille()
        over = self.overload.step(elapsed, meter.current, permille)
        self.memory.note(now, 0, 0, 0, meter.energy, permille)
        self.alarms = (self._overload if over else 0) | (self._fault if meter.fault else 0)
        self.live.state(self.alarms)
        if self.field:
            self.field.step(now)
            self.alarms |= self.field.alarms << 16
        self.live.measured(meter, now)
