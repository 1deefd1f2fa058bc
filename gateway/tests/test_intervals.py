"""Runs of numbers agree with plain sets, whatever is added in whatever order."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.intervals import Intervals

_RUNS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(_RUNS, _RUNS)
def test_like_a_set(runs: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    """Counting what is new, membership, holes, the solid head and the union are those of a set."""
    model: set[int] = set()
    found = Intervals()
    for first, last in runs:
        fresh = set(range(first, last + 1)) - model
        assert found.add(first, last) == len(fresh)
        model |= fresh
    assert [n for n in range(60) if n in found] == sorted(model)
    assert found.count() == len(model)
    assert found.top() == max(model, default=0)
    assert found.solid() == next(n for n in range(99) if n + 1 not in model)
    holes = {n for first, last in found.holes() for n in range(first, last + 1)}
    assert holes == set(range(1, found.top() + 1)) - model
    more = {n for first, last in others for n in range(first, last + 1)}
    assert found.union(Intervals(others)).count() == len(model | more)
    runs_now = list(found)
    assert all(a_last + 1 < b_first for (_, a_last), (b_first, _) in pairwise(runs_now))


def test_an_empty_run_adds_nothing() -> None:
    """last < first names no number."""
    assert Intervals().add(5, 4) == 0
