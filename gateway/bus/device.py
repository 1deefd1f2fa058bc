"""One polled device as the gateway knows it: its latest values with age and marks, and whether it is there.

Pure state; the bus's thread drives it and hands in the time (monotonic seconds, and a Moment for records).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

import msgspec

from gateway.bus.catchup import Mark as JournalMark
from gateway.bus.schedule import PERIODS
from gateway.bus.status import DeviceStatus
from gateway.config.model import Device
from gateway.prepared import prepared
from gateway.profile import Register
from gateway.records import Mark, Note, OpenEvent, Reading, Value
from gateway.rules.deadband import Deadband
from gateway.rules.events import (
    LOST,
    LOST_GRADE,
    MISMATCH,
    MISMATCH_GRADE,
    DeviceEvents,
    Moment,
    Occurrence,
    Out,
)
from gateway.rules.liveness import Liveness

STALE_AFTER_PERIODS = 3
STALE_AFTER_LEAST_S = 5.0
"""A bus that is full reads alarms slower than their period; that alone makes no value stale."""
LOST_AFTER_FAILURES = 3
LOST_AFTER_S = 2.0


@dataclass
class _Latest:
    value: Value
    mark: Mark | None
    since: float


@prepared
class Remembered(msgspec.Struct, frozen=True, omit_defaults=True):
    """What outlives the gateway beside open events: what was told, what is owed, how far the journal is told."""

    counted: dict[str, int] = {}
    owed: dict[str, list[int]] = {}
    journal: int | None = None


@dataclass
class PolledDevice:
    """A configured device. `online` is None until it answered or was given up for the first time.

    `asks_journal`: whoever drives it can read the journal that its profile may have.
    """

    settings: Device
    new_id: Callable[[], str]
    asks_journal: bool = False
    online: bool | None = None
    trouble: str | None = None
    last_seen: int | None = None
    first_reading: int | None = None
    _latest: dict[str, _Latest] = field(default_factory=dict)
    _failures: int = 0
    _failing_since: float = 0.0
    _fresh: set[str] = field(default_factory=set)
    _told_stale: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        profile = self.settings.definition
        self._deadband = Deadband(profile)
        self._liveness = Liveness(profile)
        self._standing: set[str] = set()
        journalled = self.asks_journal and profile.journal is not None
        self._events = DeviceEvents(self.settings.id, self.settings.place, profile, self.new_id, journalled)
        self._deciding = {name for rule in profile.events for name in (rule.when, rule.counter) if name}
        self.journal = JournalMark(profile)
        self._noted: str | None = None
        self._stale_after = {
            name: max(STALE_AFTER_LEAST_S, STALE_AFTER_PERIODS * PERIODS[register.poll])
            for name, register in profile.by_value.items()
            if register.poll in PERIODS
        }

    @property
    def called(self) -> str:
        return f"{self.settings.id} (address {self.settings.address})"

    @property
    def note_key(self) -> str:
        """Where its note lies."""
        return f"device {self.settings.id}"

    @property
    def owes(self) -> dict[str, list[int]]:
        """What happened and is to be looked up in its journal: counts by counter."""
        return {counter: list(numbers) for counter, numbers in self._events.owed.items()}

    def recall(self, open_events: Iterable[OpenEvent], note: str | None = None) -> None:
        """Take up the events that were open when the gateway last ran, and what it noted."""
        try:
            known = msgspec.json.decode(note, type=Remembered) if note else Remembered()
        except msgspec.DecodeError:
            known = Remembered()  # of a release that noted otherwise: begin anew
        self._events.recall(open_events, known.counted, known.owed)
        self.journal.since = known.journal
        self._noted = note

    def note(self) -> Note | None:
        """What to find again after a restart, when it differs from what was given last."""
        known = Remembered(self._events.counted, self._events.owed, self.journal.since)
        text = msgspec.json.encode(known).decode()
        if known == Remembered() or text == self._noted:
            return None
        self._noted = text
        return Note(key=self.note_key, text=text)

    def wants(self, values: Mapping[str, Value], marks: Mapping[str, Mark], now: float) -> list[Register]:
        """The registers to read along with these fresh values, for the events that they call for."""
        if self._deciding.isdisjoint(values):
            return []
        good = {name: value for name, value in values.items() if name in self._deciding and name not in marks}
        for name in (self._deciding - values.keys()) & self._latest.keys():
            latest = self._latest[name]
            if self.online and latest.mark is None and now - latest.since <= self._stale_after.get(name, inf):
                good[name] = latest.value
        wanted = self._events.wants(good, values.keys()) - values.keys()
        registers = self.settings.definition.registers if wanted else []
        return [r for r in registers if r.readable and wanted.intersection(r.value_names)]

    def forget(self, registers: Iterable[Register]) -> None:
        """These could not be read: nothing old of them may travel with an event of now."""
        for name in (name for register in registers for name in register.value_names):
            self._latest.pop(name, None)
            self._fresh.discard(name)

    def settle(self, found: Iterable[Occurrence], asked: Mapping[str, list[int]], now: float, when: Moment) -> Out:
        """What its journal tells of what is owed; see `DeviceEvents.settle`."""
        marked = self._wire_marks(now)
        good = {name: value for name, value in self.values().items() if name not in marked}
        return self._events.settle(found, asked, good, when)

    def take(self, values: dict[str, Value], marks: dict[str, Mark], now: float, when: Moment) -> Out:
        """Fresh values from the wire; returns the events they call for."""
        for name, value in values.items():
            self._latest[name] = _Latest(value, marks.get(name), now)
        self._fresh.update(values)
        self._told_stale.difference_update(values)
        self._liveness.take(values, now)
        standing = self._liveness.standing()
        self._fresh |= (standing ^ self._standing) & self._latest.keys()  # a changed mark is worth telling
        self._standing = standing
        self.last_seen = when.at
        self._failures = 0
        records = self._events.step(self.values(), self._wire_marks(now), when)
        self.journal.take(values, owed=bool(self._events.owed))
        return records

    def reading(self, now: float, when: Moment) -> Reading | None:
        """What is worth sending of the values read since the last call, and of those that have grown stale."""
        marks = self.marks(now)
        stale = {name for name, mark in marks.items() if mark == "stale"} - self._told_stale
        worth = self._deadband.worth({name: self._latest[name].value for name in self._fresh | stale}, marks, now)
        self._told_stale |= stale
        self._fresh.clear()
        if not worth:
            return None
        self.first_reading = self.first_reading or when.at
        return Reading(
            device=self.settings.id,
            at=when.at,
            mono=when.mono,
            clock=when.clock,
            values=worth,
            marks={name: marks[name] for name in worth if name in marks},
        )

    def unsent(self) -> None:
        """The latest reading was refused by the store."""
        self._deadband.forget()
        self._told_stale.clear()

    def back(self, when: Moment) -> Out:
        """It answered as itself."""
        self.online, self.trouble, self._failures, self.last_seen = True, None, 0, when.at
        self._liveness.forget()
        return [*self._events.clear(MISMATCH, when), *self._events.clear(LOST, when)]

    def failed(self, sentence: str, now: float, when: Moment) -> Out:
        """It gave no usable answer; from the third time in a row and two seconds on, it is lost."""
        if self._failures == 0:
            self._failing_since = now
        self._failures += 1
        self.trouble = sentence
        if self._failures < LOST_AFTER_FAILURES or now - self._failing_since < LOST_AFTER_S:
            return []
        self.online = False
        return self._events.raise_(LOST, LOST_GRADE, when)

    def mismatched(self, sentence: str, when: Moment) -> Out:
        """Something else answers at its address: none of its values is taken."""
        self.online, self.trouble = False, sentence
        return self._events.raise_(MISMATCH, MISMATCH_GRADE, when, {"trouble": sentence})

    def values(self) -> dict[str, Value]:
        return {name: latest.value for name, latest in self._latest.items()}

    def marks(self, now: float) -> dict[str, Mark]:
        """Bad as decoded; stale when the device is gone, or the value has grown old or stands still."""
        standing: dict[str, Mark] = dict.fromkeys(self._standing, "stale")
        return standing | self._wire_marks(now)

    def _wire_marks(self, now: float) -> dict[str, Mark]:
        if self.online is False:
            return dict.fromkeys(self._latest, "stale")
        found: dict[str, Mark] = {}
        for name, latest in self._latest.items():  # for every answer of every device: no call for each value
            if now - latest.since > self._stale_after.get(name, inf):
                found[name] = "stale"
            elif latest.mark:
                found[name] = latest.mark
        return found

    def status(self, now: float) -> DeviceStatus:
        return DeviceStatus(
            id=self.settings.id,
            address=self.settings.address,
            place=self.settings.place,
            profile=self.settings.definition.name,
            online=self.online,
            last_seen=self.last_seen,
            first_reading=self.first_reading,
            values=self.values(),
            marks=self.marks(now),
            trouble=self.trouble,
            mismatched=MISMATCH in self._events.open_,
            ages={name: round(now - latest.since, 1) for name, latest in self._latest.items()},
            sent=self._deadband.since(now),
        )
