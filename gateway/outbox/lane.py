"""The way of one uplink through the outbox: what it has composed, what is confirmed, what may go.

A lane gives records message numbers, rebuilds a message that must be sent again, and forgets what is
behind it. It works on a connection handed in, inside its caller's transaction; what it remembers changes
only by the methods that the caller calls after the commit.
"""

import sqlite3
from collections import deque
from typing import NamedTuple, Protocol

from gateway.outbox import rows
from gateway.outbox.rows import EVENTS, GAPS, NAMES, NUMBERED, READINGS, Row
from gateway.records import Gap, Message

# One message carries at most this: small enough for any broker's limit, large enough that headers vanish.
MOST_READINGS = 256
MOST_BYTES = 48 * 1024
_PRUNE_MESSAGES = 500
_PRUNE_RECORDS = 2000


class Route(Protocol):
    """What the outbox needs to know of one uplink's settings."""

    @property
    def name(self) -> str: ...

    @property
    def acks(self) -> bool:
        """Keep records until the receiver acknowledges, instead of until the broker does."""
        ...

    @property
    def max_delay(self) -> float:
        """Seconds that a reading may wait to share a message."""
        ...


class Span(NamedTuple):
    """What a message holds: numbers first..last of a stream."""

    stream: int
    first: int
    last: int


class Pruned(NamedTuple):
    """What one step of forgetting did: messages up to `seq` are gone, streams are done below `done`."""

    seq: int
    done: dict[int, int]


