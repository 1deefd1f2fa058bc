"""`gewu provision label`: sheets of labels for the boards of a plan."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.cli.provision_options import needs
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from provisioning.label import Label

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
    font: Annotated[
        Path | None, typer.Option("--font", help="A font file with Chinese (for a PDF one with TrueType outlines).")
    ] = None,
    device: Annotated[list[str] | None, typer.Option("--id", help="Only these devices.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print serial number, address and place of each device, with a QR code."""
    needs("reportlab")
    needs("segno")
    from provisioning import label as texts
    from provisioning.claims import serials
    from provisioning.journal import read_lines
    from provisioning.label_picture import Face, write_each, write_sheets
    from provisioning.label_sheet import PAPERS, write_pdf
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
        sheets = write_pdf(labels, out, PAPERS[paper], skip, font)
        said = f"{out}: {len(labels)} labels on {sheets} sheets of {paper}; print at 100 %."
    elif out.suffix.lower() == ".png":
        paths = write_sheets(labels, out, PAPERS[paper], Face(font), skip)
        said = f"{', '.join(map(str, paths))}: {len(labels)} labels for {paper}; print at 100 %."
    else:
        said = f"{out}: {len(write_each(labels, out, PAPERS[paper], Face(font)))} pictures."
    if font is None:
        _say_what_is_missing(labels, out.suffix.lower() == ".pdf")
    if as_json:
        print_json([one.as_json() for one in labels])
        return
    plain.print(said)
    if blank := [one.id for one in labels if one.serial is None]:
        plain.print(f"No board yet, so no serial number: {', '.join(blank)}.")


def _say_what_is_missing(labels: "list[Label]", in_pdf: bool) -> None:
    """Without a Chinese font a place in Chinese may not be on the label: nobody should find that out on a ladder."""
    from provisioning.label import unspelled

    if lacking := [one.id for one in labels if unspelled(one.place + one.circuit)]:
        what = "is shown only by readers that have their own Asian fonts" if in_pdf else "is left out"
        say(
            f"Chinese {what} on {', '.join(lacking)}: no Chinese font comes with gewu. Name one with --font FILE, "
            "as of the Debian package fonts-wqy-microhei."
        )
