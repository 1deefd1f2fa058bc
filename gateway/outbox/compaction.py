"""Many small groups of readings into one block, which costs a third of the bytes. Packing needs no lock.

`candidate` and `replace` take a connection and belong to their caller's transaction; `repack` is pure and slow.
"""

import sqlite3
from typing import NamedTuple

from gateway import points
from gateway.outbox import blocks, readings, rows
from gateway.outbox.blocks import AS_COMMITTED, COMPACTED, Block, Packed
from gateway.outbox.readings import Run, Shelf
from gateway.outbox.streams import READINGS

# Of 100 devices some 40 readings each: a column's beginning is then a twelfth of it, and unpacking takes some 3 MB.
READINGS_A_BLOCK = 4096
_MOST_GROUPS = 1500
_MOST_ROWS = 1000


class Candidate(NamedTuple):
    """Groups that follow one another and are of one boot, with their bodies."""

    groups: list[Block]
    bodies: list[bytes]


def candidate(connection: sqlite3.Connection, start: int) -> tuple[Candidate | None, int]:
    """The first groups from number `start` on that make a block, or None; and where to look the next time."""
    found = blocks.listed(connection, start, _MOST_GROUPS)
    while found and found[0].grade != AS_COMMITTED:
        start = found.pop(0).last + 1
    groups: list[Block] = []
    count = 0
    for block in found:
        if groups and not _follows(groups[-1], block):
            if len(groups) > 1:
                break  # nothing will be added to these any more
            groups, count = [], 0
        if block.grade == AS_COMMITTED:
            groups.append(block)
            count += block.last - block.first + 1
        if count >= READINGS_A_BLOCK:
            break
    else:
        if len(found) < _MOST_GROUPS:
            return None, start
    if len(groups) < 2:
        return None, found[-1].last + 1 if found else start
    return Candidate(groups, [blocks.body(connection, group.first) for group in groups]), start


def _follows(block: Block, following: Block) -> bool:
    return (
        following.grade == AS_COMMITTED and following.first == block.last + 1 and following.boot_id == block.boot_id
    )  # fmt: skip


def repack(found: Candidate) -> Packed:
    """The groups as one block. Raises ValueError when one cannot be read back."""
    kept = []
    for group, body in zip(found.groups, found.bodies, strict=True):
        kept += blocks.unpacked(body, group.last - group.first + 1)
    return blocks.packed(kept)


def replace(connection: sqlite3.Connection, found: Candidate, content: Packed) -> bool:
    """Put the block in the place of its groups; False when they are not what they were."""
    first, last = found.groups[0].first, found.groups[-1].last
    if [b for b in blocks.listed(connection, first, len(found.groups)) if b.last <= last] != found.groups:
        return False
    points.reach("compact")
    connection.execute("DELETE FROM block WHERE first BETWEEN ? AND ?", (first, last))
    blocks.insert(connection, first, found.groups[0].boot_id, content, COMPACTED)
    points.reach("compact")
    return True


def set_damaged_aside(connection: sqlite3.Connection, found: Candidate) -> None:
    """Set those of the groups aside that cannot be read back."""
    for group, body in zip(found.groups, found.bodies, strict=True):
        try:
            blocks.unpacked(body, group.last - group.first + 1)
        except ValueError as error:
            rows.set_block_aside(connection, group, str(error))


def has_rows(connection: sqlite3.Connection) -> bool:
    """Whether readings of schema 1 lie as rows."""
    return rows.oldest_number(connection, READINGS) is not None


def take_in_rows(connection: sqlite3.Connection) -> bool:
    """Put up to a thousand readings that schema 1 left as rows into groups; True when there were any."""
    first = rows.oldest_number(connection, READINGS)
    if first is None:
        return False
    block = blocks.at_or_after(connection, first)
    last = block.first - 1 if block is not None else 2**62
    run: Run | None = readings.run(connection, Shelf(), first, _MOST_ROWS, min(last, first + _MOST_ROWS))
    if run is None:
        return True  # the row was unreadable and is set aside
    boot = connection.execute("SELECT boot FROM record WHERE stream = ? AND n = ?", (READINGS, run.first)).fetchone()[0]
    following = readings.next_number(connection)
    last = run.first + len(run.readings) - 1
    connection.execute("DELETE FROM record WHERE stream = ? AND n BETWEEN ? AND ?", (READINGS, run.first, last))
    connection.execute("UPDATE stream SET next = max(next, ?) WHERE id = ?", (following, READINGS))
    blocks.insert(connection, run.first, boot, blocks.packed(run.readings), COMPACTED)
    points.reach("compact")
    return True
