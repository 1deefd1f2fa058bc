"""The metering chip's frames, read with the formulas of its data sheet."""

import struct

import pytest

from hil_tests.rig.bl0942 import Bl0942, checksum
from hil_tests.rig.circuit import Mains

SHUNT_UOHM, DIVIDER = 100, 3824


def chip_that_sees(mains: Mains, seconds: float = 2.0) -> Bl0942:
    chip = Bl0942(SHUNT_UOHM, DIVIDER, 0.0)
    chip.see(mains, 0.0)
    chip.see(mains, seconds)
    return chip


def u24(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 3], "little")


def packet(chip: Bl0942) -> bytes:
    return chip.receive(b"\x58\xaa", 2.0)


def test_a_packet_carries_what_the_circuit_shows() -> None:
    """23 bytes with a right checksum; current, voltage, power and frequency by the data sheet's factors."""
    frame = packet(chip_that_sees(Mains(16.0, 231.0, 0.8, 50.0)))
    assert (len(frame), frame[0]) == (23, 0x55)
    assert frame[22] == ~(0x58 + sum(frame[:22])) & 0xFF
    amps = u24(frame, 1) * 1.218 / 305978 * 1000 / SHUNT_UOHM
    volts = u24(frame, 4) * 1.218 / 73989 * DIVIDER / 1000
    watts = u24(frame, 10) * 1.218**2 / 3537 * 1000 / SHUNT_UOHM * DIVIDER / 1000
    assert amps == pytest.approx(16.0, rel=1e-3)
    assert volts == pytest.approx(231.0, rel=1e-3)
    assert watts == pytest.approx(16 * 231 * 0.8, rel=1e-3)
    assert 1e6 / struct.unpack_from("<H", frame, 16)[0] == pytest.approx(50.0, rel=1e-3)


def test_power_that_flows_back_is_negative() -> None:
    """A negative power factor gives a negative 24-bit power and leaves the current positive."""
    frame = packet(chip_that_sees(Mains(5.0, 230.0, -0.9, 50.0)))
    assert int.from_bytes(frame[10:13], "little", signed=True) < 0
    assert u24(frame, 1) > 0


def test_above_full_scale_the_current_saturates() -> None:
    """42 mV peak is the most that the input knows: 297 A and 2000 A on this shunt read the same."""
    top = u24(packet(chip_that_sees(Mains(2000.0, 230.0, 1.0, 50.0))), 1)
    assert top == u24(packet(chip_that_sees(Mains(300.0, 230.0, 1.0, 50.0))), 1)
    assert top > u24(packet(chip_that_sees(Mains(290.0, 230.0, 1.0, 50.0))), 1)


def test_values_change_only_every_400_ms() -> None:
    """A step shows nothing before the refresh, its rms share at the first one, all of it at the second."""
    chip = chip_that_sees(Mains(10.0, 230.0, 1.0, 50.0), seconds=2.0)
    before = u24(packet(chip), 1)
    chip.see(Mains(20.0, 230.0, 1.0, 50.0), 2.2)
    chip.see(Mains(20.0, 230.0, 1.0, 50.0), 2.39)
    assert u24(packet(chip), 1) == before
    chip.see(Mains(20.0, 230.0, 1.0, 50.0), 2.41)
    assert u24(packet(chip), 1) == pytest.approx(before * (2.5**0.5), rel=1e-3)
    chip.see(Mains(20.0, 230.0, 1.0, 50.0), 2.81)
    assert u24(packet(chip), 1) == pytest.approx(2 * before, rel=1e-3)


def test_energy_pulses_follow_power_and_time() -> None:
    """The pulse counter of an hour at 1 kW is the one that the data sheet's pulse period gives."""
    frame = packet(chip_that_sees(Mains(1000 / 230, 230.0, 1.0, 50.0), seconds=3600.0))
    watt = u24(frame, 10)
    assert u24(frame, 13) == pytest.approx(3600 * watt / (1638.4 * 256), rel=1e-3)


def test_noise_before_a_request_is_skipped() -> None:
    """The chip resynchronises on its head byte, and a request for another address gets no answer."""
    chip = chip_that_sees(Mains(1.0, 230.0, 1.0, 50.0))
    assert len(chip.receive(b"\x00\xff\x58\xaa", 2.0)) == 23
    assert chip.receive(b"\x59\xaa", 2.0) == b""


def test_registers_are_written_only_unlocked_and_with_a_right_checksum() -> None:
    """A write counts after the unlock; reading the register gives it back with its checksum."""

    def write(register: int, value: int, spoil: int = 0) -> None:
        message = bytes([0xA8, register]) + value.to_bytes(3, "little")
        chip.receive(message + bytes([checksum(message) ^ spoil]), 2.0)

    chip = chip_that_sees(Mains(1.0, 230.0, 1.0, 50.0))
    write(0x15, 0x1234)
    assert chip.receive(b"\x58\x15", 2.0)[:3] == b"\xff\xff\x00"
    write(0x1D, 0x55)
    write(0x15, 0x1234, spoil=1)
    write(0x15, 0x4321)
    answer = chip.receive(b"\x58\x15", 2.0)
    assert answer == b"\x21\x43\x00" + bytes([checksum(b"\x58\x15\x21\x43\x00")])
