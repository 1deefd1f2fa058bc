"""Faults of storage: B1 to B6 of docs/faults.md, a few runs of each; `gewu bench faults` runs as many as asked.

B7 and B8 are tested beside the outbox, B9 in `gateway/tests/test_backup.py`.
"""

import random
import threading
from pathlib import Path

import msgspec
import pytest

from gateway import doctor
from gateway.agent import Agent
from gateway.clock import SystemClock
from gateway.config import load
from gateway.errors import StoreError
from gateway.outbox import Outbox
from gateway.outbox.route import Keeping
from gateway.records import Event, Gap, Message, Reading, Value
from hil_tests.bench.faults import SICK
from hil_tests.faults.clock import FakeClock
from hil_tests.faults.disk import Disk, Failure, Kind
from hil_tests.faults.ledger import Ledger
from hil_tests.faults.samples import Route, event, reading
from hil_tests.faults.sick_disks import Sender, sick_for_a_while
from hil_tests.faults.sqlite import connecting

pytestmark = pytest.mark.integration
ROUTE = Route(max_delay=0.0)


@pytest.mark.parametrize(("case", "failure", "kinds"), SICK, ids=[case for case, *_ in SICK])
def test_a_disk_that_fails_for_a_while(memory: Path, case: str, failure: Failure, kinds: set[Kind]) -> None:
    """B1, B2, B3: no crash, no restart; while it fails it says so, afterwards every accepted record is there once."""
    ledger = Ledger()
    for seed in range(12):
        ledger += sick_for_a_while(memory / str(seed), seed, failure, kinds)
    assert ledger.clean(), ledger.troubles[:5]
    assert ledger.duplicates == 0
    assert any("struck" in where for where in ledger.kills)


def drained(outbox: Outbox) -> list[Message]:
    """Every message of the one uplink, each confirmed."""
    waiting = [outbox.message(ROUTE.name, seq) for seq in outbox.undelivered(ROUTE.name)]
    found = [message for message in waiting if message is not None]
    while made := list(outbox.next_messages(ROUTE.name, 100, 100)):
        found += made
        outbox.mark_delivered(ROUTE.name, [message.seq for message in made])
    return found


def test_read_only_for_hours(memory: Path) -> None:
    """B3: memory stays bounded, events wait at their sender; what readings it cost is announced to the last one."""
    disk, clock = Disk(), FakeClock()
    outbox = Outbox(memory, clock, [ROUTE], connect=connecting(disk))
    sender = Sender(outbox, clock)
    sender.step(0)
    disk.fail = lambda kind, _: "readonly" if kind != "read" else None
    for _ in range(11_000):
        outbox.put_reading(reading(sender.readings))
        sender.readings += 1
    sender.step(1)
    assert sender.refusals == 1
    assert outbox.trouble is not None
    disk.fail = None
    sender.step(2)
    messages = drained(outbox)
    outbox.close()
    disk.close()
    came = {int(r.values["number"]) for m in messages for r in m.records if isinstance(r, Reading)}
    told = [r for m in messages for r in m.records if isinstance(r, Gap) and r.stream == "readings"]
    announced = sum(gap.last - gap.first + 1 for gap in told)
    assert 0 < announced == sender.readings - len(came)
    assert {r.id for m in messages for r in m.records if isinstance(r, Event)} == {"event-0", "event-1", "event-2"}


def test_a_week_without_a_link(memory: Path) -> None:
    """B4: seven days of a device a minute and an event an hour; all of it comes, events first. Its memory and
    delays are measured by `gewu bench store` and `gewu bench uplink`."""
    clock = FakeClock()
    outbox = Outbox(memory, clock, [ROUTE])
    for minute in range(7 * 24 * 60):
        clock.now += 60
        outbox.put_reading(reading(minute))
        if minute % 60 == 0:
            outbox.accept_event(event(f"event-{minute}"), f"k{minute}")
        if minute % 500 == 0:
            outbox.flush()
    outbox.flush()
    messages = drained(outbox)
    outbox.close()
    first_reading = next(i for i, m in enumerate(messages) if isinstance(m.records[0], Reading))
    assert sum(isinstance(m.records[0], Event) for m in messages) == first_reading == 7 * 24
    came = [int(r.values["number"]) for m in messages for r in m.records if isinstance(r, Reading)]
    assert came == list(range(7 * 24 * 60))


