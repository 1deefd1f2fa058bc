"""Factors from two points, what is refused and why, and what the bench's reference meters say."""

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigurationError
from provisioning.calibration import Point, Reading, check, gains_of, known_gains, mean
from provisioning.reference import FromFile, Scpi, Typed
from provisioning.trouble import Trouble

LOW, HIGH = Reading(115.0, 3.0, 345.0), Reading(230.0, 15.0, 3450.0)
PARTS = {"rating": 16, "divider": 5789}


def points(voltage: float = 1.0, current: float = 1.0, power: float = 1.0, bent: float = 0.0) -> list[Point]:
    """A board that shows so much of the truth; `bent`: more of it at the high point."""
    low = Reading(LOW.voltage * voltage, LOW.current * current, 345.0 * power)
    high = Reading(HIGH.voltage * voltage, HIGH.current * (current + bent), 3450.0 * power)
    return [Point(LOW, low), Point(HIGH, high)]


def code_of(action: Any) -> str:
    with pytest.raises(Trouble) as caught:
        action()
    return caught.value.code


def test_factors_are_the_inverse_of_the_error() -> None:
    """In millionths; the power's own where the reference measures it, else the board derives it."""
    assert gains_of(points(1.01, 0.98, 0.99), 16) == {"current_ppm": 20408, "voltage_ppm": -9901, "power_ppm": 10101}
    without = [Point(Reading(p.true.voltage, p.true.current), p.shown) for p in points(1.01, 0.98)]
    assert gains_of(without, 16).keys() == {"current_ppm", "voltage_ppm"}


def test_what_no_part_explains_is_refused() -> None:
    """More than 5 % off, a curve between the points, nothing shown at all."""
    assert code_of(lambda: gains_of(points(current=1.06), 16)) == "gain-refused"
    assert code_of(lambda: gains_of(points(voltage=0.94), 16)) == "gain-refused"
    assert code_of(lambda: gains_of(points(power=1.07), 16)) == "gain-refused"
    assert code_of(lambda: gains_of(points(current=0.0), 16)) == "gain-refused"
    assert code_of(lambda: gains_of(points(bent=0.006), 16)) == "not-linear"
    assert gains_of(points(current=0.955, voltage=1.045, bent=0.004), 16)


def test_points_that_say_nothing_are_refused() -> None:
    """Too small for the meter, too near one another, more power than current and voltage make."""
    same = [Point(HIGH, HIGH)] * 2
    assert code_of(lambda: gains_of(same, 16)) == "points-unfit"
    assert code_of(lambda: gains_of(points(), 125)) == "points-unfit"  # 3 A of 125 A
    wrong = Reading(230.0, 15.0, 3600.0)
    assert code_of(lambda: gains_of([points()[0], Point(wrong, wrong)], 16)) == "points-unfit"


def test_the_supply_must_stand_still_and_the_chip_must_speak() -> None:
    """A hundredth of movement, or no sample."""
    assert mean([Reading(230.0, 10.0, 5.0), Reading(231.0, 10.0, 7.0)]) == Reading(230.5, 10.0, 6.0)
    assert code_of(lambda: mean([Reading(230.0, 10.0), Reading(230.0, 10.2)])) == "supply-unsteady"
    assert code_of(lambda: mean([])) == "meter-silent"


def test_the_check_point_must_agree_within_half_a_percent() -> None:
    """And a digit; what the reference does not measure is not compared."""
    check(Reading(225.0, 8.0), Reading(226.1, 8.04, 0.0))
    check(Reading(225.0, 8.0, 1800.0), Reading(225.0, 8.0, 1795.0))
    assert code_of(lambda: check(Reading(225.0, 8.0), Reading(225.0, 8.05))) == "check-failed"
    assert code_of(lambda: check(Reading(225.0, 8.0, 1800.0), Reading(225.0, 8.0, 1750.0))) == "check-failed"


def test_factors_are_kept_once_they_are_checked_and_only_for_these_parts() -> None:
    """The journal decides; another journal's board brings its own; another shunt makes them worthless."""
    found = {"uid": "u", "calibration": {"current_ppm": 7, "points": []}, "design": [100, 5789, "bl0942"]}
    checked = {"uid": "u", "state": "commissioned", "check": {}}
    held = {"rating": 16, "current_ppm": 5, "voltage_ppm": 6}
    assert known_gains([found, checked], "u", {}, PARTS) == {"current_ppm": 7}
    assert known_gains([found], "u", held, PARTS) == {}  # cut, or failed, before its check point
    assert known_gains([found, checked, found], "u", {}, PARTS) == {}
    assert known_gains([found, checked], "u", {}, {"rating": 20}) == {}
    assert known_gains([found, checked], "other", held, PARTS) == {"current_ppm": 5, "voltage_ppm": 6}
    assert known_gains([], "other", held, {"rating": 16, "shunt_uohm": 101}) == {}


def test_a_person_is_asked_until_it_is_numbers() -> None:
    """Each question that touches a board puts people first."""
    asked: list[str] = []
    answers = iter(["", "230", "230 -1", "230,4 x", "230.4, 15.02, 3460"])

    def ask(text: str) -> str:
        asked.append(text)
        return next(answers)

    assert Typed(ask).read("/dev/x", "SN-1", "low") == Reading(230.4, 15.02, 3460.0)
    assert len(asked) == 5
    assert "People first" in asked[0]
    assert "安全第一" in asked[0]


def test_a_file_has_points_for_one_board_or_for_all(tmp_path: Path) -> None:
    """The board's own row wins; a missing one is a trouble, a wrong one a sentence with its row."""
    path = tmp_path / "points.csv"
    path.write_text("serial,point,voltage,current,power\n*,low,115,3,\nSN-1,low,116,3.1,\n", encoding="utf-8")
    meter = FromFile(path, lambda text: text)
    assert meter.read("p", "SN-1", "low") == Reading(116.0, 3.1)
    assert meter.read("p", "SN-2", "low") == Reading(115.0, 3.0)
    assert code_of(lambda: meter.read("p", "SN-2", "high")) == "no-reference"
    path.write_text("serial,point,voltage,current\n*,low,115,\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="row 2"):
        FromFile(path, lambda text: text)


@pytest.mark.integration
def test_a_meter_on_the_network_is_asked_in_scpi() -> None:
    """Its usual queries and one of one's own, over a real socket; a meter that is gone is a trouble."""
    answers = {"MEAS:VOLT:AC?": "+2.301E+02\n", "MEAS:CURR:AC?": "1.502E+01\n", ":POW?": "3455.5,W\n"}
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            caller = server.accept()[0]
            with caller, caller.makefile("rw", newline="\n") as stream:
                for line in stream:
                    stream.write(answers[line.strip()])
                    stream.flush()

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"scpi://127.0.0.1:{server.getsockname()[1]}?power=:POW?"
        meter = Scpi(url, lambda text: text)
        assert meter.read("p", "SN-1", "high") == Reading(230.1, 15.02, 3455.5)
        thread.join()
    assert code_of(lambda: meter.read("p", "SN-1", "high")) == "no-reference"
    with pytest.raises(ConfigurationError, match="frequency"):
        Scpi(url + "&frequency=F?", lambda text: text)
