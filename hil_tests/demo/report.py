"""The demo's report, from what others counted: the receiver, the village and the gateway. Pure.

Delivered, duplicates and lost are the receiver's, proved from the numbers of the messages; accepted, queued and
dropped are the gateway's; the moment of a trip is the village's, which saw the contact open.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from gateway.records import from_rfc3339


class BusLife(msgspec.Struct, frozen=True):
    """What one gateway process did on one bus. `busy_s` is wire time by the formula, `elapsed_s` since it started."""

    name: str
    baud: int
    polls: int
    errors: int
    busy_s: float
    elapsed_s: float


class Received(msgspec.Struct, frozen=True):
    """What the receiver proved: distinct records, repeated messages, records known to be missing."""

    delivered: int
    duplicates: int
    lost: int


def buses(lives: Iterable[BusLife]) -> list[dict[str, Any]]:
    """One row a bus over all lives of the gateway; utilisation is busy time over the time that it ran."""
    rows: dict[str, list[BusLife]] = {}
    for life in lives:
        rows.setdefault(life.name, []).append(life)
    return [
        {
            "name": name,
            "baud": parts[0].baud,
            "polls": sum(part.polls for part in parts),
            "errors": sum(part.errors for part in parts),
            "utilisation": round(sum(p.busy_s for p in parts) / max(sum(p.elapsed_s for p in parts), 1e-9), 3),
        }
        for name, parts in rows.items()
    ]


def event_rows(events: Sequence[dict[str, Any]], trips: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row an event that was raised: its latency from the moment it happened to the receiver, in ms.

    A trip happened when the village saw the contact open (`trips`: board, at_ms); any other event, and a trip that
    the village did not see, when the record says that it was raised.
    """
    rows = []
    for event in events:
        if event["cleared"] is not None:
            continue
        happened = from_rfc3339(event["raised"])
        if event["kind"].startswith("trip."):
            seen = [
                trip["at_ms"] for trip in trips if trip["board"] == event["device"] and trip["at_ms"] <= event["got"]
            ]
            happened = max(seen, default=happened)
        rows.append({"kind": event["kind"], "device": event["device"], "latency_ms": event["got"] - happened})
    return rows


def balance(stats: dict[str, int], received: Received) -> dict[str, int]:
    """The ledger in records. Always accepted = delivered + queued + dropped + lost."""
    accepted, dropped = stats["accepted"], stats["dropped"]
    # What the receiver holds is delivered, even where its last acknowledgement did not come back.
    queued = max(0, min(stats["queued"], accepted - dropped - received.delivered))
    return {
        "accepted": accepted,
        "delivered": received.delivered,
        "queued": queued,
        "dropped": dropped,
        "duplicates": received.duplicates,
        # A hole that the gateway still holds is not lost; a tail that never came shows no hole, but is missing here.
        "lost": max(received.lost - queued, accepted - dropped - received.delivered - queued, 0),
    }
