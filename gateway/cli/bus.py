"""`gewu bus`: a technician's view of one bus."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import ConfigurationError, GewuError

if TYPE_CHECKING:
    from gateway.bus.transport import Line

app = typer.Typer(help="A technician's view of one bus.", no_args_is_help=True)

PortOption = Annotated[str, typer.Option("--port", "-p", help="The serial port, such as /dev/ttyUSB0.")]
BaudOption = Annotated[int, typer.Option("--baud", "-b", help="The speed in bit/s.")]
ParityOption = Annotated[str, typer.Option(help="N, E or O.")]
StopbitsOption = Annotated[int, typer.Option(help="1 or 2.")]
TimeoutOption = Annotated[float, typer.Option(help="Seconds a device may take before it begins its answer.")]


@app.command()
def read(
    port: PortOption,
    address: Annotated[int, typer.Option("--address", "-a", min=1, max=247, help="The unit id, 1 to 247.")],
    profile: Annotated[str, typer.Option(metavar="NAME_OR_FILE", help="A shipped profile, or a file.")],
    baud: BaudOption = 9600,
    parity: ParityOption = "N",
    stopbits: StopbitsOption = 1,
    timeout: TimeoutOption = 0.3,
    json_output: JsonFlag = False,
) -> None:
    """Read all of one device once, by its profile."""
    from gateway import profile as profiles
    from gateway.bus.contact import read_all, recognise
    from gateway.clock import SystemClock
    from gateway.records import rfc3339

    definition = profiles.load(profile)
    line = open_bus(port, baud, parity, stopbits, timeout)
    try:
        recognise(line, address, definition)
        with Progress(transient=True, disable=not plain.is_terminal or json_output) as progress:
            task = progress.add_task("reading", total=None)
            values, marks, refused = read_all(
                line, address, definition, lambda done, total: progress.update(task, completed=done, total=total)
            )
    finally:
        line.close()
    at = rfc3339(SystemClock().wall_ms())
    for name, why in refused.items():
        say(f"{name} is not shown: {why}")
    if json_output:
        print_json({"device": None, "address": address, "at": at, "values": values, "marks": marks})
        return
    units = {name: register.unit for name, register in definition.by_value.items()}
    table = Table("value", "", "unit", "mark", box=None)
    for name, value in values.items():
        shown = "yes" if value is True else "no" if value is False else str(value)
        table.add_row(name, shown, units[name], marks.get(name, ""))
    plain.print(table)


@app.command()
def scan(
    port: PortOption,
    baud: BaudOption = 9600,
    parity: ParityOption = "N",
    stopbits: StopbitsOption = 1,
    timeout: TimeoutOption = 0.1,
    first: Annotated[int, typer.Option(min=1, max=247, help="The first unit id to try.")] = 1,
    last: Annotated[int, typer.Option(min=1, max=247, help="The last unit id to try.")] = 247,
    json_output: JsonFlag = False,
) -> None:
    """Ask every address who is there. A device that takes longer than --timeout to begin its answer is not found."""
    from gateway import profile as profiles
    from gateway.bus.contact import look_up

    known = [profiles.load(name) for name in profiles.shipped()]
    line = open_bus(port, baud, parity, stopbits, timeout)
    found: list[dict[str, Any]] = []
    try:
        with Progress(transient=True, disable=not plain.is_terminal or json_output) as progress:
            for unit in progress.track(range(first, last + 1), description="asking"):
                answer = look_up(line, unit, known)
                if answer is not None:
                    profile, identity, trouble = answer
                    found.append({"address": unit, "profile": profile, "identity": identity, "trouble": trouble})
    finally:
        line.close()
    if json_output:
        print_json(found)
        return
    table = Table("address", "profile", "identity", "trouble", box=None)
    for row in found:
        says = " / ".join(row["identity"].values())
        table.add_row(str(row["address"]), row["profile"] or "", says, row["trouble"] or "")
    plain.print(table)
    if not found:
        raise GewuError(
            f"Nobody answers on {port} at {baud} baud; check power, --baud, --parity, and whether A and B are swapped."
        )


def open_bus(port: str, baud: int, parity: str, stopbits: int, timeout: float) -> "Line":
    """The line that the arguments describe, opened; ConfigurationError names a wrong argument."""
    from gateway.bus.transport import Line
    from gateway.bus.wire import Wire
    from gateway.config import Bus
    from gateway.tomlfile import check as check_model

    raw: dict[str, Any] = {
        "name": "line", "port": port, "baud": baud, "parity": parity, "stopbits": stopbits, "timeout": timeout,
    }  # fmt: skip
    bus, wrong = check_model(Bus, raw)
    if bus is None:
        raise ConfigurationError("\n".join(f"--{sentence}" for sentence in wrong))
    return Line(port, bus.port, Wire(bus.baud, bus.parity, bus.stopbits), bus.timeout)
