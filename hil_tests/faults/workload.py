"""The work of an outbox that the power is cut in: accepted, composed, confirmed and forgotten, by a seed.

`run` does it on a recorded disk and notes what was promised at which moment; `verify` opens what a power cut
left and says which promise was broken. It speaks only to the outbox's face.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path

from gateway.outbox import Outbox
from gateway.records import Event, Gap, Message, Reading
from hil_tests.faults.clock import FakeClock
from hil_tests.faults.disk import Disk
from hil_tests.faults.samples import Route, event, reading
from hil_tests.faults.sqlite import connecting

ROUTE = Route(max_delay=0.0)


@dataclass
class Promises:
    """What was said to be safe, each with the number of disk changes at which it was said."""

    events: list[tuple[int, str]] = field(default_factory=list)
    readings: list[tuple[int, int]] = field(default_factory=list)  # every reading below this number
    messages: list[tuple[int, Message]] = field(default_factory=list)


class Workload:
    """`operations` steps by `seed` in `folder`, which lies on `disk`."""

    def __init__(self, folder: Path, disk: Disk, seed: int) -> None:
        self._dice = random.Random(seed)
        self._disk = disk
        self._folder = folder
        self._clock = FakeClock()
        self._number = 0
        self._waiting: list[int] = []
        self.promises = Promises()

    def run(self, operations: int) -> None:
        """Work; a part of the operations is small, some are whole commits."""
        self._disk.recording = True
        self._outbox = self._opened()
        steps = [self._read] * 5 + [self._raise] * 3 + [self._flush] * 2 + [self._send] * 3 + [self._confirm] * 2
        for _ in range(operations):
            self._dice.choice([*steps, self._reopen] if self._dice.random() < 0.2 else steps)()
        self._outbox.close()
        self._disk.recording = False

    def _opened(self) -> Outbox:
        return Outbox(self._folder, self._clock, [ROUTE], connect=connecting(self._disk))

    def _now(self) -> int:
        return len(self._disk.changes)

    def _read(self) -> None:
        for _ in range(self._dice.randint(1, 20)):
            self._outbox.put_reading(reading(self._number))
            self._number += 1

    def _raise(self) -> None:
        name = f"event-{len(self.promises.events)}"
        self._outbox.accept_event(event(name), name)
        self.promises.events.append((self._now(), name))
        self.promises.readings.append((self._now(), self._number))  # a commit carries what waits

    def _flush(self) -> None:
        self._clock.now += self._dice.choice((1.0, 1.0, 30.0, 4000.0))
        self._outbox.flush()
        self.promises.readings.append((self._now(), self._number))

    def _send(self) -> None:
        made = self._outbox.next_messages(ROUTE.name, 8, 6)
        self.promises.messages += [(self._now(), message) for message in made]
        self._waiting += [message.seq for message in made]

    def _confirm(self) -> None:
        self._dice.shuffle(self._waiting)
        done, self._waiting = self._waiting[:3], self._waiting[3:]
        self._outbox.mark_delivered(ROUTE.name, done)

    def _reopen(self) -> None:
        self._outbox.close()
        self.promises.readings.append((self._now(), self._number))
        self._outbox = self._opened()
        self._waiting = self._outbox.undelivered(ROUTE.name)


def verify(folder: Path, promises: Promises, moment: int) -> str | None:
    """What is wrong with the outbox that the cut at change `moment` left in `folder`; None when nothing is.

    It is opened unaided by Debian's own sqlite3, everything promised before is there, what was numbered is
    sent again with the same bytes, and it goes on working.
    """
    clock = FakeClock()
    outbox = Outbox(folder, clock, [ROUTE])
    try:
        if outbox.repaired:
            return outbox.repaired
        outbox.accept_event(event("after"), "after")
        told = [message for at, message in promises.messages if at <= moment]
        return _records_missing(outbox, promises, moment) or _messages_changed(outbox, told)
    finally:
        outbox.close()


def _records_missing(outbox: Outbox, promises: Promises, moment: int) -> str | None:
    open_now = {found.event.id for found in outbox.open_events()}
    lost = [name for at, name in promises.events if at <= moment and name not in open_now]
    if lost or "after" not in open_now:
        return f"events accepted and not there: {lost or 'the one after the cut'}"
    readings = max((count for at, count in promises.readings if at <= moment), default=0)
    events = sum(at <= moment for at, _ in promises.events) + 1
    found = outbox.stats()
    if found.accepted < readings + events:
        return f"{found.accepted} records accepted, {readings} readings and {events} events promised"
    if found.accepted != found.delivered + found.queued + found.dropped or found.dropped:
        return f"the count does not add up: {found}"
    return None


def _messages_changed(outbox: Outbox, told: list[Message]) -> str | None:
    undelivered = set(outbox.undelivered(ROUTE.name))
    for message in told:
        again = outbox.message(ROUTE.name, message.seq) if message.seq in undelivered else None
        if again is not None and again != message:
            return f"message {message.seq} has changed"
        if message.seq in undelivered and again is None:
            return f"message {message.seq} cannot be sent again"
    highest = max((message.seq for message in told), default=0)
    for message in outbox.next_messages(ROUTE.name, 50, 50):
        if message.seq <= highest:
            return f"the number {message.seq} is given twice"
        if not all(isinstance(record, Reading | Event | Gap) for record in message.records):
            return f"message {message.seq} holds something else"
    return None
