"""`gewu bench soak`: days of a gateway in minutes, a fault every 30 simulated seconds, and the ledger after them."""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hil_tests.bench.row import Report, Row, machine
from hil_tests.soak.disk import memory_folder
from hil_tests.soak.run import Soak, Soaked

MOST_MB_AN_HOUR = 1.0
ASKED_LOAD = 5.0
MOST_SECONDS = 1200.0  # for 72 hours
WINDOW = 64
"""Messages that a receiver may not have acknowledged yet, `unacknowledged` in gateway/uplink/settings.py: each
connection may repeat them, and so may each fault by which none is acknowledged."""
_ASKED_HOURS = 72.0
_HOURS_FOR_A_SLOPE = 4  # the first does not count, and fewer than four make no slope


@dataclass(frozen=True)
class Plan:
    """How long and how hard: simulated hours, and times the design load (100 devices, ten values each, every 10 s)."""

    hours: float = 72.0
    load: float = 1.0
    seed: int = 1


def measure(plan: Plan, say: Callable[[str], None]) -> Report:
    """All figures of one soak. Raises GewuError when it could not be judged."""
    with tempfile.TemporaryDirectory(prefix="gewu-soak-", dir=memory_folder()) as folder:
        began, cpu = time.monotonic(), time.process_time()
        soaked = Soak(Path(folder), plan.hours, plan.load, plan.seed, say).run()
        took, cpu = time.monotonic() - began, time.process_time() - cpu
    for example in soaked.findings.examples:
        say(example)
    case = f"{plan.hours:g} h, {plan.load:g} x design load, seed {plan.seed}"
    return Report(name="soak", rows=[*_rows(case, plan, soaked), *_cost(case, plan, took, cpu)], machine=machine())


def broken(report: Report) -> list[Row]:
    """The rows of broken promises: those above their limit, how hard and how fast it was aside."""
    apart = ("load", "took_s", "cpu_s")
    return [row for row in report.rows if row.metric not in apart and row.limit is not None and row.value > row.limit]


def _rows(case: str, plan: Plan, soaked: Soaked) -> Iterator[Row]:
    def row(metric: str, value: float, unit: str = "", limit: float | None = None) -> Row:
        return Row(case=case, metric=metric, value=value, unit=unit, limit=limit)

    found, stats = soaked.findings, soaked.stats
    yield row("lost", found.lost, limit=0)
    yield row("not_in_the_ledger", abs(stats.accepted - stats.delivered - stats.queued - stats.dropped), limit=0)
    yield row("left_in_the_queue", stats.queued, limit=0)
    yield row("wrong_values", found.wrong + found.backwards, limit=0)
    yield row("twice", found.twice, "records", limit=0)
    yield row("changed", found.changed, "messages", limit=0)
    yield row("duplicates", found.duplicates, "messages", limit=soaked.connects * WINDOW + _again(soaked))
    gone = soaked.readings - found.highest_reading
    yield row("gone_uncommitted", gone, "readings", limit=round(soaked.may_be_uncommitted))
    yield row("events_untold", found.untold, limit=0)
    yield row("events_invented", found.invented, limit=0)
    yield row("events_unpaired", found.unpaired, limit=0)
    yield row("silences_unnoticed", soaked.unnoticed, limit=0)
    yield row("silences", soaked.silences)
    yield row("events_told", found.events, "records")
    yield row("readings", found.readings)
    yield row("values", found.values)
    yield row("marked", found.marked, "values")
    yield row("faults", sum(soaked.struck.values()))
    yield row("kills", soaked.kills)
    yield row("starts", soaked.starts)
    yield row("connections", soaked.connects)
    yield row("polls", soaked.polls)
    yield row("polls_without_answer", soaked.errors)
    if len(soaked.memory_mb) > _HOURS_FOR_A_SLOPE:
        yield row("memory_slope", round(soaked.slope(soaked.memory_mb), 3), "MB/h", limit=MOST_MB_AN_HOUR)
        yield row("file_slope", round(soaked.slope(soaked.file_mb), 4), "MB/h")
    yield row("memory_at_the_end", round(soaked.memory_mb[-1], 1), "MB")
    yield row("open_files_growth", soaked.files[-1] - max(soaked.files[:2]), limit=0)
    yield row("file_at_most", round(max(soaked.file_mb), 2), "MB")


def _cost(case: str, plan: Plan, took: float, cpu: float) -> Iterator[Row]:
    """How hard it was and how long it took; `cpu_s` is that of gateway and world: the judge has its own core."""
    limit = round(MOST_SECONDS * plan.hours / _ASKED_HOURS, 1)
    yield Row(case=case, metric="load", value=plan.load, unit="x", limit=ASKED_LOAD)
    yield Row(case=case, metric="took_s", value=round(took, 1), unit="s", limit=limit)
    yield Row(case=case, metric="cpu_s", value=round(cpu, 1), unit="s", limit=limit)


def _again(soaked: Soaked) -> int:
    silent = ("C2 unconfirmed", "C3 forgetful", "C1 black hole")
    return WINDOW * sum(soaked.struck[name] for name in silent)
