"""`gewu bus`: a technician's view of one bus."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.bus.transport import Line

app = typer.Typer(help="A technician's view of one bus.", no_args_is_help=True)

PortOption = Annotated[str, typer.Option("--port", "-p", help="The serial port, such as /dev/ttyUSB0.")]
BaudOption = Annotated[int, typer.Option("--baud", "-b", help="The speed in bit/s.")]
ParityOption = Annotated[str, typer.Option(help="N, E or O.")]
StopbitsOption = Annotated[int, typer.Option(help="1 or 2.")]
TimeoutOption = Annotated[float, typer.Option(help="Seconds a device may take before it begins its answer.")]


@app.callback()
def _group() -> None:
    pass  # keeps `read` a word of its own while it is the only command


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
