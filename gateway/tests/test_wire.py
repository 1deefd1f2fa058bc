"""Wire time and checksum against the tables of the reference and of the specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bus.wire import Wire, crc, data_bytes, intact


@pytest.mark.parametrize(
    ("baud", "registers", "milliseconds"),
    [
        (9600, 1, 25.21), (9600, 10, 45.83), (9600, 32, 96.25), (9600, 125, 309.4),
        (19200, 1, 12.60), (19200, 125, 154.7),
        (38400, 1, 7.80), (38400, 10, 12.95), (38400, 32, 25.56), (38400, 125, 78.84),
        (115200, 1, 4.93), (115200, 10, 6.65), (115200, 32, 10.85), (115200, 125, 28.61),
    ],
)  # fmt: skip
def test_a_read_takes_what_the_formula_says(baud: int, registers: int, milliseconds: float) -> None:
    """With 11-bit characters (8E1) the times are those of the reference table."""
    assert Wire(baud, "E", 1).read("input", registers) * 1000 == pytest.approx(milliseconds, abs=0.06)


@pytest.mark.parametrize(("parity", "stopbits", "bits"), [("N", 1, 10), ("E", 1, 11), ("O", 1, 11), ("N", 2, 11)])
def test_characters_have_the_bits_that_are_configured(parity: str, stopbits: int, bits: int) -> None:
    """8N1 has 10 bits a character; 8E1, 8O1 and 8N2 have 11."""
    assert Wire(9600, parity, stopbits).character_bits == bits


def test_silence_is_fixed_above_19200() -> None:
    """t3.5 is 3.5 characters up to 19200 baud and 1750 us above."""
    assert Wire(19200).silence == pytest.approx(3.5 * 10 / 19200)
    assert Wire(38400).silence == 0.00175


def test_bits_travel_eight_to_a_byte() -> None:
    """Nine coils need two data bytes, nine registers eighteen."""
    assert data_bytes("coil", 9) == 2
    assert data_bytes("holding", 9) == 18


def test_crc_is_that_of_the_specification() -> None:
    """The specification's example (serial line V1.02, 6.2.2): 02 07 has the CRC 41 12 on the wire."""
    assert crc(bytes((0x02, 0x07))) == bytes((0x41, 0x12))


@given(st.binary(min_size=2, max_size=60), st.data())
def test_crc_finds_every_flipped_bit(frame: bytes, data: st.DataObject) -> None:
    """A frame with its CRC is intact, and with any one bit flipped it is not."""
    whole = frame + crc(frame)
    assert intact(whole)
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    broken = bytearray(whole)
    broken[bit // 8] ^= 1 << bit % 8
    assert not intact(bytes(broken))
