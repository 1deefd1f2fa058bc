"""The thread of one port where boards report by themselves, in lines of JSON (`protocol = "jsonl"`).

It owns the port and never writes to it. What a line says becomes the same readings, marks and events as what
the poller reads from registers. No trouble of its port ends it.
"""

import logging
import termios
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

import serial

from gateway.bus.device import PolledDevice
from gateway.bus.handover import RETRY_S, Handover
from gateway.bus.jsonl import LONGEST_LINE, BadLine, Report, parse, values_of
from gateway.bus.port import open_serial
from gateway.bus.sink import Sink
from gateway.bus.status import BusStatus
from gateway.bus.transport import Line
from gateway.bus.trouble import PortTrouble
from gateway.bus.wire import Wire
from gateway.clock import Clock
from gateway.config.model import Bus
from gateway.errors import StoreError, TryAgain
from gateway.rules.events import Moment

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


class BoardListener:
    """Serves one `[[bus]]` with `protocol = "jsonl"`, from `start` until `request_stop` and `join`."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        sink: Sink,
        *,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        connect: Callable[[Bus], Source] | None = None,
    ) -> None:
        self.name = bus.name
        self._bus = bus
        self._clock = clock
        self._sink = sink
        self._connect = connect or open_board
        self._devices = {device.address: PolledDevice(device, new_id) for device in bus.device}
        self._heard_at = dict.fromkeys(self._devices, clock.monotonic())
        self._seq: dict[int, int] = {}
        self._strangers: set[int] = set()
        self._source: Source | None = None
        self._rest = bytearray()
        self._trouble: str | None = None
        self._lines, self._bytes, self._errors = 0, 0, Counter[str]()
        self._started = self._reopen_at = self._look_at = clock.monotonic()
        self._handover = Handover(bus.name, sink, clock.monotonic)
        self._wake = threading.Event()
        self._stopping = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"bus {bus.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the thread to end."""
        self._stopping = True
        self._wake.set()

    def join(self, timeout: float | None = None) -> None:
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def alive(self) -> bool:
        return self._thread.is_alive()

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

    def _run(self) -> None:
        try:
            self._recall()
            while not self._stopping:
                self._step()
        except Exception:
            _log.exception("bus %s: its thread ends on a fault of the program", self.name)
        finally:
            self._close()

    def _recall(self) -> None:
        while not self._stopping:
            try:
                known = self._sink.open_events()
                break
            except StoreError as error:
                _log.warning("bus %s: waits for the store: %s", self.name, error)
                self._clock.wait(self._wake, RETRY_S)
        else:
            return
        for device in self._devices.values():
            device.recall(known)

    def _step(self) -> None:
        now = self._clock.monotonic()
        if self._source is None and now >= self._reopen_at:
            self._open(now)
        self._handover.again()
        if now >= self._look_at:
            self._look(now)
        if self._source is None:
            self._clock.wait(self._wake, max(0.0, min(self._reopen_at, self._look_at) - now))
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
                self._missed(device, now)
            self._send(device)

    def _missed(self, device: PolledDevice, now: float) -> None:
        sentence = self._trouble or (
            f"Bus {self.name}: the board at address {device.settings.address} sends no report; check its power and "
            "its cable, and that nothing holds its REPL."
        )
        with self._lock:
            was_online = device.online
            records = device.failed(sentence, now, self._moment())
        if device.online is False and was_online is not False:
            _log.warning(
                "bus %s: %s is lost: %s", self.name, device.called, sentence.removeprefix(f"Bus {self.name}: ")
            )
        self._handover.events(records)

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
        when, now = self._moment(), self._clock.monotonic()
        self._heard_at[report.address] = now
        profile = device.settings.definition
        if report.profile != profile.name:
            sentence = (
                f'Bus {self.name}: the board at address {report.address} reports as "{report.profile}", which is no '
                f'"{profile.name}"; correct its profile or address in the configuration.'
            )
            with self._lock:
                records = device.mismatched(sentence, when)
            self._handover.events(records)
            return
        values, marks = values_of(report, profile)
        with self._lock:
            records = [] if device.online else device.back(when)
            records = [*records, *device.take(values, marks, now, when)]
            device.trouble = report.trouble
        self._handover.events(records)
        self._send(device)

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

    def _send(self, device: PolledDevice) -> None:
        with self._lock:
            reading = device.reading(self._clock.monotonic(), self._moment())
        if reading is not None:
            self._handover.reading(device, reading)

    def _moment(self) -> Moment:
        return Moment(self._clock.wall_ms(), self._clock.mono_ms(), self._clock.state())


def open_board(bus: Bus) -> Source:
    """The port of a configured bus, opened for listening; PortTrouble when that is not possible now."""
    source: Source = open_serial(bus.port, Wire(bus.baud, bus.parity, bus.stopbits))
    return source
