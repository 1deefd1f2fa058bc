"""What is worth sending."""

from typing import Any

import pytest

from gateway.profile import Profile
from gateway.records import Mark, Value
from gateway.rules.deadband import Deadband


def deadband(**more: Any) -> Deadband:
    row = {"name": "x", "kind": "holding", "address": 0, "type": "f32"} | more
    return Deadband(Profile.model_validate({"profile": {"name": "p"}, "register": [row]}))


@pytest.mark.parametrize(
    ("band", "first", "second", "worth"),
    [
        (0.5, 230.1, 230.5, False),
        (0.5, 230.1, 230.6, True),  # a change of exactly the deadband, in spite of binary fractions
        (0.5, 230.1, 229.5, True),
        (0.0, 5, 5, False),
        (0.0, 5, 5.001, True),
        (100, False, True, True),
        (100, "A", "B", True),
        (100, "A", "A", False),
        (100, 5.0, "NaN", True),
    ],
)
def test_a_change_counts_from_the_deadband_on(band: float, first: Value, second: Value, worth: bool) -> None:
    """Numbers by the deadband, everything else by any change."""
    rule = deadband(deadband=band)
    assert rule.worth({"x": first}, {}, 0.0) == {"x": first}
    assert bool(rule.worth({"x": second}, {}, 1.0)) is worth


def test_slow_drift_is_seen() -> None:
    """The change counts from what was sent, so small steps add up."""
    rule = deadband(deadband=1.0)
    sent = [value for step in range(31) if rule.worth({"x": (value := step * 0.1)}, {}, step)]
    assert sent == pytest.approx([0.0, 1.0, 2.0, 3.0])


def test_silence_ends_after_at_least() -> None:
    """An unchanged value is sent again when `at_least` seconds have passed."""
    rule = deadband(at_least=300)
    sent = [now for now in range(0, 1000, 50) if rule.worth({"x": 1.0}, {}, float(now))]
    assert sent == [0, 300, 600, 900]


def test_a_changed_mark_is_always_worth_it() -> None:
    """Going bad, going stale and getting well are news, whatever the value."""
    rule = deadband(deadband=1000)
    marks: list[dict[str, Mark]] = [{}, {"x": "bad"}, {"x": "bad"}, {"x": "stale"}, {}]
    assert [bool(rule.worth({"x": 1.0}, mark, 0.0)) for mark in marks] == [True, True, False, True, True]


def test_what_the_store_refused_is_sent_again() -> None:
    """After `forget` the next value is worth sending, changed or not."""
    rule = deadband()
    assert rule.worth({"x": 1.0}, {}, 0.0)
    rule.forget()
    assert rule.worth({"x": 1.0}, {}, 0.1)
