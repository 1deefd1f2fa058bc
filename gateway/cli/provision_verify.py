"""`gewu provision verify`: the plan held against the bus, and test trips where the installer allows them."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from gateway.cli.bus_line import ConfigOption, ParityOption, StopbitsOption, TimeoutOption, open_line
from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import GewuError

if TYPE_CHECKING:
    from gateway.bus.transport import Line
    from provisioning.journal import Journal
    from provisioning.plan import Plan, PlanRow
    from provisioning.verify import Checked

TRIP_FIRST = (
    "People first: a test trip takes the power from everybody behind the breaker. Tell them, look that no lift, "
    "oxygen or ladder depends on it, and stand at the breaker. "
    "安全第一：试跳会切断其后所有用电，请先告知住户，确认无人依赖，人员守在断路器旁。"
)
BusOption = Annotated[str, typer.Option("--bus", help="The bus: /dev/ttyUSB0, tcp://host:502, or its name (--config).")]


def verify(
    plan: Annotated[Path, typer.Option(help="CSV or xlsx: see `gewu provision plan`.")],
    bus: BusOption,
    baud: Annotated[int, typer.Option("--baud", "-b", help="The speed in bit/s.")],
    trip: Annotated[
        list[str] | None, typer.Option("--trip", help="Test-trip these breakers (ids, or all): opens them.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="With --trip: who stands at the breakers.")] = None,
    second: Annotated[
        str | None, typer.Option("--second", help="With --trip of a critical load: the second one.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="The boards' keys; else device-keys.toml beside the plan.")
    ] = None,
    first: Annotated[int, typer.Option(min=1, max=247, help="Look for unknown devices from this address on.")] = 1,
    last: Annotated[int, typer.Option(min=1, max=247, help="And up to this one.")] = 247,
    search: Annotated[float, typer.Option("--search-timeout", help="Seconds that an unknown device may take.")] = 0.1,
    parity: ParityOption = "N",
    stopbits: StopbitsOption = 1,
    timeout: TimeoutOption = 0.3,
    config: ConfigOption = None,
    journal: Annotated[Path | None, typer.Option(help="Record; else PLAN.journal.jsonl beside the plan.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Everybody behind the breakers knows: do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Read every device and compare it with the plan and the journal; with --trip open breakers to see that they do."""
    from gateway.clock import SystemClock
    from provisioning.journal import Journal
    from provisioning.plan_file import read_plan

    rows = read_plan(plan)
    chosen = _chosen(rows, trip or [], by, second)
    if chosen:
        _ask(chosen, yes)
    with (
        Journal(journal or plan.with_suffix(".journal.jsonl"), SystemClock()) as record,
        _opened(bus, baud, parity, stopbits, timeout, config) as line,
    ):
        found = _look(line, rows, plan, range(first, last + 1), search, record, as_json)
        line.be_patient(timeout)
        well = {one.id for one in found if one.ok}
        trips = _trips(line, chosen, well, keys or plan.with_name("device-keys.toml"), record, by, second)
    _show(found, trips, as_json)


@contextmanager
def _opened(bus: str, baud: int, parity: str, stopbits: int, timeout: float, config: Path | None) -> "Iterator[Line]":
    line, _holder = open_line(bus, baud, parity, stopbits, timeout, config)
    try:
        yield line
    finally:
        line.close()


def _chosen(rows: "Plan", wanted: Sequence[str], by: str | None, second: str | None) -> "list[PlanRow]":
    """The rows to be tripped; nothing is touched before this has found nothing wrong."""
    from provisioning.plan import BREAKER
    from provisioning.trip_test import check_people

    names = [name for text in wanted for name in text.split(",") if name]
    if not names:
        return []
    chosen = [row for row in rows.rows if row.profile == BREAKER] if "all" in names else [rows.by_id(n) for n in names]
    check_people(chosen, by, second)
    return chosen


def _ask(chosen: "list[PlanRow]", yes: bool) -> None:
    say(TRIP_FIRST)
    for row in chosen:
        marks = "  CRITICAL 关键负荷" if row.critical else ""
        say(f"will be opened 将分闸: {row.id}  {row.place}  {row.circuit}{marks}")
    if yes:
        return
    if not sys.stdin.isatty():
        raise GewuError("Nothing was opened: nobody can be asked here; --yes says that everybody knows.")
    typer.confirm("Everybody behind these breakers knows / 已告知所有相关用户?", abort=True, err=True)


def _look(
    line: "Line", rows: "Plan", plan: Path, units: range, search: float, record: "Journal", quiet: bool
) -> "list[Checked]":
    from gateway import profile as profiles
    from provisioning import verify as work
    from provisioning.history import pasts

    named = {row.profile: profiles.load(row.profile, plan.parent) for row in rows.rows}
    known = {name: profiles.load(name) for name in profiles.shipped()} | named
    with Progress(transient=True, disable=not plain.is_terminal or quiet) as progress:
        task = progress.add_task("reading", total=len(rows.rows) + len(units))
        known_of = pasts(record.lines)
        return list(work.verify(line, rows, known, known_of, units, record, search, lambda: progress.advance(task)))


def _trips(
    line: "Line", chosen: "list[PlanRow]", well: "set[str | None]", keys: Path, record: "Journal", by: str | None,
    second: str | None,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """What came of each test trip by id; one breaker after the other, and none that is not as planned."""
    if not chosen:
        return {}
    from gateway import profile as profiles
    from gateway.bus.mailbox import Mailbox
    from gateway.clock import SystemClock
    from gateway.commands import board_keys
    from provisioning.trip_test import BY_HAND, Tripped, trip

    known, clock = board_keys.load(keys), SystemClock()
    found: dict[str, dict[str, Any]] = {}
    for row in chosen:
        if row.id not in well:
            result = Tripped(False, None, 0.0, None, "not opened: it is not as planned; see its differences")
        elif row.id not in known:
            result = Tripped(False, None, 0.0, None, f"not opened: {keys} has no key for it")
        else:
            box = Mailbox(line, row.address, profiles.load(row.profile), known[row.id], clock)
            result = trip(box, row.rating or 0, clock)
        record.note(do="trip", id=row.id, address=row.address, by=by, second=second, **result.as_json())
        found[row.id] = result.as_json()
        say(f"{row.id}: " + (f"open after {result.opened_s} s; {BY_HAND}" if result.ok else result.why))
    return found


def _show(found: "list[Checked]", trips: dict[str, dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json([one.as_json() | ({"trip": trips[one.id]} if one.id in trips else {}) for one in found])
    else:
        for one in found:
            plain.print(f"{one.address:3d}  {one.id or '-'}  {'ok' if one.ok else 'DIFFERS'}", markup=False)
            for sentence in one.differences:
                plain.print(f"     {sentence}", markup=False)
        wrong = sum(not one.ok for one in found)
        plain.print(f"{len(found)} devices, {wrong} not as planned; {sum(t['ok'] for t in trips.values())} test trips.")
    if any(not one.ok for one in found) or any(not one["ok"] for one in trips.values()):
        raise typer.Exit(1)
