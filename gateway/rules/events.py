"""Readings into events, by the profile's rules: a pure state machine for one device.

Raising and clearing are two records with one id. Occurrences are told apart by the rule's counter, so a
restart neither repeats nor forgets one, and an occurrence that came and went between two looks is reported
all the same. Where the device keeps a journal, it is owed until that was read, and then told as what it was, with its
own time; else, and where the journal does not know it, as the first rule that names this counter, for which of them
it was nobody knows any more. A rule that has a counter alone (device.restarted) is always of that sort.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from gateway.profile import EventRule, Profile
from gateway.records import ClockState, Event, Mark, OpenEvent, Value

MOST_OWED = 600
"""More than a journal has entries; who missed more reports their number only."""
LOST = "device.lost"
MISMATCH = "device.mismatch"
LOST_GRADE = 4
MISMATCH_GRADE = 3
# What each type of counter counts to before it starts again from 0.
_WRAPS = {"u16": 1 << 16, "u32": 1 << 32, "u64": 1 << 64}


@dataclass(frozen=True)
class Moment:
    """When something was seen: Unix and monotonic milliseconds, and what the clock is worth."""

    at: int
    mono: int
    clock: ClockState


@dataclass(frozen=True)
class Occurrence:
    """One that a device's journal tells of: which count of `counter` it was, when (Unix milliseconds), and what it
    says of the values. `sure`: the time is its own; else it is the latest that is possible.
    """

    counter: str
    number: int
    at: int
    sure: bool
    values: Mapping[str, Value]


Out = list[OpenEvent]
"""Records in order, each with the key of its occurrence (`event.cleared` is None in the one that raises)."""


@dataclass
class DeviceEvents:
    """The open events of one device. `open_` holds those that were open before a restart.

    `counted` is how far each counter was told; `owed` the counts below that a journal must tell of (`journalled`).
    """

    device: str
    place: str
    profile: Profile
    new_id: Callable[[], str]
    journalled: bool = False
    open_: dict[str, OpenEvent] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    owed: dict[str, list[int]] = field(default_factory=dict)

    def recall(
        self,
        open_events: Iterable[OpenEvent],
        counted: Mapping[str, int] | None = None,
        owed: Mapping[str, list[int]] | None = None,
    ) -> None:
        """Take up this device's events that were open when the gateway last ran, and what it had told by then."""
        for known in open_events:
            if known.event.device == self.device:
                self.open_[known.event.kind] = known
        for rule in self.profile.events:
            known_key = self.open_[rule.kind].key if rule.kind in self.open_ else ""
            if rule.counter and known_key.isdecimal():
                self.counted[rule.counter] = int(known_key)
            if rule.counter and counted and rule.counter in counted:
                self.counted[rule.counter] = counted[rule.counter]
            if self.journalled and rule.counter and owed and rule.counter in owed:
                self.owed[rule.counter] = list(owed[rule.counter])

    def step(self, values: Mapping[str, Value], marks: Mapping[str, Mark], when: Moment) -> Out:
        """The records that the latest `values` call for; values with a mark prove nothing and are passed over."""
        good = {name: value for name, value in values.items() if name not in marks}
        records: Out = []
        missed = self._missed(good)
        for rule in self.profile.events:
            if rule.when is not None and rule.when in good and (rule.counter is None or rule.counter in good):
                records += self._rule(rule, good[rule.when], good, when)
        over = [record for record in records if record.event.cleared is not None]
        for rule, first, count, visible in missed:
            if rule.counter and self.journalled and count <= MOST_OWED:
                numbers = [(first + index) % self._wrap(rule.counter) for index in range(count)]
                self.owed[rule.counter] = [*self.owed.get(rule.counter, []), *numbers]
            else:
                over += self._came_and_went(rule, first, count, good, when, visible)
        return over + [record for record in records if record.event.cleared is None]

    def wants(self, good: Mapping[str, Value], fresh: Collection[str]) -> set[str]:
        """The values that the records which `good` calls for will carry, or be dated by; `fresh` were just read."""
        wanted: set[str] = set()
        for rule in self.profile.events:
            if rule.when not in fresh and rule.counter not in fresh:
                continue
            if rule.when is None or rule.when not in good or (rule.counter and rule.counter not in good):
                continue
            known = self.open_.get(rule.kind)
            if _equal(good[rule.when], rule.equals) and not (known and known.key == self._key(rule, good)):
                wanted |= {*rule.values, *([rule.age] if rule.age else [])}
        return wanted

    def settle(
        self, found: Iterable[Occurrence], asked: Mapping[str, list[int]], good: Mapping[str, Value], when: Moment
    ) -> Out:
        """What the journal tells of what is owed, in its order; of what was `asked` and not found, the number."""
        records: Out = []
        for one in found:
            number = one.number % self._wrap(one.counter)
            rule = self._told_by(one)
            if rule is None or number not in self.owed.get(one.counter, []):
                continue
            self._paid(one.counter, [number])
            carried = {name: one.values[name] for name in rule.values if name in one.values}
            unsure: dict[str, Value] = {} if one.sure else {"not_after": True}
            records += self._gone(rule, str(number), min(one.at, when.at), carried | unsure, when)
        for counter, numbers in asked.items():
            left = [number for number in numbers if number in self.owed.get(counter, [])]
            if left:
                self._paid(counter, left)
                rule = next(rule for rule in self.profile.events if rule.counter == counter)
                visible = any(rule.kind in self.open_ for rule in self.profile.events if rule.counter == counter)
                records += self._came_and_went(rule, left[0], len(left), good, when, visible)
        return records

    def raise_(self, kind: str, grade: int, when: Moment, values: Mapping[str, Value] | None = None) -> Out:
        """Raise an event that no register tells of (device.lost, device.mismatch); nothing when it is open."""
        if kind in self.open_:
            return []
        return [self._raise(kind, grade, when.at, when, dict(values or {}), "")]

    def clear(self, kind: str, when: Moment) -> Out:
        """Clear the open event of `kind`; nothing when none is open."""
        return [self._clear(kind, when.at, when)] if kind in self.open_ else []

    def _rule(self, rule: EventRule, decides: Value, good: Mapping[str, Value], when: Moment) -> Out:
        key = self._key(rule, good)
        known = self.open_.get(rule.kind)
        if not _equal(decides, rule.equals):
            return self.clear(rule.kind, when)
        if known and known.key == key:
            return []
        raised = _happened(rule, good, when)
        records = [self._clear(rule.kind, max(raised, known.event.raised), when)] if known else []
        carried = {name: good[name] for name in rule.values if name in good}
        return [*records, self._raise(rule.kind, rule.grade, raised, when, carried, key)]

    def _missed(self, good: Mapping[str, Value]) -> list[tuple[EventRule, int, int, bool]]:
        """Rules with (first counter, count) of occurrences since the last look that cannot be seen any more, and
        whether a later one can."""
        found = []
        for counter in dict.fromkeys(rule.counter for rule in self.profile.events if rule.counter):
            now = good.get(counter)
            rules = [rule for rule in self.profile.events if rule.counter == counter]
            deciding = [(rule, rule.when) for rule in rules if rule.when is not None]
            if not isinstance(now, int) or any(name not in good for _, name in deciding):
                continue
            wrap = self._wrap(counter)
            before = self.counted.get(counter, now)
            self.counted[counter] = now
            count = (now - before) % wrap
            if count >= wrap // 2:
                continue  # it went back: another board, or one whose memory was erased
            visible = any(_equal(good[name], rule.equals) for rule, name in deciding)
            unseen = count - visible
            if unseen > 0:
                found.append((rules[0], (before + 1) % wrap, unseen, visible))
        return found

    def _came_and_went(
        self, rule: EventRule, first: int, count: int, good: Mapping[str, Value], when: Moment, visible: bool
    ) -> Out:
        carried: dict[str, Value] = {name: good[name] for name in rule.values if name in good}
        # The age is that of the latest; when that is still to be seen, these were before it, nobody knows when.
        raised = when.at if visible else _happened(rule, good, when)
        return self._gone(rule, str(first), raised, carried | {"unseen": count}, when)

    def _gone(self, rule: EventRule, key: str, raised: int, values: dict[str, Value], when: Moment) -> Out:
        event = self._event(rule.kind, rule.grade, raised, when, values)
        gone = msgspec.structs.replace(event, cleared=when.at)
        return [OpenEvent(event=event, key=key), OpenEvent(event=gone, key=key)]

    def _told_by(self, one: Occurrence) -> EventRule | None:
        """The rule that would have raised it."""
        for rule in self.profile.events:
            decides = one.values.get(rule.when) if rule.when else rule.equals
            if rule.counter == one.counter and decides is not None and _equal(decides, rule.equals):
                return rule
        return None

    def _paid(self, counter: str, numbers: list[int]) -> None:
        left = [number for number in self.owed[counter] if number not in numbers]
        if left:
            self.owed[counter] = left
        else:
            del self.owed[counter]

    def _wrap(self, counter: str) -> int:
        register = self.profile.by_value.get(counter)
        return _WRAPS.get(register.type, 1 << 64) if register else 1 << 64

    def _key(self, rule: EventRule, good: Mapping[str, Value]) -> str:
        return str(good.get(rule.counter, "")) if rule.counter else ""

    def _raise(self, kind: str, grade: int, raised: int, when: Moment, values: dict[str, Value], key: str) -> OpenEvent:
        self.open_[kind] = OpenEvent(event=self._event(kind, grade, raised, when, values), key=key)
        return self.open_[kind]

    def _clear(self, kind: str, cleared: int, when: Moment) -> OpenEvent:
        known = self.open_.pop(kind)
        event = msgspec.structs.replace(known.event, cleared=cleared, mono=when.mono, clock=when.clock)
        return OpenEvent(event=event, key=known.key)

    def _event(self, kind: str, grade: int, raised: int, when: Moment, values: dict[str, Value]) -> Event:
        return Event(
            id=self.new_id(),
            kind=kind,
            grade=grade,
            device=self.device,
            place=self.place,
            raised=raised,
            cleared=None,
            mono=when.mono,
            clock=when.clock,
            values=values,
        )


def _happened(rule: EventRule, good: Mapping[str, Value], when: Moment) -> int:
    """When the latest occurrence was, by the device's own count of the time since."""
    age = good.get(rule.age) if rule.age else None
    return when.at - round(age) if isinstance(age, int | float) else when.at


def _equal(value: Value, wanted: Value) -> bool:
    # True equals 1 in Python, and a rule that waits for 1 must not take a boolean for it
    return isinstance(value, bool) == isinstance(wanted, bool) and value == wanted
