"""What verifying decides: differences, the journal's word on a row, who may be tripped, what a test trip shows."""

from typing import Any, cast

import pytest

from gateway.bus.command import Code
from gateway.bus.mailbox import Mailbox
from gateway.errors import ConfigurationError, TryAgain
from gateway.tests.fake_clock import FakeClock
from provisioning.comparison import differences
from provisioning.history import Past, pasts
from provisioning.plan import PlanRow
from provisioning.trip_test import check_people, trip


def row(profile: str = "gewu-breaker", critical: bool = False) -> PlanRow:
    return PlanRow(2, "b1", "p", "c", profile, 16, "C", 1, "SN", 30, critical)


WELL: dict[str, Any] = {
    "rating": 16, "curve": 67, "residual_rated": 0.03, "serial": "SN", "settings_digest": 0xAB, "measure_age": 100,
}  # fmt: skip
DONE = Past(serial="SN", settings="000000ab", commission={"state": "commissioned"})


@pytest.mark.parametrize(
    ("values", "past", "said"),
    [
        ({}, {}, []),
        ({"rating": 20}, {}, ["rating: 20 A, the plan says 16 A"]),
        ({"curve": 66}, {}, ["curve: B, the plan says C"]),
        ({"residual_rated": 0.1}, {}, ["rated residual current: 100 mA, the plan says 30 mA"]),
        (
            {"not_met_residual": True},
            {},
            ["residual protection: the plan says 30 mA, and no module that trips is fitted"],
        ),
        ({"serial": "X"}, {}, ["serial number: X, the journal says SN"]),
        ({"serial": "X"}, {"serial": None}, ["serial number: X, the plan says SN"]),
        ({"settings_digest": 1}, {}, ["settings: their digest is 00000001"]),
        ({}, {"commission": None}, ["commissioning: the journal has none"]),
        ({}, {"update": {"state": "proven", "version": "2.0.0"}}, ["firmware: 1.0.0, and 2.0.0 was brought"]),
        ({}, {"update": {"state": "failed", "version": "2.0.0"}}, []),
        ({"meter_fault": True}, {}, ["health: it reports meter_fault"]),
        ({"measure_age": 60_000}, {}, ["health: its meter gave no value"]),
        ({"tripped": True, "cause": 3}, {}, ["health: it has tripped (cause 3)"]),
        ({"tripped": True, "cause": 8, "closed": False}, {}, []),
    ],
)
def test_each_difference_is_said(values: dict[str, Any], past: dict[str, Any], said: list[str]) -> None:
    """One sentence for each, naming what it is and what it should be; a breaker opened by command is none."""
    known = Past(**{name: getattr(DONE, name) for name in ("serial", "settings", "commission")} | past)
    found = differences(row(), known, WELL | values, "1.0.0")
    assert len(found) == len(said)
    assert all(one.startswith(start) for one, start in zip(found, said, strict=True))


def test_the_newest_word_of_the_board_that_has_the_row_counts() -> None:
    """A replacement takes the tests of the dead board away; a retired row has no past."""
    lines: list[dict[str, Any]] = [
        {"do": "commission", "id": None, "uid": "1", "state": "flashed", "version": "1.25.0"},
        {"do": "commission", "id": "a", "uid": "1", "serial": "S1", "state": "addressed", "settings": "aa"},
        {"do": "commission", "id": "a", "uid": "1", "serial": "S1", "state": "calibrated", "calibration": "none"},
        {"do": "trip", "id": "a", "ok": True},
        {"do": "verify", "id": "a", "ok": True},
    ]
    (first,) = pasts(lines).values()
    assert (first.serial, first.settings, first.micropython, first.calibration) == ("S1", "aa", "1.25.0", "none")
    assert (len(first.trips), first.verify) == (1, lines[-1])
    (second,) = pasts([*lines, {"do": "commission", "id": "a", "uid": "2", "serial": "S2"}]).values()
    assert (second.serial, second.settings, second.trips, second.verify) == ("S2", None, [], None)
    assert pasts([*lines, {"do": "retire", "id": "a"}]) == {}


def test_people_come_before_trips() -> None:
    """Someone is named, two for a critical load, and only breakers are opened."""
    check_people([row()], "Li", None)
    check_people([row(critical=True)], "Li", "Wang")
    for rows, by, second in (
        ([row()], None, None),
        ([row()], " ", "Wang"),
        ([row(critical=True)], "Li", None),
        ([row(critical=True)], "Li", "Li"),
        ([row(critical=True)], "Li", " "),
        ([row("gewu-sensor")], "Li", "Wang"),
    ):
        with pytest.raises(ConfigurationError):
            check_people(rows, by, second)


class Played:
    """A breaker's mailbox. `opens`: whether its contact obeys; `after`: what it shows once it was told to."""

    def __init__(self, opens: bool = True, dead: bool = False, **after: Any) -> None:
        self.state: dict[str, Any] = {"closed": True, "current": 6.0, "breaker_failure": False, "withheld": False}
        self._opens, self._dead, self._after = opens, dead, after
        self.told = 0

    def values(self, *names: str) -> dict[str, Any]:
        if self._dead and self.told:
            raise TryAgain("silence")
        return {name: self.state[name] for name in names}

    def command(self, code: Code, argument: bytes = b"") -> None:
        assert (code, argument) == (Code.OPEN, b"")
        self.told += 1
        self.state |= {"closed": not self._opens, "current": 0.0} | self._after


@pytest.mark.parametrize(
    ("board", "ok", "said"),
    [
        (Played(), True, ""),
        (Played(opens=False), False, "not open after 3 s"),
        (Played(current=1.0), False, "CURRENT STILL FLOWS"),
        (Played(breaker_failure=True), False, "CURRENT STILL FLOWS"),
        (Played(dead=True), False, "nothing is known of it"),
    ],
)
def test_a_trip_is_well_only_when_open_and_without_current(board: Played, ok: bool, said: str) -> None:
    """It is told once, and whatever is not plainly well is said."""
    found = trip(cast(Mailbox, board), 16, FakeClock())
    assert (found.ok, board.told) == (ok, 1)
    assert said in found.why


def test_an_open_breaker_is_not_told_again() -> None:
    """It cannot show that it opens."""
    board = Played()
    board.state["closed"] = False
    found = trip(cast(Mailbox, board), 16, FakeClock())
    assert (found.ok, board.told) == (False, 0)
    assert "it is open already" in found.why
