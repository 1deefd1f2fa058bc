"""Long delays in hurried time: the same firmware under MicroPython with a virtual clock, asked as an injector is.

It answers for what takes minutes and hours; the suite ties it to the real boards by delays that both have measured.
"""

from collections.abc import Iterable
from typing import Any

from hil_tests.curve import bench as curve
from hil_tests.hil.bench_file import Device
from hil_tests.injectors.injector import InstrumentTrouble, Quantity, TripTime

_STEP_S = 0.05  # of its virtual time, below 20 s; above, a quarter of a percent of the delay


class HurriedInjector:
    """One circuit for each of `devices`, cold at each question."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self.name = "virtual clock"
        self._devices = {device.id: device for device in devices}

    def describe(self) -> dict[str, Any]:
        return {
            "maker": "Gewu",
            "model": "gewu firmware curve: the firmware in virtual time",
            "serial": "-",
            "uncertainty": "50 ms below 20 s, 0.25 % above",
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
        raise InstrumentTrouble("Virtual time has no now: ask it for a trip time.")

    def trip_time(
        self, circuit: str, *, quantity: Quantity, value: float, timeout_s: float, hot: float = 0.0
    ) -> TripTime:
        """`hot`: soaked at so many times In before."""
        return self.trip_times(circuit, quantity, [value], timeout_s, hot)[0]

    def trip_times(
        self, circuit: str, quantity: Quantity, values: list[float], timeout_s: float, hot: float = 0.0
    ) -> list[TripTime]:
        """One for each value, asked together: MicroPython starts once."""
        device = self._devices[circuit]
        questions = [_question(device, quantity, value, hot) for value in values]
        return [
            TripTime(
                None if found.after is None or found.after > timeout_s else found.after,
                _STEP_S if found.after is None else max(_STEP_S, found.after / 400),
                value,
                0.0,
            )
            for value, found in zip(values, curve.run(questions), strict=True)
        ]

    def soaked(self, circuit: str, soak: float, amps: float, timeout_s: float) -> TripTime:
        """Straight after the conventional time at `soak` times In; GewuError when it trips during that."""
        return self.trip_time(circuit, quantity="amps", value=amps, timeout_s=timeout_s, hot=soak)

    def rest(self, circuit: str) -> None:
        """Nothing flows in virtual time."""

    def close(self) -> None:
        """There is nothing to give back."""


def _question(device: Device, quantity: Quantity, value: float, hot: float) -> curve.Question:
    about: dict[str, Any] = {"amps": value} if quantity == "amps" else {"volts": value}
    if quantity == "residual":
        about = {"leak": value, "residual": device.residual, "type": device.residual_type}
    if quantity == "celsius":
        raise InstrumentTrouble("Virtual time knows no temperature: inject it in real time.")
    return curve.Question(device.rating, device.curve, device.meter, hot=hot, **about)
