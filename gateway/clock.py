"""Time, handed in: everything that waits or stamps takes a Clock, so a month of outage is a fast test."""

import ctypes
import threading
import time
import uuid
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Protocol

from gateway.records import ClockState

# A clock that shows a time before this release was built has not been set since power came.
RELEASED_MS = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp() * 1000)
_STEP_MS = 2000
# Only boards have a device tree; those with a clock of their own say that the kernel took the time from it.
_BOARD = Path("/proc/device-tree/model")
_CLOCKS = Path("/sys/class/rtc")
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES = 512  # more than struct timex has on any machine; with modes = 0 it is only read


def _was_set(hctosys: Path) -> bool:
    try:
        return hctosys.read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False


def _synchronised() -> bool:
    """Whether the kernel's clock follows a time server, as adjtimex(2) says."""
    try:
        return 0 <= _adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)) < _TIME_ERROR
    except (AttributeError, OSError):
        return False  # no such call on this system


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _adjtimex(buffer: "ctypes.Array[ctypes.c_char]") -> int:
    return int(_libc().adjtimex(buffer))


class Clock(Protocol):
    """What the gateway asks of time. Milliseconds unless said otherwise."""

    boot: str

    def wall_ms(self) -> int:
        """Unix time, UTC."""
        ...

    def mono_ms(self) -> int:
        """Monotonic since this boot of the machine."""
        ...

    def monotonic(self) -> float:
        """Monotonic seconds, for intervals."""
        ...

    def state(self) -> ClockState:
        """Whether wall time may be believed."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for `event` at most `seconds`; True when it was set."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


class Trust:
    """Whether the wall clock may be believed. Pure.

    `keeps_time`: this machine has a clock that runs without power. A Raspberry Pi has none: it begins where it
    stopped, or in 1970, and is believed once the time was set from outside.
    """

    def __init__(self, keeps_time: bool) -> None:
        self._keeps_time = keeps_time
        self._ahead: int | None = None  # of the monotonic clock, when it was last believed

    def state(self, wall: int, mono: int, synchronised: bool) -> ClockState:
        """What the wall clock is worth at `wall` and `mono` milliseconds; `synchronised` is what the kernel says.

        A clock that was believed and then jumps is not, until it is synchronised again.
        """
        if wall < RELEASED_MS:
            return "untrusted"
        stands = self._ahead is not None and abs(wall - mono - self._ahead) <= _STEP_MS
        if synchronised or stands or (self._ahead is None and self._keeps_time):
            self._ahead = wall - mono  # it may wander: only a jump is none of its own
            return "trusted"
        return "untrusted"


class SystemClock:
    """The clock of the machine. `boot` is the kernel's boot id, the same for every process of one boot."""

    def __init__(self) -> None:
        try:
            self.boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            self.boot = str(uuid.uuid4())  # no Linux kernel: this process is the boot
        self._trust = Trust(keeps_time=not _BOARD.exists() or any(map(_was_set, _CLOCKS.glob("rtc*/hctosys"))))

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    def state(self) -> ClockState:
        return self._trust.state(self.wall_ms(), self.mono_ms(), _synchronised())

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
