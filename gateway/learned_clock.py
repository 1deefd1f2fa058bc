"""The time of a machine that no time server reaches: learned from the devices on its buses, or from the level above.

A clock around the machine's own. As long as that may be believed nothing is added; else what others said is judged
here, and then `wall_ms` is their time and `state` is `corrected`. It never sets the machine's clock.
"""

import logging
import statistics
import threading
from datetime import timedelta
from typing import Literal, NamedTuple

from gateway.clock import RELEASED_MS, Clock
from gateway.records import ClockState

_log = logging.getLogger(__name__)
Source = Literal["machine", "uplink", "devices"]

GRACE_S = 120.0
"""Seconds from the start in which only the machine's own clock counts: a time server is exact, and takes a minute."""
AGREE_MS = 10_000
"""Boards whose clocks are within this of their median agree. They stray by seconds a week, and show whole seconds."""
MOST_ROUND_TRIP_MS = 10_000
"""A word from above that may have been under way for longer says too little."""
_FRESH_MS = 180_000  # a device is asked each minute: one that missed two of them has no say
_MOST_AHEAD_MS = int(timedelta(days=3653).total_seconds() * 1000)
_SECOND_MS = 1000
_STRAYS = 1e-4  # of its age: what a machine's monotonic clock may be off, 100 ppm
_WORTH_A_STEP_MS = 1000  # a better word of the same source moves the clock only when it is better by this
_RANK: dict[Source, int] = {"devices": 1, "uplink": 2}


class Estimate(NamedTuple):
    """Unix milliseconds at the boot's monotonic 0, right to `slack` milliseconds either way at `mono`."""

    zero: int
    slack: float
    mono: int
    source: Source


class LearnedClock:
    """See `Clock`. `floor` (Unix ms): a time that is over, such as that of the newest record kept; nothing earlier is
    believed, nor what is ten years later. `devices`: how many devices with a clock are configured."""

    def __init__(self, clock: Clock, floor: int = 0, devices: int = 0, grace: float = GRACE_S) -> None:
        self.machine = clock
        self._floor = max(floor, RELEASED_MS)
        self._needed = min(devices, 2)
        self._from = clock.monotonic() + grace
        self._lock = threading.Lock()
        self._said: dict[str, tuple[int, int]] = {}  # by device: the zero it says, and when it did
        self._best: Estimate | None = None
        self.boot = clock.boot

    # --- what others say --------------------------------------------------------------------------------

    def believe_from(self, floor: int) -> None:
        """Nothing before `floor` (Unix milliseconds) is believed from now on."""
        self._floor = max(floor, RELEASED_MS)

    def device_says(self, device: str, seconds: int, mono: int) -> None:
        """The clock of `device` showed `seconds` (Unix, whole) at `mono`; 0: it does not know the time either.

        What was agreed holds while nobody can be asked, but not against those that can.
        """
        if self._needless():
            return
        with self._lock:
            self._said.pop(device, None)
            if seconds:
                self._said[device] = seconds * 1000 + _SECOND_MS // 2 - mono, mono
            agreed = self._agreed(mono)
            if agreed is not None:
                self._take(agreed)
            elif seconds and self._best is not None and self._best.source == "devices":
                _log.warning("the devices' clocks do not agree any more (%s): the time is not known", device)
                self._best = None

    def uplink_says(self, at: int, sent: int, mono: int) -> None:
        """The level above wrote `at` (Unix milliseconds) between the monotonic `sent` and now, `mono`."""
        trip = mono - sent
        if 0 <= trip <= MOST_ROUND_TRIP_MS and not self._needless():
            with self._lock:
                self._take(Estimate(at - (sent + mono) // 2, trip / 2, mono, "uplink"))

    # --- what the gateway asks --------------------------------------------------------------------------

    def wall_ms(self) -> int:
        if self._best is None or self.machine.state() == "trusted":
            return self.machine.wall_ms()
        with self._lock:
            best = self._in_force()
        return self.machine.wall_ms() if best is None else best.zero + self.machine.mono_ms()

    def state(self) -> ClockState:
        own = self.machine.state()
        if own == "trusted" or self._best is None:
            return own
        with self._lock:
            return own if self._in_force() is None else "corrected"

    def source(self) -> Source | None:
        """Whose time it is; None while nobody knows it."""
        if self.machine.state() == "trusted":
            return "machine"
        with self._lock:
            best = self._in_force()
        return None if best is None else best.source

    def mono_ms(self) -> int:
        return self.machine.mono_ms()

    def monotonic(self) -> float:
        return self.machine.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return self.machine.wait(event, seconds)

    def sleep(self, seconds: float) -> None:
        self.machine.sleep(seconds)

    # --- inside -----------------------------------------------------------------------------------------

    def _needless(self) -> bool:
        """Whether the machine knows the time itself; then nothing is kept of what others said."""
        if self.machine.state() != "trusted":
            return False
        with self._lock:
            self._best = None
            self._said.clear()
        return True

    def _in_force(self) -> Estimate | None:
        return self._best if self.machine.monotonic() >= self._from else None

    def _agreed(self, mono: int) -> Estimate | None:
        """What the devices' clocks show, when most of those that run agree, and not just one of several."""
        fresh = {name: zero for name, (zero, when) in self._said.items() if mono - when <= _FRESH_MS}
        believable = [zero for zero in fresh.values() if self._possible(zero, mono)]
        if not believable:
            return None
        middle = statistics.median_low(believable)
        agreeing = [zero for zero in believable if abs(zero - middle) <= AGREE_MS]
        if len(agreeing) < self._needed or 2 * len(agreeing) <= len(fresh):
            return None
        zero = statistics.median_low(agreeing)
        spread = max(abs(other - zero) for other in agreeing)
        return Estimate(zero, spread + _SECOND_MS / 2, mono, "devices")

    def _possible(self, zero: int, mono: int) -> bool:
        return self._floor <= zero + mono <= self._floor + _MOST_AHEAD_MS

    def _take(self, told: Estimate) -> None:
        if not self._possible(told.zero, told.mono):
            return
        best = self._best
        if best is not None:
            worth = _RANK[told.source] - _RANK[best.source]
            slack = best.slack + (told.mono - best.mono) * _STRAYS
            if worth < 0 or (worth == 0 and told.slack + _WORTH_A_STEP_MS > slack):
                return
        self._best = told
        if best is None or best.source != told.source:
            _log.warning("the time is learned from the %s, right to %.1f s", _WHO[told.source], told.slack / 1000)


def of_machine(clock: Clock) -> Clock:
    """The machine's own clock, which TLS goes by whatever was learned."""
    return clock.machine if isinstance(clock, LearnedClock) else clock


_WHO: dict[Source, str] = {"devices": "devices' clocks", "uplink": "level above"}
