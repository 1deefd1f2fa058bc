"""Seeded kills: a gateway that dies again and again, then delivers, and what its witness says of it.

A gateway's story is one data folder: some lives ended at named points, a part of them offline, then one
that is left alone until everything is delivered.
"""

import random
import sqlite3
import time
from pathlib import Path

from gateway.outbox.at_rest import stats_at_rest
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
# Where a life in a full store can end as well.
SQUEEZED: dict[str, int] = {"compact": 4, "thin": 4, "prune": 2, "commit.after": 60}
SQUEEZED_READINGS = 2500
OFFLINE = ("insert", "commit.before", "commit.after")
_ARRIVE_S = 60.0
_GRACE_S = 6.0


def story(
    nursery: Nursery, witness: Witness, url: str, folder: Path, seed: int, kills: int, squeezed: bool = False
) -> Ledger:
    """One gateway killed `kills` times by `seed`; three lives in a row are offline when there are enough.

    `squeezed`: it is offline throughout, with more than its store takes.
    """
    dice = random.Random(seed)
    gateway = f"g{seed}"
    data = folder / gateway
    data.mkdir(parents=True)
    acks = dice.random() < 0.5
    offline = range(kills) if squeezed else range(kills // 2, kills // 2 + 3) if kills >= 5 else range(0)
    where = SQUEEZED if squeezed else POINTS
    nowhere = f"mqtt://127.0.0.1:{free_port()}"
    ledger = Ledger()
    for life in range(kills):
        point = dice.choice(OFFLINE if life in offline and not squeezed else list(where)) if life else "migrate"
        job = Job(
            folder=str(data),
            gateway=gateway,
            url=nowhere if life in offline else url,
            life=life,
            seed=dice.getrandbits(32),
            acks=acks,
            point=point,
            nth=dice.randint(1, where.get(point, _MIGRATIONS)),
            squeezed=squeezed,
            readings=SQUEEZED_READINGS if squeezed else 60,
        )
        # A point that this life does not pass so often: the kill comes at a moment of chance instead.
        ended = nursery.run(job, kill_after=_GRACE_S if life == 0 else dice.uniform(0.05, 5.0 if squeezed else 2.0))
        ledger.kills["at a moment of chance" if ended.late else point] += 1
        if not ended.killed:
            ledger.troubles.append(f"{gateway} life {life} ended by itself with {ended.status}")
    ledger.runs = kills
    last = nursery.run(
        Job(folder=str(data), gateway=gateway, url=url, life=kills, seed=seed, acks=acks, squeezed=squeezed)
    )
    if last.status != 0:
        ledger.troubles.append(f"{gateway} could not deliver in the end: status {last.status}")
    return ledger + judge(witness, gateway, data)


def judge(witness: Witness, gateway: str, data: Path) -> Ledger:
    """Compare what was promised in `data` with what arrived, once that has come to rest.

    Lost is what was accepted and neither came nor was announced, and every event that did not come.
    """
    readings, events = accepted(data)
    found = stats_at_rest(data)
    total = found.accepted if found else 0
    deadline = time.monotonic() + _ARRIVE_S
    while time.monotonic() < deadline:
        got_readings, got_events = witness.numbers(gateway)
        heard = witness.heard(gateway)
        announced = sum(epoch.announced() for epoch in heard.values())
        if len(got_readings) + len(got_events) + announced >= total and events <= got_events:
            break
        time.sleep(0.05)
    came = len(got_readings) + len(got_events) + announced
    lost = max(total - came, len(readings - got_readings) - announced, 0) + len(events - got_events)
    lost += sum(epoch.missing() for epoch in heard.values())
    ledger = Ledger(lost, sum(epoch.duplicates for epoch in heard.values()), total)
    if came > total:
        ledger.troubles.append(f"{gateway}: {came} records came or were announced, {total} were accepted")
    if lost:
        ledger.troubles.append(f"{gateway} lost {lost}: {sorted(readings - got_readings)[:5]} {events - got_events}")
    if len(heard) > 1:
        ledger.troubles.append(f"{gateway} began {len(heard)} epochs")
    ledger.troubles += [f"{gateway} message {seq} has changed" for epoch in heard.values() for seq in epoch.changed]
    if (state := _integrity(data / "outbox.db")) != "ok":
        ledger.troubles.append(f"{gateway} outbox.db: {state}")
    return ledger


def _integrity(file: Path) -> str:
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()
