"""A protection on the bench, in virtual time: its circuit, its pins, its lever. For the scripts beside it."""

import protection_settings
from protection import Inputs, Protection

# Causes, and who opened, as the registers have them (docs/firmware.md).
NONE, OVERCURRENT, INSTANTANEOUS, RESIDUAL, OVERVOLTAGE, UNDERVOLTAGE, TEMPERATURE, ARC, REMOTE, LOCKOUT = range(10)
FIRMWARE, CHIP, MODULE = 1, 2, 3

STEP_MS = 100
HOUR_MS = 3600000


class Bench:
    """One protection with its circuit: the current flows while the contact is closed."""

    def __init__(self, rating=16, curve="C", quick=False, **chosen):
        self.now = 1000
        self.rating = rating
        self.guard = Protection(rating, curve, protection_settings.parse(chosen), quick, self.now)
        self.seen = Inputs()
        self.seen.alive = True
        self.seen.voltage = 2300
        self.welded = False

    def step(self, current=0, saturated=False, alive=True, elapsed=STEP_MS):
        self.now += elapsed
        seen = self.seen
        flows = current if seen.closed or self.welded else 0
        seen.sample = self.now
        seen.current = flows
        seen.saturated = saturated and flows > 0
        seen.alive = alive
        self.guard.step(self.now, seen)
        if self.guard.opening.output and not self.welded:
            seen.closed = False

    def wait(self, ms, current=0, **changes):
        """Steps for so long with inputs changed by name; True when a cause latched on the way."""
        for name, value in changes.items():
            setattr(self.seen, name, value)
        for _ in range(ms // STEP_MS):
            self.step(current)
        return self.guard.cause

    def time_to_trip(self, times, limit_ms=HOUR_MS, saturated=False, elapsed=STEP_MS):
        """ms until it trips at `times` In (hundredths), None where it does not within the limit."""
        start = self.now
        while self.now - start < limit_ms:
            self.step(times * self.rating * 10, saturated, elapsed=elapsed)
            if self.guard.cause:
                return self.now - start
        return None

    def lever(self):
        """A person opens (for longer than a bounce) and closes."""
        self.seen.closed = False
        for _ in range(4):
            self.step()
        self.seen.closed = True
        self.step()
