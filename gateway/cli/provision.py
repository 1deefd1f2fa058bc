"""`gewu provision`: the installer's day, from a box of boards to their labels. Each piece has its module."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import JsonFlag, plain, print_json

app = typer.Typer(
    no_args_is_help=True, help="The installer's work: plan, flash, commission, label (docs/provisioning.md)."
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
