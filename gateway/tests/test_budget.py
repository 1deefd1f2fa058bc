"""What an uplink may send in a second and in a month."""

from datetime import UTC, datetime

import pytest

from gateway.uplink.budget import OVERHEAD_BYTES, Budget, cost
from gateway.uplink.link import Publication

_BIG = Publication("t", b"x" * (1000 - OVERHEAD_BYTES - 1))


def _ms(year: int, month: int, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)


class _Note:
    """A note that outlives the budget, and counts how often it was committed."""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.writes = 0

    def write(self, value: bytes) -> None:
        self.value = value
        self.writes += 1

    def budget(self, per_second: int | None = None, per_month: int | None = None) -> Budget:
        budget = Budget(per_second, per_month, lambda: self.value, self.write)
        budget.look(_ms(2026, 11), trusted=True)
        return budget


def test_no_limit_costs_nothing() -> None:
    """Without limits nothing waits, nothing is spent and nothing is written."""
    note = _Note()
    budget = note.budget()
    for _ in range(100):
        budget.pay(_BIG)
    assert (budget.wait(0.0), budget.spent(), note.writes) == (0.0, False, 0)


def test_the_rate_holds_over_time() -> None:
    """In a hundred seconds at 500 bytes a second no more than that and one message leaves, however large each is."""
    budget = _Note().budget(per_second=500)
    sent, now = 0, 0.0
    while now < 100:
        if (wait := budget.wait(now)) > 0:
            now += wait
        else:
            budget.pay(_BIG)
            sent += cost(_BIG)
    assert 48_000 <= sent <= 50_000 + 500 + cost(_BIG)


def test_a_quiet_hour_saves_up_one_second_at_most() -> None:
    """After a pause there is no burst."""
    budget = _Note().budget(per_second=500)
    budget.wait(0.0)
    assert budget.wait(3600.0) == 0.0
    budget.pay(_BIG)
    assert budget.wait(3600.0) == pytest.approx(1.0, abs=0.01)


def test_the_month_outlives_a_restart_and_never_counts_too_little() -> None:
    """A power cut forgets no byte that was sent; an orderly end forgets none and adds none; commits are rare."""
    note = _Note()
    budget = note.budget(per_month=10**6)
    for _ in range(100):
        budget.pay(_BIG)
    assert note.writes < 30
    cut = note.budget(per_month=10**6)
    assert 100_000 <= cut.month_bytes <= 100_000 + 10**6 // 200
    budget.close()
    assert note.budget(per_month=10**6).month_bytes == 100_000


def test_a_new_month_begins_only_by_a_clock_that_is_believed() -> None:
    """Spent stays spent for a clock that is not set or runs back, and ends with the month."""
    budget = _Note().budget(per_month=100_000)
    while not budget.spent():
        budget.pay(_BIG)
    for wall, trusted in ((_ms(2026, 11, 30), True), (_ms(1970, 1), True), (_ms(2027, 1), False)):
        budget.look(wall, trusted)
        assert budget.spent()
    budget.look(_ms(2026, 12), trusted=True)
    assert (budget.spent(), budget.month_bytes) == (False, 0)
