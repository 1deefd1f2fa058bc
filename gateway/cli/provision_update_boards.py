"""`gewu provision update-boards`: the boards of a running site brought up to date over their bus."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.bus_line import ConfigOption, ParityOption, StopbitsOption, TimeoutOption, open_line
from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.cli.provision_boards_part import (
    NIGHT,
    FirstOption,
    NowOption,
    ShareOption,
    WatchOption,
    WindowOption,
    night_of,
    wait_for,
)
from gateway.cli.provision_verify import BusOption
from gateway.errors import ConfigurationError, GewuError

if TYPE_CHECKING:
    from gateway.bus.transport import Line
    from provisioning.plan import PlanRow
    from provisioning.site_update import Night, Terms, UpdateRow

PEOPLE_FIRST = (
    "People first: a board that restarts protects nothing for some seconds; contacts do not move. A certified breaker "
    "stays upstream. 安全第一：装置重启的几秒内没有保护，触点不动作；上级须装认证断路器。"
)


def update_boards(
    plan: Annotated[Path, typer.Option(help="CSV or xlsx: see `gewu provision plan`.")],
    bus: BusOption,
    baud: Annotated[int, typer.Option("--baud", "-b", help="The speed in bit/s.")],
    bundle: Annotated[Path, typer.Option("--bundle", help="The signed firmware (`gewu firmware build --key`).")],
    signer: Annotated[
        Path, typer.Option("--signer", help="RSA key in PEM, public or private: whose signature it has.")
    ],
    keys: Annotated[
        Path | None, typer.Option("--keys", help="The boards' keys; else device-keys.toml beside the plan.")
    ] = None,
    first: FirstOption = None,
    window: WindowOption = NIGHT,
    now: NowOption = False,
    share: ShareOption = 0.25,
    watch: WatchOption = 600.0,
    parity: ParityOption = "N",
    stopbits: StopbitsOption = 1,
    timeout: TimeoutOption = 0.3,
    config: ConfigOption = None,
    journal: Annotated[Path | None, typer.Option(help="Record; else PLAN.journal.jsonl beside the plan.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """New firmware for the boards of a plan, over their bus: one first and watched, then the rest, stop on failure."""
    from provisioning.plan_file import read_plan
    from provisioning.site_update import order

    rows = order([row for row in read_plan(plan).rows if row.own], first)
    night = night_of(first, window, now, share, watch)
    terms = _terms(bundle, signer, night)
    say(PEOPLE_FIRST)
    say(f"{len(rows)} boards get {terms.version}, {rows[0].id} first.")
    if not yes and not sys.stdin.isatty():
        raise GewuError("Nothing was done: nobody can be asked here; --yes goes on.")
    if not yes:
        typer.confirm("Go on / 继续?", abort=True, err=True)
    wait_for(night, window)
    line, _holder = open_line(bus, baud, parity, stopbits, timeout, config)
    try:
        record = journal or plan.with_suffix(".journal.jsonl")
        found = _work(line, rows, plan, keys or plan.with_name("device-keys.toml"), terms, record)
    finally:
        line.close()
    _show(found, as_json)


def _terms(bundle: Path, signer: Path, night: "Night") -> "Terms":
    from provisioning.bundle_contents import open_bundle
    from provisioning.signer import signer_of
    from provisioning.site_update import terms_of

    try:
        data = bundle.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The bundle {bundle} cannot be read: {error.strerror}.") from error
    open_bundle(data, signer_of(signer))
    return terms_of(data, night)


def _work(
    line: "Line", rows: "list[PlanRow]", plan: Path, keys: Path, terms: "Terms", journal: Path
) -> "list[UpdateRow]":
    from gateway import profile as profiles
    from gateway.cli.provision_progress import Ports
    from gateway.clock import SystemClock
    from gateway.commands import board_keys
    from provisioning.board_update import BoardUpdate
    from provisioning.journal import Journal
    from provisioning.site_update import update

    known, clock = board_keys.load(keys), SystemClock()
    if lacking := [row.id for row in rows if row.id not in known]:
        raise ConfigurationError(f"{keys} has no key of {', '.join(lacking)}: without it a board takes no update.")
    boards = [
        (row, BoardUpdate(line, row.address, profiles.load(row.profile, plan.parent), known[row.id], clock))
        for row in rows
    ]
    with Journal(journal, clock) as record, Ports([row.id for row in rows]) as shown:
        return update(boards, terms, record, clock, shown.said)


def _show(found: "list[UpdateRow]", as_json: bool) -> None:
    if as_json:
        print_json([row.as_json() for row in found])
    else:
        for row in found:
            plain.print(f"{row.id} {row.before or '-'} {row.trouble or row.state}", markup=False)
    if any(row.state != "proven" for row in found):
        raise typer.Exit(1)
