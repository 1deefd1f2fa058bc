"""The plain values that travel through the gateway: readings, events and their stamps.

Every adapter speaks in these; none of them does input or output. Times are integers: `at`, `raised`
and `cleared` are Unix milliseconds in UTC as the gateway's clock had them, `mono` is the monotonic
clock of this boot in milliseconds, which orders records when the wall clock was wrong.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

import msgspec

from gateway.prepared import prepared

Value = float | int | bool | str
Mark = Literal["stale", "bad"]
ClockState = Literal["trusted", "corrected", "untrusted"]
Stream = Literal["readings", "events", "cases"]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Values of one device at one moment, scaled to the units of its profile."""

    device: str
    at: int
    mono: int
    clock: ClockState
    values: dict[str, Value]
    marks: dict[str, Mark] = {}


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A still that stays at the gateway until `kept_until` (Unix milliseconds), and its SHA-256 in hexadecimal."""

    name: str
    sha256: str
    bytes: int
    kept_until: int


@prepared
class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that people should know. Raising and clearing are two records with one `id`.

    `grade` is 1 (red) to 4 (blue). `cleared` is None in the record that raises.
    """

    id: str
    kind: str
    grade: int
    device: str | None
    place: str
    raised: int
    cleared: int | None
    mono: int
    clock: ClockState
    values: dict[str, Value] = {}
    evidence: tuple[Evidence, ...] = ()


class OpenEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A raised event that has not cleared yet, kept so that a restart neither repeats nor forgets it.

    `key` tells one occurrence from the next (a trip counter, for instance).
    """

    event: Event
    key: str


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What a part of the gateway wants to find again after a restart: under `key`, whatever `text` it likes."""

    key: str
    text: str


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that a receiver waits for in vain, and why: records `first` to `last` of `stream`.

    In the stream `messages` the numbers are those of one uplink's messages that are no longer kept.
    `start` and `end` bound the time in which the missing records were made, in Unix milliseconds.
    """

    stream: str
    first: int
    last: int
    start: int
    end: int
    reason: str


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """Records of `boot` with an untrusted time of `start` to `end` were made `offset_ms` later. Milliseconds, Unix."""

    boot: str
    offset_ms: int
    start: int
    end: int


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One numbered message of one uplink: its content never changes once it has a number.

    `records` are readings of one boot with the numbers `first`, `first + 1`, ...; or one event, gap or correction.
    `sent` is the wall clock in Unix milliseconds when the message was first composed. With a filter the numbers
    of the records may jump, and `last` is that of the last one looked at; 0 without a filter.
    """

    epoch: str
    seq: int
    sent: int
    boot: str
    first: int
    records: Sequence[Reading] | tuple[Event] | tuple[Gap] | tuple[Correction]
    last: int = 0


_THOUSANDTHS = [f".{ms:03d}Z" for ms in range(1000)]


def rfc3339(ms: int) -> str:
    """Unix milliseconds as RFC 3339 in UTC with milliseconds: 2026-11-21T08:00:00.000Z."""
    return _whole_second(ms // 1000) + _THOUSANDTHS[ms % 1000]


@lru_cache(1024)  # the readings of one message share few seconds, and formatting one costs as much as the rest of it
def _whole_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%S}"


def from_rfc3339(text: str) -> int:
    """The inverse of `rfc3339`; raises ValueError for anything that is no RFC 3339 time with an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1000 + moment.microsecond // 1000
