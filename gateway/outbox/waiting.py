"""What was handed to the outbox and is not committed yet: bounded, in memory, written with the next commit.

It does no input or output of its own beyond the SQL that its caller's transaction holds.
"""

import sqlite3
from collections import deque

import msgspec

from gateway.outbox import rows
from gateway.outbox.rows import EVENTS, READINGS
from gateway.records import Event, Gap, Note, OpenEvent, Reading

# While the disk refuses: 100 devices at one reading per 10 s fill the first in 1,000 s, at some 10 MB.
MOST_READINGS = 10_000
_NOTE = "note "


class Waiting:
    """Readings and events between acceptance and commit. Readings beyond the bound are dropped, oldest first."""

    def __init__(self) -> None:
        self.readings: deque[Reading] = deque()
        self.events: list[tuple[Event, str]] = []
        self.notes: dict[str, str] = {}
        self._dropped: Gap | None = None

    def __bool__(self) -> bool:
        return bool(self.readings or self.events or self.notes or self._dropped)

    def add_reading(self, reading: Reading) -> None:
        """Keep a reading; the oldest makes room when there is none, and is counted."""
        if len(self.readings) >= MOST_READINGS:
            gone = self.readings.popleft()
            before = self._dropped
            self._dropped = Gap(
                stream="readings",
                first=0,
                last=before.last + 1 if before else 0,
                start=before.start if before else gone.at,
                end=gone.at,
                reason="the store could not be written",
            )
        self.readings.append(reading)

    def add_event(self, event: Event, key: str) -> None:
        """Take an event into the next commit."""
        self.events.append((event, key))

    def give_back(self, event: Event, key: str) -> None:
        """The commit failed: the event is its sender's again, who will hand it in anew."""
        self.events.remove((event, key))

    def add_note(self, note: Note) -> None:
        """Take a note into the next commit."""
        self.notes[note.key] = note.text

    def write(self, connection: sqlite3.Connection, boot: int) -> None:
        """Number and insert everything; `committed` follows when the transaction is."""
        if self._dropped:
            start = rows.next_number(connection, READINGS)
            numbered = msgspec.structs.replace(self._dropped, first=start, last=start + self._dropped.last)
            rows.drop(connection, READINGS, numbered)
        if self.readings:
            start = rows.next_number(connection, READINGS)
            rows.insert(connection, (rows.as_row(READINGS, start + i, boot, r) for i, r in enumerate(self.readings)))
        if self.events:
            start = rows.next_number(connection, EVENTS)
            rows.insert(connection, (rows.as_row(EVENTS, start + i, boot, e) for i, (e, _) in enumerate(self.events)))
            for event, key in self.events:
                _open_or_clear(connection, event, key)
        for name, text in self.notes.items():
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_NOTE + name, text))

    def committed(self) -> None:
        """The transaction of `write` is committed: nothing waits any more."""
        self.readings.clear()
        self.events.clear()
        self.notes.clear()
        self._dropped = None


def _open_or_clear(connection: sqlite3.Connection, event: Event, key: str) -> None:
    if event.cleared is None:
        body = msgspec.json.encode(event)
        connection.execute("INSERT OR REPLACE INTO open_event VALUES (?, ?, ?)", (event.id, key, body))
    else:
        connection.execute("DELETE FROM open_event WHERE id = ?", (event.id,))


def is_open(connection: sqlite3.Connection, event: Event) -> bool:
    """Whether this event is committed as raised already: a failed commit may have reached the disk all the same."""
    found = connection.execute("SELECT 1 FROM open_event WHERE id = ?", (event.id,)).fetchone()
    return event.cleared is None and found is not None


def note_of(connection: sqlite3.Connection, key: str) -> str | None:
    """The committed note under `key`."""
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (_NOTE + key,)).fetchone()
    return None if found is None else str(found[0])


def open_events(connection: sqlite3.Connection) -> list[OpenEvent]:
    """The committed events that have not cleared."""
    return [
        OpenEvent(event=msgspec.json.decode(body, type=Event), key=key)
        for key, body in connection.execute("SELECT key, body FROM open_event ORDER BY id")
    ]
