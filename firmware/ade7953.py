"""The ADE7953 metering chip on its UART (4800 8N1): configures, asks register after register, checks, converts.

From its data sheet (Rev. B and C): a read is 35h and the address, high byte first; the answer comes lowest byte
first; after it the chip wants 6 ms of silence. RMS registers read 9032007 at full scale (0.5 V peak over the gain),
AWATT 4862401, peaks 6500000; the period counts 223.75 kHz. RMS values settle in 200 ms: `surge`, from the peak since
the last look, is the fast one. The protocol has no checksum, so each answer has its length, its empty fourth byte
and physics against it. A step allocates nothing. It never judges a current.
"""

from time import ticks_add, ticks_diff

from factor import Factor
from micropython import const

BAUD = 4800
_STALE_MS = const(2000)
_QUIET_MS = const(7)  # 6 ms between packets, and the tick's own
_ANSWER_MS = const(60)  # 15 ms on the wire; the loop may come late

# Registers by their 32-bit addresses, and the 16-bit period.
_AWATT = const(0x312)
_IRMS = const(0x31A)
_VRMS = const(0x31C)
_VPEAK = const(0x327)  # peak and status are cleared by the reading
_STATUS = const(0x32E)
_PERIOD = const(0x10E)
_GAIN = const(0x008)  # of channel A, one byte
_OVLVL = const(0x324)
_OILVL = const(0x325)
_IRQENA = const(0x32C)
_PLAN = (
    _IRMS, _VPEAK, _VRMS, _IRMS, _VPEAK, _AWATT, _IRMS, _VPEAK, _VRMS,
    _IRMS, _VPEAK, _STATUS, _IRMS, _VPEAK, _VRMS, _IRMS, _VPEAK, _PERIOD,
)  # fmt: skip

# Interrupts: over-current of channel A, overvoltage, end of a reset.
_OIA = const(1 << 13)
_OV = const(1 << 16)
_RESET = const(1 << 20)
_NEVER = const(0xFFFFFF)

_GAIN_CODE = const(3)  # of channel A: 8, so 62.5 mV peak; a shunt of 1.6 mV at In reaches 27.6 In
_FULL_RMS = const(9_032_007)
_FULL_PEAK = const(6_500_000)
_FULL_WATT = const(4_862_401)
_SATURATED = const(8_941_686)  # 1 % below full scale
_MOST_RAW = const(11_000_000)  # the converter clips before

_MAX_DECIVOLT = const(5000)
_LIVE_DECIVOLT = const(500)
_SLACK_DECIWATT = const(500)
_ENERGY_MS = const(1000)
_WH = const(3_600_000)


def write(address: int, value: int, size: int) -> bytes:
    """The bytes that write a register of `size` bytes."""
    return bytes((0xCA, address >> 8, address & 0xFF)) + value.to_bytes(size, "little")


