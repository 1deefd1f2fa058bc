"""Rows of a database file read from its leaf pages alone, where the header, the schema or the way to them is damaged.

SQLite's file format (https://sqlite.org/fileformat2.html, sections 1.6 and 2.1): it follows no tree and trusts nothing;
what does not fit together is passed over. It may find rows that were deleted, and yields them as well. Read-only.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_TABLE_LEAF, _INDEX_LEAF = 13, 10
_PAGE_SIZES = (1024, 4096)  # what releases made
_MOST_BYTES = 1 << 24
_FRAME_HEAD, _LOG_HEAD = 24, 32
_NUMBERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type: bytes of a whole number


class Found(NamedTuple):
    """A row's values in the order of its columns; `rowid` is None in a table without row ids."""

    rowid: int | None
    values: list[Any]


def rows(file: Path) -> Iterator[Found]:
    """Every row that can be made sense of in the database `file` and its write-ahead log."""
    with file.open("rb") as data:
        size = _page_size(data.read(100))
        log = _logged(file.with_name(file.name + "-wal"), size)
        pages = file.stat().st_size // size

        def page(number: int) -> bytes:
            if number in log:
                return log[number]
            data.seek((number - 1) * size)
            return data.read(size)

        for number in range(1, max(pages, max(log, default=0)) + 1):
            content = page(number)
            start = 100 if number == 1 else 0
            if len(content) == size and content[start] in (_TABLE_LEAF, _INDEX_LEAF):
                yield from _cells(content, start, page)


def _page_size(head: bytes) -> int:
    size = int.from_bytes(head[16:18], "big")
    return size if size in _PAGE_SIZES else _PAGE_SIZES[0]


def _logged(log: Path, size: int) -> dict[int, bytes]:
    """The newest content of each page in the write-ahead log."""
    if not log.exists():
        return {}
    data = log.read_bytes()
    step = _FRAME_HEAD + size
    frames = range(_LOG_HEAD, len(data) - step + 1, step)
    return {
        int.from_bytes(data[at : at + 4], "big"): data[at + _FRAME_HEAD : at + step]
        for at in frames
        if data[at + 8 : at + 16] == data[16:24]  # of an earlier round of the log otherwise
    }


def _cells(content: bytes, start: int, page: Any) -> Iterator[Found]:
    kind = content[start]
    (count,) = struct.unpack_from(">H", content, start + 3)
    for index in range(min(count, len(content) // 4)):
        try:
            (at,) = struct.unpack_from(">H", content, start + 8 + 2 * index)
            length, at = _varint(content, at)
            rowid = None
            if kind == _TABLE_LEAF:
                rowid, at = _varint(content, at)
            if length <= _MOST_BYTES:
                yield Found(rowid, _values(_payload(content, at, length, kind, page)))
        except (ValueError, IndexError, struct.error):
            continue


def _payload(content: bytes, at: int, length: int, kind: int, page: Any) -> bytes:
    """What the cell holds, with what overflowed into other pages."""
    size = len(content)
    most = size - 35 if kind == _TABLE_LEAF else (size - 12) * 64 // 255 - 23
    if length <= most:
        return content[at : at + length]
    least = (size - 12) * 32 // 255 - 23
    here = least + (length - least) % (size - 4)
    here = here if here <= most else least
    parts = [content[at : at + here]]
    (following,) = struct.unpack_from(">I", content, at + here)
    left = length - here
    while left > 0:
        overflow = page(following)
        if not following or len(overflow) != size:
            raise ValueError("the row ends too early")
        parts.append(overflow[4 : 4 + left])
        left -= size - 4
        (following,) = struct.unpack_from(">I", overflow, 0)
    return b"".join(parts)


def _values(payload: bytes) -> list[Any]:
    """The values of a record. Raises ValueError when they do not fill it exactly."""
    end, at = _varint(payload, 0)
    body = end
    values: list[Any] = []
    while at < end:
        kind, at = _varint(payload, at)
        value, body = _value(payload, body, kind)
        values.append(value)
    if at != end or body != len(payload):
        raise ValueError("no record")
    return values


def _value(payload: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    if kind in _NUMBERS:
        end = at + _NUMBERS[kind]
        return int.from_bytes(payload[at:end], "big", signed=True), end
    if kind < 12:
        raise ValueError("a kind of value that is not used here")
    end = at + (kind - 12) // 2
    data = payload[at:end]
    return (data.decode() if kind % 2 else data), end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 1 to 9 bytes, the high bits first, and where it ends."""
    number = 0
    for index in range(8):
        octet = data[at + index]
        number = number << 7 | octet & 0x7F
        if octet < 0x80:
            return number, at + index + 1
    number = number << 8 | data[at + 8]
    return number - (1 << 64) if number >= 1 << 63 else number, at + 9
