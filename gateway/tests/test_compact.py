"""The compact form says what the JSON form says, and noise breaks nothing."""

import random
import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import columns
from gateway.records import Message, Reading
from gateway.uplink import compact, native

_EPOCH, _BOOT = str(uuid.UUID(int=7)), str(uuid.UUID(int=8))


def _message(*readings: Reading, **more: object) -> Message:
    content = {"epoch": _EPOCH, "seq": 41, "sent": 1_795_000_002_010, "boot": _BOOT, "first": 9001, "records": readings}
    return Message(**(content | more))  # type: ignore[arg-type]


def _reading(number: int = 0, **values: object) -> Reading:
    found = values or {"voltage": 231.4, "energy": 5, "closed": True, "state": "合闸", "power": 0.1 + 0.2}
    return Reading(
        device=f"b{number:04d}", at=1_795_000_000_512 + number, mono=5, clock="untrusted", values=found,  # type: ignore[arg-type]
        marks={"voltage": "stale"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "message",
    [
        _message(_reading()),
        _message(*map(_reading, range(100))),
        _message(_reading(), epoch="no uuid", boot="", seq=1, first=1),
        _message(_reading(), epoch=_EPOCH.upper()),
        _message(_reading(1), _reading(9), last=9050),
        _message(Reading(device="", at=0, mono=0, clock="trusted", values={}, marks={"x": "bad"})),
    ],
)
def test_both_forms_say_the_same(message: Message) -> None:
    """Every kind of value, texts that are no UUID, a filter's last number: parsed alike, and decoded alike."""
    small, large = native.encode(message, small=True), native.encode(message)
    assert (small[0], large[0]) == ("readings", "readings")
    assert native.parse("readings", small[1]) == native.parse("readings", large[1])
    assert native.recognise(small[1]) == native.recognise(large[1])
    assert native.encode(message, small=True) == small


def test_the_design_load_takes_a_tenth() -> None:
    """Twenty breakers with ten noisy values each: at least seven times smaller than JSON."""
    chance = random.Random(1)
    names = ["voltage", "current", "power", "energy", "frequency", "power_factor", "residual", "t1", "t2", "t3"]
    readings = [_reading(number, **{name: round(chance.gauss(50, 1), 1) for name in names}) for number in range(20)]
    message = _message(*readings)
    assert len(native.encode(message, small=True)[1]) * 7 < len(native.encode(message)[1])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 10, 30, 45, 60, 80])
def test_a_cut_payload_is_a_sentence(size: int) -> None:
    """Whatever is missing, ValueError says so."""
    payload = native.encode(_message(_reading()), small=True)[1]
    with pytest.raises(ValueError):
        native.parse("readings", payload[:size])


@given(st.binary(max_size=80))
def test_noise_behind_the_magic_is_refused(noise: bytes) -> None:
    """Random bytes never raise anything but ValueError."""
    for head in (compact.MAGIC, compact.MAGIC + b"\1", compact.MAGIC + b"\1\1\1\0\1\1\1"):
        with pytest.raises(ValueError):
            native.decode(head + noise)


def test_another_version_is_named() -> None:
    """A later layout is refused with its number, not misread."""
    payload = bytearray(native.encode(_message(_reading()), small=True)[1])
    payload[2] = 9
    with pytest.raises(ValueError, match="version 09"):
        native.decode(bytes(payload))


def test_decoding_gives_plain_json_values() -> None:
    """`gewu decode` prints what it gets: nothing in it is beyond JSON."""
    kind, content = native.recognise(native.encode(_message(_reading()), small=True)[1])
    assert (kind, content["first"], content["readings"][0]["values"]["state"]) == ("readings", 9001, "合闸")
    assert msgspec.json.decode(msgspec.json.encode(content)) == content


def test_a_block_leaves_as_it_lies() -> None:
    """Packed readings are not unpacked on their way, and say the same as those that are."""
    readings = [_reading(number) for number in range(9)]
    block = columns.Packed(columns.pack(readings), 9, readings[-1].at)
    kind, payload = native.encode(_message(records=block), small=True)
    assert block._readings is None
    assert native.parse(kind, payload) == native.parse(*native.encode(_message(*readings)))
    assert native.encode(_message(records=block))[1] == native.encode(_message(*readings))[1]
    assert (block[2], len(block), block == tuple(readings)) == (readings[2], 9, True)
    with pytest.raises(ValueError):
        columns.Packed(columns.pack(readings), 8, 0)[0]
