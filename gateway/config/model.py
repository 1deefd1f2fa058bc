"""The model of `gewu.toml`: every table and key, with its default and its bounds. It reads no file.

Fields are named like the keys of the file, so `config.bus[0].device[2].address` is what people wrote.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, WithJsonSchema

from gateway.config.quantity import parse_duration, parse_size
from gateway.profile import Profile
from gateway.tomlfile import NAME_PATTERN, Section

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
UPLINK_SCHEMES = ("mqtt", "mqtts", "ws", "wss")
_SECRET = "secrets do not belong in this file; write it alone into a file and name that file with password_file"


def _later(what: str) -> ValueError:
    return ValueError(f"{what} is not in this version yet")


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


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError('its port must be a number of 1 to 65535, such as "mqtts://broker:8883"') from None
    if parts.scheme not in UPLINK_SCHEMES:
        raise ValueError('an uplink begins with mqtt://, mqtts://, ws:// or wss://, such as "mqtts://broker:8883"')
    if not parts.hostname or port == 0:
        raise ValueError('it needs a host, such as "mqtts://broker:8883"')
    if "@" in parts.netloc:
        raise ValueError("a user or password does not belong in the URL; use username and password_file")
    return value


def _format(value: str) -> str:
    if value != "gewu":
        raise _later(f"the format {value}")
    return value


def _encoding(value: str) -> str:
    if value == "compact":
        raise _later("the compact encoding")
    return value


GatewayId = Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=63)]
# A level of an MQTT topic, a client's id and a word in a log: letters of any script, and nothing that splits those.
Id = Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)]
Size = Annotated[int, BeforeValidator(parse_size), WithJsonSchema({"type": ["string", "integer"]})]
Duration = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema({"type": ["string", "number"]})]


class Gateway(Section):
    """`[gateway]`: who this gateway is."""

    id: GatewayId = Field(description='lower-case letters, digits and hyphens, unique in the site, such as "qingxi-01"')
    site: Id = Field(description='the site, in letters, digits, "_", "." and "-", such as "qingxi"')
    data_dir: Path = Field(
        Path("/var/lib/gewu"), strict=False, description="the folder that keeps the data; made when missing"
    )


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


class Camera(Section):
    """`[[camera]]`: one camera, with the purpose that the law asks for."""

    id: Id = Field(description='letters, digits, "_", "." and "-", such as "gate"')
    source: str = Field(min_length=1, description='"rtsp://...", /dev/video0, "http://.../snapshot.jpg" or dir:FOLDER')
    place: str = Field("", description="where it is")
    interval: float = Field(2.0, gt=0, description="seconds between looks")
    purpose: str = Field(min_length=1, description='what it is for, such as "public safety: fire lane"')
    owner: str = Field(min_length=1, description='who answers for it, such as "Qingxi village committee"')
    sign: str = Field(min_length=1, description='where its sign is documented, such as "2026-05-01 photo 12"')


class Patrol(Section):
    """`[[patrol]]`: a tour of cameras."""

    name: Id = Field(description='letters, digits, "_", "." and "-", such as "evening"')
    stops: list[str] = Field(min_length=1, description='the ids of cameras in order, such as ["gate", "market"]')
    dwell: float = Field(5.0, gt=0, description="seconds at each stop")


class Uplink(Section):
    """`[[uplink]]`: one broker that gets the records."""

    HINTS: ClassVar[dict[str, str]] = {"password": _SECRET}

    name: Id = Field(description="the uplink's name, in letters, digits, '_', '.' and '-'; uplink1, uplink2 by default")
    url: Annotated[str, AfterValidator(_url)] = Field(description='the broker, such as "mqtts://broker:8883"')
    format: Annotated[Literal["gewu", "sparkplug", "thingsboard", "homeassistant"], AfterValidator(_format)] = Field(
        "gewu", description='"gewu", "sparkplug", "thingsboard" or "homeassistant"'
    )
    encoding: Annotated[Literal["json", "compact"], AfterValidator(_encoding)] = Field(
        "json", description='"json" or "compact"'
    )
    max_delay: float = Field(2.0, ge=0, le=3600, description="seconds that a reading may wait to share a message")
    acks: bool = Field(False, description="true keeps records until a receiver acknowledges them")
    ca: Path | None = Field(None, strict=False, description="the file of the CA's certificate (PEM)")
    cert: Path | None = Field(None, strict=False, description="the file of this gateway's certificate (PEM)")
    key: Path | None = Field(None, strict=False, description="the file of this gateway's private key (PEM)")
    username: str | None = Field(None, min_length=1, description="the user name at the broker")
    password_file: Path | None = Field(
        None, strict=False, description="the file that holds the password and nothing else"
    )


class Store(Section):
    """`[store]`: what the gateway keeps."""

    max_bytes: Size = Field(
        2 * 10**9, ge=10**6, description='the most that waits on disk, such as "2GB" (at least 1MB)'
    )
    replay_window: Duration = Field(
        3600.0, ge=0, description='how long sent records are kept for a replay, such as "1h"'
    )


class Config(Section):
    """The whole of `gewu.toml`."""

    gateway: Gateway = Field(description="the table [gateway] with id and site")
    bus: list[Bus] = Field([], description="the buses, as tables [[bus]]")
    camera: list[Camera] = Field([], description="the cameras, as tables [[camera]]")
    patrol: list[Patrol] = Field([], description="the patrols, as tables [[patrol]]")
    uplink: list[Uplink] = Field([], description="the uplinks, as tables [[uplink]]")
    store: Store = Field(default_factory=lambda: Store.model_validate({}), description="the table [store]")
