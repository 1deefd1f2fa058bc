"""A board's line of JSON: what is believed, and what it becomes."""

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bus.jsonl import BadLine, Report, parse, values_of
from gateway.profile import Profile, load


def line(**changes: Any) -> bytes:
    """A line as the firmware writes it; the checksum is zlib's."""
    fields = {
        "v": 1,
        "seq": 7,
        "profile": "gewu-sensor",
        "serial": "GW-1",
        "role": "sensor",
        "address": 2,
        "values": {},
    }
    body = json.dumps(fields | changes, separators=(",", ":")).encode()[:-1]
    return body + b',"crc":"%08x"}\r\n' % zlib.crc32(body)


GOOD = line(values={"voltage": 230.1, "overload": False})


def test_a_good_line_is_a_report() -> None:
    """All of it is there; trouble is taken along."""
    report = parse(GOOD)
    assert report is not None
    assert (report.seq, report.address, report.values, report.trouble) == (
        7, 2, {"voltage": 230.1, "overload": False}, None,
    )  # fmt: skip
    troubled = parse(line(trouble="meter"))
    assert troubled is not None
    assert troubled.trouble == "meter"


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (GOOD.replace(b"230.1", b"280.1"), "crc"),
        (GOOD[:-20], "cut"),
        (GOOD[:60] + GOOD, "crc"),
        (line(v=2), "version"),
        (line(seq="7"), "version"),
        (line(values=[]), "version"),
    ],
)
def test_a_bad_line_is_counted_by_its_cause(bad: bytes, cause: str) -> None:
    """Garbled, cut, run together, or of another schema: nothing of it is believed."""
    with pytest.raises(BadLine) as raised:
        parse(bad)
    assert raised.value.cause == cause


@pytest.mark.parametrize("words", [b"", b"\r\n", b"MicroPython v1.28\r\n", b">>> ", b'{"other": 1}', b"\xff\x00{"])
def test_what_a_repl_says_is_no_error(words: bytes) -> None:
    """A port that a person uses carries other lines too."""
    assert parse(words) is None


@given(st.integers(0, (len(GOOD) - 2) * 8 - 1))
def test_no_flipped_bit_goes_through(bit: int) -> None:
    """A good line with any one bit flipped gives nothing, or nothing else."""
    broken = bytearray(GOOD)
    broken[bit // 8] ^= 1 << bit % 8
    try:
        assert parse(bytes(broken)) in (None, parse(GOOD))
    except BadLine:
        pass


@given(st.binary(max_size=200))
def test_noise_is_never_a_report(noise: bytes) -> None:
    """Random bytes give nothing and never a crash."""
    try:
        assert parse(noise) is None
    except BadLine:
        pass


def test_values_are_those_of_the_profile() -> None:
    """Unknown names and wrong types are passed over, impossible values are marked bad and kept."""
    profile: Profile = load("gewu-sensor")
    report = Report(
        v=1, seq=1, profile="gewu-sensor", serial="", role="sensor", address=1, crc="",
        values={"voltage": 900.0, "current": True, "overload": 1, "meter_fault": True, "later": 5, "frequency": 50},
    )  # fmt: skip
    assert values_of(report, profile) == (
        {"voltage": 900.0, "meter_fault": True, "frequency": 50},
        {"voltage": "bad"},
    )
