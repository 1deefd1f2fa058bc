"""Readings packed in the table `block`, each block with a checksum. SQL on a connection handed in.

A block holds readings of one boot whose numbers follow one another. What cannot be read back is set aside and
announced as a gap, so that it never holds up the blocks behind it.
"""

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway import columns
from gateway.columns import pack, pack_quickly
from gateway.records import Reading

AS_COMMITTED, COMPACTED, THINNED = range(3)
MOST_IN_GROUP = 256


class Block(NamedTuple):
    """A block without its body: numbers, the boot's id and name, times in Unix milliseconds."""

    first: int
    last: int
    boot_id: int
    boot: str
    start: int
    end: int
    grade: int


class Packed(NamedTuple):
    """Readings ready to be stored: how many, the bounds of their times, and the bytes with their checksum."""

    size: int
    start: int
    end: int
    body: bytes


_COLUMNS = "first, last, block.boot, coalesce(name, 'unknown'), start, \"end\", grade"
_FROM = f"SELECT {_COLUMNS} FROM block LEFT JOIN boot ON boot.id = block.boot"


def packed(readings: Sequence[Reading], quickly: bool = False) -> Packed:
    """At least one reading, ready to be stored; what must be committed now is packed `quickly`, and small later."""
    try:
        body = pack_quickly(readings) if quickly else pack(readings)
    except OverflowError:  # whole numbers beyond 64 bits
        body = pack(readings)
    times = [reading.at for reading in readings]
    return Packed(len(readings), min(times), max(times), zlib.crc32(body).to_bytes(4, "big") + body)


def unpacked(body: bytes, count: int) -> list[Reading]:
    """The `count` readings of a stored body. Raises ValueError when it is damaged."""
    return list(opened(body, count))


def opened(body: bytes, count: int) -> Sequence[Reading]:
    """As `unpacked`, but each reading is made when it is looked at."""
    if zlib.crc32(body[4:]).to_bytes(4, "big") != body[:4]:
        raise ValueError("its checksum is wrong")
    readings = columns.opened(body[4:])
    if len(readings) != count:
        raise ValueError(f"it holds {len(readings)} readings in place of {count}")
    return readings


def insert(connection: sqlite3.Connection, first: int, boot: int, content: Packed, grade: int) -> None:
    """Store readings under the numbers from `first` on; `boot` is the boot's id."""
    connection.execute(
        "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)",
        (first, first + content.size - 1, boot, content.start, content.end, grade, content.body),
    )


def at_or_after(connection: sqlite3.Connection, number: int) -> Block | None:
    """The block that holds `number`, or else the next one."""
    found = connection.execute(f"{_FROM} WHERE first <= ? ORDER BY first DESC LIMIT 1", (number,)).fetchone()
    if found is None or found[1] < number:
        found = connection.execute(f"{_FROM} WHERE first > ? ORDER BY first LIMIT 1", (number,)).fetchone()
    return None if found is None else Block(*found)


def listed(connection: sqlite3.Connection, first: int, limit: int) -> list[Block]:
    """Up to `limit` blocks that begin at number `first` or later."""
    found = connection.execute(f"{_FROM} WHERE first >= ? ORDER BY first LIMIT ?", (first, limit))
    return [Block(*row) for row in found]


def of_grade(connection: sqlite3.Connection, grade: int, limit: int) -> list[Block]:
    """The first `limit` blocks of a grade."""
    found = connection.execute(f"{_FROM} WHERE grade = ? ORDER BY first LIMIT ?", (grade, limit))
    return [Block(*row) for row in found]


def body(connection: sqlite3.Connection, first: int) -> bytes:
    """The body of the block that begins with number `first`."""
    return bytes(connection.execute("SELECT body FROM block WHERE first = ?", (first,)).fetchone()[0])


def readings(connection: sqlite3.Connection, block: Block) -> Sequence[Reading]:
    """What `block` holds, see `opened`. Raises ValueError when it cannot be read back."""
    return opened(body(connection, block.first), block.last - block.first + 1)


def as_they_lie(
    connection: sqlite3.Connection, first: int, last: int, limit: int
) -> Iterator[tuple[Block, columns.Packed | None]]:
    """Up to `limit` blocks that begin at number `first` to `last`, not unpacked.

    None in the place of one whose checksum is wrong, or whose times do not stand: a reading of its boot waits, or
    waited, for the true time.
    """
    for *head, zero, stored in connection.execute(
        f"SELECT {_COLUMNS}, zero, body FROM block LEFT JOIN boot ON boot.id = block.boot"
        " WHERE first BETWEEN ? AND ? ORDER BY first LIMIT ?",
        (first, last, limit),
    ):
        block = Block(*head)
        packed = stored[4:]
        whole = zero is None and zlib.crc32(packed).to_bytes(4, "big") == stored[:4]
        yield block, columns.Packed(packed, block.last - block.first + 1, block.end) if whole else None


def delete(connection: sqlite3.Connection, first: int) -> None:
    """Remove the block that begins with number `first`."""
    connection.execute("DELETE FROM block WHERE first = ?", (first,))


def highest(connection: sqlite3.Connection) -> int:
    """The highest number in any block, 0 when there is none."""
    found = connection.execute("SELECT last FROM block ORDER BY first DESC LIMIT 1").fetchone()
    return 0 if found is None else int(found[0])


def lowest(connection: sqlite3.Connection) -> int | None:
    """The lowest number in any block."""
    found = connection.execute("SELECT min(first) FROM block").fetchone()[0]
    return None if found is None else int(found)


def forget_below(connection: sqlite3.Connection, number: int, most: int) -> bool:
    """Delete up to `most` blocks that lie wholly below `number`; True when more may be there."""
    done = connection.execute(
        "SELECT first FROM block WHERE first < ? AND last < ? ORDER BY first LIMIT ?", (number, number, most)
    ).fetchall()
    connection.executemany("DELETE FROM block WHERE first = ?", done)
    return len(done) == most
