"""What is packed comes back the same, bit for bit and in the same order; other bytes are refused with a reason."""

import math
import random
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.columns import Unpacked, opened, pack, pack_quickly, unpack
from gateway.columns.integers import Reader, Writer
from gateway.records import Message, Reading, Value
from gateway.uplink import native

_names = st.sampled_from(["voltage", "current", "power", "state", "名", "", "x" * 300])
_numbers = st.floats() | st.integers(-(2**63), 2**64 - 1) | st.booleans()
_decimals = st.integers(-(10**6), 10**6).map(lambda number: number / 10)
_values: st.SearchStrategy[Value] = _numbers | _decimals | st.text(max_size=5)
_readings = st.builds(
    Reading,
    device=st.sampled_from(["b0101", "b0102", "b0201", "表"]),
    at=st.integers(0, 2**42),
    mono=st.integers(0, 2**42),
    clock=st.sampled_from(["trusted", "corrected", "untrusted"]),
    values=st.dictionaries(_names, _values, max_size=4),
    marks=st.dictionaries(_names, st.sampled_from(["stale", "bad"]), max_size=2),
)


def _exactly(readings: list[Reading]) -> list[Any]:
    """With the kind, the bits and the order of every value."""
    return [
        (r.device, r.at, r.mono, r.clock, [(n, type(v), _bits(v)) for n, v in r.values.items()], [*r.marks.items()])
        for r in readings
    ]


def _bits(value: Value) -> Any:
    return struct.pack("<d", value) if isinstance(value, float) else value


@given(st.lists(_readings, max_size=40))
def test_everything_comes_back(readings: list[Reading]) -> None:
    """Whatever the kinds of values, their order, marks, clocks and devices."""
    assert _exactly(unpack(pack(readings))) == _exactly(readings)


@given(st.lists(_readings, min_size=1, max_size=40))
def test_what_is_packed_quickly_comes_back(readings: list[Reading]) -> None:
    """The same for the quick form, where no value is infinite or no number."""
    readings = [r for r in readings if all(math.isfinite(v) for v in r.values.values() if isinstance(v, float))]
    if readings:
        assert _exactly(unpack(pack_quickly(readings))) == _exactly(readings)


@given(st.lists(_readings, min_size=1, max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_what_leaves_line_by_line_is_what_each_reading_would_be(readings: list[Reading], begin: int, end: int) -> None:
    """Taken apart, any stretch of a block is the same readings, and its text the same message, byte for byte."""
    finite = [r for r in readings if all(math.isfinite(v) for v in r.values.values() if isinstance(v, float))]
    apart = opened(pack(finite))[begin:end]
    assert isinstance(apart, Unpacked)
    assert apart == finite[begin:end]
    if apart:
        message = Message(epoch="e", seq=7, sent=0, boot='"readings":[]', first=1, records=apart, last=60)
        plain = msgspec.structs.replace(message, records=tuple(finite[begin:end]))
        assert native.encode(message) == native.encode(plain)


@given(st.lists(_decimals | st.sampled_from([0.0, -0.0, 1e-7, 1e300, 0.1 + 0.2]), min_size=1, max_size=60))
def test_a_column_of_decimals_comes_back(column: list[float]) -> None:
    """Long columns of one device, where decimals, doubles and -0.0 stand together."""
    readings = [_reading("b0101", number, {"v": value}) for number, value in enumerate(column)]
    assert _exactly(unpack(pack(readings))) == _exactly(readings)


@given(st.lists(st.lists(st.integers() | st.integers(-50, 50), max_size=60), max_size=4))
def test_whole_numbers_of_any_size_come_back(columns: list[list[int]]) -> None:
    """Each column alone and one after the other, with outliers of any size."""
    out = Writer()
    for column in columns:
        out.column(column)
    source = Reader(*out.sections())
    assert [source.column(len(column)) for column in columns] == columns


@settings(max_examples=150)
@given(st.binary(max_size=200), st.integers(0, 10**6), st.integers(0, 255))
def test_other_bytes_are_refused(noise: bytes, place: int, octet: int) -> None:
    """Noise, cut and spoiled bytes raise ValueError and nothing else; what still decodes is readings."""
    readings = [_reading(f"b{number % 7}", number, {"v": number / 10, "s": "on"}) for number in range(50)]
    good = pack(readings) if octet % 2 else pack_quickly(readings)
    spoiled = bytearray(good)
    spoiled[place % len(good)] = octet
    for body in (noise, good[: place % len(good)], good + noise + b"\0", bytes(spoiled)):
        try:
            found = unpack(body)
        except ValueError:
            continue
        assert all(isinstance(reading, Reading) for reading in found)


def test_a_bomb_is_refused() -> None:
    """A few bytes that say they are four thousand million values."""
    out = Writer()
    for number in (1 << 16, 1, 0, 1):
        out.number(number)
    out.text("d")
    with pytest.raises(ValueError, match="no packed readings"):
        unpack(b"\1" + b"".join(bytes([len(part) * 2]) + part for part in out.sections()))


def test_noise_costs_little_more_than_its_entropy() -> None:
    """Gaussian noise of 100 steps has 8.7 bits a value: 4,096 readings of 100 devices stay below 9.6 with all else."""
    chance = random.Random(5)
    readings = [
        _reading(f"b{number % 100:04d}", number * 100, {f"v{n}": round(chance.gauss(230, 10), 1) for n in range(10)})
        for number in range(4096)
    ]
    body = pack(readings)
    assert len(body) * 8 / 40_960 < 9.6
    assert len(body) < len(msgspec.json.encode(readings)) / 12


def test_a_small_message_is_small() -> None:
    """20 readings of 20 devices, 10 values each: names and all below 1.5 bytes a value for noise of 20 steps."""
    chance = random.Random(5)
    names = ["voltage", "current", "power", "energy", "frequency", "power_factor", "temperature", "residual", "a", "b"]
    readings = [
        _reading(f"b01{number:02d}", number * 100, {name: round(chance.gauss(50, 2), 1) for name in names})
        for number in range(20)
    ]
    assert len(pack(readings)) < 1.5 * 200


def _reading(device: str, number: int, values: dict[str, Value]) -> Reading:
    at = 1_795_000_000_000 + number
    return Reading(device=device, at=at, mono=number + 100, clock="trusted", values=values)
