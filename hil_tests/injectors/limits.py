"""What an instrument may inject on this bench, and a stopwatch for those that keep no time. Pure: time is handed in."""

from collections.abc import Callable
from dataclasses import dataclass

from hil_tests.hil.bench_file import InjectorTable
from hil_tests.injectors.injector import InstrumentTrouble, Quantity, TripTime

UNITS: dict[Quantity, str] = {"amps": "A", "volts": "V", "residual": "A", "celsius": "°C"}
_KEYS: dict[Quantity, str] = {
    "amps": "amps_at_most",
    "volts": "volts_at_most",
    "residual": "residual_at_most",
    "celsius": "celsius_at_most",
}


class Limits:
    """The limits of the bench file's `[injector]`. They are looked at before anything is sent."""

    def __init__(self, table: InjectorTable) -> None:
        self._table = table

    def check(self, circuit: str, quantity: Quantity, value: float) -> None:
        """InstrumentTrouble, with what to write into the bench file, when this may not be injected there."""
        known = self._table.circuits
        if circuit not in known:
            raise InstrumentTrouble(
                f"The injector is not wired to {circuit}: wire it, and name it in [injector] circuits "
                f"(there are {', '.join(known) or 'none'})."
            )
        key = _KEYS[quantity]
        most = float(getattr(self._table, key))
        if most == 0 or quantity not in self._table.quantities:
            raise InstrumentTrouble(f"This injector gives no {quantity}: if it can, write {key} into [injector].")
        if not 0 <= value <= most:
            raise InstrumentTrouble(
                f"{value:g} {UNITS[quantity]} is not within 0 to {most:g} {UNITS[quantity]} ({key} of [injector]): "
                "nothing was injected."
            )

    def uncertainty(self, value: float) -> float:
        """k = 2, in the unit of the value."""
        return abs(value) * self._table.uncertainty_percent / 100


@dataclass
class Stopwatch:
    """Clocks from a step to an open circuit by asking again and again. `reading_s`: how old an answer may be."""

    now: Callable[[], float]
    sleep: Callable[[float], None]
    reading_s: float
    pause_s: float = 0.005

    def clock(
        self,
        step: Callable[[], None],
        is_open: Callable[[], bool],
        timeout_s: float,
        value: float,
        value_uncertainty: float,
    ) -> TripTime:
        """The step began between the start and the end of `step`; the circuit opened between the last look that began
        while it was closed (and may have shown something older) and the end of the first look that found it open.
        """
        before = self.now()
        step()
        stepped = closed_at = self.now()
        while True:
            asked = self.now()
            opened = is_open()
            if opened:
                break
            closed_at = asked
            if asked - before > timeout_s:
                return TripTime(None, self.reading_s, value, value_uncertainty)
            self.sleep(self.pause_s)
        longest = self.now() - before
        shortest = max(0.0, closed_at - self.reading_s - stepped)
        return TripTime((longest + shortest) / 2, (longest - shortest) / 2, value, value_uncertainty)
