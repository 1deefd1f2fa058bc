"""What accuracy is held against: the rig's own truth, a reference meter on a port of its own, a face that is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gateway.bus.wire import Wire
from gateway.profile.load import load as load_profile
from hil_tests.hil.bench_file import ReferenceTable
from hil_tests.hil.board import Board
from hil_tests.hil.hands import Person
from hil_tests.hil.probe import Probe
from hil_tests.injectors.scpi_meter import ScpiMeter
from hil_tests.injectors.visa import VisaInstrument
from hil_tests.rig import control

QUANTITIES = {"voltage": "V", "current": "A", "power": "W", "frequency": "Hz"}


@dataclass(frozen=True, slots=True)
class Known:
    """What flows at one circuit now: value and its uncertainty (k = 2), by quantity, in the units above."""

    values: dict[str, float]
    uncertainties: dict[str, float]


class ReferenceMeter(Protocol):
    """A meter that is better than the one it judges."""

    def describe(self) -> dict[str, Any]:
        """`maker`, `model`, `serial`, `uncertainty`."""
        ...

    def read(self, circuit: str) -> Known:
        """Now, at the circuit of that device. Raises GewuError when it cannot be read."""
        ...


class RigTruth:
    """The rig knows what really is at a board; the meter behind the firmware has to find out."""

    def __init__(self, rig: Path) -> None:
        self._rig = rig

    def describe(self) -> dict[str, Any]:
        return {"maker": "Gewu", "model": "the rig's own truth", "serial": "-", "uncertainty": "none"}

    def read(self, circuit: str) -> Known:
        world = control.ask(self._rig, {"do": "world", "board": circuit})
        return Known({name: float(world[name]) for name in QUANTITIES}, dict.fromkeys(QUANTITIES, 0.0))


class ModbusMeter:
    """A reference meter with a profile, on a port of its own."""

    def __init__(self, table: ReferenceTable) -> None:
        self._table = table
        self._probe = Probe(table.port, Wire(table.baud))
        self._meter = Board(self._probe, table.address, load_profile(table.profile))

    def describe(self) -> dict[str, Any]:
        return described(self._table)

    def read(self, circuit: str) -> Known:
        try:
            names = [name for name in QUANTITIES if name in self._meter.profile.by_value]
            values = {name: self._meter.number(name) for name in names}
        finally:
            self._probe.release()
        return Known(values, _share(values, self._table.uncertainty_percent))


class SpeakingMeter:
    """A reference meter that speaks SCPI, asked over a connection of its own each time."""

    def __init__(self, table: ReferenceTable) -> None:
        self._table = table

    def describe(self) -> dict[str, Any]:
        meter = self._opened()
        try:
            return meter.identity() | {"uncertainty": described(self._table)["uncertainty"]}
        finally:
            meter.close()

    def read(self, circuit: str) -> Known:
        meter = self._opened()
        try:
            values = meter.values()
        finally:
            meter.close()
        return Known(values, _share(values, self._table.uncertainty_percent))

    def _opened(self) -> ScpiMeter:
        return ScpiMeter(VisaInstrument(self._table.resource))


class ReadByPerson:
    """A person reads the meter's face."""

    def __init__(self, table: ReferenceTable, person: Person) -> None:
        self._table, self._person = table, person

    def describe(self) -> dict[str, Any]:
        return described(self._table)

    def read(self, circuit: str) -> Known:
        asked = {"voltage": "V", "current": "A"}
        values = {
            name: self._person.reads(f"{name} at {circuit}, as {self._table.name or 'the meter'} shows it", unit)
            for name, unit in asked.items()
        }
        return Known(values, _share(values, self._table.uncertainty_percent))


def open_reference(table: ReferenceTable, rig: Path | None, person: Person) -> ReferenceMeter:
    """The meter that the bench file names."""
    if table.kind == "rig":
        assert rig is not None  # the bench file was checked for that
        return RigTruth(rig)
    if table.kind == "scpi":
        return SpeakingMeter(table)
    return ModbusMeter(table) if table.kind == "modbus" else ReadByPerson(table, person)


def described(table: ReferenceTable) -> dict[str, Any]:
    """The instrument for the paper."""
    return {
        "maker": "",
        "model": table.name or table.kind,
        "serial": table.serial or "-",
        "uncertainty": f"{table.uncertainty_percent:g} % of reading (k = 2)",
    }


def _share(values: dict[str, float], percent: float) -> dict[str, float]:
    return {name: abs(value) * percent / 100 for name, value in values.items()}