class Lane:
    """The state of one uplink, read from the database when it is opened."""

    def __init__(self, connection: sqlite3.Connection, uplink: int, acks: bool, max_delay: float, now: float) -> None:
        self.id = uplink
        self.acks = acks
        self.max_delay = max_delay
        self.waiting_since: float | None = None
        self.announced_at = -1e9
        self.done: dict[int, int] = dict(
            connection.execute("SELECT stream, done FROM progress WHERE uplink = ?", (uplink,)).fetchall()
        )
        kept, highest = connection.execute(
            "SELECT next, (SELECT max(seq) FROM message WHERE uplink = ?1) FROM uplink WHERE id = ?1", (uplink,)
        ).fetchone()
        self.next_seq = max(int(kept), (highest or 0) + 1)
        self.cursor = dict(self.done)
        for stream, last in connection.execute(
            "SELECT stream, max(last) FROM message WHERE uplink = ? GROUP BY stream", (uplink,)
        ):
            self.cursor[stream] = max(self.cursor[stream], last + 1)
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
        """Note confirmations (to be written with the next commit); returns how many were new."""
        fresh = seqs & self.undelivered.keys()
        for seq in fresh:
            del self.undelivered[seq]
        self.marks |= fresh
        return len(fresh)

    def compose(
        self, connection: sqlite3.Connection, epoch: str, sent: int, room: int, bulk: int, due: bool
    ) -> list[tuple[Message, Span]]:
        """Number up to `room` new messages: every event before anything else, then at most `bulk` gaps and readings.

        A readings message that is not full is held back unless `due`.
        """
        made: list[tuple[Message, Span]] = []

        def number(span: Span, boot: str, records: tuple[object, ...]) -> None:
            message = Message(
                epoch=epoch,
                seq=self.next_seq + len(made),
                sent=sent,
                boot=boot,
                first=span.first,
                records=records,  # type: ignore[arg-type]  # one of the three kinds, by the stream
            )
            made.append((message, span))

        for row in rows.read(connection, EVENTS, self.cursor[EVENTS], room):
            number(Span(EVENTS, row.n, row.n), row.boot, (row.record,))
        bulk = min(bulk, room - len(made))
        if bulk > 0:
            for gap_id, gap in rows.gaps(connection, self.id, self.cursor[GAPS], bulk):
                number(Span(GAPS, gap_id, gap_id), "", (gap,))
                bulk -= 1
        start = self.cursor[READINGS]
        for _ in range(bulk):
            found = rows.read(connection, READINGS, start, MOST_READINGS)
            run = _run(found)
            if not run or (len(run) == len(found) < MOST_READINGS and not due):
                break
            number(Span(READINGS, run[0].n, run[-1].n), run[0].boot, tuple(row.record for row in run))
            start = run[-1].n + 1
        connection.executemany(
            "INSERT INTO message (uplink, seq, stream, first, last, sent, delivered) VALUES (?, ?, ?, ?, ?, ?, 0)",
            [(self.id, message.seq, *span, sent) for message, span in made],
        )
        return made

    def composed(self, made: list[tuple[Message, Span]]) -> None:
        """The transaction of `compose` is committed: move on."""
        for message, span in made:
            self.undelivered[message.seq] = span
            self.cursor[span.stream] = span.last + 1
        self.next_seq += len(made)

    def rebuild(self, connection: sqlite3.Connection, epoch: str, seq: int) -> Message | None:
        """The message `seq` exactly as it was first composed; None when it, or part of it, is no longer kept."""
        found = connection.execute(
            "SELECT stream, first, last, sent FROM message WHERE uplink = ? AND seq = ?", (self.id, seq)
        ).fetchone()
        if found is None:
            return None
        stream, first, last, sent = found
        if stream == GAPS:
            match = [gap for gap_id, gap in rows.gaps(connection, self.id, first, 1) if gap_id == first]
            return (
                Message(epoch=epoch, seq=seq, sent=sent, boot="", first=first, records=(match[0],)) if match else None
            )
        kept = rows.read(connection, stream, first, last - first + 1, last)
        if len(kept) != last - first + 1:
            return None
        records = tuple(row.record for row in kept)
        return Message(epoch=epoch, seq=seq, sent=sent, boot=kept[0].boot, first=first, records=records)  # type: ignore[arg-type]

    def void(self, connection: sqlite3.Connection, seq: int, now_ms: int, reason: str = "no longer readable") -> None:
        """A message that nobody will get is given up: its number and its records are announced as gaps."""
        stream, first, last = connection.execute(
            "SELECT stream, first, last FROM message WHERE uplink = ? AND seq = ?", (self.id, seq)
        ).fetchone()
        connection.execute("UPDATE message SET delivered = 1 WHERE uplink = ? AND seq = ?", (self.id, seq))
        self.announce(connection, "messages", seq, seq, now_ms, reason)
        if stream in NUMBERED:
            self.announce(connection, NAMES[stream], first, last, now_ms, reason)

    def announce(
        self, connection: sqlite3.Connection, stream: str, first: int, last: int, now_ms: int, reason: str
    ) -> None:
        """Tell this uplink's receivers, and no others, not to wait for first..last."""
        gap = Gap(stream=stream, first=first, last=last, start=now_ms, end=now_ms, reason=reason)
        rows.announce(connection, self.id, gap)

    def kept(self, connection: sqlite3.Connection, first: int, last: int) -> list[int]:
        """The numbers first..last of messages that can still be sent again."""
        found = connection.execute(
            "SELECT seq FROM message WHERE uplink = ? AND seq BETWEEN ? AND ? ORDER BY seq", (self.id, first, last)
        )
        return [row[0] for row in found]

    def prune(self, connection: sqlite3.Connection, now: float, window: float) -> Pruned | None:
        """Forget one batch of messages: those acknowledged (acks), or delivered longer than `window` seconds ago.

        Returns what was done, for `pruned` after the commit; None when nothing was due.
        """
        upto = self.prefix() if self.acks else self._settled_before(now - window)
        batch = connection.execute(
            "SELECT seq, stream, last FROM message WHERE uplink = ? AND seq <= ? ORDER BY seq LIMIT ?",
            (self.id, upto, _PRUNE_MESSAGES),
        ).fetchall()
        if not batch:
            return None
        done = {stream: last + 1 for _, stream, last in batch}
        seq = batch[-1][0]
        connection.execute("DELETE FROM message WHERE uplink = ? AND seq <= ?", (self.id, seq))
        connection.execute("UPDATE uplink SET next = ? WHERE id = ?", (self.next_seq, self.id))
        connection.executemany(
            "UPDATE progress SET done = ? WHERE uplink = ? AND stream = ?",
            [(number, self.id, stream) for stream, number in done.items()],
        )
        return Pruned(seq, done)

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


