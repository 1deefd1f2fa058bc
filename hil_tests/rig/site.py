"""The site file of a virtual village: its model and the sentences for what is wrong with one.

Shape: contract section 7. It describes; it starts nothing.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from gateway.errors import ConfigurationError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Board(_Table):
    """One virtual board. The keys from `current` on are those of `gewu rig inject`, as first values."""

    id: Name
    profile: Literal["gewu-breaker", "gewu-sensor"] = "gewu-breaker"
    address: int | None = Field(None, ge=1, le=247, description="unit id; only a fresh board may have none")
    rating: int = Field(16, ge=1, le=125, description="A, breakers")
    curve: Literal["B", "C", "D"] = "C"
    baud: int | None = Field(None, ge=300, le=1_000_000, description="a wrong baud to rehearse; else the bus's")
    fresh: bool = Field(False, description="as from the factory: MicroPython and nothing else")
    load: float = Field(6.0, ge=0, le=1000, description="A, mean of a varying load")
    current: float | None = Field(None, ge=0, le=20_000, description="A, exactly, in place of the load")
    voltage: float | None = Field(None, ge=0, le=1000, description="V")
    residual: float = Field(0.008, ge=0, le=100, description="A")
    temperature: float = Field(31.0, ge=-60, le=300, description="degrees Celsius, at the terminals")
    power_factor: float = Field(0.95, ge=-1, le=1)
    frequency: float | None = Field(None, ge=0, le=400, description="Hz")
    handle: bool = Field(True, description="the lever: true is closed")
    silent: bool = Field(False, description="off the bus, while it runs on")
    stuck: bool = Field(False, description="its bus driver never lets go: nobody else is understood")

    @model_validator(mode="after")
    def _has_address(self) -> "Board":
        if self.address is None and not self.fresh:
            raise ValueError("needs an `address` from 1 to 247 (only a fresh board has none)")
        return self


class Bus(_Table):
    """One RS-485 pair. Two boards on one address are allowed: that is a fault worth rehearsing."""

    name: Name
    baud: int = Field(9600, ge=300, le=1_000_000)
    parity: Literal["N", "E"] = "N"
    stopbits: Literal[1, 2] = 1
    noise: float = Field(0.0, ge=0, le=1, description="chance that a byte is corrupted")
    board: list[Board] = []

    @property
    def bits(self) -> int:
        """Bits of one character on the wire: start, eight of data, parity, stop."""
        return 9 + (self.parity != "N") + self.stopbits


class Site(_Table):
    """The whole file."""

    bus: list[Bus] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> "Site":
        for what, names in (
            ("buses", [bus.name for bus in self.bus]),
            ("boards", [board.id for bus in self.bus for board in bus.board]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two {what} are called {twice[0]!r}: give each a name of its own")
        return self


def read_site(path: Path) -> Site:
    """The site in `path`; ConfigurationError names the file, the key and what would be right."""
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(f"Cannot read the site file {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}.") from error
    return parse_site(document, str(path))


def parse_site(document: dict[str, Any], source: str) -> Site:
    """The site in `document` (parsed TOML); `source` names it in the sentence of a ConfigurationError."""
    try:
        return Site.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError(f"{source}: {_sentence(error.errors()[0])}") from error


def _sentence(error: ErrorDetails) -> str:
    where = _dotted(error["loc"])
    if error["type"] == "extra_forbidden":
        known = list(_model_at(error["loc"]).model_fields)
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.0)[0]
        return f"unknown key {where}; the nearest known one is {near!r}."
    if error["type"] == "missing":
        return f"the key {where} is missing."
    reason = error["msg"].removeprefix("Value error, ")
    return f"{where or 'the file'}: {reason[0].lower() + reason[1:]}." if where else f"{reason}."


def _dotted(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    names = [part for part in location[:-1] if isinstance(part, str)]
    models: list[type[BaseModel]] = [Site, Bus, Board]
    return models[len(names)]
