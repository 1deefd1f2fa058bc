"""The stages of an update in their order: each planned, applied, checked, and undone when it is not well.

What a stage does is its own. Every step stands in the journal before the next begins, so the same call resumes after a
cut: what is done is passed over, and what was begun is begun again.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from gateway.errors import GewuError
from provisioning.journal import Journal


class Stage(Protocol):
    """One part of a site that is updated as a whole. Every method may be called again after a cut of power."""

    @property
    def name(self) -> str:
        """Such as "gateway"; also in the journal."""
        ...

    def plan(self) -> list[str]:
        """What is to be done, a line each; empty where all is as it should be."""
        ...

    def apply(self) -> None:
        """Do it. Raises GewuError, with the old still in force or for `undo` to bring back."""
        ...

    def check(self) -> str | None:
        """None when what was applied is well, else why not."""
        ...

    def undo(self) -> None:
        """Bring back what was before; nothing where nothing was applied."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """`state` is "no change", "done", "failed" (while it was applied) or "returned" (it was not well)."""

    stage: str
    state: str
    why: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def run(stages: Iterable[Stage], journal: Journal, serial: int, say: Callable[[str], None]) -> list[Outcome]:
    """Carry out the update `serial`; ends at the first stage that is not well. Raises what the journal raises."""
    outcomes = []
    for stage in stages:
        outcome = _carry_out(stage, journal, serial, say)
        outcomes.append(outcome)
        if outcome.why is not None:
            break
    return outcomes


def _carry_out(stage: Stage, journal: Journal, serial: int, say: Callable[[str], None]) -> Outcome:
    def note(state: str, **more: str) -> None:
        journal.note(do="update", serial=serial, stage=stage.name, state=state, **more)

    before = _state(journal, serial, stage.name)
    steps = [] if before in ("done", "applied") else stage.plan()
    if not steps and before not in ("begun", "applied"):
        return Outcome(stage.name, "no change")
    if steps:
        for step in steps:
            say(f"{stage.name}: {step}")
        note("begun")
        try:
            stage.apply()
        except GewuError as error:
            stage.undo()
            note("failed", why=str(error))
            return Outcome(stage.name, "failed", str(error))
    if before != "applied":
        note("applied")
    why = stage.check()
    if why is not None:
        stage.undo()
        note("returned", why=why)
        return Outcome(stage.name, "returned", why)
    note("done")
    return Outcome(stage.name, "done")


def _state(journal: Journal, serial: int, stage: str) -> str | None:
    """The last state of this stage of this update."""
    found = [line["state"] for line in journal.lines if (line.get("serial"), line.get("stage")) == (serial, stage)]
    return found[-1] if found else None


def newest(journal: Journal) -> int:
    """The serial number of the newest update that was carried out here, 0 before the first."""
    return max((line["serial"] for line in journal.lines if line.get("state") == "done"), default=0)
