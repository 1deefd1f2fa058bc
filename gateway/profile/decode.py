"""Raw registers and bits into values, and values into raw registers for writing. Pure.

Numbers come out as a person would write them: 2301 * 0.1 is 230.1 and not 230.10000000000002.
Not-a-number and infinity never leave as numbers, for JSON has no such thing: they leave as the strings
"NaN", "Infinity" and "-Infinity" and are marked bad.
"""

import math
import struct
from collections.abc import Sequence
from decimal import Decimal

from gateway.errors import ConfigurationError
from gateway.profile.model import BIT_KINDS, Register
from gateway.records import Mark, Value

Decoded = tuple[dict[str, Value], dict[str, Mark]]
_INTEGERS = {"u16": False, "u32": False, "u64": False, "i16": True, "i32": True, "i64": True}


def decode(register: Register, raw: Sequence[int]) -> Decoded:
    """The values of one register from its `raw` words (0 to 65535 each), or from one bit (0 or 1).

    Returns values and marks by name. Raises ValueError when `raw` has not the register's size.
    """
    if len(raw) != register.size:
        raise ValueError(f"{register.name} takes {register.size} words and not {len(raw)}")
    if register.kind in BIT_KINDS or register.type == "bool":
        return {register.name: bool(raw[0])}, {}
    if register.type == "bits":
        word = int.from_bytes(_octets(register, raw), "big")
        return {name: bool(word >> bit & 1) for bit, name in register.bits}, {}
    if register.type == "string":
        return {register.name: _text(_octets(register, raw))}, {}
    return _number(register, _octets(register, raw))


def absent_value(register: Register) -> int | float | None:
    """What the device's own scaling makes of the raw number that says "no such value"; None where it has none."""
    return None if register.absent is None else _scaled(register, register.absent)


def encode(register: Register, value: Value) -> list[int]:
    """The raw words (or the one bit) that stand for `value`, ready to be written.

    Raises ConfigurationError when the register is not for writing or the value does not fit it.
    """
    if register.access == "r":
        raise ConfigurationError(f"{register.name} can only be read.")
    if register.kind in BIT_KINDS or register.type == "bool":
        if not isinstance(value, bool):
            raise ConfigurationError(f"{register.name} takes true or false, not {value!r}.")
        return [int(value)]
    if register.type == "bits":
        raise ConfigurationError(f"{register.name} holds several bits and cannot be written as one value.")
    if register.type == "string":
        return _words(register, _string_octets(register, value))
    if isinstance(value, bool | str):
        raise ConfigurationError(f"{register.name} takes a number, not {value!r}.")
    if register.valid and not register.valid[0] <= value <= register.valid[1]:
        low, high = register.valid
        raise ConfigurationError(
            f"{register.name} takes {low:g} to {high:g} {register.unit}".rstrip() + f", not {value}."
        )
    return _words(register, _number_octets(register, value))


def _octets(register: Register, raw: Sequence[int]) -> bytes:
    words = raw if register.type == "string" or register.word_order == "big" else raw[::-1]
    return b"".join(word.to_bytes(2, register.byte_order) for word in words)


def _words(register: Register, octets: bytes) -> list[int]:
    words = [int.from_bytes(octets[at : at + 2], register.byte_order) for at in range(0, len(octets), 2)]
    return words if register.type == "string" or register.word_order == "big" else words[::-1]


def _text(octets: bytes) -> str:
    text = octets.split(b"\0", 1)[0].decode("utf-8", errors="replace").rstrip()
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _number(register: Register, octets: bytes) -> Decoded:
    raw: int | float
    if register.type in _INTEGERS:
        raw = int.from_bytes(octets, "big", signed=_INTEGERS[register.type])
        if raw == register.absent:
            return {}, {}
    else:
        raw = struct.unpack(">f" if register.type == "f32" else ">d", octets)[0]
        if not math.isfinite(raw):
            name = "NaN" if math.isnan(raw) else "Infinity" if raw > 0 else "-Infinity"
            return {register.name: name}, {register.name: "bad"}
        raw = _shortest(raw) if register.type == "f32" else raw
    value = _scaled(register, raw)
    low, high = register.valid or (-math.inf, math.inf)
    return {register.name: value}, {} if low <= value <= high else {register.name: "bad"}


def _shortest(value: float) -> float:
    """The shortest decimal that is the same single-precision number (6 to 9 digits always suffice)."""
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        # 3.4028235e38 rounded to 6 digits lies beyond the largest single: it does not fit back
        if abs(short) <= 3.4028234663852886e38 and struct.pack(">f", short) == struct.pack(">f", value):
            return short
    return float(f"{value:.9g}")


def _scaled(register: Register, raw: int | float) -> int | float:
    if register.scale == 1 and register.offset == 0:
        return raw
    value = Decimal(repr(raw)) * Decimal(repr(register.scale)) + Decimal(repr(register.offset))
    whole = isinstance(raw, int) and register.scale.is_integer() and register.offset.is_integer()
    return int(value) if whole else float(value)


def _number_octets(register: Register, value: int | float) -> bytes:
    if not math.isfinite(value):
        raise ConfigurationError(f"{register.name} takes a finite number, not {value}.")
    raw = (Decimal(repr(value)) - Decimal(repr(register.offset))) / Decimal(repr(register.scale))
    try:
        if register.type in _INTEGERS:
            return round(raw).to_bytes(register.size * 2, "big", signed=_INTEGERS[register.type])
        return struct.pack(">f" if register.type == "f32" else ">d", float(raw))
    except OverflowError:
        raise ConfigurationError(f"{value} does not fit into {register.name}, which is {register.type}.") from None


def _string_octets(register: Register, value: Value) -> bytes:
    if not isinstance(value, str):
        raise ConfigurationError(f"{register.name} takes a text, not {value!r}.")
    octets = value.encode()
    if len(octets) > register.size * 2:
        raise ConfigurationError(
            f"{register.name} holds at most {register.size * 2} bytes, and {value!r} has {len(octets)}."
        )
    return octets.ljust(register.size * 2, b"\0")
