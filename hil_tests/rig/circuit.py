"""What is real behind one board: mains, load, lever and contact. Pure: time is handed in, in seconds.

The values vary slowly and smoothly, each board in its own rhythm (seeded by its id), so that two runs
show the same world at the same moment. It measures nothing: that is the metering chip's work.
"""

import math
import random
from dataclasses import dataclass

from gateway.errors import ConfigurationError
from hil_tests.rig.site import Board

# What `inject` accepts, with the range in which a value makes sense (units as in the site file).
NUMBERS = {
    "current": (0.0, 20_000.0),
    "load": (0.0, 1000.0),
    "voltage": (0.0, 1000.0),
    "residual": (0.0, 100.0),
    "temperature": (-60.0, 300.0),
    "power_factor": (-1.0, 1.0),
    "frequency": (0.0, 400.0),
    "humidity": (0.0, 100.0),
    "gas": (0.0, 3.3),
    "probe_fault": (0.0, 2.0),
    "pulses": (1.0, 1000.0),
    "address": (1.0, 247.0),
    "baud": (300.0, 1_000_000.0),
}
# Settings of the board itself, as somebody may have loaded them wrongly: it starts anew with them.
SETTLED = ("address", "baud")
FLAGS = (
    "handle",
    "silent",
    "stuck",
    "kill",
    "smoke",
    "water",
    "door",
    "sos",
    "motion",
    "arc",
    "module_fault",
    "swapped",
)
# What is fitted beside the metering chip sees these as they are.
SENSED = ("humidity", "gas", "probe_fault", "smoke", "water", "door", "sos", "motion", "arc", "module_fault")


def parse_injection(pairs: dict[str, str]) -> dict[str, float]:
    """KEY=VALUE pairs as numbers; ConfigurationError (nothing changed) names what is wrong."""
    return parse_pairs(pairs, NUMBERS, FLAGS)


def parse_pairs(
    pairs: dict[str, str], numbers: dict[str, tuple[float, float]], flags: tuple[str, ...]
) -> dict[str, float]:
    """`pairs` as numbers within the ranges of `numbers`, or 0 and 1 for `flags`; else ConfigurationError."""
    values: dict[str, float] = {}
    if not pairs:
        raise ConfigurationError(f"Nothing to change: give KEY=VALUE, of {', '.join([*numbers, *flags])}.")
    for key, text in pairs.items():
        if key not in numbers and key not in flags:
            raise ConfigurationError(f"Unknown key {key!r}: known are {', '.join([*numbers, *flags])}.")
        try:
            value = float(text)
        except ValueError:
            raise ConfigurationError(f"{key}={text}: {text!r} is not a number.") from None
        low, high = numbers.get(key, (0.0, 1.0))
        if not low <= value <= high or (key in flags and value not in (0.0, 1.0)):
            wanted = "0 or 1" if key in flags else f"from {low:g} to {high:g}"
            raise ConfigurationError(f"{key}={text}: it must be {wanted}.")
        values[key] = value
    return values


@dataclass(frozen=True, slots=True)
class Mains:
    """What a meter on this circuit sees at one moment."""

    current: float  # A rms; 0 with the contact open
    voltage: float  # V rms
    power_factor: float
    frequency: float  # Hz


class Circuit:
    """The circuit of one board. `closed` is the main contact; the auxiliary contact shows the same."""

    def __init__(self, board: Board) -> None:
        self.mean = board.load
        self.fixed: dict[str, float] = {
            key: value for key in ("current", "voltage", "frequency") if (value := getattr(board, key)) is not None
        }
        self.residual = board.residual
        self.temperature = board.temperature
        self.power_factor = board.power_factor
        self.humidity = board.humidity
        self.gas = board.gas
        self.probe_fault = board.probe_fault
        self.smoke, self.water, self.door = board.smoke, board.water, board.door
        self.sos, self.motion, self.arc = board.sos, board.motion, board.arc
        self.module_fault = board.module_fault
        self.closed = board.handle
        dice = random.Random(board.id)
        self._phases = [dice.uniform(0, math.tau) for _ in range(4)]

    def mains(self, now: float) -> Mains:
        """The values at `now`."""
        first, second, third, fourth = self._phases
        load = self.mean * (
            1 + 0.15 * math.sin(math.tau * now / 47 + first) + 0.05 * math.sin(math.tau * now / 11 + second)
        )
        voltage = 230 + 1.5 * math.sin(math.tau * now / 97 + third)
        frequency = 50 + 0.02 * math.sin(math.tau * now / 61 + fourth)
        return Mains(
            current=self.fixed.get("current", load) if self.closed else 0.0,
            voltage=self.fixed.get("voltage", voltage),
            power_factor=self.power_factor,
            frequency=self.fixed.get("frequency", frequency),
        )

    def inject(self, values: dict[str, float]) -> None:
        """Values from `parse_injection`; `load` brings the varying load back after a fixed `current`."""
        for key, value in values.items():
            if key in ("current", "voltage", "frequency"):
                self.fixed[key] = value
            elif key == "load":
                self.mean = value
                self.fixed.pop("current", None)
            elif key == "handle":
                self.closed = value == 1.0
            elif key in ("residual", "temperature", "power_factor", *SENSED):
                setattr(self, key, value)

    def leaks(self) -> float:
        """A, residual current through the module; an open contact carries none."""
        return self.residual if self.closed else 0.0
