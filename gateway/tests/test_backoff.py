"""The waits of contract section 2: within 1 s, doubling with jitter, at most 15 s and later 120 s."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.uplink.backoff import Backoff


@given(st.floats(0, 1, exclude_max=True))
def test_waits_of_a_long_outage(chance: float) -> None:
    """Each wait is half to all of its step; the cap is 15 s for ten minutes and 120 s after."""
    backoff, now, waits = Backoff(lambda: chance), 50.0, []
    while now < 50 + 3600:
        wait = backoff.failed(now)
        waits.append((now - 50, wait))
        now += wait
    assert 0.5 <= waits[0][1] <= 1.0
    assert all(wait <= 15 for since, wait in waits if since < 600)
    assert all(7.5 <= wait <= 15 for since, wait in waits if 60 < since < 600)
    assert all(60 <= wait <= 120 for since, wait in waits if since > 800)


def test_success_begins_anew() -> None:
    """After a success the first retry is within 1 s again."""
    backoff = Backoff(lambda: 0.99)
    for second in range(20):
        backoff.failed(float(second) * 100)
    backoff.succeeded()
    assert backoff.failed(5000.0) <= 1.0


def test_jitter_spreads_gateways() -> None:
    """Two gateways with different luck do not come back together."""
    assert Backoff(lambda: 0.0).failed(0.0) != Backoff(lambda: 0.9).failed(0.0)
