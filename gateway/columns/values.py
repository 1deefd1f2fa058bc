"""One column of values of any kind, as whole numbers: decimals scaled, texts by their place in a table. Pure."""

import math
import struct
from collections.abc import Sequence

from gateway.columns.integers import Reader, Writer
from gateway.records import Value

_INT, _BOOL, _TEXT, _DOUBLE, _MIXED = range(5)
_DECIMAL = 16  # and the number of decimals
_TYPES: dict[type, int] = {int: _INT, bool: _BOOL, str: _TEXT, float: _DOUBLE}
_MOST_DECIMALS = 15


def write(out: Writer, column: Sequence[Value], texts: dict[str, int], ordered: bool) -> None:
    """Append `column`; `texts` gives every text its number. `ordered`: it is one device's, in time."""
    kinds = set(map(type, column))
    if len(kinds) > 1:
        out.head.append(_MIXED)
        kind_of = [_TYPES[type(value)] for value in column]
        out.column(kind_of)
        for kind in sorted(set(kind_of)):
            write(out, [value for value, its in zip(column, kind_of, strict=True) if its == kind], texts, ordered)
        return
    kind = _TYPES[kinds.pop()]
    if kind == _DOUBLE:
        _write_floats(out, column, ordered)  # type: ignore[arg-type]  # all of them are
        return
    out.head.append(kind)
    out.column([texts[v] if isinstance(v, str) else int(v) for v in column], ordered)


def read(source: Reader, count: int, texts: Sequence[str]) -> list[Value]:
    """The next column of `count` values. Raises ValueError when there is none."""
    kind = source.number()
    if kind == _MIXED:
        kind_of = source.column(count)
        parts = {kind: iter(read(source, kind_of.count(kind), texts)) for kind in sorted(set(kind_of))}
        return [next(parts[kind]) for kind in kind_of]
    if kind == _DOUBLE:
        return list(struct.unpack(f"<{count}d", source.doubles(count)))
    if _DECIMAL <= kind <= _DECIMAL + _MOST_DECIMALS:
        return source.decimals(count, 10 ** (kind - _DECIMAL))  # type: ignore[return-value]  # doubles are values
    numbers = source.column(count)
    if kind == _INT:
        return numbers  # type: ignore[return-value]  # whole numbers are values
    if kind == _BOOL:
        return [number != 0 for number in numbers]
    if kind == _TEXT:
        if min(numbers) < 0:
            raise ValueError("a text that is not in the table")
        return [texts[number] for number in numbers]
    raise ValueError(f"values of the kind {kind}")


def _write_floats(out: Writer, column: Sequence[float], ordered: bool) -> None:
    found = _as_decimals(column)
    if found is None:
        out.head.append(_DOUBLE)
        out.doubles += struct.pack(f"<{len(column)}d", *column)
        return
    decimals, numbers = found
    out.head.append(_DECIMAL + decimals)
    out.column(numbers, ordered)


def _as_decimals(column: Sequence[float]) -> tuple[int, list[int]] | None:
    """The column as whole numbers of so many decimals, when each comes back bit for bit; else None."""
    likely = max(_decimals(value) for value in (column[0], column[len(column) // 2], column[-1]))
    return _scaled(column, likely) or _scaled(column, max(map(_decimals, column)))


def _decimals(value: float) -> int:
    """How many decimals the shortest form of `value` has."""
    _, _, tail = repr(value).partition(".")
    digits, _, exponent = tail.partition("e")
    if not exponent:
        _, _, exponent = repr(value).partition("e")
    return max(0, (0 if digits == "0" else len(digits)) - int(exponent or 0))


def _scaled(column: Sequence[float], decimals: int) -> tuple[int, list[int]] | None:
    if decimals > _MOST_DECIMALS:
        return None
    scale = 10**decimals
    try:
        numbers = [round(value * scale) for value in column]
    except (OverflowError, ValueError):  # infinite, or no number
        return None
    if [number / scale for number in numbers] != column:
        return None
    if 0 in numbers and any(value == 0 and math.copysign(1.0, value) < 0 for value in column):
        return None  # -0.0 equals 0.0 and is another
    return decimals, numbers