class Ade7953:
    """As `Bl0942`: `current` mA, `voltage` 0.1 V, `power` 0.1 W signed, `frequency` 0.01 Hz, `energy` Wh taken in.

    `surge` is the highest voltage since the last look, as the RMS of a sine with that peak (0.1 V). `over_current`
    and `over_voltage` latch what the chip's own elements saw, until `clear`. `armed` tells that the chip read back
    the thresholds that `arm` gave it.
    """

    has_overvoltage = True
    pause_ms = 5  # the loop's longest sleep: a look takes three of its turns

    def __init__(self, uart, shunt_uohm: int, divider: int, now: int, gains=(1_000_000, 1_000_000, 1_000_000)) -> None:
        self.uart = uart
        self._milliamp = Factor(44_194_174, _FULL_RMS * shunt_uohm, gains[0])
        self._decivolt = Factor(35_355_339 * divider, _FULL_RMS * 10_000_000, gains[1])
        self._deciwatt = Factor(156_250 * divider, _FULL_WATT * shunt_uohm, gains[2])
        self._peak = Factor(35_355_339 * divider, _FULL_PEAK * 10_000_000, gains[1])
        self._gains = gains
        self._shunt = shunt_uohm
        self._divider = divider
        self.current = self.voltage = self.power = self.frequency = self.surge = self.energy = 0
        self.saturated = self.alive = self.fault = False
        self.over_current = self.over_voltage = self.armed = False
        self.sequence = self.damaged = self.implausible = 0
        self.heard_at = now
        self._volt_at = self._watt_at = now
        self._seen = 0  # 1 current, 2 voltage, 4 power: alive needs all three
        self._watt_ms = 0
        self._ask = bytearray(b"\x35\x00\x00")
        self._data = bytearray(4)
        self._spare = bytearray(16)
        self._got = 0
        self._size = 0  # bytes of the answer that is awaited; 0: none
        self._register = 0
        self._slot = 0
        self._asked_at = now
        self._next = now
        self._levels = (_NEVER, _NEVER, 0, _GAIN_CODE)  # over-current, overvoltage, interrupts, gain
        self._writes: tuple = ()
        self._done = 0  # writes sent; then the checks begin
        self._check = 0
        self._rounds = 0
        self._configure()

    def arm(self, over_ma: int, over_decivolt: int) -> None:
        """Let the chip's pin fall at `over_ma` and `over_decivolt` (RMS of a sine with that peak); 0 is never."""
        oi = over_ma * self._shunt * 147_078 // self._gains[0] if over_ma else _NEVER
        ov = over_decivolt * 1_838_478_000_000 // (self._divider * self._gains[1]) if over_decivolt else _NEVER
        wanted = (_OIA if over_ma else 0) | (_OV if over_decivolt else 0)
        self._levels = (min(oi, _NEVER), min(ov, _NEVER), wanted, _GAIN_CODE)
        self._configure()

    def _configure(self) -> None:
        oi, ov, wanted, gain = self._levels
        self._writes = (
            write(0x0FE, 0xAD, 1),  # unlocks the next one, which the data sheet asks for
            write(0x120, 0x30, 2),
            write(_GAIN, gain, 1),
            write(_OILVL, oi, 4),
            write(_OVLVL, ov, 4),
            write(_IRQENA, wanted, 4),
        )
        self.armed = False
        self._done = 0
        self._check = -1

    def clear(self) -> None:
        """Forget what the chip's elements saw."""
        self.over_current = self.over_voltage = False

    def step(self, now: int) -> None:
        if self._size:
            self._listen(now)
        elif ticks_diff(now, self._next) >= 0:
            self._talk(now)
        if (
            ticks_diff(now, self.heard_at) > _STALE_MS
            or ticks_diff(now, self._volt_at) > _STALE_MS
            or ticks_diff(now, self._watt_at) > _STALE_MS
        ):
            if not self.fault:
                self._seen = 0  # all three must come anew
            self.alive = False
            self.fault = True
            # Ticks wrap after six days: what is old stays old.
            self.heard_at = ticks_add(now, -min(self.age(now), 60_000))
            self._volt_at = ticks_add(now, -min(ticks_diff(now, self._volt_at), 60_000))
            self._watt_at = ticks_add(now, -min(ticks_diff(now, self._watt_at), 60_000))

    def age(self, now: int) -> int:
        """ms since the last believed current."""
        return ticks_diff(now, self.heard_at)

    def _talk(self, now: int) -> None:
        """The next packet: what is still to be configured, then to be checked, then the round of readings."""
        while self.uart.readinto(self._spare):
            pass  # what comes unasked belongs to nothing
        if self._done < len(self._writes):
            self.uart.write(self._writes[self._done])
            self._done += 1
            self._next = ticks_add(now, 30)  # seven characters, and the silence after them
            return
        if self._check < 0:
            register = _STATUS  # what stood there before is of no interest, and frees the pin
        elif self._check < 4:
            # The gain, too: a chip that missed it would show an eighth of the current.
            check = self._check
            register = _OILVL if check == 0 else _OVLVL if check == 1 else _IRQENA if check == 2 else _GAIN
        else:
            register = _PLAN[self._slot]
        self._register = register
        self._ask[1] = register >> 8
        self._ask[2] = register & 0xFF
        self._size = 2 if register == _PERIOD else 1 if register == _GAIN else 4
        self._got = 0
        self._asked_at = now
        self.uart.write(self._ask)

    def _listen(self, now: int) -> None:
        data = self._data
        got = self.uart.readinto(self._spare)
        for index in range(got or 0):
            if self._got < self._size:
                data[self._got] = self._spare[index]
            self._got += 1
        if self._got < self._size and ticks_diff(now, self._asked_at) < _ANSWER_MS:
            return
        right = self._got == self._size
        self._size = 0
        # An answer that is only late must not be taken for that of the next question.
        self._next = ticks_add(now, _QUIET_MS if right else _ANSWER_MS)
        if right:
            self._judge(now)
        else:
            self.damaged += 1
        self._go_on()

    def _go_on(self) -> None:
        if self._check < 4:
            return  # asked again until it is right
        self._slot += 1
        if self._slot == len(_PLAN):
            self._slot = 0
            self._rounds += 1
            if self._rounds >= 128:  # about once a minute: does it still know its thresholds?
                self._rounds = 0
                self._check = 0

    def _judge(self, now: int) -> None:
        data = self._data
        register = self._register
        if register == _PERIOD:
            self._period(data[0] | data[1] << 8)
            return
        if register == _GAIN:
            self._compare(data[0])
            return
        raw = data[0] | data[1] << 8 | data[2] << 16
        if register == _AWATT:
            if data[3] == (0xFF if raw & 0x800000 else 0):
                self._take_power(raw, now)
            else:
                self.damaged += 1
        elif data[3]:
            self.damaged += 1
        elif self._check < 0:
            self._check = 0
        elif self._check < 4:
            self._compare(raw)
        elif register == _STATUS:
            self._status(raw)
        elif raw > _MOST_RAW:
            self.implausible += 1
        elif register == _IRMS:
            self._take_current(raw, now)
        elif register == _VRMS:
            self._take_voltage(raw, now)
        else:
            self.surge = self._peak.of(raw)

    def _compare(self, raw: int) -> None:
        if raw != self._levels[self._check]:
            self._configure()  # once more from the beginning
            return
        self._check += 1
        if self._check == 4:
            self.armed = self._levels[2] != 0

    def _status(self, bits: int) -> None:
        if bits & _OIA:
            self.over_current = True
        if bits & _OV:
            self.over_voltage = True
        if bits & _RESET:
            self._configure()  # it forgot everything

    def _period(self, counts: int) -> None:
        frequency = 22_375_000 // (counts + 1)
        if self.voltage < _LIVE_DECIVOLT:
            self.frequency = 0
        elif 4000 <= frequency <= 7000:
            self.frequency = frequency
        else:
            self.implausible += 1

    def _take_current(self, raw: int, now: int) -> None:
        elapsed = min(ticks_diff(now, self.heard_at), _ENERGY_MS)
        if self.power > 0 and self.alive:
            self._watt_ms += self.power // 10 * elapsed + self.power % 10 * elapsed // 10
            if self._watt_ms >= _WH:
                self.energy += self._watt_ms // _WH
                self._watt_ms %= _WH
        self.current = self._milliamp.of(raw)
        self.saturated = raw >= _SATURATED
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.heard_at = now
        self._heard(1)

    def _take_voltage(self, raw: int, now: int) -> None:
        voltage = self._decivolt.of(raw)
        if voltage > _MAX_DECIVOLT:
            self.implausible += 1
            return
        self.voltage = voltage
        self._volt_at = now
        self._heard(2)

    def _take_power(self, raw: int, now: int) -> None:
        power = -self._deciwatt.of(0x1000000 - raw) if raw & 0x800000 else self._deciwatt.of(raw)
        apparent = self.voltage * (self.current >> 4) // 125 * 2  # 0.1 V * mA / 1000, within 31 bits
        if not self.saturated and abs(power) > apparent + (apparent >> 3) + _SLACK_DECIWATT:
            self.implausible += 1
            return
        self.power = power
        self._watt_at = now
        self._heard(4)

    def _heard(self, what: int) -> None:
        self._seen |= what
        if self._seen == 7:
            self.alive = True
            self.fault = False
