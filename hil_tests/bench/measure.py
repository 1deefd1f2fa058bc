"""One bus under measurement: a real poller with a real outbox on a port, watched for a while.

The alarm class is read as often as the wire allows (its period is next to nothing, unless one is given), so
that the bus is full and what is not wire time by the formula is waste.
"""

import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from gateway.bus.poller import BusPoller
from gateway.bus.schedule import PERIODS
from gateway.bus.sink import Sink
from gateway.bus.transport import Line
from gateway.bus.wire import Wire
from gateway.clock import SystemClock
from gateway.config.model import Bus
from gateway.errors import GewuError
from gateway.outbox import Outbox
from gateway.profile.model import Kind
from gateway.records import Note, OpenEvent, Reading

_NEXT_TO_NOTHING_S = 0.001
_CONTACT_S = 30.0


@dataclass
class Traffic:
    """What the line carried: registers read, and when each unit's alarms were there (monotonic seconds)."""

    registers: int = 0
    reads: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class Figures:
    """One stretch of time: shares from 0 to 1, seconds, registers a second."""

    utilisation: float
    sweep_s: float
    values_per_s: float
    cpu: float


@dataclass(frozen=True)
class Raised:
    """An event that was raised: of which device, its occurrence, and when it was committed (monotonic seconds)."""

    kind: str
    device: str
    key: str
    committed: float


class BusUnderMeasurement:
    """`with BusUnderMeasurement(bus) as measured:` polls `bus` until the end."""

    def __init__(self, bus: Bus, alarm_s: float = _NEXT_TO_NOTHING_S) -> None:
        """`alarm_s` is the period of the alarm class in seconds; by default, as often as the bus has time."""
        self._bus = bus
        self._alarm_s = alarm_s
        self._traffic = Traffic()
        self._ending = ExitStack()
        self.raised: list[Raised] = []

    def __enter__(self) -> "BusUnderMeasurement":
        with ExitStack() as ending:
            folder = ending.enter_context(tempfile.TemporaryDirectory(prefix="gewu-bench-"))
            outbox = Outbox(Path(folder), SystemClock(), [])
            ending.callback(outbox.close)
            outbox.start()
            sink = _StampedSink(outbox, self.raised)
            periods = {**PERIODS, "alarm": self._alarm_s}
            self._poller = BusPoller(self._bus, SystemClock(), sink, connect=self._connect, periods=periods)
            self._poller.start()
            ending.callback(self._stop)
            self._ending = ending.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def await_contact(self, silent: Sequence[int] = ()) -> None:
        """Return once every device was read, those with an address in `silent` given up for lost."""
        deadline = time.monotonic() + _CONTACT_S + self._bus.timeout * len(self._bus.device)
        while True:
            late = [
                device.address
                for device in self._poller.status().devices
                if not (device.online is False if device.address in silent else device.values)
            ]
            if not late:
                return
            if time.monotonic() > deadline:
                raise GewuError(f"The device at address {late[0]} was not read: nothing can be measured on this bus.")
            time.sleep(0.02)

    def watch(self, seconds: float) -> Figures:
        """What happens in the next `seconds`."""
        began, cpu, busy, registers = time.monotonic(), time.process_time(), self._line.busy_s, self._traffic.registers
        time.sleep(seconds)
        ended = time.monotonic()
        elapsed = ended - began
        return Figures(
            utilisation=(self._line.busy_s - busy) / elapsed,
            sweep_s=_sweep(self._traffic.reads, began, ended),
            values_per_s=(self._traffic.registers - registers) / elapsed,
            cpu=(time.process_time() - cpu) / elapsed,
        )

    def _connect(self, bus: Bus) -> Line:
        self._line = _CountedLine(bus, self._traffic)
        return self._line

    def _stop(self) -> None:
        self._poller.request_stop()
        self._poller.join()


class _CountedLine(Line):
    def __init__(self, bus: Bus, traffic: Traffic) -> None:
        super().__init__(bus.name, bus.port, Wire(bus.baud, bus.parity, bus.stopbits), bus.timeout)
        self._traffic = traffic
        alarms = {
            device.address: next(r for r in device.definition.registers if r.poll == "alarm") for device in bus.device
        }
        self._alarms = {unit: (register.kind, register.address) for unit, register in alarms.items()}

    def read(self, unit: int, kind: Kind, address: int, count: int) -> list[int]:
        words = super().read(unit, kind, address, count)
        self._traffic.registers += count
        alarm_kind, alarm_at = self._alarms[unit]
        if kind == alarm_kind and address <= alarm_at < address + count:
            self._traffic.reads[unit].append(time.monotonic())
        return words


class _StampedSink(Sink):
    """Passes all on to the outbox and notes when each event was committed."""

    def __init__(self, outbox: Outbox, raised: list[Raised]) -> None:
        self._outbox = outbox
        self._raised = raised

    def put_reading(self, reading: Reading) -> None:
        self._outbox.put_reading(reading)

    def accept_events(self, records: Sequence[OpenEvent], note: Note | None = None) -> None:
        self._outbox.accept_events(records, note)
        for event, key in ((record.event, record.key) for record in records):
            if event.cleared is None and event.device is not None:
                self._raised.append(Raised(event.kind, event.device, key, time.monotonic()))

    def keep_note(self, note: Note) -> None:
        self._outbox.keep_note(note)

    def note(self, key: str) -> bytes | None:
        return self._outbox.note(key)

    def open_events(self) -> list[OpenEvent]:
        return self._outbox.open_events()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least `share` (0 to 1) of them do not exceed; nan of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def _sweep(reads: dict[int, list[float]], began: float, ended: float) -> float:
    """The mean time from one read of a device to its next, in seconds."""
    apart = [b - a for times in reads.values() for a, b in pairwise([t for t in list(times) if began <= t <= ended])]
    return sum(apart) / len(apart) if apart else math.nan
