"""A reference meter that speaks SCPI: the measuring side of an IT8600 load, or of any set with the same queries.

Queries as in ITECH's "Programming Guide for IT8600 Series" (IT8600-402266, V2.3): MEASure:VOLTage:RMS?,
CURRent:RMS?, POWer? and FREQuency?. It reads and never sets anything.
"""

from typing import Any

from hil_tests.injectors.injector import InstrumentTrouble
from hil_tests.injectors.visa import Instrument

QUERIES = {
    "voltage": "MEAS:VOLT:RMS?", "current": "MEAS:CURR:RMS?", "power": "MEAS:POW?", "frequency": "MEAS:FREQ?",
}  # fmt: skip


class ScpiMeter:
    """One instrument; what it shows is that of the one circuit to which it is wired."""

    def __init__(self, instrument: Instrument) -> None:
        self._io = instrument

    def identity(self) -> dict[str, Any]:
        """`maker`, `model`, `serial`, as it says."""
        words = [word.strip() for word in self._io.query("*IDN?").split(",")]
        return dict(zip(("maker", "model", "serial"), [*words, "-", "-", "-"][:3], strict=True))

    def values(self) -> dict[str, float]:
        """V, A, W and Hz, now. InstrumentTrouble when one of them is no number."""
        found = {}
        for name, query in QUERIES.items():
            said = self._io.query(query)
            try:
                found[name] = float(said)
            except ValueError:
                raise InstrumentTrouble(f"The reference meter answered {said!r} to {query}.") from None
        return found

    def close(self) -> None:
        self._io.close()
