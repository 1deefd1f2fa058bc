"""The bench file: what a bench has, who stands at it, what is allowed there. Shape and sentences; it opens nothing.

A virtual bench has the same tables: ports are filled in when its rig is up (`virtual.py`), so that whoever reads a
bench does not see the difference.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from gateway import tomlfile
from hil_tests.injectors.injector import Quantity
from hil_tests.rig.site import Name

Kind = Literal["virtual", "desk", "site"]
Permission = Literal["trip", "write", "update", "power_cut"]


class General(tomlfile.Section):
    """`[bench]`. What is not allowed is not done, and its tests are NOT-RUN with that reason."""

    name: str = Field(min_length=1, description="a name for the paper")
    kind: Kind = Field(description='"virtual", "desk" (real boards on a table) or "site" (installed, in use)')
    allow_trip: bool = Field(default=False, description="breakers may be opened, by faults and by commands")
    allow_write: bool = Field(default=False, description="registers, clock and coils may be written")
    allow_update: bool = Field(default=False, description="firmware may be replaced and boards restarted")
    allow_power_cut: bool = Field(default=False, description="the boards' power may be cut")


class Device(tomlfile.Section):
    """One device under test, as the installer's plan has it."""

    id: Name
    profile: str = Field(default="gewu-breaker", description="a shipped profile, or a file beside this one")
    address: int = Field(ge=1, le=247, description="unit id, 1 to 247")
    serial: str = Field(default="", max_length=16, description="serial number; not compared where empty")
    rating: int = Field(default=16, ge=1, le=125, description="In, A")
    curve: Literal["B", "C", "D"] = "C"
    meter: Literal["bl0942", "ade7953"] = Field(default="bl0942", description="the metering chip that is fitted")
    fitted: list[str] = Field(default_factory=list, description="what is fitted beside it: see docs/firmware.md")
    residual: float = Field(default=0.0, ge=0, le=1, description="A, rated residual current of its module; 0: none")
    residual_type: Literal["G", "S"] = "G"
    key_file: str = Field(default="", description="file with the 64 hexadecimal digits of its key")
    usb: str = Field(default="", description="the serial port of its USB")


class Bus(tomlfile.Section):
    """One pair. `port` as in gewu.toml; a virtual bench has none until it is up."""

    name: Name
    port: str = Field(default="", description="a path, socket://host:port or rfc2217://host:port")
    baud: int = Field(default=9600, ge=300, le=1_000_000)
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    device: list[Device] = Field(min_length=1)


class InjectorTable(tomlfile.Section):
    """What puts current and voltage onto a circuit. `kind` chooses the driver (docs/hil.md)."""

    kind: Literal["rig", "scpi", "modbus", "person"]
    name: str = Field(default="", description="maker and model, for the paper")
    serial: str = Field(default="", description="its serial number, for the paper")
    resource: str = Field(default="", description='where it is, such as "TCPIP::10.0.0.5::5025::SOCKET" or a port')
    quantities: list[Quantity] = Field(default=["amps", "volts", "residual", "celsius"], description="what it injects")
    circuits: dict[str, int] = Field(default_factory=dict, description="channel by the device's id")
    amps_at_most: float = Field(default=0.0, ge=0, le=20_000, description="A, never exceeded; 0: none is injected")
    volts_at_most: float = Field(default=0.0, ge=0, le=1000, description="V, never exceeded; 0: none is injected")
    residual_at_most: float = Field(default=0.0, ge=0, le=100, description="A, never exceeded; 0: none is injected")
    celsius_at_most: float = Field(default=0.0, ge=0, le=300, description="°C, never exceeded; 0: none is injected")
    uncertainty_percent: float = Field(default=1.0, gt=0, le=10, description="of the injected value, k = 2")
    reading_s: float = Field(default=0.2, ge=0, le=10, description="s, how old a reading of the instrument may be")
    reaction_s: float = Field(default=0.4, ge=0.1, le=5, description="s, of a person with a stopwatch, k = 2")
    baud: int = Field(default=9600, ge=300, le=1_000_000, description="of a set that speaks Modbus")
    address: int = Field(default=1, ge=1, le=247, description="of a set that speaks Modbus")
    profile: str = Field(default="", description="the file with its registers, of a set that speaks Modbus")


