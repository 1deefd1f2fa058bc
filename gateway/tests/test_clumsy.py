"""The message at which a broker hangs up is found; a network that comes and goes accuses nobody."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.uplink.clumsy import Clumsy


def _until_blamed(clumsy: Clumsy, most: int = 20) -> tuple[int, int | None]:
    """Connections that the broker ends at message 7, and what is blamed in the end."""
    for number in range(1, most + 1):
        clumsy.connected()
        blamed = clumsy.lost([7] if clumsy.careful else [7, 8, 9], 0.1, by_peer=True)
        if blamed is not None:
            return number, blamed
    return most, None


def test_the_one_that_is_alone_three_times_is_to_blame() -> None:
    """Two connections raise the suspicion, three show which it is: no loop."""
    clumsy = Clumsy()
    assert _until_blamed(clumsy) == (5, 7)
    assert not clumsy.careful


def test_a_broker_that_refuses_everything_costs_one_message() -> None:
    """After one is blamed the next needs a confirmation first."""
    clumsy = Clumsy()
    _until_blamed(clumsy)
    assert _until_blamed(clumsy)[1] is None
    clumsy.confirmed()
    assert _until_blamed(clumsy)[1] == 7


def test_what_the_broker_names_itself_needs_no_row() -> None:
    """Packet too large, said by a broker of MQTT 5: alone it is known at once, among others after one more try."""
    clumsy = Clumsy()
    assert clumsy.blamed([7, 8]) is None
    assert clumsy.careful
    assert clumsy.blamed([7]) == 7


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.1, 60.0]), st.booleans()).filter(
            lambda one: one[0] or one[1] > 10 or not one[2]
        )
    )
)
def test_the_network_accuses_nobody(story: list[tuple[bool, float, bool]]) -> None:
    """Connections that confirmed something, ended late, or were not ended by the broker: never a suspicion."""
    clumsy = Clumsy()
    for confirmed, seconds, by_peer in story:
        clumsy.connected()
        if confirmed:
            clumsy.confirmed()
        assert clumsy.lost([7], seconds, by_peer) is None
        assert not clumsy.careful
