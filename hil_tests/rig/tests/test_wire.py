"""The timeline of the pair, without time."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil_tests.rig.wire import BATCH_S, Faults, Wire, inverted

CHARACTER = 10 / 9600


def quiet_wire(**faults: float) -> Wire:
    return Wire(random.Random(7), Faults(**faults))  # type: ignore[arg-type]


def drain(wire: Wire) -> list[tuple[float, str, bytes]]:
    """Everything that is delivered, each at the moment that the wire itself names."""
    heard = []
    while (moment := wire.next_time()) is not None:
        heard += [(moment, talker, data) for talker, data in wire.due(moment)]
    return heard


def test_the_last_character_arrives_when_its_last_bit_has_passed() -> None:
    """Eight characters at 9600 8N1 take 8.33 ms, and nothing is handed over later than that."""
    wire = quiet_wire()
    wire.transmit("m", b"12345678", CHARACTER, 5.0)
    heard = drain(wire)
    assert b"".join(data for _, _, data in heard) == b"12345678"
    assert heard[-1][0] == pytest.approx(5.0 + 8 * CHARACTER)
    assert wire.counters.busy_s == pytest.approx(8 * CHARACTER)


def test_nothing_arrives_before_its_time() -> None:
    """Asked too early, the wire hands over only characters that have ended."""
    wire = quiet_wire()
    wire.transmit("m", bytes(100), CHARACTER, 0.0)
    assert wire.due(BATCH_S / 2) == []
    (talker, data), *more = wire.due(BATCH_S + CHARACTER / 2)
    assert (talker, more) == ("m", [])
    assert len(data) == int((BATCH_S + CHARACTER / 2) / CHARACTER)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6), st.floats(0, 0.01))
def test_split_writes_of_one_talker_are_one_stream(parts: list[bytes], pause: float) -> None:
    """However a talker writes, its characters arrive once, in order, none faster than the wire."""
    wire = quiet_wire()
    now, heard = 0.0, []
    for part in parts:
        wire.transmit("m", part, CHARACTER, now)
        now += pause
        heard += wire.due(now)
    end = max(wire.next_time() or now, len(b"".join(parts)) * CHARACTER)
    heard += [(talker, data) for _, talker, data in drain(wire)]
    assert b"".join(data for _, data in heard) == b"".join(parts)
    assert end >= len(b"".join(parts)) * CHARACTER - 1e-9


def test_talkers_that_overlap_make_one_garbled_stream() -> None:
    """The overlap is right for neither, what stands free of it is, and it counts as a collision."""
    wire = quiet_wire()
    wire.transmit("a", b"AAAAAAAAAA", CHARACTER, 0.0)
    wire.transmit("b", b"BBBBBBBBBB", CHARACTER, 5 * CHARACTER)
    stream = b"".join(data for _, _, data in drain(wire))
    assert len(stream) == 15
    assert stream[:5] == b"AAAAA"
    assert not set(stream[5:10]) & set(b"AB")
    assert stream[10:] == b"BBBBB"
    assert wire.counters.collisions == 1


def test_talkers_one_after_the_other_do_not_collide() -> None:
    """An answer that starts when the request has ended is whole."""
    wire = quiet_wire()
    wire.transmit("a", b"AAA", CHARACTER, 0.0)
    wire.transmit("b", b"BBB", CHARACTER, 3 * CHARACTER + 1e-6)
    assert b"".join(data for _, _, data in drain(wire)) == b"AAABBB"
    assert wire.counters.collisions == 0


@pytest.mark.parametrize(("fault", "share"), [({"noise": 0.25}, 1.0), ({"drop": 0.25}, 0.75)])
def test_chances_are_kept(fault: dict[str, float], share: float) -> None:
    """Noise changes its share of the characters and loses none; drop loses its share and changes none."""
    wire = quiet_wire(**fault)
    for second in range(100):
        wire.transmit("m", bytes(100), CHARACTER, float(second))
    stream = b"".join(data for _, _, data in drain(wire))
    assert len(stream) == pytest.approx(10_000 * share, rel=0.03)
    assert sum(byte != 0 for byte in stream) == pytest.approx(10_000 * fault.get("noise", 0.0), rel=0.08)


def test_a_forced_collision_spoils_every_character() -> None:
    """With collide at 1, not one character of a burst is right."""
    wire = quiet_wire(collide=1.0)
    wire.transmit("m", b"frame", CHARACTER, 0.0)
    stream = b"".join(data for _, _, data in drain(wire))
    assert len(stream) == 5
    assert all(got != sent for got, sent in zip(stream, b"frame", strict=True))


def test_swapped_wires_are_what_a_uart_makes_of_the_inverted_levels() -> None:
    """Worked out by hand: FFh is a short high and then a break; 55h, of all bytes, is itself one bit later."""
    by_hand = {0xFF: b"\x00", 0x00: b"\x00", 0x55: b"\x55", 0x01: b"\x7f", 0xAA: b"\x15"}
    assert {byte: inverted(bytes((byte,))) for byte in by_hand} == by_hand
    assert [byte for byte in range(256) if inverted(bytes((byte, byte))) == bytes((byte, byte))] == [0x55]
    assert inverted(b"") == b""


def test_ringing_harms_many_edges_more_than_few() -> None:
    """55h has an edge at each bit, 00h has none after its start bit; without the fault nothing is harmed."""
    wire = Wire(random.Random(1), Faults(unterminated=0.05))
    assert wire.rung(bytes(1000)) == bytes(1000)
    assert 250 < sum(byte != 0x55 for byte in wire.rung(b"\x55" * 1000)) < 420  # 1 - 0.95 ** 8 = 34 %
    assert Wire(random.Random(1), Faults()).rung(b"\x55" * 1000) == b"\x55" * 1000
