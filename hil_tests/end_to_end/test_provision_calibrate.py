"""`gewu provision commission --calibrate`: fresh virtual boards with loose parts against the rig's own truth."""

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
HEAD = "id,place,circuit,profile,rating,curve,address\n"
ERRORS = {"loose": (0.013, -0.008), "quick": (-0.02, 0.004), "broken": (0.12, 0.0), "typed": (0.004, 0.003)}


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """Fresh boards whose parts are off by ERRORS."""
    boards = [
        {"id": name, "fresh": True, "gain_error": current, "voltage_error": voltage}
        | ({"meter": "ade7953"} if name == "quick" else {})
        for name, (current, voltage) in ERRORS.items()
    ]
    site = parse_site({"bus": [{"name": "n", "baud": 115200, "board": boards}]}, "test")
    with Village(site, tmp_path_factory.mktemp("rig")) as village:
        yield village


def commission(plan: Path, village: Village, names: tuple[str, ...], *more: str, said: str = "") -> Any:
    """(exit status, rows, stderr)."""
    ports = [word for name in names for word in ("--port", str(village.folder / "usb" / name))]
    line = [sys.executable, "-m", "gateway", "provision", "commission", "--plan", str(plan), "--json", *ports, *more]
    done = subprocess.run(line, input=said, capture_output=True, text=True, timeout=200, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def settings_of(village: Village, name: str) -> dict[str, Any]:
    slots = (village.folder / "boards" / name).glob("settings.[ab]")
    return dict(max((json.loads(path.read_bytes().split(b"\n")[0]) for path in slots), key=lambda slot: slot["seq"]))


def plan_of(folder: Path, *ids: str) -> Path:
    path = folder / "plan.csv"
    rows = (f"{name},p,{name},gewu-breaker,16,C,{number}" for number, name in enumerate(ids, start=1))
    path.write_text(HEAD + "\n".join(rows) + "\n", encoding="ascii")
    return path


def test_loose_parts_are_found_and_a_wrong_shunt_is_refused(village: Village, tmp_path: Path) -> None:
    """Each board's factor is the inverse of its parts' error; both chips; then kept, over another run without it."""
    plan = plan_of(tmp_path, "b1", "b2")
    rig = f"rig:{village.folder}"
    status, rows, said = commission(plan, village, ("loose", "broken"), "--calibrate", rig)
    assert status == 1, said
    assert [row["state"] for row in rows] == ["commissioned", "loaded"], rows
    assert rows[1]["trouble"].startswith("gain-refused: its current is off by +12.0 %"), rows
    held = settings_of(village, "loose")
    current, voltage = ERRORS["loose"]
    assert abs(held["current_ppm"] - (1e6 / (1 + current) - 1e6)) < 50
    assert abs(held["voltage_ppm"] - (1e6 / (1 + voltage) - 1e6)) < 50
    lines = [json.loads(line) for line in plan.with_suffix(".journal.jsonl").read_text("utf-8").splitlines()]
    found = next(line["calibration"] for line in lines if "points" in (line.get("calibration") or {}))
    assert [point["true"]["current"] for point in found["points"]] == [3.0, 15.0]
    proof = next(line["check"] for line in lines if "check" in line)
    assert abs(proof["shown"]["current"] / proof["true"]["current"] - 1) < 0.001

    # Done already: not again, and nothing is written.
    status, rows, said = commission(plan, village, ("loose",), "--calibrate", rig)
    assert (status, rows[0]["state"]) == (0, "commissioned"), said
    assert "calibrating" not in said
    assert settings_of(village, "loose") == held


def test_an_ade7953_and_a_person_who_types(village: Village, tmp_path: Path) -> None:
    """The other chip by the rig; a person types what stands still, with people first in each question."""
    (tmp_path / "boards.toml").write_text('[breaker]\nmeter = "ade7953"\n', encoding="ascii")
    plan = plan_of(tmp_path, "b1")
    more = ("--calibrate", f"rig:{village.folder}", "--settings", str(tmp_path / "boards.toml"))
    status, rows, said = commission(plan, village, ("quick",), *more)
    assert (status, rows[0]["state"]) == (0, "commissioned"), (rows, said)
    assert abs(settings_of(village, "quick")["current_ppm"] - (1e6 / 0.98 - 1e6)) < 50

    (tmp_path / "typed").mkdir()
    plan = plan_of(tmp_path / "typed", "b1")
    village.inject("typed", {"voltage": "230", "current": "10", "power_factor": "1"})
    # The load never changes, so both points are the same: refused, and nothing is written.
    status, rows, said = commission(plan, village, ("typed",), "--calibrate", "ask", said="230 10\nnonsense\n230 10\n")
    assert (status, rows[0]["state"]) == (1, "loaded"), rows
    assert rows[0]["trouble"].startswith("points-unfit: "), rows
    assert said.count("安全第一") == 3  # at the start and at each point
    assert "give volts, amperes" in said
    assert not list((village.folder / "boards" / "typed").glob("settings.[ab]"))
