"""Trials of damage to the database file itself (A4): random bytes over a part of it."""

import random
import time
from pathlib import Path

from gateway.outbox import Outbox
from hil_tests.faults.clock import FakeClock
from hil_tests.faults.ledger import Ledger
from hil_tests.faults.samples import Route, event, reading
from hil_tests.faults.sick_disks import taken_out

DAMAGE_BYTES = 4096
START_S = 30.0
ROUTE = Route(max_delay=0.0)


def overwritten(folder: Path, seed: int) -> Ledger:
    """4 KiB of random bytes somewhere in a store of 60 events and 600 readings; it must start and go on.

    `lost` counts only what the trial demands: a start, the damaged file kept, room for new records. What could be
    salvaged is counted under `salvaged`, of `accepted`.
    """
    dice, clock = random.Random(seed), FakeClock()
    outbox = Outbox(folder, clock, [ROUTE])
    for number in range(600):
        outbox.put_reading(reading(number))
        if number % 10 == 0:
            outbox.accept_event(event(f"event-{number}"), f"key-{number}")
    outbox.close()
    file = folder / "outbox.db"
    content = bytearray(file.read_bytes())
    at = dice.randrange(0, max(1, len(content) - DAMAGE_BYTES))
    content[at : at + DAMAGE_BYTES] = dice.randbytes(DAMAGE_BYTES)
    file.write_bytes(content)
    ledger = Ledger(runs=1, accepted=660)
    try:
        _go_on(folder, clock, ledger, seed)
    except Exception as error:  # whatever it is, it would have kept a gateway from starting
        ledger.troubles.append(f"seed {seed}, damaged at {at}: {type(error).__name__}: {error}")
    return ledger


def _go_on(folder: Path, clock: FakeClock, ledger: Ledger, seed: int) -> None:
    began = time.monotonic()
    outbox = Outbox(folder, clock, [ROUTE])
    if time.monotonic() - began > START_S:
        ledger.troubles.append(f"seed {seed}: it took {time.monotonic() - began:.0f} s to start")
    outbox.open_events()
    outbox.stats()
    outbox.accept_event(event("after"), "after")
    events, numbers = taken_out(outbox)
    if "after" not in events:
        ledger.troubles.append(f"seed {seed}: what was accepted after the damage did not come out")
    ledger.kills["salvaged"] += len(set(events) - {"after"}) + len(set(numbers))
    ledger.kills["noticed" if outbox.repaired else "unseen"] += 1
    if outbox.repaired and not list(folder.glob("outbox.db.damaged-*")):
        ledger.troubles.append(f"seed {seed}: the damaged file was not kept")
    outbox.close()
