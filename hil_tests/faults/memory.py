"""A store that remembers and writes nothing: what a poller handed over, for a test to look at."""

from collections.abc import Sequence

from gateway.bus.sink import Sink
from gateway.records import Event, Note, OpenEvent, Reading


class Memory(Sink):
    """A store that remembers."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.events: list[Event] = []
        self.notes: dict[str, str] = {}

    def put_reading(self, reading: Reading) -> None:
        self.readings.append(reading)

    def accept_events(self, records: Sequence[OpenEvent], note: Note | None = None) -> None:
        self.events += [record.event for record in records]
        if note is not None:
            self.keep_note(note)

    def keep_note(self, note: Note) -> None:
        self.notes[note.key] = note.text

    def note(self, key: str) -> bytes | None:
        noted = self.notes.get(key)
        return None if noted is None else noted.encode()

    def open_events(self) -> list[OpenEvent]:
        return []
