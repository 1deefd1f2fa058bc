"""`gewu bus address`: which boards are on a line, also where they share an address, and an address for each."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from gateway.cli.bus_line import BaudOption, ParityOption, PortOption, StopbitsOption, own_line
from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.bus.discovery import Found
    from gateway.bus.transport import Line
    from provisioning.addressing import AddressRow, Wish

PEOPLE_FIRST = (
    "People first: wires of the bus are touched with the mains off only; a board without settings protects nothing, so "
    "its circuit stays off until it is commissioned. "
    "安全第一：接触总线导线前断开市电；未调试的电路板没有保护，调试完成前电路不得送电。"
)


def address(
    port: PortOption,
    baud: BaudOption = 9600,
    parity: ParityOption = "N",
    stopbits: StopbitsOption = 1,
    timeout: Annotated[float, typer.Option(help="Seconds a board may take before it begins its answer.")] = 0.1,
    plan: Annotated[
        Path | None, typer.Option(help="The installer's plan: each serial number gets its address.")
    ] = None,
    journal: Annotated[Path | None, typer.Option(help="Record; else PLAN.journal.jsonl beside the plan.")] = None,
    serial: Annotated[str | None, typer.Option(help="Without a plan: this one board gets --to.")] = None,
    to: Annotated[int | None, typer.Option("--to", min=1, max=247, help="With --serial: its new address.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before addresses are given.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """List the boards of a line by serial number, however many share an address; with a plan give each its own."""
    if (serial is None) != (to is None) or (serial is not None and plan is not None):
        raise ConfigurationError("Give --plan, or --serial and --to together, or neither to list the boards.")
    wishes, record = _wishes(plan, journal, serial, to)
    say(PEOPLE_FIRST)
    if wishes and not yes and sys.stdin.isatty():
        typer.confirm("No circuit of a board without settings is live / 未调试的电路均未送电?", abort=True, err=True)
    rows = _work(port, (baud, parity, stopbits, timeout), wishes, record)
    if json_output:
        print_json([row.as_json() for row in rows])
    else:
        for row in rows:
            who = f"{row.address or '-':>3}  {row.serial}  {row.id or '-'}"
            plain.print(f"{who}  {row.trouble or row.state}", markup=False)
    if any(row.trouble for row in rows):
        raise typer.Exit(1)


def _wishes(
    plan: Path | None, journal: Path | None, serial: str | None, to: int | None
) -> "tuple[list[Wish], Path | None]":
    """What is wanted of which board, and where it is recorded."""
    from provisioning.addressing import Wish
    from provisioning.claims import serials
    from provisioning.journal import read_lines
    from provisioning.plan_file import read_plan

    if serial is not None and to is not None:
        return [Wish(None, serial, to)], journal
    if plan is None:
        return [], None
    rows, record = read_plan(plan), journal or plan.with_suffix(".journal.jsonl")
    known = serials(rows, read_lines(record))
    wishes = [Wish(row.id, known[row.id], row.address) for row in rows.rows if row.own and row.id in known]
    if not wishes:
        raise ConfigurationError(
            f"{plan}: no row has a serial number, so nobody knows which board goes where; write the numbers of the "
            "labels into the column serial (`gewu bus address` without a plan lists those on the bus)."
        )
    return wishes, record


def _work(
    port: str, settings: tuple[int, str, int, float], wishes: "list[Wish]", record: Path | None
) -> "list[AddressRow]":
    from gateway.bus.discovery import discover
    from provisioning.addressing import judge, strangers

    line = own_line(port, *settings)
    try:
        with Progress(transient=True, disable=not plain.is_terminal) as progress:
            task = progress.add_task("looking for boards", total=None)
            found = discover(line, progress=lambda count: progress.update(task, description=f"{count} boards found"))
            others = strangers(line, found, [wish.address for wish in wishes])
        rows = judge(found, wishes, others)
        if wishes:
            _give(line, rows, found, record)
    finally:
        line.close()
    return rows


def _give(line: "Line", rows: "list[AddressRow]", found: "list[Found]", record: Path | None) -> None:
    from contextlib import ExitStack

    from gateway import profile as profiles
    from gateway.clock import SystemClock
    from provisioning.addressing import give
    from provisioning.journal import Journal

    mailbox = profiles.load("gewu-breaker").mailbox
    assert mailbox is not None
    with ExitStack() as ending:
        noted = ending.enter_context(Journal(record, SystemClock())) if record is not None else None

        def said(row: "AddressRow") -> None:
            if noted is not None:
                noted.note(do="address", **row.as_json())
            say(f"{row.serial}: {row.trouble or f'address {row.address}'}")

        give(line, mailbox.command_register, rows, found, said)
