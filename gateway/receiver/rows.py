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
            raised, cleared, clock = event_times(taken, corrections)
            found = msgspec.to_builtins(message)
            found |= {"raised": rfc3339(raised), "cleared": None if cleared is None else rfc3339(cleared)}
            found |= {} if clock is None else {"clock": clock}
            yield {"stream": "events", **about, **{name: found[name] for name in found if name != "filtered"}}
        case WireCase():
            yield {"stream": "cases", **about, **msgspec.to_builtins(message)}


def event_times(taken: Taken, corrections: Corrections) -> tuple[int, int | None, str | None]:
    """`raised`, `cleared` (Unix ms) and what the clock was worth (None: it is trusted) of an event's message."""
    message = taken.message
    assert isinstance(message, WireEvent)
    raised, cleared = from_rfc3339(message.raised), None if message.cleared is None else from_rfc3339(message.cleared)
    if message.clock is msgspec.UNSET or message.boot is msgspec.UNSET:
        return raised, cleared, None
    if message.clock != "untrusted":
        return raised, cleared, message.clock
    about = (taken.gateway, message.epoch, message.boot)
    late = [None if at is None else corrections.offset(*about, at) for at in (raised, cleared)]
    known = next((offset for offset in late if offset is not None), None)
    if known is None:
        return raised, cleared, "untrusted"
    raised += known if late[0] is None else late[0]
    return raised, None if cleared is None else cleared + (known if late[1] is None else late[1]), "corrected"


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
