"""Command frames and journal entries: the bytes of docs/firmware.md, and refusals that name what is wrong."""

import hashlib
import hmac

import pytest

from gateway.bus.command import RESULTS, Code, address_frame, explain, frame, registers
from gateway.bus.journal import decode
from gateway.bus.wire import crc
from gateway.errors import ConfigurationError

KEY = bytes(range(32))


def test_a_frame_has_the_documented_bytes() -> None:
    """Code, length, window in tenths of a second, counter, nonce, argument, HMAC over purpose, serial and all that."""
    made = frame(KEY, "GW-1", Code.CLOCK, 258, b"12345678", b"\x01\x02\x03\x04", since=0.5, until=3.0)
    head = bytes((4, 4, 0, 5, 0, 30, 0, 0, 1, 2)) + b"12345678" + b"\x01\x02\x03\x04"
    message = b"gewu-command-1" + b"GW-1".ljust(16, b"\0") + head
    assert made == head + hmac.new(KEY, message, hashlib.sha256).digest()
    assert registers(made)[:3] == [0x0404, 5, 30]
    assert registers(b"\x01\x02\x03") == [0x0102, 0x0300]


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": b"short"},
        {"nonce": b"1234567"},
        {"argument": bytes(191)},
        {"counter": 0},
        {"counter": 2**32},
        {"until": 6554.0},
        {"since": -1.0},
        {"serial": ""},
        {"serial": "x" * 17},
    ],
)
def test_what_no_board_could_obey_is_refused_here(wrong: dict[str, object]) -> None:
    """A sentence instead of a frame that is refused far away."""
    given: dict[str, object] = {"key": KEY, "serial": "a", "code": Code.OPEN, "counter": 1, "nonce": bytes(8)}
    with pytest.raises(ConfigurationError):
        frame(**(given | wrong))  # type: ignore[arg-type]


def test_an_address_frame_names_the_board() -> None:
    """Code 64, 17 bytes: the serial number filled with zeros, and the address."""
    assert address_frame("GW-1", 9) == bytes((64, 17)) + b"GW-1".ljust(16, b"\0") + b"\x09"
    with pytest.raises(ConfigurationError):
        address_frame("GW-1", 248)


def test_every_result_is_a_sentence() -> None:
    """Also one that this program does not know."""
    assert all(explain(result) == text for result, text in RESULTS.items())
    assert "(99)" in explain(99)


def test_a_journal_entry_is_decoded_and_a_broken_one_is_none() -> None:
    """32 bytes, the CRC of Modbus at their end."""
    raw = bytes.fromhex("00000107 0029 0002 00000007 00fa 6553f100 0002 00027100 00000003 0000")
    entry = decode(raw + crc(raw))
    assert entry is not None
    assert (entry.number, entry.boot, entry.kind, entry.at_s, entry.clock) == (263, 41, "trip", 7.25, 1_700_000_000)
    assert (entry.a, entry.b, entry.c, entry.lost) == (2, 160_000, 3, 0)
    assert decode(raw + b"\0\0") is None
    assert decode(bytes(32)) is None
    assert decode(raw) is None
