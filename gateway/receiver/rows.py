"""Messages into single records with corrected times: the shape of `gewu receive export` and of the tables. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.receiver.taken import Taken, filtered
from gateway.records import from_rfc3339, rfc3339
from gateway.uplink.native import Readings, WireCase, WireCorrection, WireEvent


class Corrections:
    """What gateways said about their clocks: untrusted times of one boot, and by how much they were wrong."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], list[tuple[int, int, int]]] = {}

    def add(self, gateway: str, told: WireCorrection) -> None:
        """Take one more; the earlier of two that overlap counts."""
        span = (from_rfc3339(told.start), from_rfc3339(told.end), told.offset_ms)
        self.know(gateway, told.epoch, told.boot, *span)

    def know(self, gateway: str, epoch: str, boot: str, start: int, end: int, offset: int) -> None:
        """The same from its parts; times are Unix ms as they were sent."""
        self._known.setdefault((gateway, epoch, boot), []).append((start, end, offset))

    def offset(self, gateway: str, epoch: str, boot: str, at: int) -> int | None:
        """By how many ms an untrusted time was wrong; None while nobody knows."""
        spans = self._known.get((gateway, epoch, boot), ())
        return next((offset for start, end, offset in spans if start <= at <= end), None)


def records(taken: Taken, corrections: Corrections) -> Iterator[dict[str, Any]]:
    """Each reading, event or case of a message as plain JSON values, times as RFC 3339."""
    message = taken.message
    about = {"gateway": taken.gateway, "epoch": message.epoch, "seq": message.seq}
    match message:
        case Readings():
            for row in reading_rows(taken, corrections):
                fine = row | {"at": rfc3339(row["at"])}
                yield {"stream": "readings", **{name: fine[name] for name in fine if name != "i"}}
        case WireEvent():
            found = msgspec.to_builtins(message)
            yield {"stream": "events", **about, **{name: found[name] for name in found if name != "filtered"}}
        case WireCase():
            yield {"stream": "cases", **about, **msgspec.to_builtins(message)}


def reading_rows(taken: Taken, corrections: Corrections) -> Iterator[dict[str, Any]]:
    """The readings of a message as rows: `i` is the place in the message, `at` Unix ms; `n` None behind a filter."""
    message = taken.message
    assert isinstance(message, Readings)
    jumps = filtered(message)
    for i, reading in enumerate(message.readings):
        at, clock = from_rfc3339(reading.at), reading.clock
        offset = corrections.offset(taken.gateway, message.epoch, message.boot, at) if clock == "untrusted" else None
        if offset is not None:
            at, clock = at + offset, "corrected"
        yield {
            "gateway": taken.gateway,
            "epoch": message.epoch,
            "seq": message.seq,
            "i": i,
            "n": None if jumps else message.first + i,
            "boot": message.boot,
            "device": reading.device,
            "at": at,
            "clock": clock,
            "values": reading.values,
            "marks": reading.marks,
        }
