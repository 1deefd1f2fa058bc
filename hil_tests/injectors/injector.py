"""What the suite wants of anything that injects. It knows no instrument and no board."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gateway.errors import GewuError

# What is injected: A, V, A of residual current, degrees Celsius at the terminal.
Quantity = Literal["amps", "volts", "residual", "celsius"]


class InstrumentTrouble(GewuError):
    """The instrument, its cable or its settings: what was asked was not injected, so the board is not judged by it."""


@dataclass(frozen=True, slots=True)
class TripTime:
    """What one injection showed, as the injector clocks it.

    `seconds` from the step to the open circuit, None when it stayed closed for the whole of the time allowed;
    `uncertainty_s` half the width of the interval in which the true time lies (k = 2); `value` what flowed or stood,
    in the unit of its quantity, and `value_uncertainty` the same of it.
    """

    seconds: float | None
    uncertainty_s: float
    value: float
    value_uncertainty: float


class Injector(Protocol):
    """One instrument. `circuit` is a device's id in the bench file. Every method may raise InstrumentTrouble."""

    name: str

    def describe(self) -> dict[str, Any]:
        """`maker`, `model`, `serial`, `uncertainty` (a sentence); more may stand beside them."""
        ...

    def apply(
        self,
        circuit: str,
        *,
        amps: float | None = None,
        volts: float | None = None,
        residual: float | None = None,
        celsius: float | None = None,
    ) -> None:
        """Let this flow from now on; what is None stays as it is."""
        ...

    def trip_time(self, circuit: str, *, quantity: Quantity, value: float, timeout_s: float) -> TripTime:
        """Step to `value` and clock until the circuit is open, `timeout_s` at most; then it rests again."""
        ...

    def rest(self, circuit: str) -> None:
        """Nothing injected: what the circuit has by itself."""
        ...

    def close(self) -> None:
        """Rest everywhere and give the instrument back."""
        ...
