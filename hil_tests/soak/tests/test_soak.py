"""An hour of the soak that `gewu bench soak` lives for days: seconds of real time."""

from pathlib import Path

import pytest

from hil_tests.bench import soak
from hil_tests.soak.faults import ALL
from hil_tests.soak.run import Soak

pytestmark = pytest.mark.integration


def test_an_hour_with_a_fault_every_half_minute_loses_nothing() -> None:
    """The ledger balances, every value is true, every trip is told once."""
    report = soak.measure(soak.Plan(hours=1.0, load=0.2, seed=11), lambda _: None)
    figures = {row.metric: row.value for row in report.rows}
    assert soak.broken(report) == []
    assert figures["faults"] >= 115
    assert figures["kills"] >= 1
    assert figures["readings"] > 5000
    assert figures["events_told"] > 50
    assert figures["left_in_the_queue"] == 0


def test_the_same_seed_lives_the_same_hour(tmp_path: Path) -> None:
    """Faults, polls and what arrived are the same."""
    runs = [Soak(tmp_path / str(n), 0.15, 0.1, 3, lambda _: None).run() for n in range(2)]
    told = [(run.struck, run.polls, run.errors, run.starts, run.findings.values) for run in runs]
    assert told[0] == told[1]
    assert len(runs[0].struck) > 0
    assert runs[0].struck.keys() <= {f"{fault.number} {fault.name}" for fault in ALL}
