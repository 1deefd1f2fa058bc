"""The bench of `gewu firmware curve`, inside MicroPython: the firmware's real protection in virtual time.

Around it stand the circuit with its contact, the metering chip at its pins (BL0942: the real driver, frames on its
UART, the fast element's pin; ADE7953: its looks and its interrupt pin) and the residual-current module at its trip
output. One request a line on stdin, one answer a line on stdout, both JSON. It judges nothing.
"""

import json
import sys

from bl0942 import Bl0942
from protection import Inputs, Protection
from protection_settings import parse

HORIZON_MS = 3 * 3600 * 1000
CONTACT_MS = 10  # from the coil's first current to an open circuit
CYCLE_MS = 20
DIVIDER = 5789
HALL_MS = 60  # the module's analogue output lags
TRIP = 6710886  # theta of the thermal element at its trip
WARM_MS = 2800  # a whole number of windows
PHASES = (200, 50, 120, 350)  # ms into the window
WORTH_MS = 3_000  # above that a window more or less is no matter


class Circuit:
    """What flows, and until when. `opens_at` is exact, whatever the steps are."""

    def __init__(self):
        self.amps = 0.0
        self.volts = 230.0
        self.residual = 0.0
        self.changed_at = 0
        self.opens_at = None

    def closed(self, now):
        return self.opens_at is None or now < self.opens_at

    def energise(self, now):
        if self.opens_at is None:
            self.opens_at = now + CONTACT_MS

    def current(self, now):
        return self.amps if self.closed(now) else 0.0


class BL0942Chip:
    """The chip's UART and its over-current pin. RMS values refresh every 400 ms."""

    WINDOW_MS = 400

    def __init__(self, circuit, shunt_uohm):
        self.circuit = circuit
        self.shunt = shunt_uohm
        self.answer = b""
        self.threshold = 0xFFFF
        self.sums = [0.0, 0.0]
        self.seen_at = 0
        self.window_from = 0
        self.rms = (0.0, 230.0)

    def see(self, now):
        """Integrates up to now; what flowed since the last look did not change in between."""
        amps, volts = self.circuit.current(self.seen_at), self.circuit.volts
        while self.window_from + self.WINDOW_MS <= now:
            end = self.window_from + self.WINDOW_MS
            part = end - self.seen_at
            self.rms = tuple(
                ((total + value * value * part) / self.WINDOW_MS) ** 0.5
                for total, value in ((self.sums[0], amps), (self.sums[1], volts))
            )
            self.sums = [0.0, 0.0]
            self.seen_at = self.window_from = end
            if now - end > 10 * self.WINDOW_MS:
                self.rms = (amps, volts)
                self.seen_at = self.window_from = now - now % self.WINDOW_MS
        part = now - self.seen_at
        self.sums[0] += amps * amps * part
        self.sums[1] += volts * volts * part
        self.seen_at = now

    def write(self, data):
        if data[0] == 0x58 and data[1] == 0xAA:
            self.answer = self.packet()
        elif data[0] == 0x58:
            body = bytes((self.threshold & 0xFF, self.threshold >> 8, 0))
            self.answer = body + bytes((~(0x58 + data[1] + sum(body)) & 0xFF,))
        elif data[1] == 0x15:
            self.threshold = data[2] | data[3] << 8

    def readinto(self, buffer):
        count = min(len(self.answer), len(buffer))
        buffer[:count] = self.answer[:count]
        self.answer = self.answer[count:]
        return count or None

    def counts(self, amps):
        """I_RMS, at most full scale: 42 mV peak."""
        return int(min(amps * self.shunt / 1000, 29.698485) * 305978 / 1.218 + 0.5)

    def packet(self):
        amps, volts = self.rms
        current = self.counts(amps)
        voltage = int(min(volts * 1000 / DIVIDER, 70.710678) * 73989 / 1.218 + 0.5)
        frame = bytearray(b"\x55")
        for number in (current, voltage, 0, 0, 0):
            frame += bytes((number & 0xFF, number >> 8 & 0xFF, number >> 16 & 0xFF))
        frame += b"\x20\x4e\x00\x00\x00\x00"  # 20 ms: 50 Hz
        frame.append(~(0x58 + sum(frame)) & 0xFF)
        return bytes(frame)

    def pin_delay(self, amps):
        """ms until the over-current pin rises, None for never: I_FAST_RMS of the second whole cycle."""
        return 2 * CYCLE_MS if int(self.counts(amps) * 0.363) >> 8 >= self.threshold else None


