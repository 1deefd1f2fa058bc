"""Trials of the power going: at any write or sync (A2), and of what it leaves of a journal (A3).

Each makes an outbox work on real files, takes away what the fault takes, opens what is left with Debian's own
sqlite3 and says what is gone of what was promised.
"""

import random
import tempfile
from pathlib import Path

from gateway.outbox import Outbox
from hil_tests.faults.clock import FakeClock
from hil_tests.faults.disk import Disk
from hil_tests.faults.ledger import Ledger
from hil_tests.faults.power import WORLDS, Cutter, moments
from hil_tests.faults.samples import Route, event
from hil_tests.faults.sqlite import connecting
from hil_tests.faults.workload import Workload, verify

OPERATIONS = 200


def cut_everywhere(folder: Path, seed: int, most: int | None) -> Ledger:
    """A2: cut the power at every change of a workload of 200 operations (or at `most`), in all three worlds."""
    disk = Disk()
    work = Workload(folder / "work", disk, seed)
    work.run(OPERATIONS)
    dice = random.Random(seed)
    ledger = Ledger(accepted=len(work.promises.events))
    for world in WORLDS:
        cutter = Cutter(disk.changes)
        for moment in moments(disk.changes, most, dice):
            cutter.forward(moment)
            with tempfile.TemporaryDirectory(dir=folder) as left:
                cutter.lay_out(Path(left), world, dice)
                broken = verify(Path(left), work.promises, moment)
            ledger.runs += 1
            ledger.kills[world] += 1
            if broken:
                ledger.lost += 1
                ledger.troubles.append(f"seed {seed}, {world}, change {moment}: {broken}")
    disk.close()
    return ledger


def spoiled_journal(folder: Path, seed: int) -> Ledger:
    """A3: the journal cut at any byte, its last frame overwritten, a -shm of rubbish: earlier commits are all there."""
    dice = random.Random(seed)
    commits = _committed(folder / "whole", dice.randint(5, 40))
    left = folder / "left"
    left.mkdir()
    for name in ("outbox.db", "outbox.db-wal"):
        (left / name).write_bytes((folder / "whole" / name).read_bytes())
    journal = left / "outbox.db-wal"
    how = dice.choice(("cut", "torn", "shm"))
    size = journal.stat().st_size
    start = 0 if how == "cut" else commits[-2][0]
    spoiled = dice.randint(start, size - 1) if how != "shm" else size
    if how == "cut":
        journal.write_bytes(journal.read_bytes()[:spoiled])
    elif how == "torn":
        journal.write_bytes(journal.read_bytes()[:spoiled] + dice.randbytes(size - spoiled))
    else:
        (left / "outbox.db-shm").write_bytes(dice.randbytes(32768))
    outbox = Outbox(left, FakeClock(), [Route()])
    there = {found.event.id for found in outbox.open_events()}
    outbox.close()
    gone = [name for end, name in commits if end <= spoiled and name not in there]
    ledger = Ledger(lost=len(gone), accepted=len(commits), runs=1)
    ledger.kills[how] += 1
    if outbox.repaired or gone:
        ledger.troubles.append(f"seed {seed}, {how} at {spoiled}: {outbox.repaired or gone}")
    return ledger


def _committed(folder: Path, count: int) -> list[tuple[int, str]]:
    """`count` events committed in `folder`, each with the size of the journal after it; the power goes then."""
    disk = Disk()
    outbox = Outbox(folder, FakeClock(), [Route()], connect=connecting(disk))
    found = []
    for number in range(count):
        name = f"event-{number}"
        outbox.accept_event(event(name), name)
        found.append(((folder / "outbox.db-wal").stat().st_size, name))
    for name in ("outbox.db", "outbox.db-wal"):
        (folder / f"{name}.then").write_bytes((folder / name).read_bytes())
    outbox.close()
    for name in ("outbox.db", "outbox.db-wal"):
        (folder / f"{name}.then").replace(folder / name)
    disk.close()
    return found
