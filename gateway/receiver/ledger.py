"""What a receiver has of every gateway, by epoch and number: duplicates, holes, what is safe to acknowledge. Pure.

It counts from the numbers of the messages and knows nothing of how a gateway made them.
"""

from collections.abc import Iterator
from typing import Any, Literal

from gateway.intervals import Intervals
from gateway.uplink.native import Numbered, Readings, WireCase, WireEvent, WireGap

Kind = Literal["readings", "events", "cases"]
STREAMS: tuple[Kind, ...] = ("readings", "events", "cases")
_MOST_LISTED = 1000


class Epoch:
    """One numbering of one gateway."""

    def __init__(self) -> None:
        self.seqs = Intervals()  # messages received
        self.given_up = Intervals()  # messages that the gateway says it no longer has
        self.records = {stream: Intervals() for stream in STREAMS}
        self.gaps = {stream: Intervals() for stream in STREAMS}
        self.duplicates = 0

    def accept(self, message: Numbered) -> bool:
        """Note a message; False when it is a duplicate."""
        if not self.seqs.add(message.seq, message.seq):
            self.duplicates += 1
            return False
        match message:
            case Readings():
                self.records["readings"].add(message.first, message.first + len(message.readings) - 1)
            case WireEvent():
                self.records["events"].add(message.n, message.n)
            case WireCase():
                self.records["cases"].add(message.n, message.n)
            case WireGap(stream="messages"):
                self.given_up.add(message.first, message.last)
            case WireGap(stream="readings" | "events" | "cases" as stream):
                self.gaps[stream].add(message.first, message.last)
            case WireGap():
                pass  # a stream of a newer release: its numbers are counted there
        return True

    def safe(self) -> int:
        """Every message up to this number is here, or will never come: what may be acknowledged."""
        return self.seqs.union(self.given_up).solid()

    def open_holes(self) -> list[tuple[int, int]]:
        """Runs of message numbers that are not here and were not given up, below the highest seen."""
        return self.seqs.union(self.given_up).holes()

    def missing(self) -> Iterator[tuple[str, int, int]]:
        """Runs of records that neither came nor were announced as a gap."""
        for stream in STREAMS:
            for first, last in self.records[stream].union(self.gaps[stream]).holes():
                yield stream, first, last

    def lost(self) -> int:
        """How many records are known to be missing.

        A missing message whose records leave no hole (the last event, say) holds at least one: so the
        greater of both counts, which is 0 only when nothing is missing.
        """
        messages = sum(last - first + 1 for first, last in self.seqs.holes())
        return max(messages, sum(last - first + 1 for _, first, last in self.missing()))

    def report(self, name: str) -> dict[str, Any]:
        missing = [list(run) for run in self.missing()]
        missing += [["messages", first, last] for first, last in self.seqs.holes()]
        return {
            "epoch": name,
            "seq": self.seqs.top(),
            "delivered": {stream: self.records[stream].count() for stream in STREAMS},
            "gaps": {stream: self.gaps[stream].count() for stream in STREAMS},
            "duplicates": self.duplicates,
            "missing": missing[:_MOST_LISTED],
            "lost": self.lost(),
        }


class Ledger:
    """Every gateway that was heard, as "site/gateway"."""

    def __init__(self) -> None:
        self.gateways: dict[str, dict[str, Epoch]] = {}
        self.rejected = 0

    def accept(self, gateway: str, message: Numbered) -> bool:
        """Note a message of `gateway`; False when it is a duplicate."""
        return self.epoch(gateway, message.epoch).accept(message)

    def epoch(self, gateway: str, name: str) -> Epoch:
        """The ledger of one epoch, begun when it is new."""
        return self.gateways.setdefault(gateway, {}).setdefault(name, Epoch())

    def report(self) -> dict[str, Any]:
        """What is here, what is missing and where: plain JSON values.

        `delivered` and `lost` count records, `duplicates` messages; `missing` lists [stream, first, last].
        """
        gateways = {name: _gateway(epochs) for name, epochs in sorted(self.gateways.items())}
        return {
            "gateways": gateways,
            "delivered": sum(sum(found["delivered"].values()) for found in gateways.values()),
            "duplicates": sum(found["duplicates"] for found in gateways.values()),
            "lost": sum(found["lost"] for found in gateways.values()),
            "rejected": self.rejected,
        }


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
