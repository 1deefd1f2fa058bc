"""The story keeps its order and its cause and effect at any length."""

import itertools

import pytest

from hil_tests.demo.stage import BOARDS
from hil_tests.demo.story import BUSY, VICTIM, caption, overload_multiple, timeline


@pytest.mark.parametrize("seconds", [10, 15, 30, 60, 600])
def test_scenes_follow_one_another(seconds: float) -> None:
    """Each scene is after the one before, the last at the asked end, each with its caption."""
    steps = timeline(seconds)
    assert all(earlier.at < later.at for earlier, later in itertools.pairwise(steps))
    assert steps[-1] == (seconds, "end")
    assert all(caption(step.scene) for step in steps)


@pytest.mark.parametrize(("seconds", "trip_s"), [(10, 1.0), (15, 1.0), (25, 8.0), (30, 8.0), (60, 8.0)])
def test_the_trip_comes_before_the_outage(seconds: float, trip_s: float) -> None:
    """The overload trips (thermal within 8 s at 4.8 In, instantaneous within 1 s) while the broker is there."""
    at = {step.scene: step.at for step in timeline(seconds)}
    assert (overload_multiple(seconds) < 5) == (trip_s > 1)
    assert at["overload"] + trip_s + 1.0 < at["broker gone"]


def test_the_people_of_the_story_live_in_the_village() -> None:
    """Eight breakers and two sensors on two buses, and the story's boards are among them."""
    ids = {board.id for board in BOARDS}
    assert {VICTIM, *BUSY} <= ids
    assert sum(board.profile == "gewu-breaker" for board in BOARDS) == 8
    assert sum(board.profile == "gewu-sensor" for board in BOARDS) == 2
