"""Seeded kills: a gateway that dies again and again, then delivers, and what its witness says of it.

A gateway's story is one data folder: some lives ended at named points, a part of them offline, then one
that is left alone until everything is delivered.
"""

import random
import sqlite3
import time
from pathlib import Path

from hil_tests.brokers import free_port
from hil_tests.faults.driver import Job, accepted
from hil_tests.faults.ledger import Ledger
from hil_tests.faults.nursery import Nursery
from hil_tests.faults.witness import Witness

# Where a life can end, with how often a life passes there at most.
POINTS: dict[str, int] = {
    "insert": 5,
    "commit.before": 6,
    "commit.after": 6,
    "publish.before": 5,
    "publish.after": 5,
    "confirm": 3,
    "mark": 3,
    "prune": 1,
}
_MIGRATIONS = 20  # a new outbox passes that point so often
OFFLINE = ("insert", "commit.before", "commit.after")
_ARRIVE_S = 60.0
_GRACE_S = 6.0


def story(nursery: Nursery, witness: Witness, url: str, folder: Path, seed: int, kills: int) -> Ledger:
    """One gateway killed `kills` times by `seed`; three lives in a row are offline when there are enough."""
    dice = random.Random(seed)
    gateway = f"g{seed}"
    data = folder / gateway
    data.mkdir(parents=True)
    acks = dice.random() < 0.5
    offline = set(range(kills // 2, kills // 2 + 3)) if kills >= 5 else set()
    nowhere = f"mqtt://127.0.0.1:{free_port()}"
    ledger = Ledger()
    for life in range(kills):
        point = dice.choice(OFFLINE if life in offline else list(POINTS)) if life else "migrate"
        job = Job(
            folder=str(data),
            gateway=gateway,
            url=nowhere if life in offline else url,
            life=life,
            seed=dice.getrandbits(32),
            acks=acks,
            point=point,
            nth=dice.randint(1, POINTS.get(point, _MIGRATIONS)),
        )
        # A point that this life does not pass so often: the kill comes at a moment of chance instead.
        ended = nursery.run(job, kill_after=_GRACE_S if life == 0 else dice.uniform(0.05, 2.0))
        ledger.kills["at a moment of chance" if ended.late else point] += 1
        if not ended.killed:
            ledger.troubles.append(f"{gateway} life {life} ended by itself with {ended.status}")
    ledger.runs = kills
    last = nursery.run(Job(folder=str(data), gateway=gateway, url=url, life=kills, seed=seed, acks=acks))
    if last.status != 0:
        ledger.troubles.append(f"{gateway} could not deliver in the end: status {last.status}")
    return ledger + judge(witness, gateway, data)


def judge(witness: Witness, gateway: str, data: Path) -> Ledger:
    """Compare what was promised in `data` with what arrived, once that has come to rest."""
    readings, events = accepted(data)
    deadline = time.monotonic() + _ARRIVE_S
    while time.monotonic() < deadline:
        got_readings, got_events = witness.numbers(gateway)
        if readings <= got_readings and events <= got_events:
            break
        time.sleep(0.05)
    heard = witness.heard(gateway)
    lost = len(readings - got_readings) + len(events - got_events) + sum(epoch.missing() for epoch in heard.values())
    ledger = Ledger(lost, sum(epoch.duplicates for epoch in heard.values()), len(readings) + len(events))
    if lost:
        ledger.troubles.append(f"{gateway} lost {lost}: {sorted(readings - got_readings)[:5]} {events - got_events}")
    if len(heard) > 1:
        ledger.troubles.append(f"{gateway} began {len(heard)} epochs")
    ledger.troubles += [f"{gateway} message {seq} has changed" for epoch in heard.values() for seq in epoch.changed]
    if (found := _integrity(data / "outbox.db")) != "ok":
        ledger.troubles.append(f"{gateway} outbox.db: {found}")
    return ledger


def _integrity(file: Path) -> str:
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()
