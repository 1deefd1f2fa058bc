"""Time, handed in: everything that waits or stamps takes a Clock, so a month of outage is a fast test."""

import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from gateway.records import ClockState

# A clock that shows a time before this release was built has not been set since power came.
_RELEASED_MS = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp() * 1000)


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


class SystemClock:
    """The clock of the machine. `boot` is the kernel's boot id, the same for every process of one boot."""

    def __init__(self) -> None:
        try:
            self.boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            self.boot = str(uuid.uuid4())  # no Linux kernel: this process is the boot

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    def state(self) -> ClockState:
        return "trusted" if self.wall_ms() >= _RELEASED_MS else "untrusted"

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
