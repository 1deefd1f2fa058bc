"""A new epoch: numbering of messages begins again, the records keep their numbers. SQL on a connection handed in.

The receiver proves completeness by the numbers of one epoch. So what an uplink had before is announced to it as a
gap, and all else comes, or is announced, under the new one. It runs inside its caller's transaction.
"""

import sqlite3
import uuid

from gateway.intervals import Intervals
from gateway.outbox import behind, facts, gaps
from gateway.outbox.forgetting import next_number
from gateway.outbox.streams import GAPS, NAMES, NUMBERED, READINGS
from gateway.records import Gap

BEGAN = "epoch.began"
"""The note that says when, in Unix milliseconds: what was counted before may have been forgotten since."""


def begin(connection: sqlite3.Connection, now_ms: int) -> str:
    """Begin a new epoch and return it: after a restore, or a salvage."""
    epoch = str(uuid.uuid4())
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)", (epoch,))
    facts.set_note(connection, BEGAN, str(now_ms).encode())
    for (uplink,) in connection.execute("SELECT id FROM uplink").fetchall():
        starts = {stream: _start(connection, uplink, stream) for stream in NUMBERED}
        connection.execute("DELETE FROM gap WHERE uplink = ? AND stream = 'messages'", (uplink,))
        connection.execute("DELETE FROM message WHERE uplink = ?", (uplink,))
        behind.write(connection, uplink, ())
        connection.execute("UPDATE uplink SET next = 1 WHERE id = ?", (uplink,))
        for stream, start in starts.items():
            connection.execute(
                "INSERT OR REPLACE INTO progress (uplink, stream, done, looked) VALUES (?, ?, ?, ?)",
                (uplink, stream, start, start),
            )
            if start > 1:
                reason = "delivered in an earlier epoch"
                gap = Gap(stream=NAMES[stream], first=1, last=start - 1, start=now_ms, end=now_ms, reason=reason)
                gaps.announce(connection, uplink, gap)
        connection.execute(
            "INSERT OR REPLACE INTO progress (uplink, stream, done, looked) VALUES (?, ?, 1, 1)", (uplink, GAPS)
        )
    connection.execute("DELETE FROM known")
    connection.execute("DELETE FROM correction")
    return epoch


def _start(connection: sqlite3.Connection, uplink: int, stream: int) -> int:
    """The first number of `stream` that the uplink may not have yet."""
    looked = connection.execute(
        "SELECT max(done, looked) FROM progress WHERE uplink = ? AND stream = ?", (uplink, stream)
    ).fetchone()
    done, queued = connection.execute(
        "SELECT max(last) FILTER (WHERE delivered), min(first) FILTER (WHERE NOT delivered) FROM message"
        " WHERE uplink = ? AND stream = ?",
        (uplink, stream),
    ).fetchone()
    start = int(queued) if queued is not None else max(looked[0] if looked else 1, (done or 0) + 1)
    late = behind.read(connection, uplink) if stream == READINGS else ()
    return min(start, late[0][0]) if late else start


def announce_holes(connection: sqlite3.Connection, now_ms: int, reason: str) -> int:
    """Announce the numbers that are neither kept nor behind every uplink nor announced; returns how many."""
    missing = 0
    for stream in NUMBERED:
        there = _there(connection, stream)
        start = connection.execute("SELECT min(done) FROM progress WHERE stream = ?", (stream,)).fetchone()[0]
        first = start or min((run[0] for run in there), default=1)
        there.add(next_number(connection, stream), next_number(connection, stream))
        for a, b in there.holes(first):
            gap = Gap(stream=NAMES[stream], first=a, last=b, start=now_ms, end=now_ms, reason=reason)
            gaps.drop(connection, stream, gap)
            missing += b - a + 1
    return missing


def _there(connection: sqlite3.Connection, stream: int) -> Intervals:
    """The numbers of `stream` that are kept, or announced to all."""
    there = Intervals()
    for (n,) in connection.execute("SELECT n FROM record WHERE stream = ? ORDER BY n", (stream,)):
        there.add(n, n)
    if stream == READINGS:
        for first, last in connection.execute("SELECT first, last FROM block ORDER BY first"):
            there.add(first, last)
    for first, last in connection.execute(
        "SELECT first, last FROM gap WHERE uplink IS NULL AND stream = ?", (NAMES[stream],)
    ):
        there.add(first, last)
    return there
