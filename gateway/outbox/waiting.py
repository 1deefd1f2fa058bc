"""What was handed to the outbox and is not committed yet: bounded, in memory, written with the next commit.

It does no input or output of its own beyond the SQL that its caller's transaction holds. After a commit that failed
nobody knows whether it reached the disk all the same; what it held is remembered until the database is open again.
"""

import sqlite3
from collections import deque

import msgspec

from gateway.outbox import blocks, facts, gaps, open_events, readings, rows
from gateway.outbox.blocks import AS_COMMITTED, MOST_IN_GROUP, Packed
from gateway.outbox.streams import EVENTS, READINGS
from gateway.records import Event, Gap, Note, Reading

# While the disk refuses: 100 devices at one reading per 10 s fill this in 1,000 s. Packed, that is well below 1 MB.
MOST_READINGS = 10_000
_DOUBTED_EVENTS = 64  # so many of the last events are looked through for one whose commit failed


class Waiting:
    """Readings and events between acceptance and commit. Readings beyond the bound are dropped, oldest first."""

    def __init__(self) -> None:
        self.events: list[tuple[Event, str]] = []
        self.notes: dict[str, str] = {}
        self.count = 0  # of readings
        self.since: float | None = None  # when the oldest reading came, in monotonic seconds
        # The next numbers by stream, as committed and with what the open transaction holds; else the database knows.
        self._next: dict[int, int] = {}
        self._next_then: dict[int, int] = {}
        self._groups: deque[Packed] = deque()
        self._open: list[Reading] = []
        self._dropped: Gap | None = None
        self._written: tuple[int, int, bytes] | None = None  # groups, and number and body of the first
        self._doubted: dict[tuple[str, int | None], Event] = {}

    def __bool__(self) -> bool:
        return bool(self.count or self.events or self.notes or self._dropped)

    def add_reading(self, reading: Reading, now: float) -> None:
        """Keep a reading; the oldest group makes room when there is none, and is counted."""
        if self.since is None:
            self.since = now
        if self.count >= MOST_READINGS:
            self._drop(self._groups.popleft())
        self._open.append(rows.clean(reading))
        self.count += 1
        if len(self._open) == MOST_IN_GROUP:
            self._seal(quickly=True)

    def _seal(self, quickly: bool) -> None:
        self._groups.append(blocks.packed(self._open, quickly))
        self._open.clear()

    def _drop(self, gone: Packed) -> None:
        before = self._dropped
        self._dropped = Gap(
            stream="readings",
            first=0,
            last=(before.last + 1 if before else 0) + gone.size - 1,
            start=min(before.start, gone.start) if before else gone.start,
            end=max(before.end, gone.end) if before else gone.end,
            reason="the store could not be written",
        )
        self.count -= gone.size
        if self._written is not None:
            count, number, _ = self._written
            rest = self._groups and count > 1
            self._written = (count - 1, number + gone.size, self._groups[0].body) if rest else None

    def add_event(self, event: Event, key: str) -> None:
        """Take an event into the next commit."""
        self.events.append((event, key))

    def give_back(self, event: Event, key: str) -> None:
        """The commit failed: the event is its sender's again, who will hand it in anew."""
        self.events.remove((event, key))
        self._doubted[event.id, event.cleared] = event

    def add_note(self, note: Note) -> None:
        """Take a note into the next commit."""
        self.notes[note.key] = note.text

    def is_in(self, connection: sqlite3.Connection, event: Event) -> bool:
        """Whether this event is committed already: a commit that failed may have reached the disk all the same."""
        if event.cleared is None:
            return connection.execute("SELECT 1 FROM open_event WHERE id = ?", (event.id,)).fetchone() is not None
        written = self._doubted.pop((event.id, event.cleared), None)
        if written is None:
            return False
        start = rows.next_number(connection, EVENTS) - _DOUBTED_EVENTS
        found = connection.execute(
            "SELECT 1 FROM record WHERE stream = ? AND n >= ? AND body = ?",
            (EVENTS, start, rows.as_row(0, 0, written)[-1]),
        )
        return found.fetchone() is not None

    def next_number(self, connection: sqlite3.Connection, stream: int) -> int:
        """The number that the next committed reading or event gets; the database is asked once."""
        found = self._next.get(stream)
        if found is None:
            reckon = readings.next_number(connection) if stream == READINGS else rows.next_number(connection, stream)
            found = self._next[stream] = reckon
        return found

    def write(
        self, connection: sqlite3.Connection, boot: int, *, with_readings: bool = True, quickly: bool = True
    ) -> None:
        """Number and insert everything (or the events alone); `committed` follows when the transaction is.

        `quickly` spares the processor, else the disk is spared.
        """
        self._written = None
        self._next_then = {}
        if with_readings and (self.count or self._dropped):
            self._write_readings(connection, boot, quickly)
        if self.events:
            start = self.next_number(connection, EVENTS)
            self._next_then[EVENTS] = start + len(self.events)
            rows.insert(connection, (rows.as_row(start + i, boot, e) for i, (e, _) in enumerate(self.events)))
            for event, key in self.events:
                open_events.keep_or_forget(connection, event, key, boot)
        for name, text in self.notes.items():
            facts.set_note(connection, name, text.encode())

    def _write_readings(self, connection: sqlite3.Connection, boot: int, quickly: bool) -> None:
        if self._open:
            self._seal(quickly)
        number = self.next_number(connection, READINGS)
        if self._dropped:
            last = number + self._dropped.last
            gaps.drop(connection, READINGS, msgspec.structs.replace(self._dropped, first=number, last=last))
            number = last + 1
        if self._groups:
            self._written = len(self._groups), number, self._groups[0].body
        for group in self._groups:
            blocks.insert(connection, number, boot, group, AS_COMMITTED)
            number += group.size
        self._next_then[READINGS] = number

    def committed(self, with_readings: bool = True) -> None:
        """The transaction of `write` is committed: nothing waits any more."""
        self._next |= self._next_then
        self._next_then = {}
        self.events.clear()
        self.notes.clear()
        if with_readings:
            self._groups.clear()
            self.count, self.since, self._dropped = 0, None, None
        self._written = None

    def settle(self, connection: sqlite3.Connection) -> None:
        """The database is opened: what reached the disk in a commit that failed all the same waits no more."""
        self._next, self._next_then = {}, {}
        if self._written is None:
            return
        count, number, body = self._written
        self._written = None
        found = connection.execute("SELECT body FROM block WHERE first = ?", (number,)).fetchone()
        if found is None or found[0] != body:
            return
        for _ in range(count):
            self.count -= self._groups.popleft().size
        self._dropped = None
        self.since = None if not self.count else self.since
