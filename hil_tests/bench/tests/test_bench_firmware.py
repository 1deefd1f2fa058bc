"""The measurements of boards on their bus, in small: what they count must hold, and how they print it."""

import json

import pytest
from typer.testing import CliRunner

from gateway.cli.bench import app
from hil_tests.bench import firmware, update

pytestmark = pytest.mark.integration


def test_no_poll_fails_without_noise() -> None:
    """Eight boards in turn; the whole of it, 32 boards and 5,000 polls, is `gewu bench firmware`."""
    assert firmware.polls(8, 400) == {"polls": 400, "errors": 0, "wrong": 0}


def test_no_wrong_value_is_accepted_with_noise() -> None:
    """One byte in 2,000 corrupted, and more of them to be sure: answers are missing, none is wrong on either side."""
    assert firmware.polls(4, 400, firmware.NOISE)["wrong"] == 0
    worse = firmware.polls(4, 300, 20 * firmware.NOISE)
    assert worse["wrong"] == 0
    assert worse["errors"] > 0


def test_the_turnaround_is_measured_beside_a_bare_echo(capsys: pytest.CaptureFixture[str]) -> None:
    """Both wait t3.5, and neither takes as long as a master waits; the figures are printed, the machine is shared."""
    figures = firmware.turnaround(60)
    with capsys.disabled():
        print(f"\nturnaround beyond t3.5, ms: {figures}")
    assert set(figures) == {"firmware p50", "firmware p99", "echo p50", "echo p99"}
    assert all(0 <= value < 500 for value in figures.values())


def test_the_command_prints_every_metric_with_its_limit() -> None:
    """In small, without the updates. Bytes are the same on any machine; heap and size keep their limits here."""
    result = CliRunner().invoke(app, ["firmware", "--boards", "2", "--polls", "20", "--no-updates", "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    rows = json.loads(result.stdout)["rows"]
    assert [row["metric"] for row in rows] == [
        "mpy_bytes", "heap_in_use", "heap_in_use", "turnaround_p50", "turnaround_p99",
        "errors", "wrong_values", "errors", "wrong_values",
    ]  # fmt: skip
    limits = [row["limit"] for row in rows]
    assert [limits[:3], limits[5:]] == [[64_000, 110_000, 110_000], [0, 0, None, 0]]
    assert all(row["value"] <= row["limit"] for row in (*rows[:3], rows[6], rows[8]))


@pytest.mark.timeout(300)
def test_a_whole_update_arrives_and_goes_on_after_a_cut_of_power() -> None:
    """60 kB by 15h with a cut in the middle, and broadcast to two boards, with the default heap; each starts."""
    rows = list(update.measure(lambda _said: None, (("15h", 1, True), ("broadcast", 2, False))))
    assert len([row for row in rows if row.metric == "whole_s" and row.value > 0]) == 2
    cut = next(row for row in rows if row.metric == "blocks_sent_again")
    assert cut.value < int(cut.case.split(", ")[3].split()[0]) / 240 / 4  # it went on where it was
