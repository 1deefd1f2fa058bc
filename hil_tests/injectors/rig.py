"""The virtual bench's injector: the rig changes what a board measures, and its contact says when it opened.

Times are the rig's own, from the change to the open contact; what the machine was late by is its uncertainty.
"""

import time
from pathlib import Path
from typing import Any

from hil_tests.injectors.injector import InstrumentTrouble, Quantity, TripTime
from hil_tests.rig import control

_KEYS = {"amps": "current", "volts": "voltage", "residual": "residual", "celsius": "temperature"}
# A circuit at rest: what a board of the village has by itself.
REST = {"current": "1", "voltage": "230", "residual": "0.008", "temperature": "31", "power_factor": "0.95"}
_STAMP_S = 0.001  # of two stamps in whole milliseconds
_CHAIN = 2  # the chip's or module's moment, then the contact's: each may be late
_LOOK_S = 0.02


class RigInjector:
    """All boards of the rig whose folder is `rig`."""

    def __init__(self, rig: Path) -> None:
        self.name = "virtual injector"
        self._rig = rig
        self._touched: set[str] = set()

    def describe(self) -> dict[str, Any]:
        return {
            "maker": "Gewu",
            "model": "virtual injector (gewu rig)",
            "serial": "-",
            "uncertainty": "values exact; times within 1 ms and twice what the machine was late by, stated each time",
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
        given = {"amps": amps, "volts": volts, "residual": residual, "celsius": celsius}
        self._inject(circuit, {_KEYS[name]: repr(value) for name, value in given.items() if value is not None})

    def trip_time(self, circuit: str, *, quantity: Quantity, value: float, timeout_s: float) -> TripTime:
        if not self._closed(circuit):
            raise InstrumentTrouble(f"The breaker {circuit} is open before the injection: close it first.")
        began_ms = self._inject(circuit, {_KEYS[quantity]: repr(value)})
        deadline = time.monotonic() + timeout_s
        while (opened := self._opened(circuit, began_ms)) is None and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        late = float(control.ask(self._rig, {"do": "late", "since_ms": began_ms})["late_s"])
        self.rest(circuit)
        seconds = None if opened is None else (opened - began_ms) / 1000
        return TripTime(seconds, _STAMP_S + _CHAIN * late, value, 0.0)

    def rest(self, circuit: str) -> None:
        self._inject(circuit, dict(REST))

    def close(self) -> None:
        for circuit in sorted(self._touched):
            self.rest(circuit)
        self._touched.clear()

    def _inject(self, circuit: str, values: dict[str, str]) -> int:
        self._touched.add(circuit)
        return int(control.ask(self._rig, {"do": "inject", "board": circuit, "values": values})["at_ms"])

    def _closed(self, circuit: str) -> bool:
        boards = control.ask(self._rig, {"do": "state"})["boards"]
        return any(board["id"] == circuit and board["closed"] for board in boards)

    def _opened(self, circuit: str, since_ms: int) -> int | None:
        trips = control.ask(self._rig, {"do": "state"})["trips"]
        times = (trip["at_ms"] for trip in trips if trip["board"] == circuit and trip["at_ms"] >= since_ms)
        return next(times, None)
