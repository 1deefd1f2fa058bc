"""The second metering chip's packets, read with the formulas of its data sheet."""

import pytest

from hil_tests.rig.ade7953 import Ade7953
from hil_tests.rig.circuit import Mains

SHUNT_UOHM, DIVIDER = 100, 5789
AMPS_FULL = 0.5 / 2**0.5 / (SHUNT_UOHM * 1e-6)  # at gain 1
VOLTS_FULL = 0.5 / 2**0.5 * DIVIDER


def read(chip: Ade7953, address: int, now: float) -> int:
    """A register, lowest byte first; the packet starts after the chip's silence."""
    return int.from_bytes(chip.receive(bytes([0x35, address >> 8, address & 0xFF]), now), "little")


def chip_that_sees(mains: Mains) -> Ade7953:
    chip = Ade7953(SHUNT_UOHM, DIVIDER, 0.0)
    chip.see(mains, 0.0)
    chip.see(mains, 2.0)
    return chip


def test_registers_carry_what_the_circuit_shows() -> None:
    """RMS, power and period by the data sheet's full-scale codes."""
    chip = chip_that_sees(Mains(16.0, 231.0, 0.8, 50.0))
    assert read(chip, 0x31A, 3.0) / 9_032_007 * AMPS_FULL == pytest.approx(16.0, rel=1e-3)
    assert read(chip, 0x31C, 4.0) / 9_032_007 * VOLTS_FULL == pytest.approx(231.0, rel=1e-3)
    assert read(chip, 0x312, 5.0) / 4_862_401 * AMPS_FULL * VOLTS_FULL == pytest.approx(16 * 231 * 0.8, rel=1e-3)
    assert 223_750 / (read(chip, 0x10E, 6.0) + 1) == pytest.approx(50.0, rel=1e-3)


def test_power_that_flows_back_is_negative_in_four_bytes() -> None:
    """Sign-extended to 32 bits."""
    chip = chip_that_sees(Mains(5.0, 230.0, -0.9, 50.0))
    answer = chip.receive(b"\x35\x03\x12", 3.0)
    assert len(answer) == 4
    assert int.from_bytes(answer, "little", signed=True) < 0


def test_a_step_settles_in_a_fifth_of_a_second() -> None:
    """Half-way after tens of milliseconds, there after 200 ms; the peak is there at once and is cleared by its look."""
    chip = chip_that_sees(Mains(0.0, 230.0, 1.0, 50.0))
    read(chip, 0x327, 2.1)
    chip.see(Mains(0.0, 400.0, 1.0, 50.0), 3.0)
    assert read(chip, 0x327, 3.0) / 6_500_000 * VOLTS_FULL == pytest.approx(400.0, rel=1e-3)
    chip.see(Mains(0.0, 400.0, 1.0, 50.0), 3.05)
    assert 300 < read(chip, 0x31C, 3.05) / 9_032_007 * VOLTS_FULL < 390
    chip.see(Mains(0.0, 400.0, 1.0, 50.0), 3.2)
    assert read(chip, 0x31C, 3.2) / 9_032_007 * VOLTS_FULL == pytest.approx(400.0, rel=0.01)


def test_it_is_deaf_between_packets_and_to_what_is_no_packet() -> None:
    """6 ms of silence; an unknown first byte is dropped; a write needs all its bytes, and its unlocking."""
    chip = chip_that_sees(Mains(5.0, 230.0, 1.0, 50.0))
    assert chip.receive(b"\x35\x03\x1a", 3.0)
    assert chip.receive(b"\x35\x03\x1a", 3.015) == b""
    assert chip.receive(b"\x58\xaa", 4.0) == b""
    chip.receive(b"\xca\x01\x20\x30\x00", 5.0)
    assert read(chip, 0x120, 6.0) == 0
    chip.receive(b"\xca\x00\xfe\xad", 7.0)
    chip.receive(b"\xca\x01\x20\x30\x00", 8.0)
    assert read(chip, 0x120, 9.0) == 0x30


def test_the_pin_tells_what_is_enabled_until_the_status_is_read() -> None:
    """The end of its own reset at first; then over-current and overvoltage above their levels."""
    chip = chip_that_sees(Mains(5.0, 230.0, 1.0, 50.0))
    assert chip.alarm
    assert read(chip, 0x32E, 3.0) == 1 << 20
    assert not chip.alarm
    level = round(50.0 / AMPS_FULL * 6_500_000)
    chip.receive(b"\xca\x03\x25" + level.to_bytes(4, "little"), 4.0)
    chip.receive(b"\xca\x03\x2c" + (1 << 13 | 1 << 16).to_bytes(4, "little"), 5.0)
    chip.see(Mains(49.0, 230.0, 1.0, 50.0), 6.0)
    assert not chip.alarm
    chip.see(Mains(51.0, 230.0, 1.0, 50.0), 7.0)
    chip.see(Mains(0.0, 230.0, 1.0, 50.0), 7.1)
    assert chip.alarm
    assert read(chip, 0x32E, 8.0) == 1 << 13
    assert not chip.alarm
