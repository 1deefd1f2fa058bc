"""`gewu bus`: a technician's view of one bus."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from gateway.cli import bus_address, bus_sniff, bus_watch, bus_wiring, bus_write
from gateway.cli.bus_line import (
    AddressOption,
    BaudOption,
    ConfigOption,
    ParityOption,
    PortOption,
    ProfileOption,
    StopbitsOption,
    TimeoutOption,
    open_bus,
    open_line,
    shown,
)
from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import GewuError

if TYPE_CHECKING:
    from gateway.bus.scan import Found
    from gateway.lent import Holder
    from gateway.profile import Profile

app = typer.Typer(help="A technician's view of one bus.", no_args_is_help=True)
app.command()(bus_write.write)
app.command()(bus_watch.watch)
app.command()(bus_sniff.sniff)
app.command()(bus_address.address)
app.command()(bus_wiring.wiring)


@app.command()
def read(
    port: PortOption,
    address: AddressOption,
    profile: ProfileOption,
    baud: BaudOption = 9600,
    parity: ParityOption = "N",
    stopbits: StopbitsOption = 1,
    timeout: TimeoutOption = 0.3,
    config: ConfigOption = None,
    json_output: JsonFlag = False,
) -> None:
    """Read all of one device once, by its profile."""
    from gateway import profile as profiles
    from gateway.bus.contact import read_all, recognise
    from gateway.clock import SystemClock
    from gateway.records import rfc3339

    definition = profiles.load(profile)
    line, holder = open_line(port, baud, parity, stopbits, timeout, config)
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
    device = holder.device(address) if holder else None
    if json_output:
        print_json({"device": device, "address": address, "at": at, "values": values, "marks": marks})
        return
    table = Table("value", "", "unit", "mark", box=None)
    for name, value in values.items():
        table.add_row(name, shown(value), definition.by_value[name].unit, marks.get(name, ""))
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
    all_settings: Annotated[
        bool,
        typer.Option(
            "--all-settings", help="Try every usual speed and parity, also when somebody answers at this one."
        ),
    ] = False,
    config: ConfigOption = None,
    json_output: JsonFlag = False,
) -> None:
    """Ask every address who is there; when nobody answers, try the other usual speeds and parities.

    A device that takes longer than --timeout to begin its answer is not found.
    """
    from gateway import profile as profiles
    from gateway.bus.scan import named, others, spelled, sweep

    known = [profiles.load(name) for name in profiles.shipped()]
    units, found = range(first, last + 1), list[dict[str, Any]]()
    line, holder = open_line(port, baud, parity, stopbits, timeout, config)
    with Progress(transient=True, disable=not plain.is_terminal or json_output) as progress:
        task = progress.add_task("asking", total=len(units))
        try:
            heard = list(sweep(line, units, known, lambda: progress.advance(task)))
            if holder is None and not port.startswith("tcp://") and any(_ours(one) for one in heard):
                heard = named(line, heard)
            found += [_row(one) for one in heard]
        finally:
            line.close()
        clean = any(row["identity"] or row["profile"] for row in found)
        if holder is None and "://" not in port and (all_settings or not found or not clean):
            here = spelled(baud, parity, stopbits)
            for settings in others(baud, parity, stopbits):
                progress.reset(task, description=f"trying {spelled(*settings)}")
                elsewhere = _at(port, settings, timeout, units, known, progress, task)
                for row in elsewhere:
                    found = [one for one in found if one["address"] != row["address"]]
                    found.append(row | {"trouble": f"it answers at {spelled(*settings)} and not at {here}"})
                if elsewhere and not all_settings:
                    break
    _show(found, json_output)
    only = _only_this_speed(holder)
    if not found and only is not None:
        raise GewuError(f"Nobody answers on {port}; check power, and whether A and B are swapped. {only}")
    if not found:
        raise GewuError(
            f"Nobody answers on {port} at {baud} baud; check power, --baud, --parity, and whether A and B are swapped."
        )
    if only is not None:
        say(only)


def _only_this_speed(holder: "Holder | None") -> str | None:
    """What a scan through a running gateway leaves out."""
    if holder is None or "://" in str(holder.bus["port"]):
        return None
    return (
        f"Only the gateway's own {holder.bus['baud']} baud and parity were tried, for it goes on polling: a device "
        "that is set otherwise is not seen. Stop the gateway and scan again to try the others."
    )


def _at(
    port: str,
    settings: tuple[int, str, int],
    timeout: float,
    units: range,
    known: "list[Profile]",
    progress: Progress,
    task: Any,
) -> list[dict[str, Any]]:
    """Who answers cleanly at other settings."""
    from gateway.bus.scan import sweep
    from gateway.bus.trouble import PortTrouble

    try:
        line = open_bus(port, *settings, timeout)
    except PortTrouble:
        return []  # not every adapter can do every speed and parity
    try:
        rows = [_row(one) for one in sweep(line, units, known, lambda: progress.advance(task))]
    finally:
        line.close()
    return [row for row in rows if row["identity"] or row["profile"]]


def _ours(found: "Found") -> bool:
    """Whether boards of this project may answer here: one does, or several garble one another."""
    return found.trouble is not None or found.identity.get("object0") == "Gewu"


def _row(found: "Found") -> dict[str, Any]:
    return {
        "address": found.address, "profile": found.profile, "identity": found.identity, "trouble": found.trouble,
    }  # fmt: skip


def _show(found: list[dict[str, Any]], json_output: bool) -> None:
    found.sort(key=lambda row: row["address"])
    if json_output:
        print_json(found)
        return
    table = Table("address", "profile", "identity", "trouble", box=None)
    for row in found:
        says = " / ".join(row["identity"].values())
        table.add_row(str(row["address"]), row["profile"] or "", says, row["trouble"] or "")
    plain.print(table)
