"""What a receiver has of every gateway, by epoch and number: duplicates, holes, what is safe to acknowledge. Pure.

It counts from the numbers of the messages and knows nothing of how a gateway made them. Behind a filter the
numbers of records may jump; then the numbers of the messages alone prove that nothing is missing.
"""

from collections.abc import Iterator
from typing import Any, Literal

from gateway.intervals import Intervals
from gateway.receiver.taken import filtered, records
from gateway.receiver.traced import Hole, Traced
from gateway.records import rfc3339
from gateway.uplink.native import Numbered, Readings, WireCase, WireEvent, WireGap

Kind = Literal["readings", "events", "cases"]
STREAMS: tuple[Kind, ...] = ("readings", "events", "cases")
_MOST_LISTED = 1000
_MOST_NAMED = 100


class Epoch:
    """One numbering of one gateway."""

    def __init__(self) -> None:
        self.seqs = Traced()  # messages received
        self.given_up = Intervals()  # messages that the gateway says it no longer has
        self.numbers = {stream: Traced() for stream in STREAMS}
        self.gaps = {stream: Intervals() for stream in STREAMS}
        self.counts = dict.fromkeys(STREAMS, 0)
        self.duplicates = 0
        self.filtered = False

    def accept(self, message: Numbered, start: int = 0, end: int = 0) -> bool:
        """Note a message with records made from `start` to `end` (Unix ms); False when it is a duplicate."""
        if not self.seqs.note(message.seq, message.seq, start, end):
            self.duplicates += 1
            return False
        self.filtered = self.filtered or filtered(message)
        match message:
            case Readings():
                self._count("readings", message.first, message, start, end)
            case WireEvent():
                self._count("events", message.n, message, start, end)
            case WireCase():
                self._count("cases", message.n, message, start, end)
            case WireGap():
                self.gap(message.stream, message.first, message.last)
        return True

    def _count(self, stream: Kind, first: int, message: Numbered, start: int, end: int) -> None:
        count = records(message)
        self.counts[stream] += count
        if count and not filtered(message):
            self.numbers[stream].note(first, first + count - 1, start, end)

    def gap(self, stream: str, first: int, last: int) -> None:
        """The gateway says that these will not come."""
        if stream == "messages":
            self.given_up.add(first, last)
        for known in STREAMS:  # a stream of a newer release is counted there
            if stream == known:
                self.gaps[known].add(first, last)

    def has(self, seq: int) -> bool:
        """Whether message `seq` is here."""
        return seq in self.seqs

    def safe(self) -> int:
        """Every message up to this number is here, or will never come: what may be acknowledged."""
        return self.seqs.union(self.given_up).solid()

    def open_holes(self) -> list[tuple[int, int]]:
        """Runs of message numbers that are not here and were not given up, below the highest seen."""
        return self.seqs.union(self.given_up).holes()

    def missing(self) -> Iterator[tuple[str, Hole]]:
        """Records that neither came nor were announced as a gap, then messages that did not come."""
        for stream in STREAMS if not self.filtered else ():
            holes = self.numbers[stream].union(self.gaps[stream]).holes()
            for hole in self.numbers[stream].traced(holes):
                yield stream, hole
        for hole in self.seqs.traced(self.seqs.holes()):
            yield "messages", hole

    def lost(self) -> int:
        """How many records are known to be missing.

        A missing message whose records leave no hole (the last event, say) holds at least one: so the
        greater of both counts, which is 0 only when nothing is missing.
        """
        counts = {"messages": 0, "records": 0}
        for stream, hole in self.missing():
            counts["messages" if stream == "messages" else "records"] += hole.last - hole.first + 1
        return max(counts.values())

    def report(self, name: str) -> dict[str, Any]:
        missing = list(self.missing())
        return {
            "epoch": name,
            "seq": self.seqs.top(),
            "filtered": self.filtered,
            "delivered": dict(self.counts),
            "gaps": {stream: self.gaps[stream].count() for stream in STREAMS},
            "duplicates": self.duplicates,
            "missing": [[stream, hole.first, hole.last] for stream, hole in missing][:_MOST_LISTED],
            "holes": [_hole(stream, hole) for stream, hole in missing][:_MOST_LISTED],
            "lost": self.lost(),
        }


class Ledger:
    """Every gateway that was heard, as "site/gateway"."""

    def __init__(self) -> None:
        self.gateways: dict[str, dict[str, Epoch]] = {}
        self.rejected = 0
        self._damaged: dict[tuple[str, str], int] = {}

    def accept(self, gateway: str, message: Numbered, start: int = 0, end: int = 0) -> bool:
        """Note a message of `gateway`, with records made from `start` to `end`; False when it is a duplicate."""
        return self.epoch(gateway, message.epoch).accept(message, start, end)

    def epoch(self, gateway: str, name: str) -> Epoch:
        """The ledger of one epoch, begun when it is new."""
        return self.gateways.setdefault(gateway, {}).setdefault(name, Epoch())

    def reject(self, topic: str, why: str) -> None:
        """Count a message that could not be understood, and remember which and why (the first hundred kinds)."""
        self.rejected += 1
        key = (topic[:200], why[:200])
        if key in self._damaged or len(self._damaged) < _MOST_NAMED:
            self._damaged[key] = self._damaged.get(key, 0) + 1

    def report(self) -> dict[str, Any]:
        """What is here, what is missing and where: plain JSON values.

        `delivered` and `lost` count records, `duplicates` messages; `missing` lists [stream, first, last], `holes`
        the same with the times of their neighbours, `damaged` what was refused.
        """
        gateways = {name: _gateway(epochs) for name, epochs in sorted(self.gateways.items())}
        return {
            "gateways": gateways,
            "delivered": sum(sum(found["delivered"].values()) for found in gateways.values()),
            "duplicates": sum(found["duplicates"] for found in gateways.values()),
            "lost": sum(found["lost"] for found in gateways.values()),
            "rejected": self.rejected,
            "damaged": [{"topic": topic, "why": why, "count": n} for (topic, why), n in self._damaged.items()],
        }


def _hole(stream: str, hole: Hole) -> dict[str, Any]:
    times = {"after": hole.after, "before": hole.before}
    around = {name: None if at is None else rfc3339(at) for name, at in times.items()}
    return {"stream": stream, "first": hole.first, "last": hole.last, **around}


def _gateway(epochs: dict[str, Epoch]) -> dict[str, Any]:
    reports = [epoch.report(name) for name, epoch in epochs.items()]
    return {
        "epochs": reports,
        "delivered": {stream: sum(found["delivered"][stream] for found in reports) for stream in STREAMS},
        "gaps": {stream: sum(found["gaps"][stream] for found in reports) for stream in STREAMS},
        "duplicates": sum(found["duplicates"] for found in reports),
        "missing": [run for found in reports for run in found["missing"]][:_MOST_LISTED],
        "lost": sum(found["lost"] for found in reports),
    }
