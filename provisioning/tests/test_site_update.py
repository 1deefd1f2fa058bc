"""Updating a site's boards: who is first, when, what stops it, and that the same command goes on."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigurationError, GewuError, TryAgain
from gateway.tests.fake_clock import FakeClock
from provisioning.board_update import State
from provisioning.journal import Journal
from provisioning.plan import PlanRow
from provisioning.site_update import Terms, Updates, order, update, window

NEW = "2.0.0"
HEALTHY: dict[str, Any] = {"meter_fault": False, "self_test": 2, "measure_age": 100}


def row(device: str, critical: bool = False) -> PlanRow:
    return PlanRow(2, device, "p", "c", "gewu-breaker", 16, "C", int(device[1:]), None, None, critical)


class Played:
    """A board that keeps what it got. `fails`: the call that raises; `sick`: its health once it was started."""

    def __init__(self, fails: str = "", sick: dict[str, Any] | None = None) -> None:
        self.fails, self.sick = fails, sick or {}
        self.version, self.now, self.calls = "1.0.0", State.NONE, list[str]()
        self.blocks, self.shares = 0, list[float]()

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.fails == name:
            raise TryAgain(f"no answer to {name}")

    def release(self) -> str:
        return self.version

    def state(self) -> State:
        return self.now

    def values(self, *names: str) -> dict[str, Any]:
        return HEALTHY | (self.sick if self.version == NEW else {})

    def begin(self, bundle: bytes) -> None:
        self._call("begin")
        self.now = State.RECEIVING

    def transfer(self, bundle: bytes, share: float, told: Callable[[int, int], None]) -> int:
        self._call("transfer")
        self.shares.append(share)
        while self.blocks < 4:
            told(self.blocks, 4)
            self.blocks += 1
        return self.blocks

    def install(self) -> None:
        self._call("install")
        self.now = State.READY

    def start(self, version: str) -> None:
        self._call("start")
        self.version, self.now = version, State.NONE

    def prove(self, version: str) -> None:
        self._call("prove")


WHOLE = ["begin", "transfer", "install", "start", "prove"]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "j", FakeClock()) as record:
        yield record


def terms(is_open: Callable[[], bool] = lambda: True) -> Terms:
    return Terms(b"bundle", NEW, "ab" * 32, 0.25, 60.0, is_open)


def run(
    journal: Journal, boards: list[Played], is_open: Callable[[], bool] = lambda: True
) -> list[tuple[str, str | None]]:
    pairs: list[tuple[PlanRow, Updates]] = [(row(f"b{n}"), board) for n, board in enumerate(boards, start=1)]
    found = update(pairs, terms(is_open), journal, FakeClock(), lambda *_: None)
    return [(one.state, one.trouble and one.trouble.split(";")[0]) for one in found]


def test_one_first_and_critical_loads_last() -> None:
    """Who keeps somebody alive is never the one that is tried, unless somebody says so."""
    rows = [row("b1", critical=True), row("b2"), row("b3")]
    assert [one.id for one in order(rows, None)] == ["b2", "b3", "b1"]
    assert [one.id for one in order(rows, "b3")] == ["b3", "b2", "b1"]
    for none, first in ((rows, "b9"), ([], None)):
        with pytest.raises(ConfigurationError):
            order(none, first)


def test_every_step_is_in_the_journal_and_the_share_is_handed_on(journal: Journal) -> None:
    """Each board the whole way, and its record."""
    boards = [Played(), Played()]
    assert run(journal, boards) == [("proven", None)] * 2
    assert [board.calls for board in boards] == [WHOLE, WHOLE]
    assert boards[0].shares == [0.25]
    states = [line["state"] for line in journal.lines if line["id"] == "b1"]
    assert states == ["begun", "transferred", "installed", "started", "proven"]
    assert {line["version"] for line in journal.lines} == {NEW}


@pytest.mark.parametrize("step", WHOLE)
def test_a_failure_stops_all_and_the_same_command_goes_on(journal: Journal, step: str) -> None:
    """Whoever comes after the one that failed was not begun; what is done is not done again."""
    boards = [Played(), Played(fails=step), Played()]
    assert run(journal, boards) == [("proven", None), ("failed", f"no answer to {step}"), ("waits", None)]
    assert boards[2].calls == []
    boards[1].fails = ""
    for board in boards:
        board.calls.clear()
    assert run(journal, boards) == [("proven", None)] * 3
    assert boards[0].calls == ["prove"]
    assert boards[2].calls == WHOLE
    # A failure after the bundle was written does not bring it once more.
    assert ("transfer" in boards[1].calls) == (step in ("begin", "transfer", "install"))


@pytest.mark.parametrize("sick", [{"meter_fault": True}, {"self_test": 3}])
def test_the_first_board_is_watched(journal: Journal, sick: dict[str, Any]) -> None:
    """When it does not stay well nobody else gets what it got."""
    boards = [Played(sick=sick), Played()]
    (first, second) = run(journal, boards)
    assert first[0] == "failed"
    assert "did not stay well" in str(first[1])
    assert (second, boards[1].calls) == (("waits", None), [])


@pytest.mark.parametrize("looks", range(1, 8))
def test_a_closed_window_is_no_failure(journal: Journal, looks: int) -> None:
    """It stops where it is, and the next night goes on."""
    counted = itertools.count(1)
    board = Played()
    (found,) = run(journal, [board], lambda: next(counted) < looks)
    if looks < 7:  # once before it begins, once a block, once before the start
        assert found[1] == "the window is closed"
        assert found[0] != "failed"
    assert run(journal, [board]) == [("proven", None)]
    assert board.blocks == 4


def test_the_window_is_a_span_of_the_local_day() -> None:
    """Also over midnight; what is none is said."""
    for minute, is_open in ((0, True), (4 * 60 + 59, True), (5 * 60, False), (12 * 60, False), (22 * 60, True)):
        assert window("22:00-05:00", lambda at=minute: at)() is is_open  # type: ignore[misc]
    with pytest.raises(ConfigurationError, match="--window"):
        window("night", lambda: 0)


def test_a_full_disk_begins_nobody(tmp_path: Path) -> None:
    """What cannot be noted is not done further."""
    with Journal(tmp_path / "j", FakeClock()) as record:
        record._file, whole = -1, record._file
        try:
            with pytest.raises(GewuError, match="disk-full"):
                run(record, [Played(), Played()])
        finally:
            record._file = whole
