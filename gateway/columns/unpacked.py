"""Readings taken apart column by column and not put together before somebody looks. Pure.

A backlog that leaves as JSON needs each reading as a line of text, and never as an object: `lines` writes all of them
at once. It packs nothing, and knows nothing of messages.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple, overload

import msgspec

from gateway.columns.tables import Shape
from gateway.records import ClockState, Mark, Reading, Value, rfc3339

_LAYOUTS = 64  # shapes of readings whose text is prepared
# What has more shapes, or larger ones, is nobody's backlog: it is not worth, or not meant to be, prepared for.
_MOST_SHAPES, _MOST_NAMES = 16, 64


class Table(NamedTuple):
    """Readings by number: which device and shape, times, times less monotonic times, and the values, by `makers`."""

    devices: Sequence[str]
    shapes: Sequence[Shape]
    of_device: Sequence[int]
    of_shape: Sequence[int]
    times: Sequence[int]
    starts: Sequence[int]
    rows: Sequence[Any]


class _Line(msgspec.Struct, gc=False):
    """A reading as it stands in a message of the native format: the keys of `native.WireReading`, in their order."""

    device: str
    at: str
    clock: ClockState
    values: Any
    marks: dict[str, Mark]


_encode_lines = msgspec.json.Encoder().encode_lines


class Unpacked(Sequence[Reading]):
    """The readings of a table, or some that follow one another; each is made when it is looked at."""

    def __init__(self, table: Table, begin: int = 0, end: int | None = None, lines: list[bytes] | None = None) -> None:
        self._table = table
        self._begin = begin
        self._end = len(table.rows) if end is None else end
        self._lines: list[bytes] = [] if lines is None else lines  # of the whole table, once they are made

    def lines(self) -> list[bytes]:
        """Each reading as JSON, as it stands in a message; made for the whole table at once."""
        if not self._lines:
            self._lines += _written(self._table)
        return self._lines[self._begin : self._end]

    @property
    def trusted(self) -> bool:
        """Whether no reading of the table has an untrusted time."""
        return all(clock != "untrusted" for clock, _, _ in self._table.shapes)

    def __len__(self) -> int:
        return self._end - self._begin

    @overload
    def __getitem__(self, index: int) -> Reading: ...
    @overload
    def __getitem__(self, index: slice) -> "Unpacked": ...
    def __getitem__(self, index: int | slice) -> "Reading | Unpacked":
        within = range(self._begin, self._end)[index]
        if isinstance(within, int):
            return _reading(self._table, within)
        if within.step != 1:
            raise ValueError("readings that do not follow one another")
        return Unpacked(self._table, within.start, max(within.start, within.stop), self._lines)

    def __iter__(self) -> Iterator[Reading]:
        return (_reading(self._table, place) for place in range(self._begin, self._end))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Sequence) and tuple(self) == tuple(other))

    __hash__ = None  # type: ignore[assignment]  # it is compared like a list


def makers(shapes: Sequence[Shape]) -> list[Callable[..., Any]]:
    """For each shape what makes one thing of the values of a reading: it can be written, and read by `_values`."""
    if len(shapes) > _MOST_SHAPES or any(len(names) > _MOST_NAMES for _, names, _ in shapes):
        return [partial(_object, names) for _, names, _ in shapes]
    return [_layout(names) for _, names, _ in shapes]


def _reading(table: Table, place: int) -> Reading:
    clock, names, marks = table.shapes[table.of_shape[place]]
    at, row = table.times[place], table.rows[place]
    values = dict(row) if isinstance(row, dict) else dict(zip(names, msgspec.structs.astuple(row), strict=True))
    return Reading(
        device=table.devices[table.of_device[place]],
        at=at,
        mono=at - table.starts[place],
        clock=clock,
        values=values,
        marks=dict(marks),
    )


def _written(table: Table) -> list[bytes]:
    """The text of every reading; what is done for each is done by the library, as far as it can."""
    clocks = [clock for clock, _, _ in table.shapes]
    marks = [dict(its) for _, _, its in table.shapes]
    found = map(
        _Line,
        map(table.devices.__getitem__, table.of_device),
        map(rfc3339, table.times),
        map(clocks.__getitem__, table.of_shape),
        table.rows,
        map(marks.__getitem__, table.of_shape),
    )
    return _encode_lines(list(found)).split(b"\n")[:-1]


@lru_cache(_LAYOUTS)
def _layout(names: tuple[str, ...]) -> Callable[..., Any]:
    """Makes of values what is written as an object with these keys; the collector of garbage never looks at it."""
    fields = {f"v{place}": name for place, name in enumerate(names)}
    try:
        return msgspec.defstruct("Values", [(field, Any) for field in fields], rename=fields, gc=False)
    except ValueError:  # a key that would have to be escaped
        return partial(_object, names)


def _object(names: tuple[str, ...], *values: Value) -> dict[str, Value]:
    return dict(zip(names, values, strict=True))
