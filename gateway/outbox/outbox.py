"""The face of the outbox: thread-safe, one connection behind one lock, every promise of docs/outbox.md.

Accepted means committed. It never talks to a network and never decides when to send; an uplink asks.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.outbox import database, facts, open_events, readings, rows, snapshot, stats
from gateway.outbox.database import Connect
from gateway.outbox.route import Keep, Keeping, Route
from gateway.outbox.stats import Queue, Stats
from gateway.outbox.streams import NUMBERED, READINGS
from gateway.outbox.upkeep import Upkeep
from gateway.records import Event, Note, OpenEvent, Reading

_log = logging.getLogger(__name__)

# Readings are group-committed at this age; a power cut costs at most 1 s of them.
COMMIT_AT_S = 0.93
_LATEST_S = 0.97  # when an uplink composes a message by then, its commit carries them
_GROUP = 2000  # as many readings are committed before their time
_REPEAT_LOG_S = 60.0
_SHORTEST_S = 0.02
_ASIDE_S = 0.002  # between two steps of a snapshot: whoever waits gets the lock
_CONTRACT = Keeping()


class Outbox(Upkeep):
    """Readings and events on their way to every configured uplink.

    `routes` are the uplinks; `keep` says how much may be kept, and how long a delivered message can still be sent
    again. Raises StoreError when `folder` cannot be used or a newer release wrote it. `connect` opens the database
    file, so that a test can hand in a sick one.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        routes: Sequence[Route],
        keep: Keep = _CONTRACT,
        connect: Connect = database.connect,
    ) -> None:
        super().__init__(folder, clock, routes, keep, connect)
        self._logged: tuple[str, float] = ("", 0.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    # --- the life of it -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to commit readings in groups, at most 1 s apart, and to tend what is kept."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether the committing thread runs."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Commit what waits and close. Raises nothing: what could not be written is logged."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            self.commit()
        except StoreError as error:
            _log.error("%s Closing with %d readings uncommitted.", error, self._waiting.count)
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` (from any thread, quick and without locks) when there may be something to send."""
        self._listeners.append(wake)

    # --- accepting ------------------------------------------------------------------------------------

    def put_reading(self, reading: Reading) -> None:
        """Accept a reading; it is committed, and only then has a number, within a second."""
        with self._lock:
            if self._waiting.count >= _GROUP and self.trouble is None:
                self._commit_early()
            now = self._clock.monotonic()
            self._waiting.add_reading(reading, now)
            self._times.saw(reading, reading.at - reading.mono)
            idle = [lane for lane in self._lanes.values() if lane.waiting_since is None]
            for lane in idle:
                lane.waiting_since = now
        if idle:
            self._wake()

    def accept_event(self, event: Event, key: str) -> None:
        """Commit one event: see `accept_events`."""
        self.accept_events([OpenEvent(event=event, key=key)])

    def accept_events(self, records: Sequence[OpenEvent], note: Note | None = None) -> None:
        """Commit events and whether each is now open, and what their sender notes with them, before returning.

        All or nothing. Raises StoreError when the disk refuses: they are then not accepted, and their sender hands
        them in again; that is harmless where the failed commit reached the disk all the same.
        """
        with self._lock:
            with self._reading() as connection:
                if note is not None and facts.note(connection, note.key) == note.text.encode():
                    return
                unknown = [record for record in records if not self._waiting.is_in(connection, record.event)]
                ahead = self._clock.wall_ms() - self._clock.mono_ms()
                fresh = [
                    (open_events.as_it_began(connection, one.event, self._boot, ahead), one.key) for one in unknown
                ]
            for event, key in fresh:
                self._waiting.add_event(event, key)
                self._times.saw(event, ahead)
            if note is not None:
                self._waiting.add_note(note)
            if not fresh and note is None:
                return
            try:
                self._critical()  # what waits is part of every transaction
            except StoreError:
                for event, key in fresh:
                    self._waiting.give_back(event, key)
                if note is not None:
                    self._waiting.notes.pop(note.key, None)
                raise
        self._wake()

    def keep_note(self, note: Note) -> None:
        """Commit a note within a second."""
        with self._lock:
            self._waiting.add_note(note)

    def open_events(self) -> list[OpenEvent]:
        """Raised events that have not cleared, from this run and those before it."""
        with self._lock, self._reading() as connection:
            return open_events.listed(connection)

    def commit(self) -> None:
        """Commit what waits. Raises StoreError, keeping everything for the next try."""
        with self._lock:
            if self._waiting or any(lane.marks for lane in self._lanes.values()):
                self._write()  # what waits is part of every transaction

    def flush(self) -> None:
        """Commit what waits, and one step of tending. Raises StoreError, keeping everything for the next try."""
        self.commit()
        self._tend()

    def tend(self) -> bool:
        """One step of packing, forgetting or making room; True when there may be more. Raises StoreError."""
        return self._tend()

    # --- looking --------------------------------------------------------------------------------------

    def stats(self) -> Stats:
        """Counts of committed records; accepted = delivered + queued + dropped. Raises StoreError."""
        with self._lock, self._reading() as connection:
            return stats.measure(connection, list(self._lanes.values()), self._folder)

    def queues(self) -> dict[str, Queue]:
        """What waits for each uplink and sink, by its name. Raises StoreError."""
        with self._lock, self._reading() as connection:
            return {name: stats.queue(connection, [lane]) for name, lane in self._lanes.items()}

    def export(self, file: Path) -> int:
        """Write every kept record to `file` as JSON lines and return their number, never holding up others long."""
        count = 0
        with file.open("wb") as out:
            for stream in NUMBERED:
                first = 1
                while batch := self._batch(stream, first):
                    out.writelines(line + b"\n" for _, line in batch)
                    count += len(batch)
                    first = batch[-1][0] + 1
        return count

    def snapshot(self, file: Path) -> None:
        """Copy the database, whole at one moment, to the new `file` while others go on. Raises StoreError."""
        with self._lock, self._reading() as connection:

            def between() -> None:
                self._lock.release()
                time.sleep(_ASIDE_S)
                self._lock.acquire()
                if self._connection is not connection:
                    raise StoreError("The outbox failed while it was copied: make the backup again.")

            snapshot.copy(connection, file, between)

    def _batch(self, stream: int, first: int) -> list[tuple[int, bytes]]:
        with self._lock, self._reading() as connection:
            dump = readings.dump(connection, first, 1000) if stream == READINGS else None
            return list(dump if dump is not None else rows.dump(connection, stream, first, 1000))

    # --- inside ---------------------------------------------------------------------------------------

    def _commit_early(self) -> None:
        """A burst must not push its own head out of the bounded memory."""
        try:
            self._write()
        except StoreError as error:
            self._complain(str(error))  # kept; the committing thread goes on trying

    def step(self) -> None:
        """What the committing thread does each time that `pause` is over."""
        try:
            with self._lock:
                if self._marks_wait():
                    self.commit()
                elif self._waiting and self.pause() <= _SHORTEST_S:
                    with self._transaction(with_marks=False):
                        pass  # what waits is part of every transaction
            self._tend()
        except StoreError as error:
            self._complain(str(error))
            self._give_way()
            self._clock.wait(self._stop, COMMIT_AT_S)

    def pause(self) -> float:
        """Seconds until the readings that wait must be committed; an uplink may do it shortly before."""
        with self._lock:
            if self._waiting.since is None:
                return COMMIT_AT_S
            at, latest = self._waiting.since + COMMIT_AT_S, self._waiting.since + _LATEST_S
            due = [due for lane in self._lanes.values() if (due := self._due_at(lane)) is not None]
            at = max([at, *(when + _SHORTEST_S for when in due if at <= when + _SHORTEST_S <= latest)])
            return max(_SHORTEST_S, at - self._clock.monotonic())

    def _run(self) -> None:
        while not self._clock.wait(self._stop, self.pause()):
            self.step()

    def _complain(self, sentence: str) -> None:
        said, when = self._logged
        now = self._clock.monotonic()
        if sentence != said or now - when >= _REPEAT_LOG_S:
            self._logged = (sentence, now)
            _log.error("%s", sentence)
