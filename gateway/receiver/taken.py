"""What arrived, understood: a numbered message or a status, checked so that any store can hold it. Pure.

It refuses what a database would stumble over (a number beyond 2^53, a NUL in a name, a time that does not exist)
before it is counted as here: what is refused is named, counted and missing.
"""

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from gateway.records import from_rfc3339
from gateway.uplink import native
from gateway.uplink.native import Numbered, Readings, WireCase, WireCorrection, WireEvent, WireGap

NUMBERED = ("readings", "events", "cases", "gaps", "corrections")
_MOST = 2**53
_MOST_NAME = 127
_MOST_DEPTH = 32
_NAME = re.compile(r"[^\x00-\x1f]{1,127}")


class Taken(NamedTuple):
    """A numbered message of `gateway` ("site/gateway"). `start` and `end` are when its records were made, `got` when
    it came: Unix milliseconds."""

    gateway: str
    kind: str
    message: Numbered
    content: dict[str, Any]
    start: int
    end: int
    got: int


class Status(NamedTuple):
    """A gateway's own word on whether it is there."""

    gateway: str
    content: dict[str, Any]
    got: int


def take(topic: str, payload: bytes, got: int) -> Taken | Status | None:
    """What came on `topic`; None for a topic that is none of ours. Raises ValueError with the reason."""
    address = native.address(topic)
    if address is None or address.kind not in (*NUMBERED, "status"):
        return None
    if not _NAME.fullmatch(address.site) or not _NAME.fullmatch(address.gateway):
        raise ValueError(f"names of sites and gateways have at most {_MOST_NAME} characters and no control characters")
    gateway = f"{address.site}/{address.gateway}"
    if address.kind == "status":
        kind, content = native.recognise(payload)
        if kind != "status":
            raise ValueError(f"it is a message of the kind {kind}")
        return Status(gateway, content, got)
    message = native.parse(address.kind, payload)
    if isinstance(message, Readings) and not payload.lstrip().startswith(b"{"):
        _finite(message)
    return understood(gateway, address.kind, message, native.decode(payload), got)


def understood(gateway: str, kind: str, message: Numbered, content: dict[str, Any], got: int) -> Taken:
    """The message with its times. Raises ValueError for values that no store could hold."""
    for what, number in _numbers(message):
        if not -_MOST <= number <= _MOST:
            raise ValueError(f"its {what} {number} is beyond 2^53")
    for what, name in _names(message):
        if not _NAME.fullmatch(name):
            raise ValueError(f"its {what} {name[:40]!r} is no name")
    times = sorted(_times(message))
    return Taken(gateway, kind, message, content, times[0] if times else got, times[-1] if times else got, got)


def _finite(message: Readings) -> None:
    """The compact form can hold what JSON, and so no file and no table of ours, can. Raises ValueError."""
    for reading in message.readings:
        for name, value in reading.values.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"its value {name[:40]!r} of {reading.device[:40]!r} is no number")


def records(message: Numbered) -> int:
    """How many readings, events or cases it holds."""
    return len(message.readings) if isinstance(message, Readings) else int(isinstance(message, WireEvent | WireCase))


def filtered(message: Numbered) -> bool:
    """Whether it comes through a filter, so that its records' numbers may jump."""
    return isinstance(message, Readings | WireEvent) and message.filtered is True


def _numbers(message: Numbered) -> Iterator[tuple[str, int]]:
    yield "seq", message.seq
    match message:
        case Readings():
            yield "first", message.first + len(message.readings)
            yield "last", message.last if isinstance(message.last, int) else 0
        case WireEvent() | WireCase():
            yield "n", message.n
        case WireGap():
            yield "last", message.last
            if message.last < message.first:
                raise ValueError(f"its gap from {message.first} to {message.last} names nothing")
        case WireCorrection():
            yield "offset_ms", message.offset_ms


def _names(message: Numbered) -> Iterator[tuple[str, str]]:
    yield "epoch", message.epoch
    match message:
        case Readings():
            yield "boot", message.boot
            for device in {reading.device for reading in message.readings}:
                yield "device", device
        case WireEvent():
            yield "id", message.id
            yield "kind", message.kind
            yield "device", message.device or "-"
            yield "place", message.place[:_MOST_NAME] or "-"
        case WireCase():
            yield "id", message.id
            if _deeper(message.case, _MOST_DEPTH) or _deeper(message.transition, _MOST_DEPTH):
                raise ValueError(f"its case is nested more than {_MOST_DEPTH} levels deep")
        case WireGap():
            yield "stream", message.stream
            yield "reason", message.reason[:_MOST_NAME] or "-"
        case WireCorrection():
            yield "boot", message.boot


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_deeper(one, levels - 1) for one in inner if isinstance(one, dict | list))


def _times(message: Numbered) -> Iterator[int]:
    match message:
        case Readings():
            yield from (from_rfc3339(reading.at) for reading in message.readings)
        case WireEvent():
            yield from_rfc3339(message.raised)
            if message.cleared is not None:
                from_rfc3339(message.cleared)
        case WireGap() | WireCorrection():
            yield from_rfc3339(message.start)
            yield from_rfc3339(message.end)


def plain(message: Numbered) -> dict[str, Any]:
    """The message as plain JSON values, as it would stand in the native JSON."""
    found: dict[str, Any] = msgspec.to_builtins(message)
    return found
