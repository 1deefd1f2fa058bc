"""Overcurrent protection: thermal memory, instantaneous element, the latch and the check that it opened.

Pure: numbers in, numbers out; time, current and contact are handed in. Every intermediate result fits a
31-bit small integer (the ESP32's), so a step allocates nothing. It owns what may take 100 ms or longer;
anything faster is the metering chip's pin and the trip latch in hardware, and this module never claims it.

Model: theta' = ((I/In)^2 - theta)/tau, trip at theta = 1.6, tau = 100 s. This is the design aid of
electrical reference "Overcurrent, IEC 60898-1 (GB/T 10963.1)"; it meets rows a, b, c and the upper limits of d.
"""

from time import ticks_diff

from micropython import const

NONE = const(0)
OVERCURRENT = const(1)  # the thermal element
INSTANTANEOUS = const(2)

# theta and (I/In)^2 are counted in 1/2^22, so I/In is counted in 1/2^11.
_TRIP = const(6710886)  # 1.6
_CEILING = const(13421772)  # 3.2: 200 % of the trip value; more would only slow the cooling
_RATIO_MAX = const(32767)  # 15.99 In: its square is the largest that fits 31 bits
_QUANTUM_MS = const(100)  # one step of integration
_QUANTA_TAU = const(1000)  # tau = 100 s
_QUANTA_MAX = const(100)  # after a stall longer than 10 s the rest is let go

# Instantaneous threshold in hundredths of In: the geometric mean of the curve's band (B 3-5, C 5-10, D 10-20 In),
# the same distance in percent from "must not trip" and "must trip".
_BANDS = {"B": 387, "C": 707, "D": 1414}

_PULSE_MS = const(200)  # trip coil energised
_CHECK_MS = const(1500)  # two refreshes of the chip's RMS (400 ms each), a poll, and the contact's own time
_RETRY_MS = const(2000)
_OPEN_MS = const(300)  # the contact must show open for so long: contacts bounce
_TRIES = const(5)  # a trip coil is not made for more

_ALARM_PERMILLE = const(800)  # of the thermal trip value; 1.13 In for ever settles at 798
_CALM_PERMILLE = const(750)
_ALARM_MS = const(10_000)  # above 1.13 In for this long alarms, before the memory is warm


class Thermal:
    """Thermal memory of a conductor of `rating` A (1..125)."""

    def __init__(self, rating: int) -> None:
        self.theta = 0
        self._divisor = rating * 125
        self._limit = rating * 1000 * 15  # mA, keeps I * 256 within 31 bits
        self._left = 0

    def step(self, elapsed: int, current: int, cools: bool) -> None:
        """`elapsed` ms with `current` mA. `cools` False holds the memory where it would sink (meter blind)."""
        if current > self._limit:
            ratio = _RATIO_MAX
        else:
            ratio = current * 256 // self._divisor
        heat = ratio * ratio
        self._left += elapsed
        quanta = self._left // _QUANTUM_MS
        self._left -= quanta * _QUANTUM_MS
        if quanta > _QUANTA_MAX:
            quanta = _QUANTA_MAX
        while quanta > 0:
            quanta -= 1
            change = (heat - self.theta) // _QUANTA_TAU
            if change > 0 or cools:
                self.theta += change
        if self.theta > _CEILING:
            self.theta = _CEILING

    def trips(self) -> bool:
        return self.theta >= _TRIP

    def permille(self) -> int:
        """Of the trip value: 1000 trips, 2000 is the most."""
        return (self.theta >> 8) * 1000 // (_TRIP >> 8)

    def assume(self, permille: int) -> None:
        """Sets the memory after a restart, at most to 95 %: hot, but no trip without a current."""
        self.theta = (_TRIP >> 8) * min(permille, 950) // 1000 << 8


class Overload:
    """The alarm, apart from the trip: above 1.13 In for 10 s, or the thermal memory at 80 % of the trip value.

    It clears below 1.05 In and 75 %.
    """

    def __init__(self, rating: int, now: int) -> None:
        self.on = False
        self._above = rating * 1130
        self._calm = rating * 1050
        self._since = now

    def step(self, now: int, current: int, permille: int) -> bool:
        if current <= self._above:
            self._since = now
        if permille >= _ALARM_PERMILLE or ticks_diff(now, self._since) >= _ALARM_MS:
            self.on = True
        elif current < self._calm and permille < _CALM_PERMILLE:
            self.on = False
        return self.on


