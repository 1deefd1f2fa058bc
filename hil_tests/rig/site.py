"""The site file of a virtual village: its model and the sentences for what is wrong with one.

Shape: contract section 7. It describes; it starts nothing.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from gateway import tomlfile
from provisioning.settings import FITTED

Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$",
        description="a name of letters, digits, '-', '_' and '.', at most 32",
    ),
]
# As in `gewu rig inject`, a switch may be written 0 or 1.
Switch = Annotated[bool, BeforeValidator(lambda value: bool(value) if value in (0, 1) else value)]


class Board(tomlfile.Section):
    """One virtual board. The keys from `current` on are those of `gewu rig inject`, as first values."""

    id: Name
    profile: Literal["gewu-breaker", "gewu-sensor"] = "gewu-breaker"
    address: int | None = Field(default=None, ge=1, le=247, description="unit id; only a fresh board may have none")
    rating: int = Field(default=16, ge=1, le=125, description="A, breakers")
    curve: Literal["B", "C", "D"] = "C"
    baud: int | None = Field(default=None, ge=300, le=1_000_000, description="a wrong baud to rehearse; else the bus's")
    fresh: Switch = Field(default=False, description="as from the factory: MicroPython and nothing else")
    settings: Switch = Field(
        default=True, description="false: firmware and no settings, so that it answers at 247 until it gets an address"
    )
    meter: Literal["bl0942", "ade7953"] = Field(default="bl0942", description="the metering chip")
    gain_error: float | None = Field(
        default=None,
        ge=-0.2,
        le=0.2,
        description="how far the parts of the current's measurement are off their design: 0.013 shows 1.3 percent too "
        "much. Else 0, and on a fresh board, which nobody has calibrated, some tenths of a percent by its id",
    )
    voltage_error: float | None = Field(default=None, ge=-0.2, le=0.2, description="the same for the voltage")
    heap_kb: int = Field(default=160, ge=100, le=4096, description="heap of its MicroPython; an ESP32 has 160")
    actuator: Switch = Field(default=False, description="a motor that closes the breaker, at GPIO 4")
    fitted: list[str] = Field(default_factory=list, description="what is fitted beside it: see the firmware's settings")
    load: float = Field(default=6.0, ge=0, le=1000, description="A, mean of a varying load")
    current: float | None = Field(default=None, ge=0, le=20_000, description="A, exactly, in place of the load")
    voltage: float | None = Field(default=None, ge=0, le=1000, description="V")
    residual: float = Field(default=0.008, ge=0, le=100, description="A")
    temperature: float = Field(default=31.0, ge=-60, le=300, description="degrees Celsius, at the terminals")
    power_factor: float = Field(default=0.95, ge=-1, le=1)
    frequency: float | None = Field(default=None, ge=0, le=400, description="Hz")
    humidity: float = Field(default=45.0, ge=0, le=100, description="percent")
    gas: float = Field(default=0.3, ge=0, le=3.3, description="V at the gas sensor's pin")
    probe_fault: int = Field(default=0, ge=0, le=2, description="the temperature probe: 0 well, 1 open, 2 shorted")
    smoke: Switch = False
    water: Switch = False
    door: Switch = Field(default=False, description="true is open")
    sos: Switch = Field(default=False, description="the button is held")
    motion: Switch = False
    arc: Switch = False
    module_fault: Switch = Field(default=False, description="the residual-current module has no power")
    handle: Switch = Field(default=True, description="the lever: true is closed")
    silent: Switch = Field(default=False, description="off the bus, while it runs on")
    swapped: Switch = Field(default=False, description="A and B are swapped at this board: it understands nobody")
    stuck: Switch = Field(default=False, description="its bus driver never lets go: nobody else is understood")

    @model_validator(mode="after")
    def _has_address(self) -> "Board":
        if self.address is None and self.settings and not self.fresh:
            raise ValueError(
                "it needs an `address` from 1 to 247 (only a fresh board, or one without settings, has none)"
            )
        known = FITTED[self.profile.removeprefix("gewu-")]
        for name in self.fitted:
            if name not in known:
                raise ValueError(f"`fitted` of a {self.profile} takes {', '.join(known)}, not {name!r}")
        if self.actuator and (self.profile != "gewu-breaker" or "ds18b20" in self.fitted):
            raise ValueError("an `actuator` closes a gewu-breaker, and needs the pin of the `ds18b20`")
        return self


class Bus(tomlfile.Section):
    """One RS-485 pair. Two boards on one address are allowed: that is a fault worth rehearsing."""

    name: Name
    baud: int = Field(default=9600, ge=300, le=1_000_000)
    parity: Literal["N", "E"] = "N"
    stopbits: Literal[1, 2] = 1
    noise: float = Field(default=0.0, ge=0, le=1, description="a chance from 0 to 1 that a byte is corrupted")
    board: list[Board] = Field(default_factory=list)

    @property
    def bits(self) -> int:
        """Bits of one character on the wire: start, eight of data, parity, stop."""
        return 9 + (self.parity != "N") + self.stopbits


class Link(tomlfile.Section):
    """A way to a server of this machine, such as the broker, that can be made to lose, delay and part."""

    name: Name
    to: int = Field(ge=1, le=65535, description="the server's port on 127.0.0.1")
    loss: float = Field(default=0.0, ge=0, le=1, description="a chance from 0 to 1 that what goes over it is lost")
    delay: float = Field(default=0.0, ge=0, le=60, description="seconds, in each direction")


class Gateway(tomlfile.Section):
    """A real gateway of this machine, on a disk and with a clock that can be made sick."""

    name: Name
    config: Path = Field(strict=False, description="its gewu.toml, beside this file")


class Site(tomlfile.Section):
    """The whole file."""

    bus: list[Bus] = Field(min_length=1)
    link: list[Link] = Field(default_factory=list, description="sick networks before servers")
    gateway: list[Gateway] = Field(default_factory=list, description="real gateways with sick disks and clocks")

    @model_validator(mode="after")
    def _names_differ(self) -> "Site":
        for what, names in (
            ("buses", [bus.name for bus in self.bus]),
            ("boards", [board.id for bus in self.bus for board in bus.board]),
            ("links", [link.name for link in self.link]),
            ("gateways", [gateway.name for gateway in self.gateway]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two {what} are called {twice[0]!r}: give each a name of its own")
        return self


def read_site(path: Path) -> Site:
    """The site in `path`; ConfigurationError names the file, the key and what would be right."""
    site = parse_site(tomlfile.read(path, "site"), path)
    beside = [one.model_copy(update={"config": path.absolute().parent / one.config}) for one in site.gateway]
    return site.model_copy(update={"gateway": beside})


def parse_site(document: dict[str, Any], source: Path | str) -> Site:
    """The site in `document` (parsed TOML); `source` names it in the sentences of a ConfigurationError."""
    site, sentences = tomlfile.check(Site, document)
    tomlfile.refuse(source, sentences)
    assert site is not None  # refused otherwise
    return site
