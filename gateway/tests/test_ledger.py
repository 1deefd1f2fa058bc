"""The receiver's proof: whatever order, repetition and loss, the ledger says exactly what is missing."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.receiver.ledger import Ledger
from gateway.uplink.native import Numbered, Readings, WireEvent, WireGap, WireReading

_T = "2026-11-18T11:06:40.123Z"


def _readings(seq: int, first: int, count: int) -> Readings:
    one = WireReading(device="b", at=_T, clock="trusted", values={})
    return Readings(seq, "e", "boot", _T, first, [one] * count)


def _event(seq: int, n: int) -> WireEvent:
    return WireEvent(seq, "e", n, f"id-{n}", "trip.arc", 1, None, "p", _T, None, {})


def _gap(seq: int, stream: str, first: int, last: int) -> WireGap:
    return WireGap(seq, "e", stream, first, last, _T, _T, "why")


def _sent(sizes: list[int]) -> list[Numbered]:
    """What a gateway would send: 0 is an event, a negative number a gap of so many readings."""
    messages: list[Numbered] = []
    first = n = 1
    for seq, size in enumerate(sizes, 1):
        if size == 0:
            messages.append(_event(seq, n))
            n += 1
        elif size < 0:
            messages.append(_gap(seq, "readings", first, first - size - 1))
            first -= size
        else:
            messages.append(_readings(seq, first, size))
            first += size
    return messages


@given(st.data())
def test_lost_is_zero_exactly_when_nothing_is_missing(data: st.DataObject) -> None:
    """Any order and any repetition: duplicates are counted, and lost is 0 only when all but the tail is there."""
    sent = _sent(data.draw(st.lists(st.integers(-3, 4), min_size=1, max_size=12)))
    kept = data.draw(st.lists(st.sampled_from(sent), max_size=30))
    ledger = Ledger()
    for message in kept:
        ledger.accept("s/g", message)
    report = ledger.report()
    seqs = {message.seq for message in kept}
    assert report["duplicates"] == len(kept) - len(seqs)
    assert (report["lost"] == 0) == (seqs == set(range(1, max(seqs, default=0) + 1)))
    distinct = [sent[seq - 1] for seq in seqs]
    assert report["delivered"] == sum(
        len(m.readings) if isinstance(m, Readings) else isinstance(m, WireEvent) for m in distinct
    )
    if kept:
        safe = ledger.epoch("s/g", "e").safe()
        assert safe == next(seq for seq in range(99) if seq + 1 not in seqs)


def test_lost_counts_records() -> None:
    """A missing message of readings is reported as the records it held."""
    ledger = Ledger()
    for message in (_readings(1, 1, 10), _readings(3, 31, 5)):
        ledger.accept("s/g", message)
    report = ledger.report()
    assert report["lost"] == 20
    assert report["gateways"]["s/g"]["missing"] == [["readings", 11, 30], ["messages", 2, 2]]


def test_an_announced_gap_is_no_loss() -> None:
    """Numbers received and numbers in gaps together leave no hole."""
    ledger = Ledger()
    for message in (_readings(1, 1, 2), _gap(2, "readings", 3, 50), _readings(3, 51, 1)):
        ledger.accept("s/g", message)
    report = ledger.report()
    assert (report["lost"], report["delivered"]) == (0, 3)
    assert report["gateways"]["s/g"]["gaps"]["readings"] == 48


def test_messages_no_longer_kept_free_the_acknowledgement_but_count_as_lost() -> None:
    """A receiver that began late may acknowledge past what nobody has any more, and says that it is missing."""
    ledger = Ledger()
    ledger.accept("s/g", _readings(5, 41, 10))
    assert ledger.epoch("s/g", "e").safe() == 0
    ledger.accept("s/g", _gap(6, "messages", 1, 4))
    assert ledger.epoch("s/g", "e").safe() == 6
    assert ledger.report()["lost"] == 40
