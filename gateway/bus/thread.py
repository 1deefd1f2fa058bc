"""The thread of one bus, whatever it does: its life, its heartbeat, and what it takes up from the store at the start.

It never opens a port and never reads one: `BusPoller` and `BoardListener` do, a step at a time.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence

from gateway.bus.device import PolledDevice
from gateway.bus.handover import RETRY_S, Handover
from gateway.bus.sink import Sink
from gateway.clock import Clock
from gateway.config.model import Bus
from gateway.errors import StoreError

_log = logging.getLogger(__name__)

STUCK_AFTER_S = 60.0
"""A heart that has not beaten for so long hangs. The longest exchange that a configuration allows is 256 characters
each way at 300 baud with a time-out of 10 s: some 35 s."""
_UNWATCHED_S = 10.0
# Whoever watches does so each second. Did it not, then the whole process stood still, and the hearts with it.


class BusThread(ABC):
    """Serves one `[[bus]]` from `start` until `request_stop` and `join`: `_step` again and again, then `_end`."""

    def __init__(self, bus: Bus, clock: Clock, sink: Sink, devices: Sequence[PolledDevice]) -> None:
        self.name = bus.name
        self._bus = bus
        self._clock = clock
        self._sink = sink
        self._all = devices
        self._started = clock.monotonic()
        self._lock = threading.Lock()  # guards what `status` of another thread may read
        self._handover = Handover(bus.name, sink, clock, self._lock)
        self._wake = threading.Event()
        self._stopping = self._recalled = False
        self._beaten_at = self._watched_at = self._awake_since = self._started
        self._thread = threading.Thread(target=self._run, name=f"bus {bus.name}", daemon=True)

    def start(self) -> None:
        self._beat()
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the thread to end after what is under way."""
        self._stopping = True
        self._wake.set()

    def join(self, timeout: float | None = None) -> None:
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def alive(self) -> bool:
        """Whether the thread runs and its heart has beaten lately; to be asked every second or so."""
        now = self._clock.monotonic()
        if now - self._watched_at > _UNWATCHED_S:
            self._awake_since = now
        self._watched_at = now
        return self._thread.is_alive() and now - max(self._beaten_at, self._awake_since) < STUCK_AFTER_S

    def step(self) -> None:
        """One round of what the thread does, for whoever drives the bus in simulated time and never starts it."""
        if not self._recalled:
            self._recall()
        self._beat()
        self._step()

    @abstractmethod
    def _step(self) -> None:
        """What is to do now, or a wait of a second at most."""

    @abstractmethod
    def _end(self) -> None:
        """The thread's last deed."""

    def _beat(self) -> None:
        self._beaten_at = self._clock.monotonic()

    def _sleep(self, seconds: float) -> None:
        if seconds > 0 and not self._stopping:
            self._clock.wait(self._wake, seconds)
        self._wake.clear()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self.step()
        except Exception:
            _log.exception("bus %s: its thread ends on a fault of the program", self.name)
        finally:
            self._end()

    def _recall(self) -> None:
        """What the store knows of the devices; without it, nobody could tell old from new."""
        while not self._stopping:
            self._beat()
            try:
                known = self._sink.open_events()
                for device in self._all:
                    noted = self._sink.note(device.note_key)
                    device.recall(known, None if noted is None else noted.decode())
                self._recalled = True
                return
            except StoreError as error:
                _log.warning("bus %s: waits for the store: %s", self.name, error)
                self._sleep(RETRY_S)
