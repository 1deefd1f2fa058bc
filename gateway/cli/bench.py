"""`gewu bench`: measurements, each with the limit or the peer beside it."""

import logging
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import ConfigurationError

app = typer.Typer(no_args_is_help=True, help="Measurements, each with the limit or the peer beside it.")


@app.command()
def bus(
    baud: Annotated[list[int] | None, typer.Option(help="Only this speed (may be given several times).")] = None,
    devices: Annotated[list[int] | None, typer.Option(help="Only this number of devices, 1 to 100.")] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="How long each figure is watched.")] = 10.0,
    boards: Annotated[bool, typer.Option(help="Measure on virtual boards as well.")] = True,
    tcp: Annotated[bool, typer.Option(help="Measure 200 devices behind Modbus TCP as well.")] = True,
    gateway: Annotated[bool, typer.Option(help="Measure a whole gateway with 4 buses as well.")] = True,
    json_output: JsonFlag = False,
) -> None:
    """The serial bus: how near it is to its physical limit (some minutes; --seconds and --baud make it shorter)."""
    from gateway.config.model import BAUDS

    try:
        from hil_tests.bench import bus as measurement
    except ModuleNotFoundError as missing:
        if missing.name != "minimalmodbus":
            raise
        raise ConfigurationError(
            "The plain loop that stands beside the figures needs minimalmodbus: pip install 'gewu-edge[bench]'."
        ) from missing

    if wrong := [one for one in baud or [] if one not in BAUDS]:
        raise ConfigurationError(f"--baud {wrong[0]}: serial devices do not use such a speed; take for example 9600.")
    if wrong := [one for one in devices or [] if not 1 <= one <= 100]:
        raise ConfigurationError(f"--devices {wrong[0]}: it must be 1 to 100.")
    plan = measurement.Plan(
        tuple(baud or measurement.BAUDS), tuple(devices or measurement.DEVICES), seconds, boards, tcp, gateway
    )
    show(measurement.measure(plan, say), json_output)


