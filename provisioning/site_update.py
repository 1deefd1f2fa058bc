"""The boards of a running site, updated over their bus at night: one first and watched, then the rest, stop on failure.

It decides the order and keeps the record; what happens to one board is `board_update`'s. Every step is in the journal
before the next, so the same command goes on where it stopped, in the same night or the next one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Protocol, TypeVar

from gateway.clock import Clock
from gateway.config import hours
from gateway.errors import ConfigurationError, GewuError
from provisioning.board_update import State
from provisioning.bundle_contents import release_of
from provisioning.journal import Journal
from provisioning.self_test import fault_of

WAITS, PROVEN, FAILED = "waits", "proven", "failed"
_LOOK_S = 10.0
_HEALTH = ("meter_fault", "safe_mode", "hardware_fault", "breaker_failure", "self_test", "measure_age")


class Row(Protocol):
    """A board's row: of a plan, or of the gateway's configuration."""

    @property
    def id(self) -> str: ...
    @property
    def address(self) -> int: ...
    @property
    def critical(self) -> bool: ...


Ordered = TypeVar("Ordered", bound=Row)


class Updates(Protocol):
    """One board; see `board_update.BoardUpdate`."""

    def release(self) -> str: ...
    def state(self) -> State: ...
    def values(self, *names: str) -> dict[str, Any]: ...
    def begin(self, bundle: bytes) -> None: ...
    def transfer(self, bundle: bytes, share: float, told: Callable[[int, int], None]) -> int: ...
    def install(self) -> None: ...
    def start(self, version: str) -> None: ...
    def prove(self, version: str) -> None: ...


class Later(GewuError):
    """The window is closed: nothing is wrong, and the same command goes on the next time it is open."""


@dataclass(slots=True)
class UpdateRow:
    """One board. `before` is the version that it had, `state` waits, begun, transferred, installed, started, proven or
    failed; `trouble` a sentence."""

    id: str
    address: int
    before: str = ""
    version: str = ""
    state: str = WAITS
    trouble: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The row."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Terms:
    """How a site is updated. `open()` tells whether it may go on now; `share` of the bus's time at most, 0 to 1;
    `watch` seconds between the first board and the rest, in which the first must stay well."""

    bundle: bytes
    version: str
    sha256: str
    share: float
    watch: float
    open: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Night:
    """When and how a site's boards are updated: see `Terms`; `first` is the board that is tried first."""

    first: str | None
    open: Callable[[], bool]
    share: float
    watch: float


def terms_of(bundle: bytes, night: Night) -> Terms:
    """The terms for a bundle whose signature was checked."""
    return Terms(bundle, release_of(bundle), sha256(bundle).hexdigest(), night.share, night.watch, night.open)


Said = Callable[[str, str, int | None], None]
"""Called with id, step and percent while it goes on."""


def order(rows: Sequence[Ordered], first: str | None) -> list[Ordered]:
    """Who is updated when: `first`, or the first that keeps nobody alive; critical loads at the end.

    ConfigurationError where `first` is none of them, or there is nobody.
    """
    if not rows:
        raise ConfigurationError("There is no board of this project here, so there is nothing to update.")
    sorted_rows = sorted(rows, key=lambda row: (row.id != first, row.critical))
    if first is not None and sorted_rows[0].id != first:
        raise ConfigurationError(f"--first {first} is no board of this project here.")
    return sorted_rows


def window(span: str, minute: Callable[[], int]) -> Callable[[], bool]:
    """Whether the local time of day lies in `span`, such as 22:00-05:00. ConfigurationError for what is none."""
    try:
        hours.minutes(span)
    except ValueError as error:
        raise ConfigurationError(f'--window "{span}": {error}.') from error
    return lambda: hours.on([span], minute())


def update(
    boards: Sequence[tuple[Row, Updates]], terms: Terms, journal: Journal, clock: Clock, said: Said
) -> list[UpdateRow]:
    """The boards in the order given, one after the other; after the first failure nobody else is begun.

    Boards that have the version already are looked at and count as the first one. Raises Trouble `disk-full`.
    """
    rows = [UpdateRow(row.id, row.address, version=terms.version) for row, _board in boards]
    for place, (row, (_plan, board)) in enumerate(zip(rows, boards, strict=True)):
        try:
            _one(row, board, terms, journal, said)
            if place == 0 and len(boards) > 1:
                _watch(row, board, terms, clock, said)
        except Later as later:
            row.trouble = str(later)
            said(row.id, WAITS, None)
            break
        except GewuError as error:
            row.state, row.trouble = FAILED, str(error)
            journal.note(**_line(row, terms), cause=str(error))
            said(row.id, FAILED, None)
            break
    return rows


def _one(row: UpdateRow, board: Updates, terms: Terms, journal: Journal, said: Said) -> None:
    def reach(state: str) -> None:
        row.state = state
        journal.note(**_line(row, terms))
        said(row.id, state, None)

    def told(done: int, count: int) -> None:
        _stay(terms)
        said(row.id, "sending", 100 * done // count)

    row.before = board.release()
    if row.before != terms.version:
        # A board that has checked and written this very bundle waits for its restart only.
        if board.state() != State.READY or not _installed(row.id, terms, journal):
            _stay(terms)
            board.begin(terms.bundle)
            reach("begun")
            board.transfer(terms.bundle, terms.share, told)
            reach("transferred")
            board.install()
            reach("installed")
        _stay(terms)
        board.start(terms.version)
        reach("started")
    board.prove(terms.version)
    reach(PROVEN)


def _stay(terms: Terms) -> None:
    if not terms.open():
        raise Later("the window is closed; the same command goes on where it stopped, the next time it is open")


def _installed(device: str, terms: Terms, journal: Journal) -> bool:
    """Whether the newest step of this board in the journal is that it has written this bundle."""
    for line in reversed(journal.lines):
        if line.get("do") == "update" and line.get("id") == device and line.get("state") != FAILED:
            return bool(line.get("state") == "installed" and line.get("sha256") == terms.sha256)
    return False


def _watch(row: UpdateRow, board: Updates, terms: Terms, clock: Clock, said: Said) -> None:
    """The first board must stay well for a while before anybody else gets what it got."""
    until = clock.monotonic() + terms.watch
    while True:
        values: Mapping[str, Any] = board.values(*_HEALTH)
        if (fault := fault_of(values)) is not None or board.release() != terms.version:
            raise GewuError(f"{row.id} did not stay well with {terms.version}: {fault or 'it went back'}.")
        left = until - clock.monotonic()
        if left <= 0:
            return
        _stay(terms)
        said(row.id, "watched", round(100 * (1 - left / terms.watch)))
        clock.sleep(min(_LOOK_S, left))


def _line(row: UpdateRow, terms: Terms) -> dict[str, Any]:
    return {"do": "update", "id": row.id, "address": row.address, "state": row.state, "before": row.before,
            "version": terms.version, "sha256": terms.sha256}  # fmt: skip
