"""`gewu provision`: the installer's day, from a box of boards to a signed sheet. Each piece has its module."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import JsonFlag, plain, print_json
from gateway.cli.provision_commission import commission
from gateway.cli.provision_deb import deb
from gateway.cli.provision_gateway import gateway
from gateway.cli.provision_label import label
from gateway.cli.provision_options import AtOnceOption, MorePorts, PortsOption, each_once, needs
from gateway.cli.provision_report import report
from gateway.cli.provision_retire import retire
from gateway.cli.provision_update import pack, update
from gateway.cli.provision_update_boards import update_boards
from gateway.cli.provision_verify import verify

app = typer.Typer(
    no_args_is_help=True, help="The installer's work, from a box of boards to a signed sheet (docs/provisioning.md)."
)

PlanArgument = Annotated[Path, typer.Argument(metavar="PLAN", help="CSV (UTF-8 or GB18030) or xlsx.")]


@app.command()
def plan(file: PlanArgument, as_json: JsonFlag = False) -> None:
    """Check a plan before anyone climbs a ladder: every mistake with its row and column."""
    from provisioning.plan_file import read_plan

    rows = read_plan(file).rows
    if as_json:
        print_json([row.as_json() for row in rows])
        return
    for row in rows:
        rated = "" if row.rating is None else f"{row.curve or ''}{row.rating} A"
        marks = [f"{row.residual} mA" if row.residual else "", "critical" if row.critical else "", row.serial or ""]
        plain.print(
            "  ".join(part for part in (f"{row.address:3d}", row.id, rated, row.place, row.circuit, *marks) if part)
        )
    plain.print(f"{file}: {len(rows)} devices, no mistake.")


@app.command()
def flash(
    image: Annotated[Path, typer.Option(help="MicroPython for the ESP32, a .bin file; its hash must be pinned.")],
    port: PortsOption,
    more: MorePorts = None,
    hashes: Annotated[
        Path | None,
        typer.Option(help="List of SHA-256, as sha256sum writes; else SHA256SUMS beside it."),
    ] = None,
    journal: Annotated[Path, typer.Option(help="Record of the day, JSON lines.")] = Path("provision.journal.jsonl"),
    at_once: AtOnceOption = 8,
    as_json: JsonFlag = False,
) -> None:
    """Mains off! Put MicroPython onto boards: right chip and flash first, then written, then read back."""
    from gateway.cli.provision_progress import Ports
    from gateway.clock import SystemClock
    from provisioning import flash as work
    from provisioning.image import read_image
    from provisioning.journal import Journal
    from provisioning.trouble import Trouble

    needs("esptool")
    ports = each_once(port, more)
    try:
        pinned = read_image(image, hashes)
    except Trouble as trouble:
        rows = work.refused(ports, trouble)
    else:
        with Journal(journal, SystemClock()) as record, Ports(ports) as shown:
            rows = work.flash(pinned, ports, record, shown.said, at_once)
    if as_json:
        print_json([row.as_json() for row in rows])
    else:
        for row in rows:
            plain.print(f"{row.port}: {row.trouble or f'{row.chip} {row.state}'}", markup=False)
    if any(row.trouble for row in rows):
        raise typer.Exit(1)


app.command()(commission)
app.command()(label)
app.command()(verify)
app.command()(report)
app.command()(retire)
app.command("update-boards")(update_boards)
app.command()(gateway)
app.command()(deb)
app.command()(pack)
app.command()(update)
