"""`gewu bus wiring` on virtual copper: each fault of a line is found as what it is, and a good line has none."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hil_tests.rig.site import parse_site
from hil_tests.rig.village import Village

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """Four boards at 9600 baud."""
    boards = [{"id": f"b{n}", "address": n} for n in range(1, 5)]
    site = parse_site({"bus": [{"name": "n", "baud": 9600, "board": boards}]}, "test")
    with Village(site, tmp_path_factory.mktemp("rig")) as village:
        yield village


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.csv"
    rows = "".join(f"b{n},p,c{n},gewu-breaker,16,C,{n}\n" for n in range(1, 5))
    path.write_text("id,place,circuit,profile,rating,curve,address\n" + rows, encoding="ascii")
    return path


def look(village: Village, *words: str) -> Any:
    """(exit status, the document)."""
    port = village.state()["buses"][0]["port"]
    # A loaded machine answers late, which is no fault of the line.
    line = [sys.executable, "-m", "gateway", "bus", "wiring", "--port", port, "--timeout", "0.4", "--json", *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=200, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert "安全第一" in done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("fault", "value", "what"),
    [
        ("swapped", "1", "A and B are swapped at this adapter"),
        ("unbiased", "1", "no bias on the line"),
        ("unterminated", "0.004", "reflections or disturbance: termination"),
        ("echo", "1", "the adapter hears itself"),
    ],
)
def test_a_fault_of_the_line_is_named_with_what_to_do(village: Village, fault: str, value: str, what: str) -> None:
    """And exit status 1."""
    village.fault("n", {fault: value})
    try:
        status, said = look(village, "--last", "4")
    finally:
        village.fault("n", {fault: "0"})
    assert status == 1
    assert [one["what"] for one in said["findings"]] == [what], said
    assert said["findings"][0]["do"]


def test_one_swapped_board_and_then_a_good_line(village: Village, plan: Path) -> None:
    """The board is named by its address; with its wires right, nothing is found."""
    village.inject("b3", {"swapped": "1"})
    status, said = look(village, "--plan", str(plan))
    village.inject("b3", {"swapped": "0"})
    assert (status, [one["what"] for one in said["findings"]]) == (1, ["address 3 is silent"]), said
    status, said = look(village, "--plan", str(plan))
    assert (status, said["ok"], said["findings"]) == (0, True, []), said
    assert [(one["address"], one["good"]) for one in said["units"]] == [(n, 12) for n in range(1, 5)]


def test_a_wrong_speed_is_found_by_trying(village: Village) -> None:
    """With the settings that are right."""
    status, said = look(village, "--baud", "38400", "--last", "2")
    assert status == 1
    assert [one["what"] for one in said["findings"]] == ["the line has another speed or parity"], said
    assert "9600 8" in said["findings"][0]["do"]
