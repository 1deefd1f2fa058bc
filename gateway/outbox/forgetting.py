"""What leaves the outbox when every uplink is done with it, and where a new uplink begins. SQL on a connection.

It runs inside its caller's transaction and remembers nothing.
"""

import sqlite3
from collections.abc import Sequence

from gateway.outbox import behind, blocks, gaps, readings, rows, times
from gateway.outbox.lane import Lane
from gateway.outbox.route import Route
from gateway.outbox.standing import Pruned
from gateway.outbox.streams import CORRECTIONS, GAPS, NAMES, NUMBERED, READINGS

_RECORDS = 2000
_BLOCKS = 200


def forget_records(connection: sqlite3.Connection, lanes: Sequence[Lane], pruned: dict[int, Pruned]) -> bool:
    """Delete a batch of records that every uplink is done with; True when more may wait.

    `pruned` holds this transaction's steps by uplink, which the lanes do not show yet.
    """
    if not lanes:
        return False
    floor = {stream: _floor(lanes, pruned, stream) for stream in (*NUMBERED, GAPS)}
    more = False
    for stream in NUMBERED:
        oldest = rows.oldest_number(connection, stream)
        block = blocks.lowest(connection) if stream == READINGS else None
        if min(oldest or floor[stream], block or floor[stream]) >= floor[stream]:
            continue
        following = next_number(connection, stream)
        if oldest is not None and oldest < floor[stream]:
            upto = min(floor[stream], oldest + _RECORDS)
            more = more or upto < floor[stream]
            connection.execute("DELETE FROM record WHERE stream = ? AND n < ?", (stream, upto))
        if stream == READINGS:
            more = blocks.forget_below(connection, floor[stream], _BLOCKS) or more
        connection.execute("UPDATE stream SET next = ? WHERE id = ?", (following, stream))
        # A gap's row stays while its numbers may still count as missing from what is queued.
        gaps.forget(connection, NAMES[stream], floor[GAPS], floor[stream])
    for lane in lanes:
        step = pruned.get(lane.id)
        if step and GAPS in step.done:
            connection.execute("DELETE FROM gap WHERE uplink = ? AND id < ?", (lane.id, step.done[GAPS]))
        if step and CORRECTIONS in step.done:
            times.forget(connection, lane.id, step.done[CORRECTIONS])
    return more


def _floor(lanes: Sequence[Lane], pruned: dict[int, Pruned], stream: int) -> int:
    done = [pruned[lane.id].done if lane.id in pruned else {} for lane in lanes]
    return min(step.get(stream, lane.done[stream]) for step, lane in zip(done, lanes, strict=True))


def next_number(connection: sqlite3.Connection, stream: int) -> int:
    """The number that the next record of `stream` gets."""
    return readings.next_number(connection) if stream == READINGS else rows.next_number(connection, stream)


def oldest_number(connection: sqlite3.Connection, stream: int) -> int | None:
    """The lowest number still kept of `stream`, None when it is empty."""
    return readings.oldest_number(connection) if stream == READINGS else rows.oldest_number(connection, stream)


def attach(connection: sqlite3.Connection, routes: Sequence[Route], now: float, now_ms: int) -> dict[str, Lane]:
    """Make the uplinks of `routes` the active ones and return their lanes by name.

    One that is new, or comes back, begins at the oldest record still kept; what it cannot have any more
    is announced to it as a gap.
    """
    before = {name for (name,) in connection.execute("SELECT name FROM uplink WHERE active = 1")}
    lanes: dict[str, Lane] = {}
    if before - {route.name for route in routes}:
        connection.execute("UPDATE uplink SET active = 0")
    for route in routes:
        connection.execute("INSERT OR IGNORE INTO uplink (name, active, next) VALUES (?, 1, 1)", (route.name,))
        connection.execute("UPDATE uplink SET active = 1 WHERE name = ? AND active = 0", (route.name,))
        uplink = connection.execute("SELECT id FROM uplink WHERE name = ?", (route.name,)).fetchone()[0]
        connection.executemany(
            "INSERT OR IGNORE INTO progress (uplink, stream, done) VALUES (?, ?, 1)",
            [(uplink, stream) for stream in NAMES],
        )
        lanes[route.name] = Lane(connection, uplink, route, now)
        if route.name not in before and _catch_up(connection, lanes[route.name], now_ms):
            lanes[route.name] = Lane(connection, uplink, route, now)
    return lanes


def _catch_up(connection: sqlite3.Connection, lane: Lane, now_ms: int) -> bool:
    changed = False
    reason = "forgotten before this uplink was configured"
    for stream in NUMBERED:
        oldest = oldest_number(connection, stream) or next_number(connection, stream)
        for first, last in lane.behind if stream == READINGS else ():
            if first < oldest:
                changed = True
                lane.announce(connection, NAMES[stream], first, min(last, oldest - 1), now_ms, reason)
        if stream == READINGS:
            behind.write(connection, lane.id, behind.without(lane.behind, oldest - 1))
        if lane.cursor[stream] < oldest:
            changed = True
            lane.announce(connection, NAMES[stream], lane.cursor[stream], oldest - 1, now_ms, reason)
            connection.execute(
                "UPDATE progress SET done = ? WHERE uplink = ? AND stream = ?", (oldest, lane.id, stream)
            )
    return changed
