"""Trials of a disk that fails for a while: full (B1), broken on read, write or sync (B2), read-only (B3).

The gateway's side is a sender that does what the poller does: a refused event is handed in again, a reading
is left to the outbox. Afterwards everything is taken out through an uplink's lane and compared.
"""

import random
from collections.abc import Callable
from pathlib import Path

from gateway.errors import StoreError
from gateway.outbox import Outbox
from gateway.records import Event, Gap, Reading
from hil_tests.faults.clock import FakeClock
from hil_tests.faults.disk import Disk, Failure, Kind
from hil_tests.faults.ledger import Ledger
from hil_tests.faults.samples import Route, event, reading
from hil_tests.faults.sqlite import connecting

ROUTE = Route(max_delay=0.0)
DAMAGE_BYTES = 4096
_STEPS = 60


class Sender:
    """Hands records in; `events` are those that the outbox has taken, `readings` all that it was given."""

    def __init__(self, outbox: Outbox, clock: FakeClock) -> None:
        self.outbox = outbox
        self.events: list[str] = []
        self.readings = 0
        self.refusals = 0
        self.most_waiting = 0
        self._again: list[str] = []
        self._clock = clock

    def step(self, number: int) -> None:
        """Some readings, an event, a second passes; what the outbox refuses is kept for the next step."""
        for _ in range(3):
            self.outbox.put_reading(reading(self.readings))
            self.readings += 1
        self._again.append(f"event-{number}")
        self._clock.now += 1.0
        try:
            while self._again:
                self.outbox.accept_event(event(self._again[0]), self._again[0])
                self.events.append(self._again.pop(0))
            self.outbox.flush()
            for message in self.outbox.next_messages(ROUTE.name, 2, 1):
                self.outbox.message(ROUTE.name, message.seq)
        except StoreError:
            self.refusals += 1
            self.most_waiting = max(self.most_waiting, len(self._again))


def failing(
    failure: Failure, kinds: set[Kind], first: int, last: int
) -> tuple[Callable[[Kind, str], Failure | None], Callable[[], int]]:
    """A plan by which operations number `first` to `last` of `kinds` fail; and how many have."""
    count = failed = 0

    def plan(kind: Kind, _file: str) -> Failure | None:
        nonlocal count, failed
        if kind not in kinds:
            return None
        count += 1
        if not first <= count <= last:
            return None
        failed += 1
        return failure

    return plan, lambda: failed


def sick_for_a_while(folder: Path, seed: int, failure: Failure, kinds: set[Kind]) -> Ledger:
    """The disk fails from a seeded operation on, for a seeded while; nothing that was accepted is gone afterwards."""
    dice = random.Random(seed)
    disk, clock = Disk(), FakeClock()
    outbox = Outbox(folder, clock, [ROUTE], connect=connecting(disk))
    sender = Sender(outbox, clock)
    sender.step(0)
    first = dice.randint(1, 100)
    disk.fail, failures = failing(failure, kinds, first, first + dice.choice((0, 0, 3, 40)))
    ledger = Ledger(runs=1)
    for number in range(1, _STEPS):
        sender.step(number)
        if sender.refusals and outbox.trouble is None and failures() == 0:
            ledger.troubles.append(f"seed {seed}: a refusal without a failure")
    disk.fail = None
    sender.step(_STEPS)
    if outbox.trouble is not None:
        ledger.troubles.append(f"seed {seed}: still in trouble on a sound disk: {outbox.trouble}")
    events, numbers = taken_out(outbox)
    outbox.close()
    disk.close()
    ledger.kills[f"{failure} on {'/'.join(sorted(kinds))}: {'struck' if failures() else 'not reached'}"] += 1
    ledger.accepted = len(sender.events) + sender.readings
    ledger.duplicates = len(numbers) - len(set(numbers)) + len(events) - len(set(events))
    ledger.lost = len(set(sender.events) - set(events)) + sender.readings - len(set(numbers))
    if ledger.lost:
        gone = sorted(set(range(sender.readings)) - set(numbers))[:5], sorted(set(sender.events) - set(events))[:5]
        ledger.troubles.append(f"seed {seed}, {failure} on {kinds}: lost {gone}")
    return ledger


def taken_out(outbox: Outbox) -> tuple[list[str], list[int]]:
    """Every event's id and every reading's number that the outbox delivers, by its own numbers without a hole."""
    events: list[str] = []
    numbers: list[int] = []
    again = [outbox.message(ROUTE.name, seq) for seq in outbox.undelivered(ROUTE.name)]
    again += outbox.next_messages(ROUTE.name, 100, 100)
    while again:
        for message in again:
            for record in message.records if message else ():
                if isinstance(record, Event):
                    events.append(record.id)
                elif isinstance(record, Reading):
                    numbers.append(int(record.values["number"]))
                elif isinstance(record, Gap):
                    continue  # announced: the caller counts what did not come
        outbox.mark_delivered(ROUTE.name, [message.seq for message in again if message])
        again = list(outbox.next_messages(ROUTE.name, 100, 100))
    return events, numbers
