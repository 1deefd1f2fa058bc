"""What an exchange costs on the wire, and the checksum that guards it. Pure arithmetic of Modbus RTU.

Sources: MODBUS over Serial Line V1.02, 2.5.1 (11-bit character, t1.5 and t3.5, fixed to 750 us and 1750 us
above 19200 baud) and 6.2.2 (CRC-16, polynomial A001, start FFFF, low byte first).
"""

from dataclasses import dataclass
from functools import cached_property

from gateway.profile.model import BIT_KINDS, Kind

REQUEST_BYTES = 8
"""A read request: unit, function, address (2), quantity (2), CRC (2)."""
FILE_REQUEST_BYTES = 12
"""A read of one part of a file: unit, function, byte count, type, file (2), record (2), length (2), CRC (2)."""
ANSWER_BYTES = 5
"""An answer to a read without its data: unit, function, byte count, CRC (2); also a whole exception."""
FASTEST_WITH_SILENCE_BY_CHARACTER = 19200
FIXED_SILENCE_S = 0.00175


@dataclass(frozen=True)
class Wire:
    """The electrical settings of a line; `parity` is N, E or O, and a character always has 8 data bits."""

    baud: int
    parity: str = "N"
    stopbits: int = 1

    @cached_property
    def character_bits(self) -> int:
        """Start bit, 8 data bits, parity if any, stop bits: 10 for 8N1, 11 for 8E1 and 8N2."""
        return 1 + 8 + (self.parity != "N") + self.stopbits

    @cached_property
    def t_char(self) -> float:
        """Seconds a character takes."""
        return self.character_bits / self.baud

    @cached_property
    def silence(self) -> float:
        """t3.5 in seconds: the least silence between two frames."""
        return 3.5 * self.t_char if self.baud <= FASTEST_WITH_SILENCE_BY_CHARACTER else FIXED_SILENCE_S

    def exchange(self, request_bytes: int, answer_bytes: int) -> float:
        """Seconds of a request, its answer and the silence after each."""
        return (request_bytes + answer_bytes) * self.t_char + 2 * self.silence

    def read(self, kind: Kind, count: int) -> float:
        """Seconds to read `count` registers or bits: (8 + 5 + data bytes) * t_char + 2 * t3.5."""
        return self.exchange(REQUEST_BYTES, ANSWER_BYTES + data_bytes(kind, count))


@dataclass(frozen=True)
class Ethernet(Wire):
    """A line of Modbus TCP: what an exchange costs is a round trip, hardly more for a longer answer.

    0.2 ms is what a switched local network takes; 100 Mbit/s is its slowest usual speed.
    """

    @cached_property
    def t_char(self) -> float:
        return 8 / 100e6

    @cached_property
    def silence(self) -> float:
        return 0.0001


def wire_of(port: str, baud: int, parity: str, stopbits: int) -> Wire:
    """The wire behind a configured port: Ethernet for tcp://, else a serial line with these settings."""
    kind = Ethernet if port.startswith("tcp://") else Wire
    return kind(baud, parity, stopbits)


def data_bytes(kind: Kind, count: int) -> int:
    """Data bytes in the answer to a read of `count` registers or bits."""
    return (count + 7) // 8 if kind in BIT_KINDS else 2 * count


def file_answer_bytes(count: int) -> int:
    """Bytes of the answer to a read of `count` registers of a file: with the lengths of all and of the one part."""
    return ANSWER_BYTES + 2 + 2 * count


def crc(frame: bytes) -> bytes:
    """The two bytes of CRC-16 that follow `frame` on the wire, low byte first."""
    value = 0xFFFF
    for octet in frame:
        value = (value >> 8) ^ _CRC[(value ^ octet) & 0xFF]
    return value.to_bytes(2, "little")


def intact(frame: bytes) -> bool:
    """Whether the last two bytes of `frame` are the CRC of those before."""
    return len(frame) >= 4 and crc(frame[:-2]) == frame[-2:]


def _crc_entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


_CRC = tuple(_crc_entry(octet) for octet in range(256))
