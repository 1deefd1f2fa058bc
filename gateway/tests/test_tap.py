"""What a bus keeps for those who listen on its port."""

from types import SimpleNamespace

import pytest

from gateway.bus.tap import Heard, Tap
from gateway.lent import heard

REQUEST, ANSWER = bytes.fromhex("010300000001840a"), bytes.fromhex("0103020007f986")


def test_nothing_is_kept_while_nobody_listens() -> None:
    """A listener hears from its first question on; one that stays away is forgotten after ten seconds."""
    now = [100.0]
    tap = Tap(lambda: now[0])
    tap.hear(99.9, REQUEST, ANSWER)
    number, fresh = tap.since(0)
    assert fresh == []
    now[0] = 101.0
    tap.hear(100.9, REQUEST, ANSWER)
    assert tap.since(number) == (number + 1, [Heard(100.9, REQUEST, 101.0, ANSWER)])
    assert tap.since(number + 1) == (number + 1, [])
    now[0] = 120.0
    tap.hear(119.9, REQUEST, b"")
    assert tap.since(number + 1) == (number + 1, [])


def test_two_listeners_hear_the_same() -> None:
    """What one has fetched is still there for the other."""
    tap = Tap(lambda: 5.0)
    tap.since(0)
    tap.hear(4.9, REQUEST, b"")
    assert tap.since(0) == tap.since(0) == (1, [Heard(4.9, REQUEST, 5.0, b"")])


def test_what_the_gateway_answers_to_a_listener() -> None:
    """Frames travel as hexadecimal digits; a bus that has no line to hear, or no such bus, is refused."""
    tap = Tap(lambda: 5.0)
    tap.since(0)
    tap.hear(4.9, REQUEST, ANSWER)
    north, usb = SimpleNamespace(name="north", tap=tap), SimpleNamespace(name="usb")
    assert heard([north, usb], {"bus": "north", "from": 0}) == {
        "next": 1,
        "heard": [[4.9, REQUEST.hex(), 5.0, ANSWER.hex()]],
    }
    for wrong in ({"bus": "usb", "from": 0}, {"bus": "south", "from": 0}, {"bus": "north", "from": "all"}):
        with pytest.raises(ValueError, match="no such line"):
            heard([north, usb], wrong)