class ADE7953Meter:
    """The ADE7953 as its driver shows it: RMS settling in 200 ms, peaks looked at every 75 ms, an interrupt pin."""

    LOOK_MS = 25
    PEAKS_MS = 75
    SETTLED_MS = 60  # time constant

    def __init__(self, circuit, rating, over_ma):
        self.circuit = circuit
        self.full = 27600 * rating  # mA: 62.5 mV peak at a gain of 8 over 1600 uohm / In
        self.over = over_ma
        self.current = self.sequence = 0
        self.voltage = self.surge = 2300
        self.saturated = False
        self.alive = True
        self.rms = [0.0, 230.0]
        self.now = self.looked_at = self.peaks_at = 0

    def step(self, now):
        share = min(1.0, (now - self.now) / self.SETTLED_MS)
        self.now = now
        real = (self.circuit.current(now), self.circuit.volts)
        for index in (0, 1):
            self.rms[index] += (real[index] - self.rms[index]) * share
        if now - self.looked_at >= self.LOOK_MS:
            self.looked_at = now
            self.current = min(int(self.rms[0] * 1000), self.full)
            self.saturated = self.current == self.full
            self.voltage = int(self.rms[1] * 10)
            self.sequence += 1
        if now - self.peaks_at >= self.PEAKS_MS:
            self.peaks_at = now
            self.surge = int(real[1] * 10)

    def pin_delay(self, amps):
        return CYCLE_MS // 2 if min(amps * 1000, self.full) >= self.over else None


def module_delay(residual, rated, kind):
    """ms until the module's output has the latch: the larger the faster; a delay stage of 60 ms makes it type S."""
    if not rated or residual < rated * 0.75:
        return None
    return max(15, int(100 * rated / residual)) + (60 if kind == "S" else 0)


