"""The native format against the shapes of contract section 4."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.records import Event, Gap, Message, Reading
from gateway.uplink import native

_AT = 1_795_000_000_123
_READING = Reading(
    device="b0101",
    at=_AT,
    mono=5,
    clock="trusted",
    values={"voltage": 230.1, "closed": True},
    marks={"voltage": "stale"},
)
_EVENT = Event(
    id="4b1c", kind="trip.overcurrent", grade=1, device="b0101", place="街道/社区", raised=_AT, cleared=None, mono=5,
    clock="trusted", values={"current": 80.5},
)  # fmt: skip
_GAP = Gap(stream="readings", first=7, last=9, start=_AT, end=_AT + 1, reason="store full")


def _message(record: Reading | Event | Gap) -> Message:
    return Message(epoch="e-1", seq=3, sent=_AT, boot="boot-1", first=7, records=(record,))  # type: ignore[arg-type]


def test_readings_payload() -> None:
    """Keys, nesting and times of `.../readings`."""
    kind, payload = native.encode(_message(_READING))
    assert kind == "readings"
    assert json.loads(payload) == {
        "seq": 3, "epoch": "e-1", "boot": "boot-1", "sent": "2026-11-18T11:06:40.123Z", "first": 7,
        "readings": [{
            "device": "b0101", "at": "2026-11-18T11:06:40.123Z", "clock": "trusted",
            "values": {"voltage": 230.1, "closed": True}, "marks": {"voltage": "stale"},
        }],
    }  # fmt: skip


def test_event_payload() -> None:
    """Keys of `.../events`; the record that raises has `cleared` null; Chinese stays as it is."""
    kind, payload = native.encode(_message(_EVENT))
    assert kind == "events"
    assert "街道/社区".encode() in payload
    assert json.loads(payload) == {
        "seq": 3, "epoch": "e-1", "n": 7, "id": "4b1c", "kind": "trip.overcurrent", "grade": 1, "device": "b0101",
        "place": "街道/社区", "raised": "2026-11-18T11:06:40.123Z", "cleared": None, "values": {"current": 80.5},
        "evidence": [],
    }  # fmt: skip


def test_gap_payload() -> None:
    """Keys of `.../gaps`, `from` and `to` among them."""
    kind, payload = native.encode(_message(_GAP))
    assert (kind, list(json.loads(payload))) == (
        "gaps", ["seq", "epoch", "stream", "first", "last", "from", "to", "reason"],
    )  # fmt: skip


@pytest.mark.parametrize(
    "payload",
    [
        *(native.encode(_message(record))[1] for record in (_READING, _EVENT, _GAP)),
        native.encode_status("online", _AT, "0.1.0", "boot-1"),
        native.encode_ack("e-1", 5),
        native.encode_replay("e-1", 2, 5),
        native.encode_health(_AT, {"disk": {"free": 1}}),
        b'{"seq": 1, "epoch": "e", "n": 1, "id": "x", "case": {}, "transition": {}}',
        b'{"id": "x", "result": "done", "why": "", "readback": {}, "at": "2026-11-18T11:06:40.123Z"}',
    ],
)
def test_every_payload_is_recognised_by_its_bytes(payload: bytes) -> None:
    """`decode` gives the content of each payload of section 4 without its topic."""
    assert native.decode(payload) == json.loads(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00\x01",
        b"[]",
        b"{}",
        b'{"a": 1}',
        b'{"seq": 0, "readings": []}',
        b'{"seq": 1, "epoch": "e"',
        b"\xff" * 50,
    ],
)
def test_what_is_not_understood_is_a_sentence(payload: bytes) -> None:
    """Anything else raises ValueError, nothing worse."""
    with pytest.raises(ValueError):
        native.decode(payload)


@given(st.binary(max_size=200))
def test_noise_never_breaks_a_parser(noise: bytes) -> None:
    """Random bytes on any inbound topic are refused with ValueError alone."""
    for parse in (native.decode, native.parse_ack, native.parse_replay, lambda raw: native.parse("readings", raw)):
        with pytest.raises(ValueError):
            parse(noise)


@pytest.mark.parametrize(
    "payload",
    [b'{"epoch": "e", "from": 5, "to": 4}', b'{"epoch": "e", "from": 0, "to": 4}', b'{"epoch": "e", "from": 1}',
     b'{"epoch": "' + b"x" * 2000 + b'", "from": 1, "to": 2}'],
)  # fmt: skip
def test_wrong_replay_requests_are_refused(payload: bytes) -> None:
    """Upside down, from nothing, incomplete, or too long."""
    with pytest.raises(ValueError):
        native.parse_replay(payload)


def test_topics_there_and_back() -> None:
    """`address` undoes `topic` and refuses strangers."""
    assert native.address(native.topic("qingxi", "g1", "acks")) == ("qingxi", "g1", "acks")
    for stranger in ("gewu/a/b", "other/a/b/c", "gewu//b/c", "gewu/a/b/commands/5"):
        assert native.address(stranger) is None


def test_the_schema_covers_every_payload() -> None:
    """`gewu schema message` names each kind, and its definitions hold the keys of the contract."""
    schema = native.schema()
    numbered = {"readings", "events", "cases", "gaps", "corrections"}
    assert set(schema["properties"]) >= numbered | {"status", "acks", "replay"}
    assert set(schema["$defs"]["WireGap"]["properties"]) >= {"from", "to", "stream", "first", "last", "reason"}
    assert msgspec.json.encode(schema)


@pytest.mark.parametrize(
    "reader", [native.parse_ack, native.parse_replay, native.decode, lambda p: native.parse("cases", p)]
)
def test_what_is_nested_without_end_is_refused_like_any_other(reader: Any) -> None:
    """A thousand brackets are no reason for a thread to end."""
    for payload in (b'{"x":' + b"[" * 1015, b'{"epoch":' * 100, b"[" * 100_000):
        with pytest.raises(ValueError):
            reader(payload)
