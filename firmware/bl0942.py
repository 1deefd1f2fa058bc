"""The BL0942 metering chip on its UART: asks, resynchronises, checks, converts to whole numbers.

Frame layout and factors are those of electrical reference "Metering chip BL0942". A frame is believed when its
checksum is right AND its values can be true together; otherwise the old values stay and grow older. Conversion
uses multiplications that fit 31-bit small integers; a step allocates nothing. It never judges a current.
"""

from time import ticks_add, ticks_diff

from factor import Factor
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
_OLDEST_MS = const(60_000)  # an age grows no further: ticks wrap after six days

# The fast over-current element: threshold (of I_FAST_RMS, without its low byte), refresh cycles, pin functions.
_FAST_TH = const(0x15)
_FAST_CYC = const(0x16)
_OT_FUNX = const(0x18)
_WRPROT = const(0x1D)
_UNLOCK = const(0x55)
_ONE_CYCLE = const(1)
_ALARM_ON_CF2 = const(0x24)  # CF2 tells over-current (01), ZX the voltage's zero crossings (10), as after a reset
_VERIFY_POLLS = const(300)  # once a minute: does the chip still know its threshold?


class Bl0942:
    """`current` mA, `voltage` 0.1 V, `power` 0.1 W signed, `frequency` 0.01 Hz, `energy` Wh taken in.

    `sequence` counts believed frames, `saturated` tells that the current input was at full scale, `alive` that
    the last believed frame is at most 2 s old, `fault` that none came for longer (right after the start neither
    holds). `damaged` and `implausible` count what was thrown away. `armed` tells that the chip read back the
    threshold of its own fast element, which `arm` gave it and which drives its pin.
    """

    has_overvoltage = False
    pause_ms = 20

    def __init__(
        self, uart, shunt_uohm: int, divider: int, now: int, gains=(1_000_000, 1_000_000, 1_000_000), address: int = 0
    ) -> None:
        self.uart = uart
        self.request = bytes((0x58 | address, 0xAA))
        self._milliamp = Factor(1_218_000, 305_978 * shunt_uohm, gains[0])
        self._decivolt = Factor(1_218 * divider, 7_398_900_000, gains[1])
        self._deciwatt = Factor(1_483_524 * divider, 353_700_000 * shunt_uohm, gains[2])
        self._gain = gains[0]
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
        self.armed = False
        self._shunt = shunt_uohm
        self._address = address
        self._setup: tuple = ()
        self._said = 0  # messages of the setup that were sent
        self._back = -1  # bytes of the answer to its last one; -1: none is awaited
        self._answer = bytearray(4)
        self._polls = 0
        self._threshold = 0
        self._between = True  # nothing before the first poll

    @property
    def surge(self) -> int:
        """The highest voltage that is known: this chip has only its RMS value (0.1 V)."""
        return self.voltage

    def arm(self, over_ma: int, over_decivolt: int = 0) -> None:
        """Let the chip's pin rise within two cycles at `over_ma` (RMS); 0 is never. It cannot watch the voltage."""
        if not over_ma:
            self._setup = ()
            self.armed = False
            return
        # I_FAST_RMS counts 0.363 for one count of I_RMS (data sheet).
        fast = over_ma * self._shunt * 305_978 // 1_218 * 363 // self._gain
        threshold = min(max(fast >> 8, 1), 0xFFFF)
        self._setup = (
            self._write(_WRPROT, _UNLOCK),
            self._write(_FAST_TH, threshold),
            self._write(_FAST_CYC, _ONE_CYCLE),
            self._write(_OT_FUNX, _ALARM_ON_CF2),
            bytes((0x58 | self._address, _FAST_TH)),
        )
        self._threshold = threshold
        self._said = 0
        self.armed = False

    def clear(self) -> None:
        """Its pin falls by itself once the current is gone."""

    def _write(self, register: int, value: int) -> bytes:
        body = bytes((0xA8 | self._address, register, value & 0xFF, value >> 8 & 0xFF, value >> 16))
        return body + bytes((~sum(body) & 0xFF,))

    def _configure(self) -> None:
        """One message of the setup in the middle between two polls, when the line is still."""
        if self._said < len(self._setup):
            self.uart.write(self._setup[self._said])
            self._said += 1
            if self._said == len(self._setup):
                self._back = 0
        elif self._setup:
            self._polls += 1
            if self._polls >= _VERIFY_POLLS or not self.armed:
                self._polls = 0
                self._said = len(self._setup) - 1 if self.armed else 0

    def _take_back(self, count: int) -> None:
        for index in range(count):
            if self._back < 4:
                self._answer[self._back] = self._chunk[index]
                self._back += 1
        if self._back < 4:
            return
        self._back = -1
        answer = self._answer
        total = (0x58 | self._address) + _FAST_TH + answer[0] + answer[1] + answer[2]
        value = answer[0] | answer[1] << 8 | answer[2] << 16
        self.armed = ~total & 0xFF == answer[3] and value == self._threshold

    def step(self, now: int) -> None:
        got = self.uart.readinto(self._chunk)
        while got:
            if self._back >= 0:
                self._take_back(got)
            else:
                self._take(got, now)
            got = self.uart.readinto(self._chunk)
        since = ticks_diff(now, self._asked_at)
        if since >= _POLL_MS:
            self._asked_at = now
            self._between = False
            self._held = 0  # what has not come by now never will
            if self._back >= 0:
                self._back = -1
                self.armed = False
            self.uart.write(self.request)
        elif not self._between and since >= _POLL_MS // 2:
            self._between = True
            self._held = 0
            self._configure()
        if ticks_diff(now, self.heard_at) > _STALE_MS:
            self.alive = False
            self.fault = True
            if ticks_diff(now, self.heard_at) > _OLDEST_MS:
                self.heard_at = ticks_add(now, -_OLDEST_MS)

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
