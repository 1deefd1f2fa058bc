"""The thread of one bus: takes turns from the schedule, reads them off the line, and gives values, marks and
events to the sink. It owns the port. It never touches another bus, and no trouble of its own bus ends it.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TypeVar

from gateway import own_events
from gateway.bus.device import PolledDevice
from gateway.bus.questions import Questions
from gateway.bus.schedule import PERIODS, Schedule, Turn
from gateway.bus.sink import Sink
from gateway.bus.status import BusStatus
from gateway.bus.tap import Tap
from gateway.bus.thread import BusThread
from gateway.bus.timekeeping import ClockWrite, Timekeeper
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble, PortTrouble
from gateway.bus.turns import Turns
from gateway.bus.wire import wire_of
from gateway.clock import Clock
from gateway.config.model import Bus
from gateway.errors import DeviceRefused
from gateway.profile.decode import decode
from gateway.profile.model import Poll, Register

_log = logging.getLogger(__name__)
T = TypeVar("T")
HeardTime = Callable[[str, int, int], None]
"""Takes the device, the whole Unix seconds that its clock shows, and the monotonic milliseconds at which it did."""

_FIRST_REOPEN_S = 0.25
# A port that comes back is in use again within 5 s; half of that leaves room for the first answers.
_LONGEST_REOPEN_S = 2.0
_LOOK_S = 1.0  # how often ages and the port are looked at when nothing else is to do


class BusPoller(BusThread):
    """Serves one `[[bus]]` with `protocol = "modbus"`."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        sink: Sink,
        *,
        new_id: Callable[[], str] = own_events.new_id,
        connect: Callable[[Bus], Line] | None = None,
        periods: Mapping[Poll, float] = PERIODS,
        heard_time: HeardTime | None = None,
    ) -> None:
        self._devices = [PolledDevice(device, new_id, asks_journal=True) for device in bus.device]
        super().__init__(bus, clock, sink, self._devices)
        self._connect = connect or open_line
        wire = wire_of(bus.port, bus.baud, bus.parity, bus.stopbits)
        profiles = [device.definition for device in bus.device]
        self._schedule = Schedule(profiles, wire, self._started, periods)
        self._line: Line | None = None
        self._trouble: str | None = None
        self._reopen_at, self._reopen_wait = self._started, _FIRST_REOPEN_S
        self._busy_s = 0.0
        self._turns = Turns(bus.name, self._devices, self._schedule, self._handover, clock, self._lock)
        self._look_at = self._started
        self._heard_time = heard_time
        self._timekeeper = Timekeeper(profiles, self._started, broadcast=_hears_all(bus))
        self.tap = Tap(clock.monotonic)
        self._questions = Questions(bus.name, self._wake)
        self._answering = False

    def ask(self, work: Callable[[Line], T]) -> Future[T]:
        """Run `work` with the open line, before any other traffic, at the end of the exchange under way.

        The future gets its result or error; TryAgain when the port is not open or the gateway stops. `work`
        runs in the bus's thread and must be short: alarms wait for it.
        """
        future = self._questions.ask(work)
        if self._stopping:  # the thread may have looked for the last time
            self._questions.refuse("the gateway is stopping")
        return future

    def status(self) -> BusStatus:
        """What the bus does and knows now; may be called by any thread."""
        now = self._clock.monotonic()
        with self._lock:
            line, elapsed = self._line, max(now - self._started, 0.001)
            return BusStatus(
                name=self.name,
                port=self._bus.port,
                baud=self._bus.baud,
                open=line is not None,
                polls=self._turns.polls,
                errors=dict(self._turns.errors),
                utilisation=round((self._busy_s + (line.busy_s if line else 0.0)) / elapsed, 4),
                trouble=self._trouble,
                devices=[device.status(now) for device in self._devices],
            )

    # --- the thread ------------------------------------------------------------------------------

    def _end(self) -> None:
        self._close()
        self._questions.refuse("the gateway is stopping")

    def _step(self) -> None:
        now = self._clock.monotonic()
        if self._line is None and now >= self._reopen_at:
            self._open()
        for error in self._answer_asked():
            self._turns.unanswered(error)
        self._handover.again()
        if now >= self._look_at:
            self._look(now)
        self._tell_time(now)
        turn = self._schedule.next(now) if self._line is not None else self._reopen_at
        if isinstance(turn, Turn):
            self._take(turn)
        else:
            self._sleep(min(turn, self._look_at) - now)

    def _take(self, turn: Turn) -> None:
        assert self._line is not None  # the schedule is asked only while the port is open
        try:
            self._turns.take(turn, self._line, lambda: self._stopping)
        except PortTrouble as error:
            self._port_gone(error)

    def _look(self, now: float) -> None:
        """Once a second: values grow old, and without a port nobody can be reached."""
        self._look_at = now + _LOOK_S
        for device in self._devices:
            if self._line is None:
                self._handover.missed(device, self._trouble or "the port is closed")
            self._handover.send(device)

    # --- the port --------------------------------------------------------------------------------

    def _open(self) -> None:
        now = self._clock.monotonic()
        try:
            line = self._connect(self._bus)
        except PortTrouble as error:
            if self._trouble is None:
                _log.warning("bus %s: %s", self.name, error)
            with self._lock:
                self._trouble = str(error)
            self._reopen_at = now + self._reopen_wait
            self._reopen_wait = min(self._reopen_wait * 2, _LONGEST_REOPEN_S)
            return
        if self._trouble is not None:
            _log.warning("bus %s: the port %s is open again", self.name, self._bus.port)
        line.before_each = self._before_each
        line.after_each = self.tap.hear
        with self._lock:
            self._line, self._trouble = line, None
        self._reopen_wait = _FIRST_REOPEN_S
        self._schedule.restart(now)

    def _close(self) -> None:
        with self._lock:
            if self._line is not None:
                self._busy_s += self._line.busy_s
                self._line.close()
                self._line = None

    def _port_gone(self, error: PortTrouble) -> None:
        if self._line is None:
            return  # known: what was asked in between has found it out
        _log.warning("bus %s: %s", self.name, error)
        self._close()
        with self._lock:
            self._trouble = str(error)
        self._turns.error(error.cause)
        self._reopen_at = self._clock.monotonic() + self._reopen_wait

    # --- the time --------------------------------------------------------------------------------

    def _tell_time(self, now: float) -> None:
        """Set the devices' clocks, or ask them: one exchange at a time, so that nothing else waits for long."""
        if self._line is None:
            return
        state = self._clock.state()
        write, asked = self._timekeeper.next(now, state), self._timekeeper.question(now, state)
        try:
            if write is not None:
                self._set_clock(self._line, write)
            elif asked is not None and self._heard_time is not None:
                self._ask_clock(self._line, *asked, self._heard_time)
        except DeviceRefused as refusal:
            _log.info("bus %s: a clock could not be set or read: %s", self.name, refusal)
        except BusTrouble as error:
            self._turns.unanswered(error)
        except PortTrouble as error:
            self._port_gone(error)

    def _set_clock(self, line: Line, write: ClockWrite) -> None:
        words = write.words(self._clock.wall_ms())
        if write.device is None:
            self._turns.count()
            line.broadcast_registers(write.register.address, words)
        elif self._devices[write.device].online:
            self._turns.count()
            line.write_registers(self._devices[write.device].settings.address, write.register.address, words)

    def _ask_clock(self, line: Line, index: int, register: Register, tell: HeardTime) -> None:
        device = self._devices[index]
        if not device.online:
            return
        self._turns.count()
        before = self._clock.mono_ms()
        words = line.read(device.settings.address, register.kind, register.address, register.size)
        shown = decode(register, words)[0].get(register.name)
        if isinstance(shown, int):
            tell(device.settings.id, shown, (before + self._clock.mono_ms()) // 2)

    # --- what others ask -------------------------------------------------------------------------

    def _before_each(self, unit: int) -> None:
        """Before every exchange: a command waits for one exchange at most, whatever the bus is about."""
        self._beat()
        for error in self._answer_asked():
            if error.address == unit:
                raise error  # its late answer could be taken for the one that was about to be asked for
            self._turns.unanswered(error)

    def _answer_asked(self) -> list[BusTrouble]:
        """Run what others ask; returns the failures, whose answers may still come."""
        failures: list[BusTrouble] = []
        if self._answering:  # what they ask is made of exchanges itself, and is not interrupted
            return failures
        self._answering = True
        while self._questions.waiting():
            if self._line is None:
                self._questions.refuse(self._trouble or "the port is not open")
                break
            self._turns.count()
            error = self._questions.answer(self._line)
            if isinstance(error, PortTrouble):
                self._port_gone(error)
            elif isinstance(error, BusTrouble):
                failures.append(error)
        self._answering = False
        return failures


def _hears_all(bus: Bus) -> bool:
    return not bus.port.startswith("tcp://")  # unit 0 of a TCP server is a device of its own


def open_line(bus: Bus) -> Line:
    """The line of a configured bus, opened; PortTrouble when that is not possible now."""
    return Line(bus.name, bus.port, wire_of(bus.port, bus.baud, bus.parity, bus.stopbits), bus.timeout)
