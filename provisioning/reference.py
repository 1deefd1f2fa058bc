"""What the bench's reference meter says: typed by a person, from a file of the calibrator's points, or over SCPI.

Each prompt that touches a board puts people first. It reads an instrument; it sets none and judges nothing.
"""

import csv
import math
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from gateway.errors import ConfigurationError
from provisioning.calibration import CHECK, POINTS, Reading
from provisioning.trouble import Trouble

PEOPLE_FIRST = (
    "People first: isolated supply, mains off; nobody touches board or wires while the bench is live. "
    "安全第一：使用隔离电源，断开市电；通电时不要触摸电路板和导线。"
)
_WHAT = {
    "low": "LOW point: a fifth of the rated current, about half of the voltage / 低点：额定电流的五分之一",
    "high": "HIGH point: about the rated current at the rated voltage / 高点：约额定电流，额定电压",
    CHECK: "CHECK point: any other current and voltage / 校验点：其他任意电流电压",
}
_MOST_VOLTS, _MOST_AMPS = 500.0, 200.0
_SCPI_PORT, _SCPI_S = 5025, 5.0
_ALL = "*"
Ask = Callable[[str], str]
"""Shows a text to the person at the bench and gives their answer."""


class ReferenceMeter(Protocol):
    """`alone`: the bench has one board at a time, so boards take turns."""

    name: str
    alone: bool

    def read(self, port: str, serial: str, point: str) -> Reading:
        """What is true at `point` (low, high, check) of the board; returns once that is so. Raises Trouble."""
        ...


class Typed:
    """A person sets each point and types what the meter shows."""

    name, alone = "typed by a person", True

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def read(self, port: str, serial: str, point: str) -> Reading:
        """Asks until it is two or three numbers."""
        text = _prompt(port, serial, point) + "\nVolts, amperes and, where shown, watts / 伏 安 瓦 (230.1 15.98 3675)"
        while True:
            try:
                return _reading(self._ask(text).replace(",", " ").split())
            except ValueError as wrong:
                text = f"{wrong}. Volts, amperes, watts / 伏 安 瓦"


class FromFile:
    """A calibrator's points in a CSV: serial (or *), point, voltage, current, power; a person sets each."""

    alone = True

    def __init__(self, path: Path, ask: Ask) -> None:
        """ConfigurationError names the row that is wrong."""
        self.name, self._path, self._ask = path.name, path, ask
        self._readings: dict[tuple[str, str], Reading] = {}
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The readings {path} cannot be read: {error}.") from error
        for number, row in enumerate(rows, start=2):
            point = (row.get("point") or "").strip()
            if point not in (*POINTS, CHECK):
                raise ConfigurationError(f"{path}, row {number}: point is {', '.join(POINTS)} or {CHECK}.")
            try:
                values = [(row.get(name) or "").strip() for name in ("voltage", "current", "power")]
                reading = _reading([value for value in values if value])
            except ValueError as wrong:
                raise ConfigurationError(f"{path}, row {number}: {wrong}.") from wrong
            self._readings[(row.get("serial") or _ALL).strip(), point] = reading

    def read(self, port: str, serial: str, point: str) -> Reading:
        """The board's own row, else that of all boards, once a person has set it."""
        found = self._readings.get((serial, point)) or self._readings.get((_ALL, point))
        if found is None:
            raise Trouble("no-reference", f"{self._path} has no {point} point for {serial}")
        self._ask(f"{_prompt(port, serial, point)}\nSet {found.voltage:g} V, {found.current:g} A; Enter / 设好后回车")
        return found


class Scpi:
    """A power meter on the network: `scpi://HOST[:5025][?voltage=QUERY&current=QUERY&power=QUERY]`."""

    alone = True

    def __init__(self, url: str, ask: Ask) -> None:
        parts = urlsplit(url)
        if parts.hostname is None:
            raise ConfigurationError(f"{url}: write scpi://HOST:PORT.")
        self.name, self._ask = f"scpi {parts.netloc}", ask
        self._at = (parts.hostname, parts.port or _SCPI_PORT)
        given = {name: texts[-1] for name, texts in parse_qs(parts.query).items()}
        self._queries = {"voltage": "MEAS:VOLT:AC?", "current": "MEAS:CURR:AC?"} | given
        if unknown := self._queries.keys() - {"voltage", "current", "power"}:
            raise ConfigurationError(f"{url}: known are voltage, current and power, not {sorted(unknown)[0]}.")

    def read(self, port: str, serial: str, point: str) -> Reading:
        """The meter's values once a person has set the point."""
        self._ask(_prompt(port, serial, point) + "\nEnter when it stands still / 稳定后回车")
        try:
            with socket.create_connection(self._at, _SCPI_S) as line, line.makefile("rw", newline="\n") as stream:
                values = {}
                for name, query in self._queries.items():
                    stream.write(query + "\n")
                    stream.flush()
                    values[name] = stream.readline().split(",")[0].strip()
            names = [name for name in ("voltage", "current", "power") if name in values]
            return _reading([values[name] for name in names])
        except (OSError, ValueError) as error:
            raise Trouble("no-reference", f"the {self.name} gave no reading ({error})") from error


def _prompt(port: str, serial: str, point: str) -> str:
    return f"{PEOPLE_FIRST}\n{serial} ({port}): {_WHAT[point]}"


def _reading(words: list[str]) -> Reading:
    """ValueError says what is wrong."""
    if len(words) not in (2, 3):
        raise ValueError("give volts, amperes and perhaps watts")
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise ValueError(f"{' '.join(words)} are no numbers") from None
    if not all(map(math.isfinite, values)) or not (0 < values[0] <= _MOST_VOLTS and 0 < values[1] <= _MOST_AMPS):
        raise ValueError(f"volts are above 0 to {_MOST_VOLTS:g}, amperes above 0 to {_MOST_AMPS:g}")
    return Reading(values[0], values[1], values[2] if len(values) == 3 else None)
