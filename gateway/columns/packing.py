"""Readings into bytes and back, bit for bit: every float, and every name and mark in its order. Pure.

Layout, all numbers as in `gateway.columns.integers`:

    1 byte          2: a column for each device and name; 1: one for each name, over all devices
                    (3: no columns, see `gateway.columns.quick`)
    4 sections      varint(length * 2 + whether deflated), then the bytes: head, unary bits, plain bits, doubles

The head, deflated with the preset dictionary `WORDS`, holds in this order: the number of readings; the tables of
devices, names and shapes (clock, names of the values, marks); which device and which shape each reading has; the
table of texts; then the columns: times, times less monotonic times, and values as in `gateway.columns.values`.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

from gateway.columns import tables, values
from gateway.columns.integers import Reader, Writer, varint
from gateway.columns.quick import FORM, unpack_quickly
from gateway.columns.tables import LastShape, Shape, Successor
from gateway.columns.unpacked import Table, Unpacked, makers
from gateway.columns.words import WORDS
from gateway.records import Reading, Value

MOST_READINGS = 1 << 16
_MOST_BYTES = 1 << 25
_MOST_VALUES = 1 << 22
_WORTH_DEFLATING = 128  # bytes; fewer of bits that are noise already gain nothing
_BY_NAME, _BY_DEVICE = 1, 2
_PER_DEVICE = 5  # from so many readings of a device on, columns of its own are worth their beginnings

Key = str | tuple[int, str]  # of a column: a name, or a device's number and a name


def pack(readings: Sequence[Reading]) -> bytes:
    """The bytes for `readings`, at most `MOST_READINGS` of them."""
    if len(readings) > MOST_READINGS:
        raise ValueError(f"{len(readings)} readings are too many for one block of {MOST_READINGS}")
    devices: dict[str, int] = {}
    of_device = [devices.setdefault(r.device, len(devices)) for r in readings]
    shapes: dict[Shape, int] = {}
    of_shape = [shapes.setdefault((r.clock, tuple(r.values), tuple(r.marks.items())), len(shapes)) for r in readings]
    names = {name: None for _, kept, marks in shapes for name in (*kept, *(name for name, _ in marks))}
    way = _BY_DEVICE if len(readings) >= _PER_DEVICE * len(devices) else _BY_NAME
    out = Writer()
    out.number(len(readings))
    tables.write_texts(out, list(devices))
    tables.write_texts(out, list(names))
    tables.write_shapes(out, list(shapes), {name: place for place, name in enumerate(names)})
    tables.write_sequence(out, of_device, Successor())
    tables.write_sequence(out, of_shape, LastShape(of_device))
    columns = _columns(readings, of_device, of_shape, way == _BY_DEVICE)
    with_texts = [column for column in columns if str in set(map(type, column))]
    texts = {text: None for column in with_texts for text in column if isinstance(text, str)}
    tables.write_texts(out, list(texts))
    out.column([r.at for r in readings])
    out.column([r.at - r.mono for r in readings])
    places = {text: place for place, text in enumerate(texts)}
    for column in columns:
        values.write(out, column, places, ordered=way == _BY_DEVICE)
    head, *rest = out.sections()
    return bytes([way]) + _section(head, WORDS) + b"".join(_section(part) for part in rest)


def unpack(body: bytes) -> list[Reading]:
    """The readings that `pack` or `pack_quickly` made `body` of. Raises ValueError for any other bytes."""
    return list(opened(body))


def opened(body: bytes) -> Sequence[Reading]:
    """As `unpack`, but what `pack` packed is only taken apart: `Unpacked`."""
    try:
        return unpack_quickly(body) if body[0] == FORM else Unpacked(_table(body))
    except (
        TypeError,
        ValueError,
        zlib.error,
        IndexError,
        OverflowError,
        struct.error,
        StopIteration,
        RuntimeError,
    ) as error:
        raise ValueError(f"these are no packed readings: {error}") from error


def _columns(
    readings: Sequence[Reading], of_device: Sequence[int], of_shape: Sequence[int], by_device: bool
) -> list[list[Value]]:
    columns: dict[Key, list[Value]] = {}
    adding: dict[tuple[int, int], list[Callable[[Value], None]]] = {}
    for reading, device, shape in zip(readings, of_device, of_shape, strict=True):
        add = adding.get((device, shape))
        if add is None:
            keys: list[Key] = [(device, name) if by_device else name for name in reading.values]
            add = adding[device, shape] = [columns.setdefault(key, []).append for key in keys]
        for to, value in zip(add, reading.values.values(), strict=True):
            to(value)
    return list(columns.values())


def _table(body: bytes) -> Table:
    way, source = body[0], Reader(*_sections(body))
    if way not in (_BY_NAME, _BY_DEVICE):
        raise ValueError(f"a form {way}")
    total = source.number(MOST_READINGS)
    devices = tables.read_texts(source)
    shapes = tables.read_shapes(source, tables.read_texts(source))
    of_device = tables.read_sequence(source, total, len(devices), Successor())
    of_shape = tables.read_sequence(source, total, len(shapes), LastShape(of_device))
    texts = tables.read_texts(source)
    times, starts = source.column(total), source.column(total)
    of_group = list(zip(of_device, of_shape, strict=True)) if way == _BY_DEVICE else [(0, s) for s in of_shape]
    rows = _rows(source, shapes, texts, of_group, way == _BY_DEVICE)
    return Table(devices, shapes, of_device, of_shape, times, starts, rows)


def _rows(
    source: Reader, shapes: list[Shape], texts: list[str], of_group: list[tuple[int, int]], by_device: bool
) -> list[Any]:
    """The values of each reading, as `makers` make one of them; the readings of one group have the same columns."""
    groups = Counter(of_group)
    keys: dict[tuple[int, int], list[Key]] = {
        group: [(group[0], name) for name in shapes[group[1]][1]] if by_device else list(shapes[group[1]][1])
        for group in groups
    }
    lengths: dict[Key, int] = {}
    for group, count in groups.items():
        for key in keys[group]:
            lengths[key] = lengths.get(key, 0) + count
    if sum(lengths.values()) > _MOST_VALUES:
        raise ValueError("more values than in any of ours")
    columns = {key: iter(values.read(source, length, texts)) for key, length in lengths.items()}
    # Columns that several groups share give each its values in turn, as those of one group do by themselves.
    make = makers(shapes)
    following = {
        group: (map(make[group[1]], *(columns[key] for key in its)) if its else repeat(make[group[1]]())).__next__
        for group, its in keys.items()
    }
    return [following[group]() for group in of_group]


def _section(data: bytes, words: bytes = b"") -> bytes:
    if words or len(data) >= _WORTH_DEFLATING:
        # A window and tables no larger than the data: making them is what deflating something small costs.
        window = max(11, min(15, (len(data) + len(words)).bit_length()))
        deflate = zlib.compressobj(9, zlib.DEFLATED, -window, window - 6, zlib.Z_DEFAULT_STRATEGY, words)
        deflated = deflate.compress(data) + deflate.flush()
        if len(deflated) < len(data):
            return varint(len(deflated) * 2 + 1) + deflated
    return varint(len(data) * 2) + data


def _sections(body: bytes) -> Iterator[bytes]:
    lengths = Reader(body[1:])
    for words in (WORDS, b"", b"", b""):
        length, deflated = divmod(lengths.number(), 2)
        data = lengths.octets(length)
        if deflated:
            inflate = zlib.decompressobj(-15, zdict=words)
            data = inflate.decompress(data, _MOST_BYTES)
            if not inflate.eof or inflate.unused_data:
                raise ValueError("a section is cut, or larger than any of ours")
        yield data
    if not lengths.at_end():
        raise ValueError("something follows them")
