"""Sensors at the converter's pins: thermistor, gas, the analogue output of a residual-current module.

Integers only, and a step allocates nothing: the thermistor's curve is a table made at the start. The ESP32's
converter reads 100 to 150 mV where there is nothing, and ends near 3.1 V (11 dB): outside is no measurement.
"""

from array import array
from math import exp
from time import ticks_diff

from micropython import const
from reading import Reading

_DEAD_MV = const(160)
_TOP_MV = const(3080)
_SUPPLY_MV = const(3300)
_EVERY_MS = const(250)
_STALE_MS = const(2000)

_COLDEST = const(-20)  # degrees Celsius: first row of a thermistor's table
_ROWS = const(37)  # to 160 degrees
_STEP = const(5)
_DECIDEGREES = const(50)  # _STEP in 0.1 degrees
_KELVIN = 273.15
_ROOM_KELVIN = 298.15

# Bender RCMB102, operating manual TGH1475en: below 150 mV and above 4.85 V its output X1 signals a short circuit,
# an interruption or a fault; 4.85 V itself says "beyond the measuring range".
_MODULE_TOP_MV = const(4850)
_MODULE_MOST_MV = const(5000)  # the converter is not better than 3 %
_RESIDUAL_EVERY_MS = const(20)


def _millivolts(adc) -> int:
    """The mean of four conversions, at the pin."""
    return (adc.read_uv() + adc.read_uv() + adc.read_uv() + adc.read_uv()) // 4000


class Thermistor(Reading):
    """An NTC from 3.3 V to the pin, and `series_ohm` from the pin to ground. `value` in 0.1 degrees Celsius.

    `ohm` at 25 degrees, `beta` in kelvin. An open one reads as below the converter's reach, a shorted one as above.
    """

    def __init__(self, adc, ohm: int, beta: int, series_ohm: int, now: int) -> None:
        super().__init__(_STALE_MS, now)
        self.adc = adc
        self._at = now
        self._table = array("H", [0] * _ROWS)
        for row in range(_ROWS):
            kelvin = _KELVIN + _COLDEST + _STEP * row
            here = ohm * exp(beta * (1 / kelvin - 1 / _ROOM_KELVIN))
            self._table[row] = int(_SUPPLY_MV * series_ohm / (series_ohm + here) + 0.5)

    def step(self, now: int) -> None:
        if ticks_diff(now, self._at) >= _EVERY_MS:
            self._at = now
            mv = _millivolts(self.adc)
            table = self._table
            if _DEAD_MV <= mv <= _TOP_MV and table[0] <= mv < table[_ROWS - 1]:
                row = 0
                while table[row + 1] <= mv:
                    row += 1
                part = (mv - table[row]) * _DECIDEGREES // (table[row + 1] - table[row])
                self.heard(10 * _COLDEST + _DECIDEGREES * row + part, now)
        self.watch(now)


class Gas(Reading):
    """A heated gas sensor (such as the MQ series). `value` in mV at the pin, `alarm` with a tenth of hysteresis.

    While it warms up it knows nothing. A broken wire reads as clean air: test it with the button of a lighter.
    """

    def __init__(self, adc, alarm_mv: int, warm_s: int, now: int) -> None:
        super().__init__(_STALE_MS, now)
        self.adc = adc
        self.alarm = False
        self._high = alarm_mv
        self._low = alarm_mv - alarm_mv // 10
        self._cold = warm_s * 1000 // _EVERY_MS  # looks until it is warm
        self._at = now
        self._above = 0

    def step(self, now: int) -> None:
        if ticks_diff(now, self._at) < _EVERY_MS:
            return
        self._at = now
        if self._cold > 0:
            self._cold -= 1
            self.fault = True
            return
        mv = _millivolts(self.adc)
        self.heard(mv, now)
        self._above = self._above + 1 if mv >= self._high else 0
        if self._above >= 2:
            self.alarm = True
        elif mv < self._low:
            self.alarm = False


class Residual(Reading):
    """The analogue output of a residual-current module. `value` in mA; at the end of its range it is at least that.

    `zero_mv` and `ua_per_mv` are of the module's output (its data sheet), `divider` is permille of output over pin.
    What the converter cannot tell from nothing is a fault: the module is dead, or its wire is broken.
    """

    def __init__(self, adc, zero_mv: int, ua_per_mv: int, divider: int, now: int) -> None:
        super().__init__(_STALE_MS, now)
        self.adc = adc
        self._zero = zero_mv
        self._slope = ua_per_mv
        self._divider = divider
        self._at = now

    def step(self, now: int) -> None:
        if ticks_diff(now, self._at) >= _RESIDUAL_EVERY_MS:
            self._at = now
            pin = _millivolts(self.adc)
            mv = pin * self._divider // 1000
            if pin >= _DEAD_MV and mv <= _MODULE_MOST_MV:
                above = min(mv, _MODULE_TOP_MV) - self._zero
                self.heard(max(above, 0) * self._slope // 1000, now)
        self.watch(now)


def probe(board, settings, now: int):
    """The temperature probe that is fitted, or None."""
    if "ntc" in settings.fitted:
        return Thermistor(board.analogue("ntc"), settings.ntc_ohm, settings.ntc_beta, settings.ntc_series_ohm, now)
    if "ds18b20" in settings.fitted:
        from ds18b20 import Ds18b20

        return Ds18b20(board.onewire(), now)
    return None
