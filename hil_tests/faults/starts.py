"""Trials of starting (A8): a gateway that is killed again and again while it starts, and what the next start finds."""

import random
import time
from pathlib import Path

from gateway.clock import SystemClock
from gateway.outbox import Outbox
from hil_tests.faults.ledger import Ledger
from hil_tests.faults.samples import Route, event, reading
from hil_tests.faults.supervisor import Supervisor, gateway

READY_S = 30.0
"""Within this the start after them is to be ready."""
_PATIENCE_S = 120.0  # of whoever watches, on a machine that does other work beside
_READINGS = 300


def configured(folder: Path) -> Path:
    """The configuration of a gateway whose broker is not there."""
    file = folder / "gewu.toml"
    file.write_text('[gateway]\nid = "a"\nsite = "s"\ndata_dir = "data"\n[[uplink]]\nurl = "mqtt://127.0.0.1:9"\n')
    return file


def killed_starts(folder: Path, starts: int, longest: float, seed: int) -> tuple[Ledger, float]:
    """`starts` starts, each killed after 0 to `longest` seconds, then one that may go on: it has every record.

    Also after how many seconds that one was ready.
    """
    config = configured(folder)
    outbox = Outbox(folder / "data", SystemClock(), [Route("uplink1")])
    for number in range(_READINGS):
        outbox.put_reading(reading(number))
    outbox.accept_event(event("e1"), "k")
    outbox.close()
    dice = random.Random(seed)
    ledger = Ledger(accepted=_READINGS + 1, runs=starts)
    with Supervisor(gateway(config), folder, watchdog_s=_PATIENCE_S) as unit:
        for _ in range(starts):
            deadline = time.monotonic() + dice.uniform(0, longest)
            while (left := deadline - time.monotonic()) > 0:
                unit.attend(left)
            unit.kill()
            unit.start()
        began = time.monotonic()
        unit.attend(_PATIENCE_S)
        took = time.monotonic() - began
        if not unit.ready:
            ledger.troubles.append(f"seed {seed}: the start after {starts} killed ones is not ready")
    outbox = Outbox(folder / "data", SystemClock(), [Route("uplink1")])
    found = outbox.stats()
    outbox.close()
    kept = min(found.accepted, found.queued)
    # The gateway may add an event of its own: that its uplink is not connected for ten minutes.
    ledger.lost = max(0, ledger.accepted - kept) + found.dropped
    return ledger, took
