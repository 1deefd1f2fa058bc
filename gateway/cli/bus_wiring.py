"""`gewu bus wiring`: whether the copper of a line is right, and what to do where it is not."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from gateway.cli.bus_line import BaudOption, ParityOption, PortOption, StopbitsOption, open_bus, own_line
from gateway.cli.output import JsonFlag, plain, print_json, say

if TYPE_CHECKING:
    from gateway.bus.transport import Line
    from gateway.bus.wiring import Observed

PEOPLE_FIRST = (
    "People first: looking is harmless; wires are touched with the mains off only. 安全第一：接触导线前断开市电。"
)
_MOST_TRIED = 8  # silent devices that are looked for at other speeds


def wiring(
    port: PortOption,
    baud: BaudOption = 9600,
    parity: ParityOption = "N",
    stopbits: StopbitsOption = 1,
    timeout: Annotated[float, typer.Option(help="Seconds a device may take before it begins its answer.")] = 0.1,
    first: Annotated[int, typer.Option(min=1, max=247, help="The first unit id to ask.")] = 1,
    last: Annotated[int, typer.Option(min=1, max=247, help="The last unit id to ask.")] = 247,
    plan: Annotated[
        Path | None, typer.Option(help="The installer's plan: ask its addresses, all of which must be there.")
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Swapped wires, missing bias or termination, wrong speeds: what a line shows of them, and what to do."""
    from gateway.bus.wiring import as_json, judge, observe

    say(PEOPLE_FIRST)
    wanted = _planned(plan)
    units = wanted or range(first, last + 1)
    line = own_line(port, baud, parity, stopbits, timeout)
    try:
        with Progress(transient=True, disable=not plain.is_terminal or json_output) as progress:
            task = progress.add_task("asking", total=len(units))
            seen = observe(line, units, wanted, lambda: progress.advance(task))
            _name_shared(line, seen)
    finally:
        line.close()
    if not any(one.breaks for one in seen.units) and "://" not in port:
        _look_elsewhere(port, (baud, parity, stopbits), timeout, seen, units, bool(wanted))
    found = judge(seen, wanted)
    if json_output:
        print_json(as_json(seen, found))
    for one in found if not json_output else ():
        plain.print(f"{one.what}: {one.why}. {one.do[0].upper()}{one.do[1:]}.", markup=False)
    if not found and not json_output:
        plain.print(f"{sum(one.times for one in seen.units)} questions to {len(seen.units)} devices, nothing wrong.")
    if found:
        raise typer.Exit(1)


def _planned(plan: Path | None) -> list[int]:
    if plan is None:
        return []
    from provisioning.plan_file import read_plan

    return sorted(row.address for row in read_plan(plan).rows)


def _name_shared(line: "Line", seen: "Observed") -> None:
    """Who shares an address, where somebody answers at all and the line is good enough to ask."""
    from gateway.bus.discovery import discover
    from gateway.bus.wiring import STRAYS
    from gateway.errors import TryAgain

    if not any(one.damaged for one in seen.units) or seen.strays >= STRAYS:
        return  # nothing to tell apart, or no line to do it on
    try:
        boards = discover(line)
    except TryAgain:
        return  # too bad a line; what its answers look like says why
    for one in seen.units:
        serials = [board.serial for board in boards if board.address == one.address]
        if len(serials) > 1:
            seen.shared[one.address] = serials


def _look_elsewhere(
    port: str, here: tuple[int, str, int], timeout: float, seen: "Observed", units: Sequence[int], planned: bool
) -> None:
    """At which of the usual settings those answer who are silent at this one, and should not be."""
    from gateway.bus.scan import others, spelled
    from gateway.bus.trouble import PortTrouble
    from gateway.bus.wiring import answers

    heard = {one.address for one in seen.units if one.times > one.silent}
    silent = [unit for unit in units if unit not in heard] if planned or not heard else []
    for settings in others(*here) if silent else ():
        try:
            line = open_bus(port, *settings, timeout)
        except PortTrouble:
            continue  # not every adapter can do every speed and parity
        try:
            for unit in silent[:_MOST_TRIED]:
                if unit not in seen.elsewhere and answers(line, unit):
                    seen.elsewhere[unit] = spelled(*settings)
        finally:
            line.close()
