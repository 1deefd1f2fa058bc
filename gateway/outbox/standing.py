"""How far one uplink has come through the outbox: what it has composed, what is confirmed, what may be forgotten.

It works on a connection handed in, inside its caller's transaction; what it remembers changes only by the methods
that the caller calls after the commit.
"""

import sqlite3
from collections import deque
from typing import NamedTuple

import msgspec

from gateway.filters import Filter
from gateway.outbox import behind
from gateway.outbox.composing import Span
from gateway.outbox.readings import Shelf
from gateway.outbox.route import Route
from gateway.outbox.streams import EVENTS, NAMES, READINGS

_PRUNE_MESSAGES = 500


class Pruned(NamedTuple):
    """What one step of forgetting did: messages up to `seq` are gone, streams are done below `done`."""

    seq: int
    done: dict[int, int]


class Standing:
    """The state of one uplink, read from the database when it is opened."""

    def __init__(self, connection: sqlite3.Connection, uplink: int, route: Route, now: float) -> None:
        self.id = uplink
        self.acks = route.acks
        self.max_delay = route.max_delay
        self.filter = route.filter
        self.filter_id = None if route.filter is None else _filter_id(connection, route.filter)
        self.whole_blocks = route.whole_blocks and route.filter is None
        self.repeats = route.repeats
        self.waiting_since: float | None = None
        self.announced_at = -1e9
        self.shelf = Shelf()
        self.done: dict[int, int] = {}
        self.cursor: dict[int, int] = {}
        for stream, done, looked in connection.execute(
            "SELECT stream, done, looked FROM progress WHERE uplink = ?", (uplink,)
        ):
            if stream not in NAMES:
                continue  # a run of `behind`
            self.done[stream], self.cursor[stream] = done, max(done, looked)
        kept, highest = connection.execute(
            "SELECT next, (SELECT max(seq) FROM message WHERE uplink = ?1) FROM uplink WHERE id = ?1", (uplink,)
        ).fetchone()
        self.next_seq = max(int(kept), (highest or 0) + 1)
        for stream, last in connection.execute(
            "SELECT stream, max(last) FROM message WHERE uplink = ? GROUP BY stream", (uplink,)
        ):
            self.cursor[stream] = max(self.cursor[stream], last + 1)
        # Readings below the cursor that are still to be composed.
        self.behind = behind.read(connection, uplink)
        # Messages without a confirmation: the window bounds them, so they fit in memory.
        self.undelivered: dict[int, Span] = {
            seq: Span(stream, first, last)
            for seq, stream, first, last in connection.execute(
                "SELECT seq, stream, first, last FROM message WHERE uplink = ? AND delivered = 0", (uplink,)
            )
        }
        # Confirmed in memory, still to be written.
        self.marks: set[int] = set()
        # (monotonic seconds, every message up to here was delivered by then): a wall clock may jump, this may not.
        self._settled: deque[tuple[float, int]] = deque([(now, self.prefix())])

    def prefix(self) -> int:
        """Every message up to this number is delivered."""
        return min(self.undelivered, default=self.next_seq) - 1

    def deliver(self, seqs: set[int]) -> int:
        """Note confirmations (to be written with a later commit); returns how many were new."""
        fresh = seqs & self.undelivered.keys()
        for seq in fresh:
            del self.undelivered[seq]
        self.marks |= fresh
        return len(fresh)

    def covers(self, first: int, last: int) -> bool:
        """Whether a message without a confirmation holds one of the readings first..last."""
        return any(s.stream == READINGS and s.first <= last and s.last >= first for s in self.undelivered.values())

    def has_passed(self, number: int) -> bool:
        """Whether the reading `number` was composed, or passed over by the filter."""
        return number < self.cursor[READINGS] and not any(first <= number <= last for first, last in self.behind)

    def edges(self) -> list[int]:
        """The numbers at which `has_passed` changes."""
        return [self.cursor[READINGS], *(edge for first, last in self.behind for edge in (first, last + 1))]

    # --- repeating ------------------------------------------------------------------------------------

    def once_more(self, connection: sqlite3.Connection, boot: int) -> tuple[int, behind.Runs]:
        """Compose what is kept of this boot anew, for its times are known now: the cursor of events and the runs of
        readings from which to go on, noted for `again_from` after the commit.
        """
        (event,) = connection.execute(
            "SELECT min(n) FROM record WHERE stream = ? AND boot = ? AND n >= ?", (EVENTS, boot, self.done[EVENTS])
        ).fetchone()
        (first,) = connection.execute(
            "SELECT min(first) FROM block WHERE boot = ? AND last >= ?", (boot, self.done[READINGS])
        ).fetchone()
        runs = self.behind
        last = self.cursor[READINGS] - 1
        if first is not None and max(first, self.done[READINGS]) <= last:
            first = max(first, self.done[READINGS])
            runs = (*((a, min(b, first - 1)) for a, b in runs if a < first), (first, last))
            behind.write(connection, self.id, runs)
        return min(self.cursor[EVENTS], event or self.cursor[EVENTS]), runs

    def again_from(self, event: int, runs: behind.Runs) -> None:
        """The transaction of `once_more` is committed."""
        self.cursor[EVENTS], self.behind = event, runs

    # --- forgetting -----------------------------------------------------------------------------------

    def prune(self, connection: sqlite3.Connection, now: float, window: float) -> Pruned | None:
        """Forget one batch of messages: those acknowledged (acks), or delivered longer than `window` seconds ago.

        Returns what was done, for `pruned` after the commit; None when nothing was due.
        """
        upto = self.prefix() if self.acks else self._settled_before(now - window)
        batch = connection.execute(
            "SELECT seq, stream, last FROM message WHERE uplink = ? AND seq <= ? ORDER BY seq LIMIT ?",
            (self.id, upto, _PRUNE_MESSAGES),
        ).fetchall()
        seq = batch[-1][0] if batch else upto
        done = self._done(connection, seq)
        if not batch and all(self.done[stream] >= number for stream, number in done.items()):
            return None
        connection.execute("DELETE FROM message WHERE uplink = ? AND seq <= ?", (self.id, seq))
        connection.execute("UPDATE uplink SET next = ? WHERE id = ?", (self.next_seq, self.id))
        connection.executemany(
            "UPDATE progress SET done = ? WHERE uplink = ? AND stream = ?",
            [(number, self.id, stream) for stream, number in done.items()],
        )
        return Pruned(seq, done)

    def _done(self, connection: sqlite3.Connection, seq: int) -> dict[int, int]:
        """What is done with when messages up to `seq` go: all below what the others hold and what is still to be
        composed.
        """
        kept = dict(
            connection.execute(
                "SELECT stream, min(first) FROM message WHERE uplink = ? AND seq > ? GROUP BY stream", (self.id, seq)
            ).fetchall()
        )
        done = {stream: min(kept.get(stream, self.cursor[stream]), self.cursor[stream]) for stream in self.cursor}
        if self.behind:
            done[READINGS] = min(done[READINGS], self.behind[0][0])
        return {stream: max(number, self.done[stream]) for stream, number in done.items()}

    def pruned(self, step: Pruned) -> None:
        """The transaction of `prune` is committed."""
        self.done |= step.done

    def _settled_before(self, moment: float) -> int:
        while len(self._settled) > 1 and self._settled[1][0] <= moment:
            self._settled.popleft()
        return self._settled[0][1] if self._settled[0][0] <= moment else 0

    def settle(self, now: float) -> None:
        """Note how far delivery has come, for the replay window; once a second is exact enough."""
        when, upto = self._settled[-1]
        if now >= when + 1.0 and upto != self.prefix():
            self._settled.append((now, self.prefix()))


def _filter_id(connection: sqlite3.Connection, wanted: Filter) -> int:
    spec = msgspec.json.encode(wanted)
    connection.execute("INSERT OR IGNORE INTO filter (spec) VALUES (?)", (spec,))
    return int(connection.execute("SELECT id FROM filter WHERE spec = ?", (spec,)).fetchone()[0])
