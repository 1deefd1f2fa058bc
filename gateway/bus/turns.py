"""What comes of a turn on the bus: recognising a device, reading it, and what a failure means for it.

It drives a Line that it is given, in the bus's thread. It never decides whose turn it is (schedule), never opens
or closes the port (poller), and holds no queue of its own (handover).
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from threading import Lock

from gateway.bus.contact import read_each, recognise
from gateway.bus.device import PolledDevice
from gateway.bus.handover import Handover
from gateway.bus.journals import Journals
from gateway.bus.planner import Request
from gateway.bus.schedule import Schedule, Turn
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble, WrongDevice
from gateway.clock import Clock
from gateway.errors import DeviceRefused
from gateway.profile.decode import decode
from gateway.records import Mark, Value

_log = logging.getLogger(__name__)
_BUSY = (5, 6)


class Turns:
    """The turns of one bus. `lock` guards what `status` of another thread may read: devices and counts."""

    def __init__(
        self,
        bus: str,
        devices: Sequence[PolledDevice],
        schedule: Schedule,
        handover: Handover,
        clock: Clock,
        lock: Lock,
    ) -> None:
        self.name = bus
        self.polls = 0
        self.errors: Counter[str] = Counter()
        self._devices = devices
        self._schedule = schedule
        self._handover = handover
        self._clock = clock
        self._lock = lock
        self._journals = Journals(schedule, handover, clock, lock)

    def take(self, turn: Turn, line: Line, stopping: Callable[[], bool]) -> None:
        """One device's turn; between its requests it ends when `stopping`. Raises PortTrouble."""
        device, before = self._devices[turn.device], self._clock.monotonic()
        try:
            if turn.contact:
                self._contact(turn.device, device, line, before)
                return
            if turn.journal:
                self.count()
                self._journals.take(turn.device, device, line)
            for request in turn.requests:
                if stopping():
                    return
                self._read(turn.device, device, line, request)
        except BusTrouble as error:
            self._failed(turn.device, error, self._clock.monotonic() - before)
            return
        finally:
            self._handover.send(device)
        now = self._clock.monotonic()
        self._schedule.answered(turn, now, now - before)

    def unanswered(self, error: BusTrouble) -> None:
        """What somebody else asked was not answered. The answer may still come: that device is asked who it is
        before its values are taken again.
        """
        self.error(error.cause)
        for index, device in enumerate(self._devices):
            if device.settings.address == error.address:
                self._schedule.failed(index, self._clock.monotonic(), 0.0)

    def count(self) -> None:
        """One more request."""
        with self._lock:
            self.polls += 1

    def error(self, cause: str) -> None:
        """One more request without a usable answer."""
        with self._lock:
            self.errors[cause] += 1

    def _contact(self, index: int, device: PolledDevice, line: Line, before: float) -> None:
        self.count()
        was_known, was_online = device.online is not None, device.online
        try:
            recognise(line, device.settings.address, device.settings.definition)
        except WrongDevice as error:
            with self._lock:
                records = device.mismatched(str(error), self._handover.moment())
            if records:  # once, however often it is asked again
                _log.warning("%s", error)
            self._handover.events(records, device)
            self._lost(index)
            self._schedule.failed(index, self._clock.monotonic(), self._clock.monotonic() - before)
            return
        with self._lock:
            records = device.back(self._handover.moment())
        if was_known and not was_online:
            _log.warning("bus %s: %s is back", self.name, device.called)
        self._handover.events(records, device)
        self._schedule.contacted(index, self._clock.monotonic())

    def _read(self, index: int, device: PolledDevice, line: Line, request: Request) -> None:
        self.count()
        unit, values, marks = device.settings.address, dict[str, Value](), dict[str, Mark]()
        try:
            words = line.read(unit, request.kind, request.address, request.count)
        except DeviceRefused as refusal:
            self._refused(index, device, line, request, refusal)
            return
        for register in request.registers:
            start = register.address - request.address
            found, wrong = decode(register, words[start : start + register.size])
            values |= found
            marks |= wrong
        trouble = self._read_along(index, device, line, values, marks)
        self._take(device, values, marks)
        if trouble is not None:
            raise trouble
        self._journals.look(index, device, line)

    def _take(self, device: PolledDevice, values: dict[str, Value], marks: dict[str, Mark]) -> None:
        with self._lock:
            records = device.take(values, marks, self._clock.monotonic(), self._handover.moment())
        self._handover.events(records, device)

    def _read_along(
        self, index: int, device: PolledDevice, line: Line, values: dict[str, Value], marks: dict[str, Mark]
    ) -> BusTrouble | None:
        """Add what the events that `values` call for carry. An event waits for no second try: what cannot be read
        is left out of it."""
        wanted = device.wants(values, marks, self._clock.monotonic())
        for request in self._schedule.planner(index).plan(wanted)[0] if wanted else ():
            self.count()
            unit, asked = device.settings.address, (request.kind, request.address, request.count, request.registers)
            try:
                for register, raw in read_each(line, unit, *asked):
                    if not isinstance(raw, DeviceRefused):
                        found, wrong = decode(register, raw)
                        values |= found
                        marks |= wrong
            except BusTrouble as error:
                device.forget(register for register in wanted if not values.keys() & {*register.value_names})
                return error
        return None

    def _refused(self, index: int, device: PolledDevice, line: Line, request: Request, refusal: DeviceRefused) -> None:
        """Find out once which register the device does not have, or that it lets no gap be read through."""
        self.error("exception")
        if refusal.code in _BUSY:
            return
        answers = read_each(
            line, device.settings.address, request.kind, request.address, request.count, request.registers
        )
        missing = [register.name for register, raw in answers if isinstance(raw, DeviceRefused)]
        if missing:
            _log.warning("%s It is polled without %s.", refusal, ", ".join(missing))
            self._schedule.exclude(index, missing)
        else:
            self._schedule.keep_gaps(index)

    def _failed(self, index: int, error: BusTrouble, spent: float) -> None:
        now = self._clock.monotonic()
        self.error(error.cause)
        self._schedule.failed(index, now, spent)
        if self._handover.missed(self._devices[index], str(error)):
            self._lost(index)

    def _lost(self, index: int) -> None:
        self._schedule.lost(index)
        self._journals.drop(index)
