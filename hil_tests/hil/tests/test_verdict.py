"""Judging with an uncertainty: what straddles a limit is neither met nor missed."""

import os
from pathlib import Path

import pytest

from hil_tests.hil.hands import Person
from hil_tests.hil.verdict import BenchTrouble, Judgement, judged, near


@pytest.mark.parametrize(
    ("seconds", "uncertainty", "lowest", "longest", "waited", "verdict"),
    [
        (0.05, 0.01, 0.0, 0.1, 1.0, "met"),
        (0.095, 0.01, 0.0, 0.1, 1.0, "undecided"),
        (0.12, 0.01, 0.0, 0.1, 1.0, "missed"),
        (0.995, 0.01, 1.0, 5.0, 6.0, "undecided"),
        (0.5, 0.01, 1.0, 5.0, 6.0, "missed"),
        (None, 0.01, 0.0, 0.1, 1.0, "missed"),
        (None, 0.01, 10.0, None, 10.0, "met"),
        (None, 0.01, 10.0, None, 5.0, "undecided"),
        (3.0, 0.01, 10.0, None, 10.0, "missed"),
        (12.0, 0.01, 10.0, None, 20.0, "met"),
    ],
)
def test_a_trip_time_is_judged_with_its_uncertainty(
    seconds: float | None, uncertainty: float, lowest: float, longest: float | None, waited: float, verdict: Judgement
) -> None:
    """Met and missed only where no true time within the uncertainty says otherwise."""
    assert judged(seconds, uncertainty, lowest, longest, waited) == verdict


@pytest.mark.parametrize(
    ("measured", "uncertainty", "verdict"),
    [(10.05, 0.02, "met"), (10.09, 0.02, "undecided"), (10.13, 0.02, "missed"), (9.87, 0.02, "missed")],
)
def test_a_reading_is_judged_with_the_reference_s_uncertainty(
    measured: float, uncertainty: float, verdict: Judgement
) -> None:
    """Within 0.1 of 10."""
    assert near(measured, 10.0, uncertainty, 0.1) == verdict


def test_a_person_is_asked_at_the_terminal() -> None:
    """Yes, a number, a task that cannot be done; and where there is no terminal it is the bench's trouble."""
    keyboard, screen = os.openpty()
    try:
        person = Person("Li", Path(os.ttyname(screen)))
        for typed in (b"y\n", b"seven\n", b"6,9\n", b"n\n"):
            os.write(keyboard, typed)
        assert person.sees("Does it blink?")
        assert person.reads("voltage", "V") == 6.9
        with pytest.raises(BenchTrouble, match="Li could not do this: Move the lever of b1 to ON"):
            person.lever("b1", True)
    finally:
        os.close(keyboard)
        os.close(screen)
    with pytest.raises(BenchTrouble, match="start gewu hil at a terminal"):
        Person("Li", Path("/nowhere/tty")).cut_power("b1")
