"""What one uplink still has to compose behind the live readings: a backlog goes beside them, never before them.

Runs of numbers (first, last), ascending, kept beside the uplink's progress in the transaction that composes, in
rows of streams that are none: from `_STREAM` on, `done` the first number and `looked` the one after the last. So
whatever saves the progress saves them. It composes nothing.
"""

import sqlite3

Runs = tuple[tuple[int, int], ...]
_STREAM = 100


def read(connection: sqlite3.Connection, uplink: int) -> Runs:
    """The runs of the uplink with this id."""
    found = connection.execute(
        "SELECT done, looked - 1 FROM progress WHERE uplink = ? AND stream >= ? ORDER BY stream", (uplink, _STREAM)
    )
    return tuple((first, last) for first, last in found)


def write(connection: sqlite3.Connection, uplink: int, runs: Runs) -> None:
    """Keep the runs in the place of those that were kept."""
    connection.execute("DELETE FROM progress WHERE uplink = ? AND stream >= ?", (uplink, _STREAM))
    connection.executemany(
        "INSERT INTO progress (uplink, stream, done, looked) VALUES (?, ?, ?, ?)",
        [(uplink, _STREAM + place, first, last + 1) for place, (first, last) in enumerate(runs)],
    )


def without(runs: Runs, upto: int) -> Runs:
    """The runs above number `upto`."""
    return tuple((max(first, upto + 1), last) for first, last in runs if last > upto)
