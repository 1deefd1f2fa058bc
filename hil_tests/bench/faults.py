"""`gewu bench faults`: what the faults of docs/faults.md cost, as many seeded runs as asked, with the ledger of each.

Every trial is that of `hil_tests/faults`, which the tests run a few of. Kills need mosquitto, and the two
brokers of other houses are real as well; a silent link takes its real time.
"""

import math
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

from gateway import camera_extra
from gateway.errors import ConfigurationError
from hil_tests.bench.row import Report, Row, machine
from hil_tests.brokers import Mosquitto, Nats, RabbitMq
from hil_tests.faults import damage, links, power_cuts, sick_disks
from hil_tests.faults.disk import Failure, Kind, memory_folder
from hil_tests.faults.kills import story
from hil_tests.faults.ledger import Ledger
from hil_tests.faults.nursery import Nursery
from hil_tests.faults.starts import READY_S, killed_starts
from hil_tests.faults.witness import Witness

KILLS_A_STORY = 20
_LONGEST_START_S = 20.0
SICK: tuple[tuple[str, Failure, set[Kind]], ...] = (
    ("B1 disk full", "full", {"write"}),
    ("B2 writes fail", "io", {"write"}),
    ("B2 syncs fail", "io", {"sync"}),
    ("B2 reads and syncs fail", "io", {"read", "sync"}),
    ("B3 read-only", "readonly", {"write", "truncate", "sync", "delete"}),
)
Say = Callable[[str], None]


