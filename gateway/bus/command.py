"""Command frames for the mailbox of a Gewu board: bytes that only the holder of the device's key can make. Pure.

A frame is written to the profile's `command_register` (function 10h) or `command_file` (15h, record 0). The board
judges it in its next turn: `commands_judged` rises by one and `command_result` says how it went. The layout is that
of docs/firmware.md, "Authority"; this module never talks to a device and never keeps a key.
"""

import hmac
import struct
from enum import IntEnum
from hashlib import sha256

from gateway.errors import ConfigurationError

KEY_BYTES = 32
NONCE_LIFE_S = 30.0
MOST_ARGUMENT = 190
_PURPOSE = b"gewu-command-1"
_SERIAL_BYTES = 16
_ADDRESS = 64


class Code(IntEnum):
    """What is asked. Arguments: SETTINGS the JSON of the keys that change, CLOCK Unix time in 4 bytes, BEGIN the
    bundle's size in 4 bytes and its SHA-256; the others none."""

    OPEN = 1
    CLOSE = 2
    SETTINGS = 3
    CLOCK = 4
    RESTART = 5
    BEGIN = 6
    INSTALL = 7
    ABORT = 8
    WIPE = 9


RESULTS: dict[int, str] = {
    0: "nothing was asked since the start",
    1: "done",
    2: "refused: the frame is malformed",
    3: "refused: the board has no key yet; provision it over USB",
    4: "refused: too many wrong tries; wait command_wait seconds",
    5: "refused: the signature is wrong; is this the key of this board, and its serial number?",
    6: "refused: the counter was used before; take one above command_counter",
    7: "refused: the nonce is not one of the last 30 s; read it again",
    8: "refused: too early by the frame's own window",
    9: "refused: too late by the frame's own window",
    10: "refused: the argument is wrong",
    11: "refused: this board cannot do that",
    12: "failed: the flash or the memory did not suffice; nothing was done",
    21: "refused: locked out at the device",
    22: "refused: acknowledge the trip at the device first",
    23: "refused: it was told to open and current still flows; open the upstream device",
    24: "refused: too soon after the trip",
    25: "refused: closed too often; wait",
    26: "refused: no voltage, or too little",
    29: "refused: no closing actuator is fitted; a person closes it at the lever",
}
"""What each value of `command_result` means."""


def frame(
    key: bytes,
    serial: str,
    code: Code,
    counter: int,
    nonce: bytes,
    argument: bytes = b"",
    since: float = 0.0,
    until: float = NONCE_LIFE_S,
) -> bytes:
    """The bytes of one command.

    `key` 32 bytes, `serial` as the register of that name, `counter` above `command_counter` (32 bits), `nonce` the
    8 bytes of nonce_high and nonce_low, `argument` at most 190 bytes. The board acts only between `since` and
    `until` seconds after it issued the nonce (0 to 6553.5). ConfigurationError: one of these is out of range.
    """
    if len(key) != KEY_BYTES or len(nonce) != 8 or len(argument) > MOST_ARGUMENT or not 0 < counter < 2**32:
        raise ConfigurationError(
            f"A command needs a key of {KEY_BYTES} bytes, a nonce of 8, a counter of 1 to 4294967295 and at most "
            f"{MOST_ARGUMENT} bytes of argument."
        )
    window = round(since * 10), round(until * 10)
    if not all(0 <= tenths <= 0xFFFF for tenths in window):
        raise ConfigurationError(f"A command's window is 0 to 6553.5 s, not {since} to {until}.")
    head = struct.pack(">BBHHI", code, len(argument), *window, counter) + nonce + argument
    return head + hmac.digest(key, _PURPOSE + _padded(serial) + head, sha256)


def address_frame(serial: str, address: int) -> bytes:
    """Gives the board with that serial number an address, 1 to 247. It obeys only while it has no settings."""
    if not 1 <= address <= 247:
        raise ConfigurationError(f"An address is 1 to 247, not {address}.")
    return bytes((_ADDRESS, _SERIAL_BYTES + 1)) + _padded(serial) + bytes((address,))


def registers(data: bytes) -> list[int]:
    """A frame as holding registers, high byte first; an odd last byte is followed by a zero."""
    padded = data + bytes(len(data) % 2)
    return list(struct.unpack(f">{len(padded) // 2}H", padded))


def explain(result: int) -> str:
    """A sentence for `command_result`."""
    return RESULTS.get(result, f"refused for a reason that this program does not know ({result})")


def _padded(serial: str) -> bytes:
    raw = serial.encode()
    if not 1 <= len(raw) <= _SERIAL_BYTES:
        raise ConfigurationError(f"A serial number has 1 to {_SERIAL_BYTES} bytes, not {len(raw)}: {serial!r}.")
    return raw.ljust(_SERIAL_BYTES, b"\0")
