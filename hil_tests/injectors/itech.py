"""ITECH's AC/DC electronic loads of the series IT8600 (IT8615, IT8616, IT8617, IT8624 to IT8628) as an injector.

Commands: ITECH, "Programming Guide for IT8600 Series", part number IT8600-402266, V2.3 (2019): SYSTem:REMote, :MODE,
:ERRor?; [SOURce:]FUNCtion, CURRent; INPut[:STATe]; MEASure:CURRent:RMS? and VOLTage:RMS?. On the LAN it listens at
port 30000.

The load stands behind the breaker and draws the test current from its circuit. It gives amperes and nothing else; what
opens is seen at its own terminals: no current and no voltage. Whatever goes wrong, its input is switched off.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from hil_tests.hil.bench_file import InjectorTable
from hil_tests.injectors.injector import InstrumentTrouble, Quantity, TripTime
from hil_tests.injectors.limits import Limits, Stopwatch
from hil_tests.injectors.visa import Instrument

T = TypeVar("T")
_LIVE_V = 50.0  # below, the circuit before the load is open
_FLOWS = 0.1  # of the current that was set: less is none
_OFF, _ON = "INP:STAT OFF", "INP:STAT ON"


class ItechLoad:
    """See `Injector`."""

    def __init__(
        self,
        table: InjectorTable,
        instrument: Instrument,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Takes the load over, switched off. InstrumentTrouble when something else answers, or it has errors."""
        self._table, self._io = table, instrument
        self._limits = Limits(table)
        self._watch = Stopwatch(now, sleep, table.reading_s)
        try:
            self._identity = [word.strip() for word in self._io.query("*IDN?").split(",")]
            if len(self._identity) < 2 or not self._identity[1].upper().startswith("IT86"):
                raise InstrumentTrouble(
                    f"{table.resource} says that it is {', '.join(self._identity)}, and not a load of ITECH's series "
                    'IT8600: name the right resource, or describe the set in a profile (kind = "modbus").'
                )
            self._forget_errors()
            for command in ("SYST:REM", _OFF, "SYST:MODE AC", "SOUR:FUNC CURR", "SOUR:CURR 0"):
                self._tell(command)
            self._most = float(self._io.query("SOUR:CURR? MAX"))
        except (InstrumentTrouble, ValueError) as error:
            self._io.close()
            raise (
                error if isinstance(error, InstrumentTrouble) else InstrumentTrouble(f"{table.resource}: {error}.")
            ) from error
        self.name = table.name or " ".join(self._identity[:2])

    def describe(self) -> dict[str, Any]:
        serial = self._identity[2] if len(self._identity) > 2 else "-"
        return {
            "maker": self._identity[0],
            "model": self._identity[1],
            "serial": self._table.serial or serial,
            "uncertainty": (
                f"{self._table.uncertainty_percent:g} % of the current; times within the gaps between two readings, "
                f"each at most {self._table.reading_s:g} s old (k = 2), stated each time"
            ),
        }

    def apply(
        self,
        circuit: str,
        *,
        amps: float | None = None,
        volts: float | None = None,
        residual: float | None = None,
        celsius: float | None = None,
    ) -> None:
        others: dict[Quantity, float | None] = {"volts": volts, "residual": residual, "celsius": celsius}
        for quantity, value in others.items():
            if value is not None:
                raise InstrumentTrouble(f"{self.name} gives amperes only: no {quantity} can be injected with it.")
        if amps is not None:
            self._prepare(circuit, amps)
            self._guarded(lambda: self._tell(_ON) if amps else self._off())

    def trip_time(self, circuit: str, *, quantity: Quantity, value: float, timeout_s: float) -> TripTime:
        if quantity != "amps":
            raise InstrumentTrouble(f"{self.name} gives amperes only: no {quantity} can be injected with it.")
        self._prepare(circuit, value)
        found = self._guarded(lambda: self._clocked(circuit, value, timeout_s))
        self.rest(circuit)
        return found

    def rest(self, circuit: str) -> None:
        self._off()

    def close(self) -> None:
        """Off, and back to its own panel."""
        try:
            self._off()
            with suppress(InstrumentTrouble):  # off is what counts
                self._io.write("SYST:LOC")
        finally:
            self._io.close()

    def _prepare(self, circuit: str, amps: float) -> None:
        self._limits.check(circuit, "amps", amps)
        if amps > self._most:
            raise InstrumentTrouble(f"{self.name} gives {self._most:g} A at most: {amps:g} A was not injected.")
        self._guarded(lambda: self._set(amps))

    def _set(self, amps: float) -> None:
        self._tell(f"SOUR:CURR {amps:g}")
        found = float(self._io.query("SOUR:CURR?"))
        if abs(found - amps) > max(0.02, self._limits.uncertainty(amps)):
            raise InstrumentTrouble(f"{self.name} was set to {amps:g} A and says {found:g} A: look at its own limits.")

    def _clocked(self, circuit: str, amps: float, timeout_s: float) -> TripTime:
        volts = self._measured("VOLT")
        if volts < _LIVE_V:
            raise InstrumentTrouble(
                f"There are {volts:.1f} V at the load on {circuit}: close the breaker, and look at the supply."
            )
        return self._watch.clock(
            lambda: self._tell(_ON), lambda: self._is_open(amps), timeout_s, amps, self._limits.uncertainty(amps)
        )

    def _is_open(self, amps: float) -> bool:
        """No current, because there is no voltage; a load that stopped by itself judges no breaker."""
        flows = self._measured("CURR") >= _FLOWS * amps
        if flows or self._measured("VOLT") >= _LIVE_V:
            if not flows and self._io.query("INP:STAT?").strip() in ("0", "OFF"):
                self._refuse_errors()
                raise InstrumentTrouble(f"{self.name} has switched itself off: look at its panel (protection).")
            return False
        return True

    def _measured(self, what: str) -> float:
        said = self._io.query(f"MEAS:{what}:RMS?")
        try:
            return float(said)
        except ValueError:
            raise InstrumentTrouble(f"{self.name} answered {said!r} to a measurement.") from None

    # --- safety -----------------------------------------------------------------------------------

    def _guarded(self, work: Callable[[], T]) -> T:
        """Whatever goes wrong in `work`, the input is off before anyone hears of it."""
        try:
            return work()
        except BaseException as error:
            try:
                self._off()
            except InstrumentTrouble as worse:
                raise worse from error
            raise

    def _off(self) -> None:
        """Off, also over a new connection; InstrumentTrouble tells the person to do it when neither works."""
        for again in (False, True):
            try:
                if again:
                    self._io.reopen()
                self._io.write(_OFF)
                if self._io.query("INP:STAT?").strip() in ("0", "OFF"):
                    return
            except InstrumentTrouble:
                continue
        raise InstrumentTrouble(
            f"{self.name} cannot be switched off from here: SWITCH IT OFF BY HAND NOW, then look at its cable."
        )

    def _tell(self, command: str) -> None:
        """A command, and what the instrument says to it."""
        self._io.write(command)
        self._refuse_errors(command)

    def _refuse_errors(self, command: str = "") -> None:
        said = self._io.query("SYST:ERR?")
        if not said.lstrip("+").startswith("0"):
            about = f" to {command}" if command else ""
            raise InstrumentTrouble(f"{self._table.resource} says{about}: {said}; look it up in its manual.")

    def _forget_errors(self) -> None:
        """What it complained of before our time."""
        self._io.write("*CLS")
