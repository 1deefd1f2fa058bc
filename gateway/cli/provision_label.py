"""`gewu provision label`: sheets of labels for the boards of a plan."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import JsonFlag, plain, print_json
from gateway.cli.provision_options import needs
from gateway.errors import ConfigurationError

OutOption = Annotated[Path, typer.Option("--out", help="A .pdf for sheets; else a folder, for a PNG of each QR code.")]
ConsoleOption = Annotated[str, typer.Option("--console", help="Address of the gateway's console, for the QR code.")]


def label(
    plan: Annotated[Path, typer.Option(help="CSV or xlsx: see `gewu provision plan`.")],
    out: Annotated[Path, typer.Option(help="A .pdf for sheets; else a folder, for a PNG of each QR code.")] = Path(
        "labels.pdf"
    ),
    journal: Annotated[Path | None, typer.Option(help="Record; else PLAN.journal.jsonl beside the plan.")] = None,
    console: ConsoleOption = "http://gewu.local",
    paper: Annotated[str, typer.Option(help="Label paper: L7160, L7163 or L4736 (A4).")] = "L7160",
    skip: Annotated[int, typer.Option(min=0, help="So many labels of the first sheet are used already.")] = 0,
    device: Annotated[list[str] | None, typer.Option("--id", help="Only these devices.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print serial number, address and place of each device, with a QR code."""
    needs("reportlab")
    needs("segno")
    from provisioning import label as texts
    from provisioning.claims import serials
    from provisioning.journal import read_lines
    from provisioning.label_sheet import PAPERS, write_pdf, write_pictures
    from provisioning.plan_file import read_plan

    if paper not in PAPERS:
        raise ConfigurationError(f"--paper {paper} is unknown; take one of {', '.join(PAPERS)}.")
    if skip >= PAPERS[paper].labels:
        raise ConfigurationError(f"--skip {skip}: a sheet of {paper} has {PAPERS[paper].labels} labels.")
    texts.checked_console(console)
    rows = read_plan(plan)
    known = serials(rows, read_lines(journal or plan.with_suffix(".journal.jsonl")))
    chosen = rows.rows if not device else tuple(rows.by_id(one) for one in device)
    labels = [texts.label_of(row, known.get(row.id), console) for row in chosen]
    if out.suffix.lower() == ".pdf":
        sheets = write_pdf(labels, out, PAPERS[paper], skip)
        said = f"{out}: {len(labels)} labels on {sheets} sheets of {paper}; print at 100 %."
    else:
        said = f"{out}: {len(write_pictures(labels, out))} pictures."
    if as_json:
        print_json([one.as_json() for one in labels])
        return
    plain.print(said)
    if blank := [one.id for one in labels if one.serial is None]:
        plain.print(f"No board yet, so no serial number: {', '.join(blank)}.")
