"""The readings of the outbox in the order of their numbers, however they lie: in blocks, or as rows of schema 1.

SQL on a connection handed in; it never begins or ends a transaction.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.outbox import blocks, rows
from gateway.outbox.blocks import Block
from gateway.outbox.streams import READINGS
from gateway.records import Reading

_NO_END = 2**62
_MOST_HELD = 2


class Run(NamedTuple):
    """Readings of one boot, numbered first, first + 1, ...; `ended` when a large block begins or ends there."""

    first: int
    boot: str
    readings: Sequence[Reading]
    ended: bool = False


class Shelf:
    """The large blocks that were read last, unpacked: messages are composed from a block one after the other."""

    def __init__(self) -> None:
        self._held: dict[Block, Sequence[Reading]] = {}

    def take(self, connection: sqlite3.Connection, block: Block) -> Sequence[Reading]:
        """What `block` holds. Raises ValueError when it cannot be read back."""
        if not large(block):
            return blocks.readings(connection, block)
        if block not in self._held:
            self.put(block, blocks.readings(connection, block))
        return self._held[block]

    def holds(self, block: Block) -> bool:
        """Whether `block` is here already."""
        return block in self._held

    def put(self, block: Block, readings: Sequence[Reading]) -> None:
        """Keep an unpacked block in the place of the oldest: the one in use and the next, never more in memory."""
        while len(self._held) >= _MOST_HELD:
            del self._held[next(iter(self._held))]
        self._held[block] = readings

    def clear(self) -> None:
        """Forget them."""
        self._held.clear()


def large(block: Block) -> bool:
    """Whether unpacking `block` takes so long that it is worth keeping."""
    return block.last - block.first >= blocks.MOST_IN_GROUP


def run(
    connection: sqlite3.Connection, shelf: Shelf, first: int, limit: int, last: int = _NO_END, apart: bool = False
) -> Run | None:
    """The first run at `first` or later: numbers without a jump, one boot, at most `limit`, none above `last`.

    With `apart` it holds nothing beside what is of one large block, so that a block leaves as it lies, or line by line.
    """
    found: Run | None = None
    parts: list[Sequence[Reading]] = []
    count = 0
    while count < limit:
        block, part = _part(connection, shelf, first, min(limit - count, last - first + 1))
        if part is None or part.first > last:
            break
        if found is not None and (part.first != first or part.boot != found.boot):
            break
        alone = apart and block is not None and large(block)
        if found is not None and alone:
            found = found._replace(ended=True)
            break
        found = found or part
        parts.append(part.readings)
        count += len(part.readings)
        first = part.first + len(part.readings)
        if alone or first > last:
            found = found._replace(ended=alone)
            break
    if found is None:
        return None
    return found._replace(readings=parts[0] if len(parts) == 1 else [reading for part in parts for reading in part])


def _part(
    connection: sqlite3.Connection, shelf: Shelf, first: int, limit: int
) -> tuple[Block | None, Run | None]:  # fmt: skip
    """What the block or the rows at `first`, or else after it, hold from there on, and which block it is."""
    while True:
        block = blocks.at_or_after(connection, first)
        old = rows.read(connection, READINGS, first, limit, block.first - 1 if block and block.first > first else None)
        if old and (block is None or old[0].n < block.first):
            return None, _joined(old)
        if block is None:
            return None, None
        try:
            readings = shelf.take(connection, block)
        except ValueError as error:
            rows.set_block_aside(connection, block, str(error))
            continue
        begin = max(0, first - block.first)
        return block, Run(block.first + begin, block.boot, readings[begin : begin + limit])


def _joined(old: list[rows.Row]) -> Run:
    same = 1
    while same < len(old) and old[same].n == old[same - 1].n + 1 and old[same].boot == old[0].boot:
        same += 1
    return Run(old[0].n, old[0].boot, [row.record for row in old[:same] if isinstance(row.record, Reading)])


def next_number(connection: sqlite3.Connection) -> int:
    """The number that the next reading gets."""
    return max(rows.next_number(connection, READINGS), blocks.highest(connection) + 1)


def oldest_number(connection: sqlite3.Connection) -> int | None:
    """The lowest number still kept, None when there is none."""
    found = [rows.oldest_number(connection, READINGS), blocks.lowest(connection)]
    return min((number for number in found if number is not None), default=None)


def oldest_time(connection: sqlite3.Connection, number: int) -> int | None:
    """The time of the reading `number`, or else of the next one; inside a block it is reckoned, not read."""
    block = blocks.at_or_after(connection, number)
    row = connection.execute(
        "SELECT n, at FROM record WHERE stream = ? AND n >= ? ORDER BY n LIMIT 1", (READINGS, number)
    ).fetchone()
    if row is not None and (block is None or row[0] < block.first):
        return int(row[1])
    if block is None:
        return None
    share = max(0, number - block.first) / (block.last - block.first + 1)
    return block.start + int((block.end - block.start) * share)


def dump(connection: sqlite3.Connection, first: int, limit: int) -> Iterator[tuple[int, bytes]]:
    """Readings as JSON lines (without the line's end), each with its number: at least `limit`, if there are."""
    block = blocks.at_or_after(connection, first)
    below = block.first - 1 if block and block.first > first else None
    count = 0
    if block is None or below is not None:
        for line in rows.dump(connection, READINGS, first, limit, below):
            yield line
            count += 1
    while block is not None and count < limit:
        begin = max(0, first - block.first)
        head = {"stream": "readings", "boot": block.boot}
        try:
            kept = blocks.readings(connection, block)
        except ValueError as error:
            unreadable = {"n": block.first, "last": block.last, "unreadable": str(error)}
            yield block.last, rows.line(head | unreadable)
            kept = []
        for place, reading in enumerate(kept[begin:], begin):
            yield block.first + place, rows.line({**head, "n": block.first + place}, reading)
        count += block.last - block.first + 1
        first = block.last + 1
        following = blocks.at_or_after(connection, first)
        older = rows.oldest_from(connection, READINGS, first)
        if older is not None and (following is None or older < following.first):
            return  # rows of schema 1 come next: the caller asks again from here
        block = following