class Bench:
    """One breaker and its circuit. `step` goes on by some ms; the answer is what happened."""

    def __init__(self, request, phase):
        """`phase`: ms into the window of the chip's RMS at which the world changes."""
        rating = request["rating"]
        self.rated = request.get("residual", 0)  # A
        self.kind = request.get("type", "G")
        chosen = {"undervoltage_trip": 50, "residual": int(self.rated * 1000 + 0.5), "residual_type": self.kind}
        quick = request["meter"] == "ade7953"
        self.guard = Protection(rating, request["curve"], parse(chosen), quick, 0)
        self.capacity = parse(chosen).capacity  # A
        self.circuit = Circuit()
        self.seen = Inputs()
        self.now = 0
        self.leak = 0.0  # mA, as the analogue output has it
        threshold = self.guard.instantaneous.threshold
        if quick:
            self.meter = self.chip = ADE7953Meter(self.circuit, rating, threshold)
        else:
            shunt = 1600 // rating
            self.chip = BL0942Chip(self.circuit, shunt)
            self.meter = Bl0942(self.chip, shunt, DIVIDER, 0)
            self.meter.arm(threshold)
        self.heat = 0  # thermal memory before the latest step of `ms`
        self.ms = 100
        self.pins_at = [None, None]  # when the chip's pin and the module's output act
        self.acted = [False, False]
        while self.now < WARM_MS + phase:
            self.step(10)

    def apply(self, amps, volts, residual):
        """The world changes now."""
        circuit = self.circuit
        if not (amps, volts, residual) == (circuit.amps, circuit.volts, circuit.residual):
            circuit.amps, circuit.volts, circuit.residual = amps, volts, residual
        circuit.changed_at = self.now
        waits = (self.chip.pin_delay(amps), module_delay(residual, self.rated, self.kind))
        self.pins_at = [None if wait is None else self.now + wait for wait in waits]

    def step(self, ms):
        before = self.now
        self.now = now = before + ms
        circuit = self.circuit
        self._hardware(now)
        if self.chip is not self.meter:
            self.chip.see(now)
        self.meter.step(now)
        if ms > 200:
            self.meter.step(now)  # the answer to what the first one asked
        self.leak += (circuit.residual * 1000 * circuit.closed(now) - self.leak) * min(1.0, ms / HALL_MS)
        self._look(now)
        self.guard.step(now, self.seen)
        if self.guard.opening.output:
            circuit.energise(now)

    def _hardware(self, now):
        """The pins drive the trip latch, which waits for nobody; beyond the breaking capacity it is blocked."""
        self.seen.over_capacity = self.circuit.current(now) > self.capacity
        for index in (0, 1):
            at = self.pins_at[index]
            due = at is not None and at <= now and self.circuit.closed(at)
            self.acted[index] = due and not self.acted[index]
            if self.acted[index]:
                self.pins_at[index] = None
                if not self.seen.over_capacity:
                    self.circuit.energise(at)

    def _look(self, now):
        seen, meter = self.seen, self.meter
        seen.current = meter.current
        seen.voltage = meter.voltage
        seen.surge = meter.surge
        seen.saturated = meter.saturated
        seen.sample = meter.sequence
        seen.alive = meter.alive
        seen.closed = self.circuit.closed(now)
        seen.residual = int(self.leak) if self.rated else -1
        seen.fast_current, seen.module = self.acted

    def pace(self, since):
        """ms of the next step: fine where the pins and the short delays are, by the thermal memory later."""
        heat = self.guard.thermal.theta
        rise, self.heat = heat - self.heat, heat
        if since < 20_000:
            self.ms = 5 if since < 1000 else 20 if since < 5000 else 50
        elif rise <= 0:
            self.ms = min(2 * self.ms, 10_000)
        else:
            # A quarter of the way to the trip at the latest pace.
            self.ms = max(100, min(10_000, self.ms * (TRIP - heat) // (4 * rise) // 100 * 100))
        return self.ms

    def hold(self, ms):
        """Goes on for `ms`, or until it has opened; ms from the start until the circuit was open, or None."""
        start = self.now
        while self.now - start < ms:
            self.step(self.pace(self.now - start))
            opened = self.circuit.opens_at
            if opened is not None and self.now >= opened and self.guard.cause:
                return opened - start
            if self.guard.opening.withheld:
                return None
        return None


def answer(request):
    """The slowest of what the same fault does at different moments of the chip's window."""
    outcome = play(request, PHASES[0])
    if request["meter"] == "bl0942" and 0 < (outcome.get("after_ms") or 0) < WORTH_MS:
        for phase in PHASES[1:]:
            other = play(request, phase)
            if other["after_ms"] is None or other["after_ms"] > outcome["after_ms"]:
                outcome = other
    return outcome


def play(request, phase):
    bench = Bench(request, phase)
    rating = request["rating"]
    hot = request.get("hot", 0)
    if hot:
        bench.apply(hot * rating, 230.0, 0.0)
        early = bench.hold((1 if rating <= 63 else 2) * 3_600_000)
        if early is not None:
            return {"soak_ms": early}
    amps = request.get("amps", hot * rating)
    bench.apply(amps, request.get("volts", 230.0), request.get("leak", 0.0))
    after = bench.hold(HORIZON_MS)
    guard = bench.guard
    return {
        "after_ms": after,
        "cause": 0 if after is None else guard.cause,
        "by": 0 if after is None else guard.record.by,
        "withheld": guard.opening.withheld,
    }


def main():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))))


main()
