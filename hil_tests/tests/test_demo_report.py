"""The demo's report: its sums hold, also when something was lost."""

from typing import Any

import pytest

from gateway.records import rfc3339
from hil_tests.demo.report import BusLife, Received, balance, buses, event_rows


@pytest.mark.parametrize(
    ("accepted", "queued", "dropped", "delivered", "known_lost", "expected"),
    [
        (100, 0, 0, 100, 0, {"queued": 0, "lost": 0}),
        (100, 20, 5, 75, 0, {"queued": 20, "lost": 0}),
        (100, 20, 0, 90, 0, {"queued": 10, "lost": 0}),  # ten arrived, their acknowledgement did not
        (100, 0, 0, 97, 3, {"queued": 0, "lost": 3}),  # holes
        (100, 5, 0, 95, 4, {"queued": 5, "lost": 0}),  # holes that the gateway still holds
        (100, 0, 0, 97, 0, {"queued": 0, "lost": 3}),  # the tail never came, so no hole shows it
    ],
)
def test_ledger(
    accepted: int, queued: int, dropped: int, delivered: int, known_lost: int, expected: dict[str, int]
) -> None:
    """accepted = delivered + queued + dropped + lost, whoever counted."""
    ledger = balance(
        {"accepted": accepted, "queued": queued, "dropped": dropped},
        Received(delivered=delivered, duplicates=0, lost=known_lost),
    )
    assert {key: ledger[key] for key in expected} == expected
    assert ledger["accepted"] == ledger["delivered"] + ledger["queued"] + ledger["dropped"] + ledger["lost"]


def event(kind: str, raised: int, got: int, cleared: int | None = None) -> dict[str, Any]:
    stamp = None if cleared is None else rfc3339(cleared)
    return {"kind": kind, "device": "b1", "raised": rfc3339(raised), "cleared": stamp, "got": got}


def test_a_trip_is_timed_from_the_contact() -> None:
    """The village's own stamp counts, the latest before the arrival; clearing records are no rows."""
    events = [
        event("trip.overcurrent", 10_500, 11_000),
        event("trip.overcurrent", 10_500, 12_000, cleared=11_900),
        event("alarm.overcurrent", 9_000, 9_100),
    ]
    trips = [{"board": "b1", "at_ms": at} for at in (1_000, 10_400, 20_000)] + [{"board": "b2", "at_ms": 10_900}]
    assert event_rows(events, trips) == [
        {"kind": "trip.overcurrent", "device": "b1", "latency_ms": 600},
        {"kind": "alarm.overcurrent", "device": "b1", "latency_ms": 100},
    ]


def test_a_bus_is_summed_over_the_gateways_lives() -> None:
    """Polls and errors add up; utilisation is over the time that a gateway ran."""
    lives = [
        BusLife("north", 9600, 100, 1, 8.0, 10.0),
        BusLife("south", 115200, 500, 0, 1.0, 10.0),
        BusLife("north", 9600, 50, 0, 4.0, 5.0),
    ]
    assert buses(lives) == [
        {"name": "north", "baud": 9600, "polls": 150, "errors": 1, "utilisation": 0.8},
        {"name": "south", "baud": 115200, "polls": 500, "errors": 0, "utilisation": 0.1},
    ]