@app.command()
def frames(
    count: Annotated[int, typer.Option("--frames", min=1, help="How many spoiled answers to try.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="The same seed spoils the same way.")] = 1,
    json_output: JsonFlag = False,
) -> None:
    """Spoiled answers against the transport and the decoder: crashes and wrong values, of which there are none."""
    from hil_tests.bench import frames as measurement

    report = measurement.measure(count, seed)
    show(report, json_output)
    if any(row.limit is not None and row.value > row.limit for row in report.rows):
        raise typer.Exit(1)


@app.command()
def faults(
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each quick fault; fewer of the slow ones.")] = 100,
    first: Annotated[int, typer.Option("--first", help="The first seed; the same seeds do the same.")] = 1,
    silence: Annotated[
        list[float] | None, typer.Option(min=1.0, help="Links silent for so many seconds (30 and 285).")
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this fault: A1, A2, B1, C3, ...")] = None,
    json_output: JsonFlag = False,
) -> None:
    """Kills, power cuts, sick disks and sick networks: what was lost (nothing), by fault."""
    if find_spec("apsw") is None:
        raise ConfigurationError(
            "`gewu bench faults` breaks disks with apsw, which is not installed: pip install apsw."
        )
    from hil_tests.bench import faults as measurement

    # Every fault is one that the gateway complains of.
    log = logging.getLogger("gateway")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        report = measurement.measure(seeds, first, silence or [30.0, 285.0], only or [], say)
    finally:
        log.setLevel(before)
    show(report, json_output)
    if any(row.limit is not None and row.value > row.limit for row in report.rows):
        raise typer.Exit(1)


@app.command()
def firmware(
    boards: Annotated[int, typer.Option(min=1, max=100, help="Virtual boards on the one bus.")] = 32,
    polls: Annotated[
        int, typer.Option(min=1, help="How often they are polled, without noise and again with it.")
    ] = 5000,
    updates: Annotated[bool, typer.Option(help="Send a whole signed update by every way as well.")] = True,
    json_output: JsonFlag = False,
) -> None:
    """The boards' firmware: answers beside a bare echo, errors, noise, heap, size, whole updates (some minutes)."""
    from hil_tests.bench import firmware as measurement

    show(measurement.measure(say, boards, polls, updates), json_output)


@app.command()
def store(
    folder: Annotated[Path | None, typer.Option("--folder", help="Measure on this disk, not on that of /tmp.")] = None,
    seconds: Annotated[
        float, typer.Option(min=60.0, help="How much of a day is lived through for the bytes written.")
    ] = 900.0,
    json_output: JsonFlag = False,
) -> None:
    """The outbox at design load: bytes at rest, bytes written, commits, memory (a minute or so)."""
    from hil_tests.bench import store as measurement

    show(measurement.measure(folder, seconds, say), json_output)


@app.command()
def uplink(
    days: Annotated[float, typer.Option(min=0.1, max=30.0, help="Days of backlog beside live readings.")] = 1.0,
    seconds: Annotated[float, typer.Option(min=5.0, help="How long each timed figure is watched.")] = 20.0,
    json_output: JsonFlag = False,
) -> None:
    """The uplink against mosquitto: draining, bytes on the wire, latency, memory (some minutes)."""
    from hil_tests.bench import uplink as measurement

    show(measurement.measure(measurement.Plan(days, seconds), say), json_output)


@app.command()
def camera(
    dataset: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures with manifest.csv, or in folders named after classes.")
    ] = None,
    into: Annotated[Path | None, typer.Option(metavar="DIR", help="Gets camera.html and camera.json.")] = None,
    pictures: Annotated[int, typer.Option(min=10, help="How many pictures to time.")] = 140,
    seconds: Annotated[float, typer.Option(min=0.0, help="How long the process is weighed; 0: not at all.")] = 20.0,
    hours: Annotated[float, typer.Option(min=0.0, help="Hours of each rendered scene, for false events.")] = 24.0,
    json_output: JsonFlag = False,
) -> None:
    """The cameras: figures over a labelled folder and by source, speed, a day's false events, CPU, memory (minutes)."""
    from gateway import camera_extra

    camera_extra.require()
    from hil_tests.bench import camera as measurement

    if dataset is not None and not dataset.is_dir():
        raise ConfigurationError(f"--dataset {dataset}: there is no such folder.")
    show(measurement.measure(measurement.Plan(dataset, pictures, seconds, hours, into)), json_output)


@app.command()
def soak(
    hours: Annotated[float, typer.Option(min=0.1, max=1000.0, help="Simulated hours.")] = 72.0,
    load: Annotated[
        float, typer.Option(min=0.1, max=20.0, help="Times the design load: 100 devices, ten values each, every 10 s.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed brings the same faults.")] = 1,
    json_output: JsonFlag = False,
) -> None:
    """Three days of a gateway in twenty minutes, a fault every 30 simulated seconds; what was lost: nothing."""
    import signal

    from hil_tests.bench import soak as measurement

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # its folder lies in memory and must not stay there
    report = measurement.measure(measurement.Plan(hours, load, seed), say)
    show(report, json_output)
    if measurement.broken(report):
        raise typer.Exit(1)


@app.command()
def provision(
    boards: Annotated[int, typer.Option(min=1, max=100, help="Boards from erased to commissioned.")] = 40,
    addressed: Annotated[int, typer.Option(min=1, max=246, help="Boards on one address, at 9600 baud.")] = 32,
    json_output: JsonFlag = False,
) -> None:
    """The installer's day on virtual boards: flash, commission, all of it again, addresses (some minutes)."""
    from gateway.cli.provision_options import needs
    from hil_tests.bench import provision as measurement

    for module in ("esptool", "mpremote"):
        needs(module)
    show(measurement.measure(boards, addressed, say), json_output)


def show(report: Any, json_output: bool) -> None:
    """The report (`name`, `rows`, `machine`) as JSON or as a table."""
    document = msgspec.to_builtins(report)
    if json_output:
        print_json(document)
        return
    table = Table(title=f"{document['name']} on {document['machine']}", title_justify="left")
    for heading in ("case", "metric"):
        table.add_column(heading)
    for heading in ("value", "limit", "peer"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    for row in document["rows"]:
        figures = (_figure(row[key]) for key in ("value", "limit", "peer"))
        table.add_row(row["case"], row["metric"], *figures, row["unit"])
    plain.print(table)


def _figure(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:g}"
