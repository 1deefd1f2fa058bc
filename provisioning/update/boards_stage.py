"""The stage "boards": signed firmware for every board of the gateway that runs, over its buses, at night.

Order, record and what ends it are `site_update`'s. A board that is not well with the new firmware goes back by itself,
so there is nothing to undo here.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from gateway.clock import Clock
from gateway.errors import GewuError
from provisioning.bundle_contents import release_of
from provisioning.journal import Journal
from provisioning.site_update import PROVEN, Row, Said, Terms, Updates, update

BUNDLE = "firmware.bundle"
Boards = Sequence[tuple[Row, Updates]]


@dataclass(frozen=True, slots=True)
class BoardsStage:
    """`bundle`: the unpacked firmware; `boards()` are at hand inside its context, in the order of their update;
    `terms(bundle)`: window, share and watch; `wait()` returns when the window is open."""

    bundle: Path
    boards: Callable[[], AbstractContextManager[Boards]]
    terms: Callable[[bytes], Terms]
    wait: Callable[[], None]
    journal: Journal
    clock: Clock
    said: Said

    @property
    def name(self) -> str:
        return "boards"

    def plan(self) -> list[str]:
        version = release_of(self.bundle.read_bytes())
        with self.boards() as boards:
            older = [row.id for row, board in boards if _release(board) != version]
        return [f"{version} for {', '.join(older)}"] if older else []

    def apply(self) -> None:
        terms = self.terms(self.bundle.read_bytes())
        self.wait()
        with self.boards() as boards:
            rows = update(boards, terms, self.journal, self.clock, self.said)
        left = [row for row in rows if row.state != PROVEN]
        if left:
            why = next((f"{row.id}: {row.trouble}" for row in left if row.trouble), "it was ended")
            raise GewuError(f"{len(rows) - len(left)} of {len(rows)} boards have {terms.version}; {why}")

    def check(self) -> str | None:
        """Each board has proven itself, or `apply` failed."""
        return None

    def undo(self) -> None:
        """Boards that were not well went back by themselves; the others keep what they proved."""


def _release(board: Updates) -> str | None:
    """None where it does not answer: `apply` then says why."""
    try:
        return board.release()
    except GewuError:
        return None
