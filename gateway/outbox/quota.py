"""When the outbox is full: what goes, in which order, and how it is announced. SQL on a connection handed in.

The order: what every uplink has already; then readings are thinned (of each block its first quarter stays, so that
the gap is one run of numbers); then they are dropped, oldest first. Events, cases, commands and the audit stay.
What stands in a message that is on its way stays as well: its content is fixed.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from gateway import points
from gateway.outbox import blocks, gaps
from gateway.outbox.blocks import COMPACTED, THINNED, Block, Packed
from gateway.outbox.lane import Lane
from gateway.outbox.streams import READINGS
from gateway.records import Gap, Reading

_KEPT_SHARE = 4  # one in so many readings of a block stays, as one stretch of time
_MOST_LISTED = 64
_LOWER = 0.98  # once full, room is made down to this share
_MOST_JOURNAL = 8 * 2**20


class Limit(NamedTuple):
    """Bytes that the pages in use may take, so that database and write-ahead log stay within `max_bytes`."""

    upper: int
    lower: int
    journal: int

    @classmethod
    def of(cls, max_bytes: int) -> "Limit":
        journal = min(_MOST_JOURNAL, max_bytes // 4)
        return cls(max_bytes - journal, int((max_bytes - journal) * _LOWER), journal)


def used(connection: sqlite3.Connection) -> int:
    """Bytes of the pages that hold something."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def shrink(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Give free pages back to the disk, a few at a time, when the file is larger than it may be."""
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if pages * size > max_bytes:
        connection.execute("PRAGMA incremental_vacuum(500)").fetchall()


def to_thin(connection: sqlite3.Connection, lanes: Sequence[Lane]) -> Block | None:
    """The oldest block that can be thinned."""
    return _free(blocks.of_grade(connection, COMPACTED, _MOST_LISTED), lanes)


def to_drop(connection: sqlite3.Connection, lanes: Sequence[Lane]) -> Block | None:
    """The oldest block that can go."""
    return _free(blocks.listed(connection, 0, _MOST_LISTED), lanes) or to_thin(connection, lanes)


def _free(found: Sequence[Block], lanes: Sequence[Lane]) -> Block | None:
    return next((b for b in found if not any(lane.covers(b.first, b.last) for lane in lanes)), None)


def thinned(readings: Sequence[Reading]) -> tuple[Packed, int, int]:
    """What stays of a block, and the bounds of the times of what goes. Slow; needs no lock."""
    keep = max(1, len(readings) // _KEPT_SHARE)
    times = [reading.at for reading in readings[keep:]]
    return blocks.packed(readings[:keep]), min(times), max(times)


def thin(
    connection: sqlite3.Connection, lanes: Sequence[Lane], block: Block, kept: Packed, start: int, end: int
) -> int:
    """Put `kept` in the place of `block` and announce the rest; returns how many readings were dropped.

    Nothing when the block is not what it was, or went on its way meanwhile.
    """
    if blocks.at_or_after(connection, block.first) != block or _free([block], lanes) is None:
        return 0
    blocks.delete(connection, block.first)
    blocks.insert(connection, block.first, block.boot_id, kept, THINNED)
    points.reach("thin")
    first = block.first + kept.size
    return _announce(connection, lanes, first, block.last, start, end, "thinned: the store was full")


def drop(connection: sqlite3.Connection, lanes: Sequence[Lane], block: Block) -> int:
    """Delete `block` and announce it; returns how many readings were dropped."""
    blocks.delete(connection, block.first)
    points.reach("thin")
    return _announce(
        connection, lanes, block.first, block.last, block.start, block.end, "dropped: the store was full"
    )  # fmt: skip


def _announce(
    connection: sqlite3.Connection, lanes: Sequence[Lane], first: int, last: int, start: int, end: int, reason: str
) -> int:
    """Only who has not had the readings hears of them, so that what is announced is what is missing."""
    cuts = sorted({edge for lane in lanes for edge in lane.edges() if first < edge <= last})
    dropped = 0
    for a, b in zip([first, *cuts], [cut - 1 for cut in cuts] + [last], strict=True):
        known_to = [lane.id for lane in lanes if lane.has_passed(b)]
        if lanes and len(known_to) == len(lanes):
            continue
        gap = Gap(stream="readings", first=a, last=b, start=start, end=end, reason=reason)
        gaps.drop(connection, READINGS, gap, known_to)
        dropped += b - a + 1
    return dropped
