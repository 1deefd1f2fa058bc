"""`gewu provision commission --station`: boards are plugged in and pulled out all day; one clear line for each."""

import contextlib
import io
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from gateway.cli.output import print_json, say

if TYPE_CHECKING:
    from provisioning.commission import Batch
    from provisioning.image import Image
    from provisioning.journal import Journal
    from provisioning.station import Done

BY_ID = "/dev/serial/by-id/*"


def serve(batch: "Batch", ports: str, image: "Image | None", journal: "Journal", at_once: int, as_json: bool) -> int:
    """Serve boards until Ctrl-C; the exit status. `ports` is a pattern of paths, `image` for boards without any."""
    from gateway.clock import SystemClock
    from provisioning.station import Station

    shown = Console(file=sys.stderr if as_json else sys.stdout, soft_wrap=True, highlight=False)
    work = _worker(batch, image, journal, shown)
    station = Station(lambda: _matching(ports), work, _teller(shown), SystemClock(), at_once)
    say(f"Waiting for boards at {ports}; plug in, wait for the green line, pull out, next. Ctrl-C ends.")
    stop = threading.Event()

    def asked(_signal: int, _frame: object) -> None:
        say("No further board is begun; those at work are finished first.")
        stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, asked)
    # mpremote prints what it does not understand; the lines here are for the person at the bench.
    with contextlib.redirect_stdout(io.StringIO()):
        found = station.run(stop)
    return _sum_up(found, as_json, shown)


def _matching(pattern: str) -> list[str]:
    """The paths that exist; only the last part of a pattern may have wild cards."""
    return [str(path) for path in Path(pattern).parent.glob(Path(pattern).name)]


def _worker(batch: "Batch", image: "Image | None", journal: "Journal", shown: Console) -> "Callable[[str], Done]":
    """Commission; where no MicroPython answers and there is an image, flash first."""
    from provisioning import commission as boards
    from provisioning import flash as images
    from provisioning.station import Done

    def said(port: str, step: str, percent: int | None) -> None:
        if percent is None:
            shown.print(f"{_short(port)}: {step}", markup=False, style="dim")

    def work(port: str) -> Done:
        (row,) = boards.commission(batch, [port], said, 1)
        trouble = row.trouble
        if image is not None and _code(trouble) == "no-micropython":
            (flashed,) = images.flash(image, [port], journal, said, 1)
            if flashed.trouble is None:
                (row,) = boards.commission(batch, [port], said, 1)
                trouble = row.trouble
            else:
                trouble = flashed.trouble
        well = trouble is None
        line = f"{row.id} {row.serial}: pull it out 可以拔下" if well else f"{row.id or '-'} {row.serial}: {trouble}"
        return Done(port, well, line, row.as_json() | {"trouble": trouble}, _code(trouble))

    return work


def _teller(shown: Console) -> "Callable[[Done], None]":
    def tell(done: "Done") -> None:
        style, word = ("bold green", "OK 合格") if done.well else ("bold red", "NOT OK 不合格")
        shown.print(f"{word}  {_short(done.port)}  {done.line}", markup=False, style=style)

    return tell


def _sum_up(found: "list[Done]", as_json: bool, shown: Console) -> int:
    """The last word on each board: one that went wrong and came again well is well."""
    last: dict[Any, Done] = {}
    for done in found:
        last[done.row["serial"] or done.port] = done
    wrong = [done for done in last.values() if not done.well]
    if as_json:
        print_json([done.row for done in last.values()])
    shown.print(f"{len(last) - len(wrong)} boards commissioned, {len(wrong)} not.", markup=False)
    for done in wrong:
        shown.print(f"     {_short(done.port)}: {done.line}", markup=False)
    return 1 if wrong else 0


def _code(trouble: str | None) -> str:
    return (trouble or "").partition(":")[0]


def _short(port: str) -> str:
    return Path(port).name
