"""`gewu provision verify`: every device of the plan read over its bus, and whoever else answers there.

It drives a Line, which may be one that a running gateway lends; it writes to no device. What counts as a difference is
`comparison`'s; what was read goes into the journal, from which the acceptance sheet is made.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.bus.contact import look_up, read_all, recognise
from gateway.bus.scan import doubled
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble, WrongDevice
from gateway.errors import DeviceRefused
from gateway.profile import Profile
from provisioning.comparison import differences
from provisioning.history import Past
from provisioning.journal import Journal
from provisioning.plan import Plan, PlanRow

_RELEASE = 2  # object of the device identification
_TRIES = 3


@dataclass(slots=True)
class Checked:
    """One device: contract section 1, with what was read. `id` is None for a device that no row of the plan has."""

    id: str | None
    address: int
    differences: list[str]
    release: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """As planned, and well."""
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        """The row of the contract."""
        return {"id": self.id, "address": self.address, "ok": self.ok, "differences": self.differences}

    def line(self) -> dict[str, Any]:
        """What the journal keeps of it."""
        return {"do": "verify", **self.as_json(), "release": self.release, "values": self.values, "marks": self.marks}


def verify(
    line: Line,
    plan: Plan,
    profiles: Mapping[str, Profile],
    known: Mapping[str, Past],
    units: Sequence[int],
    journal: Journal,
    search: float,
    progress: Callable[[], None] = lambda: None,
) -> Iterator[Checked]:
    """The rows of the plan in its order, then whoever answers at one of `units` and stands in no row.

    `search` is how long, in seconds, such a stranger may take before it begins its answer. `profiles` by the names that
    the plan uses, `known` the journal's word by id. Each is in the journal before it is given out. Raises PortTrouble,
    Trouble `disk-full`.
    """
    journal.note(do="verify-begun", rows=len(plan.rows), addresses=[min(units), max(units)])
    for row in plan.rows:
        checked = _row(line, row, profiles[row.profile], known.get(row.id, Past()))
        journal.note(**checked.line())
        progress()
        yield checked
    taken = {row.address for row in plan.rows}
    line.be_patient(search)
    for unit in units:
        stranger = None if unit in taken else _stranger(line, unit, list(profiles.values()))
        progress()
        if stranger is not None:
            journal.note(**stranger.line())
            yield stranger


def _row(line: Line, row: PlanRow, profile: Profile, past: Past) -> Checked:
    for left in reversed(range(_TRIES)):
        try:
            return _read(line, row, profile, past)
        except WrongDevice as wrong:
            return Checked(row.id, row.address, [f"identity: {wrong}"])
        except BusTrouble as trouble:
            why = doubled(line, row.address) if trouble.cause not in ("no-answer", "exception") else None
            if why is not None:
                return Checked(row.id, row.address, [f"address: {why}"])
            if not left:
                return Checked(row.id, row.address, [f"absent: {trouble}"])
    raise AssertionError("the last try returns")


def _read(line: Line, row: PlanRow, profile: Profile, past: Past) -> Checked:
    recognise(line, row.address, profile)
    values, marks, refused = read_all(line, row.address, profile)
    release = _release(line, row.address)
    found = differences(row, past, values, release)
    if (why := doubled(line, row.address)) is not None:
        found.insert(0, f"address: {why}")
    found += [f"{name}: it refuses to give it ({reason})" for name, reason in refused.items()]
    return Checked(row.id, row.address, found, release, values, {name: str(mark) for name, mark in marks.items()})


def _release(line: Line, unit: int) -> str:
    try:
        return line.identity(unit).get(_RELEASE, "")
    except DeviceRefused:
        return ""  # of another maker, and without an identification


def _stranger(line: Line, unit: int, profiles: Sequence[Profile]) -> Checked | None:
    answer = look_up(line, unit, profiles)
    if answer is None:
        return None
    name, identity, trouble = answer
    says = " / ".join(identity.values()) or "something"
    why = f"unknown device: {says} answers at address {unit}, and no row of the plan has it"
    if name is not None:
        why += "; give it a row, or take it off the bus"
    elif trouble is not None:
        why += f" ({trouble.rstrip('.')})"
    return Checked(None, unit, [why])
