"""Records into the content of messages, the same each time: which readings share one, what a filter leaves of them.

SQL on a connection handed in; it numbers nothing and remembers nothing.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

from gateway.columns import Unpacked
from gateway.filters import Filter
from gateway.outbox import blocks, readings, rows
from gateway.outbox.readings import Run, Shelf
from gateway.outbox.streams import EVENTS
from gateway.records import Event, Reading

# One message carries at most this: small enough for any broker's limit, large enough that headers vanish.
MOST_READINGS = 256
MOST_BYTES = 48 * 1024
# With a filter a message may stand for more numbers than it holds, and one look goes over no more than these.
_MOST_LOOKED = 2048
_MOST_EVENTS_LOOKED = 500
_MOST_BLOCK_BYTES = 128 * 1024
_MOST_IN_BLOCK = 1 << 16
_NO_END = 2**62

_encode = msgspec.json.Encoder().encode


class Span(NamedTuple):
    """What a message stands for: numbers first..last of a stream."""

    stream: int
    first: int
    last: int


class Content(NamedTuple):
    """The readings of a message, the number of the first of them, and the numbers that the message stands for."""

    number: int
    boot: str
    records: Sequence[Reading]
    first: int
    last: int
    full: bool  # or more would fit, were there more


def take_readings(
    connection: sqlite3.Connection,
    shelf: Shelf,
    wanted: Filter | None,
    start: int,
    last: int = _NO_END,
    most: int = 1,
) -> list[Content]:
    """The content of the next message from number `start` on, none above `last`; without a filter of up to `most`.

    `records` may be empty when a filter passes over all.
    """
    if wanted is None:
        run = readings.run(connection, shelf, start, MOST_READINGS * most, last, apart=True)
        return [] if run is None else _shared_out(run, most)
    run = readings.run(connection, shelf, start, _MOST_LOOKED, last)
    if run is None:
        return []
    passed = _passed(run, wanted)
    chosen = _fitting([reading for _, reading in passed[:MOST_READINGS]])
    whole = len(chosen) == len(passed)
    last = run.first + len(run.readings) - 1 if whole else passed[len(chosen)][0] - 1
    number = passed[0][0] if passed else run.first
    return [Content(number, run.boot, chosen, run.first, last, not whole or len(run.readings) == _MOST_LOOKED)]


def _shared_out(run: Run, most: int) -> list[Content]:
    """The readings of a run in up to `most` messages."""
    found: list[Content] = []
    begin, count = 0, len(run.readings)
    while begin < count and len(found) < most:
        chosen = _fitting(run.readings[begin : begin + MOST_READINGS])
        first, begin = run.first + begin, begin + len(chosen)
        full = run.ended or begin < count or len(chosen) == MOST_READINGS
        found.append(Content(first, run.boot, chosen, first, run.first + begin - 1, full))
    return found


def take_blocks(connection: sqlite3.Connection, start: int, last: int = _NO_END, most: int = 1) -> list[Content]:
    """Up to `most` whole blocks as they lie, from the large one that begins at number `start` on, none above `last`.

    Empty where a small group begins, which shares a message, and at what is damaged: reading it the other way tells.
    """
    found: list[Content] = []
    for block, packed in blocks.as_they_lie(connection, start, min(last, start + most * _MOST_IN_BLOCK), most):
        if block.first != start or block.last > last or not readings.large(block):
            break
        if packed is None or len(packed.body) > _MOST_BLOCK_BYTES:
            break
        found.append(Content(start, block.boot, packed, start, block.last, full=True))
        start = block.last + 1
    return found


def same_readings(
    connection: sqlite3.Connection, shelf: Shelf, wanted: Filter | None, first: int, last: int
) -> Content | None:
    """The content of a message that stands for first..last, as it was; None when a part is no longer kept."""
    run = readings.run(connection, shelf, first, last - first + 1, last)
    if run is None or run.first != first or len(run.readings) != last - first + 1:
        return None
    if wanted is None:
        return Content(first, run.boot, _frozen(run.readings), first, last, full=True)
    passed = _passed(run, wanted)
    number = passed[0][0] if passed else first
    return Content(number, run.boot, tuple(reading for _, reading in passed), first, last, full=True)


def take_events(
    connection: sqlite3.Connection, wanted: Filter | None, start: int, room: int
) -> tuple[list[tuple[int, str, Event]], int]:
    """Up to `room` events from number `start` on, as (n, boot, event), and the number to go on from."""
    found: list[tuple[int, str, Event]] = []
    for row in rows.read(connection, EVENTS, start, room if wanted is None else _MOST_EVENTS_LOOKED):
        if isinstance(row.record, Event) and (wanted is None or wanted.event(row.record)):
            if len(found) == room:
                break
            found.append((row.n, row.boot, row.record))
        start = row.n + 1
    return found, start


def _passed(run: Run, wanted: Filter) -> list[tuple[int, Reading]]:
    passed = [(number, wanted.reading(reading)) for number, reading in enumerate(run.readings, run.first)]
    return [(number, reading) for number, reading in passed if reading is not None]


def _fitting(readings: Sequence[Reading]) -> Sequence[Reading]:
    """As many from the head as fit in one message; at least one."""
    lines = readings.lines() if isinstance(readings, Unpacked) else map(_encode, readings)
    count = bisect_right(list(accumulate(map(len, lines))), MOST_BYTES)
    return _frozen(readings[: max(1, count)])


def _frozen(readings: Sequence[Reading]) -> Sequence[Reading]:
    return readings if isinstance(readings, Unpacked) else tuple(readings)
