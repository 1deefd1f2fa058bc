"""Loads, levers and what `inject` accepts."""

import pytest

from gateway.errors import ConfigurationError
from hil_tests.rig.circuit import Circuit, parse_injection
from hil_tests.rig.site import Board


def circuit(**keys: object) -> Circuit:
    return Circuit(Board.model_validate({"id": "b1", "address": 1, **keys}))


def test_a_load_varies_around_its_mean() -> None:
    """Over ten minutes the mean is the load, and it moves by some percent, never below zero."""
    values = [circuit(load=6.0).mains(second).current for second in range(600)]
    assert sum(values) / len(values) == pytest.approx(6.0, rel=0.02)
    assert 6.3 < max(values) < 7.3
    assert 4.7 < min(values) < 5.7


def test_two_boards_vary_differently_and_each_repeatably() -> None:
    """The rhythm is the board's own, the same in every run."""
    assert circuit().mains(10.0) == circuit().mains(10.0)
    assert circuit(id="b2").mains(10.0) != circuit().mains(10.0)


def test_an_open_breaker_carries_no_current() -> None:
    """Whatever is injected, nothing flows with the contact open; voltage stays."""
    world = circuit(current=80.0)
    assert world.mains(0.0).current == 80.0
    world.inject({"handle": 0.0})
    assert world.mains(0.0).current == 0.0
    assert world.mains(0.0).voltage == pytest.approx(230, abs=2)


def test_a_new_load_ends_a_fixed_current() -> None:
    """`current` is exact until `load` brings the varying one back."""
    world = circuit()
    world.inject({"current": 80.0, "voltage": 253.0, "frequency": 49.5, "power_factor": 0.5})
    mains = world.mains(1.0)
    assert (mains.current, mains.voltage, mains.frequency, mains.power_factor) == (80.0, 253.0, 49.5, 0.5)
    world.inject({"load": 3.0})
    assert world.mains(1.0).current == pytest.approx(3.0, rel=0.25)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ({"amps": "3"}, ["'amps'", "current", "voltage", "handle"]),
        ({"current": "much"}, ["'much' is not a number"]),
        ({"current": "nan"}, ["from 0 to 20000"]),
        ({"voltage": "-1"}, ["from 0 to 1000"]),
        ({"handle": "0.5"}, ["0 or 1"]),
        ({}, ["KEY=VALUE"]),
    ],
)
def test_a_wrong_injection_is_a_sentence(pairs: dict[str, str], words: list[str]) -> None:
    """Unknown keys name the known ones; what is no number, or out of range, says so."""
    with pytest.raises(ConfigurationError) as caught:
        parse_injection(pairs)
    assert all(word in str(caught.value) for word in words)