def measure(seeds: int, first: int, silences: list[float], only: list[str], say: Say) -> Report:
    """About `seeds` runs of each quick fault from seed `first` on, fewer of the slow ones; `silences` in seconds.

    `only`: the ids of faults ("A1", "B2", "C"); all when empty. Raises ConfigurationError for an id that is none.
    """
    with ExitStack() as ending:
        root = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="gewu-faults-")))
        memory = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="gewu-faults-", dir=memory_folder())))
        pool = ending.enter_context(ThreadPoolExecutor(len(silences) + 1))
        cases = [case for case in _cases(root, memory, seeds, first) if not only or case.id in only]
        if unknown := set(only) - {case.id for case in cases} - {"A8", "A9", "C1"}:
            raise ConfigurationError(f"--only {min(unknown)}: there is no such fault here; docs/faults.md lists them.")
        # C4 counts this process's files, so it comes before what runs beside the others: a silent link waits, and
        # needs no processor.
        cases.sort(key=lambda case: case.id != "C4")
        alone = sum(case.id == "C4" for case in cases)
        rows = [row for case in cases[:alone] for row in _tried(case, say)]
        silent = [
            pool.submit(_silent, root / f"silent-{index}", seconds)
            for index, seconds in enumerate(silences if not only or "C1" in only else [])
        ]
        if not only or "A9" in only:
            rows += _camera_rows(root / "A9", max(3, seeds // 100), say)
        starting = pool.submit(_started, root / "A8", seeds, first) if not only or "A8" in only else None
        rows += [row for case in cases[alone:] for row in _tried(case, say)]
        rows += [] if starting is None else _start_rows(*starting.result(), say)
        for waiting in silent:
            rows += _silence_rows(*waiting.result(), say)
    return Report(name="faults", rows=rows, machine=machine())


class _Case(NamedTuple):
    """A fault that can be tried; its name begins with its id."""

    name: str
    run: Callable[[], Ledger]

    @property
    def id(self) -> str:
        return self.name.split()[0]


def _cases(root: Path, memory: Path, seeds: int, first: int) -> list[_Case]:
    """Every case; the simulated disks lie in `memory`, for they need not wait for a real one's syncs."""
    few, every = max(1, seeds // 100), range(first, first + seeds)
    return [
        _Case("A1 killed at a named point", lambda: killed(root / "A1", seeds, first)),
        _Case("A2 power cut at a write or sync", lambda: _cut(memory / "A2", seeds, first)),
        _Case("A3 journal spoiled", lambda: _sum(power_cuts.spoiled_journal, memory, every)),
        _Case("A4 4 KiB of random bytes", lambda: _sum(damage.overwritten, memory, every)),
        *(
            _Case(
                name, partial(_sum, partial(sick_disks.sick_for_a_while, failure=failure, kinds=kinds), memory, every)
            )
            for name, failure, kinds in SICK
        ),
        _Case("C2 confirmations lost", lambda: _over(links.confirmations_lost, root / "C2", 2 * few)),
        _Case("C3 broker forgets", lambda: links.broker_forgets(root / "C3", 2 * few)),
        _Case("C4 link resets", lambda: _over(links.flapping, root / "C4", max(5, seeds // 10))),
        _Case("C one direction lost, then a narrow line", lambda: _over(links.one_way_loss, root / "C")),
        _Case("C nats-server restarts", lambda: _restarted(Nats(), root / "nats", 2 * few)),
        _Case("C RabbitMQ restarts", lambda: _restarted(RabbitMq(), root / "rabbit", 2)),
    ]


def _over(trial: Callable[..., Ledger], folder: Path, *arguments: int) -> Ledger:
    with Mosquitto() as broker:
        return trial(folder, broker, *arguments)


def _restarted(broker: Nats | RabbitMq, folder: Path, rounds: int) -> Ledger:
    with broker:
        return links.broker_restarts(folder, broker, rounds)


def killed(folder: Path, kills: int, first: int) -> Ledger:
    """A1: `kills` lives of real gateways against mosquitto, each ended by its seed; two gateways at a time."""
    folder.mkdir()
    counts = [KILLS_A_STORY] * (kills // KILLS_A_STORY) + [kills % KILLS_A_STORY] * bool(kills % KILLS_A_STORY)
    work = list(enumerate(counts, first))
    with ExitStack() as ending:
        broker = ending.enter_context(Mosquitto())
        witness = ending.enter_context(Witness(broker.port))
        nurseries = [ending.enter_context(Nursery(folder / f"log-{index}")) for index in range(2)]

        def lead(index: int) -> Ledger:
            return sum(
                (
                    story(nurseries[index], witness, broker.url, folder, seed, count, squeezed=seed % 5 == 0)
                    for seed, count in work[index::2]
                ),
                Ledger(),
            )

        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(lead, range(2)), Ledger())


def _cut(folder: Path, seeds: int, first: int) -> Ledger:
    """Workloads of 200 operations, each cut everywhere, until there are `seeds` cuts; the last one at some places."""
    ledger = Ledger()
    while ledger.runs < seeds:
        work = folder / str(first)
        work.mkdir(parents=True)
        ledger += power_cuts.cut_everywhere(work, first, -(-(seeds - ledger.runs) // 3))
        first += 1
    return ledger


def _sum(trial: Callable[[Path, int], Ledger], root: Path, seeds: range) -> Ledger:
    ledger = Ledger()
    for seed in seeds:
        with tempfile.TemporaryDirectory(dir=root) as place:
            ledger += trial(Path(place), seed)
    return ledger


def _silent(folder: Path, seconds: float) -> tuple[float, Ledger, float]:
    # The keep-alive of a gateway, so that what is noticed is what a gateway notices.
    with Mosquitto() as broker:
        return seconds, *links.silent_then_reset(folder, broker, seconds, keepalive=links.GATEWAY_KEEPALIVE_S)


def _started(folder: Path, seeds: int, first: int) -> tuple[Ledger, float]:
    folder.mkdir()
    return killed_starts(folder, max(2, seeds // 20), _LONGEST_START_S, first)


def _start_rows(ledger: Ledger, took: float, say: Say) -> list[Row]:
    case = "A8 starts killed after 0 to 20 s"
    ready = Row(case=case, metric="ready_after", value=round(took, 1), unit="s", limit=READY_S)
    return [*_rows(case, ledger, say), ready]


def _camera_rows(folder: Path, deaths: int, say: Say) -> list[Row]:
    if (lacking := camera_extra.sentence()) is not None:
        say(f"A9 is left out. {lacking}")
        return []
    from hil_tests.faults.camera_deaths import camera_deaths

    case = "A9 camera process killed"
    ledger, waited = camera_deaths(folder, deaths)
    gap = Row(case=case, metric="polling_gap", value=round(waited, 2), unit="cycles", limit=1.0)
    return [*_rows(case, ledger, say), gap]


def _tried(case: _Case, say: Say) -> list[Row]:
    began, ledger = time.monotonic(), case.run()
    say(f"{case.name}: {ledger.runs} runs, {time.monotonic() - began:.0f} s")
    return _rows(case.name, ledger, say)


def _silence_rows(seconds: float, ledger: Ledger, noticed: float, say: Say) -> list[Row]:
    case = f"C1 silent for {seconds:g} s, then reset"
    if math.isnan(noticed):
        return _rows(case, ledger, say)  # over before it could be noticed
    share = Row(
        case=case,
        metric="noticed_after",
        value=round(noticed / links.GATEWAY_KEEPALIVE_S, 2),
        unit="keep-alives",
        limit=1.5,
    )
    return [*_rows(case, ledger, say), share]


def _rows(case: str, ledger: Ledger, say: Say) -> list[Row]:
    for trouble in ledger.troubles:
        say(f"{case}: {trouble}")
    figures = {"lost": ledger.lost, "duplicates": ledger.duplicates, "runs": ledger.runs}
    figures |= {"accepted": ledger.accepted, "broken_promises": len(ledger.troubles)}
    rows = [
        Row(case=case, metric=metric, value=float(value), unit="", limit=0.0 if metric in _NONE else None)
        for metric, value in figures.items()
    ]
    return rows + [
        Row(case=case, metric=f"struck: {where}", value=float(count), unit="")
        for where, count in sorted(ledger.kills.items())
    ]


_NONE = ("lost", "broken_promises")
