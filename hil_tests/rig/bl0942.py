"""The BL0942 metering chip behind a board's second UART: true bytes for true requests. Pure.

Frame layout and formulas: BL0942 data sheet as quoted in the project's electrical notes (packet of 23
bytes, checksum, V and I per millivolt at the pin, 400 ms refresh); full scale: +-42 mV and +-100 mV
peak at the pins, beyond which the converter saturates.
"""

from hil_tests.rig.circuit import Mains

REFRESH_S = 0.4
BAUDS = (4800, 9600, 19200, 38400)
_READ, _WRITE, _PACKET = 0x58, 0xA8, 0xAA
_V_REF = 1.218
_CURRENT_MV = 42 / 2**0.5  # rms of a sine at full scale
_VOLTAGE_MV = 100 / 2**0.5
_FAST_RATIO = 0.363  # I_FAST_RMS counts for one count of I_RMS
_CF_COUNTS = 1638.4 * 256  # seconds of one energy pulse, times the WATT register
_SOFT_RESET, _UNLOCK = 0x1C, 0x1D
_DEFAULTS = {0x15: 0xFFFF, 0x16: 0x1, 0x18: 0x24, 0x19: 0x87}


def checksum(data: bytes) -> int:
    """The chip's checksum over `data`: the complement of the low byte of the sum."""
    return ~sum(data) & 0xFF


class Bl0942:
    """One chip. `shunt_uohm` (microohm) and `divider` (ratio, mains to pin) are those of the board."""

    def __init__(self, shunt_uohm: float, divider: float, now: float, address: int = 0) -> None:
        self._shunt_uohm = shunt_uohm
        self._divider = divider
        self._address = address
        self._registers = dict(_DEFAULTS)
        self._unlocked = False
        self._received = bytearray()
        self._mains = Mains(0.0, 0.0, 1.0, 50.0)
        self._since = now
        self._window = now
        self._squares = 0.0
        self._latched = (0.0, Mains(0.0, 0.0, 1.0, 50.0))
        self._pulses = 0.0

    @property
    def alarm(self) -> bool:
        """Whether the fast RMS value is above its threshold: the pin CF2, where it tells that, is high."""
        fast = self._fast()
        return self._registers[0x18] >> 2 & 3 == 1 and fast >> 8 >= self._registers[0x15]

    def _fast(self) -> int:
        return round(self._current_mv(self._mains.current) * 305978 / _V_REF * _FAST_RATIO)

    def see(self, mains: Mains, now: float) -> None:
        """The circuit shows `mains` from `now` on; call before a change and before each request."""
        while self._window + REFRESH_S <= now:
            end = self._window + REFRESH_S
            self._integrate(end)
            self._latched = ((self._squares / REFRESH_S) ** 0.5, self._mains)
            self._squares = 0.0
            self._window = end
        self._integrate(now)
        self._mains = mains

    def receive(self, data: bytes, now: float) -> bytes:
        """Bytes from the board; the chip's answer, or nothing (it ignores what is not for it)."""
        self._received += data
        answer = b""
        while len(self._received) >= 2:
            command = self._received[0]
            if command == _READ | self._address:
                answer = self._read(self._received[1])
                del self._received[:2]
            elif command == _WRITE | self._address:
                if len(self._received) < 6:
                    break
                self._write(bytes(self._received[:6]))
                del self._received[:6]
            else:
                del self._received[0]
        return answer

    def _integrate(self, until: float) -> None:
        seconds = until - self._since
        if seconds <= 0:
            return
        self._squares += self._mains.current**2 * seconds
        self._pulses += abs(self._watt(self._mains.current, self._mains)) * seconds / _CF_COUNTS
        self._since = until

    def _current_mv(self, amps: float) -> float:
        return min(amps * self._shunt_uohm / 1000, _CURRENT_MV)

    def _watt(self, amps: float, mains: Mains) -> int:
        volts_mv = min(mains.voltage * 1000 / self._divider, _VOLTAGE_MV)
        return round(3537 * self._current_mv(amps) * volts_mv * mains.power_factor / _V_REF**2)

    def _read(self, register: int) -> bytes:
        head = bytes([_READ | self._address])
        if register == _PACKET:
            body = self._packet()
            return body + bytes([checksum(head + body)])
        body = self._registers.get(register, 0).to_bytes(3, "little")
        return body + bytes([checksum(head + bytes([register]) + body)])

    def _packet(self) -> bytes:
        amps, mains = self._latched
        current = round(self._current_mv(amps) * 305978 / _V_REF)
        fast = self._fast()
        voltage = round(min(mains.voltage * 1000 / self._divider, _VOLTAGE_MV) * 73989 / _V_REF)
        period = min(round(1e6 / mains.frequency), 0xFFFF) if mains.frequency > 0 else 0xFFFF
        return (
            b"\x55"
            + current.to_bytes(3, "little")
            + voltage.to_bytes(3, "little")
            + fast.to_bytes(3, "little")
            + self._watt(amps, mains).to_bytes(3, "little", signed=True)
            + (int(self._pulses) & 0xFFFFFF).to_bytes(3, "little")
            + period.to_bytes(2, "little")
            + bytes(4)
        )

    def _write(self, message: bytes) -> None:
        register, value = message[1], int.from_bytes(message[2:5], "little")
        if checksum(message[:5]) != message[5]:
            return
        if register == _UNLOCK:
            self._unlocked = value == 0x55
        elif not self._unlocked:
            return
        elif register == _SOFT_RESET and value == 0x5A5A5A:
            self._registers = dict(_DEFAULTS)
        else:
            self._registers[register] = value
