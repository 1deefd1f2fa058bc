"""The plain values that travel through the gateway: readings, events and their stamps.

Every adapter speaks in these; none of them does input or output. Times are integers: `at`, `raised`
and `cleared` are Unix milliseconds in UTC as the gateway's clock had them, `mono` is the monotonic
clock of this boot in milliseconds, which orders records when the wall clock was wrong.
"""

from datetime import UTC, datetime
from typing import Literal

import msgspec

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


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One numbered message of one uplink: its content never changes once it has a number.

    `records` are readings of one boot with the numbers `first`, `first + 1`, ...; or one event, or one gap.
    `sent` is the wall clock in Unix milliseconds when the message was first composed.
    """

    epoch: str
    seq: int
    sent: int
    boot: str
    first: int
    records: tuple[Reading, ...] | tuple[Event] | tuple[Gap]


def rfc3339(ms: int) -> str:
    """Unix milliseconds as RFC 3339 in UTC with milliseconds: 2026-11-21T08:00:00.000Z."""
    whole = datetime.fromtimestamp(ms // 1000, tz=UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def from_rfc3339(text: str) -> int:
    """The inverse of `rfc3339`; raises ValueError for anything that is no RFC 3339 time with an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1000 + moment.microsecond // 1000
