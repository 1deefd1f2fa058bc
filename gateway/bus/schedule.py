"""What the bus does next: which device, and which of its registers. Pure: the time is handed in.

Classes, gravest first: command (the poller's own queue) > alarm > fast > normal > slow > once, and inside a
class the earliest deadline first. On top of that four rules keep the bus fair:

- Registers due together are read together: a group of the same device that is at least half due joins when
  its extra wire time is less than the part of its own read that it saves.
- Alarms may saturate the bus, but then they leave `LOWER_SHARE` of it to the others that are due.
- A lower group that is late by more than `PATIENCE` of its periods goes before its class.
- A device that failed is asked again alone after a growing while; once silent, such trials cost at most
  `TRIAL_SHARE` of the bus as long as others live on it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.bus.planner import Planner, Request
from gateway.bus.wire import Wire
from gateway.profile.model import Kind, Poll, Profile, Register

PERIODS: dict[Poll, float] = {"alarm": 0.2, "fast": 1.0, "normal": 10.0, "slow": 60.0}
"""Seconds between two reads of a class when the bus has time for it; `once` is read at (re)connection."""
RANK: dict[Poll, int] = {"alarm": 0, "fast": 1, "normal": 2, "slow": 3, "once": 4}
LOWER_SHARE = 0.3
PATIENCE = 3.0
TRIAL_SHARE = 0.05
WORTH_IT = 0.95  # a saving of nothing is no reason to make a turn longer
FIRST_RETRY_S = 0.2
SECOND_RETRY_S = 1.5
LONGEST_RETRY_S = 30.0
# A device that cannot be asked a question of its own is left alone until a late answer has surely passed.
QUARANTINE_S = 1.0
SILENT_AFTER = 3
JOURNAL_PAUSE_S = 0.02
"""Between two exchanges with a journal: a board that has to look into its flash comes to it in that time."""
_ONCE_PERIOD_S = 60.0  # how long a `once` group may wait before it counts as late


@dataclass
class Group:
    """The registers of one device, one class and one kind: what becomes due together."""

    poll: Poll
    kind: Kind
    registers: tuple[Register, ...]
    due: float
    period: float
    journal: float | None = None
    """For the reading of the device's journal, which has no registers: what one exchange of it costs, in seconds."""
    rides: bool = False
    """Whether it is cheaper read with its device's alarm group than alone, so that it need not ask for a turn."""

    def elapsed(self, now: float) -> float:
        """The part of its period that has passed, 1 when it is due."""
        return 1 - (self.due - now) / self.period


@dataclass(frozen=True)
class Turn:
    """One device's turn: first contact (nothing is read yet), one exchange with its journal, or the requests of the
    groups that are due."""

    device: int
    contact: bool = False
    journal: bool = False
    groups: tuple[Group, ...] = ()
    requests: tuple[Request, ...] = ()


@dataclass
class _Agenda:
    profile: Profile
    planner: Planner
    groups: list[Group]
    answers_apart: bool
    journal: Group | None = None
    contact_at: float | None = 0.0
    fresh: bool = True
    failures: int = 0

    def joins(self, members: Sequence[Group], group: Group, share: float) -> bool:
        """Whether reading `group` together with `members` is worth it when `share` of its period has passed."""
        together = self.planner.plan(r for member in [*members, group] for r in member.registers)[1]
        before = self.planner.plan(r for member in members for r in member.registers)[1]
        alone = self.planner.plan(group.registers)[1]
        return together - before < WORTH_IT * share * alone

    def find_riders(self) -> None:
        alarms = {group.kind: group for group in self.groups if group.poll == "alarm"}
        for group in self.groups:
            alarm = alarms.get(group.kind)
            group.rides = alarm is not None and alarm is not group and self.joins([alarm], group, 1.0)


_Entry = tuple[int, Group]


