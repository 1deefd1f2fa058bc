"""The compact form of a readings message: the same content as its JSON in about a tenth of the bytes. Pure.

Self-contained: each payload can be read alone, by `gewu decode` and by any receiver. Layout, with varint as
in LEB128 (seven bits a byte, lowest first):

    2 bytes   0xC1 0x47: the first is in no UTF-8 and begins no JSON
    1 byte    1, the version of this layout
    varint    seq
    varint    first
    varint    0, or with a filter last - first + 1
    varint    sent, in Unix milliseconds
    2 texts   epoch, boot: a UUID as 0x10 and its 16 bytes, else varint(length * 2 + 1) and UTF-8
    rest      the readings, as `gateway.columns` packs them (docs/uplinks.md says how)

The monotonic time of a reading is the gateway's own business: a reader ignores it. It is written as `at`, except
where a block of the outbox leaves as it lies, which spares a backlog the unpacking.
"""

import uuid
from functools import lru_cache
from typing import cast

import msgspec

from gateway import columns
from gateway.records import Message, Reading

MAGIC = b"\xc1\x47"
_VERSION = 1
_UUID = 0x10
_MOST_TEXT = 1024


def encode(message: Message) -> bytes:
    """The compact payload of a readings message; the same bytes for the same message."""
    span = message.last - message.first + 1 if message.last else 0
    numbers = (message.seq, message.first, span, message.sent)
    head = b"".join(map(_varint, numbers)) + _text(message.epoch) + _text(message.boot)
    return MAGIC + bytes([_VERSION]) + head + _body(message)


def _body(message: Message) -> bytes:
    if isinstance(message.records, columns.Packed):
        return message.records.body
    return columns.pack([msgspec.structs.replace(r, mono=r.at) for r in cast(tuple[Reading, ...], message.records)])


def decode(payload: bytes) -> Message:
    """The message that `encode` made `payload` of, `mono` aside. Raises ValueError with a sentence."""
    if not payload.startswith(MAGIC):
        raise ValueError("this is no compact message")
    if payload[2:3] != bytes([_VERSION]):
        raise ValueError(f"this compact message is of version {payload[2:3].hex() or 'none'}, and this gewu reads 01")
    try:
        seq, at = _number(payload, 3)
        first, at = _number(payload, at)
        span, at = _number(payload, at)
        sent, at = _number(payload, at)
        epoch, at = _read_text(payload, at)
        boot, at = _read_text(payload, at)
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"the head of this compact message is cut: {error}") from error
    if min(seq, first) < 1 or max(seq, first, span, sent) >= 2**53:
        raise ValueError("this compact message has numbers that cannot be")
    readings = columns.unpack(payload[at:])
    if not readings:
        raise ValueError("this compact message holds no readings")
    last = first + span - 1 if span else 0
    return Message(epoch=epoch, seq=seq, sent=sent, boot=boot, first=first, records=tuple(readings), last=last)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _number(payload: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        octet = payload[at]
        at += 1
        number |= (octet & 0x7F) << shift
        if octet < 0x80:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError("the head of this compact message holds a number without end")


@lru_cache(64)  # the epoch and the boot of one message are those of the next
def _text(text: str) -> bytes:
    try:
        value = uuid.UUID(text)
    except ValueError:
        pass
    else:
        if str(value) == text:
            return bytes([_UUID]) + value.bytes
    body = text.encode()
    return _varint(len(body) * 2 + 1) + body


def _read_text(payload: bytes, at: int) -> tuple[str, int]:
    head, at = _number(payload, at)
    length = 16 if head == _UUID else head // 2
    body = payload[at : at + length]
    if (head != _UUID and head % 2 == 0) or length > _MOST_TEXT or len(body) < length:
        raise ValueError("the head of this compact message is cut, or none of ours")
    return (str(uuid.UUID(bytes=body)) if head == _UUID else body.decode()), at + length