def test_a_full_store_drops_in_order_and_tells(memory: Path) -> None:
    """B5: over its cap readings are thinned, then dropped, oldest first; no event is; what is missing is announced."""
    clock = FakeClock()
    keep = Keeping(max_bytes=1_000_000)
    outbox = Outbox(memory, clock, [ROUTE], keep)
    dice, total = random.Random(5), 0
    for round_number in range(20):
        for _ in range(1500):
            noise: dict[str, Value] = {f"v{index}": dice.random() for index in range(8)}
            taken = msgspec.structs.replace(reading(total, device=f"b{total % 40}"), values=noise, marks={})
            outbox.put_reading(taken)
            total += 1
        outbox.accept_event(event(f"event-{round_number}"), f"k{round_number}")
        clock.now += 30
        outbox.flush()
        while outbox.tend():
            clock.now += 1
    size = outbox.stats().bytes
    messages = drained(outbox)
    outbox.close()
    came = [n for m in messages for n in range(m.first, m.first + len(m.records)) if isinstance(m.records[0], Reading)]
    gaps = [r for m in messages for r in m.records if isinstance(r, Gap) and r.stream == "readings"]
    announced = {n for gap in gaps for n in range(gap.first, gap.last + 1)}
    assert announced, "nothing was dropped: the test is too small"
    assert not announced & set(came)
    assert announced | set(came) == set(range(1, total + 1))
    assert sum(isinstance(m.records[0], Event) for m in messages) == 20
    assert size < 2 * keep.max_bytes
    assert max(announced) < max(came)


def test_what_a_day_writes(memory: Path) -> None:
    """B6: 100 devices, 10 noisy values each, every 10 s: what SQLite writes in ten minutes is below 800 MB a day."""
    disk, clock = Disk(), FakeClock()
    outbox = Outbox(memory, clock, [ROUTE], connect=connecting(disk))
    before = disk.written
    for second in range(600):
        for device in range(10):
            number = second * 10 + device
            noise: dict[str, Value] = {
                f"v{index}": round((number * 7919 + index * 104_729) % 9973 / 100, 2) for index in range(10)
            }
            taken = Reading(
                device=f"b{number % 100}",
                at=1_795_000_000_000 + second * 1000,
                mono=second * 1000,
                clock="trusted",
                values=noise,
            )
            outbox.put_reading(taken)
        clock.now += 1
        outbox.flush()
        for message in outbox.next_messages(ROUTE.name, 4, 4):
            outbox.mark_delivered(ROUTE.name, [message.seq])
    written = disk.written - before
    outbox.close()
    disk.close()
    assert written * 144 < 800e6, f"{written * 144 / 1e6:.0f} MB a day"


def test_a_broken_disk_turns_health_red(tmp_path: Path) -> None:
    """B2: while the disk fails, health and doctor name it and still tell the rest; then all is well."""
    disk = Disk()
    config = tmp_path / "gewu.toml"
    config.write_text('[gateway]\nid = "a"\nsite = "s"\ndata_dir = "data"\n')
    agent, stop = Agent(load(config), SystemClock(), connecting(disk)), threading.Event()
    running = threading.Thread(target=agent.run, args=(stop,))
    running.start()
    try:
        agent.outbox.accept_event(event("before"), "before")
        disk.fail = lambda *_: "io"
        with pytest.raises(StoreError):
            agent.outbox.accept_event(event("during"), "during")
        health = agent.health()
        assert health["store"]["trouble"]
        findings = doctor.examine(agent.status(), health, 0)
        assert health["store"]["trouble"] in {finding.what for finding in findings}
        disk.fail = None
        agent.outbox.accept_event(event("during"), "during")
        health = agent.health()
        assert (health["store"]["trouble"], health["queue"]["accepted"]) == (None, 2)
    finally:
        disk.fail = None
        stop.set()
        running.join()
    disk.close()
