"""Everybody's traffic from its bytes: in any pieces, with noise, and with frames that look like others."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.bus.sniffer import Exchange, Sniffer
from gateway.tests.scripted_slave import framed, registers

READ = framed(1, 4, 0, 10, 0, 2)
REPLY = registers(1, 4, 11, 22)
WRITE = framed(2, 6, 0, 5, 0, 7)
MANY = framed(3, 16, 0, 1, 0, 2, 4, 0, 8, 0, 9)
TALK = [
    READ, REPLY,
    WRITE, WRITE,
    MANY, framed(3, 16, 0, 1, 0, 2),
    framed(4, 3, 0, 0, 0, 1), framed(4, 0x83, 2),
    framed(5, 1, 0, 0, 0, 9), framed(5, 1, 2, 0b101, 1),
    framed(6, 4, 0, 0, 0, 1),
    framed(0, 16, 0, 100, 0, 1, 2, 0, 1),
    framed(7, 0x2B, 0x0E, 1, 0), framed(7, 0x2B, 0x0E, 1, 1, 0, 0, 2, 0, 4, *b"Gewu", 1, 2, *b"gs"),
]  # fmt: skip
SAID = [
    (1, 4, "answered", 10, (11, 22)),
    (2, 6, "answered", 5, (7,)),
    (3, 16, "answered", 1, (8, 9)),
    (4, 3, "refused", 0, ()),
    (5, 1, "answered", 0, (1, 0, 1, 0, 0, 0, 0, 0, 1)),
    (6, 4, "silent", 0, ()),
    (0, 16, "broadcast", 100, (1,)),
    (7, 43, "answered", None, ()),
]


def told(exchanges: list[Exchange]) -> list[tuple[object, ...]]:
    return [(e.unit, e.function, e.outcome, e.address, e.values) for e in exchanges]


def test_requests_are_paired_with_their_replies() -> None:
    """Every function at one go; the unanswered, the refused and the broadcast are told apart."""
    sniffer, exchanges = Sniffer(), []
    for index, frame in enumerate(TALK):
        exchanges += sniffer.feed(frame, index / 100)
        exchanges += sniffer.silence(index / 100 + 0.005)
    exchanges += sniffer.close()
    assert told(exchanges) == SAID
    assert (sniffer.frames, sniffer.garbled) == (len(TALK), 0)
    assert sniffer.units == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 7: 1}
    assert exchanges[0].sentence() == "unit 1 read inputs 10 to 11: 11 22  [10 ms]"
    assert exchanges[3].sentence() == "unit 4 read holding 0: refused, it has no such registers (exception 02)  [10 ms]"
    assert exchanges[5].sentence() == "unit 6 read inputs 0: no answer"


@given(st.lists(st.integers(0, sum(map(len, TALK))), max_size=20))
def test_the_pieces_do_not_matter(cuts: list[int]) -> None:
    """Frames split and joined anywhere are the same frames."""
    stream = b"".join(TALK)
    edges = [0, *sorted(cuts), len(stream)]
    sniffer, exchanges = Sniffer(), []
    for start, end in pairwise(edges):
        exchanges += sniffer.feed(stream[start:end], 0.0)
    exchanges += sniffer.silence(0.1)
    assert told(exchanges + sniffer.close()) == SAID
    assert sniffer.garbled == 0


def test_garbage_is_counted_and_passed_over() -> None:
    """A flipped bit costs that frame, and a burst of noise is one; what follows is understood."""
    sniffer = Sniffer()
    broken = bytearray(REPLY)
    broken[4] ^= 1
    exchanges = sniffer.feed(READ, 0.0) + sniffer.feed(bytes(broken), 0.01) + sniffer.silence(0.02)
    exchanges += sniffer.feed(b"\x55" * 300, 0.1) + sniffer.silence(0.2)
    exchanges += sniffer.feed(READ + REPLY, 0.3)
    assert told(exchanges) == [(1, 4, "silent", 10, ()), (1, 4, "answered", 10, (11, 22))]
    assert sniffer.garbled == 2


def test_a_late_or_foreign_answer_is_unasked() -> None:
    """An answer that nobody asked for is told as such, and belongs to no request."""
    sniffer = Sniffer()
    exchanges = sniffer.feed(READ, 0.0) + sniffer.feed(registers(9, 4, 1, 2), 0.01) + sniffer.close()
    assert [(e.unit, e.outcome) for e in exchanges] == [(1, "silent"), (9, "unasked")]


@given(st.binary(max_size=600))
def test_noise_never_stops_it(noise: bytes) -> None:
    """Any bytes at all: no crash, and nothing is kept after a silence."""
    sniffer = Sniffer()
    sniffer.feed(noise, 0.0)
    sniffer.silence(1.0)
    assert not sniffer._heard
