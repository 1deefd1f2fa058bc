"""The line that a `gewu bus` command works on: a port of one's own, or the one that a running gateway lends."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import say
from gateway.errors import ConfigurationError, GewuError

if TYPE_CHECKING:
    from gateway.bus.transport import Line
    from gateway.config import Bus
    from gateway.lent import Holder

PortOption = Annotated[
    str,
    typer.Option("--port", "-p", help="The port: /dev/ttyUSB0, tcp://host:502, or with --config the name of a bus."),
]
BaudOption = Annotated[int, typer.Option("--baud", "-b", help="The speed in bit/s.")]
ParityOption = Annotated[str, typer.Option(help="N, E or O.")]
StopbitsOption = Annotated[int, typer.Option(help="1 or 2.")]
TimeoutOption = Annotated[float, typer.Option(help="Seconds a device may take before it begins its answer.")]
AddressOption = Annotated[int, typer.Option("--address", "-a", min=1, max=247, help="The unit id, 1 to 247.")]
ProfileOption = Annotated[str, typer.Option(metavar="NAME_OR_FILE", help="A shipped profile, or a file.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The gateway's gewu.toml, when it runs as another user or on a network port."),
]


def open_line(
    port: str, baud: int, parity: str, stopbits: int, timeout: float, config: Path | None
) -> "tuple[Line, Holder | None]":
    """The line on `port`, and the gateway that lends it when one holds the port."""
    from gateway.lent import LentLine

    holder = find_holder(port, config)
    if holder is not None:
        say(f"{port} is held by the gateway in {holder.data_dir}: going through it (bus {holder.bus['name']}).")
        return LentLine(holder), holder
    return open_bus(port, baud, parity, stopbits, timeout), None


def find_holder(port: str, config: Path | None) -> "Holder | None":
    """The running gateway that has `port`: the one of `config`, or any that this user can see."""
    from gateway.config import load
    from gateway.lent import holder_of, serves

    if config is None:
        return holder_of(port)
    holder = serves(load(config).gateway.data_dir, port)
    if holder is None and "/" not in port:
        raise GewuError(
            f"The gateway of {config} does not run, or has no bus {port}: start it, or name the port itself."
        )
    return holder


def bus_model(port: str, baud: int, parity: str, stopbits: int, timeout: float, **more: Any) -> "Bus":
    """The `[[bus]]` that the arguments describe; ConfigurationError names a wrong one."""
    from gateway.config import Bus
    from gateway.tomlfile import check as check_model

    raw: dict[str, Any] = {
        "name": "line", "port": port, "baud": baud, "parity": parity, "stopbits": stopbits, "timeout": timeout,
    }  # fmt: skip
    bus, wrong = check_model(Bus, raw | more)
    if bus is None:
        raise ConfigurationError("\n".join(f"--{sentence}" for sentence in wrong))
    return bus


def open_bus(port: str, baud: int, parity: str, stopbits: int, timeout: float) -> "Line":
    """A port of one's own, opened."""
    from gateway.bus.transport import Line
    from gateway.bus.wire import wire_of

    bus = bus_model(port, baud, parity, stopbits, timeout)
    return Line(port, bus.port, wire_of(bus.port, bus.baud, bus.parity, bus.stopbits), bus.timeout)


def own_line(port: str, baud: int, parity: str, stopbits: int, timeout: float) -> "Line":
    """The line itself, for what no gateway lends. Trouble `no-port`, `no-permission` or `port-busy` says why not."""
    from gateway.bus.trouble import PortTrouble
    from provisioning.trouble import Trouble, look_at_port

    if port.startswith("tcp://"):
        raise ConfigurationError("Modbus TCP has no line that boards share; name a serial port.")
    look_at_port(port)
    holder = find_holder(port, None)
    if holder is not None:
        raise Trouble("port-busy", f"the gateway in {holder.data_dir} has {port}")
    try:
        return open_bus(port, baud, parity, stopbits, timeout)
    except PortTrouble as trouble:
        if "in use" in str(trouble):
            raise Trouble("port-busy", f"another program has {port}") from trouble
        raise


def shown(value: object) -> str:
    """A value as a person reads it."""
    return "yes" if value is True else "no" if value is False else str(value)
