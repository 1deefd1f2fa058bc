"""The soak's judge: whatever a gateway could do wrong is found, and what is right is not blamed."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.records import Event, Gap, Message, Reading
from gateway.uplink import native
from hil_tests.soak.judge import Findings, Judge
from hil_tests.soak.meters import VALUES, value

FACTS = {"trip.overcurrent": {"m001": 1}}
Said = tuple[str, bytes]


def reading(sequence: int, **changed: float) -> Reading:
    values: dict[str, Any] = {f"v{index}": value(1, sequence, index) / 10 for index in range(VALUES)}
    values |= {"sequence": sequence} | changed
    return Reading(device="m001", at=1000, mono=1, clock="trusted", values=values)


def said(seq: int, first: int, *records: Any, epoch: str = "e") -> Said:
    return native.encode(
        Message(epoch=epoch, seq=seq, sent=1, boot="b", first=first, records=records), small=True
    )  # fmt: skip


def event(name: str, cleared: int | None = None, **values: Any) -> Event:
    return Event(
        id=name, kind="trip.overcurrent", grade=2, device="m001", place="p", raised=1, cleared=cleared, mono=1,
        clock="trusted", values=values,
    )  # fmt: skip


RIGHT = [
    said(1, 1, reading(1), reading(2)),
    said(2, 1, event("a")),
    said(3, 3, reading(3)),
    said(4, 2, event("a", cleared=5)),
    said(5, 0, Gap(stream="readings", first=4, last=6, start=0, end=1, reason="full")),
    said(6, 7, reading(9)),
]


def judged(messages: list[Said], facts: dict[str, dict[str, int]] = FACTS) -> Findings:
    judge = Judge()
    for kind, payload in messages:
        judge.take(kind, payload)
    return judge.close(facts)


def blamed(found: Findings) -> dict[str, int]:
    """What is not as it should be."""
    sins = ("lost", "twice", "wrong", "backwards", "changed", "unpaired", "untold", "invented")
    return {name: count for name, count in msgspec.to_builtins(found).items() if name in sins and count}


def test_what_is_right_is_not_blamed() -> None:
    """Out of order (an end before its beginning too), repeated with the same bytes, announced: all as promised."""
    messages = [RIGHT[3], RIGHT[0], RIGHT[1], *RIGHT[2:3], *RIGHT[4:], RIGHT[2]]
    found = judged(messages)
    assert blamed(found) == {}
    assert (found.duplicates, found.announced, found.highest_reading, found.values) == (1, 3, 7, 4 * VALUES)


@pytest.mark.parametrize(
    ("sin", "blame"),
    [
        (lambda m: m[:2] + m[3:], "lost"),
        (lambda m: [*m[:4], *m[5:]], "lost"),
        (lambda m: [*m, said(7, 7, reading(10))], "twice"),
        (lambda m: [*m, said(7, 8, reading(10, v3=9.9))], "wrong"),
        (lambda m: [*m, said(7, 8, reading(4))], "backwards"),
        (lambda m: [*m, said(6, 7, reading(10))], "changed"),
        (lambda m: [*m, said(7, 3, event("b", cleared=5))], "unpaired"),
        (lambda m: [*m, said(7, 3, event("b"))], "unpaired"),
        (lambda m: [*m, said(7, 3, event("b")), said(8, 4, event("b", cleared=5))], "invented"),
        (lambda m: [*m, said(7, 8, reading(10), epoch="f")], "lost"),
    ],
)
def test_each_sin_is_found(sin: Callable[[list[Said]], list[Said]], blame: str) -> None:
    """Lost messages and announcements, a record twice, an untrue value, an old one, another content, a lonely end."""
    assert blame in blamed(judged(sin(RIGHT)))


def test_an_event_that_is_not_told_is_missed_and_a_counted_one_is_not() -> None:
    """Three trips of which one event says that it stands for two; and the same without that word."""
    two = [said(7, 3, event("b", unseen=2)), said(8, 4, event("b", cleared=5))]
    assert blamed(judged([*RIGHT, *two], {"trip.overcurrent": {"m001": 3}})) == {}
    assert blamed(judged(RIGHT, {"trip.overcurrent": {"m001": 3}})) == {"untold": 2}


def test_a_marked_value_accuses_nobody() -> None:
    """What is marked as bad is no lie."""
    bad = msgspec.structs.replace(reading(10, v3=6553.5), marks={"v3": "bad"})
    assert blamed(judged([*RIGHT, said(7, 8, bad)])) == {}
