"""The thread of one port where boards report by themselves, in lines of JSON (`protocol = "jsonl"`).

It owns the port and never writes to it. What a line says becomes the same readings, marks and events as what
the poller reads from registers. No trouble of its port ends it.
"""

import logging
import termios
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

import serial

from gateway import own_events
from gateway.bus.device import PolledDevice
from gateway.bus.jsonl import LONGEST_LINE, BadLine, Report, parse, values_of
from gateway.bus.port import open_serial
from gateway.bus.sink import Sink
from gateway.bus.status import BusStatus
from gateway.bus.thread import BusThread
from gateway.bus.transport import Line
from gateway.bus.trouble import PortTrouble
from gateway.bus.wire import Wire
from gateway.clock import Clock
from gateway.config.model import Bus
from gateway.errors import TryAgain

_log = logging.getLogger(__name__)
T = TypeVar("T")

_REOPEN_S = 1.0
_LOOK_S = 1.0
# Boards report once a second; after three misses PolledDevice gives one up.
_SILENT_S = 2.5
_CHUNK = 4096
_PORT_ERRORS = (serial.SerialException, OSError, termios.error)


class Source(Protocol):
    """A port that is only listened to: `read` waits a little and may return nothing."""

    def read(self, size: int) -> bytes: ...

    def close(self) -> None: ...


class BoardListener(BusThread):
    """Serves one `[[bus]]` with `protocol = "jsonl"`."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        sink: Sink,
        *,
        new_id: Callable[[], str] = own_events.new_id,
        connect: Callable[[Bus], Source] | None = None,
    ) -> None:
        self._devices = {device.address: PolledDevice(device, new_id) for device in bus.device}
        super().__init__(bus, clock, sink, list(self._devices.values()))
        self._connect = connect or open_board
        self._heard_at = dict.fromkeys(self._devices, clock.monotonic())
        self._seq: dict[int, int] = {}
        self._strangers: set[int] = set()
        self._source: Source | None = None
        self._rest = bytearray()
        self._trouble: str | None = None
        self._lines, self._bytes, self._errors = 0, 0, Counter[str]()
        self._reopen_at = self._look_at = self._started

    def ask(self, work: Callable[[Line], T]) -> Future[T]:
        """Nothing can be asked here: the future holds TryAgain."""
        future: Future[T] = Future()
        future.set_exception(TryAgain(f"Bus {self.name}: its boards report by themselves and are not asked."))
        return future

    def status(self) -> BusStatus:
        """What the port does and knows now; may be called by any thread. `polls` counts lines."""
        now = self._clock.monotonic()
        with self._lock:
            elapsed = max(now - self._started, 0.001)
            busy = self._bytes * Wire(self._bus.baud, self._bus.parity, self._bus.stopbits).t_char
            return BusStatus(
                name=self.name,
                port=self._bus.port,
                baud=self._bus.baud,
                open=self._source is not None,
                polls=self._lines,
                errors=dict(self._errors),
                utilisation=round(busy / elapsed, 4),
                trouble=self._trouble,
                devices=[device.status(now) for device in self._devices.values()],
            )

    # --- the thread ------------------------------------------------------------------------------

    def _end(self) -> None:
        self._close()

    def _step(self) -> None:
        now = self._clock.monotonic()
        if self._source is None and now >= self._reopen_at:
            self._open(now)
        self._handover.again()
        if now >= self._look_at:
            self._look(now)
        if self._source is None:
            self._sleep(min(self._reopen_at, self._look_at) - now)
            return
        try:
            self._take(self._source.read(_CHUNK))
        except _PORT_ERRORS as error:
            self._gone(f"Bus {self.name}: the port {self._bus.port} is gone ({error}); plug it in again.")

    def _open(self, now: float) -> None:
        try:
            source = self._connect(self._bus)
        except PortTrouble as error:
            if self._trouble is None:
                _log.warning("bus %s: %s", self.name, error)
            with self._lock:
                self._trouble = str(error)
            self._reopen_at = now + _REOPEN_S
            return
        if self._trouble is not None:
            _log.warning("bus %s: the port %s is open again", self.name, self._bus.port)
        with self._lock:
            self._source, self._trouble = source, None
        self._rest.clear()

    def _gone(self, sentence: str) -> None:
        _log.warning("%s", sentence)
        self._close()
        with self._lock:
            self._trouble = sentence
            self._errors["port"] += 1
        self._reopen_at = self._clock.monotonic() + _REOPEN_S

    def _close(self) -> None:
        with self._lock:
            if self._source is not None:
                self._source.close()
                self._source = None

    def _look(self, now: float) -> None:
        """Once a second: who has fallen silent, and what has grown old."""
        self._look_at = now + _LOOK_S
        for address, device in self._devices.items():
            if now - self._heard_at[address] > _SILENT_S:
                self._missed(device)
            self._handover.send(device)

    def _missed(self, device: PolledDevice) -> None:
        sentence = self._trouble or (
            f"Bus {self.name}: the board at address {device.settings.address} sends no report; check its power and "
            "its cable, and that nothing holds its REPL."
        )
        self._handover.missed(device, sentence)

    # --- lines -----------------------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        with self._lock:
            self._bytes += len(data)
        self._rest += data
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest[-LONGEST_LINE:])
        for line in lines:
            try:
                report = parse(line)
            except BadLine as bad:
                self._error(bad.cause)
                continue
            if report is not None:
                self._report(report)

    def _report(self, report: Report) -> None:
        with self._lock:
            self._lines += 1
        device = self._devices.get(report.address)
        if device is None:
            self._error("wrong-unit")
            if report.address not in self._strangers:
                self._strangers.add(report.address)
                _log.warning(
                    "bus %s: a board with address %d (%s, %s) reports here, but none is configured with it",
                    self.name, report.address, report.profile, report.serial,
                )  # fmt: skip
            return
        self._count_missing(report)
        when, now = self._handover.moment(), self._clock.monotonic()
        self._heard_at[report.address] = now
        profile = device.settings.definition
        if report.profile != profile.name:
            sentence = (
                f'Bus {self.name}: the board at address {report.address} reports as "{report.profile}", which is no '
                f'"{profile.name}"; correct its profile or address in the configuration.'
            )
            with self._lock:
                records = device.mismatched(sentence, when)
            self._handover.events(records, device)
            return
        values, marks = values_of(report, profile)
        with self._lock:
            records = [] if device.online else device.back(when)
            records = [*records, *device.take(values, marks, now, when)]
            device.trouble = report.trouble
        self._handover.events(records, device)
        self._handover.send(device)

    def _count_missing(self, report: Report) -> None:
        """Lines that a board made and that did not arrive; a number that went back is a board that started anew."""
        last = self._seq.get(report.address)
        self._seq[report.address] = report.seq
        if last is not None and report.seq > last + 1:
            with self._lock:
                self._errors["missing"] += report.seq - last - 1

    def _error(self, cause: str) -> None:
        with self._lock:
            self._errors[cause] += 1


def open_board(bus: Bus) -> Source:
    """The port of a configured bus, opened for listening; PortTrouble when that is not possible now."""
    source: Source = open_serial(bus.port, Wire(bus.baud, bus.parity, bus.stopbits))
    return source