class Schedule:
    """The order of one bus. Devices are named by their place in `profiles`."""

    def __init__(
        self, profiles: Sequence[Profile], wire: Wire, now: float, periods: Mapping[Poll, float] = PERIODS
    ) -> None:
        self._periods = periods
        self._agendas = [
            _Agenda(
                profile, Planner(profile, wire), _groups(profile, now, periods), _answers_apart(profile), contact_at=now
            )
            for profile in profiles
        ]
        for agenda in self._agendas:
            agenda.find_riders()
        self._taking_part: list[_Entry] | None = None  # None: who takes part has changed
        self._away: list[tuple[int, _Agenda]] = []
        self._below_alarm: list[Group] = []
        self._wire = wire
        self._owed = 0.0  # seconds of bus time that alarms owe to the classes below
        self._next_trial = now

    def next(self, now: float) -> Turn | float:
        """The turn to take now, or the time at which to ask again (infinity when there is no device)."""
        contacts = [index for index, _ in self._contacts(now)]
        if contacts:
            return Turn(min(contacts, key=lambda index: self._agendas[index].contact_at or 0.0), contact=True)
        due = [entry for entry in self._healthy() if entry[1].due <= now]
        if not due:
            return self._wake()
        index, group = self._choose(due, now)
        return self._turn(index, group, now)

    def answered(self, turn: Turn, now: float, spent: float) -> None:
        """The groups of `turn` were read, or refused by the device, in `spent` seconds of bus time."""
        if turn.groups and turn.groups[0].poll == "alarm":  # what the turn was taken for; others joined it
            self._healthy()
            lower_waits = any(group.due <= now for group in self._below_alarm)
            self._owed = self._owed + spent * LOWER_SHARE / (1 - LOWER_SHARE) if lower_waits else 0.0
        else:
            self._owed = max(0.0, self._owed - spent)
        for group in turn.groups:
            if group.journal is not None:
                group.due = now + JOURNAL_PAUSE_S
                continue
            # A late group starts anew from now: catching up would only make the others later.
            group.due = float("inf") if group.poll == "once" else max(group.due + group.period, now)

    def contacted(self, device: int, now: float) -> None:
        """The device answered as itself: it takes part again, and reads all when it was new or lost."""
        agenda = self._agendas[device]
        if agenda.fresh:
            agenda.groups = _groups(agenda.profile, now, self._periods)
            agenda.find_riders()
        if agenda.failures >= SILENT_AFTER:
            # One came back, perhaps because a cable did: the other silent ones need not wait their time.
            for other in self._agendas:
                if other.contact_at is not None and other is not agenda:
                    other.contact_at = min(other.contact_at, now)
        agenda.fresh, agenda.failures, agenda.contact_at = False, 0, None
        self._taking_part = None

    def failed(self, device: int, now: float, spent: float) -> None:
        """The device gave no usable answer, which cost `spent` seconds of bus time."""
        agenda = self._agendas[device]
        agenda.failures += 1
        agenda.contact_at = now + retry_after(agenda.failures, agenda.answers_apart)
        self._taking_part = None
        if agenda.failures >= SILENT_AFTER:
            self._next_trial = now + spent * (1 / TRIAL_SHARE - 1)

    def lost(self, device: int) -> None:
        """The device counts as lost: when it comes back, everything of it is read anew."""
        agenda = self._agendas[device]
        agenda.fresh, agenda.journal, self._taking_part = True, None, None

    def owe_journal(self, device: int, cost: float, now: float) -> None:
        """The device's journal is to be read, in turns of the class slow that cost so many seconds each."""
        self._agendas[device].journal = Group("slow", "input", (), now, PERIODS["slow"], journal=cost)
        self._taking_part = None

    def journal_read(self, device: int) -> None:
        """There is nothing more to read in it."""
        self._agendas[device].journal = None
        self._taking_part = None

    def planner(self, device: int) -> Planner:
        """What plans the device's reads."""
        return self._agendas[device].planner

    def exclude(self, device: int, names: Collection[str]) -> None:
        """The device has no such registers: leave them out until it comes back from being lost."""
        for group in self._agendas[device].groups:
            group.registers = tuple(register for register in group.registers if register.name not in names)
        self._taking_part = None

    def keep_gaps(self, device: int) -> None:
        """The device refuses to have undefined registers read through: plan around them from now on."""
        agenda = self._agendas[device]
        agenda.planner = Planner(agenda.profile, self._wire, through_gaps=False)
        agenda.find_riders()

    def restart(self, now: float) -> None:
        """The port was opened anew: contact every device at once."""
        for agenda in self._agendas:
            agenda.contact_at, agenda.fresh, agenda.failures = now, True, 0
        self._taking_part = None

    def _contacts(self, now: float) -> Iterator[tuple[int, _Agenda]]:
        self._healthy()
        alive = len(self._away) < len(self._agendas)
        for index, agenda in self._away:
            if agenda.contact_at is None or agenda.contact_at > now:
                continue
            if alive and agenda.failures >= SILENT_AFTER and now < self._next_trial:
                continue
            yield index, agenda

    def _healthy(self) -> list[_Entry]:
        """The groups of the devices that take part. Who does changes rarely, and every turn asks."""
        if self._taking_part is None:
            self._taking_part = [
                (index, group)
                for index, agenda in enumerate(self._agendas)
                if agenda.contact_at is None
                for group in (*agenda.groups, *([agenda.journal] if agenda.journal else []))
                if group.registers or group.journal is not None
            ]
            self._below_alarm = [group for _, group in self._taking_part if group.poll != "alarm"]
            self._away = [(i, agenda) for i, agenda in enumerate(self._agendas) if agenda.contact_at is not None]
        return self._taking_part

    def _wake(self) -> float:
        times = [group.due for _, group in self._healthy()]
        alive = len(self._away) < len(self._agendas)
        for _, agenda in self._away:
            if agenda.contact_at is not None:
                gated = alive and agenda.failures >= SILENT_AFTER
                times.append(max(agenda.contact_at, self._next_trial) if gated else agenda.contact_at)
        return min(times, default=float("inf"))

    def _choose(self, due: list[tuple[int, Group]], now: float) -> tuple[int, Group]:
        alarms = [entry for entry in due if entry[1].poll == "alarm"]
        lower = [entry for entry in due if entry[1].poll != "alarm"] if len(alarms) < len(due) else []
        if alarms and lower:
            calling = {index for index, _ in alarms}
            lower = [(index, group) for index, group in lower if not (group.rides and index in calling)]
        if alarms and lower:
            index, group = self._lower(lower, now)
            cost = group.journal or self._agendas[index].planner.plan(group.registers)[1]
            return (index, group) if self._owed >= cost else min(alarms, key=_deadline)
        return min(alarms, key=_deadline) if alarms else self._lower(lower, now)

    def _lower(self, lower: list[tuple[int, Group]], now: float) -> tuple[int, Group]:
        latest = max(lower, key=lambda entry: entry[1].elapsed(now))
        if latest[1].elapsed(now) - 1 > PATIENCE:
            return latest
        return min(lower, key=lambda entry: (RANK[entry[1].poll], entry[1].due))

    def _turn(self, index: int, first: Group, now: float) -> Turn:
        agenda = self._agendas[index]
        if first.journal is not None:
            return Turn(index, journal=True, groups=(first,))
        chosen = [first]
        for group in sorted(agenda.groups, key=lambda group: RANK[group.poll]):
            share = min(group.elapsed(now), 1.0)
            if group is first or share < 0.5 or not group.registers:
                continue
            if agenda.joins(chosen, group, share):
                chosen.append(group)
        requests, _ = agenda.planner.plan(register for member in chosen for register in member.registers)
        urgent = {register.name for register in first.registers}
        first_to_go = sorted(requests, key=lambda request: not any(r.name in urgent for r in request.registers))
        return Turn(index, groups=tuple(chosen), requests=tuple(first_to_go))


def retry_after(failures: int, answers_apart: bool) -> float:
    """Seconds until a device is asked again after so many failures in a row: 0.2, 1.5, 3, 6, 12, 24, 30, 30."""
    wait = FIRST_RETRY_S if failures == 1 else min(LONGEST_RETRY_S, SECOND_RETRY_S * 2.0 ** min(failures - 2, 10))
    return wait if answers_apart else max(wait, QUARANTINE_S)


def _deadline(entry: tuple[int, Group]) -> float:
    return entry[1].due


def _answers_apart(profile: Profile) -> bool:
    # The answer to 2B/0E cannot be mistaken for the late answer to a read, so no quarantine is needed.
    return bool(profile.identity and profile.identity.objects)


def _groups(profile: Profile, now: float, periods: Mapping[Poll, float]) -> list[Group]:
    members: dict[tuple[Poll, Kind], list[Register]] = {}
    for register in profile.registers:
        if register.readable and register.poll != "never":
            members.setdefault((register.poll, register.kind), []).append(register)
    return [
        Group(poll, kind, tuple(registers), now, periods.get(poll, _ONCE_PERIOD_S))
        for (poll, kind), registers in members.items()
    ]
