"""The measurements of boards on their bus, in small: what they count must hold, and how they print it."""

import pytest

from hil_tests import board_bench

pytestmark = pytest.mark.integration


def test_no_poll_fails_without_noise() -> None:
    """Eight boards in turn; the whole of it, 32 boards and 5,000 polls, is `rows()`."""
    assert board_bench.polls(8, 400) == {"polls": 400, "errors": 0, "wrong": 0}


def test_no_wrong_value_is_accepted_with_noise() -> None:
    """One byte in 2,000 corrupted, and more of them to be sure: answers are missing, none is wrong on either side."""
    assert board_bench.polls(4, 400, board_bench.NOISE)["wrong"] == 0
    worse = board_bench.polls(4, 300, 20 * board_bench.NOISE)
    assert worse["wrong"] == 0
    assert worse["errors"] > 0


def test_the_turnaround_is_measured_beside_a_bare_echo(capsys: pytest.CaptureFixture[str]) -> None:
    """Both wait t3.5, and neither takes as long as a master waits; the figures are printed, the machine is shared."""
    figures = board_bench.turnaround(60)
    with capsys.disabled():
        print(f"\nturnaround beyond t3.5, ms: {figures}")
    assert set(figures) == {"firmware p50", "firmware p99", "echo p50", "echo p99"}
    assert all(0 <= value < 500 for value in figures.values())