def _run(found: list[Row]) -> list[Row]:
    """The longest head of `found` that fits in one message: numbers without a jump, one boot, a bounded size."""
    size = 0
    for index, row in enumerate(found):
        size += row.size
        joins = index == 0 or (row.n == found[index - 1].n + 1 and row.boot == found[0].boot and size <= MOST_BYTES)
        if not joins:
            return found[:index]
    return found


def forget_records(connection: sqlite3.Connection, lanes: list[Lane], pruned: dict[int, Pruned]) -> bool:
    """Delete a batch of records that every uplink is done with; True when more may wait.

    `pruned` holds this transaction's steps by uplink, which the lanes do not show yet.
    """
    if not lanes:
        return False
    more = False

    def floor(stream: int) -> int:
        done = [pruned[lane.id].done if lane.id in pruned else {} for lane in lanes]
        return min(step.get(stream, lane.done[stream]) for step, lane in zip(done, lanes, strict=True))

    for stream in NUMBERED:
        oldest = rows.oldest_number(connection, stream)
        if oldest is None or oldest >= floor(stream):
            continue
        upto = min(floor(stream), oldest + _PRUNE_RECORDS)
        more = more or upto < floor(stream)
        following = rows.next_number(connection, stream)
        connection.execute("DELETE FROM record WHERE stream = ? AND n < ?", (stream, upto))
        connection.execute("UPDATE stream SET next = ? WHERE id = ?", (following, stream))
        # A gap's row stays while its numbers may still count as missing from what is queued.
        connection.execute(
            "DELETE FROM gap WHERE id < ? AND uplink IS NULL AND stream = ? AND last < ?",
            (floor(GAPS), NAMES[stream], floor(stream)),
        )
    for lane in lanes:
        step = pruned.get(lane.id)
        if step and GAPS in step.done:
            connection.execute("DELETE FROM gap WHERE uplink = ? AND id < ?", (lane.id, step.done[GAPS]))
    return more


def attach(connection: sqlite3.Connection, names: list[str], now_ms: int) -> dict[str, int]:
    """Make the uplinks `names` the active ones and return their ids.

    One that is new, or comes back, begins at the oldest record still kept; what it cannot have any more
    is announced to it as a gap.
    """
    before = {name for (name,) in connection.execute("SELECT name FROM uplink WHERE active = 1")}
    ids: dict[str, int] = {}
    if before - set(names):
        connection.execute("UPDATE uplink SET active = 0")
    for name in names:
        connection.execute("INSERT OR IGNORE INTO uplink (name, active, next) VALUES (?, 1, 1)", (name,))
        connection.execute("UPDATE uplink SET active = 1 WHERE name = ? AND active = 0", (name,))
        ids[name] = connection.execute("SELECT id FROM uplink WHERE name = ?", (name,)).fetchone()[0]
        connection.executemany(
            "INSERT OR IGNORE INTO progress (uplink, stream, done) VALUES (?, ?, 1)",
            [(ids[name], stream) for stream in NAMES],
        )
        if name not in before:
            _catch_up(connection, Lane(connection, ids[name], acks=False, max_delay=0.0, now=0.0), now_ms)
    return ids


def _catch_up(connection: sqlite3.Connection, lane: Lane, now_ms: int) -> None:
    for stream in NUMBERED:
        oldest = rows.oldest_number(connection, stream) or rows.next_number(connection, stream)
        if lane.cursor[stream] < oldest:
            reason = "forgotten before this uplink was configured"
            lane.announce(connection, NAMES[stream], lane.cursor[stream], oldest - 1, now_ms, reason)
            connection.execute(
                "UPDATE progress SET done = ? WHERE uplink = ? AND stream = ?", (oldest, lane.id, stream)
            )
