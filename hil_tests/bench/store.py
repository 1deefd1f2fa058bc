"""`gewu bench store`: what the outbox costs at design load: bytes at rest, bytes written, commits, memory.

Everything is on a real disk: a folder in memory writes nothing and commits at no cost.
"""

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from gateway.errors import GewuError
from gateway.outbox import Outbox, blocks
from gateway.outbox.database import open_database
from hil_tests.bench.row import Report, Row, machine
from hil_tests.bench.store_load import WAY, Day
from hil_tests.bench.uplink_load import READINGS_A_DAY, VALUES, Load, fill, lengthen
from hil_tests.faults.clock import FakeClock

MOST_BYTES_A_VALUE = 1.5
LEAST_OF_BARE = 0.7
MOST_WRITTEN_MB = 800.0
MOST_GROWTH_MB = 20.0
BACKLOG_DAYS = 7
_AT_REST = 40_960  # readings: ten blocks
_GROUP = 10  # readings a second
_COMMITS = 400
_MESSAGES = 1500
_PAGES_A_CHECKPOINT = 4096  # as the outbox has it with its default size

Say = Callable[[str], None]


def measure(folder: Path | None, seconds: float, say: Say) -> Report:
    """All figures, with databases in `folder` (the system's for temporary files when None).

    `seconds` of the design load are lived through for the bytes written. Raises GewuError when the folder is no disk.
    """
    with tempfile.TemporaryDirectory(prefix="gewu-store-", dir=folder) as root:
        rows: list[Row] = []
        say("measuring bytes at rest")
        rows += at_rest(Path(root) / "rest")
        say("measuring commits beside bare SQLite")
        rows += commits(Path(root) / "commits")
        say("measuring bytes written to the disk")
        rows += written(Path(root) / "written", seconds)
        say("measuring memory with a backlog of 7 days")
        rows += backlog(Path(root) / "backlog")
        return Report(name="store", rows=rows, machine=machine())


def at_rest(folder: Path) -> Iterator[Row]:
    """What a value takes in the database file, once packed."""
    clock = FakeClock()
    outbox = Outbox(folder, clock, [WAY])
    fill(outbox, _AT_REST, clock.wall_ms())
    as_committed = _file_bytes(folder)
    while outbox.tend():
        pass
    outbox.close()
    file = sqlite3.connect(folder / "outbox.db")
    file.execute("VACUUM")  # free pages are used again by what comes next: they are nobody's cost
    file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()
    values = _AT_REST * VALUES
    yield Row(
        case="design load", metric="bytes_per_value", value=round(_file_bytes(folder) / values, 3), unit="B",
        limit=MOST_BYTES_A_VALUE,
    )  # fmt: skip
    yield Row(
        case="design load", metric="bytes_per_value_as_committed", value=round(as_committed / values, 3), unit="B"
    )


def commits(folder: Path) -> Iterator[Row]:
    """Groups of a second's readings committed by the outbox, and the same rows by bare SQLite, in turns: medians.

    Bare SQLite gets the rows ready to be bound, each in a transaction of its own; packing and numbering are ours.
    """
    clock = FakeClock()
    outbox = Outbox(folder / "ours", clock, [WAY])
    load = Load()
    bare, _ = open_database(folder / "bare")  # our settings and our table, so that both write the same pages
    bare.execute(f"PRAGMA wal_autocheckpoint={_PAGES_A_CHECKPOINT}")
    groups = [[load.reading(clock.wall_ms()) for _ in range(_GROUP)] for _ in range(_COMMITS)]
    packed = [blocks.packed(group, quickly=True) for group in groups]
    ours, others = [], []
    for number, (group, same) in enumerate(zip(groups, packed, strict=True)):
        begun = time.perf_counter()
        for reading in group:
            outbox.put_reading(reading)
        outbox.commit()
        between = time.perf_counter()
        bare.execute("BEGIN IMMEDIATE")
        bare.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)", _row(1 + number * _GROUP, same))
        bare.execute("COMMIT")
        ours.append(between - begun)
        others.append(time.perf_counter() - between)
    outbox.close()
    bare.close()
    peer = 1 / median(others)
    yield Row(
        case=f"{_GROUP} readings a commit", metric="commits_per_s", value=round(1 / median(ours), 1), unit="1/s",
        limit=round(LEAST_OF_BARE * peer, 1), peer=round(peer, 1),
    )  # fmt: skip


def _row(first: int, group: blocks.Packed) -> tuple[int, int, int, int, int, int, bytes]:
    return first, first + group.size - 1, 1, group.start, group.end, blocks.AS_COMMITTED, group.body


def written(folder: Path, seconds: float) -> Iterator[Row]:
    """What the process writes to the disk in a day: everything counts, also the write-ahead log and its checkpoints."""
    clock = FakeClock()
    outbox = Outbox(folder, clock, [WAY])
    day = Day(outbox, clock)
    day.live(30.0)
    for case, connected in (("connected", True), ("an outage", False)):
        commits, before = outbox.counts["commits"], _write_bytes()
        day.live(seconds, connected)
        share = 86400 / seconds
        found = (_write_bytes() - before) * share / 1e6
        if not found:
            raise GewuError(f"{folder} is no disk, or this system does not count what is written: give --folder.")
        yield Row(case=case, metric="written_mb_per_day", value=round(found, 1), unit="MB", limit=MOST_WRITTEN_MB)
        count = (outbox.counts["commits"] - commits) * share
        yield Row(case=case, metric="commits_per_day", value=round(count), unit="")
    outbox.close()


def backlog(folder: Path) -> Iterator[Row]:
    """How a process grows that opens an outbox with 7 days in it and sends some of them."""
    clock = FakeClock()
    outbox = Outbox(folder, clock, [WAY])
    fill(outbox, _AT_REST, clock.wall_ms())
    while outbox.tend():
        pass
    outbox.close()
    lengthen(folder, BACKLOG_DAYS * READINGS_A_DAY)
    command = [sys.executable, "-m", "hil_tests.bench.store_child", str(folder), str(_MESSAGES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise GewuError(f"The process with the backlog failed: {done.stderr.strip().splitlines()[-1:]}")
    before, peak, count = map(float, done.stdout.split())
    case = f"{BACKLOG_DAYS} days, {count:.0f} messages sent"
    yield Row(case=case, metric="backlog_mb", value=round(_file_bytes(folder) / 1e6, 1), unit="MB")
    yield Row(
        case=case, metric="memory_growth_mb", value=round(peak - before, 1), unit="MB", limit=MOST_GROWTH_MB
    )  # fmt: skip


def _file_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("outbox.db*"))


def _write_bytes() -> int:
    """Bytes that this process has sent towards disks."""
    try:
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("write_bytes:")), 0)
