"""The ADE7953 metering chip behind a board's second UART: true bytes for true requests. Pure.

From its data sheet (Rev. B and C): 4800 baud; 35h reads and CAh writes, then the address, high byte first, and
data lowest byte first; 6 ms of silence between packets; RMS registers 9032007 at full scale with 200 ms to settle,
AWATT 4862401, peaks 6500000, period counts of 223.75 kHz; IRQ falls on an enabled event until RSTIRQSTATA is read.
"""

import math

from hil_tests.rig.circuit import Mains

BAUD = 4800
_QUIET_S = 0.006
_SETTLE_S = 0.2 / 5  # settled to a hundredth after five of these
_FULL_RMS, _FULL_WATT, _FULL_PEAK = 9_032_007, 4_862_401, 6_500_000
_FULL_V = 0.5  # peak, at gain 1
_GAINS = (1, 2, 4, 8, 16, 22)
_PGA_V, _PGA_IA, _LOCK, _TUNE = 0x007, 0x008, 0x0FE, 0x120
_OIA, _OV, _RESET = 1 << 13, 1 << 16, 1 << 20
_OVLVL, _OILVL, _IRQENA, _STATUS, _RSTSTATUS = 0x24, 0x25, 0x2C, 0x2D, 0x2E
_VPEAK, _RSTVPEAK, _IPEAK, _RSTIPEAK = 0x26, 0x27, 0x28, 0x29
_AWATT, _IRMS, _VRMS, _PERIOD = 0x12, 0x1A, 0x1C, 0x10E
_DEFAULTS = {_OVLVL: 0xFFFFFF, _OILVL: 0xFFFFFF, _IRQENA: _RESET, _PGA_V: 0, _PGA_IA: 0, _TUNE: 0}


def size_of(address: int) -> int:
    """Bytes of a register, by its address: 1, 2, 3 or 4."""
    return {0: 1, 1: 2, 2: 3, 3: 4}.get(address >> 8, 1)


class Ade7953:
    """One chip. `shunt_uohm` (microohm) and `divider` (ratio, mains to pin) are those of the board."""

    def __init__(self, shunt_uohm: float, divider: float, now: float) -> None:
        self._shunt_v = shunt_uohm * 1e-6
        self._divider = divider
        self._registers = dict(_DEFAULTS)
        self._unlocked = False
        self._received = bytearray()
        self._deaf_until = 0.0
        self._mains = Mains(0.0, 0.0, 1.0, 50.0)
        self._since = now
        self._squares = [0.0, 0.0]  # of current and voltage, filtered
        self._watt = 0.0
        self._peaks = [0.0, 0.0]
        self._status = _RESET

    @property
    def alarm(self) -> bool:
        """Whether an enabled event holds the IRQ pin (which the board sees inverted, as high)."""
        return bool(self._status & self._registers[_IRQENA])

    def see(self, mains: Mains, now: float) -> None:
        """The circuit shows `mains` from `now` on; call before a change and before each request."""
        self._settle(now)
        self._mains = mains
        self._peak()

    def receive(self, data: bytes, now: float) -> bytes:
        """Bytes from the board; the chip's answer, or nothing (it ignores what is not for it)."""
        if now < self._deaf_until:
            return b""
        self._received += data
        answer = b""
        packet = bytes(self._received)
        if packet[0] not in (0x35, 0xCA):
            self._received.clear()
        elif len(packet) >= 3:
            address = packet[1] << 8 | packet[2]
            length = 3 if packet[0] == 0x35 else 3 + size_of(address)
            if len(packet) >= length:
                self._received.clear()
                answer = self._read(address) if length == 3 else self._write(address, packet[3:length])
                self._deaf_until = now + (length + len(answer)) * 10 / BAUD + _QUIET_S
        return answer

    def _settle(self, now: float) -> None:
        seconds = now - self._since
        if seconds <= 0:
            return
        self._peak()
        part = 1 - math.exp(-seconds / _SETTLE_S)
        amps, volts, watt = self._mains.current, self._mains.voltage, self._power()
        self._squares[0] += (amps**2 - self._squares[0]) * part
        self._squares[1] += (volts**2 - self._squares[1]) * part
        self._watt += (watt - self._watt) * part
        self._since = now

    def _power(self) -> float:
        return self._mains.current * self._mains.voltage * self._mains.power_factor

    def _part_of_current(self, amps_rms: float) -> float:
        """Of full scale, 1 at most; the sine's peak counts."""
        gain = _GAINS[min(self._registers[_PGA_IA], 5)]
        return min(amps_rms * self._shunt_v * gain * 2**0.5 / _FULL_V, 1.0)

    def _part_of_voltage(self, volts_rms: float) -> float:
        gain = _GAINS[min(self._registers[_PGA_V], 5)]
        return min(volts_rms / self._divider * gain * 2**0.5 / _FULL_V, 1.0)

    def _peak(self) -> None:
        current = self._part_of_current(self._mains.current) * _FULL_PEAK
        voltage = self._part_of_voltage(self._mains.voltage) * _FULL_PEAK
        self._peaks = [max(self._peaks[0], current), max(self._peaks[1], voltage)]
        if current > self._registers[_OILVL]:
            self._status |= _OIA
        if voltage > self._registers[_OVLVL]:
            self._status |= _OV

    def _read(self, address: int) -> bytes:
        size = size_of(address)
        value = self._value(address, address & 0xFF if size > 2 else address)
        return (value & (1 << 8 * size) - 1).to_bytes(size, "little")

    def _value(self, address: int, name: int) -> int:
        if address == _PERIOD:
            frequency = self._mains.frequency
            return min(round(223_750 / frequency - 1), 0xFFFF) if frequency > 0 else 0xFFFF
        if address < 0x200:
            return self._registers.get(address, 0)
        if name == _IRMS:
            return round(self._part_of_current(self._squares[0] ** 0.5) * _FULL_RMS)
        if name == _VRMS:
            return round(self._part_of_voltage(self._squares[1] ** 0.5) * _FULL_RMS)
        if name == _AWATT:
            full = _FULL_V / 2**0.5 * self._divider * _FULL_V / 2**0.5 / self._shunt_v
            return round(self._watt / (full / _GAINS[min(self._registers[_PGA_IA], 5)]) * _FULL_WATT)
        if name in (_IPEAK, _RSTIPEAK, _VPEAK, _RSTVPEAK):
            return self._read_peak(name)
        if name in (_STATUS, _RSTSTATUS):
            status = self._status
            if name == _RSTSTATUS:
                self._status = 0
                self._peak()
            return status
        return self._registers.get(name, 0)

    def _read_peak(self, name: int) -> int:
        which = 0 if name in (_IPEAK, _RSTIPEAK) else 1
        value = round(self._peaks[which])
        if name in (_RSTIPEAK, _RSTVPEAK):
            self._peaks[which] = 0.0
            self._peak()
        return value

    def _write(self, address: int, data: bytes) -> bytes:
        value = int.from_bytes(data, "little")
        if address == _LOCK:
            self._unlocked = value == 0xAD
            return b""
        if address != _TUNE or self._unlocked:
            self._registers[address if address < 0x200 else address & 0xFF] = value
        self._unlocked = False
        self._peak()
        return b""
