"""What everything in the outbox stands on: the one connection behind one lock, and transactions that carry what waits.

A commit that fails changes nothing in memory; after a failed read or sync the database is opened and checked anew.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gateway import points
from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.outbox import database, quota, readings
from gateway.outbox.database import Connect
from gateway.outbox.forgetting import attach
from gateway.outbox.lane import Lane
from gateway.outbox.reserve import Reserve
from gateway.outbox.route import Keep, Route
from gateway.outbox.streams import READINGS
from gateway.outbox.times import Times
from gateway.outbox.waiting import Waiting

# Confirmations wait for a commit that writes their page anyway, that of the next message; but no longer than this.
_MOST_MARKS = 8
_MARKS_WAIT_S = 5.0
# Commits that follow one another faster than this are made with little work, the others with few bytes.
_OFTEN_S = 0.5

_Marks = Sequence[tuple[Lane, tuple[int, ...]]]


class Ground:
    """The database of one folder, opened; see `Outbox` for its arguments. Raises StoreError."""

    def __init__(self, folder: Path, clock: Clock, routes: Sequence[Route], keep: Keep, connect: Connect) -> None:
        self._folder = folder
        self._clock = clock
        self._routes = list(routes)
        self._keep = keep
        self._connect = connect
        self._lock = threading.RLock()
        self._waiting = Waiting()
        self._times = Times()
        self._listeners: list[Callable[[], None]] = []
        self._sheds: list[Callable[[int], int]] = []
        self._lanes: dict[str, Lane] = {}
        self._connection: sqlite3.Connection | None = None
        self._failed_by: sqlite3.Error | None = None
        self._reserve = Reserve(folder, keep.max_bytes)
        self._boot = 0
        self._marked_at = self._committed_at = clock.monotonic()
        self.counts = dict.fromkeys(
            (
                *("commits", "commit_failures", "reserve_released", "bytes_shed"),
                *("blocks_packed", "readings_thinned", "readings_dropped"),
            ),
            0,
        )
        self.epoch = ""
        self.repaired: str | None = None
        self.trouble: str | None = None
        self._open()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for reading. Raises StoreError."""
        connection = self._ready()
        try:
            yield connection
        except sqlite3.Error as error:
            self._roll_back(connection, error)
            raise self._failed(error) from error

    @contextmanager
    def _transaction(self, *, with_marks: bool = True) -> Iterator[sqlite3.Connection]:
        """A commit: what waits is always part of it. Raises StoreError with nothing changed."""
        connection = self._ready()
        try:
            marks = self._begin(connection, with_readings=True, with_marks=with_marks)
            yield connection
            self._commit(connection)
        except BaseException as error:
            self._give_up(connection, error)
            raise
        self._committed(marks, with_readings=True, with_marks=with_marks)

    def _write(self, work: Callable[[sqlite3.Connection], None] | None = None, *, with_readings: bool = True) -> None:
        """As `_transaction`, around a function: the way of every group of readings, and spared what it can be."""
        connection = self._ready()
        try:
            marks = self._begin(connection, with_readings=with_readings, with_marks=True)
            if work is not None:
                work(connection)
            self._commit(connection)
        except BaseException as error:
            self._give_up(connection, error)
            raise
        self._committed(marks, with_readings=with_readings, with_marks=True)

    def _critical(self, work: Callable[[sqlite3.Connection], None] | None = None) -> None:
        """Commit `work`, and the events that wait; on a full disk the reserve makes room, and readings stay behind.

        `work` may be called twice. Raises StoreError with nothing changed.
        """
        try:
            self._write(work)
        except StoreError:
            if self._failed_by is None or not database.is_full(self._failed_by):
                raise
            if self._reserve.release():
                self.counts["reserve_released"] += 1
            trouble = self.trouble
            self._write(work, with_readings=False)
            self.trouble = trouble  # the disk is still full

    def _begin(self, connection: sqlite3.Connection, *, with_readings: bool, with_marks: bool) -> _Marks:
        """Begin a transaction with what waits; returns the confirmations in it."""
        marks = [(lane, tuple(lane.marks)) for lane in self._lanes.values() if lane.marks] if with_marks else []
        connection.execute("BEGIN IMMEDIATE")
        quickly = self._clock.monotonic() - self._committed_at < _OFTEN_S
        self._waiting.write(connection, self._boot, with_readings=with_readings, quickly=quickly)
        self._times.write(connection, self._boot, self._clock.boot)
        for lane, seqs in marks:
            connection.executemany(
                "UPDATE message SET delivered = 1 WHERE uplink = ? AND seq = ?", [(lane.id, seq) for seq in seqs]
            )
        points.reach("insert")
        return marks

    def _commit(self, connection: sqlite3.Connection) -> None:
        points.reach("commit.before")
        connection.execute("COMMIT")

    def _committed(self, marks: _Marks, *, with_readings: bool, with_marks: bool) -> None:
        """The transaction is committed: what was in it waits no more."""
        points.reach("commit.after")
        self.counts["commits"] += 1
        self._committed_at = self._clock.monotonic()
        self._waiting.committed(with_readings)
        self._times.written()
        for lane, seqs in marks:
            lane.marks.difference_update(seqs)
        if with_marks:
            self._marked_at = self._committed_at
        self.trouble = None

    def _give_up(self, connection: sqlite3.Connection, error: BaseException) -> None:
        """The transaction failed. Raises StoreError when it was SQLite's failure."""
        self.counts["commit_failures"] += 1
        self._roll_back(connection, error)
        if isinstance(error, sqlite3.Error):
            raise self._failed(error) from error

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
        self._failed_by = error
        self.trouble = database.sentence(self._folder / database.FILE_NAME, error)
        return StoreError(self.trouble)

    def _ready(self) -> sqlite3.Connection:
        if self._connection is None:
            self._open()
        assert self._connection is not None
        return self._connection

    def _open(self) -> None:
        """Open (or open again) the database and read where every uplink stands."""
        again = self._failed_by
        connection, repaired = database.open_database(
            self._folder,
            self._connect,
            self._clock.wall_ms(),
            suspected=again is not None and database.is_damage(again),
        )
        before = self._lanes
        try:
            journal = quota.Limit.of(self._keep.max_bytes).journal
            connection.execute(f"PRAGMA wal_autocheckpoint={journal // 2 // database.page_size(connection)}")
            if again is not None:
                # What a failed sync left is clean to the kernel and perhaps not on the disk: written and synced anew.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._waiting.settle(connection)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT OR IGNORE INTO boot (name) VALUES (?)", (self._clock.boot,))
            self._boot = connection.execute("SELECT id FROM boot WHERE name = ?", (self._clock.boot,)).fetchone()[0]
            self._times.load(connection, self._boot, self._clock.boot)
            self.epoch = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]
            now = self._clock.monotonic()
            lanes = attach(connection, self._routes, now, self._clock.wall_ms())
            following = readings.next_number(connection)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            connection.close()
            raise self._failed(error) from error
        for name, lane in lanes.items():
            if lane.cursor[READINGS] < following or self._waiting.count:
                lane.waiting_since = now - lane.max_delay  # a backlog waits for nobody
            if name in before and not repaired:
                lane.deliver(before[name].marks)
        self._lanes = lanes
        self._connection = connection
        self._failed_by = None
        self.repaired = repaired or self.repaired
        self._reserve.make()

    def _marks_wait(self) -> bool:
        """Whether confirmations wait that are worth a page of their own: many, or for long."""
        most = max((len(lane.marks) for lane in self._lanes.values()), default=0)
        return most >= _MOST_MARKS or (most > 0 and self._clock.monotonic() - self._marked_at >= _MARKS_WAIT_S)

    def _wake(self) -> None:
        for wake in self._listeners:
            wake()
