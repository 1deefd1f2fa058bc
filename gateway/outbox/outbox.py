"""The face of the outbox: thread-safe, one connection behind one lock, every promise of docs/outbox.md.

Accepted means committed. It never talks to a network and never decides when to send; an uplink asks.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.intervals import Intervals
from gateway.outbox import database, facts, rows, stats
from gateway.outbox.database import Connect
from gateway.outbox.lane import MOST_READINGS, Lane, Pruned, Route, attach, forget_records
from gateway.outbox.rows import EVENTS, GAPS, NUMBERED, READINGS
from gateway.outbox.stats import Stats
from gateway.outbox.waiting import Waiting, is_open, open_events
from gateway.records import Event, Message, OpenEvent, Reading

_log = logging.getLogger(__name__)

COMMIT_EVERY_S = 0.8  # readings are group-committed; a power cut costs at most 1 s of them
_PRUNE_EVERY_S = 10.0
_GROUP = 2000  # as many readings are committed before their time
_REPEAT_LOG_S = 60.0
# A replay request names at most this many messages; a receiver asks for the rest when it has these.
MOST_RESENT = 1000
_ANNOUNCE_EVERY_S = 5.0
_MOST_ANNOUNCED = 20


class Keep(Protocol):
    """The keys of `[store]` that count here."""

    @property
    def replay_window(self) -> float:
        """Seconds for which a delivered message can be sent again."""
        ...


@dataclass(frozen=True)
class Keeping:
    """The defaults of `[store]`, contract section 2."""

    replay_window: float = 3600.0


_CONTRACT = Keeping()


class Outbox:
    """Readings and events on their way to every configured uplink.

    `routes` are the uplinks (their `name`, `acks`, `max_delay`); `keep` says how long a delivered message can
    still be sent again. Raises StoreError when `folder` cannot be used or a newer
    release wrote it. `connect` opens the database file, so that a test can hand in a sick one.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        routes: Sequence[Route],
        keep: Keep = _CONTRACT,
        connect: Connect = database.connect,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._routes = list(routes)
        self._window = keep.replay_window
        self._connect = connect
        self._lock = threading.RLock()
        self._waiting = Waiting()
        self._listeners: list[Callable[[], None]] = []
        self._lanes: dict[str, Lane] = {}
        self._connection: sqlite3.Connection | None = None
        self._prune_at = 0.0
        self._logged: tuple[str, float] = ("", 0.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self.epoch = ""
        self.repaired: str | None = None
        self.trouble: str | None = None
        self._open()

    # --- the life of it -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to commit readings in groups, at most 1 s apart, and to forget what is delivered."""
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
            self.flush()
        except StoreError as error:
            _log.error("%s Closing with %d readings uncommitted.", error, len(self._waiting.readings))
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
            if len(self._waiting.readings) >= _GROUP and self.trouble is None:
                self._commit_early()
            self._waiting.add_reading(reading)
            now = self._clock.monotonic()
            idle = [lane for lane in self._lanes.values() if lane.waiting_since is None]
            for lane in idle:
                lane.waiting_since = now
        if idle:
            self._wake()

    def accept_event(self, event: Event, key: str) -> None:
        """Commit an event, and whether it is now open, before returning.

        Raises StoreError when the disk refuses: the event is then not accepted, and its sender hands it in again.
        """
        with self._lock:
            with self._reading() as connection:
                if is_open(connection, event):
                    return
            self._waiting.add_event(event, key)
            try:
                self._commit()
            except StoreError:
                self._waiting.give_back(event, key)
                raise
        self._wake()

    def open_events(self) -> list[OpenEvent]:
        """Raised events that have not cleared, from this run and those before it."""
        with self._lock, self._reading() as connection:
            return open_events(connection)

    def flush(self) -> None:
        """Commit what waits, and forget what may go. Raises StoreError, keeping everything for the next try."""
        with self._lock:
            now = self._clock.monotonic()
            if self._waiting or any(lane.marks for lane in self._lanes.values()):
                self._commit()
            if now >= self._prune_at:
                self._prune(now)

    # --- small facts ----------------------------------------------------------------------------------

    def note(self, key: str) -> bytes | None:
        """The value noted under `key`, None when there is none. Raises StoreError."""
        with self._lock, self._reading() as connection:
            return facts.note(connection, key)

    def notes(self, prefix: str) -> dict[str, bytes]:
        """Every note whose key begins with `prefix`. Raises StoreError."""
        with self._lock, self._reading() as connection:
            return facts.notes(connection, prefix)

    def set_note(self, key: str, value: bytes | None) -> None:
        """Commit a note (None forgets it) before returning. Raises StoreError with nothing changed."""
        with self._lock, self._transaction() as connection:
            facts.set_note(connection, key, value)

    def append_audit(self, body: bytes) -> int:
        """Commit an entry of the hash-chained audit and return its number. Raises StoreError with nothing changed."""
        with self._lock, self._transaction() as connection:
            return facts.append(connection, self._clock.wall_ms(), body)

    def audit(self, first: int = 1) -> Iterator[facts.Entry]:
        """The entries of the audit from number `first` on, never holding up others long. Raises StoreError."""
        while batch := self._entries(first):
            yield from batch
            first = batch[-1].n + 1

    def _entries(self, first: int) -> list[facts.Entry]:
        with self._lock, self._reading() as connection:
            return facts.entries(connection, first, 500)

    def put_command(self, id: str, body: bytes) -> None:
        """Commit what became of a command, in place of what was kept of it before. Raises StoreError."""
        with self._lock, self._transaction() as connection:
            facts.put_command(connection, id, self._clock.wall_ms(), body)

    def command(self, id: str) -> bytes | None:
        """What is kept of the command `id`, None when nothing is. Raises StoreError."""
        with self._lock, self._reading() as connection:
            return facts.command(connection, id)

    def commands(self) -> list[tuple[str, bytes]]:
        """Every command kept, oldest first. Raises StoreError."""
        with self._lock, self._reading() as connection:
            return list(facts.commands(connection))

    def forget_commands(self, before_ms: int) -> int:
        """Forget the commands put before `before_ms` (Unix milliseconds); returns how many. Raises StoreError."""
        with self._lock, self._transaction() as connection:
            return facts.forget_commands(connection, before_ms)

    # --- sending --------------------------------------------------------------------------------------

    def next_messages(self, uplink: str, room: int, bulk: int) -> list[Message]:
        """Up to `room` new messages, numbered and committed: events first, then at most `bulk` of the rest.

        Readings come when a message is full or one of them has waited `max_delay`. Raises StoreError.
        """
        with self._lock:
            self._ready()  # opening anew also makes new lanes
            lane = self._lanes[uplink]
            due = bulk > 0 and self._due(lane)
            if room <= 0 or not self._has_work(lane, bulk, due):
                return []
            with self._transaction() as connection:
                made = lane.compose(connection, self.epoch, self._clock.wall_ms(), room, bulk, due)
                following = rows.next_number(connection, READINGS)
            lane.composed(made)
            if lane.cursor[READINGS] >= following:
                lane.waiting_since = None
            return [message for message, _ in made]

    def due_in(self, uplink: str) -> float | None:
        """Seconds until a waiting reading must leave; None when none waits."""
        with self._lock:
            lane = self._lanes[uplink]
            if lane.waiting_since is None:
                return None
            return max(0.0, lane.waiting_since + lane.max_delay - self._clock.monotonic())

    def undelivered(self, uplink: str) -> list[int]:
        """The numbers of messages without a confirmation, events first: to be sent after a reconnect."""
        with self._lock:
            spans = self._lanes[uplink].undelivered
            return sorted(spans, key=lambda seq: (spans[seq].stream != EVENTS, seq))

    def message(self, uplink: str, seq: int) -> Message | None:
        """Message `seq` exactly as first composed; None when it is no longer kept. Raises StoreError."""
        with self._lock:
            self._ready()
            lane = self._lanes[uplink]
            # A transaction, because a row that turns out unreadable is set aside.
            with self._transaction() as connection:
                found = lane.rebuild(connection, self.epoch, seq)
                voided = found is None and seq in lane.undelivered
                if voided:
                    lane.void(connection, seq, self._clock.wall_ms())
            if voided:
                lane.deliver({seq})
            return found

    def mark_delivered(self, uplink: str, seqs: Sequence[int]) -> None:
        """The broker has confirmed these; written with the next commit, at most 1 s later."""
        with self._lock:
            lane = self._lanes[uplink]
            lane.deliver(set(seqs))
            lane.settle(self._clock.monotonic())

    def set_aside(self, uplink: str, seq: int, reason: str) -> None:
        """Give up a message that its receiver's broker will never take: gaps announce it. Raises StoreError."""
        with self._lock:
            lane = self._lanes[uplink]
            if seq not in lane.undelivered:
                return
            with self._transaction() as connection:
                lane.void(connection, seq, self._clock.wall_ms(), reason)
            lane.deliver({seq})
        self._wake()

    def acknowledge(self, uplink: str, epoch: str, upto: int) -> int | None:
        """The receiver has everything up to `upto`; returns how many messages that settles.

        None when the acknowledgement is not ours: another epoch, or a number that was never given.
        """
        with self._lock:
            lane = self._lanes[uplink]
            if epoch != self.epoch or not 0 <= upto < lane.next_seq:
                return None
            return lane.deliver({seq for seq in lane.undelivered if seq <= upto})

    def resend(self, uplink: str, epoch: str, first: int, last: int) -> list[int]:
        """The numbers of first..last (at most 1000) that can be sent again.

        The others are announced as a gap of the stream "messages", so that the receiver stops waiting.
        Raises StoreError.
        """
        with self._lock:
            lane = self._lanes[uplink]
            last = min(last, lane.next_seq - 1, first + MOST_RESENT - 1)
            if epoch != self.epoch or first < 1 or last < first:
                return []
            with self._reading() as connection:
                kept = lane.kept(connection, first, last)
            gone = Intervals([(seq, seq) for seq in [*kept, last + 1]]).holes(first)[:_MOST_ANNOUNCED]
            now = self._clock.monotonic()
            if gone and now - lane.announced_at >= _ANNOUNCE_EVERY_S:
                with self._transaction() as connection:
                    for a, b in gone:
                        lane.announce(connection, "messages", a, b, self._clock.wall_ms(), "no longer kept")
                lane.announced_at = now
            return kept

    # --- looking --------------------------------------------------------------------------------------

    def stats(self) -> Stats:
        """Counts of committed records; accepted = delivered + queued + dropped. Raises StoreError."""
        with self._lock, self._reading() as connection:
            return stats.measure(connection, list(self._lanes.values()), self._folder)

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

    def _batch(self, stream: int, first: int) -> list[tuple[int, bytes]]:
        with self._lock, self._reading() as connection:
            return list(rows.dump(connection, stream, first, 1000))

    # --- inside ---------------------------------------------------------------------------------------

    def _due(self, lane: Lane) -> bool:
        return lane.waiting_since is not None and self._clock.monotonic() >= lane.waiting_since + lane.max_delay

    def _has_work(self, lane: Lane, bulk: int, due: bool) -> bool:
        """Whether composing could yield something: an idle look must not cost a commit."""
        if self._waiting.events or due:
            return True
        with self._reading() as connection:
            if lane.cursor[EVENTS] < rows.next_number(connection, EVENTS):
                return True
            backlog = rows.next_number(connection, READINGS) - lane.cursor[READINGS] + len(self._waiting.readings)
            return bulk > 0 and (backlog >= MOST_READINGS or bool(rows.gaps(connection, lane.id, lane.cursor[GAPS], 1)))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for reading. Raises StoreError."""
        connection = self._ready()
        try:
            yield connection
        except sqlite3.Error as error:
            self._roll_back(connection, error)
            raise self._failed(error) from error

    def _commit_early(self) -> None:
        """A burst must not push its own head out of the bounded memory."""
        try:
            self._commit()
        except StoreError as error:
            self._complain(str(error))  # kept; the committing thread goes on trying

    def _commit(self) -> None:
        with self._transaction():
            pass  # what waits is part of every transaction

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A commit: what waits is always part of it. Raises StoreError with nothing changed."""
        connection = self._ready()
        lanes = list(self._lanes.values())
        written = {lane.id: set(lane.marks) for lane in lanes}
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._waiting.write(connection, self._boot)
            for lane in lanes:
                connection.executemany(
                    "UPDATE message SET delivered = 1 WHERE uplink = ? AND seq = ?",
                    [(lane.id, seq) for seq in written[lane.id]],
                )
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back(connection, error)
            if isinstance(error, sqlite3.Error):
                raise self._failed(error) from error
            raise
        self._waiting.committed()
        for lane in lanes:
            lane.marks -= written[lane.id]
        self.trouble = None

    def _roll_back(self, connection: sqlite3.Connection, error: BaseException) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # the first error says more; the connection is thrown away below
        if isinstance(error, sqlite3.Error) and not database.is_full(error):
            # After a failed read or sync nothing is assumed clean: the next use opens and checks anew.
            connection.close()
            self._connection = None

    def _failed(self, error: sqlite3.Error) -> StoreError:
        self.trouble = database.sentence(self._folder / database.FILE_NAME, error)
        return StoreError(self.trouble)

    def _ready(self) -> sqlite3.Connection:
        if self._connection is None:
            self._open()
        assert self._connection is not None
        return self._connection

    def _open(self) -> None:
        """Open (or open again) the database and read where every uplink stands."""
        connection, repaired = database.open_database(self._folder, self._connect)
        before = self._lanes
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT OR IGNORE INTO boot (name) VALUES (?)", (self._clock.boot,))
            self._boot = connection.execute("SELECT id FROM boot WHERE name = ?", (self._clock.boot,)).fetchone()[0]
            self.epoch = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]
            now = self._clock.monotonic()
            ids = attach(connection, [route.name for route in self._routes], self._clock.wall_ms())
            lanes = {r.name: Lane(connection, ids[r.name], r.acks, r.max_delay, now) for r in self._routes}
            following = rows.next_number(connection, READINGS)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            connection.close()
            raise self._failed(error) from error
        for name, lane in lanes.items():
            if lane.cursor[READINGS] < following or self._waiting.readings:
                lane.waiting_since = now - lane.max_delay  # a backlog waits for nobody
            if name in before and not repaired:
                lane.deliver(before[name].marks)
        self._lanes = lanes
        self._connection = connection
        self.repaired = repaired or self.repaired

    def _prune(self, now: float) -> None:
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.settle(now)
        if not lanes:
            return
        steps: dict[int, Pruned] = {}
        with self._transaction() as connection:
            for lane in lanes:
                step = lane.prune(connection, now, self._window)
                if step is not None:
                    steps[lane.id] = step
            more = forget_records(connection, lanes, steps)
        for lane in lanes:
            if lane.id in steps:
                lane.pruned(steps[lane.id])
        if not (more or steps):
            self._prune_at = now + _PRUNE_EVERY_S

    def _run(self) -> None:
        while not self._clock.wait(self._stop, COMMIT_EVERY_S):
            try:
                self.flush()
            except StoreError as error:
                self._complain(str(error))

    def _complain(self, sentence: str) -> None:
        said, when = self._logged
        now = self._clock.monotonic()
        if sentence != said or now - when >= _REPEAT_LOG_S:
            self._logged = (sentence, now)
            _log.error("%s", sentence)

    def _wake(self) -> None:
        for wake in self._listeners:
            wake()
