"""Catching up: what happened to a device while nobody could look is read from its journal, and told.

It drives a Line that it is given, an exchange a turn, in the bus's thread; the schedule says when. What is owed, and
what was told, the device knows.
"""

import logging
from threading import Lock

from gateway.bus.catchup import CatchUp, Stretch, cost
from gateway.bus.device import PolledDevice
from gateway.bus.handover import Handover
from gateway.bus.schedule import Schedule
from gateway.bus.transport import Line
from gateway.clock import Clock
from gateway.errors import DeviceRefused
from gateway.profile.decode import decode
from gateway.records import Value

_log = logging.getLogger(__name__)
_BUSY = (5, 6)


class Journals:
    """The readings under way, by the device's place. `lock` guards what another thread may read of the devices."""

    def __init__(self, schedule: Schedule, handover: Handover, clock: Clock, lock: Lock) -> None:
        self._schedule = schedule
        self._handover = handover
        self._clock = clock
        self._lock = lock
        self._under_way: dict[int, tuple[CatchUp, dict[str, list[int]]]] = {}

    def look(self, index: int, device: PolledDevice, line: Line) -> None:
        """Begin when the device owes something."""
        profile = device.settings.definition
        if index in self._under_way or profile.journal is None or not device.owes:
            return
        planner = self._schedule.planner(index)
        catch_up = CatchUp(profile, profile.journal, planner, line.wire, device.journal.since)
        self._under_way[index] = (catch_up, device.owes)
        self._schedule.owe_journal(index, cost(profile.journal, line.wire), self._clock.monotonic())

    def drop(self, index: int) -> None:
        """The device is lost: what is owed is looked up anew when it is back."""
        self._under_way.pop(index, None)

    def take(self, index: int, device: PolledDevice, line: Line) -> None:
        """One exchange with the device's journal; when it was the last, what it tells. Raises as the line does."""
        catch_up, asked = self._under_way[index]
        try:
            self._ask(device, line, catch_up)
        except DeviceRefused as refusal:
            if refusal.code in _BUSY:
                catch_up.busy()
            else:
                _log.warning("%s What happened meanwhile is told by its number only.", refusal)
                catch_up.give_up()
        if catch_up.next() is None:
            self._tell(index, device, catch_up, asked)

    def _ask(self, device: PolledDevice, line: Line, catch_up: CatchUp) -> None:
        unit, question = device.settings.address, catch_up.next()
        if isinstance(question, Stretch):
            catch_up.read(question, line.read_file(unit, question.file, question.record, question.count))
        elif question is not None:
            words = line.read(unit, question.kind, question.address, question.count)
            values: dict[str, Value] = {}
            for register in question.registers:
                start = register.address - question.address
                values |= decode(register, words[start : start + register.size])[0]
            with self._lock:
                records = device.take(values, {}, self._clock.monotonic(), self._handover.moment())
            self._handover.events(records, device)
            catch_up.told(values, self._clock.wall_ms())

    def _tell(self, index: int, device: PolledDevice, catch_up: CatchUp, asked: dict[str, list[int]]) -> None:
        del self._under_way[index]
        self._schedule.journal_read(index)
        found = catch_up.found(clock_is_right=self._clock.state() != "untrusted")
        with self._lock:
            records = device.settle(found, asked, self._clock.monotonic(), self._handover.moment())
        self._handover.events(records, device)
