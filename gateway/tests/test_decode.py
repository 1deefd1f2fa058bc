"""Raw words into values as a person would write them, and back."""

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationError
from gateway.profile import Register
from gateway.profile.decode import absent_value, decode, encode
from gateway.records import Value


def register(type_: str, kind: str = "holding", **more: Any) -> Register:
    return Register.model_validate({"name": "x", "kind": kind, "address": 0, "type": type_, "access": "rw"} | more)


@pytest.mark.parametrize(
    ("made", "raw", "value"),
    [
        (register("u16", scale=0.1), [2301], 230.1),
        (register("u16", scale=0.001), [35], 0.035),
        (register("i16", scale=0.1, offset=-40), [0xFFFF], -40.1),
        (register("i16"), [0x8000], -32768),
        (register("u32"), [1, 2], 65538),
        (register("u32", word_order="little"), [2, 1], 65538),
        (register("u32", byte_order="little"), [0x0100, 0x0200], 65538),
        (register("u32", word_order="little", byte_order="little"), [0x0200, 0x0100], 65538),
        (register("i32"), [0xFFFF, 0xFFFE], -2),
        (register("u64"), [0xFFFF] * 4, 18446744073709551615),
        (register("i64"), [0xFFFF] * 4, -1),
        (register("f32"), [0x4366, 0x199A], 230.1),
        (register("f32", scale=1000), [0x4366, 0x199A], 230100.0),
        (register("f64"), [0x406C, 0xC333, 0x3333, 0x3333], 230.1),
        (register("u16", scale=10), [23], 230),
        (register("string", length=3), [0x4765, 0x7775, 0], "Gewu"),
        (register("string", length=2, byte_order="little"), [0x6547, 0x7577], "Gewu"),
        (register("string", length=1), [0x41FF], "A\N{REPLACEMENT CHARACTER}"),
        (register("bool", "coil"), [1], True),
        (register("bool"), [0x0100], True),
    ],
)  # fmt: skip
def test_values_come_out_as_written(made: Register, raw: list[int], value: Value) -> None:
    """Every type, order, scale and offset, with clean decimals and the type that fits."""
    values, marks = decode(made, raw)
    assert values == {"x": value}
    assert type(values["x"]) is type(value)
    assert not marks


def test_what_is_not_fitted_is_no_value() -> None:
    """The raw number that says "not here" gives nothing at all; its neighbour is a value, marked as usual."""
    probe = register("i16", scale=0.1, absent=-32768, valid=(-60, 200))
    assert decode(probe, [0x8000]) == ({}, {})
    assert absent_value(probe) == -3276.8
    assert decode(probe, [0x8001]) == ({"x": -3276.7}, {"x": "bad"})


def test_bits_become_booleans_of_their_own() -> None:
    """Each named bit is a value; the word itself is not."""
    made = register("bits", bits=[[0, "closed"], [3, "failed"], [15, "top"]])
    assert decode(made, [0x8001]) == ({"closed": True, "failed": False, "top": True}, {})


@pytest.mark.parametrize(("raw", "mark"), [(0, {}), (5000, {}), (5001, {"x": "bad"}), (65535, {"x": "bad"})])
def test_what_is_not_valid_is_kept_and_marked(raw: int, mark: dict[str, str]) -> None:
    """The bounds themselves are valid; outside them a value stays and is marked bad."""
    values, marks = decode(register("u16", scale=0.1, valid=[0, 500]), [raw])
    assert values["x"] == pytest.approx(raw / 10)
    assert marks == mark


@given(st.lists(st.integers(0, 65535), min_size=2, max_size=2), st.floats(-1e6, 1e6).filter(bool))
def test_every_float_leaves_as_valid_json(raw: list[int], scale: float) -> None:
    """Whatever four bytes come, the value can be written as JSON; what is no finite number is bad."""
    values, marks = decode(register("f32", scale=scale), raw)
    json.dumps(values, allow_nan=False)
    single = struct.unpack(">f", b"".join(word.to_bytes(2, "big") for word in raw))[0]
    assert bool(marks) == (not math.isfinite(single))


@given(
    st.sampled_from(["u16", "i16", "u32", "i32", "u64", "i64", "f64"]),
    st.sampled_from([1.0, 0.1, 0.001, 10.0]),
    st.sampled_from(["big", "little"]),
    st.sampled_from(["big", "little"]),
    st.data(),
)
def test_what_is_written_is_read_back(type_: str, scale: float, words: str, octets: str, data: st.DataObject) -> None:
    """Encoding a decoded value gives the raw words again, for every integer type and order."""
    made = register(type_, scale=scale, word_order=words, byte_order=octets)
    limit = 0xFFFF if type_ in ("u16", "i16") else 0x0FFF  # 48 bits: exact in a double after scaling
    size = min(made.size, 3)
    raw = [0] * (made.size - size) + data.draw(st.lists(st.integers(0, limit), min_size=size, max_size=size))
    if type_ == "f64":
        raw = [0x4059, *raw[1:]]
    raw = raw if words == "big" else raw[::-1]
    if octets == "little":
        raw = [int.from_bytes(word.to_bytes(2, "big"), "little") for word in raw]
    values, _ = decode(made, raw)
    again = decode(made, encode(made, values["x"]))[0]
    assert again["x"] == pytest.approx(values["x"], rel=1e-15)
    if type_ != "f64":
        assert encode(made, values["x"]) == raw


@pytest.mark.parametrize(
    ("made", "value", "words"),
    [
        (register("u16"), 65536, "does not fit"),
        (register("u16"), -1, "does not fit"),
        (register("u16", valid=[0, 600]), 601, "takes 0 to 600"),
        (register("u16"), "5", "takes a number"),
        (register("u16"), True, "takes a number"),
        (register("f32"), math.inf, "finite"),
        (register("f32"), 1e39, "does not fit"),
        (register("bool", "coil"), 1, "true or false"),
        (register("string", length=1), "abc", "at most 2 bytes"),
        (register("bits", bits=[[0, "a"]]), True, "several bits"),
        (register("u16", access="r"), 1, "only be read"),
    ],
)
def test_what_does_not_fit_is_refused(made: Register, value: Value, words: str) -> None:
    """Nothing is cut off or wrapped around on its way to a device; the sentence says why."""
    with pytest.raises(ConfigurationError, match=words):
        encode(made, value)


def test_raw_of_the_wrong_size_is_no_value() -> None:
    """Half a number is refused, not guessed."""
    with pytest.raises(ValueError, match="2 words"):
        decode(register("u32"), [1])
