"""What the gateway and its camera process say to one another: JSON lines. Plain values, no input or output.

The gateway's first line is a Task; after that it tells the time whenever that changes, and may ask for the picture of
the moment. The process answers with events, a beat a second, and what was asked.
"""

from typing import Any

import msgspec

from gateway.prepared import prepared
from gateway.records import ClockState, Event, OpenEvent


class Told(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="time"):
    """The gateway's time: Unix milliseconds at the boot's monotonic 0, and what that is worth."""

    zero: int
    clock: ClockState


@prepared
class Task(msgspec.Struct, frozen=True, kw_only=True):
    """`cameras` and `vision` as the configuration has them; `open`: events that were not cleared when it was told."""

    data_dir: str
    models: str
    cameras: list[dict[str, Any]]
    vision: dict[str, Any]
    open: list[OpenEvent]
    time: Told


class Asked(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="ask"):
    """Draw what camera `camera` sees now into the file `into`."""

    number: int
    camera: str
    into: str


class Happened(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="event"):
    """An event for the outbox."""

    event: Event
    key: str


class CameraStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One camera as it is now; `counts`: oddities of its stream that were survived, by name."""

    id: str
    looks: int
    label: str | None
    blind: str | None
    trouble: str | None
    open: list[str]
    counts: dict[str, int]


class Beat(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="beat"):
    """The process lives."""

    cameras: list[CameraStatus]


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="answer"):
    """What came of an Asked: `result` as `gewu camera try --json` prints it, or a sentence in `trouble`."""

    number: int
    result: dict[str, Any] | None = None
    trouble: str | None = None


Command = Asked | Told
COMMANDS = msgspec.json.Decoder(Command)
Word = Happened | Beat | Answered
WORDS = msgspec.json.Decoder(Word)