class ReferenceTable(tomlfile.Section):
    """What accuracy is held against."""

    kind: Literal["rig", "scpi", "modbus", "person"]
    name: str = Field(default="", description="maker and model, for the paper")
    serial: str = Field(default="", description="its serial number, for the paper")
    uncertainty_percent: float = Field(default=0.2, gt=0, le=10, description="of reading, k = 2")
    class_percent: float = Field(
        default=1.0, gt=0, le=20, description="largest error allowed to a board, % of reading, beside its last digit"
    )
    resource: str = Field(default="", description='of one that speaks SCPI: "TCPIP::10.0.0.5::30000::SOCKET"')
    port: str = ""
    baud: int = Field(default=9600, ge=300, le=1_000_000)
    address: int = Field(default=1, ge=1, le=247)
    profile: str = Field(default="", description="its profile: voltage, current, power, frequency")


class People(tomlfile.Section):
    """Who answers for the paper. `present`: somebody is at the bench and can move a lever and read a lamp."""

    technician: str = ""
    second: str = Field(default="", description="the second person, where one is needed")
    present: bool = False


class Update(tomlfile.Section):
    """Bundles for the boards of this bench, signed by the key that they know."""

    bundle: str = Field(default="", description="newer than what runs")
    older: str = Field(default="", description="rightly signed, and older than `bundle`")
    dying: str = Field(default="", description="rightly signed, newer than `bundle`, and dies at its start")


class BenchFile(tomlfile.Section):
    """The whole file. `rig`: the folder of a running rig that plays hands, instruments and power."""

    bench: General
    bus: list[Bus] = Field(min_length=1)
    injector: InjectorTable | None = None
    reference_meter: ReferenceTable | None = None
    people: People = Field(default_factory=People)
    update: Update = Field(default_factory=Update)
    rig: str = ""

    @model_validator(mode="after")
    def _holds_together(self) -> "BenchFile":
        for what, names in (
            ("buses", [bus.name for bus in self.bus]),
            ("devices", [device.id for bus in self.bus for device in bus.device]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two {what} are called {twice[0]!r}: give each a name of its own")
        virtual = self.bench.kind == "virtual"
        if not virtual and (missing := [bus.name for bus in self.bus if not bus.port]):
            raise ValueError(f"bus {missing[0]!r} has no `port`: only a virtual bench makes its own")
        for table in (self.injector, self.reference_meter):
            if table is not None and table.kind == "rig" and not virtual:
                raise ValueError('`kind = "rig"` belongs to a virtual bench: name the instrument that is on this one')
        return self

    def allows(self, permission: Permission) -> bool:
        """Whether the person who wrote the file allowed it."""
        return bool(getattr(self.bench, f"allow_{permission}"))


def read_bench(path: Path) -> BenchFile:
    """The bench in `path`, files in it made absolute; ConfigurationError names file, key and what would be right."""
    return parse_bench(tomlfile.read(path, "bench"), path, path.resolve().parent)


def parse_bench(document: dict[str, Any], source: Path | str, folder: Path) -> BenchFile:
    """The bench in `document` (parsed TOML); relative files are looked for in `folder`."""
    bench, sentences = tomlfile.check(BenchFile, document)
    tomlfile.refuse(source, sentences)
    assert bench is not None  # refused otherwise
    return _anchored(bench, folder)


def _anchored(bench: BenchFile, folder: Path) -> BenchFile:
    def at(name: str) -> str:
        return str(folder / name) if name else ""

    def profile(name: str) -> str:
        return at(name) if name.endswith(".toml") else name

    buses = [
        bus.model_copy(
            update={
                "device": [
                    one.model_copy(update={"key_file": at(one.key_file), "profile": profile(one.profile)})
                    for one in bus.device
                ]
            }
        )
        for bus in bench.bus
    ]
    update = Update(**{name: at(value) for name, value in bench.update.model_dump().items()})
    return bench.model_copy(update={"bus": buses, "update": update})


def write_bench(bench: BenchFile, path: Path) -> None:
    """`bench` as a file that `read_bench` reads; keys that stand at their defaults are left out."""
    document = bench.model_dump(exclude_defaults=True)
    buses = document.pop("bus")
    lines = [f"{key} = {_value(value)}" for key, value in document.items() if not isinstance(value, dict)]
    for name, table in document.items():
        if isinstance(table, dict):
            lines += [f"[{name}]", *_pairs(table)]
    for bus in buses:
        devices = bus.pop("device")
        lines += ["[[bus]]", *_pairs(bus)]
        for device in devices:
            lines += ["[[bus.device]]", *_pairs(device)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o600)


def _pairs(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in table.items()]


def _value(value: Any) -> str:
    """A TOML value: JSON spells texts, numbers, switches and lists of them the same way."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(one)}" for key, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
