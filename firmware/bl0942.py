"""The BL0942 metering chip on its UART: asks, resynchronises, checks, converts to whole numbers.

Frame layout and factors are those of electrical reference "Metering chip BL0942". A frame is believed when its
checksum is right AND its values can be true together; otherwise the old values stay and grow older. Conversion
uses multiplications that fit 31-bit small integers; a step allocates nothing. It never judges a current.
"""

from time import ticks_diff

from micropython import const

_HEAD = const(0x55)
_SIZE = const(23)
_POLL_MS = const(200)  # the chip refreshes its RMS values every 400 ms
_STALE_MS = const(2000)

# 42 mV peak of the current input (data sheet) is 29.7 mV RMS of a sine, raw 29.698 * 305978 / 1.218. Above it the
# sine is cut; 1 % less, so that the chip's tolerance hides no cut one.
_FULL_SCALE = const(7386000)
_MAX_DECIVOLT = const(5000)
_LIVE_DECIVOLT = const(500)  # below 50 V the zero crossings, and so the frequency, mean nothing
_SLACK_DECIWATT = const(500)  # 50 W between power and voltage times current, for noise and small loads
_ENERGY_MS = const(1000)  # a gap between frames counts as at most this long
_WH = const(3_600_000)  # W ms in a watt-hour


class Factor:
    """raw * numerator / denominator for a raw value of 24 bits, with a 17-bit mantissa."""

    def __init__(self, numerator: int, denominator: int) -> None:
        shift = 12
        while (numerator << shift) // denominator < 1 << 16:
            shift += 1
        self.mantissa = (numerator << shift) // denominator
        self.shift = shift - 12
        if self.mantissa >= 1 << 17:
            raise ValueError("divider and shunt give a factor that does not fit")

    def of(self, raw: int) -> int:
        low = (raw & 0xFFF) * self.mantissa >> 12
        return ((raw >> 12) * self.mantissa + low) >> self.shift


class Bl0942:
    """`current` mA, `voltage` 0.1 V, `power` 0.1 W signed, `frequency` 0.01 Hz, `energy` Wh taken in.

    `sequence` counts believed frames, `saturated` tells that the current input was at full scale, `alive` that
    the last believed frame is at most 2 s old, `fault` that none came for longer (right after the start neither
    holds). `damaged` and `implausible` count what was thrown away.
    """

    def __init__(self, uart, shunt_uohm: int, divider: int, now: int, address: int = 0) -> None:
        self.uart = uart
        self.request = bytes((0x58 | address, 0xAA))
        self._milliamp = Factor(1_218_000, 305_978 * shunt_uohm)
        self._decivolt = Factor(1_218 * divider, 7_398_900_000)
        self._deciwatt = Factor(1_483_524 * divider, 353_700_000 * shunt_uohm)
        self.current = 0
        self.voltage = 0
        self.power = 0
        self.frequency = 0
        self.energy = 0
        self.saturated = False
        self.alive = False
        self.fault = False
        self.sequence = 0
        self.damaged = 0
        self.implausible = 0
        self.heard_at = now
        self._asked_at = now
        self._buffer = bytearray(2 * _SIZE)
        self._chunk = bytearray(_SIZE)
        self._held = 0
        self._watt_ms = 0

    def step(self, now: int) -> None:
        got = self.uart.readinto(self._chunk)
        while got:
            self._take(got, now)
            got = self.uart.readinto(self._chunk)
        if ticks_diff(now, self._asked_at) >= _POLL_MS:
            self._asked_at = now
            self._held = 0  # what has not come by now never will
            self.uart.write(self.request)
        if ticks_diff(now, self.heard_at) > _STALE_MS:
            self.alive = False
            self.fault = True

    def age(self, now: int) -> int:
        """ms since the last believed frame."""
        return ticks_diff(now, self.heard_at)

    def _take(self, count: int, now: int) -> None:
        for index in range(count):
            if self._held == 0 and self._chunk[index] != _HEAD:
                continue
            self._buffer[self._held] = self._chunk[index]
            self._held += 1
            if self._held == _SIZE:
                self._judge(now)

    def _judge(self, now: int) -> None:
        """A whole frame lies in the buffer: use it, or look for a head further on."""
        buffer = self._buffer
        total = self.request[0]
        for index in range(_SIZE - 1):
            total += buffer[index]
        if ~total & 0xFF == buffer[_SIZE - 1]:
            self._held = 0
            self._use(now)
            return
        self.damaged += 1
        start = 1
        while start < _SIZE and buffer[start] != _HEAD:
            start += 1
        for index in range(start, _SIZE):
            buffer[index - start] = buffer[index]
        self._held = _SIZE - start

    def _u24(self, at: int) -> int:
        buffer = self._buffer
        return buffer[at] | buffer[at + 1] << 8 | buffer[at + 2] << 16

    def _use(self, now: int) -> None:
        raw = self._u24(1)
        saturated = raw >= _FULL_SCALE
        current = self._milliamp.of(raw)
        voltage = self._decivolt.of(self._u24(4))
        watt = self._u24(10)
        power = -self._deciwatt.of(0x1000000 - watt) if watt & 0x800000 else self._deciwatt.of(watt)
        period = self._buffer[16] | self._buffer[17] << 8
        frequency = 100_000_000 // period if period and voltage >= _LIVE_DECIVOLT else 0
        if not self._plausible(current, voltage, power, frequency, saturated):
            self.implausible += 1
            return
        self._count(now, power)
        self.current = current
        self.voltage = voltage
        self.power = power
        self.frequency = frequency
        self.saturated = saturated
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.heard_at = now
        self.alive = True
        self.fault = False

    def _plausible(self, current: int, voltage: int, power: int, frequency: int, saturated: bool) -> bool:
        """Physics: mains frequency where there is mains, and no more power than voltage times current."""
        if voltage > _MAX_DECIVOLT:
            return False
        if voltage >= _LIVE_DECIVOLT and not 4000 <= frequency <= 7000:
            return False
        if saturated:
            return True  # the current is cut, so the product says nothing
        apparent = voltage * (current >> 4) // 125 * 2  # 0.1 V * mA / 1000, within 31 bits
        return abs(power) <= apparent + (apparent >> 3) + _SLACK_DECIWATT

    def _count(self, now: int, power: int) -> None:
        """Energy from power and time; the chip's pulse counter forgets at every reset of its own."""
        elapsed = min(ticks_diff(now, self.heard_at), _ENERGY_MS)
        if power <= 0 or not self.alive:
            return
        self._watt_ms += power // 10 * elapsed + power % 10 * elapsed // 10
        if self._watt_ms >= _WH:
            self.energy += self._watt_ms // _WH
            self._watt_ms %= _WH
