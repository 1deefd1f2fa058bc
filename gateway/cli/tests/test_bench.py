"""`gewu bench`: its shape. What it measures is for people to read; no test here waits for a speed."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app

pytestmark = pytest.mark.integration


def bench(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["bench", *arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_bus_is_measured_beside_the_plain_loop() -> None:
    """Each metric that the contract names is there, with its limit and what the plain loop reached."""
    few = ("--no-boards", "--no-tcp", "--no-gateway")
    document = bench("bus", "--baud", "115200", "--devices", "2", "--seconds", "1", *few)
    assert document.keys() == {"name", "rows", "machine"}
    assert document["name"] == "bus"
    rows = {row["metric"]: row for row in document["rows"]}
    assert rows.keys() == {"utilisation", "sweep_s", "values_per_s", "cpu", "alarm_p99_ms", "rss_mb"}
    for row in document["rows"]:
        assert row.keys() == {"case", "metric", "value", "unit", "limit", "peer"}
        assert row["case"] == "ideal 115200 x2"
        assert row["value"] > 0
    assert 0 < rows["utilisation"]["value"] <= 1.01
    assert rows["utilisation"]["limit"] == 0.85
    assert rows["values_per_s"]["limit"] == pytest.approx(3 * rows["values_per_s"]["peer"], rel=0.01)
    assert rows["sweep_s"]["peer"] > rows["sweep_s"]["value"]  # 32 requests beside one


def test_spoiled_frames_are_counted() -> None:
    """Neither a crash nor a wrong value, and the causes beside them."""
    rows = {row["metric"]: row["value"] for row in bench("frames", "--frames", "2000", "--seed", "3")["rows"]}
    assert rows["crashes"] == rows["wrong_values"] == 0
    assert rows["crc"] > 0


def test_faults_are_counted_by_their_id() -> None:
    """What was lost, came twice and ran, by fault; nothing is lost. An id that is none is refused."""
    document = bench("faults", "--seeds", "9", "--only", "A2", "--only", "B1")
    rows = {(row["case"].split()[0], row["metric"]): row for row in document["rows"]}
    for fault in ("A2", "B1"):
        assert rows[fault, "lost"]["value"] == rows[fault, "lost"]["limit"] == 0
        assert rows[fault, "runs"]["value"] == 9
        assert (fault, "duplicates") in rows
    assert {fault for fault, _ in rows} == {"A2", "B1"}
    done = CliRunner().invoke(app, ["bench", "faults", "--only", "Z9"])
    assert "Z9" in str(done.exception)


def test_a_speed_that_no_port_has_is_refused() -> None:
    """Before anything is started."""
    done = CliRunner().invoke(app, ["bench", "bus", "--baud", "9601"])
    assert "9601" in str(done.exception)
