"""A person with any test set and a stopwatch, told one step after the other. People first: safety is asked before all.

It injects nothing itself: it says what to set, and takes down what was read. A reaction is part of every time.
"""

from typing import Any, Protocol

from hil_tests.hil.bench_file import InjectorTable
from hil_tests.injectors.injector import InstrumentTrouble, Quantity, TripTime
from hil_tests.injectors.limits import UNITS, Limits

_WHAT: dict[Quantity, str] = {
    "amps": "current", "volts": "voltage", "residual": "residual current", "celsius": "temperature at the terminal",
}  # fmt: skip
_SAFE = (
    "Before anything else: the circuit under test is isolated from everything that others use, nobody can touch it, "
    "a certified breaker stands upstream, and you can switch the test set off with one hand. Is all of that so?"
)


class Console(Protocol):
    """Whoever speaks to the person; `hil_tests.hil.hands.Person` is one. Raises GewuError when nobody answers."""

    def do(self, task: str) -> None: ...

    def sees(self, question: str) -> bool: ...

    def reads(self, what: str, unit: str) -> float: ...


class PersonInjector:
    """See `Injector`."""

    def __init__(self, table: InjectorTable, console: Console) -> None:
        self.name = table.name or "a person with a test set and a stopwatch"
        self._table, self._console = table, console
        self._limits = Limits(table)
        self._safe = False
        self._on: str | None = None

    def describe(self) -> dict[str, Any]:
        return {
            "maker": "-",
            "model": self.name,
            "serial": self._table.serial or "-",
            "uncertainty": (
                f"{self._table.uncertainty_percent:g} % of the value as read; times by hand, "
                f"± {self._table.reaction_s:g} s of reaction (k = 2)"
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
        given: dict[Quantity, float | None] = {
            "amps": amps, "volts": volts, "residual": residual, "celsius": celsius,
        }  # fmt: skip
        wanted = {name: value for name, value in given.items() if value is not None}
        for quantity, value in wanted.items():
            self._limits.check(circuit, quantity, value)
        for quantity, value in wanted.items():
            self._ask_for_safety()
            self._console.do(f"Set the {_WHAT[quantity]} of the test set to {value:g} {UNITS[quantity]}.")
        if wanted:
            self._on = circuit
            self._console.do(f"Switch the test set on, onto {circuit}.")

    def trip_time(self, circuit: str, *, quantity: Quantity, value: float, timeout_s: float) -> TripTime:
        self._limits.check(circuit, quantity, value)
        self._ask_for_safety()
        unit, what = UNITS[quantity], _WHAT[quantity]
        self._console.do(f"Test set OFF. Set its {what} to {value:g} {unit}, and wire it to {circuit}.")
        if not self._console.sees(f"Is the lever of {circuit} ON (closed)?"):
            raise InstrumentTrouble(f"{circuit} is not closed: close it, and begin this test again.")
        self._on = circuit
        self._console.do(
            f"Stopwatch at zero. Switch the test set on and start the stopwatch in the same moment; stop it when "
            f"{circuit} opens. If it has not opened after {timeout_s:g} s, switch the test set off."
        )
        opened = self._console.sees(f"Has {circuit} opened by itself?")
        seconds = self._console.reads("What does the stopwatch show", "s") if opened else None
        found = self._console.reads(f"What did the instrument show as {what} meanwhile", unit)
        self.rest(circuit)
        self._judge(quantity, value, found, seconds, timeout_s)
        return TripTime(seconds, self._table.reaction_s, found, self._limits.uncertainty(found))

    def rest(self, circuit: str) -> None:
        if self._on is None:
            return
        self._console.do("Switch the test set OFF.")
        if not self._console.sees("Is the test set off?"):
            raise InstrumentTrouble("The test set is not off: switch it off at its mains, and look at it.")
        self._on = None

    def close(self) -> None:
        self.rest(self._on or "")

    def _ask_for_safety(self) -> None:
        if not self._safe and not self._console.sees(_SAFE):
            raise InstrumentTrouble("Not safe: nothing is injected. Make it safe first, then start gewu hil again.")
        self._safe = True

    def _judge(self, quantity: Quantity, value: float, found: float, seconds: float | None, timeout_s: float) -> None:
        """A slip of the pen judges no breaker."""
        if abs(found - value) > max(0.1 * value, self._limits.uncertainty(value)):
            raise InstrumentTrouble(
                f"{value:g} {UNITS[quantity]} were wanted and {found:g} {UNITS[quantity]} were read: set it, and again."
            )
        if seconds is not None and not 0 <= seconds <= timeout_s + self._table.reaction_s:
            raise InstrumentTrouble(f"{seconds:g} s on the stopwatch cannot be: it was {timeout_s:g} s at most. Again.")
