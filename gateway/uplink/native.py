"""The native MQTT format, contract section 4: topics, payloads, their schema and their reading back. Pure.

Both ends use it: the uplink to write, the reference receiver and `gewu decode` to read. Times on the wire
are RFC 3339 in UTC with milliseconds. A reader ignores keys that it does not know.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec

from gateway import columns
from gateway.prepared import prepared
from gateway.records import ClockState, Correction, Event, Gap, Mark, Message, Reading, Value, rfc3339
from gateway.uplink import compact

Time = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", title="RFC 3339, UTC")]
Number = Annotated[int, msgspec.Meta(ge=1)]
# An acknowledgement or a replay request is tens of bytes; anything much larger is not one.
MOST_CONTROL_BYTES = 1024
# What the level above may send at once: a roster or a catalogue, and a signed command with its approvals.
MOST_BYTES_DOWN = {"inbox": 64 * 1024, "commands": 16 * 1024}


class WireReading(msgspec.Struct, frozen=True):
    """One reading inside a message."""

    device: str
    at: Time
    clock: ClockState
    values: dict[str, Value]
    marks: dict[str, Mark] = {}


@prepared
class Readings(msgspec.Struct, frozen=True):
    """`.../readings`: `first` is the number of the first reading, the others follow it.

    With a filter numbers jump inside a message too: then `filtered` is true, and `last` the last one looked at.
    """

    seq: Number
    epoch: str
    boot: str
    sent: Time
    first: Number
    readings: list[WireReading]
    filtered: Literal[True] | msgspec.UnsetType = msgspec.UNSET
    last: Number | msgspec.UnsetType = msgspec.UNSET


class Evidence(msgspec.Struct, frozen=True):
    """A picture or file that stays at the gateway until `kept_until`."""

    name: str
    sha256: str
    bytes: int
    kept_until: Time


@prepared
class WireEvent(msgspec.Struct, frozen=True):
    """`.../events`: raising (`cleared` null) and clearing are two records with one id.

    `boot` and `clock` are there when the times are not, or were not, to be trusted.
    """

    seq: Number
    epoch: str
    n: Number
    id: str
    kind: str
    grade: Annotated[int, msgspec.Meta(ge=1, le=4)]
    device: str | None
    place: str
    raised: Time
    cleared: Time | None
    values: dict[str, Value]
    evidence: list[Evidence] = []
    filtered: Literal[True] | msgspec.UnsetType = msgspec.UNSET
    boot: str | msgspec.UnsetType = msgspec.UNSET
    clock: Literal["corrected", "untrusted"] | msgspec.UnsetType = msgspec.UNSET


@prepared
class WireCase(msgspec.Struct, frozen=True):
    """`.../cases`: one transition of one case."""

    seq: Number
    epoch: str
    n: Number
    id: str
    case: dict[str, Any]
    transition: dict[str, Any]


@prepared
class WireGap(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """`.../gaps`: numbers that will not come. In the stream `messages` they are those of `seq`."""

    seq: Number
    epoch: str
    stream: str
    first: Number
    last: Number
    start: Time
    end: Time
    reason: str


@prepared
class WireCorrection(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """`.../corrections`: readings of `boot` with an untrusted time of `from` to `to` were made `offset_ms` later."""

    seq: Number
    epoch: str
    boot: str
    offset_ms: int
    start: Time
    end: Time


@prepared
class Status(msgspec.Struct, frozen=True):
    """`.../status`, retained. In the last will `since` is when the connection that broke was begun."""

    state: Literal["online", "offline"]
    since: Time
    version: str
    boot: str


@prepared
class Ack(msgspec.Struct, frozen=True):
    """`.../acks`, inbound: everything up to `seq` is safe with the receiver, whose clock then showed `at`."""

    epoch: str
    seq: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    at: Time | msgspec.UnsetType = msgspec.UNSET


@prepared
class Replay(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """`.../replay`, inbound: send the messages `from`..`to` again, if still kept."""

    epoch: str
    first: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    last: Annotated[int, msgspec.Meta(ge=1, le=2**53)]


Numbered = Readings | WireEvent | WireCase | WireGap | WireCorrection
_NUMBERED: dict[str, type[Numbered]] = {
    "readings": Readings,
    "events": WireEvent,
    "cases": WireCase,
    "gaps": WireGap,
    "corrections": WireCorrection,
}
_SCHEMAS: dict[str, type[msgspec.Struct]] = {**_NUMBERED, "status": Status, "acks": Ack, "replay": Replay}
T = TypeVar("T", Ack, Replay)
_encode = msgspec.json.Encoder().encode
_json = msgspec.json.Decoder()


class Address(NamedTuple):
    """A topic taken apart: gewu/{site}/{gateway}/{kind}."""

    site: str
    gateway: str
    kind: str


def topic(site: str, gateway: str, kind: str) -> str:
    """The topic of one kind of message of one gateway."""
    return f"gewu/{site}/{gateway}/{kind}"


def address(topic: str) -> Address | None:
    """The inverse of `topic`; None when it is not one of ours."""
    parts = topic.split("/")
    return Address(*parts[1:]) if len(parts) == 4 and parts[0] == "gewu" and all(parts) else None


def encode(message: Message, small: bool = False) -> tuple[str, bytes]:
    """The kind (the topic's last part) and payload of a numbered message; the same bytes for the same message.

    With `small` readings take the compact form; everything else is rare and stays JSON.
    """
    if small and isinstance(message.records, columns.Packed):
        return "readings", compact.encode(message)
    head = message.records[0]
    if isinstance(head, Event):
        return "events", _encode(_event(message, head))
    if isinstance(head, Gap):
        return "gaps", _encode(_gap(message, head))
    if isinstance(head, Correction):
        return "corrections", _encode(_correction(message, head))
    if small:
        return "readings", compact.encode(message)
    if isinstance(message.records, columns.Unpacked):
        return "readings", _with_lines(message, message.records.lines())
    return "readings", _encode(_readings(message))


def _with_lines(message: Message, lines: Sequence[bytes]) -> bytes:
    """The readings message around readings that are text already."""
    head, tail = _encode(_readings(msgspec.structs.replace(message, records=()))).split(b'"readings":[]', 1)
    return b"".join((head, b'"readings":[', b",".join(lines), b"]", tail))


def _readings(message: Message) -> Readings:
    readings = [
        WireReading(device=r.device, at=rfc3339(r.at), clock=r.clock, values=r.values, marks=r.marks)
        for r in message.records
        if isinstance(r, Reading)
    ]
    sent = rfc3339(message.sent)
    return Readings(message.seq, message.epoch, message.boot, sent, message.first, readings, *_filtered(message))


def _filtered(message: Message) -> tuple[Literal[True], int] | tuple[()]:
    return (True, message.last) if message.last else ()


def _event(message: Message, event: Event) -> WireEvent:
    clock = msgspec.UNSET if event.clock == "trusted" else event.clock
    return WireEvent(
        seq=message.seq,
        epoch=message.epoch,
        n=message.first,
        id=event.id,
        kind=event.kind,
        grade=event.grade,
        device=event.device,
        place=event.place,
        raised=rfc3339(event.raised),
        cleared=None if event.cleared is None else rfc3339(event.cleared),
        values=event.values,
        evidence=[
            Evidence(name=one.name, sha256=one.sha256, bytes=one.bytes, kept_until=rfc3339(one.kept_until))
            for one in event.evidence
        ],
        filtered=True if message.last else msgspec.UNSET,
        boot=msgspec.UNSET if clock is msgspec.UNSET else message.boot,
        clock=clock,
    )


def _correction(message: Message, told: Correction) -> WireCorrection:
    start, end = rfc3339(told.start), rfc3339(told.end)
    return WireCorrection(message.seq, message.epoch, told.boot, told.offset_ms, start, end)


def _gap(message: Message, gap: Gap) -> WireGap:
    start, end = rfc3339(gap.start), rfc3339(gap.end)
    return WireGap(message.seq, message.epoch, gap.stream, gap.first, gap.last, start, end, gap.reason)


def encode_status(state: Literal["online", "offline"], since: int, version: str, boot: str) -> bytes:
    """The retained status; `since` in Unix milliseconds."""
    return _encode(Status(state=state, since=rfc3339(since), version=version, boot=boot))


def encode_health(at: int, health: dict[str, Any]) -> bytes:
    """The health message: what the gateway measured, with the time `at` (Unix milliseconds) it did."""
    return _encode({"at": rfc3339(at), **health})


def encode_ack(epoch: str, seq: int, at: int | None = None) -> bytes:
    """What a receiver publishes on `.../acks`; `at` in Unix milliseconds, None when it does not know the time."""
    return _encode(Ack(epoch, seq, msgspec.UNSET if at is None else rfc3339(at)))


def encode_replay(epoch: str, first: int, last: int) -> bytes:
    """What a receiver publishes on `.../replay`."""
    return _encode(Replay(epoch, first, last))


def parse(kind: str, payload: bytes) -> Numbered:
    """A numbered message as it arrived on the topic of `kind`, JSON or compact. Raises ValueError with a sentence."""
    if kind == "readings" and payload.startswith(compact.MAGIC):
        return _readings(compact.decode(payload))
    try:
        return msgspec.json.decode(payload, type=_NUMBERED[kind])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"this is no message of the kind {kind}: {error}") from error


def parse_ack(payload: bytes) -> Ack:
    """Raises ValueError with a sentence."""
    return _control(payload, Ack)


def parse_replay(payload: bytes) -> Replay:
    """Raises ValueError with a sentence, also when the range is upside down."""
    found = _control(payload, Replay)
    if found.last < found.first:
        raise ValueError(f"the replay from {found.first} to {found.last} names nothing")
    return found


def _control(payload: bytes, kind: type[T]) -> T:
    if len(payload) > MOST_CONTROL_BYTES:
        raise ValueError(f"{len(payload)} bytes are too many for a request")
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error


# What tells one payload from another without its topic: keys that only this kind has. The first match counts.
_MARKS: tuple[tuple[str, frozenset[str]], ...] = (
    ("readings", frozenset({"seq", "readings"})),
    ("events", frozenset({"seq", "raised"})),
    ("cases", frozenset({"seq", "transition"})),
    ("gaps", frozenset({"seq", "stream"})),
    ("corrections", frozenset({"seq", "offset_ms"})),
    ("status", frozenset({"state", "since"})),
    ("replay", frozenset({"epoch", "from", "to"})),
    ("acks", frozenset({"epoch", "seq"})),
    ("commands", frozenset({"id", "action", "sig"})),
    ("replies", frozenset({"id", "result"})),
    ("health", frozenset({"at", "disk"})),
)


def recognise(payload: bytes) -> tuple[str, dict[str, Any]]:
    """The kind and content of any payload of section 4, told by its bytes. Raises ValueError with a sentence."""
    if payload.startswith(compact.MAGIC):
        return "readings", msgspec.to_builtins(parse("readings", payload))
    try:
        content = _json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(
            f"these {len(payload)} bytes are neither JSON nor another form of this version: {error}"
        ) from error
    kind = next((kind for kind, keys in _MARKS if isinstance(content, dict) and keys <= content.keys()), None)
    if kind is None:
        raise ValueError("this is JSON, but no payload of the native format")
    if kind in _SCHEMAS:
        try:
            msgspec.convert(content, _SCHEMAS[kind])
        except msgspec.ValidationError as error:
            raise ValueError(f"this looks like a message of the kind {kind}, but is not one: {error}") from error
    return kind, content


def decode(payload: bytes) -> dict[str, Any]:
    """The content of one payload as plain JSON values. Raises ValueError with a sentence."""
    return recognise(payload)[1]


def schema() -> dict[str, Any]:
    """JSON Schema of every payload, by its topic's last part."""
    (*schemas,), components = msgspec.json.schema_components(_SCHEMAS.values(), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Gewu native MQTT format, by the topic's last part",
        "type": "object",
        "properties": dict(zip(_SCHEMAS, schemas, strict=True)),
        "$defs": components,
    }
