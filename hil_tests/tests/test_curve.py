"""Limits and picture of the trip curves; what runs under MicroPython is tested in firmware/tests."""

import xml.etree.ElementTree as ElementTree

import pytest

from hil_tests.curve import limits, picture


@pytest.mark.parametrize(
    ("times", "hot", "name"),
    [
        (0.9, False, "row a"), (1.13, False, "row a"), (1.2, False, None), (1.45, False, None), (1.45, True, "row b"),
        (2.5499, False, "row c"), (2.6, False, None), (5.0, False, "row d"), (10.0, False, "row e"),
        (15.0, False, "row e"), (9.0, False, None),
    ],
)  # fmt: skip
def test_a_value_is_its_point_or_none(times: float, hot: bool, name: str | None) -> None:
    """Row b only straight after a soak; rows a and e are ranges."""
    point = limits.of(limits.overcurrent(16, "C"), times, hot)
    assert (point.name if point else None) == name


def test_a_point_is_met_within_its_times_only() -> None:
    """Too early is as wrong as too late; "below" excludes its own limit."""
    rows = {limit.name: limit for limit in limits.overcurrent(63, "C")}
    assert rows["row c"].meets(1.0)
    assert rows["row c"].meets(120.0)
    assert not rows["row c"].meets(0.9)
    assert not rows["row c"].meets(None)
    assert not rows["row e"].meets(0.1)
    assert rows["row a"].meets(None)
    assert rows["row a"].meets(3600)
    assert not rows["row a"].meets(3599)


def test_the_conventional_time_doubles_above_63_a() -> None:
    """1 h up to 63 A, else 2 h."""
    assert [limits.overcurrent(rating, "B")[0].lowest for rating in (63, 64)] == [3600, 7200]


def test_voltages_have_ranges_below_and_points_above() -> None:
    """At or below 0.35 Un a trip; above 0.7 Un and up to 255 V none; between them nothing is asked."""
    names = []
    for volts in (0, 80, 120, 162, 230, 255, 260, 275, 400):
        point = limits.of(limits.voltage(), volts, False)
        names.append(point.name if point else None)
    assert names == ["0.35 Un", "0.35 Un", None, "0.7 Un", "0.7 Un", "255 V", None, "275 V", "400 V"]


def test_what_a_chip_cannot_meet_is_known_before_it_runs() -> None:
    """350 V and 400 V with a BL0942, nothing with an ADE7953."""
    assert [point.name for point in limits.voltage() if limits.out_of_reach(point, "bl0942")] == ["350 V", "400 V"]
    assert not [point for point in limits.voltage() if limits.out_of_reach(point, "ade7953")]


def test_the_picture_has_a_bar_for_each_row_and_a_dot_for_each_trip() -> None:
    """It is well-formed SVG; a row says its limit and provenance."""
    text = picture.draw("C16", "times In", [(2.55, 28.2), (10.0, 0.05)], limits.overcurrent(16, "C"))
    svg = ElementTree.fromstring(text)
    name = "{http://www.w3.org/2000/svg}"
    assert len(svg.findall(f"{name}circle")) == 2
    titles = [title.text for title in svg.iter(f"{name}title")]
    assert titles[2] == "row c: 1 s to 60 s (source)"
    assert len(titles) == 5