class Protection:
    """The breaker's protection. `output` is the level of the trip coil, `failed` a breaker that did not open.

    `cause` latches until a person has opened and closed the lever; `trip_current` (mA), `trip_thermal`
    (permille) and `trip_count` stay.
    """

    def __init__(self, rating: int, curve: str, now: int) -> None:
        self.thermal = Thermal(rating)
        self.alarm = Overload(rating, now)
        self.threshold = rating * 10 * _BANDS[curve]  # mA
        self.cause = NONE
        self.trip_current = 0
        self.trip_thermal = 0
        self.trip_count = 0
        self.output = 0
        self.failed = False
        self._flows = max(rating * 20, 100)  # mA: 2 % of In and above the chip's noise
        self._last = now
        self._sample = -1
        self._high = 0  # samples in a row above the threshold
        self._opening = False
        self._told_at = now
        self._tries = 0
        self._seen_open = False
        self._closed_at = now  # last time that the contact showed closed

    def step(self, now: int, current: int, saturated: bool, sample: int, alive: bool, closed: bool) -> int:
        """One step; returns the latched cause.

        `now` ticks_ms, `current` mA, `saturated` the chip was at full scale, `sample` the number of the
        measurement, `alive` whether it is fresh, `closed` the auxiliary contact.
        """
        self.thermal.step(ticks_diff(now, self._last), current, alive)
        self._last = now
        if sample != self._sample:
            # Two measurements in a row: one frame with a good checksum may still carry fantasy.
            self._sample = sample
            self._high = self._high + 1 if saturated or current >= self.threshold else 0
        self._rearm(now, closed)
        if self.cause == NONE:
            if self._high >= 2:
                self.trip(now, INSTANTANEOUS, current)
            elif self.thermal.trips():
                self.trip(now, OVERCURRENT, current)
        # An open breaker is not overloaded, however hot it still is: a current through it would be its failure.
        self.alarm.step(now, current, self.thermal.permille() if closed else 0)
        if self._opening:
            self._open(now, current > self._flows if alive else closed, closed)
        elif self.failed and not closed and current <= self._flows:
            self.failed = False
        return self.cause

    def trip(self, now: int, cause: int, current: int) -> None:
        """Latches and opens."""
        self.cause = cause
        self.trip_current = current
        self.trip_thermal = self.thermal.permille()
        self.trip_count = (self.trip_count + 1) & 0xFFFF
        self._opening = True
        self._told_at = now
        self._tries = 1
        self._seen_open = False
        self.output = 1

    def restore(self, cause: int, count: int, current: int, closed: bool) -> None:
        """What the memory kept over a restart. A lever found closed was closed by a person meanwhile."""
        self.trip_count = count
        self.trip_current = current
        if not closed:
            self.cause = cause
            self._seen_open = True

    def _rearm(self, now: int, closed: bool) -> None:
        """A lever that was open and is closed again was moved by a person: nothing else closes it."""
        if not closed:
            if ticks_diff(now, self._closed_at) >= _OPEN_MS:
                self._seen_open = True
            return
        self._closed_at = now
        if self._seen_open and self.cause != NONE:
            self.cause = NONE
            self.failed = False
            self.output = 0
            self._opening = False
            self._high = 0

    def _open(self, now: int, flows: bool, closed: bool) -> None:
        """Pulses the coil, looks whether it helped, tries again; still flowing is a breaker failure."""
        since = ticks_diff(now, self._told_at)
        if since >= _PULSE_MS:
            self.output = 0
        if since < _CHECK_MS:
            return
        self.failed = flows
        if not flows and not closed:
            self._opening = False
        elif since >= _RETRY_MS:
            if self._tries >= _TRIES:
                self._opening = False
            else:
                self._tries += 1
                self._told_at = now
                self.output = 1
