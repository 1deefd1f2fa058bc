"""The installer's day in small: the bench counts finished boards only, and prints each figure beside its limit."""

import pytest

from hil_tests.bench import provision

pytestmark = pytest.mark.integration


def test_two_boards_and_three_addresses() -> None:
    """Every board ends as it must, else there is no figure; the limits are those that were asked for."""
    report = provision.measure(2, 3, lambda _text: None)
    figures = {row.metric: row for row in report.rows}
    assert set(figures) == {"flash_s", "commission_s", "whole_s", "repeat_s", "addressing_s"}
    assert {name: row.limit for name, row in figures.items() if row.limit} == {
        "whole_s": 360.0, "repeat_s": 20.0, "addressing_s": 60.0,
    }  # fmt: skip
    assert all(row.value > 0 for row in report.rows)
