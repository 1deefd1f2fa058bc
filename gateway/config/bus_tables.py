"""`[[bus]]` and `[[bus.device]]`: the serial lines and the devices on them."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PrivateAttr

from gateway.config.keys import Id
from gateway.profile import Profile
from gateway.tomlfile import Section

BAUDS = (
    300,
    600,
    1200,
    2400,
    4800,
    9600,
    14400,
    19200,
    28800,
    38400,
    57600,
    76800,
    115200,
    230400,
    250000,
    460800,
    500000,
    921600,
    1000000,
)
PORT_SCHEMES = ("tcp", "socket", "rfc2217")
"""Modbus TCP; a serial server in raw mode; one that speaks RFC 2217."""


def _baud(value: int) -> int:
    if value not in BAUDS:
        near = min(BAUDS, key=lambda baud: abs(baud - value))
        raise ValueError(f"serial devices do not use such a speed; the nearest usual one is {near}")
    return value


def _port(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if not separator:
        if not value.startswith("/") or "\0" in value:
            raise ValueError('a serial port is a path such as "/dev/serial/by-id/usb-...", or socket://host:port')
        return value
    if scheme not in PORT_SCHEMES:
        raise ValueError("a port is a device's path, or tcp://, socket:// or rfc2217://host:port")
    _host_and_port(scheme, value)
    if set("?/") & set(rest):
        raise ValueError(f"{scheme}://host:port takes no options")
    return value


def _host_and_port(scheme: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        complete = bool(parts.hostname and parts.port)
    except ValueError:
        complete = False
    if not complete:
        raise ValueError(f'it needs a host and a port of 1 to 65535, such as "{scheme}://192.168.1.20:4001"')


class Device(Section):
    """`[[bus.device]]`: one device on a bus."""

    id: Id = Field(description='letters, digits, "_", "." and "-", unique in the gateway, such as "b0101"')
    profile: str = Field(
        min_length=1, description='a shipped profile such as "gewu-breaker", or the file of one beside this file'
    )
    address: int = Field(ge=1, le=247, description="the unit id on the bus, 1 to 247")
    place: str = Field("", description='where it is, such as "street/community/grid/estate/building/unit"')
    critical: bool = Field(False, description="true when the loss of its load can kill")
    _definition: Profile | None = PrivateAttr(None)

    @property
    def definition(self) -> Profile:
        """The device's profile, read by `gateway.config.load` (or given to `defined`)."""
        assert self._definition is not None, "a Device comes from gateway.config.load"
        return self._definition

    def defined(self, profile: Profile) -> "Device":
        """This device, with its profile at hand."""
        self._definition = profile
        return self


class Bus(Section):
    """`[[bus]]`: one serial line and the devices on it."""

    name: Id = Field(description="the bus's name, in letters, digits, '_', '.' and '-'; bus1, bus2 by default")
    port: Annotated[str, AfterValidator(_port)] = Field(
        description='the serial port, such as "/dev/serial/by-id/usb-...", a pty, or tcp://, socket:// or rfc2217://host:port'
    )
    baud: Annotated[int, AfterValidator(_baud)] = Field(9600, description="the speed in bit/s, such as 9600")
    parity: Literal["N", "E", "O"] = Field("N", description='"N", "E" or "O"')
    stopbits: Literal[1, 2] = Field(1, description="1 or 2")
    protocol: Literal["modbus", "jsonl"] = Field(
        "modbus", description='"modbus", or "jsonl": a board that reports JSON lines'
    )
    timeout: float = Field(
        0.3, ge=0.02, le=10, description="seconds a device may take before it begins its answer, 0.02 to 10"
    )
    device: list[Device] = Field([], description="the devices on the bus")
