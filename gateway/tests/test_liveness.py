"""Values that stand still: frozen behind a dead sensor, or stuck, and what is no reason to doubt them."""

import pytest

from gateway.profile import Profile, load
from gateway.records import Value
from gateway.rules.liveness import Liveness

MEASURED = {"current", "voltage", "power", "frequency", "energy"}
LIVE: dict[str, Value] = {
    "sequence": 1, "measure_age": 200, "current": 6.0, "voltage": 230.1, "power": 1300.0, "frequency": 50.0,
    "energy": 4.0, "cause": 0,
}  # fmt: skip


def breaker() -> Liveness:
    return Liveness(load("gewu-breaker"))


def test_a_sequence_that_stands_still_freezes_the_measured_values() -> None:
    """Read well for 5 s and counted no measurement: they are not live; the next measurement ends that."""
    one = breaker()
    for second in range(5):
        one.take(LIVE, float(second))
    assert one.standing() == set()
    one.take(LIVE, 5.0)
    assert one.standing() == MEASURED
    one.take(LIVE | {"sequence": 2}, 6.0)
    assert one.standing() == set()


def test_a_board_that_says_its_measurement_is_old_is_believed_at_once() -> None:
    """5 s is the oldest that counts as now."""
    one = breaker()
    one.take(LIVE | {"measure_age": 5000}, 0.0)
    assert one.standing() == set()
    one.take(LIVE | {"measure_age": 5001, "sequence": 2}, 1.0)
    assert one.standing() == MEASURED


def test_silence_is_no_proof() -> None:
    """Only reads count: nothing is concluded from the time in which nobody asked, nor from before a loss."""
    one = breaker()
    one.take(LIVE, 0.0)
    assert one.standing() == set()
    one.forget()
    one.take(LIVE, 900.0)
    assert one.standing() == set()


@pytest.mark.parametrize(("volts", "moves", "stuck"), [(230.1, True, True), (0, True, False), (230.1, False, False)])
def test_a_value_that_never_moves_is_stuck_when_others_do(volts: float, moves: bool, stuck: bool) -> None:
    """Ten minutes at the same tenth of a volt; zero may stay zero, and a device at rest proves nothing."""
    rows = [
        {"name": "voltage", "kind": "input", "address": 0, "type": "u16", "scale": 0.1, "stuck_after": 600},
        {"name": "current", "kind": "input", "address": 1, "type": "u16", "stuck_after": 1e9},
    ]
    one = Liveness(Profile.model_validate({"profile": {"name": "p"}, "register": rows}))
    for now in range(0, 601, 10):
        one.take({"voltage": volts, "current": 5 + (now % 7 if moves else 0)}, float(now))
    assert one.standing() == ({"voltage"} if stuck else set())
