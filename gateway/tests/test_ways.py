"""A second way is taken while the first is gone, and left when it is back."""

import time

import pytest

from gateway.errors import TryAgain
from gateway.tests.fake_broker import FakeBroker
from gateway.uplink.settings import UplinkSettings, Way
from gateway.uplink.ways import KNOCK_FIRST_S, TwoWays


class _Bench:
    def __init__(self) -> None:
        self.first, self.second = FakeBroker(), FakeBroker()
        self.now = 0.0
        self.reachable = False
        self.knocks = 0
        self.ways = TwoWays(self.first, self.second, self._knock, lambda: self.now)

    def _knock(self) -> bool:
        self.knocks += 1
        return self.reachable

    def connect(self) -> bool:
        """Whether the first way was taken."""
        self.ways.connect(None, lambda: None)
        return not self.ways.fallback

    def better(self) -> bool:
        """The answer, after a knock that it may have begun is over."""
        self.ways.better()
        deadline = time.monotonic() + 20
        while self.ways._knocking is not None and self.ways._knocking.is_alive():
            assert time.monotonic() < deadline
        return self.ways.better()


@pytest.fixture
def bench() -> _Bench:
    return _Bench()


def test_the_first_way_is_preferred(bench: _Bench) -> None:
    """While it works, nothing touches the second, and nothing is better."""
    assert bench.connect()
    bench.now += 10 * KNOCK_FIRST_S
    assert not bench.better()
    assert (bench.second.attempts, bench.knocks) == ([], 0)


def test_there_and_back(bench: _Bench) -> None:
    """The second way carries at once; a minute later, and each minute, somebody knocks at the first."""
    bench.first.refuses = "gone"
    assert not bench.connect()
    assert not bench.better()
    bench.now += KNOCK_FIRST_S
    assert not bench.better()
    assert bench.knocks == 1
    bench.reachable = True
    bench.now += KNOCK_FIRST_S
    assert bench.better()
    bench.first.refuses = None
    assert bench.connect()
    assert not bench.better()


def test_a_first_way_that_answers_and_refuses_is_knocked_at_less_often(bench: _Bench) -> None:
    """The port is open but the broker says no: the second way carries on, and the knocks become rare."""
    bench.first.refuses, bench.reachable = "no", True
    assert not bench.connect()
    bench.now += KNOCK_FIRST_S
    assert bench.better()
    assert not bench.connect()
    bench.now += KNOCK_FIRST_S
    assert not bench.better()
    bench.now += KNOCK_FIRST_S
    assert bench.better()


def test_both_gone_says_both(bench: _Bench) -> None:
    """The sentence holds both reasons."""
    bench.first.refuses, bench.second.refuses = "The wire is cut.", "The mast is down."
    with pytest.raises(TryAgain, match=r"The wire is cut\. The second way: The mast is down\."):
        bench.connect()


@pytest.mark.parametrize(
    ("url", "second", "trusted", "believed"),
    [
        ("mqtts://a", None, False, True),
        ("wss://a", "mqtts://b", False, True),
        ("mqtts://a", "mqtt://b", False, False),
        ("mqtt://a", None, False, False),
        ("mqtt://a", "ws://b", True, True),
    ],
)
def test_whose_time_is_believed(url: str, second: str | None, trusted: bool, believed: bool) -> None:
    """Of a verified server over every way that may carry, or where the configuration says so."""
    fallback = None if second is None else Way(second)
    settings = UplinkSettings(name="u", site="s", gateway="g", url=url, fallback=fallback, trust_time=trusted)
    assert settings.tells_time is believed
